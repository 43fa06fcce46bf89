import { createDocumentCache, type DocumentCache, type DocumentCacheDeps, type StoredDocument } from "./document-cache.ts";
import type { TierDocument } from "./tiers.ts";

/** A tiers document with its version; 0 is the built-in one. */
export type StoredTiers = StoredDocument<TierDocument>;
export type TiersCache = DocumentCache<TierDocument>;
export type TiersCacheDeps = DocumentCacheDeps<TierDocument>;

export function createTiersCache(deps: TiersCacheDeps): TiersCache {
  return createDocumentCache(deps);
}
