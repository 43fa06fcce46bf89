import { env, exports } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";
import type { WorkflowEnding } from "../../../src/api/ports/stats-port.ts";
import type { IndexEntry, TenantPort } from "../../../src/api/ports/tenant-port.ts";
import { MAX_HISTORY_CELLS, TenantHistoryStore } from "../../../src/durable-objects/tenant/stores/tenant-history-store.ts";
import type { AgentHistory } from "../../../src/optimizer/agent-history.ts";
import { STATS_HOUR_MS } from "../../../src/optimizer/call-stats.ts";
import { createSummary } from "../create-summary.ts";

const HOUR = Math.floor(Date.now() / STATS_HOUR_MS) * STATS_HOUR_MS;
const KEY = { agent: "scout", taskType: "file_scan" };
let tenants = 0;

type Tenant = DurableObjectStub & TenantPort;

function openTenant(): Tenant {
  return env.TENANT.getByName(`history-${(tenants += 1)}`) as unknown as Tenant;
}

function historyOf(runs: number, tokens: number): AgentHistory {
  return { runs, tokens, turns: runs, durationMs: 1_000 * runs, failures: 0 };
}

function ending(revision: number, history: AgentHistory, changes: Partial<WorkflowEnding> = {}): WorkflowEnding {
  return { revision, at: HOUR, history: [{ ...KEY, history }], forecast: { expected: { nanoUsd: 100, tokens: 10 }, used: { nanoUsd: 50, tokens: 10 } }, ...changes };
}

function entryOf(id: string, version: number, end: WorkflowEnding, createdAt = HOUR): IndexEntry {
  return { summary: createSummary(id, createdAt, { status: "completed" }), version, ending: end };
}

describe("a tenant's history of its agents", () => {
  test("learns from each end once, whatever comes twice, late or after an eviction", async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(entryOf("a", 5, ending(5, historyOf(2, 100))));
    await tenant.indexWorkflow(entryOf("a", 5, ending(5, historyOf(2, 100))));
    await evictDurableObject(tenant);
    await tenant.indexWorkflow(entryOf("b", 3, ending(3, historyOf(1, 30))));
    // It went on and ended again: its newest word replaces the one before, and an older one that comes late changes nothing.
    await tenant.indexWorkflow(entryOf("a", 9, ending(9, historyOf(3, 170))));
    await tenant.indexWorkflow(entryOf("a", 7, ending(7, historyOf(9, 999))));
    expect(await tenant.readHistory([KEY, { agent: "scout", taskType: "" }])).toEqual([{ ...KEY, history: historyOf(4, 200) }]);
    expect(await tenant.readForecastAccuracy(0)).toEqual({ workflows: 2, costError: 1, tokensError: 0 });
  });

  test("keeps what it learnt from a workflow that was removed", async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(entryOf("a", 1, ending(1, historyOf(1, 10))));
    await tenant.removeWorkflow("a");
    await tenant.indexWorkflow(entryOf("a", 2, ending(2, historyOf(5, 500))));
    expect(await tenant.readHistory([KEY])).toEqual([{ ...KEY, history: historyOf(1, 10) }]);
    await tenant.indexWorkflow(entryOf("a", 1, ending(1, historyOf(1, 4)), HOUR + 1));
    expect(await tenant.readHistory([KEY])).toEqual([{ ...KEY, history: historyOf(2, 14) }]);
  });

  test("says how right forecasts were from the hour on that is asked for, of workflows that had one", async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(entryOf("a", 1, ending(1, historyOf(1, 1), { at: HOUR - STATS_HOUR_MS })));
    await tenant.indexWorkflow(entryOf("b", 1, ending(1, historyOf(1, 1))));
    await tenant.indexWorkflow(entryOf("c", 1, ending(1, historyOf(1, 1), { forecast: null })));
    const counts = await Promise.all([0, HOUR - 1, HOUR, HOUR + STATS_HOUR_MS].map(async (since) => (await tenant.readForecastAccuracy(since)).workflows));
    expect(counts).toEqual([2, 2, 1, 0]);
  });

  test(`has at most ${MAX_HISTORY_CELLS} cells: those that were not learnt from for longest go`, async () => {
    const tenant = openTenant();
    await tenant.indexWorkflow(entryOf("a", 1, ending(1, historyOf(1, 1))));
    const left = await runInDurableObject(tenant, (_object, state) => {
      const { sql } = state.storage;
      sql.exec("DELETE FROM agent_history");
      sql.exec("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO agent_history SELECT 'a' || i, '', i, '{}' FROM n", MAX_HISTORY_CELLS - 1);
      const store = new TenantHistoryStore(sql);
      state.storage.transactionSync(() => store.takeEnding({ id: "x", createdAt: 1 }, ending(1, historyOf(1, 1)), Date.now()));
      return sql.exec("SELECT count(*) AS count, min(learnt_at) AS oldest FROM agent_history").one();
    });
    expect(left).toEqual({ count: MAX_HISTORY_CELLS, oldest: 1 });
  });
});

describe("a workflow that ends", () => {
  const ask = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const response = await exports.default.fetch(`https://weft.test${path}`, { method, headers: { authorization: "Bearer root-key-of-tests" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  const tenant = env.TENANT.getByName("default") as unknown as Tenant;

  test("tells its tenant what its agents used and how it was foreseen, and the next one's tokens are split by it", async () => {
    const tasks = ["a", "b"].map((id) => ({ id, agent: "scout", type: "log_summary", input: { prompt: `Summarise ${id}: ${"the build broke at noon, because a disk was full. ".repeat(100)}` } }));
    const { id } = await ask("POST", "/v1/workflows", { tasks: [...tasks, { id: "short", agent: "reviewer", type: "code_review", input: { prompt: "Review it." } }, { id: "skipped", agent: "planner", when: "false", input: { prompt: "Plan." } }] });
    const done = (await ask("GET", `/v1/workflows/${String(id)}?wait=15000`)) as { status: string; tasks: Record<string, { usage: { inputTokens: number; outputTokens: number } }> };
    expect(done.status).toBe("completed");
    const key = { agent: "scout", taskType: "log_summary" };
    await vi.waitFor(async () => expect(await tenant.readHistory([key])).toHaveLength(1), { timeout: 30_000, interval: 50 });
    const [cell, ...others] = await tenant.readHistory([key, { agent: "planner", taskType: "planning" }]);
    expect(others).toEqual([]);
    const used = ["a", "b"].reduce((sum, task) => sum + done.tasks[task]!.usage.inputTokens + done.tasks[task]!.usage.outputTokens, 0);
    expect(cell).toEqual({ ...key, history: { runs: 2, tokens: used, turns: 2, durationMs: expect.any(Number), failures: 0 } });
    const { forecast } = (await ask("GET", "/v1/stats")) as { forecast: { workflows: number; meanTokensErrorPercent: number } };
    expect(forecast).toMatchObject({ workflows: 1, meanTokensErrorPercent: expect.any(Number) });

    const shares = async (allocation: string) => {
      const body = { tasks: [{ id: "long", agent: "scout", type: "log_summary", intent: "generate", input: { prompt: "x" } }, { id: "short", agent: "reviewer", type: "code_review", intent: "generate", input: { prompt: "x" } }], budget: { maxTokens: 100_000 }, allocation };
      const plan = (await ask("POST", "/v1/workflows/plan", body)) as { tasks: Record<string, { tokenBudget: number }> };
      return plan.tasks["long"]!.tokenBudget / plan.tasks["short"]!.tokenBudget;
    };
    expect(await shares("adaptive")).toBeGreaterThan(await shares("proportional"));
  });
});
