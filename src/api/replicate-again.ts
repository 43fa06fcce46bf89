import type { ApiDeps } from "./api-deps.ts";
import type { TenantPort } from "./ports/tenant-port.ts";
import { OPERATOR_TENANT, readStoredTiers } from "./stored-tiers.ts";

export interface ReplicaDeps extends Pick<ApiDeps, "log"> {
  tenant: (tenant: string) => Pick<TenantPort, "readTiers" | "readSettings">;
  tiers: Pick<ApiDeps["tiers"], "publish">;
  settings: Pick<ApiDeps["settings"], "publish">;
}

/**
 * Writes the replicas of the operator's documents anew from what is stored. Whoever stores a document replicates it, and may be gone before that:
 * then no isolate would ever hear of it. Never throws.
 */
export async function replicateAgain({ tenant, tiers, settings, log }: ReplicaDeps): Promise<void> {
  const operator = tenant(OPERATOR_TENANT);
  const replications = [
    readStoredTiers(operator).then((stored) => (stored.version === 0 ? undefined : tiers.publish(stored))),
    operator.readSettings().then((stored) => (stored.version === 0 ? undefined : settings.publish(OPERATOR_TENANT, stored))),
  ];
  for (const replication of await Promise.allSettled(replications)) {
    if (replication.status === "rejected") log({ event: "replication.failed", message: String(replication.reason) });
  }
}
