import { describe, expect, test } from "vitest";
import { Settings } from "../../../src/config/settings.ts";
import type { ModelEntry, TierDocument } from "../../../src/config/tiers.ts";
import { runLlmAttempt, type LlmDeps } from "../../../src/consumer/agents/llm.ts";
import type { LlmRequest, Outcome, WorkOrder } from "../../../src/consumer/work-order.ts";
import { TokenMargins } from "../../../src/optimizer/tokens/token-margin.ts";
import { registerDocument } from "../../../src/router/engines/load-engine.ts";
import type { CallObservation } from "../../../src/router/metrics/model-metrics.ts";
import { AgentDefinition } from "../../../src/workflow/spec/agent.ts";
import { openAiStream, problem } from "../../router/engines/fake-upstream.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");

/** In each tier two models, the first better, both of one upstream that is told apart by the model's name. */
const DOCUMENT: TierDocument = {
  providers: [{ id: "up", kind: "openai-compatible", baseUrl: "https://models.example/v1" }, { id: "offline", kind: "offline" }],
  models: [...(["weak", "base", "strong"] as const).flatMap((tier) => [entry(`${tier}-1`, tier, 9), entry(`${tier}-2`, tier, 5)]), { ...entry("offline", "weak", 1), provider: "offline" }],
  tiers: { weak: ["weak-1", "weak-2", "offline"], base: ["base-1", "base-2", "offline"], strong: ["strong-1", "strong-2", "offline"] },
};

function entry(id: string, tier: ModelEntry["tier"], quality: number): ModelEntry {
  return { id, provider: "up", tier, price: { inputPerMillionUsd: 1, outputPerMillionUsd: 2 }, contextWindow: 8_000, maxOutputTokens: 500, capabilities: ["streaming"], quality };
}

type Answer = () => Response | Promise<Response>;

const say = (text: string): Answer => () => openAiStream({ deltas: [text] });
const busy: Answer = () => problem(503, { error: { message: "busy" } }, { "retry-after": "9" });
const refuse: Answer = () => problem(400, { error: { message: "bad" } });

interface Course {
  outcome: Outcome;
  /** Upstream models in the order in which they were called. */
  called: string;
  observed: CallObservation[];
}

async function run(answers: Record<string, Answer>, changes: { llm?: Partial<LlmRequest>; deps?: Partial<LlmDeps>; agent?: object; settings?: object } = {}): Promise<Course> {
  const called: string[] = [];
  const observed: CallObservation[] = [];
  const registry = registerDocument(DOCUMENT, {
    secrets: () => undefined,
    fetch: async (_input, init) => {
      const { model } = JSON.parse(String(init?.body)) as { model: string };
      called.push(model);
      return (answers[model] ?? answers["*"] ?? (() => Promise.reject(new Error(`no answer for ${model}`))))();
    },
  });
  const llm: LlmRequest = { taskType: null, tier: "weak", model: null, strategy: "quality", maxOutputTokens: null, outputSchema: null, context: { mode: "full", maxTokens: null, targetReduction: null }, stream: false, ...changes.llm };
  const order: WorkOrder = {
    workflowId: "wf_1", tenant: "acme", task: 0, attempt: 1, taskId: "t1", agentName: "a", agent: AgentDefinition.parse({ kind: "llm", maxOutputTokens: 300, ...changes.agent }),
    input: { prompt: "Say hello." }, dependencies: {}, deadlineAt: NOW + 60_000, idempotencyKey: "wf_1.t1", callback: null, requestId: null, llm,
  };
  const outcome = await runLlmAttempt(order, {
    document: DOCUMENT,
    engine: async (provider, model) => registry.get(provider.id)!(model),
    isConfigured: registry.isConfigured,
    settings: Settings.parse(changes.settings ?? {}),
    metrics: null,
    health: { observe: (observation) => observed.push(observation), acquireProbe: async () => true, acquireRate: async () => true },
    failureRate: () => 0,
    margins: new TokenMargins(),
    reserve: async () => ({ kind: "granted" }),
    contextTokens: 0,
    reduceTo: () => null,
    now: () => NOW,
    signal: new AbortController().signal,
    ...changes.deps,
  });
  return { outcome, called: called.join(" "), observed };
}

/** The events as `type from→to`. */
function storyOf(outcome: Outcome): string[] {
  if (outcome.status === "waiting") return [];
  return (outcome.events ?? []).map((event) => (event.type === "model.selected" ? `selected ${event.data.model}` : `${event.type.slice(6)} ${event.data.from}→${event.data.to}`));
}

describe("falling back within an attempt", () => {
  test("goes through the tier in its order, then one tier up; the route names who answered and who failed", async () => {
    const { outcome, called, observed } = await run({ "weak-1": busy, "weak-2": busy, "base-1": say("Hello") });
    expect(called).toBe("weak-1 weak-2 base-1");
    expect(outcome).toMatchObject({ status: "completed", output: "Hello", route: { tier: "base", model: "base-1", fallbacks: ["weak-1", "weak-2"], reason: expect.stringContaining("weak-1 and weak-2 failed, and base-1 took over.") }, calls: [{ model: "base-1" }] });
    expect(storyOf(outcome)).toEqual(["selected weak-1", "fallback weak-1→weak-2", "fallback weak-2→base-1"]);
    expect(observed.map(({ model, tenant, isSuccess, retryAfterMs, tier }) => [model, tenant, isSuccess, retryAfterMs, tier])).toEqual([
      ["weak-1", "acme", false, 9_000, "weak"], ["weak-2", "acme", false, 9_000, "weak"], ["base-1", "acme", true, null, "base"],
    ]);
  });

  test.each<[string, Answer]>([
    ...[408, 409, 425, 429, 500, 502, 503, 504, 529].map((status): [string, Answer] => [`status ${status}`, () => problem(status, { error: { message: "no" } })]),
    ["a connection that breaks", () => Promise.reject(new TypeError("fetch failed"))],
    ["an empty answer", say("")],
    ["an answer that breaks off", () => openAiStream({ deltas: ["half"], finishReason: null, usage: null })],
  ])("happens after %s", async (_, answer) => {
    const { outcome, called } = await run({ "weak-1": answer, "weak-2": say("ok") });
    expect(called).toBe("weak-1 weak-2");
    expect(outcome).toMatchObject({ status: "completed", output: "ok" });
  });

  test.each<[string, Answer]>([
    ...[400, 401, 403, 404, 413, 422].map((status): [string, Answer] => [`status ${status}`, () => problem(status, { error: { message: "no" } })]),
    ["a content filter", () => openAiStream({ deltas: ["x"], finishReason: "content_filter" })],
  ])("does not happen after %s, whose error is told", async (_, answer) => {
    const { outcome, called } = await run({ "weak-1": answer, "*": say("ok") });
    expect(called).toBe("weak-1");
    expect(outcome).toMatchObject({ status: "failed", failure: { code: "provider_rejected", retryable: false, message: expect.stringContaining("weak-1") }, route: { model: "weak-1", fallbacks: [] } });
  });

  test("a pinned model is never replaced, by the task or by its agent", async () => {
    for (const changes of [{ llm: { model: "weak-2", tier: null } }, { llm: { tier: null }, agent: { model: "weak-2" } }]) {
      const { outcome, called } = await run({ "weak-2": busy, "*": say("ok") }, changes);
      expect(called).toBe("weak-2");
      expect(outcome).toMatchObject({ status: "failed", failure: { code: "provider_unavailable", retryable: true }, retryAfterMs: 9_000 });
    }
  });

  test("the embedded engine never takes over", async () => {
    const { outcome, called } = await run({ "*": busy });
    expect(called).toBe("weak-1 weak-2 base-1 base-2");
    expect(outcome).toMatchObject({ status: "failed", failure: { code: "provider_unavailable", retryable: true }, retryAfterMs: 9_000 });
  });

  test("once text was passed on nobody takes over; before that somebody does", async () => {
    const heard: string[] = [];
    const broken: Answer = () => openAiStream({ deltas: ["half"], finishReason: null, usage: null });
    const passedOn = await run({ "weak-1": broken, "*": say("ok") }, { deps: { onDelta: (text) => heard.push(text) } });
    expect([passedOn.called, heard]).toEqual(["weak-1", ["half"]]);
    expect(passedOn.outcome).toMatchObject({ status: "failed", failure: { retryable: true }, calls: [{ estimated: true }] });
    const early = await run({ "weak-1": busy, "weak-2": say("ok") }, { deps: { onDelta: (text) => heard.push(text) } });
    expect(early.outcome).toMatchObject({ status: "completed", output: "ok" });
  });

  test("resting models are not asked at all", async () => {
    const open = { calls: 5, successRate: 0, latencyMs: null, timeToFirstTokenMs: null, tokensPerSecond: null, costPer1kTokensUsd: null, quality: null, circuit: { state: "open" as const, openUntil: NOW + 1_000 }, updatedAt: NOW };
    const { called } = await run({ "*": say("ok") }, { deps: { metrics: { at: NOW, models: { "weak-1": open } } } });
    expect(called).toBe("weak-2");
    const all = Object.fromEntries(["weak-1", "weak-2", "base-1", "base-2"].map((id) => [id, open]));
    expect((await run({}, { deps: { metrics: { at: NOW, models: all } } })).outcome).toMatchObject({ status: "failed", failure: { retryable: true }, retryAfterMs: 1_000, route: null });
  });

  test("with orchestration off the default model answers alone", async () => {
    const settings = { orchestration: { enabled: false, defaultModel: "base-2" } };
    const { outcome, called } = await run({ "base-2": busy, "*": say("ok") }, { settings });
    expect([called, outcome.status]).toEqual(["base-2", "failed"]);
  });

  test("the failure rate of the tenant's tasks of the type raises the complexity, and with it the tier", async () => {
    const asked: string[] = [];
    const failureRate = (type: string) => (asked.push(type), 1);
    const { outcome } = await run({ "*": say("ok") }, { llm: { tier: null, taskType: "documentation" }, deps: { failureRate } });
    expect(outcome).toMatchObject({ route: { tier: "base", complexity: 4 } });
    expect(asked).toEqual(["documentation"]);
  });
});

describe("an answer that misses the task's schema", () => {
  const outputSchema = { type: "object", required: ["n"], properties: { n: { type: "integer" } } };
  const wrong = say('{"n":"x"}');
  const right = say('{"n":3}');

  test("is asked again one tier up, within the attempt; the miss is remembered and both are paid", async () => {
    const { outcome, called, observed } = await run({ "weak-1": wrong, "base-1": right }, { llm: { outputSchema } });
    expect(called).toBe("weak-1 base-1");
    expect(outcome).toMatchObject({ status: "completed", output: { n: 3 }, route: { tier: "base", model: "base-1", fallbacks: ["weak-1"], reason: "weak-1 of tier weak missed the task's schema; base-1 of tier base has the highest quality." }, calls: [{ model: "weak-1" }, { model: "base-1" }] });
    expect(storyOf(outcome)).toEqual(["selected weak-1", "escalated weak-1→base-1"]);
    expect(outcome.status === "completed" && outcome.events?.[1]?.data).toMatchObject({ fromTier: "weak", toTier: "base", error: { code: "output_invalid" } });
    expect(observed.map(({ model, quality, isSuccess }) => [model, quality, isSuccess])).toEqual([["weak-1", 0, true], ["base-1", 1, true]]);
  });

  test("climbs to the strong tier by default, falls back on the way, and ends there", async () => {
    const { outcome, called } = await run({ "weak-1": wrong, "base-1": busy, "base-2": wrong, "strong-1": wrong }, { llm: { outputSchema } });
    expect(called).toBe("weak-1 base-1 base-2 strong-1");
    expect(outcome).toMatchObject({ status: "failed", failure: { code: "output_invalid", retryable: true }, route: { model: "strong-1", fallbacks: ["weak-1", "base-1", "base-2"] } });
    expect(storyOf(outcome)).toEqual(["selected weak-1", "escalated weak-1→base-1", "fallback base-1→base-2", "escalated base-2→strong-1"]);
  });

  test.each<[string, Parameters<typeof run>[1]]>([
    ["no further than maxEscalations", { llm: { outputSchema }, settings: { routing: { maxEscalations: 0 } } }],
    ["not when the quality settings say so", { llm: { outputSchema }, settings: { quality: { escalateOnMiss: false } } }],
    ["not for a pinned model", { llm: { outputSchema, model: "weak-1", tier: null } }],
    ["not once text was passed on", { llm: { outputSchema }, deps: { onDelta: () => undefined } }],
    ["not for a schema that no answer can be checked with", { llm: { outputSchema: { $ref: "#/$defs/none" } } }],
    ["not into a tier where only the embedded engine is", { llm: { outputSchema }, deps: { document: { ...DOCUMENT, tiers: { ...DOCUMENT.tiers, base: ["offline"] } } } }],
  ])("goes %s", async (_, changes) => {
    const { outcome, called } = await run({ "weak-1": wrong, "*": right }, changes);
    expect(called).toBe("weak-1");
    expect(outcome).toMatchObject({ status: "failed", failure: { code: "output_invalid" } });
  });

  test("maxEscalations counts tiers", async () => {
    const { called } = await run({ "*": wrong }, { llm: { outputSchema }, settings: { routing: { maxEscalations: 1 } } });
    expect(called).toBe("weak-1 base-1");
  });

  test("a refusal one tier up ends the attempt with that refusal", async () => {
    const { outcome } = await run({ "weak-1": wrong, "base-1": refuse }, { llm: { outputSchema } });
    expect(outcome).toMatchObject({ status: "failed", failure: { code: "provider_rejected", retryable: false }, calls: [{ model: "weak-1" }] });
  });
});
