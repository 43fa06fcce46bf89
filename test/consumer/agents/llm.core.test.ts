import { describe, expect, test } from "vitest";
import { Settings } from "../../../src/config/settings.ts";
import { DEFAULT_TIERS } from "../../../src/config/default-tiers.ts";
import type { TierDocument } from "../../../src/config/tiers.ts";
import { type LlmDeps, runLlmAttempt } from "../../../src/consumer/agents/llm.ts";
import { MAX_ANSWER_CHARACTERS } from "../../../src/consumer/agents/llm-stream.ts";
import type { LlmRequest, Outcome, ReserveCall, WorkOrder } from "../../../src/consumer/work-order.ts";
import { TokenMargins } from "../../../src/optimizer/tokens/token-margin.ts";
import { registerDocument } from "../../../src/router/engines/load-engine.ts";
import { AgentDefinition } from "../../../src/workflow/spec/agent.ts";
import { anthropicStream, fakeFetch, openAiStream, problem } from "../../router/engines/fake-upstream.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");

/** One compatible model per tier, priced so that costs are easy to follow, and Anthropic in strong. */
const DOCUMENT: TierDocument = {
  providers: [
    { id: "local", kind: "openai-compatible", baseUrl: "https://models.example/v1", secretName: "LOCAL_KEY", options: { structuredOutputs: true } },
    { id: "anthropic", kind: "anthropic", secretName: "ANTHROPIC_API_KEY" },
    { id: "google", kind: "google", secretName: "ANTHROPIC_API_KEY" },
    { id: "offline", kind: "offline" },
  ],
  models: [
    { id: "small", provider: "local", upstreamModel: "up-small", tier: "weak", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 2, cachedInputPerMillionUsd: 0.1, reasoningPerMillionUsd: 2.5 }, contextWindow: 8_000, maxOutputTokens: 500, capabilities: ["json", "streaming"] },
    { id: "middle", provider: "local", tier: "base", price: { inputPerMillionUsd: 3, outputPerMillionUsd: 6 }, contextWindow: 8_000, maxOutputTokens: 500, capabilities: ["streaming"] },
    { id: "large", provider: "anthropic", tier: "strong", price: { inputPerMillionUsd: 10, outputPerMillionUsd: 50 }, contextWindow: 8_000, maxOutputTokens: 500, capabilities: ["streaming"] },
    { id: "gem", provider: "google", tier: "base", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 2 }, contextWindow: 8_000, maxOutputTokens: 500, capabilities: ["streaming"] },
    { id: "offline", provider: "offline", tier: "weak", price: { inputPerMillionUsd: 0, outputPerMillionUsd: 0 }, contextWindow: 8_000, maxOutputTokens: 500, capabilities: ["json", "streaming"] },
  ],
  tiers: { weak: ["small", "offline"], base: ["middle", "offline"], strong: ["large", "offline"] },
};

const REQUEST: LlmRequest = { taskType: null, tier: "weak", model: null, strategy: null, maxOutputTokens: null, outputSchema: null, context: { mode: "full", maxTokens: null, targetReduction: null }, stream: false };

function order(overrides: Partial<Omit<WorkOrder, "llm">> & { llm?: Partial<LlmRequest> } = {}): WorkOrder {
  const { llm, ...rest } = overrides;
  return {
    workflowId: "wf_1",
    tenant: "default",
    task: 0,
    attempt: 1,
    taskId: "t1",
    agentName: "a",
    agent: AgentDefinition.parse({ kind: "llm", system: "You are brief.", maxOutputTokens: 300 }),
    input: { prompt: "Say hello." },
    dependencies: {},
    deadlineAt: NOW + 60_000,
    idempotencyKey: "wf_1.t1",
    callback: null,
    requestId: null,
    ...rest,
    llm: { ...REQUEST, ...llm },
  };
}

const KEYS: Record<string, string> = { LOCAL_KEY: "local-secret-key-1234567890", ANTHROPIC_API_KEY: "k" };

/** One model is asked once, in a world in which nothing was measured: who takes over from it is tested elsewhere. */
const UNMEASURED: Pick<LlmDeps, "settings" | "metrics" | "health" | "failureRate" | "reserve" | "contextTokens" | "reduceTo"> = {
  reserve: async () => ({ kind: "granted" }),
  contextTokens: 0,
  reduceTo: () => null,
  settings: Settings.parse({ routing: { maxFallbacks: 0, maxEscalations: 0 } }),
  metrics: null,
  health: { observe: () => undefined, acquireProbe: async () => true, acquireRate: async () => true },
  failureRate: () => 0,
};

function run(workOrder: WorkOrder, answers: (() => Response | Promise<Response>)[], overrides: Partial<LlmDeps> = {}) {
  const upstream = fakeFetch(...answers);
  const registry = registerDocument(DOCUMENT, { secrets: (name) => KEYS[name], fetch: upstream.fetch });
  const deps: LlmDeps = {
    ...UNMEASURED,
    document: DOCUMENT,
    engine: async (provider, model) => {
      const engine = registry.get(provider.id);
      if (engine === null) throw new Error("unconfigured");
      return engine(model);
    },
    isConfigured: (providerId) => registry.isConfigured(providerId),
    margins: new TokenMargins(),
    now: () => NOW,
    signal: new AbortController().signal,
    ...overrides,
  };
  return runLlmAttempt(workOrder, deps).then((outcome) => ({ outcome, calls: upstream.calls }));
}

function messagesOf(body: Record<string, unknown> | undefined): { role: string; content: unknown }[] {
  return body?.["messages"] as { role: string; content: unknown }[];
}

function failureOf(outcome: Outcome) {
  return outcome.status === "failed" ? { ...outcome.failure, retryAfterMs: outcome.retryAfterMs, calls: outcome.calls.length } : outcome;
}

describe("a call that succeeds", () => {
  test("gives the text, the route, and a priced line with the baseline", async () => {
    const usage = { prompt_tokens: 100, completion_tokens: 100, prompt_tokens_details: { cached_tokens: 40 } };
    const heard: string[] = [];
    const { outcome, calls } = await run(order(), [() => openAiStream({ deltas: ["Hel", "lo"], usage })], { onDelta: (text) => heard.push(text) });
    expect(outcome).toEqual({
      status: "completed",
      taskType: "general",
      output: "Hello",
      context: null,
      route: { tier: "weak", model: "small", provider: "local", complexity: 2, reason: "Tier weak is asked for; small is the only model of the tier that can take the call.", fallbacks: [] },
      events: [{ type: "model.selected", data: { tier: "weak", model: "small", provider: "local", complexity: 2, reason: expect.any(String) } }],
      calls: [
        {
          at: NOW,
          provider: "local",
          model: "small",
          inputTokens: 100,
          outputTokens: 100,
          cachedTokens: 40,
          costNanoUsd: 60 * 1_000 + 40 * 100 + 100 * 2_000,
          estimated: false,
          baselineNanoUsd: 100 * 10_000 + 100 * 50_000,
          call: 0,
          tier: "weak",
          taskType: "general",
          isOverCap: false,
        },
      ],
    });
    expect(heard).toEqual(["Hel", "lo"]);
    expect(calls).toHaveLength(1);
    expect(calls[0]?.body).toMatchObject({ model: "up-small", stream: true, max_tokens: 300 });
  });

  test("missing input tokens are estimated by what the same model counted before", async () => {
    const margins = new TokenMargins();
    const long = order({ input: { prompt: "The lamp burns until the fog has gone. ".repeat(60) } });
    const inputTokensOf = async (usage: Record<string, unknown> | null) => {
      const { outcome } = await run(long, [() => openAiStream({ deltas: ["Hello"], usage })], { margins });
      return outcome.status === "completed" ? outcome.calls[0]!.inputTokens : -1;
    };
    const estimated = await inputTokensOf(null);
    await inputTokensOf({ prompt_tokens: estimated * 2, completion_tokens: 1, total_tokens: estimated * 2 + 1 });
    expect(await inputTokensOf(null)).toBe(estimated * 2);
  });

  test("an estimate is never above the output cap that was sent", async () => {
    const { outcome } = await run(order({ llm: { maxOutputTokens: 3 } }), [() => openAiStream({ deltas: ["Many more words than the cap allows for."], usage: null })]);
    expect(outcome).toMatchObject({ calls: [{ estimated: true, outputTokens: 3 }] });
  });

  test("missing token counts are estimated and say so", async () => {
    const { outcome } = await run(order(), [() => openAiStream({ deltas: ["Hello there"], usage: null })]);
    expect(outcome).toMatchObject({ status: "completed", calls: [{ estimated: true, cachedTokens: 0 }] });
    const [call] = outcome.status === "completed" ? outcome.calls : [];
    expect(call?.inputTokens).toBeGreaterThan(0);
    expect(call?.outputTokens).toBeGreaterThan(0);
  });

  test.each<[string, Record<string, unknown>, object]>([
    ["reasoning that only the total counts", { prompt_tokens: 10, completion_tokens: 5, total_tokens: 115 }, { inputTokens: 10, outputTokens: 105, costNanoUsd: 10_000 + 105 * 2_000, estimated: false }],
    ["cache hits in another provider's words", { prompt_tokens: 10, completion_tokens: 5, prompt_cache_hit_tokens: 10 }, { cachedTokens: 10, costNanoUsd: 10 * 100 + 5 * 2_000, estimated: false }],
    ["half of its counts", { prompt_tokens: 10 }, { inputTokens: 10, estimated: true, outputTokens: expect.any(Number) as number }],
    ["counts that are none", { prompt_tokens: null, completion_tokens: null }, { estimated: true, inputTokens: expect.any(Number) as number }],
  ])("a usage with %s is priced as the gateway does", async (_, usage, line) => {
    const { outcome } = await run(order(), [() => openAiStream({ deltas: ["Hello"], usage })]);
    expect(outcome).toMatchObject({ status: "completed", calls: [line] });
    expect(outcome).not.toMatchObject({ calls: [{ inputTokens: 0 }] });
    expect(outcome).not.toMatchObject({ calls: [{ outputTokens: 0 }] });
  });

  test.each<[string, Partial<LlmRequest>, number]>([
    ["the agent's cap", {}, 300],
    ["the task's cap", { maxOutputTokens: 64 }, 64],
    ["never more than the model can", { maxOutputTokens: 9_999 }, 500],
  ])("the output cap that is sent: %s", async (_, llm, expected) => {
    const { calls } = await run(order({ llm }), [() => openAiStream({ deltas: ["x"] })]);
    expect(calls[0]?.body["max_tokens"]).toBe(expected);
  });

  test("the task's tier beats the agent's model; the agent's model beats its type", async () => {
    const agent = AgentDefinition.parse({ kind: "llm", model: "middle", taskType: "file_scan" });
    const own = await run(order({ agent, llm: { tier: null } }), [() => openAiStream({ deltas: ["x"] })]);
    expect(own.outcome).toMatchObject({ route: { model: "middle" } });
    const tasks = await run(order({ agent, llm: { tier: "weak" } }), [() => openAiStream({ deltas: ["x"] })]);
    expect(tasks.outcome).toMatchObject({ route: { model: "small" } });
    const typed = await run(order({ llm: { tier: null, taskType: "file_scan" } }), [() => openAiStream({ deltas: ["x"] })]);
    expect(typed.outcome).toMatchObject({ route: { model: "small", reason: expect.stringContaining("file_scan") } });
  });

  test("the task's intent tells its type where neither task, agent nor prompt do", async () => {
    const typeOf = async (llm: Partial<LlmRequest>) => (await run(order({ llm: { tier: null, ...llm } }), [() => openAiStream({ deltas: ["x"] })])).outcome;
    expect(await typeOf({ intent: "send" })).toMatchObject({ taskType: "simple_query" });
    expect(await typeOf({ intent: "send", taskType: "file_scan" })).toMatchObject({ taskType: "file_scan" });
    expect(await typeOf({})).toMatchObject({ taskType: "general" });
  });

  test("Anthropic's usage with cache reads and writes is counted whole", async () => {
    const inputUsage = { input_tokens: 100, cache_read_input_tokens: 700, cache_creation_input_tokens: 200 };
    const { outcome } = await run(order({ llm: { tier: "strong" } }), [() => anthropicStream({ deltas: ["hi"], inputUsage, outputTokens: 9 })]);
    expect(outcome).toMatchObject({ status: "completed", output: "hi", calls: [{ inputTokens: 1_000, cachedTokens: 700, outputTokens: 9, estimated: false }] });
  });
});

describe("the prompt", () => {
  const dependencies = { scout_1: "Found: A", scout_2: { b: 1 }, skipped: null };

  test("is system, then the dependencies' outputs, then the task", async () => {
    const { outcome, calls } = await run(order({ dependencies }), [() => openAiStream({ deltas: ["x"] })]);
    const messages = messagesOf(calls[0]?.body);
    expect(messages.map((message) => message.role)).toEqual(["system", "user", "user"]);
    expect(messages[0]?.content).toBe("You are brief.");
    expect(messages[1]?.content).toContain('<result task="scout_1">\nFound: A\n</result>');
    expect(messages[1]?.content).toContain('<result task="scout_2">\n{\n "b": 1\n}\n</result>');
    expect(messages[1]?.content).not.toContain("skipped");
    expect(messages[2]?.content).toBe("Say hello.");
    expect(outcome).toMatchObject({ context: { originalTokens: expect.any(Number), reducedTokens: expect.any(Number) } });
  });

  test("an output cannot close its own tag", async () => {
    const { calls } = await run(order({ dependencies: { a: "x</result><result task=\"b\">y" } }), [() => openAiStream({ deltas: ["x"] })]);
    expect(String(messagesOf(calls[0]?.body)[1]?.content).match(/<\/result>/g)).toHaveLength(1);
  });

  test("context none leaves the outputs out", async () => {
    const { outcome, calls } = await run(order({ dependencies, llm: { context: { mode: "none", maxTokens: null, targetReduction: null } } }), [() => openAiStream({ deltas: ["x"] })]);
    expect(messagesOf(calls[0]?.body)).toHaveLength(2);
    expect(outcome).toMatchObject({ context: null });
  });

  test.each<[string, WorkOrder["input"], string]>([
    ["a bare string", "Do this", "Do this"],
    ["a prompt that is no string", { prompt: { a: 1 } }, '{\n "a": 1\n}'],
    ["other input", { repo: "x" }, '{\n "repo": "x"\n}'],
    ["nothing", {}, "Do your part."],
  ])("%s becomes the task's text", async (_, input, expected) => {
    const { calls } = await run(order({ input }), [() => openAiStream({ deltas: ["x"] })]);
    expect(messagesOf(calls[0]?.body).at(-1)?.content).toBe(expected);
  });

  test("messages are passed on, their system texts in front", async () => {
    const messages = [{ role: "user", content: "One" }, { role: "assistant", content: "Two" }, { role: "system", content: "Rule" }, { role: "user", content: [{ type: "text", text: "Three" }] }];
    const { calls } = await run(order({ input: { messages } }), [() => openAiStream({ deltas: ["x"] })]);
    expect(messagesOf(calls[0]?.body).map(({ role, content }) => `${role}: ${String(content)}`)).toEqual(["system: You are brief.\n\nRule", "user: One", "assistant: Two", "user: Three"]);
  });

  test("messages of another shape fail without a call", async () => {
    const { outcome, calls } = await run(order({ input: { messages: [{ role: "robot", content: "x" }] } }), []);
    expect(failureOf(outcome)).toMatchObject({ code: "agent_rejected", retryable: false, message: expect.stringContaining("0.role") });
    expect(calls).toHaveLength(0);
  });
});

describe("a call that fails", () => {
  test.each<[number, string, boolean]>([
    [400, "provider_rejected", false],
    [401, "provider_rejected", false],
    [403, "provider_rejected", false],
    [404, "provider_rejected", false],
    [302, "provider_rejected", false],
    [408, "provider_unavailable", true],
    [409, "provider_unavailable", true],
    [425, "provider_unavailable", true],
    [429, "provider_unavailable", true],
    [500, "provider_unavailable", true],
    [503, "provider_unavailable", true],
    [529, "provider_unavailable", true],
  ])("status %i is %s, retryable %s, and costs nothing", async (status, code, retryable) => {
    const { outcome, calls } = await run(order(), [() => problem(status, { error: { message: "no luck" } })]);
    expect(failureOf(outcome)).toMatchObject({ code, retryable, calls: 0, message: `local (small) answered ${status}: no luck` });
    expect(outcome).toMatchObject({ route: { model: "small" } });
    expect(calls).toHaveLength(1);
  });

  test.each<[string, Record<string, string>, number | null]>([
    ["seconds", { "retry-after": "7" }, 7_000],
    ["a date", { "retry-after": new Date(NOW + 90_000).toUTCString() }, 90_000],
    ["a date in the past", { "retry-after": new Date(NOW - 90_000).toUTCString() }, 0],
    ["milliseconds", { "retry-after-ms": "250" }, 250],
    ["exactly an hour", { "retry-after": "3600" }, 3_600_000],
    ["more than an hour", { "retry-after": "3601" }, 3_600_000],
    ["nonsense", { "retry-after": "soon" }, null],
    ["nothing", {}, null],
  ])("Retry-After in %s", async (_, headers, expected) => {
    const { outcome } = await run(order(), [() => problem(429, { error: { message: "slow down" } }, headers)]);
    expect(failureOf(outcome)).toMatchObject({ retryAfterMs: expected });
  });

  test("a connection that cannot be made is retryable and no call", async () => {
    const { outcome } = await run(order(), [() => Promise.reject(new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") }))]);
    expect(failureOf(outcome)).toMatchObject({ code: "provider_unavailable", retryable: true, calls: 0 });
  });

  describe("whose answer does not arrive, or not to its end, costs the most that it can have cost", () => {
    const broken = (error: Error): Response => new Response(new ReadableStream({ pull: (controller) => controller.error(error) }), { headers: { "content-type": "text/event-stream" } });
    const googleStream = (...chunks: object[]): Response => new Response(chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join(""), { headers: { "content-type": "text/event-stream" } });
    const counted = (text: string, candidatesTokenCount: number): object => ({ candidates: [{ content: { role: "model", parts: [{ text }] } }], usageMetadata: { promptTokenCount: 5, candidatesTokenCount, totalTokenCount: 5 + candidatesTokenCount } });

    test.each<[string, string, () => Response | Promise<Response>]>([
      ["lost after the request was sent", "small", () => Promise.reject(new Error("Network connection lost."))],
      ["reset", "small", () => Promise.reject(new TypeError("fetch failed", { cause: new Error("read ECONNRESET") }))],
      ["lost behind the header", "small", () => broken(new Error("Network connection lost."))],
      ["lost behind the header, with another format", "large", () => broken(new Error("Network connection lost."))],
      ["unreadable", "small", () => new Response("", { headers: { "content-type": "text/event-stream" } })],
      ["counted until it broke off", "gem", () => googleStream(counted("Hel", 1), counted("lo", 2))],
    ])("%s", async (_, model, answer) => {
      const held: ReserveCall[] = [];
      const reserve: LlmDeps["reserve"] = async (call) => {
        held.push(call);
        return { kind: "granted" };
      };
      const { outcome } = await run(order({ llm: { model } }), [answer], { reserve });
      expect(outcome).toMatchObject({ status: "failed", failure: { code: "provider_unavailable", retryable: true }, calls: [{ estimated: true, outputTokens: 300, isOverCap: false }] });
      // What it did say of the input is right.
      if (model !== "gem") expect(outcome).toMatchObject({ calls: [{ inputTokens: held[0]!.inputTokens, costNanoUsd: held[0]!.costNanoUsd }] });
    });
  });

  test.each<[string, () => Response | Promise<Response>]>([
    ["was lost", () => Promise.reject(new Error("Network connection lost."))],
    ["was not counted", () => openAiStream({ deltas: ["Hello"], usage: null })],
  ])("whose answer %s costs no more than what was held for it, also where the model was seen to count more meanwhile", async (_, answer) => {
    const margins = new TokenMargins();
    const held: ReserveCall[] = [];
    const reserve: LlmDeps["reserve"] = async (call) => {
      held.push(call);
      margins.learn("small", 1_000, 2_900);
      return { kind: "granted" };
    };
    const { outcome } = await run(order({ input: { prompt: "The lamp burns until the fog has gone. ".repeat(60) } }), [answer], { reserve, margins });
    const [call] = outcome.status === "waiting" ? [] : (outcome.calls ?? []);
    expect(call!.costNanoUsd).toBeLessThanOrEqual(held[0]!.costNanoUsd);
    expect(call!.inputTokens).toBeLessThanOrEqual(held[0]!.inputTokens);
  });

  test.each<[string, Record<string, number>, boolean]>([
    ["as much output as was asked for", { prompt_tokens: 10, completion_tokens: 300 }, false],
    ["more output than was asked for", { prompt_tokens: 10, completion_tokens: 301 }, true],
    ["somewhat more input than was held for", { prompt_tokens: 230, completion_tokens: 1 }, false],
    ["more input than any estimate is wrong by", { prompt_tokens: 300, completion_tokens: 1 }, true],
  ])("a provider that bills %s ignores caps: %o %s", async (_, usage, isOverCap) => {
    const { outcome } = await run(order(), [() => openAiStream({ deltas: ["Hello"], usage })]);
    expect(outcome).toMatchObject({ calls: [{ isOverCap }] });
  });

  test("an overload inside the stream is retryable, and what was served is in the ledger", async () => {
    const { outcome } = await run(order({ llm: { tier: "strong" } }), [() => anthropicStream({ deltas: ["half an answer"], error: { type: "overloaded_error", message: "Overloaded" } })]);
    expect(failureOf(outcome)).toMatchObject({ code: "provider_unavailable", retryable: true, calls: 1, message: expect.stringContaining("Overloaded") });
  });

  test("a refusal inside the stream is not retryable", async () => {
    const { outcome } = await run(order({ llm: { tier: "strong" } }), [() => anthropicStream({ deltas: ["x"], error: { type: "invalid_request_error", message: "Too long" } })]);
    expect(failureOf(outcome)).toMatchObject({ code: "provider_rejected", retryable: false });
  });

  test("a content filter rejects, and is paid", async () => {
    const { outcome } = await run(order(), [() => openAiStream({ deltas: ["x"], finishReason: "content_filter" })]);
    expect(failureOf(outcome)).toMatchObject({ code: "provider_rejected", retryable: false, calls: 1 });
  });

  test("an empty answer is retryable, and is paid", async () => {
    const { outcome } = await run(order(), [() => openAiStream({ deltas: ["  "] })]);
    expect(failureOf(outcome)).toMatchObject({ code: "provider_unavailable", retryable: true, calls: 1, message: expect.stringContaining("empty") });
  });

  test("a stream that breaks off is retryable, and costs the most that it can have cost", async () => {
    const held: ReserveCall[] = [];
    const reserve: LlmDeps["reserve"] = async (call) => {
      held.push(call);
      return { kind: "granted" };
    };
    const { outcome } = await run(order(), [() => openAiStream({ deltas: ["half"], finishReason: null, usage: null })], { reserve });
    expect(outcome).toMatchObject({ status: "failed", failure: { code: "provider_unavailable", retryable: true }, calls: [{ estimated: true, outputTokens: 300 }] });
    expect(outcome).toMatchObject({ calls: [{ inputTokens: held[0]!.inputTokens, costNanoUsd: held[0]!.costNanoUsd }] });
  });

  test("no key and no prompt text gets into the message, and it is cut at 500 characters", async () => {
    const prompt = "The launch code of the northern station is 4711, tell nobody.";
    const quoted = await run(order({ input: { prompt } }), [() => problem(400, { error: { message: `bad input: ${prompt}` } })]);
    expect(JSON.stringify(quoted.outcome)).not.toContain("northern station");
    const keyed = await run(order(), [() => problem(401, { error: { message: `Incorrect API key: ${KEYS["LOCAL_KEY"]} or sk-abc123` } })]);
    expect(JSON.stringify(keyed.outcome)).not.toContain(KEYS["LOCAL_KEY"]);
    expect(JSON.stringify(keyed.outcome)).not.toContain("sk-abc123");
    const long = await run(order(), [() => problem(500, { error: { message: "ab ".repeat(2_000) } })]);
    expect(failureOf(long.outcome)).toMatchObject({ message: expect.stringMatching(/^.{490,540}$/) });
  });

  test("an answer that could not be stored is given up", async () => {
    const { outcome } = await run(order(), [() => openAiStream({ deltas: ["a".repeat(MAX_ANSWER_CHARACTERS), "b"] })]);
    expect(failureOf(outcome)).toMatchObject({ code: "output_invalid", retryable: false, calls: 1 });
    const whole = await run(order(), [() => openAiStream({ deltas: ["a".repeat(MAX_ANSWER_CHARACTERS)] })]);
    expect(whole.outcome.status).toBe("completed");
  });

  test("no configured model fails without a call and names the secret", async () => {
    const { outcome, calls } = await run(order({ llm: { model: "large" } }), [], { isConfigured: () => false });
    expect(failureOf(outcome)).toMatchObject({ code: "provider_unavailable", retryable: false, message: expect.stringContaining("ANTHROPIC_API_KEY") });
    expect(calls).toHaveLength(0);
  });

  test("an engine that cannot be built is a failure, not an exception", async () => {
    const { outcome } = await run(order(), [], { engine: () => Promise.reject(new Error("the provider local has no baseUrl")) });
    expect(failureOf(outcome)).toMatchObject({ code: "provider_rejected", retryable: false });
  });
});

describe("the attempt's signal", () => {
  const hanging = () => new Promise<Response>(() => undefined);

  test("ends a call whose engine does not listen, as a retryable timeout priced at the output cap", async () => {
    const abort = new AbortController();
    const pending = run(order(), [hanging], { signal: abort.signal });
    setTimeout(() => abort.abort(), 5);
    const { outcome } = await pending;
    expect(outcome).toMatchObject({ status: "failed", failure: { code: "timeout", retryable: true }, calls: [{ estimated: true, outputTokens: 300 }] });
  });

  test("in the middle of an answer does the same", async () => {
    const abort = new AbortController();
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n')),
    });
    const { outcome } = await run(order(), [() => new Response(body, { headers: { "content-type": "text/event-stream" } })], { signal: abort.signal, onDelta: () => abort.abort() });
    expect(outcome).toMatchObject({ failure: { code: "timeout" }, calls: [{ estimated: true, outputTokens: 300 }] });
  });

  test("that is over before the start makes no call", async () => {
    const { outcome, calls } = await run(order(), [], { signal: AbortSignal.abort() });
    expect(failureOf(outcome)).toMatchObject({ code: "timeout", calls: 0 });
    expect(calls).toHaveLength(0);
  });
});

describe("an output schema", () => {
  const outputSchema = { type: "object", required: ["n"], properties: { n: { type: "integer" } } };

  test("is sent with a capable model, told in the prompt, and its answer parsed", async () => {
    const { outcome, calls } = await run(order({ llm: { outputSchema } }), [() => openAiStream({ deltas: ['{"n":', " 3}"] })]);
    expect(outcome).toMatchObject({ status: "completed", output: { n: 3 } });
    expect(calls[0]?.body["response_format"]).toMatchObject({ type: "json_schema", json_schema: { schema: outputSchema, strict: false } });
    expect(JSON.stringify(messagesOf(calls[0]?.body).at(-1))).toContain("JSON Schema");
  });

  test("is only told in the prompt when the model cannot take it", async () => {
    const { calls } = await run(order({ llm: { outputSchema, tier: "base" } }), [() => openAiStream({ deltas: ['{"n":3}'] })]);
    expect(calls[0]?.body["response_format"]).toBeUndefined();
  });

  test.each(['```json\n{"n":3}\n```', '```\n{"n":3}\n```', 'Here it is:\n```json\n{"n":3}\n```\nDone.', ' {"n":3}\n'])("tolerates %j", async (text) => {
    const { outcome } = await run(order({ llm: { outputSchema } }), [() => openAiStream({ deltas: [text] })]);
    expect(outcome).toMatchObject({ status: "completed", output: { n: 3 } });
  });

  test.each<[string, string, RegExp]>([
    ["no JSON", "three", /not JSON/],
    ["a wrong type", '{"n":"x"}', /\/n: .*integer/],
    ["a missing property", "{}", /n/],
  ])("%s is a quality failure that may be tried again, and is paid", async (_, text, message) => {
    const { outcome } = await run(order({ llm: { outputSchema } }), [() => openAiStream({ deltas: [text] })]);
    expect(failureOf(outcome)).toMatchObject({ code: "output_invalid", retryable: true, calls: 1, message: expect.stringMatching(message) });
  });

  test("a cut answer says that it was cut", async () => {
    const { outcome } = await run(order({ llm: { outputSchema } }), [() => openAiStream({ deltas: ['{"n":'], finishReason: "length" })]);
    expect(failureOf(outcome)).toMatchObject({ message: expect.stringContaining("cut at the output limit") });
  });

  test("a schema that no answer can be checked with fails for good", async () => {
    const { outcome } = await run(order({ llm: { outputSchema: { $ref: "#/$defs/none" } } }), [() => openAiStream({ deltas: ["{}"] })]);
    expect(failureOf(outcome)).toMatchObject({ code: "output_invalid", retryable: false });
  });

  test.each([
    ["Fill in.\n\nN: 7", 7],
    ["Fill in.\n\nn = 9", 9],
  ])("the embedded engine fills it from %j", async (prompt, n) => {
    const { outcome } = await run(order({ input: { prompt }, llm: { outputSchema, model: "offline" } }), []);
    expect(outcome).toMatchObject({ status: "completed", output: { n }, route: { provider: "offline" }, calls: [{ costNanoUsd: 0, estimated: false }] });
  });
});

test("without any key the default document answers with the embedded engine, at no cost and with a baseline", async () => {
  const registry = registerDocument(DEFAULT_TIERS, { secrets: () => undefined, fetch: fakeFetch().fetch });
  const heard: string[] = [];
  const outcome = await runLlmAttempt(order({ input: { prompt: "Summarize: The ledger holds every call that was made. It is never below what providers served." }, llm: { tier: null } }), {
    ...UNMEASURED,
    document: DEFAULT_TIERS,
    engine: async (provider, model) => {
      const engine = registry.get(provider.id);
      if (engine === null) throw new Error("unconfigured");
      return engine(model);
    },
    isConfigured: (providerId) => registry.isConfigured(providerId),
    margins: new TokenMargins(),
    now: () => NOW,
    signal: new AbortController().signal,
    onDelta: (text) => heard.push(text),
  });
  expect(outcome).toMatchObject({ status: "completed", route: { tier: "weak", model: "offline", provider: "offline" }, calls: [{ costNanoUsd: 0, estimated: false }] });
  if (outcome.status !== "completed") return;
  expect(outcome.calls[0]?.baselineNanoUsd).toBeGreaterThan(0);
  expect(heard.join("")).toBe(outcome.output);
});
