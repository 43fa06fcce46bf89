import type { CreateTenant, CreateTenantAnswer, DirectoryPort, TenantLifePort } from "../../api/ports/directory-port.ts";
import { IDEMPOTENCY_MS, KEY_IS_TAKEN } from "../../api/ports/idempotency-record.ts";
import type { Page } from "../../api/ports/workflow-port.ts";
import { OPERATOR_TENANT } from "../../api/stored-tiers.ts";
import type { Problem } from "../../errors.ts";
import { cutPage, NO_CURSOR, readCursor } from "../../api/http/list-position.ts";
import type { TenantStore } from "./stores/tenant-store.ts";

/** Removals that one sweep looks after. */
const MAX_REMOVING = 50;

interface DirectoryDeps {
  /** Unix milliseconds. */
  now: () => number;
  tenant: (id: string) => TenantLifePort;
}

/** Which tenants there are, in the operator's object. Each change is written here first, then told to the tenant's object, then confirmed here: whatever is cut off in between is done again. */
export class TenantDirectory implements DirectoryPort {
  readonly #store: TenantStore;
  readonly #deps: DirectoryDeps;
  #creating: Promise<unknown> = Promise.resolve();

  constructor(store: TenantStore, deps: DirectoryDeps) {
    this.#store = store;
    this.#deps = deps;
  }

  /** One after the other, so that of two requests for one id, or with one key, the second sees what the first did. */
  createTenant(request: CreateTenant): Promise<CreateTenantAnswer> {
    const creation = this.#creating.then(() => this.#create(request));
    this.#creating = creation.catch(() => undefined);
    return creation;
  }

  async hasTenant(id: string): Promise<boolean> {
    return id === OPERATOR_TENANT || this.#store.directory.find(id)?.state === "active";
  }

  async listTenants({ limit, cursor }: { limit: number; cursor: string | null }): Promise<Page<string> | Problem> {
    const after = readCursor(cursor);
    if (after === undefined) return NO_CURSOR;
    const { rows, nextCursor } = cutPage(this.#store.directory.list(limit + 1, after), limit);
    return { items: rows.map(({ id }) => id), nextCursor };
  }

  async removeTenant(id: string): Promise<{ removed: true } | Problem> {
    if (id === OPERATOR_TENANT) return { problem: "conflict", detail: `The tenant ${OPERATOR_TENANT} is the operator's own and cannot be removed.` };
    const row = this.#store.directory.find(id);
    if (row === null || (row.state !== "active" && row.state !== "ending")) return { problem: "not_found", detail: "There is no such tenant." };
    const removingAt = row.removingAt ?? this.#deps.now();
    this.#store.directory.put({ ...row, state: "ending", removingAt });
    const ended = await this.#deps.tenant(id).endTenant(removingAt);
    if ("problem" in ended) return ended;
    // Meanwhile it may have been forgotten.
    if (this.#store.directory.find(id)?.removingAt === removingAt) this.#store.directory.put({ ...row, state: "removing", removingAt });
    return { removed: true };
  }

  async forgetTenant(id: string, removingAt: number): Promise<void> {
    this.#store.directory.forget(id, removingAt);
  }

  async takeTenants(limit: number): Promise<{ active: string[]; removing: { id: string; since: number }[] }> {
    const now = this.#deps.now();
    return this.#store.transaction(() => ({
      active: [OPERATOR_TENANT, ...this.#store.directory.take(true, limit, now).map(({ id }) => id)],
      removing: this.#store.directory.take(false, MAX_REMOVING, now).map(({ id, removingAt }) => ({ id, since: removingAt! })),
    }));
  }

  async #create({ id, allowance, idempotency }: CreateTenant): Promise<CreateTenantAnswer> {
    const now = this.#deps.now();
    const earlier = idempotency === null ? null : this.#store.directory.findAnswer(idempotency.key, now - IDEMPOTENCY_MS);
    if (earlier !== null) {
      return earlier.bodyHash === idempotency?.bodyHash ? { kind: "replayed", tenant: earlier.answer } : KEY_IS_TAKEN;
    }
    const row = this.#store.directory.find(id);
    if (id === OPERATOR_TENANT || row?.state === "active") return { problem: "conflict", detail: `There is a tenant ${id} already.` };
    if (row !== null && row.state !== "creating") return { problem: "conflict", detail: `The data of a former tenant ${id} is still being removed: try again in some minutes.` };
    const started = { id, createdAt: row?.createdAt ?? now, removingAt: null };
    this.#store.directory.put({ ...started, state: "creating" });
    const tenant = await this.#deps.tenant(id).startTenant({ id, createdAt: started.createdAt, allowance });
    this.#store.transaction(() => {
      this.#store.directory.put({ ...started, state: "active" });
      if (idempotency !== null) this.#store.directory.addAnswer(idempotency, tenant, now, now - IDEMPOTENCY_MS);
    });
    return { kind: "created", tenant };
  }
}
