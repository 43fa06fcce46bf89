import { env, exports } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { Settings } from "../../../src/config/settings.ts";
import { WorkflowStore } from "../../../src/durable-objects/workflow/stores/workflow-store.ts";
import { WorkflowSession } from "../../../src/durable-objects/workflow/workflow-session.ts";

const ROOT = "root-key-of-tests";

async function ask<Body>(method: string, path: string, key: string, body?: unknown): Promise<Body> {
  const response = await exports.default.fetch(`https://weft.test${path}`, { method, headers: { authorization: `Bearer ${key}` }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as Body;
}

/** A new tenant, with settings of its own. */
async function createTenant(id: string, settings: object): Promise<string> {
  await ask("POST", "/v1/tenants", ROOT, { id });
  const { key } = await ask<{ key: string }>("POST", `/v1/tenants/${id}/keys`, ROOT, { scopes: ["workflows:read", "workflows:write", "config:read", "config:write"] });
  await ask("PATCH", "/v1/config", key, settings);
  return key;
}

const tasks = ["a", "b"].map((id) => ({ id, agent: "scout", type: "log_summary", intent: "summarize", input: { prompt: `Summarise ${id}: the build broke at noon, because a disk was full.` } }));
const budget = { maxTokens: 10_000 };

/** What the tasks of a workflow that waits for its start would be allotted now, as its object would have it under the operator's settings. */
async function readAllotments(tenant: string, key: string): Promise<unknown[]> {
  const { id } = await ask<{ id: string }>("POST", "/v1/workflows", key, { tasks, budget, startAt: new Date(Date.now() + 3_600_000).toISOString() });
  const settings = Settings.parse({});
  return runInDurableObject(env.WORKFLOW.getByName(`${tenant}:${id}`), (_object, state) => {
    const session = WorkflowSession.load(new WorkflowStore(state.storage), { now: Date.now, random: Math.random, newSecret: () => "secret", settings, dispatchSettings: () => settings.dispatch })!;
    return [0, 1].map((task) => {
      const order = session.createOrder({ task, attempt: 1 });
      return "code" in order ? order : order.llm?.tokenBudget;
    });
  });
}

test("a tenant's own settings of how tokens are split hold for its workflows, and for no other tenant's", async () => {
  const own = await createTenant("splits", { budgets: { overageThreshold: 0.25, maxTaskTokens: 4_000 } });
  // Half of 10,000, at most 4,000, and a quarter more.
  expect(await readAllotments("splits", own)).toEqual([5_000, 5_000]);
  expect(await readAllotments("default", ROOT)).toEqual([6_000, 6_000]);
});

test("a tenant is warned at the shares of a budget that it set itself", async () => {
  const own = await createTenant("warned", { budgets: { warningThresholds: [1] } });
  const { id } = await ask<{ id: string }>("POST", "/v1/workflows", own, { tasks, budget });
  expect(await ask("GET", `/v1/workflows/${id}?wait=15000`, own)).toMatchObject({ status: "completed" });
  const { items } = await ask<{ items: { type: string; data: object }[] }>("GET", `/v1/workflows/${id}/events`, own);
  expect(items.filter(({ type }) => type === "budget.warning")).toHaveLength(1);
});

test("while a tenant's orchestration is off, nobody's tokens are split", async () => {
  const own = await createTenant("plain", { orchestration: { enabled: false } });
  expect(await readAllotments("plain", own)).toEqual([null, null]);
});
