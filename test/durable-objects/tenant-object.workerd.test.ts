import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import type { GatewayEntry } from "../../src/api/ports/stats-port.ts";
import type { IndexEntry, TenantPort } from "../../src/api/ports/tenant-port.ts";
import type { Page, WorkflowSummary } from "../../src/api/ports/workflow-port.ts";
import type { SettingsEdit } from "../../src/config/edit-settings.ts";
import { Settings } from "../../src/config/settings.ts";
import { NO_LIMITS } from "../../src/config/tenant-record.ts";
import { MAX_DECISIONS, OptimizationStore } from "../../src/durable-objects/tenant/stores/optimization-store.ts";
import { MAX_AGENT_CHARACTERS, MAX_AGENTS } from "../../src/durable-objects/tenant-object.ts";
import { MAX_SETTINGS_VERSIONS, MAX_TIERS_VERSIONS } from "../../src/durable-objects/tenant/stores/configuration-store.ts";
import { buildListQuery, ENDED_BEFORE, type WorkflowQuery } from "../../src/durable-objects/tenant/stores/workflow-index-store.ts";
import type { Json, Problem } from "../../src/errors.ts";
import type { OptimizationDecision } from "../../src/optimizer/reoptimization/reoptimize.ts";
import type { AgentDefinition } from "../../src/workflow/spec/agent.ts";
import { createSummary, NO_BUDGET } from "./create-summary.ts";

const START = Date.now() - 86_400_000;
const AGENT: AgentDefinition = { kind: "transform", description: "", capabilities: [], expression: "1" };
const ALL: ListQuery = { status: null, name: null, metadata: {}, limit: 50, cursor: null };
let tenants = 0;

type ListQuery = Parameters<TenantPort["listWorkflows"]>[0];
type Tenant = DurableObjectStub & TenantPort;

function openTenant(): Tenant {
  return env.TENANT.getByName(`tenant-${(tenants += 1)}`) as unknown as Tenant;
}

function createEntry(id: string, changes: Partial<WorkflowSummary> = {}, version = 1): IndexEntry {
  return { summary: createSummary(id, START, changes), version };
}

function at(offsetMs: number): string {
  return new Date(START + offsetMs).toISOString();
}

async function listIds(tenant: Tenant, query: Partial<ListQuery> = {}): Promise<string[]> {
  const page = await tenant.listWorkflows({ ...ALL, ...query });
  if ("problem" in page) throw new Error(page.detail);
  return page.items.map(({ id }) => id);
}

describe("what the operator allows the tenant", () => {
  test("is nothing at first, is patched as a whole or not at all, and kept over an eviction", async () => {
    const tenant = openTenant();
    expect(await tenant.readTenant()).toMatchObject({ state: "active", createdAt: null, budget: null, limits: NO_LIMITS, spend: { spentNanoUsd: 0, reservedNanoUsd: 0, periodStart: null } });
    expect(await tenant.patchTenant({ budget: { maxUsd: 2, period: "day" }, limits: { concurrentTasks: 4 } })).toMatchObject({ budget: { maxNanoUsd: 2e9, period: "day" } });
    expect(await tenant.patchTenant({ budget: null, limits: { concurrentTasks: 0 } })).toMatchObject({ problem: "invalid", errors: [{ path: "/limits/concurrentTasks" }] });
    await evictDurableObject(tenant);
    const status = await tenant.readTenant();
    expect(status).toMatchObject({ budget: { maxNanoUsd: 2e9, period: "day" }, limits: { ...NO_LIMITS, concurrentTasks: 4 } });
    expect(status.spend.periodStart).toBe(Math.floor(Date.now() / 86_400_000) * 86_400_000);
  });

  test("is shown with what was spent in the period, to the nano-dollar", async () => {
    const tenant = openTenant();
    const call = { provider: "p", model: "m", inputTokens: 1, outputTokens: 1, cachedTokens: 0, costNanoUsd: 7, baselineNanoUsd: 9, estimated: false };
    const entryAt = (at: number): GatewayEntry => ({ id: String(at), at, tier: null, taskType: null, calls: [{ ...call, at }], failureCode: null, fallbacks: 0 });
    await tenant.addGatewayCalls([entryAt(Date.now()), entryAt(Date.now() - 2 * 86_400_000)]);
    expect((await tenant.readTenant()).spend.spentNanoUsd).toBe(14);
    await tenant.patchTenant({ budget: { maxUsd: 2, period: "day" } });
    expect((await tenant.readTenant()).spend.spentNanoUsd).toBe(7);
  });
});

describe("agents", () => {
  test("are kept over an eviction, newest first, and keep the time of their creation", async () => {
    const tenant = openTenant();
    expect(await tenant.listAgents()).toEqual([]);
    expect(await tenant.putAgent("first", AGENT)).toMatchObject({ isNew: true, agent: { name: "first", agent: AGENT } });
    expect(await tenant.putAgent("first", { ...AGENT, expression: "2" })).toMatchObject({ isNew: false });
    await evictDurableObject(tenant);
    const [agent] = await tenant.listAgents();
    expect(agent).toMatchObject({ name: "first", agent: { expression: "2" } });
    expect(Date.parse(agent!.createdAt)).toBeLessThanOrEqual(Date.parse(agent!.updatedAt));
    expect([await tenant.deleteAgent("first"), await tenant.deleteAgent("first")]).toEqual([true, false]);
  });

  test("are refused beyond their number, but a known one can still be replaced", async () => {
    const tenant = openTenant();
    await runInDurableObject(tenant, (_object, state) => {
      const names = JSON.stringify(Array.from({ length: MAX_AGENTS - 1 }, (_, index) => `a${index}`));
      state.storage.sql.exec("INSERT INTO agents SELECT value, 0, 0, ? FROM json_each(?)", JSON.stringify(AGENT), names);
    });
    expect(await tenant.putAgent("last", AGENT)).toMatchObject({ isNew: true });
    expect(await tenant.putAgent("more", AGENT)).toMatchObject({ problem: "conflict" });
    expect(await tenant.putAgent("last", AGENT)).toMatchObject({ isNew: false });
  });

  test("are refused beyond their size together", async () => {
    const tenant = openTenant();
    const sized = (characters: number): AgentDefinition => ({ ...AGENT, expression: "x".repeat(characters - JSON.stringify(AGENT).length + 1) });
    const megabyte = 1_048_576;
    for (let index = 0; index < MAX_AGENT_CHARACTERS / megabyte - 1; index += 1) await tenant.putAgent(`a${index}`, sized(megabyte));
    expect(await tenant.putAgent("last", sized(megabyte + 1))).toMatchObject({ problem: "conflict" });
    expect(await tenant.putAgent("last", sized(megabyte))).toMatchObject({ isNew: true });
    expect(await tenant.putAgent("more", AGENT)).toMatchObject({ problem: "conflict" });
  });
});

describe("tiers documents", () => {
  test("count their versions on, and old ones are removed", async () => {
    const tenant = openTenant();
    expect(await tenant.readTiers()).toBeNull();
    for (let version = 1; version <= MAX_TIERS_VERSIONS + 2; version += 1) expect(await tenant.writeTiers(`{"v":${version}}`)).toEqual({ version });
    expect(await tenant.readTiers()).toEqual({ version: MAX_TIERS_VERSIONS + 2, json: `{"v":${MAX_TIERS_VERSIONS + 2}}` });
    const kept = await runInDurableObject(tenant, (_object, state) => state.storage.sql.exec("SELECT count(*) AS count FROM tiers").one()["count"]);
    expect(kept).toBe(MAX_TIERS_VERSIONS);
  });
});

test(`decisions of the re-optimizer: the last ${MAX_DECISIONS} are kept`, async () => {
  const kept = await runInDurableObject(openTenant(), (_object, { storage: { sql } }) => {
    const numbers = JSON.stringify(Array.from({ length: MAX_DECISIONS }, (_, index) => index + 1));
    sql.exec("INSERT INTO optimizations SELECT value, 0, '{}' FROM json_each(?)", numbers);
    const store = new OptimizationStore(sql);
    const before = store.list(MAX_DECISIONS + 1, null).length;
    store.add({ at: 1 } as OptimizationDecision);
    const after = store.list(MAX_DECISIONS + 1, null);
    return [before, after.length, after[0]!.id, after.at(-1)!.id];
  });
  expect(kept).toEqual([MAX_DECISIONS, MAX_DECISIONS, MAX_DECISIONS + 1, 2]);
});

describe("settings", () => {
  const edit = (patch: Json): SettingsEdit => ({ edit: { kind: "patch", patch }, below: Settings.parse({}), author: "root", isOperator: true });

  test("are kept over an eviction, each change as a version that can be taken back", async () => {
    const tenant = openTenant();
    expect(await tenant.readSettings()).toEqual({ version: 0, document: {} });
    expect(await tenant.editSettings(edit({ routing: { maxFallbacks: 1 } }))).toEqual({ version: 1, document: { routing: { maxFallbacks: 1 } } });
    await tenant.editSettings({ ...edit({ routing: { strategy: "quality" } }), author: "key_1" });
    await evictDurableObject(tenant);
    expect(await tenant.readSettings()).toEqual({ version: 2, document: { routing: { maxFallbacks: 1, strategy: "quality" } } });
    expect(await tenant.editSettings({ ...edit({}), edit: { kind: "rollback", version: 1 } })).toEqual({ version: 3, document: { routing: { maxFallbacks: 1 } } });
    const versions = await tenant.listSettingsVersions({ limit: 2, before: null });
    expect(versions.map(({ version, author, changes }) => [version, author, changes.map(({ path }) => path)])).toEqual([[3, "root", ["routing.strategy"]], [2, "key_1", ["routing.strategy"]]]);
    expect(Date.parse(versions[0]!.at)).toBeGreaterThan(START);
    expect((await tenant.listSettingsVersions({ limit: 2, before: 2 })).map(({ version }) => version)).toEqual([1]);
  });

  test("of two changes at the same time are both there", async () => {
    const tenant = openTenant();
    await Promise.all([tenant.editSettings(edit({ routing: { maxFallbacks: 1 } })), tenant.editSettings(edit({ routing: { maxEscalations: 0 } }))]);
    expect(await tenant.readSettings()).toMatchObject({ version: 2, document: { routing: { maxFallbacks: 1, maxEscalations: 0 } } });
  });

  test("that are wrong are refused as data, and make no version", async () => {
    const tenant = openTenant();
    expect(await tenant.editSettings(edit({ routing: { nope: 1 } }))).toMatchObject({ problem: "invalid", errors: [{ path: "/routing/nope" }] });
    expect(await tenant.editSettings({ ...edit({}), edit: { kind: "rollback", version: 5 } })).toMatchObject({ problem: "not_found" });
    expect((await tenant.readSettings()).version).toBe(0);
  });

  test("keep a bounded number of versions", async () => {
    const tenant = openTenant();
    await runInDurableObject(tenant, (_object, state) => {
      const numbers = JSON.stringify(Array.from({ length: MAX_SETTINGS_VERSIONS }, (_, index) => index + 1));
      state.storage.sql.exec("INSERT INTO settings SELECT value, 0, 'root', '[]', '{}' FROM json_each(?)", numbers);
    });
    expect(await tenant.editSettings(edit({ routing: { maxFallbacks: 1 } }))).toMatchObject({ version: MAX_SETTINGS_VERSIONS + 1 });
    const oldest = await runInDurableObject(tenant, (_object, state) => state.storage.sql.exec("SELECT min(version) AS oldest FROM settings").one()["oldest"]);
    expect(oldest).toBe(2);
  });
});

describe("the index", () => {
  test("shows what was spent, and no result, where an entry is from before these were part of it", async () => {
    const tenant = openTenant();
    const { summary, version } = createEntry("wf_old", { usage: { inputTokens: 3, outputTokens: 4, costUsd: 0.5, baselineUsd: 1, savedPercent: 50 } });
    const { budget: _budget, result: _result, ...old } = summary;
    await tenant.indexWorkflow({ summary: old as WorkflowSummary, version });
    expect(await tenant.listWorkflows(ALL)).toMatchObject({ items: [{ id: "wf_old", budget: { ...NO_BUDGET, spentUsd: 0.5, spentTokens: 7 }, result: null }] });
  });

  test("lists newest first, in pages that neither repeat nor leave out, also within one millisecond", async () => {
    const tenant = openTenant();
    for (let index = 0; index < 25; index += 1) await tenant.indexWorkflow(createEntry(`w${String(index).padStart(2, "0")}`, { createdAt: at(Math.floor(index / 10)) }));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Page<WorkflowSummary> | Problem = await tenant.listWorkflows({ ...ALL, limit: 7, cursor });
      if ("problem" in page) throw new Error(page.detail);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => `w${String(24 - index).padStart(2, "0")}`));
  });

  test("filters by status, name and metadata, alone and together", async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(createEntry("a", { name: "x", status: "failed", metadata: { team: "red", env: "prod" }, createdAt: at(1) }));
    await tenant.indexWorkflow(createEntry("b", { name: "x", status: "completed", metadata: { team: "red" }, createdAt: at(2) }));
    await tenant.indexWorkflow(createEntry("c", { name: "y", status: "failed", metadata: { team: "blue", env: "prod" }, createdAt: at(3) }));
    const query = (changes: Partial<ListQuery>) => listIds(tenant, changes);
    expect(await query({ status: "failed" })).toEqual(["c", "a"]);
    expect(await query({ name: "x" })).toEqual(["b", "a"]);
    expect(await query({ metadata: { team: "red" } })).toEqual(["b", "a"]);
    expect(await query({ metadata: { team: "red", env: "prod" } })).toEqual(["a"]);
    expect(await query({ metadata: { env: "prod" }, status: "failed", name: "y" })).toEqual(["c"]);
    expect(await query({ metadata: { env: "test" } })).toEqual([]);
  });

  test("a cursor that is none is refused at its parameter", async () => {
    for (const cursor of ["x", "MTIz", "Og"]) expect(await openTenant().listWorkflows({ ...ALL, cursor })).toMatchObject({ problem: "invalid", errors: [{ path: "?cursor" }] });
  });

  test("keeps the newest of two reports, whichever comes last", async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(createEntry("w", { status: "completed" }, 9));
    await tenant.indexWorkflow(createEntry("w", { status: "running" }, 3));
    expect(await listIds(tenant, { status: "completed" })).toEqual(["w"]);
    expect(await listIds(tenant, { status: "running" })).toEqual([]);
  });

  test("a late report does not bring a removed workflow back; a new one under its id is taken", async () => {
    const tenant = openTenant();
    const old = createEntry("w", { metadata: { team: "red" } }, 5);
    await tenant.indexWorkflow(old);
    await tenant.removeWorkflow("w");
    await tenant.indexWorkflow({ ...old, version: 6 });
    expect(await listIds(tenant)).toEqual([]);
    expect(await listIds(tenant, { metadata: { team: "red" } })).toEqual([]);
    await tenant.indexWorkflow(createEntry("w", { createdAt: at(1), metadata: { team: "blue" } }, 1));
    expect(await listIds(tenant, { metadata: { team: "blue" } })).toEqual(["w"]);
  });

  test("a workflow that was never heard of can be removed before its first report", async () => {
    const tenant = openTenant();
    await tenant.removeWorkflow("w");
    await tenant.indexWorkflow(createEntry("w"));
    expect(await listIds(tenant)).toEqual([]);
  });

  test("a new workflow takes the place of one whose removal was lost, with its metadata", async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(createEntry("w", { metadata: { team: "red" } }, 7));
    await tenant.indexWorkflow(createEntry("w", { createdAt: at(5), metadata: { team: "blue" } }, 1));
    expect(await listIds(tenant, { metadata: { team: "red" } })).toEqual([]);
    expect(await listIds(tenant, { metadata: { team: "blue" } })).toEqual(["w"]);
  });

  test("tells which open workflows were silent, each once per silence", async () => {
    const tenant = openTenant();
    for (const id of ["a", "b", "c"]) await tenant.indexWorkflow(createEntry(id));
    await tenant.indexWorkflow(createEntry("done", { status: "completed" }));
    const future = Date.now() + 1_000;
    expect(await tenant.listStale(Date.now() - 60_000, 0, 10)).toEqual([]);
    await runInDurableObject(tenant, (_object, state) => void state.storage.sql.exec("UPDATE workflows SET heard_at = CASE id WHEN 'c' THEN 1 WHEN 'b' THEN 2 ELSE 3 END"));
    expect(await tenant.listStale(future - 30_000, 0, 2)).toEqual(["c", "b"]);
    expect(await tenant.listStale(future - 30_000, 0, 2)).toEqual(["a"]);
  });

  test("tells which ended workflows should be gone, behind the silent ones, each once", async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(createEntry("open"));
    for (const id of ["old", "older", "recent"]) await tenant.indexWorkflow(createEntry(id, { status: "failed" }));
    await runInDurableObject(tenant, (_object, state) => void state.storage.sql.exec("UPDATE workflows SET created_at = CASE id WHEN 'older' THEN 1 ELSE 2 END, heard_at = CASE id WHEN 'recent' THEN 50 ELSE 1 END"));
    expect(await tenant.listStale(10, 2, 10)).toEqual(["open", "older"]);
    await runInDurableObject(tenant, (_object, state) => void state.storage.sql.exec("UPDATE workflows SET heard_at = 3 WHERE id <> 'recent'"));
    expect(await tenant.listStale(10, 10, 2)).toEqual(["open", "older"]);
    expect(await tenant.listStale(10, 10, 2)).toEqual(["old"]);
    expect(await tenant.listStale(10, 10, 2)).toEqual([]);
  });

  test("finds those without an index of their own, from the oldest on", async () => {
    const plan = await runInDurableObject(openTenant(), (_object, state) => state.storage.sql.exec(`EXPLAIN QUERY PLAN ${ENDED_BEFORE}`, 1, 1, 1).toArray().map((row) => String(row["detail"])));
    expect(plan).toEqual([expect.stringContaining("USING INDEX workflows_by_time (created_at<?)")]);
  });

  const plans: [Partial<WorkflowQuery>, string][] = [
    [{}, "workflows_by_time"],
    [{ status: "failed" }, "workflows_by_status"],
    [{ name: "x" }, "workflows_by_name"],
    [{ name: "x", status: "failed" }, "workflows_by_name"],
    [{ metadata: { k: "v" } }, "PRIMARY KEY (key=? AND value=?"],
    [{ metadata: { k: "v", l: "w" }, status: "failed" }, "PRIMARY KEY (key=? AND value=?"],
  ];
  test.each(plans)("the list %o is read from an index in its order, without sorting", async (query, index) => {
    const tenant = openTenant();
    for (const after of [null, { createdAt: START, id: "w" }]) {
      const { sql, parameters } = buildListQuery({ status: null, name: null, metadata: {}, limit: 50, after, ...query });
      const plan = await runInDurableObject(tenant, (_object, state) => state.storage.sql.exec(`EXPLAIN QUERY PLAN ${sql}`, ...parameters).toArray().map((row) => String(row["detail"])));
      expect(plan[0]).toContain(index);
      expect(plan.join("\n")).not.toContain("TEMP B-TREE");
      if (after !== null) expect(plan[0]).toContain("created_at");
    }
  });
});
