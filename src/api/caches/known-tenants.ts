import type { DirectoryPort } from "../ports/directory-port.ts";
import { RecentMap } from "../../recent-map.ts";
import { OPERATOR_TENANT } from "../stored-tiers.ts";

/** How long this isolate believes that a tenant is there. */
const KNOWN_MS = 10_000;
const MAX_TENANTS = 1_000;

/** Which tenants there are, as this isolate knows it. One that it does not know is asked for in the directory, so a new one is there at once. */
export interface KnownTenants {
  has(id: string): Promise<boolean>;
  /** Whether `has` would answer without asking. */
  isKnown(id: string): boolean;
  /** After a removal made here. */
  forget(id: string): void;
}

export function createKnownTenants(deps: { directory: () => Pick<DirectoryPort, "hasTenant">; now: () => number }): KnownTenants {
  const readAt = new RecentMap<string, number>(MAX_TENANTS);
  const isKnown = (id: string): boolean => id === OPERATOR_TENANT || deps.now() - (readAt.get(id) ?? -Infinity) < KNOWN_MS;
  return {
    isKnown,
    async has(id) {
      if (isKnown(id)) return true;
      const at = deps.now();
      const isThere = await deps.directory().hasTenant(id);
      if (isThere) readAt.set(id, at);
      else readAt.delete(id);
      return isThere;
    },
    forget: (id) => readAt.delete(id),
  };
}
