import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";
import { hashKey } from "../../../src/api/auth/key-format.ts";
import { DEFAULT_SCOPES } from "../../../src/api/auth/scopes.ts";
import type { TenantPort } from "../../../src/api/ports/tenant-port.ts";
import { NO_ALLOWANCE, NO_LIMITS } from "../../../src/config/tenant-record.ts";
import { sweepStale } from "../../../src/consumer/sweep-stale.ts";
import { createSweepDeps } from "../../../src/deps.ts";
import { WorkflowObject } from "../../../src/durable-objects/workflow-object.ts";
import { MAX_KEYS } from "../../../src/durable-objects/tenant/tenant-keys.ts";
import { REMOVAL_GRACE_MS } from "../../../src/durable-objects/tenant/tenant-removal.ts";
import { Settings } from "../../../src/config/settings.ts";
import { http, listen, never, openWorkflow, pass, start, transform, type Workflow } from "../open-workflow.ts";
import { createSummary } from "../create-summary.ts";

type Tenant = DurableObjectStub & TenantPort;

const directory = env.TENANT.getByName("default") as unknown as Tenant;
const kv = Object.getPrototypeOf(env.CONFIG) as KVNamespace;
const ALL = { status: null, name: null, metadata: {}, limit: 50, cursor: null };
let ids = 0;

function openTenant(id: string): Tenant {
  return env.TENANT.getByName(id) as unknown as Tenant;
}

async function createTenant(id = `acme-${(ids += 1)}`): Promise<{ id: string; tenant: Tenant }> {
  expect(await directory.createTenant({ id, allowance: NO_ALLOWANCE, idempotency: null })).toMatchObject({ kind: "created" });
  return { id, tenant: openTenant(id) };
}

function newKey(name: string | null = null) {
  ids += 1;
  return { id: `key_${ids}`, hash: `hash-${ids}`, name, scopes: DEFAULT_SCOPES };
}

/** What the replica of a key says. */
function replicaOf(hash: string): Promise<unknown> {
  return env.CONFIG.get(`key:${hash}`, "json");
}

async function listTenants(limit = 50): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: Awaited<ReturnType<TenantPort["listTenants"]>> = await directory.listTenants({ limit, cursor });
    if ("problem" in page) throw new Error(page.detail);
    found.push(...page.items);
    cursor = page.nextCursor;
    if (cursor === null) return found;
  }
}

async function runAlarms(tenant: Tenant, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) expect(await runDurableObjectAlarm(tenant)).toBe(true);
}

/** All rows of an object, by table; only tables that have some. */
function readRows(object: DurableObjectStub): Promise<Record<string, unknown[]>> {
  return runInDurableObject(object, (_object, state) => {
    const { sql } = state.storage;
    const tables = sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%' AND name <> 'schema_version'").toArray().map((row) => String(row["name"]));
    return Object.fromEntries(tables.map((table) => [table, sql.exec(`SELECT * FROM ${table}`).toArray()] as const).filter(([, rows]) => rows.length > 0));
  });
}

describe("the directory", () => {
  test("has the operator's own tenant always, and others newest first before it, page by page, over an eviction", async () => {
    expect(await directory.hasTenant("default")).toBe(true);
    expect(await listTenants()).toEqual(["default"]);
    const made = [await createTenant(), await createTenant(), await createTenant()].map(({ id }) => id);
    await evictDurableObject(directory);
    expect(await directory.hasTenant(made[0]!)).toBe(true);
    expect(await directory.hasTenant("nobody")).toBe(false);
    for (const limit of [50, 1, 2]) expect(await listTenants(limit)).toEqual([...made.toReversed(), "default"]);
    expect(await directory.listTenants({ limit: 5, cursor: "x" })).toMatchObject({ problem: "invalid", errors: [{ path: "?cursor" }] });
  });

  test("gives an id once, with what was asked for in the tenant's own object", async () => {
    const allowance = { budget: { maxNanoUsd: 5e9, period: "month" as const }, limits: { ...NO_LIMITS, concurrentTasks: 3 } };
    const answers = await Promise.all([1, 2].map(() => directory.createTenant({ id: "once", allowance, idempotency: null })));
    expect(answers.map((answer) => ("problem" in answer ? answer.problem : answer.kind)).sort()).toEqual(["conflict", "created"]);
    expect(await openTenant("once").readTenant()).toMatchObject({ id: "once", state: "active", ...allowance });
    expect(await directory.createTenant({ id: "default", allowance, idempotency: null })).toMatchObject({ problem: "conflict" });
  });

  test("does not know a tenant whose creation was cut off, and the next request makes it", async () => {
    await runInDurableObject(directory, (_object, state) => void state.storage.sql.exec("INSERT INTO tenants VALUES ('half', 5, 'creating', NULL, 0)"));
    expect([await directory.hasTenant("half"), (await listTenants()).includes("half")]).toEqual([false, false]);
    expect(await directory.removeTenant("half")).toMatchObject({ problem: "not_found" });
    await createTenant("half");
    expect(await directory.hasTenant("half")).toBe(true);
  });

  test("answers a repeated request again, also at the same time and after a removal, but not one with another body or after a day", async () => {
    const request = (bodyHash: string) => directory.createTenant({ id: "again", allowance: NO_ALLOWANCE, idempotency: { key: "k", bodyHash } });
    const answers = await Promise.all([request("a"), request("a")]);
    expect(answers.map((answer) => ("problem" in answer ? answer.problem : answer.kind))).toEqual(["created", "replayed"]);
    expect(await request("b")).toMatchObject({ problem: "conflict" });
    await directory.removeTenant("again");
    expect(await request("a")).toMatchObject({ kind: "replayed", tenant: { id: "again" } });
    pass(86_400_000);
    expect(await request("a")).toMatchObject({ problem: "conflict", detail: expect.stringContaining("removed") });
  });
});

describe("keys", () => {
  test("are found by their hash, listed newest first without it, and over an eviction", async () => {
    const { tenant, id } = await createTenant();
    const [first, second] = [newKey("ci"), newKey()];
    for (const key of [first, second]) {
      expect(await tenant.addKey(key)).toEqual({ added: true });
      pass(10);
    }
    await evictDurableObject(tenant);
    expect(await tenant.findKey(first.hash)).toEqual({ id: first.id, scopes: DEFAULT_SCOPES });
    expect(await tenant.findKey("hash-none")).toBeNull();
    expect(await replicaOf(first.hash)).toEqual({ tenant: id, id: first.id, scopes: DEFAULT_SCOPES });
    const page = await tenant.listKeys({ limit: 1, cursor: null });
    if ("problem" in page) throw new Error(page.detail);
    expect(page.items).toEqual([{ id: second.id, name: null, scopes: DEFAULT_SCOPES, createdAt: expect.any(String), lastUsedAt: null }]);
    expect(await tenant.listKeys({ limit: 1, cursor: page.nextCursor })).toMatchObject({ items: [{ id: first.id, name: "ci" }], nextCursor: null });
  });

  test("that are revoked are not in force from then on, here and in their replica, and leave nothing", async () => {
    const { tenant } = await createTenant();
    const key = newKey();
    await tenant.addKey(key);
    expect(await tenant.revokeKey("key_none")).toMatchObject({ problem: "not_found" });
    expect(await tenant.revokeKey(key.id)).toEqual({ revoked: true });
    expect([await tenant.findKey(key.hash), await replicaOf(key.hash)]).toEqual([null, null]);
    expect(await tenant.revokeKey(key.id)).toMatchObject({ problem: "not_found" });
    expect((await readRows(tenant))["keys"]).toBeUndefined();
  });

  test("whose replica cannot be deleted are out of force all the same, and the alarm deletes it", async () => {
    const { tenant } = await createTenant();
    const key = newKey();
    await tenant.addKey(key);
    vi.spyOn(kv, "delete").mockRejectedValueOnce(new Error("the store is away"));
    expect(await tenant.revokeKey(key.id)).toMatchObject({ problem: "internal" });
    expect(await tenant.findKey(key.hash)).toBeNull();
    expect(await tenant.listKeys({ limit: 5, cursor: null })).toMatchObject({ items: [] });
    expect(await replicaOf(key.hash)).not.toBeNull();
    await runAlarms(tenant, 1);
    expect(await replicaOf(key.hash)).toBeNull();
  });

  test("whose replica cannot be written are not made, and a replica that was written all the same goes", async () => {
    const { tenant } = await createTenant();
    const key = newKey();
    const put = kv.put.bind(env.CONFIG) as (name: string, value: string) => Promise<void>;
    vi.spyOn(kv, "put").mockImplementationOnce(async (name: string, value: unknown) => {
      await put(name, String(value));
      throw new Error("timed out");
    });
    expect(await tenant.addKey(key)).toMatchObject({ problem: "internal" });
    expect(await tenant.findKey(key.hash)).toBeNull();
    await runAlarms(tenant, 1);
    expect(await replicaOf(key.hash)).toBeNull();
  });

  test(`there are at most ${MAX_KEYS} in force`, async () => {
    const { tenant } = await createTenant();
    await runInDurableObject(tenant, (_object, state) => {
      const numbers = JSON.stringify(Array.from({ length: MAX_KEYS - 1 }, (_, index) => index));
      state.storage.sql.exec("INSERT INTO keys SELECT 'key_many' || value, 'many' || value, NULL, '[]', 1, NULL, 0 FROM json_each(?)", numbers);
    });
    const last = newKey();
    expect(await tenant.addKey(last)).toEqual({ added: true });
    expect(await tenant.addKey(newKey())).toMatchObject({ problem: "conflict" });
    await tenant.revokeKey(last.id);
    expect(await tenant.addKey(newKey())).toEqual({ added: true });
  });

  test("remember when they were used, writing at most once a minute", async () => {
    const { tenant } = await createTenant();
    const key = newKey();
    await tenant.addKey(key);
    const used = async (at: number) => {
      expect(await tenant.noteKeyUse(key.id, at)).toBe(true);
      const page = await tenant.listKeys({ limit: 1, cursor: null });
      return "problem" in page ? null : Date.parse(page.items[0]!.lastUsedAt!);
    };
    const start = Date.now();
    expect(await used(start)).toBe(start);
    expect(await used(start + 59_999)).toBe(start);
    expect(await used(start + 60_000)).toBe(start + 60_000);
    expect(await used(start)).toBe(start + 60_000);
    await tenant.revokeKey(key.id);
    expect(await tenant.noteKeyUse(key.id, start + 120_000)).toBe(false);
  });
});

describe("removing a tenant", () => {
  /** A tenant with some of everything. */
  async function fill(): Promise<{ id: string; tenant: Tenant; running: Workflow; deleted: Workflow; key: ReturnType<typeof newKey> }> {
    const { id, tenant } = await createTenant();
    const key = newKey();
    await tenant.addKey(key);
    await tenant.putAgent("mine", transform("1"));
    await tenant.editSettings({ edit: { kind: "patch", patch: { routing: { maxFallbacks: 1 } } }, below: Settings.parse({}), author: "root", isOperator: false });
    await env.CONFIG.put(`settings:${id}`, "{}");
    await tenant.addGatewayCalls([{ id: "g", at: Date.now(), tier: "weak", taskType: null, calls: [], failureCode: null, fallbacks: 0 }]);
    const running = openWorkflow(`${id}:running`);
    await start(running, [{ id: "a", agent: "slow" }], { tenant: id, agents: { slow: http(listen(never)) } });
    const deleted = openWorkflow(`${id}:deleted`);
    await start(deleted, [{ id: "a", agent: "one" }], { tenant: id, agents: { one: transform("1") }, idempotency: { key: "k", bodyHash: "h" } });
    expect(await deleted.read({ withTasks: false, waitMs: 5_000 })).toMatchObject({ status: "completed" });
    expect(await deleted.remove()).toEqual({ removed: true });
    expect(Object.keys(await readRows(deleted))).toContain("documents");
    return { id, tenant, running, deleted, key };
  }

  test("ends its keys and takes it out of the directory at once, and then removes all of its data and frees its id", async () => {
    const { id, tenant, running, deleted, key } = await fill();
    expect(await directory.removeTenant(id)).toEqual({ removed: true });
    expect([await tenant.findKey(key.hash), await replicaOf(key.hash)]).toEqual([null, null]);
    expect([await directory.hasTenant(id), (await listTenants()).includes(id)]).toEqual([false, false]);
    expect(await tenant.patchTenant({ budget: null })).toMatchObject({ problem: "not_found" });
    expect(await tenant.addKey(newKey())).toMatchObject({ problem: "not_found" });
    expect(await directory.removeTenant(id)).toMatchObject({ problem: "not_found" });
    const again = () => directory.createTenant({ id, allowance: NO_ALLOWANCE, idempotency: null });
    expect(await again()).toMatchObject({ problem: "conflict" });

    await runAlarms(tenant, 1);
    for (const workflow of [running, deleted]) expect(await readRows(workflow)).toEqual({});
    expect(await running.exists()).toBe(false);
    expect(await again()).toMatchObject({ problem: "conflict" });

    pass(REMOVAL_GRACE_MS);
    await runAlarms(tenant, 1);
    expect(await readRows(tenant)).toEqual({ tenant: [expect.objectContaining({ state: "removed", allowance: JSON.stringify(NO_ALLOWANCE) })] });
    expect(await env.CONFIG.get(`settings:${id}`)).toBeNull();
    expect(await runDurableObjectAlarm(tenant)).toBe(false);

    expect(await again()).toMatchObject({ kind: "created" });
    expect(await tenant.readTenant()).toMatchObject({ state: "active", spend: { spentNanoUsd: 0 } });
    expect(await tenant.listAgents()).toEqual([]);
    expect(await tenant.listWorkflows(ALL)).toEqual({ items: [], nextCursor: null });
    expect(await tenant.readSettings()).toEqual({ version: 0, document: {} });
  });

  test("the operator's own is refused, an unknown one not found", async () => {
    expect(await directory.removeTenant("default")).toMatchObject({ problem: "conflict" });
    expect(await directory.removeTenant("nobody")).toMatchObject({ problem: "not_found" });
  });

  test("a workflow that a key made while it was being ended is removed as well", async () => {
    const { id, tenant } = await createTenant();
    await directory.removeTenant(id);
    await runAlarms(tenant, 1);
    const late = openWorkflow(`${id}:late`);
    await start(late, [{ id: "a", agent: "slow" }], { tenant: id, agents: { slow: http(listen(never)) } });
    await vi.waitFor(async () => expect(await tenant.listWorkflows(ALL)).toMatchObject({ items: [{ id: "late" }] }), 30_000);
    pass(REMOVAL_GRACE_MS);
    await runAlarms(tenant, 1);
    expect(await late.exists()).toBe(false);
    expect(Object.keys(await readRows(tenant))).toEqual(["tenant"]);
  });

  test("what a workflow tells after all is gone, or tells a new tenant of the same id, brings nothing back and empties the workflow", async () => {
    const { id, tenant } = await createTenant();
    const startedAt = Date.now();
    await directory.removeTenant(id);
    pass(REMOVAL_GRACE_MS);
    await runAlarms(tenant, 1);
    const stray = openWorkflow(`${id}:stray`);
    const told = () => start(stray, [{ id: "a", agent: "slow" }], { tenant: id, agents: { slow: http(listen(never)) } });
    await told();
    await vi.waitFor(async () => expect(await stray.exists()).toBe(false), 30_000);
    await tenant.addGatewayCalls([{ id: "late", at: Date.now(), tier: "weak", taskType: null, calls: [], failureCode: null, fallbacks: 0 }]);
    expect(Object.keys(await readRows(tenant))).toEqual(["tenant"]);

    await createTenant(id);
    await told();
    expect(await stray.exists()).toBe(true);
    await tenant.indexWorkflow({ summary: createSummary("stray", startedAt), version: 1 });
    expect(await stray.exists()).toBe(false);
    await tenant.indexWorkflow({ summary: createSummary("fresh", Date.now() - 30_000), version: 1 });
    expect(await tenant.listWorkflows(ALL)).toMatchObject({ items: expect.arrayContaining([expect.objectContaining({ id: "fresh" })]) });
  });

  test("goes on in bounded steps, past a workflow that cannot be emptied now, until that one is empty too", async () => {
    const { id, tenant } = await createTenant();
    const count = 250;
    await runInDurableObject(tenant, (_object, state) => {
      const numbers = JSON.stringify(Array.from({ length: count }, (_, index) => index));
      state.storage.sql.exec(`INSERT INTO workflows SELECT 'w' || value, 1, 1, 'running', NULL, 0, 1, '{}' FROM json_each(?)`, numbers);
    });
    const left = () => runInDurableObject(tenant, (_object, state) => Number(state.storage.sql.exec("SELECT count(*) AS count FROM workflows").one()["count"]));
    await directory.removeTenant(id);
    const purge = vi.spyOn(WorkflowObject.prototype, "purge").mockRejectedValueOnce(new Error("not now"));
    await runAlarms(tenant, 1);
    expect(purge).toHaveBeenCalledTimes(200);
    expect(await left()).toBe(count - 199);
    await evictDurableObject(tenant);
    await runAlarms(tenant, 2);
    expect(await left()).toBe(0);
    expect(purge).toHaveBeenCalledTimes(count + 1);
    purge.mockRestore();
  });

  test("that was cut off before its object was told is done by asking again, or by the sweep", async () => {
    const cutOff = async () => {
      const { id, tenant } = await createTenant();
      const key = newKey();
      await tenant.addKey(key);
      vi.spyOn(kv, "delete").mockRejectedValueOnce(new Error("the store is away"));
      expect(await directory.removeTenant(id)).toMatchObject({ problem: "internal" });
      expect([await directory.hasTenant(id), await tenant.findKey(key.hash)]).toEqual([false, null]);
      return { id, tenant, key };
    };
    const asked = await cutOff();
    expect(await directory.removeTenant(asked.id)).toEqual({ removed: true });
    expect(await replicaOf(asked.key.hash)).toBeNull();
    expect(await directory.removeTenant(asked.id)).toMatchObject({ problem: "not_found" });
    const swept = await cutOff();
    await sweepStale(createSweepDeps(env));
    expect(await replicaOf(swept.key.hash)).toBeNull();
  });

  test("whose end the directory was not told of is found by the sweep", async () => {
    const { id, tenant } = await createTenant();
    await directory.removeTenant(id);
    const row = await runInDurableObject(directory, (_object, state) => state.storage.sql.exec("SELECT * FROM tenants WHERE id = ?", id).one());
    pass(REMOVAL_GRACE_MS);
    await runAlarms(tenant, 1);
    await runInDurableObject(directory, (_object, state) => void state.storage.sql.exec("INSERT INTO tenants VALUES (?, ?, ?, ?, ?)", ...Object.values(row)));
    expect(await directory.createTenant({ id, allowance: NO_ALLOWANCE, idempotency: null })).toMatchObject({ problem: "conflict" });
    await sweepStale(createSweepDeps(env));
    await createTenant(id);
    // A late word of the former removal is no removal of the new tenant.
    await directory.forgetTenant(id, 1);
    expect(await directory.hasTenant(id)).toBe(true);
  });
});

test("the sweep wakes silent workflows of every tenant", async () => {
  const made = [(await createTenant()).id, "default"];
  for (const id of made) {
    const workflow = openWorkflow(`${id}:silent`);
    await start(workflow, [{ id: "a", agent: "slow" }], { tenant: id, agents: { slow: http(listen(never)) } });
    await vi.waitFor(async () => expect(await openTenant(id).listWorkflows(ALL)).toMatchObject({ items: [{ id: "silent" }] }), 30_000);
  }
  const woken: string[] = [];
  const deps = createSweepDeps(env);
  pass(700_000);
  await sweepStale({ ...deps, now: Date.now(), wake: async (tenant, workflowId) => void woken.push(`${tenant}:${workflowId}`) });
  for (const id of made) expect(woken).toContain(`${id}:silent`);
});

test("a key's hash is of its whole text, and is no part of it", async () => {
  expect(await hashKey("wk_acme_abc")).toMatch(/^[0-9a-f]{64}$/);
  expect(await hashKey("wk_acme_abc")).not.toBe(await hashKey("wk_acme_abd"));
});
