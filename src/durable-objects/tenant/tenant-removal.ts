import type { IndexEntry } from "../../api/ports/tenant-port.ts";
import { NO_ALLOWANCE } from "../../config/tenant-record.ts";
import type { LogEvent } from "../../log.ts";
import type { TenantStore } from "./stores/tenant-store.ts";

/**
 * How long a tenant's removal goes on at least: far longer than a key that was ended, or a cached answer that the tenant is there, lets
 * anybody in (a minute). What was made in that time is removed too, before the id is free again.
 */
export const REMOVAL_GRACE_MS = 300_000;
/** Workflows of one step: an alarm's invocation may make 1,000 calls. */
const STEP_WORKFLOWS = 200;
/** Calls side by side. */
const PURGE_BATCH = 20;
/** When a step that could not do all is tried again. */
const RETRY_MS = 10_000;
/** Entries that are older than their tenant by more than this are those of a tenant that had the id before. Clocks differ by less, and between two tenants of one id lies the time of a removal. */
const FOREIGN_ENTRY_MS = 60_000;

export interface TenantRemovalDeps {
  /** Unix milliseconds. */
  now: () => number;
  purgeWorkflow: (tenant: string, workflowId: string) => Promise<void>;
  deleteSettingsReplica: (tenant: string) => Promise<void>;
  forgetTenant: (tenant: string, since: number) => Promise<void>;
  log: (event: LogEvent) => void;
}

/** What a removal needs of its object: empties all of its storage, and makes an empty schema again. */
type EmptyStorage = () => Promise<void>;

/** Removes all data of one tenant, in steps that an alarm calls. What a step did is done; what it was cut off from is done by the next. */
export class TenantRemoval {
  readonly #store: TenantStore;
  readonly #deps: TenantRemovalDeps;
  readonly #empty: EmptyStorage;
  /** How far through the ids this round of steps is. */
  #purgedTo = "";

  constructor(store: TenantStore, deps: TenantRemovalDeps, empty: EmptyStorage) {
    this.#store = store;
    this.#deps = deps;
    this.#empty = empty;
  }

  /** Whether nothing is left. Begins the removal of a tenant that is there. */
  begin(since: number): boolean {
    const record = this.#store.record.read();
    // No record: a removal that was cut off behind its last step but one.
    if (this.#store.record.find() === null) this.#writeRemoved(since);
    if (this.#store.record.read().state === "removed") return true;
    if (record.state === "active") {
      this.#store.transaction(() => {
        this.#store.record.write({ ...record, state: "removing", changedAt: since });
        this.#store.keys.revokeAll();
      });
    }
    return false;
  }

  /** Whether what a workflow tells is no concern of a tenant that is here: its object is to be emptied. */
  isForeign({ summary }: IndexEntry): boolean {
    const { state, createdAt } = this.#store.record.read();
    return state === "removed" || (createdAt !== null && Date.parse(summary.createdAt) < createdAt - FOREIGN_ENTRY_MS);
  }

  /** Does a part of it and answers when the next is to be done (Unix ms); null when there is none, since all is gone or nothing is to be removed. */
  async step(): Promise<number | null> {
    const { id, state, changedAt } = this.#store.record.read();
    if (state !== "removing") return null;
    const ids = this.#store.workflows.listIds(this.#purgedTo, STEP_WORKFLOWS);
    for (let start = 0; start < ids.length; start += PURGE_BATCH) await Promise.all(ids.slice(start, start + PURGE_BATCH).map((workflowId) => this.#purge(id, workflowId)));
    this.#purgedTo = ids.at(-1) ?? "";
    const now = this.#deps.now();
    if (ids.length === STEP_WORKFLOWS) return now;
    this.#purgedTo = "";
    if (this.#store.workflows.listIds("", 1).length > 0) return now + RETRY_MS;
    if (now < changedAt + REMOVAL_GRACE_MS) return changedAt + REMOVAL_GRACE_MS;
    await this.#deps.deleteSettingsReplica(id);
    await this.#empty();
    this.#writeRemoved(changedAt);
    // Should this get lost, the sweep asks.
    await this.#deps.forgetTenant(id, changedAt);
    return null;
  }

  async #purge(tenant: string, workflowId: string): Promise<void> {
    try {
      await this.#deps.purgeWorkflow(tenant, workflowId);
      this.#store.workflows.drop(workflowId);
    } catch (error) {
      this.#deps.log({ event: "tenant.removal_failed", workflowId, message: String(error) });
    }
  }

  /** Leaves nothing but when it was: whatever comes late finds that, rather than an object that it could fill again. */
  #writeRemoved(since: number): void {
    this.#store.record.write({ id: this.#store.tenant, createdAt: null, state: "removed", changedAt: since, ...NO_ALLOWANCE });
  }
}
