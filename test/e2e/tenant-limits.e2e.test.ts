import { setTimeout as pause } from "node:timers/promises";
import OpenAI, { RateLimitError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LocalWorker, startLocalWorker } from "../../scripts/local-worker.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { type FakeLlm, startFakeLlm } from "../fixtures/fake-llm.ts";
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
  worker = await startLocalWorker({ vars: { LOG_LEVEL: "warn" } });
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

describe("one tenant's flood", () => {
  /** Milliseconds from the request that makes a workflow to the call of its task's agent. */
  async function measureStarts(client: WeftClient, count: number): Promise<number[]> {
    const delays: number[] = [];
    for (let index = 0; index < count; index += 1) {
      const sentAt = Date.now();
      const { id } = await client.create({ tasks: [{ id: "a", agent: "quick" }] });
      await eventually(() => expect(agents.calls.findLast(({ workflowId }) => workflowId === id)).toBeDefined());
      delays.push(agents.calls.findLast(({ workflowId }) => workflowId === id)!.at - sentAt);
      await pause(20);
    }
    return delays;
  }

  const p95 = (delays: readonly number[]): number => delays.toSorted((left, right) => left - right)[Math.ceil(delays.length * 0.95) - 1]!;
  const endAll = async (client: WeftClient, ids: readonly string[]): Promise<void> => {
    await Promise.all(ids.map((id) => client.call("POST", `/v1/workflows/${id}/cancel`, { body: {} })));
  };
  let rounds = 0;

  // A delay is some milliseconds of a machine on which others work too, and theirs come in bursts that can fall on one side only. It is measured
  // alone before and after the flood, and a round of three that no burst falls into will do: a flood that delayed others would delay them in each.
  test("under its limits leaves another's start delay within twice what it is alone, be it of wide workflows or of many", { retry: 2 }, async () => {
    const name = `round${(rounds += 1)}`;
    const flood = await openTenant(`flood-${name}`, { limits: { concurrentTasks: 20, tasksPerSecond: 40 } });
    const calm = await openTenant(`calm-${name}`);
    await putHttpAgents(flood, agents.origin, { quick: "/slow?ms=100" });
    await putHttpAgents(calm, agents.origin, { quick: "/echo" });
    await measureStarts(calm, 20);
    const alone = await measureStarts(calm, 60);

    const create = (tasks: number) => flood.create({ maxConcurrency: 100, tasks: Array.from({ length: tasks }, (_, task) => ({ id: `t${task}`, agent: "quick" })) });
    const workflows = await Promise.all(Array.from({ length: 20 }, () => create(150)));
    for (let made = 0; made < 200; made += 10) workflows.push(...(await Promise.all(Array.from({ length: 10 }, () => create(3)))));
    const before = agents.calls.length;
    const beganAt = Date.now();
    const flooded = await measureStarts(calm, 120);
    const perSecond = (1_000 * (agents.calls.length - before - flooded.length)) / (Date.now() - beganAt);
    // The flood goes on all the while, as fast as it may.
    expect((await flood.get(workflows[0]!.id, "?tasks=none")).status).toBe("running");
    expect(perSecond).toBeGreaterThan(25);

    await endAll(flood, workflows.map(({ id }) => id));
    alone.push(...(await measureStarts(calm, 60)));
    console.log(`start delay: p95 ${p95(alone)} ms alone, ${p95(flooded)} ms with ${Math.round(perSecond)} tasks a second of another tenant that has ${workflows.length} workflows with 3,600 tasks`);
    expect(p95(flooded)).toBeLessThanOrEqual(2 * p95(alone));
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
  if (60_000 - (Date.now() % 60_000) < 10_000) await pause(11_000);
  const openai = new OpenAI({ apiKey: tenant.key, baseURL: `${worker.origin}/v1`, maxRetries: 0 });
  for (let index = 0; index < 3; index += 1) await openai.models.list();
  await expect(openai.models.list()).rejects.toBeInstanceOf(RateLimitError);
  const refused = await tenant.call("GET", "/v1/agents");
  expect([refused.status, Number(refused.headers.get("retry-after")) > 0]).toEqual([429, true]);
});
