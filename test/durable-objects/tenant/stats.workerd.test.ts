import { env, exports } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { GatewayEntry, WorkflowCell } from "../../../src/api/ports/stats-port.ts";
import type { IndexEntry, TenantPort } from "../../../src/api/ports/tenant-port.ts";
import { createSums, STATS_HOUR_MS, type CallSums } from "../../../src/optimizer/call-stats.ts";
import { createSummary } from "../create-summary.ts";

const HOUR = Math.floor(Date.now() / STATS_HOUR_MS) * STATS_HOUR_MS;
let tenants = 0;

type Tenant = DurableObjectStub & TenantPort;

function openTenant(): Tenant {
  return env.TENANT.getByName(`stats-${(tenants += 1)}`) as unknown as Tenant;
}

function cellOf(costNanoUsd: number, revision: number, changes: Partial<WorkflowCell> = {}): WorkflowCell {
  return { hour: HOUR, tier: "weak", taskType: "general", revision, sums: { ...createSums(), routes: 1, calls: 1, costNanoUsd }, ...changes };
}

function entryOf(id: string, version: number, cells: WorkflowCell[], createdAt = HOUR): IndexEntry {
  return { summary: createSummary(id, createdAt), version, cells };
}

function gatewayEntry(id: string, costNanoUsd: number, at = HOUR): GatewayEntry {
  const call = { at, provider: "p", model: "m", inputTokens: 3, outputTokens: 2, cachedTokens: 0, costNanoUsd, baselineNanoUsd: 2 * costNanoUsd, estimated: false };
  return { id, at, tier: "base", taskType: null, calls: [call], failureCode: null, fallbacks: 1 };
}

async function readCost(tenant: Tenant, since = 0): Promise<number> {
  return (await tenant.readStats(since)).reduce((sum, { sums }) => sum + sums.costNanoUsd, 0);
}

describe("a tenant's sums", () => {
  test("take what a workflow's grew by, whatever comes twice, late or after an eviction", async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(entryOf("a", 1, [cellOf(10, 1)]));
    await tenant.indexWorkflow(entryOf("a", 9, [cellOf(35, 3)]));
    await evictDurableObject(tenant);
    await tenant.indexWorkflow(entryOf("a", 9, [cellOf(35, 3)]));
    await tenant.indexWorkflow(entryOf("a", 5, [cellOf(20, 2)]));
    // Too old for the index, but the first word of this cell.
    await tenant.indexWorkflow(entryOf("a", 5, [cellOf(4, 1, { tier: "base" })]));
    await tenant.indexWorkflow(entryOf("b", 1, [cellOf(100, 1)]));
    expect(await readCost(tenant)).toBe(139);
  });

  test("keep what a removed workflow cost, and count an id that is used again anew", async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(entryOf("a", 1, [cellOf(10, 1)]));
    await tenant.removeWorkflow("a");
    await tenant.indexWorkflow(entryOf("a", 2, [cellOf(1_000, 2)]));
    expect(await readCost(tenant)).toBe(10);
    await tenant.indexWorkflow(entryOf("a", 1, [cellOf(5, 1)], HOUR + 1));
    expect(await readCost(tenant)).toBe(15);
  });

  test("count the calls of a workflow once that was removed and let in again", async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(entryOf("a", 1, [cellOf(10, 1)]));
    await tenant.removeWorkflow("a");
    await tenant.readmitWorkflow("a");
    await tenant.indexWorkflow(entryOf("a", 2, [cellOf(12, 2)]));
    expect(await readCost(tenant)).toBe(12);
  });

  test("begin with the hour that is asked for", async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(entryOf("a", 1, [cellOf(1, 1, { hour: HOUR - STATS_HOUR_MS }), cellOf(10, 1)]));
    expect(await Promise.all([HOUR - STATS_HOUR_MS, HOUR - 1, HOUR, HOUR + 1, HOUR + STATS_HOUR_MS].map((since) => readCost(tenant, since)))).toEqual([11, 11, 10, 10, 0]);
  });

  test("count a request to the gateway once, however often it is handed in", async () => {
    const tenant = openTenant();
    await tenant.addGatewayCalls([gatewayEntry("one", 7), gatewayEntry("two", 11)]);
    await tenant.addGatewayCalls([gatewayEntry("two", 11), gatewayEntry("three", 13)]);
    const [period] = await tenant.readStats(0);
    expect(period).toEqual({ tier: "base", taskType: "", sums: expect.objectContaining({ routes: 3, calls: 3, fallbacks: 3, costNanoUsd: 31, baselineNanoUsd: 62 }) });
  });
});

interface Stats {
  routes: number;
  calls: number;
  tokens: Pick<CallSums, "inputTokens" | "outputTokens" | "cachedTokens">;
  costUsd: number;
  baselineUsd: number;
}

describe("the statistics of a service that ran workflows", () => {
  const ask = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const response = await exports.default.fetch(`https://weft.test${path}`, { method, headers: { authorization: "Bearer root-key-of-tests" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
  };

  const readLedgers = async (ids: readonly string[]) => {
    const lines = (await Promise.all(ids.map((id) => ask("GET", `/v1/workflows/${id}/ledger?limit=200`)))).flatMap(({ items }) => items as { inputTokens: number; outputTokens: number; costUsd: number }[]);
    return { calls: lines.length, inputTokens: lines.reduce((sum, line) => sum + line.inputTokens, 0), nano: lines.reduce((sum, line) => sum + Math.round(line.costUsd * 1e9), 0) };
  };

  afterEach(() => vi.restoreAllMocks());

  test("are the exact sums of the ledgers, also after a workflow is removed", async () => {
    let calls = 0;
    vi.spyOn(globalThis, "fetch").mockImplementation(async () => {
      calls += 1;
      // Every third call fails, and is paid all the same.
      return Response.json({ output: calls, usage: { inputTokens: calls, outputTokens: 1, costUsd: 0.000000001 * calls } }, { status: calls % 3 === 0 ? 503 : 200 });
    });
    await ask("PUT", "/v1/agents/priced", { kind: "http", url: "https://agents.example/priced" });
    const ids = await Promise.all([4, 9].map(async (width) => {
      const paid = Array.from({ length: width }, (_, index) => ({ id: `t${index}`, agent: "priced", retry: { initialMs: 1, maxMs: 1, maxAttempts: 10 } }));
      const { id } = await ask("POST", "/v1/workflows", { tasks: [...paid, { id: "word", agent: "scout", type: "log_summary", input: { prompt: "Summarise: the build broke at noon." } }], maxConcurrency: 3 });
      return String(id);
    }));
    for (const id of ids) expect(await ask("GET", `/v1/workflows/${id}?wait=15000`)).toMatchObject({ status: "completed" });
    const ledgers = await readLedgers(ids);
    const read = async () => (await ask("GET", "/v1/stats")) as unknown as Stats & { tierDistribution: object };
    await vi.waitFor(async () => expect((await read()).calls).toBe(ledgers.calls), { timeout: 30_000, interval: 100 });
    const stats = await read();
    expect(stats).toMatchObject({ routes: 2, tierDistribution: { weak: 2, base: 0, strong: 0 }, calls: ledgers.calls });
    expect([Math.round(stats.costUsd * 1e9), stats.tokens.inputTokens]).toEqual([ledgers.nano, ledgers.inputTokens]);
    expect(ledgers.calls).toBeGreaterThan(15);
    for (const id of ids) await ask("DELETE", `/v1/workflows/${id}`);
    expect(await read()).toEqual(stats);
  });

  test("learn of an answer that came after the workflow had ended", async () => {
    const before = (await ask("GET", "/v1/stats")) as unknown as Stats;
    const { id } = await ask("POST", "/v1/workflows", { tasks: [{ id: "a", agent: "scout", type: "log_summary", input: { prompt: "Say something." } }] });
    await ask("GET", `/v1/workflows/${String(id)}?wait=15000`);
    const workflow = env.WORKFLOW.getByName(`default:${String(id)}`);
    const late = { at: Date.now(), provider: "p", model: "m", inputTokens: 1, outputTokens: 1, cachedTokens: 0, costNanoUsd: 777, baselineNanoUsd: 777, estimated: false, call: 0, tier: null, taskType: null, isOverCap: false };
    await runInDurableObject(workflow, async (object) => {
      const { report } = object as unknown as { report: (reports: unknown[]) => Promise<void> };
      for (let times = 0; times < 2; times += 1) await report.call(object, [{ task: 0, attempt: 7, outcome: { status: "completed", output: null, calls: [late], route: null, context: null } }]);
    });
    await runInDurableObject(workflow, async (object) => (object as unknown as { alarm: () => Promise<void> }).alarm());
    const after = (await ask("GET", "/v1/stats")) as unknown as Stats;
    expect(Math.round((after.costUsd - before.costUsd) * 1e9)).toBe(777);
  });

  test("list each call in the tenant's ledger, the gateway's too", async () => {
    const { id } = await ask("POST", "/v1/workflows", { tasks: [{ id: "a", agent: "scout", type: "log_summary", input: { prompt: "Say something." } }] });
    await ask("GET", `/v1/workflows/${String(id)}?wait=15000`);
    await ask("POST", "/v1/chat/completions", { model: "offline", messages: [{ role: "user", content: "Say something." }] });
    await vi.waitFor(async () => {
      const lines: { workflowId: string | null; model: string }[] = [];
      let cursor: string | null = null;
      do {
        const page = (await ask("GET", `/v1/ledger?limit=2${cursor === null ? "" : `&cursor=${cursor}`}`)) as unknown as { items: typeof lines; nextCursor: string | null };
        lines.push(...page.items);
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(lines.filter(({ workflowId }) => workflowId === id)).toMatchObject([{ taskId: "a", attempt: 1, model: "offline" }]);
      expect(lines.filter(({ workflowId }) => workflowId === null).length).toBeGreaterThan(0);
    }, 30_000);
    const { items } = (await ask("GET", "/v1/ledger?since=2999-01-01T00:00:00Z")) as unknown as { items: unknown[] };
    expect(items).toEqual([]);
  });
});

test("what the tenant's tasks of a type missed raises their complexity, also in an isolate that saw none of it", async () => {
  const headers = { authorization: "Bearer root-key-of-tests", "x-tenant": "learner" };
  const made = await exports.default.fetch("https://weft.test/v1/tenants", { method: "POST", headers: { authorization: headers.authorization }, body: JSON.stringify({ id: "learner" }) });
  expect(made.status).toBe(201);
  const tenant = env.TENANT.getByName("learner") as unknown as Tenant;
  await tenant.addGatewayCalls(Array.from({ length: 20 }, (_, index) => ({ ...gatewayEntry(`missed-${index}`, 1, Date.now()), taskType: "refactoring", failureCode: "output_invalid" })));
  const failuresOf = async (type: string): Promise<number> => {
    const response = await exports.default.fetch("https://weft.test/v1/route", { method: "POST", headers, body: JSON.stringify({ type }) });
    return ((await response.json()) as { complexity: { factors: { failures: number } } }).complexity.factors.failures;
  };
  await expect.poll(() => failuresOf("refactoring"), { timeout: 30_000 }).toBeCloseTo(20 / 24, 2);
  expect(await failuresOf("planning")).toBe(0);
});
