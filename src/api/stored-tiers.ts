import { DEFAULT_TIERS } from "../config/default-tiers.ts";
import type { StoredTiers, TierDocument } from "../config/tiers.ts";
import type { TenantPort } from "./ports/tenant-port.ts";

/** The tenant whose object keeps the operator's documents. */
export const OPERATOR_TENANT = "default";

/** The document as it is now, asked of its object. It was checked when it was written. */
export async function readStoredTiers(operator: Pick<TenantPort, "readTiers">): Promise<StoredTiers> {
  const stored = await operator.readTiers();
  if (stored === null) return { version: 0, document: DEFAULT_TIERS };
  return { version: stored.version, document: JSON.parse(stored.json) as TierDocument };
}
