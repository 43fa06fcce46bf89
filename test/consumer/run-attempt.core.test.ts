import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DEFAULT_TIERS } from "../../src/config/default-tiers.ts";
import { Settings } from "../../src/config/settings.ts";
import { ReductionCache } from "../../src/consumer/agents/reduction-cache.ts";
import { runAttempt, type AttemptDeps } from "../../src/consumer/run-attempt.ts";
import type { LlmRequest } from "../../src/consumer/work-order.ts";
import { TokenMargins } from "../../src/optimizer/tokens/token-margin.ts";
import { registerDocument } from "../../src/router/engines/load-engine.ts";
import { AgentDefinition } from "../../src/workflow/spec/agent.ts";
import { MAX_ATTEMPT_TIMEOUT_MS } from "../../src/workflow/spec/spec.ts";
import { createOrder } from "./work-order-fixture.ts";

const LLM: LlmRequest = { taskType: "log_summary", tier: null, model: "offline", strategy: null, maxOutputTokens: null, outputSchema: null, context: { mode: "full", maxTokens: null, targetReduction: null }, stream: false };
const CALLBACK = AgentDefinition.parse({ kind: "http", url: "https://agent.example/run", mode: "callback" });

function createDeps(changes: Partial<AttemptDeps> = {}): AttemptDeps {
  const registry = registerDocument(DEFAULT_TIERS, { secrets: () => undefined, fetch });
  return {
    fetch: async () => Response.json({ output: 7 }),
    allowPrivate: false,
    secret: () => undefined,
    now: Date.now,
    loadModels: async () => ({
      document: DEFAULT_TIERS,
      isConfigured: registry.isConfigured,
      engine: async (provider, model) => registry.get(provider.id)!(model),
      settings: Settings.parse({}),
      margins: new TokenMargins(),
      metrics: null,
      health: { observe: () => undefined, acquireProbe: async () => true, acquireRate: async () => true },
      failureRate: () => 0,
    }),
    reserve: async () => ({ kind: "granted" }),
    reductions: new ReductionCache(),
    onDelta: () => undefined,
    flushDeltas: async () => undefined,
    ...changes,
  };
}

/** An agent that hangs until its call is aborted, as the platform's `fetch` does. */
const hang: AttemptDeps["fetch"] = (_url, init) => new Promise((_resolve, reject) => init.signal?.addEventListener("abort", () => reject(new Error("aborted"))));

const llmOrder = (stream: boolean) => createOrder(0, { agent: AgentDefinition.parse({ kind: "llm" }), agentName: "scout", input: { prompt: "Summarise: the cache was full. The disk was full. Both were emptied." }, llm: { ...LLM, stream } });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("an HTTP agent is called, and no timer is left behind", async () => {
  expect(await runAttempt(createOrder(0), createDeps())).toMatchObject({ status: "completed", output: 7 });
  expect(vi.getTimerCount()).toBe(0);
});

test("a language model is asked, and its text is shown live only where it was asked for", async () => {
  const texts: string[] = [];
  const deps = createDeps({ onDelta: (_order, text) => void texts.push(text) });
  const run = async (stream: boolean) => {
    const running = runAttempt(llmOrder(stream), deps);
    await vi.advanceTimersByTimeAsync(1_000);
    return running;
  };
  const quiet = await run(false);
  expect(quiet).toMatchObject({ status: "completed", route: { model: "offline", provider: "offline" } });
  expect(texts).toEqual([]);
  const shown = await run(true);
  expect(texts.join("")).toBe(shown.status === "completed" ? shown.output : null);
  expect(vi.getTimerCount()).toBe(0);
});

test.each([[true, 1_000], [false, null]])("while orchestration is %s, a context comes down to %s tokens", async (enabled, tokens) => {
  const deps = createDeps();
  const models = await deps.loadModels("t");
  const settings = Settings.parse({ orchestration: { enabled, defaultModel: "offline" }, compression: { defaultMaxTokens: 1_000 } });
  const dependencies = { report: "The crew cleaned filter after filter and wrote it down. ".repeat(1_000) };
  const order = { ...llmOrder(false), dependencies, llm: { ...LLM, model: null, context: { ...LLM.context, mode: "reduce" as const } } };
  const running = runAttempt(order, { ...deps, loadModels: async () => ({ ...models, settings }) });
  await vi.advanceTimersByTimeAsync(1_000);
  const outcome = await running;
  if (outcome.status !== "completed" || outcome.context === null) throw new Error(JSON.stringify(outcome));
  expect(outcome.context.originalTokens).toBeGreaterThan(5_000);
  expect(outcome.context.reducedTokens).toBeLessThanOrEqual(tokens ?? outcome.context.originalTokens);
  expect(outcome.context.reducedTokens === outcome.context.originalTokens).toBe(!enabled);
});

test("the last of the text is shown before the attempt is over", async () => {
  const order: string[] = [];
  const flush = async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    order.push("shown");
  };
  const running = runAttempt(llmOrder(true), createDeps({ flushDeltas: flush })).then(() => order.push("over"));
  await vi.advanceTimersByTimeAsync(1_000);
  await running;
  expect(order).toEqual(["shown", "over"]);
});

test("ends by the attempt's deadline with a timeout, which may be tried again", async () => {
  const done = runAttempt(createOrder(0, { deadlineAt: Date.now() + 5_000 }), createDeps({ fetch: hang }));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await done).toMatchObject({ status: "failed", failure: { code: "timeout", retryable: true } });
});

test("of a language model ends by its deadline too, whatever it waits for", async () => {
  let outcome: Awaited<ReturnType<typeof runAttempt>> | null = null;
  const deps = createDeps({ reserve: () => new Promise(() => undefined) });
  void runAttempt({ ...llmOrder(false), deadlineAt: Date.now() + 5_000 }, deps).then((end) => (outcome = end));
  await vi.advanceTimersByTimeAsync(4_999);
  expect(outcome).toBeNull();
  await vi.advanceTimersByTimeAsync(1);
  expect(outcome).toMatchObject({ status: "failed", failure: { code: "timeout", retryable: true } });
  expect(vi.getTimerCount()).toBe(0);
});

test("an attempt whose time is over already makes no call", async () => {
  const fetch = vi.fn(hang);
  expect(await runAttempt(createOrder(0, { deadlineAt: Date.now() - 1 }), createDeps({ fetch }))).toMatchObject({ status: "failed", failure: { code: "timeout" } });
  expect(fetch).not.toHaveBeenCalled();
});

test("a callback that may come in 30 days does not let its announcement hang as long, nor end at once", async () => {
  const order = createOrder(0, { agent: CALLBACK, callback: { url: "https://weft.example/v1/callbacks/t", token: "t" }, deadlineAt: Date.now() + 30 * 86_400_000 });
  let isDone = false;
  const done = runAttempt(order, createDeps({ fetch: hang })).finally(() => (isDone = true));
  await vi.advanceTimersByTimeAsync(MAX_ATTEMPT_TIMEOUT_MS - 1);
  expect(isDone).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(await done).toMatchObject({ status: "failed", failure: { code: "timeout" } });
});

test("ends when its result is no longer wanted", async () => {
  const abandoned = new AbortController();
  const done = runAttempt(createOrder(0), createDeps({ fetch: hang }), { signal: abandoned.signal, isTimed: false });
  await vi.advanceTimersByTimeAsync(10);
  abandoned.abort();
  expect(await done).toMatchObject({ status: "failed" });
  expect(vi.getTimerCount()).toBe(0);
});

test.each([
  ["models that cannot be loaded", llmOrder(false), createDeps({ loadModels: () => Promise.reject(new Error("KV is away")) }), "KV is away"],
  ["an order that nobody can run", createOrder(0, { agent: { kind: "transform", description: "", capabilities: [], expression: "1" } }), createDeps(), "no language-model task"],
])("does not reject for %s: it fails, and may be tried again", async (_name, order, deps, message) => {
  expect(await runAttempt(order, deps)).toMatchObject({ status: "failed", failure: { code: "agent_unavailable", retryable: true, message: expect.stringContaining(message) }, calls: [] });
});
