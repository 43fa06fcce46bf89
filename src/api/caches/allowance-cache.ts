import { RecentMap } from "../../recent-map.ts";
import type { Allowance } from "../../config/tenant-record.ts";

/** How long a copy is taken as it is; older ones are read again while they still serve. */
const FRESH_MS = 10_000;
/** How long a copy serves at most: a change binds everywhere within that time (contract: 60 s). */
const MAX_AGE_MS = 50_000;
/** Tenants whose copies an isolate keeps; only those that its requests came from. */
const MAX_TENANTS = 1_000;

export interface AllowanceCacheDeps {
  now: () => number;
  /** Asks the tenant's object. */
  readOrigin: (tenant: string) => Promise<Allowance>;
  keepAlive: (work: Promise<void>) => void;
  onFault: (error: unknown) => void;
}

/** What the operator allows each tenant, as this isolate knows it. */
export interface AllowanceCache {
  /** Asks nobody where a copy is young enough. Rejects when there is none and the tenant's object cannot be reached: an unknown budget is not no budget. */
  read(tenant: string): Promise<Allowance>;
  /** After a change that was made here. */
  forget(tenant: string): void;
}

interface Copy {
  allowance: Allowance;
  readAt: number;
  isRefreshing: boolean;
}

export function createAllowanceCache(deps: AllowanceCacheDeps): AllowanceCache {
  const copies = new RecentMap<string, Copy>(MAX_TENANTS);
  let changes = 0;
  const read = async (tenant: string): Promise<Allowance> => {
    const [readAt, known] = [deps.now(), changes];
    const { budget, limits } = await deps.readOrigin(tenant);
    const allowance = { budget, limits };
    // What was read while something changed may be what was before.
    if (changes === known) copies.set(tenant, { allowance, readAt, isRefreshing: false });
    return allowance;
  };
  const refresh = (tenant: string, copy: Copy): void => {
    copy.isRefreshing = true;
    const refreshed = read(tenant)
      .then(() => undefined, deps.onFault)
      .finally(() => (copy.isRefreshing = false));
    deps.keepAlive(refreshed);
  };
  return {
    async read(tenant) {
      const copy = copies.get(tenant);
      const age = copy === undefined ? Infinity : deps.now() - copy.readAt;
      if (copy === undefined || age >= MAX_AGE_MS) return read(tenant);
      if (age >= FRESH_MS && !copy.isRefreshing) refresh(tenant, copy);
      return copy.allowance;
    },
    forget(tenant) {
      changes += 1;
      copies.delete(tenant);
    },
  };
}
