import { describe, expect, test } from "vitest";
import { Settings } from "../../../src/config/settings.ts";
import type { ModelEntry, TierDocument } from "../../../src/config/tiers.ts";
import { runLlmAttempt, type LlmDeps } from "../../../src/consumer/agents/llm.ts";
import { LEAST_OUTPUT_TOKENS, MAX_DESCENTS } from "../../../src/consumer/agents/llm-ladder.ts";
import type { LlmRequest, Outcome, ReserveCall, WorkOrder } from "../../../src/consumer/work-order.ts";
import { TokenMargins } from "../../../src/optimizer/tokens/token-margin.ts";
import { registerDocument } from "../../../src/router/engines/load-engine.ts";
import { AgentDefinition } from "../../../src/workflow/spec/agent.ts";
import { openAiStream } from "../../router/engines/fake-upstream.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
/** The agent's own output cap. */
const AGENT_CAP = 500;

/** Each tier has one model, ten times as dear as the one below: an output token costs 1,000, 10,000 and 100,000 nano-dollars, input nothing. */
const DOCUMENT: TierDocument = {
  providers: [{ id: "up", kind: "openai-compatible", baseUrl: "https://models.example/v1" }, { id: "offline", kind: "offline" }],
  models: [entry("small", "weak", 1), entry("middle", "base", 10), entry("large", "strong", 100), { ...entry("offline", "weak", 0), provider: "offline" }],
  tiers: { weak: ["small", "offline"], base: ["middle"], strong: ["large"] },
};

function entry(id: string, tier: ModelEntry["tier"], outputPerMillionUsd: number): ModelEntry {
  return { id, provider: "up", tier, price: { inputPerMillionUsd: 0, outputPerMillionUsd }, contextWindow: 50_000, maxOutputTokens: 4_096, capabilities: [] };
}

interface Course {
  outcome: Outcome;
  /** What was asked to be held, in order. */
  asked: ReserveCall[];
  /** Model and output cap of each call. */
  called: string[];
}

/** Runs a task in a workflow whose rooms (nano-dollars) follow one another: one for each request that does not fit it; the last stays. */
async function runWithin(rooms: number[], changes: { llm?: Partial<LlmRequest>; deps?: Partial<LlmDeps> } = {}): Promise<Course> {
  const asked: ReserveCall[] = [];
  const called: string[] = [];
  const registry = registerDocument(DOCUMENT, {
    secrets: () => undefined,
    fetch: async (_input, init) => {
      const { model, max_tokens: cap } = JSON.parse(String(init?.body)) as { model: string; max_tokens: number };
      called.push(`${model} ${cap}`);
      return openAiStream({ deltas: ["here"], usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 } });
    },
  });
  const reserve: LlmDeps["reserve"] = async (call) => {
    asked.push(call);
    const room = rooms.length > 1 ? rooms.shift()! : rooms[0]!;
    return call.costNanoUsd <= room ? { kind: "granted" } : { kind: "refused", room: { nanoUsd: room, tokens: null } };
  };
  const llm: LlmRequest = { taskType: "architecture_design", tier: null, model: null, strategy: null, maxOutputTokens: null, outputSchema: null, context: { mode: "full", maxTokens: null, targetReduction: null }, stream: false, ...changes.llm };
  const order: WorkOrder = {
    workflowId: "wf_1", tenant: "acme", task: 0, attempt: 1, taskId: "t1", agentName: "a", agent: AgentDefinition.parse({ kind: "llm", maxOutputTokens: AGENT_CAP }),
    input: { prompt: "Say hello." }, dependencies: {}, deadlineAt: NOW + 60_000, idempotencyKey: "wf_1.t1", callback: null, requestId: null, llm,
  };
  const outcome = await runLlmAttempt(order, {
    document: DOCUMENT,
    engine: async (provider, model) => registry.get(provider.id)!(model),
    isConfigured: registry.isConfigured,
    settings: Settings.parse({}),
    metrics: null,
    health: { observe: () => undefined, acquireProbe: async () => true, acquireRate: async () => true },
    failureRate: () => 0,
    margins: new TokenMargins(),
    reserve,
    contextTokens: 0,
    reduceTo: () => null,
    now: () => NOW,
    signal: new AbortController().signal,
    ...changes.deps,
  });
  return { outcome, asked, called };
}

describe("where the budget refuses a call", () => {
  test.each<[string, number, Partial<LlmRequest>, string[]]>([
    ["nothing, the chosen model is called", 50_000_000, {}, ["large 500"]],
    ["the chosen model, one of a tier below takes over whole", 49_999_999, {}, ["middle 500"]],
    ["that one too, the next below does", 4_999_999, {}, ["small 500"]],
    ["all whole answers, the longest that can be had is asked for", 499_999, {}, ["small 499"]],
    ["all but the least answer, that is asked for", 64_000, {}, ["small 64"]],
    ["the least answer, none is", 63_999, {}, []],
    ["a pinned model, that one is asked for less", 49_999_999, { model: "large" }, ["large 499"]],
    ["the least answer of a pinned model, no other is asked", 6_399_999, { model: "large" }, []],
    ["a task's own output cap, a cheaper model is asked for all of it", 49_999_999, { maxOutputTokens: 500 }, ["middle 500"]],
    ["a task's own output cap of a pinned model, none is", 49_999_999, { model: "large", maxOutputTokens: 500 }, []],
    ["a model of the task's tier, none of another is asked", 6_399_999, { tier: "strong" }, []],
  ])("%s (%i)", async (_, room, llm, calls) => {
    const { outcome, called } = await runWithin([room], { llm });
    expect(called).toEqual(calls);
    expect(outcome.status).toBe(calls.length === 0 ? "failed" : "completed");
  });

  test("the failure says what would have been the least, and what can be had", async () => {
    const { outcome } = await runWithin([63_999]);
    expect(outcome).toMatchObject({ status: "failed", failure: { code: "budget_exhausted", retryable: false, details: { neededUsd: 64_000e-9, remainingUsd: 63_999e-9 } }, calls: [] });
    const pinned = await runWithin([63_999], { llm: { model: "large", maxOutputTokens: 200 } });
    expect(pinned.outcome).toMatchObject({ failure: { details: { neededUsd: 0.02 } } });
  });

  test("and others spend what is asked for next before its turn comes, less and less is asked for", async () => {
    const rooms = [499_000, 400_000, 300_000, 200_000, 100_000];
    const { asked, called } = await runWithin([...rooms]);
    expect(called).toEqual(["small 100"]);
    expect(asked.map(({ costNanoUsd }) => costNanoUsd)).toEqual([50_000_000, ...rooms]);
  });

  test("each request has a number of its own, so that one that comes again, and late, takes no other's place; the call has the granted one's", async () => {
    const { asked, outcome } = await runWithin([499_000, 400_000]);
    expect(asked.map(({ call }) => call)).toEqual([0, 1, 2]);
    expect(outcome).toMatchObject({ status: "completed", calls: [{ call: 2 }] });
  });

  test("and what is left shrinks all the time, it ends", async () => {
    const rooms = Array.from({ length: 2 * MAX_DESCENTS }, (_, index) => 499_999 - 1_000 * index);
    const { outcome, asked } = await runWithin(rooms);
    expect(outcome).toMatchObject({ failure: { code: "budget_exhausted" } });
    expect(asked).toHaveLength(MAX_DESCENTS + 1);
  });

  test("the context is reduced as far as is needed, and further if that has gone too", async () => {
    const priced: TierDocument = { ...DOCUMENT, models: DOCUMENT.models.map((model) => ({ ...model, price: { ...model.price, inputPerMillionUsd: 1 } })) };
    const targets: number[] = [];
    const contextOf = (tokens: number): WorkOrder["dependencies"] => ({ before: "lamp ".repeat(tokens) });
    const order = (tokens: number): WorkOrder => ({
      workflowId: "wf_1", tenant: "acme", task: 0, attempt: 1, taskId: "t1", agentName: "a", agent: AgentDefinition.parse({ kind: "llm", maxOutputTokens: LEAST_OUTPUT_TOKENS }),
      input: { prompt: "Say hello." }, dependencies: contextOf(tokens), deadlineAt: NOW + 60_000, idempotencyKey: "wf_1.t1", callback: null, requestId: null,
      llm: { taskType: null, tier: null, model: "small", strategy: null, maxOutputTokens: null, outputSchema: null, context: { mode: "reduce", maxTokens: null, targetReduction: null }, stream: false },
    });
    const held: number[] = [];
    const rooms = [6_000_000, 3_000_000, 3_000_000];
    const registry = registerDocument(priced, { secrets: () => undefined, fetch: async () => openAiStream({ deltas: ["here"] }) });
    const outcome = await runLlmAttempt(order(10_000), {
      document: priced,
      engine: async (provider, model) => registry.get(provider.id)!(model),
      isConfigured: registry.isConfigured,
      settings: Settings.parse({}),
      metrics: null,
      health: { observe: () => undefined, acquireProbe: async () => true, acquireRate: async () => true },
      failureRate: () => 0,
      margins: new TokenMargins(),
      reserve: async (call) => {
        held.push(call.costNanoUsd);
        const room = rooms.length > 1 ? rooms.shift()! : rooms[0]!;
        return call.costNanoUsd <= room ? { kind: "granted" } : { kind: "refused", room: { nanoUsd: room, tokens: null } };
      },
      contextTokens: 10_000,
      reduceTo: (maxTokens) => {
        targets.push(maxTokens);
        return order(maxTokens);
      },
      now: () => NOW,
      signal: new AbortController().signal,
    });
    expect(outcome.status).toBe("completed");
    expect(held[1]).toBeLessThanOrEqual(6_000_000);
    expect(held.at(-1)).toBeLessThanOrEqual(3_000_000);
    expect(targets[0]).toBeGreaterThan(targets.at(-1)!);
    // What is left is used: the context is not cut to nothing.
    expect(targets.at(-1)).toBeGreaterThan(1_000);
  });
});
