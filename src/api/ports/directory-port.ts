import type { Allowance, TenantRecord } from "../../config/tenant-record.ts";
import type { Problem } from "../../errors.ts";
import type { Page } from "./workflow-port.ts";

/** What a tenant spent of its budget in the current period; without a budget, ever. `periodStart`: Unix ms, null where no period begins. */
export interface TenantSpend {
  spentNanoUsd: number;
  reservedNanoUsd: number;
  periodStart: number | null;
}

export interface TenantStatus extends TenantRecord {
  spend: TenantSpend;
}

export interface CreateTenant {
  id: string;
  allowance: Allowance;
  /** Who asked for it by which key, as one string; null without an `Idempotency-Key`. */
  idempotency: { key: string; bodyHash: string } | null;
}

export type CreateTenantAnswer =
  | { kind: "created"; tenant: TenantStatus }
  /** The same key and body were seen within 24 h: the first answer again. */
  | { kind: "replayed"; tenant: TenantStatus }
  | Problem;

/** What of the operator's object concerns all tenants: the directory. */
export interface DirectoryPort {
  createTenant(request: CreateTenant): Promise<CreateTenantAnswer>;
  /** Not one that is being made or removed. The operator's own is always there. */
  hasTenant(id: string): Promise<boolean>;
  /** Ids, newest first; the operator's own, which was always there, last. */
  listTenants(query: { limit: number; cursor: string | null }): Promise<Page<string> | Problem>;
  /** Takes a tenant out of the directory and has its object remove its data. 404, or 409 for the operator's own; 500 when its keys may still work elsewhere: asking again, or time, does the rest. */
  removeTenant(id: string): Promise<{ removed: true } | Problem>;
  /** All data of the tenant whose removal began then (Unix ms) is gone: its id is free. */
  forgetTenant(id: string, removingAt: number): Promise<void>;
  /** Tenants whose turn it is to be swept, those swept longest ago first, and always the operator's own; and removals that are under way, with the time each began. */
  takeTenants(limit: number): Promise<{ active: string[]; removing: { id: string; since: number }[] }>;
}

/** What the directory has a tenant's object do. */
export interface TenantLifePort {
  /** Makes the object that of a new tenant. */
  startTenant(tenant: { id: string; createdAt: number; allowance: Allowance }): Promise<TenantStatus>;
  /** Ends all keys at once and begins to remove the tenant's data, or goes on with it. Idempotent. `isDone`: nothing is left. 500 when replicas of keys are still there. */
  endTenant(since: number): Promise<{ isDone: boolean } | Problem>;
}
