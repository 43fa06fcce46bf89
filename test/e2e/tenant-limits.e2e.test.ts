import { setTimeout as pause } from "node:timers/promises";
import OpenAI, { RateLimitError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { type FakeLlm, startFakeLlm } from "../fixtures/fake-llm.ts";
import { startWorker } from "./start-worker.ts";
import { highestExposure, markPrompt, nanoUsd, sumBills, type Prices } from "./upstream-books.ts";
import { createWeftClient, eventually, putHttpAgents, type WeftClient } from "./weft-client.ts";

/** What every call is billed for, whatever was sent: below any bound of its prompt. */
const INPUT_TOKENS = 5;
const PRICE = { inputPerMillionUsd: 2, outputPerMillionUsd: 10 };
const PRICES: Prices = { model: PRICE, base: PRICE, strong: PRICE, narrow: PRICE };

let llm: FakeLlm;
let agents: FakeAgents;
let worker: LocalWorker;
let root: WeftClient;

beforeAll(async () => {
  [llm, agents] = await Promise.all([startFakeLlm(), startFakeAgents()]);
  // Uses what it may: each answer is as long as its cap.
  llm.answerWith(async (call) => {
    await pause(20);
    return { text: "here", inputTokens: INPUT_TOKENS, outputTokens: call.maxTokens ?? 100_000 };
  });
  worker = await startWorker({ vars: { LOG_LEVEL: "warn" } });
  root = createWeftClient(worker);
  const answer = await root.call("PUT", "/v1/tiers", { body: tiersOf(llm.baseUrl) });
  expect(answer.status, answer.text).toBe(200);
});

afterAll(async () => {
  await worker.stop();
  await Promise.all([llm.close(), agents.close()]);
});

function tiersOf(baseUrl: string): TierDocument {
  const model = (id: string, tier: "weak" | "base" | "strong") => ({ id, provider: "compatible", tier, price: PRICES[id]!, contextWindow: 100_000, maxOutputTokens: 4_096, capabilities: [] });
  return { providers: [{ id: "compatible", kind: "openai-compatible", baseUrl }], models: [model("model", "weak"), model("base", "base"), model("strong", "strong"), { ...model("narrow", "strong"), limits: { requestsPerMinute: 300 } }], tiers: { weak: ["model"], base: ["base"], strong: ["strong"] } };
}

interface AnsweredTenant {
  spend: { usd: number; reservedUsd: number; periodStart: string | null };
}

/** A new tenant and a client with a key of it. */
async function openTenant(id: string, allowance: object = {}): Promise<WeftClient & { key: string; readSpend: () => Promise<AnsweredTenant["spend"]> }> {
  const made = await root.call("POST", "/v1/tenants", { body: { id, ...allowance } });
  expect(made.status, made.text).toBe(201);
  const { key } = (await root.call<{ key: string }>("POST", `/v1/tenants/${id}/keys`, { body: {} })).body;
  return { ...createWeftClient({ origin: worker.origin, rootKey: key }), key, readSpend: async () => (await root.call<AnsweredTenant>("GET", `/v1/tenants/${id}`)).body.spend };
}

const servedTo = (name: string) => llm.served.filter(({ call }) => call.prompt.includes(`<<${name}_`));

describe("a tenant's budget", () => {
  test("holds over workflows and the gateway together, in every moment, to the nano-dollar", async () => {
    const maxUsd = 0.3;
    const acme = await openTenant("acme", { budget: { maxUsd, period: "month" } });
    const free = await openTenant("free");
    await acme.putAgent("writer", { kind: "llm", system: "Write.", taskType: "log_summary", maxOutputTokens: 300, model: "model" });
    const openai = new OpenAI({ apiKey: acme.key, baseURL: `${worker.origin}/v1`, maxRetries: 0 });
    const chats = Array.from({ length: 60 }, (_, index) =>
      openai.chat.completions
        .create({ model: "model", messages: [{ role: "user", content: markPrompt(`acme_chat${index}`).prompt }], ...(index % 2 === 0 ? { max_tokens: 400 } : {}) })
        .then(() => "answered", (error: unknown) => (error instanceof RateLimitError && error.code === "insufficient_quota" ? "refused" : Promise.reject(error as Error))),
    );
    const workflows = await Promise.all(
      Array.from({ length: 3 }, (_, workflow) =>
        acme.create({ maxConcurrency: 10, onFailure: "continue", tasks: Array.from({ length: 20 }, (_none, task) => ({ id: `t${task}`, agent: "writer", input: markPrompt(`acme_w${workflow}t${task}`), retry: { maxAttempts: 1 } })) }),
      ),
    );
    const outcomes = await Promise.all(chats);
    const ended = await Promise.all(workflows.map(({ id }) => acme.finish(id)));
    const failed = ended.flatMap(({ tasks }) => Object.values(tasks!)).filter(({ status }) => status !== "completed");
    // The budget ends in the middle of it, for both.
    expect(new Set(outcomes)).toEqual(new Set(["answered", "refused"]));
    expect(new Set(failed.map(({ error }) => error?.code))).toEqual(new Set(["budget_exhausted"]));

    const served = servedTo("acme");
    expect(highestExposure(served, PRICES).nanoUsd).toBeLessThanOrEqual(nanoUsd(maxUsd));
    await eventually(async () => {
      const { usd, reservedUsd } = await acme.readSpend();
      expect([nanoUsd(usd), reservedUsd]).toEqual([sumBills(served, PRICES).nanoUsd, 0]);
    });
    // Less is left than the least call costs: its prompt and 64 tokens.
    expect(nanoUsd(maxUsd) - sumBills(served, PRICES).nanoUsd).toBeLessThan(1_500_000);

    const other = new OpenAI({ apiKey: free.key, baseURL: `${worker.origin}/v1`, maxRetries: 0 });
    await other.chat.completions.create({ model: "model", messages: [{ role: "user", content: "<<free_1>>" }] });
    expect(servedTo("free")[0]!.call.maxTokens).toBeNull();
  });

  test("that is raised, or removed, binds as it is now, and its refusal says when it begins anew", async () => {
    const tenant = await openTenant("raised", { budget: { maxUsd: 0.000_01, period: "day" } });
    const openai = new OpenAI({ apiKey: tenant.key, baseURL: `${worker.origin}/v1`, maxRetries: 0 });
    const chat = () => openai.chat.completions.create({ model: "model", max_tokens: 10, messages: [{ role: "user", content: "<<raised_1>>" }] });
    await expect(chat()).rejects.toMatchObject({ status: 429, code: "insufficient_quota", message: expect.stringMatching(/a day is used up.*next day begins/) });
    expect((await root.call("PATCH", "/v1/tenants/raised", { body: { budget: { maxUsd: 0.01 } } })).status).toBe(200);
    await chat();
    await root.call("PATCH", "/v1/tenants/raised", { body: { budget: null } });
    await chat();
    await eventually(async () => expect((await tenant.readSpend()).usd).toBeCloseTo(0.000_22, 9));
  });
});

describe("limits of tasks", () => {
  test("bind all workflows of a tenant together: calls at once, and calls in a second", async () => {
    const tenant = await openTenant("narrow", { limits: { concurrentTasks: 4, tasksPerSecond: 30 } });
    await putHttpAgents(tenant, agents.origin, { slow: "/slow?ms=60" });
    const before = agents.calls.length;
    const workflows = await Promise.all(Array.from({ length: 3 }, () => tenant.create({ maxConcurrency: 20, tasks: Array.from({ length: 25 }, (_, task) => ({ id: `t${task}`, agent: "slow" })) })));
    for (const { id } of workflows) expect((await tenant.finish(id)).status).toBe("completed");
    const calls = agents.calls.slice(before).map(({ at }) => at).sort((left, right) => left - right);
    expect(calls).toHaveLength(75);
    // Each call lasts sixty milliseconds at the agent, so within those no more than four can have begun.
    const most = (spanMs: number): number => Math.max(...calls.map((at, index) => calls.slice(index).filter((other) => other - at < spanMs).length));
    expect(most(55)).toBeLessThanOrEqual(4);
    expect(most(1_000)).toBeLessThanOrEqual(60);
    expect(calls.at(-1)! - calls[0]!).toBeGreaterThan(1_000);
  });

  test("let the urgent go first", async () => {
    const tenant = await openTenant("ranked", { limits: { concurrentTasks: 1 } });
    await putHttpAgents(tenant, agents.origin, { slow: "/slow?ms=40" });
    const create = (priority: "low" | "urgent", count: number) => tenant.create({ priority, maxConcurrency: 20, tasks: Array.from({ length: count }, (_, task) => ({ id: `t${task}`, agent: "slow" })) });
    const low = await create("low", 15);
    await eventually(() => expect(agents.calls.some(({ workflowId }) => workflowId === low.id)).toBe(true));
    const urgent = await create("urgent", 3);
    await Promise.all([tenant.finish(low.id), tenant.finish(urgent.id)]);
    const order = agents.calls.filter(({ workflowId }) => workflowId === low.id || workflowId === urgent.id).map(({ workflowId }) => workflowId);
    // Some of the others may have begun while it was made; then they wait until it is done.
    const first = order.indexOf(urgent.id);
    expect(order.slice(first, first + 4).filter((id) => id === urgent.id).length).toBeGreaterThanOrEqual(3);
  });
});

test("calls that a model's limits hold up take turns by tenant: a flood of one is not stood behind by another", async () => {
  const [crowd, single] = [await openTenant("crowd"), await openTenant("single")];
  const chat = (client: { key: string }, name: string) =>
    new OpenAI({ apiKey: client.key, baseURL: `${worker.origin}/v1`, maxRetries: 0 }).chat.completions.create({ model: "narrow", max_tokens: 10, messages: [{ role: "user", content: `<<${name}_1>>` }] });
  const crowded = Array.from({ length: 70 }, () => chat(crowd, "crowd"));
  // As many as go at one moment have gone: the others wait.
  await eventually(() => expect(servedTo("crowd").length).toBeGreaterThanOrEqual(30));
  await chat(single, "single");
  const ahead = servedTo("crowd").length;
  await Promise.all(crowded);
  // Two seconds' worth of the flood have their places already; of the rest one goes for each of the other's.
  expect(ahead).toBeLessThanOrEqual(30 + 10 + 5);
  expect(servedTo("crowd")).toHaveLength(70);
});

test("a limit of requests a minute is a 429 that the official client understands", async () => {
  const tenant = await openTenant("talkative", { limits: { requestsPerMinute: 3 } });
  const openai = new OpenAI({ apiKey: tenant.key, baseURL: `${worker.origin}/v1`, maxRetries: 0 });
  // Every route counts.
  expect((await tenant.call("GET", "/v1/agents")).status).toBe(200);
  let refusal: unknown;
  let asked = 1;
  // A minute by the clock may end on the way, and the next one lets three more through; not a second one.
  while (refusal === undefined && asked < 7) {
    await openai.models.list().catch((error: unknown) => (refusal = error));
    asked += 1;
  }
  expect(asked).toBeGreaterThan(3);
  expect(refusal).toBeInstanceOf(RateLimitError);
  expect(Number((refusal as RateLimitError).headers.get("retry-after"))).toBeGreaterThan(0);
});
