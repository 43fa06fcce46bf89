import type { TierDocument } from "./tiers.ts";

/** A tiers document with its version; 0 is the built-in one. */
export interface StoredTiers {
  version: number;
  document: TierDocument;
}

/** How long an isolate's copy counts as fresh. */
const FRESH_MS = 10_000;

export interface TiersCacheDeps {
  now: () => number;
  /** The replicated copy (KV), up to a minute old; null when there is none. */
  readReplica: () => Promise<StoredTiers | null>;
  /** The document's object. */
  readOrigin: () => Promise<StoredTiers>;
  writeReplica: (tiers: StoredTiers) => Promise<void>;
}

export interface TiersCache {
  read(): Promise<StoredTiers>;
  /** Takes a newer document at once, and replicates it. */
  publish(tiers: StoredTiers): Promise<void>;
}

/** An isolate's copy of the tiers document. A source that fails leaves the former copy in place: stale models are better than none. */
export function createTiersCache(deps: TiersCacheDeps): TiersCache {
  let copy: { tiers: StoredTiers; readAt: number } | null = null;
  const keep = (tiers: StoredTiers): StoredTiers => {
    if (copy === null || tiers.version >= copy.tiers.version) copy = { tiers, readAt: deps.now() };
    else copy.readAt = deps.now();
    return copy.tiers;
  };
  return {
    async read() {
      if (copy !== null && deps.now() - copy.readAt < FRESH_MS) return copy.tiers;
      try {
        return keep((await deps.readReplica()) ?? (await deps.readOrigin()));
      } catch (error) {
        if (copy === null) throw error;
        return copy.tiers;
      }
    },
    async publish(tiers) {
      keep(tiers);
      await deps.writeReplica(tiers);
    },
  };
}
