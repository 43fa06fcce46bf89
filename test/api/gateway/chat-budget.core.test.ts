import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boundInputTokens, measureChat } from "../../../src/api/gateway/bound-tokens.ts";
import { MIN_OUTPUT_TOKENS } from "../../../src/api/gateway/chat-budget.ts";
import type { ChatBody } from "../../../src/api/gateway/chat-body.ts";
import type { CallsToReserve, TenantPort } from "../../../src/api/ports/tenant-port.ts";
import type { ProviderKind } from "../../../src/config/tiers.ts";
import { NO_LIMITS, type TenantBudget } from "../../../src/config/tenant-record.ts";
import { leaseShare, settleShare, takeSpend, type ShareAnswer } from "../../../src/workflow/budget/tenant-account.ts";
import { anthropicStream } from "../../router/engines/fake-upstream.ts";
import { MemoryBook } from "../../workflow/budget/account-book.ts";
import { chunk, completion, createChatWorld, DONE, refusal, stream, USAGE_CHUNK, type Upstream } from "./chat-world.ts";

const DAY_MS = 86_400_000;
const TODAY = Date.UTC(2026, 10, 1) / DAY_MS;
/** Nano-dollars of one output token of `one`, and of one of its input. */
const OUTPUT = 2_000;
const INPUT = 1_000;
const BODY: ChatBody = { model: "one", messages: [{ role: "user", content: "Hi there" }] };
const INPUT_TOKENS = boundInputTokens(measureChat(BODY), "openai-compatible");
/** Families count differently. */
const inputOf = (kind: ProviderKind): number => boundInputTokens(measureChat(BODY), kind) * INPUT;

/** The gateway before the account of a tenant. */
function createBudgetWorld(upstream: Upstream, maxNanoUsd: number, period: TenantBudget["period"] = "month") {
  const book = new MemoryBook();
  book.budget = { maxNanoUsd, period };
  const asked: CallsToReserve[] = [];
  const held: number[] = [];
  const answers: (() => ShareAnswer)[] = [];
  const reserveCalls: TenantPort["reserveCalls"] = async (request) => {
    asked.push(request);
    const { id, ...rest } = request;
    const answer = (answers.shift() ?? (() => leaseShare(book, { ...rest, holder: { id, createdAt: 0 }, revision: 0 })))();
    held.push(book.sumDays(0, Infinity).heldNanoUsd);
    return answer;
  };
  const world = createChatWorld(upstream, {}, {
    allowances: { read: async () => ({ budget: book.budget, limits: NO_LIMITS }), forget: () => undefined },
    tenant: () => ({ reserveCalls }) as unknown as TenantPort,
  });
  const settle = async (): Promise<void> => {
    await world.settled();
    for (const { id, calls } of world.entered.splice(0)) settleShare(book, { id, createdAt: 0 }, TODAY, calls.reduce((sum, call) => sum + call.costNanoUsd, 0));
  };
  return { ...world, book, asked, held, answers, settle };
}

async function errorOf(response: Response): Promise<{ message: string; type: string; code: string | null }> {
  return ((await response.json()) as { error: { message: string; type: string; code: string | null } }).error;
}

describe("a tenant without a budget", () => {
  test("is asked nothing, and no cap is sent for it", async () => {
    const asked: string[] = [];
    const { chat, calls } = createChatWorld(() => completion("x"), {}, { tenant: () => new Proxy({} as TenantPort, { get: (_, name) => asked.push(String(name)) }) });
    expect((await chat({ model: "one" })).status).toBe(200);
    expect(asked).toEqual([]);
    expect(calls[0]!.body).not.toHaveProperty("max_tokens");
  });

  test("whose record cannot be read is asked to come again: an unknown budget is not no budget", async () => {
    const { chat, calls } = createChatWorld(() => completion("x"), {}, { allowances: { read: () => Promise.reject(new Error("away")), forget: () => undefined } });
    const response = await chat({ model: "one" });
    expect([response.status, response.headers.get("retry-after"), calls.length]).toEqual([503, "1", 0]);
  });
});

describe("before a call", () => {
  test("its worst case is reserved, and its cost settled in the place of it", async () => {
    const { chat, asked, held, book, settle } = createBudgetWorld(() => completion("x"), 1e9);
    await chat({ model: "one", max_tokens: 50 });
    const worst = INPUT_TOKENS * INPUT + 50 * OUTPUT;
    expect(asked).toMatchObject([{ day: TODAY, neededNanoUsd: worst, wantedNanoUsd: worst }]);
    expect(asked[0]!.expiresAt).toBeGreaterThan(TODAY * DAY_MS + 900_000);
    expect(held).toEqual([worst]);
    await settle();
    expect(book.sumDays(TODAY, TODAY)).toEqual({ heldNanoUsd: 140_000, spentNanoUsd: 140_000 });
  });

  test.each<[string, string, ProviderKind]>([
    ["one", "max_tokens", "openai-compatible"],
    ["llama", "max_tokens", "workers-ai"],
    ["gpt", "max_completion_tokens", "openai"],
  ])("the output limit of %s is sent as %s where the client set none", async (model, name, kind) => {
    const { chat, calls, asked } = createBudgetWorld(() => completion("x"), 1e9);
    await chat({ model });
    expect(calls[0]!.body[name]).toBe(1_000);
    expect(asked[0]).toMatchObject({ neededNanoUsd: inputOf(kind) + MIN_OUTPUT_TOKENS * OUTPUT, wantedNanoUsd: inputOf(kind) + 1_000 * OUTPUT });
  });

  test("a client's own cap is left as it came, and one beyond the model's limit is cut", async () => {
    const { chat, calls, asked } = createBudgetWorld(() => completion("x"), 1e9);
    await chat({ model: "one", max_tokens: 7 });
    await chat({ model: "gpt", max_tokens: 5_000 });
    expect(calls.map(({ body }) => [body["max_tokens"], body["max_completion_tokens"]])).toEqual([[7, undefined], [1_000, undefined]]);
    expect(asked[1]!.neededNanoUsd).toBe(inputOf("openai") + 1_000 * OUTPUT);
  });

  test("of two caps under both names the larger is reserved for, and each is cut to the model's limit", async () => {
    const { chat, calls, asked } = createBudgetWorld(() => completion("x"), 1e9);
    await chat({ model: "one", max_tokens: 900, max_completion_tokens: 10 });
    await chat({ model: "one", max_tokens: 5_000, max_completion_tokens: 10 });
    expect(asked.map(({ neededNanoUsd }) => neededNanoUsd)).toEqual([900, 1_000].map((cap) => INPUT_TOKENS * INPUT + cap * OUTPUT));
    expect(calls.map(({ body }) => [body["max_tokens"], body["max_completion_tokens"]])).toEqual([[900, 10], [1_000, 10]]);
  });

  test("its input is bounded by what the provider's family counts more, and by what the model was seen to count", async () => {
    const text = "The lamp burns until the fog has gone. ".repeat(60);
    const body = { messages: [{ role: "user", content: text }], max_tokens: 10 };
    const plain = boundInputTokens(measureChat({ model: "one", ...body }), "openai");
    const { chat, asked } = createBudgetWorld(() => completion("x", { usage: { prompt_tokens: 2 * plain, completion_tokens: 1 } }), 1e9);
    for (const model of ["gpt", "claude", "one", "one"]) await chat({ model, ...body });
    const inputs = asked.map(({ neededNanoUsd }) => (neededNanoUsd - 10 * OUTPUT) / INPUT);
    expect(inputs[0]).toBe(plain);
    expect(inputs[1]! / plain).toBeCloseTo(1.3, 1);
    expect(inputs[2]! / plain).toBeCloseTo(1.1, 1);
    expect(inputs[3]! / plain).toBeGreaterThan(2);
  });

  test("what the budget allows is sent as the cap, also to a model of another wire format", async () => {
    const room = INPUT_TOKENS * INPUT + 2 * MIN_OUTPUT_TOKENS * OUTPUT;
    for (const [model, kind] of [["one", "openai-compatible"], ["claude", "anthropic"]] as const) {
      const { chat, calls, book } = createBudgetWorld(() => completion("x"), room);
      await chat({ model });
      const cap = Number(calls[0]!.body["max_tokens"]);
      expect(cap).toBeGreaterThanOrEqual(MIN_OUTPUT_TOKENS);
      expect(inputOf(kind) + cap * OUTPUT).toBeLessThanOrEqual(book.sumDays(TODAY, TODAY).heldNanoUsd);
      expect(inputOf(kind) + (cap + 1) * OUTPUT).toBeGreaterThan(book.sumDays(TODAY, TODAY).heldNanoUsd);
    }
  });

  test("each of several answers is reserved for", async () => {
    const { chat, asked } = createBudgetWorld(() => completion("x"), 1e9);
    await chat({ model: "one", max_tokens: 50, n: 3 });
    expect(asked[0]!.neededNanoUsd).toBe(INPUT_TOKENS * INPUT + 150 * OUTPUT);
  });

  test("a model that costs nothing needs no budget", async () => {
    const { chat, asked } = createBudgetWorld(() => completion("x"), 0);
    expect((await chat({ model: "offline" })).status).toBe(200);
    expect(asked).toEqual([]);
  });

  test("a budget that was removed meanwhile binds nobody", async () => {
    const { chat, answers, calls, world } = createBudgetWorld(() => completion("x"), 1);
    answers.push(() => ({ kind: "unlimited" }));
    expect((await chat({ model: "one" })).status).toBe(200);
    expect(calls[0]!.body).not.toHaveProperty("max_tokens");
    expect(world.log.filter(({ event }) => event === "gateway.overrun")).toEqual([]);
  });

  test("a tenant's object that fails once is asked again, and one that is away is a 503", async () => {
    const fail = (): never => {
      throw new Error("away");
    };
    const { chat, answers, calls } = createBudgetWorld(() => completion("x"), 1e9);
    answers.push(fail);
    expect((await chat({ model: "one" })).status).toBe(200);
    answers.push(fail, fail);
    const response = await chat({ model: "one" });
    expect([response.status, response.headers.get("retry-after"), calls.length]).toEqual([503, "1", 1]);
  });
});

describe("a cap that is reached", () => {
  test("is a 429 in OpenAI's words that says what is left and when it begins anew, and makes no client try again", async () => {
    const { chat, calls, entered, settled } = createBudgetWorld(() => completion("x"), 100_000);
    const response = await chat({ model: "one", max_tokens: 900, stream: true });
    expect([response.status, response.headers.get("x-should-retry"), response.headers.get("content-type")]).toEqual([429, "false", "application/json"]);
    const error = await errorOf(response);
    expect(error).toMatchObject({ type: "insufficient_quota", code: "insufficient_quota" });
    expect(error.message).toMatch(/\$0\.000100 a month.*one may cost up to \$0\.00\d+.*\$0\.000100 is left.*smaller max_tokens.*2026-12-01/);
    await settled();
    expect([calls.length, entered.length]).toEqual([0, 0]);
  });

  test("by what running calls hold may be tried again", async () => {
    const { chat, book } = createBudgetWorld(() => completion("x"), 1e7, "total");
    takeSpend(book, { id: "w", createdAt: 1 }, { day: TODAY, spentNanoUsd: 0, leasedNanoUsd: 1e7, revision: 1 });
    const response = await chat({ model: "one" });
    expect([response.status, response.headers.get("x-should-retry")]).toEqual([429, null]);
    expect((await errorOf(response)).message).toMatch(/may come back/);
  });

  test("is not asked about again for a model that needs more than was left", async () => {
    const { chat, asked } = createBudgetWorld(() => completion("x"), 1_000);
    expect((await chat({ model: "tier:weak", max_tokens: 100 })).status).toBe(429);
    expect(asked).toHaveLength(1);
  });
});

describe("a request that falls over", () => {
  test("reserves the next model's call beside what the failed ones may have cost", async () => {
    const { chat, asked, settle, book } = createBudgetWorld(({ url }) => (url.includes("open.example") ? stream([]) : stream([chunk({ content: "x" }), chunk({}, "stop"), USAGE_CHUNK, DONE])), 1e9);
    const response = await chat({ model: "tier:weak", max_tokens: 10, stream: true });
    expect(response.headers.get("x-model")).toBe("two");
    await response.text();
    expect(asked).toHaveLength(2);
    expect(asked[1]!.neededNanoUsd).toBeGreaterThan(INPUT_TOKENS * 10 * INPUT + 10 * 10 * OUTPUT);
    await settle();
    const { heldNanoUsd, spentNanoUsd } = book.sumDays(TODAY, TODAY);
    expect(heldNanoUsd).toBe(spentNanoUsd);
  });

  test("passes a model by that costs too much, for a cheaper one, and does not tell of it as a failure", async () => {
    const { chat, asked } = createBudgetWorld(({ url }) => (url.includes("open.example") ? refusal(500, "oops") : completion("x")), INPUT_TOKENS * INPUT + 10 * OUTPUT);
    const response = await chat({ model: "tier:weak", max_tokens: 10 });
    expect([response.status, response.headers.get("x-model"), response.headers.get("x-fallbacks")]).toEqual([200, "gpt", "one"]);
    // `two` costs ten times as much.
    expect(asked.map(({ neededNanoUsd }) => neededNanoUsd)).toEqual([1, 10].map((factor) => factor * (INPUT_TOKENS * INPUT + 10 * OUTPUT)).concat(inputOf("openai") + 10 * OUTPUT));
  });

  test("to models that no longer fit tells what was wrong with the first", async () => {
    const { chat } = createBudgetWorld(() => stream([]), INPUT_TOKENS * INPUT + 10 * OUTPUT);
    const response = await chat({ model: "tier:weak", max_tokens: 10, stream: true });
    expect([response.status, response.headers.get("x-model")]).toEqual([503, "one"]);
  });
});

describe("an answer that does not come to its end", () => {
  const pieces = [chunk({ role: "assistant", content: "" }), chunk({ content: "Hel" })];
  const counted = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "lo" }, finish_reason: null }], usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 } })}\n\n`;
  const lost = (): Promise<Response> => Promise.reject(new Error("Network connection lost."));
  const halfBody = (): Response => {
    const source = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"choices":[')),
      pull: (controller) => controller.error(new Error("Network connection lost.")),
    });
    return new Response(source, { headers: { "content-type": "application/json" } });
  };
  const whole = { stream: false };
  const streamed = { stream: true };

  test.each<[string, object, Upstream]>([
    ["lost before its header", whole, lost],
    ["lost before its header, of a stream", streamed, lost],
    ["lost before its header, in another format", { model: "claude" }, lost],
    ["broken off behind its header", whole, halfBody],
    ["broken off behind its header, of a stream", streamed, () => stream([], new Error("Network connection lost."))],
    ["broken off", streamed, () => stream(pieces, new Error("Network connection lost."))],
    ["ended without its end", streamed, () => stream(pieces)],
    ["ended before it began", streamed, () => stream([])],
    ["each of several broken off", { ...streamed, n: 2 }, () => stream(pieces)],
    ["unreadable", whole, () => new Response("<html>", { headers: { "content-type": "text/html" } })],
    ["whole where a stream was asked for, and uncounted", streamed, () => completion("Hello", { usage: undefined })],
    ["broken off in another format", { model: "claude" }, () => anthropicStream({ deltas: ["Hel"], isCut: true })],
    ["broken off in another format, of a stream", { model: "claude", ...streamed }, () => anthropicStream({ deltas: ["Hel"], isCut: true })],
    ["an error in the middle, in another format", { model: "claude" }, () => anthropicStream({ deltas: ["Hel"], error: { type: "overloaded_error", message: "Overloaded" } })],
  ])("counts what was reserved for it: %s", async (_, body, upstream) => {
    const { chat, asked, book, settle } = createBudgetWorld(upstream, 1e9);
    await (await chat({ model: "one", max_tokens: 50, ...body })).text();
    await settle();
    expect(asked).toHaveLength(1);
    expect(book.sumDays(TODAY, TODAY)).toEqual({ heldNanoUsd: asked[0]!.neededNanoUsd, spentNanoUsd: asked[0]!.neededNanoUsd });
  });

  test("counts all of the output that was reserved also where its client leaves, or the provider had counted until then", async () => {
    const { chat, book, settle } = createBudgetWorld(() => stream([...pieces, counted]), 1e9);
    await (await chat({ model: "one", max_tokens: 50, stream: true })).text();
    await settle();
    expect(book.sumDays(TODAY, TODAY).spentNanoUsd).toBe(5 * INPUT + 50 * OUTPUT);
    const endless = createBudgetWorld(() => new Response(new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(new TextEncoder().encode(pieces[1])) }), { headers: { "content-type": "text/event-stream" } }), 1e9);
    const reader = (await endless.chat({ model: "one", max_tokens: 50, stream: true })).body!.getReader();
    await reader.read();
    await reader.cancel();
    await endless.settle();
    expect(endless.book.sumDays(TODAY, TODAY).spentNanoUsd).toBe(INPUT_TOKENS * INPUT + 50 * OUTPUT);
  });

  test.each<[string, object, Upstream]>([
    ["refused", whole, () => refusal(429, "slow down")],
    ["never reached", whole, () => Promise.reject(new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED 127.0.0.1:1") }))],
    ["an error in its place", streamed, () => stream(['data: {"error":{"message":"overloaded","code":502}}\n\n'])],
    ["an error in its place, in another format", { model: "claude" }, () => anthropicStream({ deltas: [], error: { type: "overloaded_error", message: "Overloaded" } })],
  ])("costs nothing where the provider served nothing: %s", async (_, body, upstream) => {
    const { chat, book, settle } = createBudgetWorld(upstream, 1e9);
    await (await chat({ model: "one", max_tokens: 50, ...body })).text();
    await settle();
    expect(book.sumDays(TODAY, TODAY)).toEqual({ heldNanoUsd: 0, spentNanoUsd: 0 });
  });

  test.each([false, true])("costs no more than was reserved where it was whole and nobody counted it (stream: %s)", async (isStream) => {
    const text = "word ".repeat(500);
    const { chat, asked, book, settle } = createBudgetWorld(() => (isStream ? stream([chunk({ content: text }), chunk({}, "stop"), DONE]) : completion(text, { usage: undefined })), 1e9);
    await (await chat({ model: "one", max_tokens: 50, stream: isStream })).text();
    await settle();
    const { spentNanoUsd } = book.sumDays(TODAY, TODAY);
    expect(spentNanoUsd).toBeGreaterThan(50 * OUTPUT);
    expect(spentNanoUsd).toBeLessThanOrEqual(asked[0]!.neededNanoUsd);
  });

  test("costs what was counted where it was whole but no stream", async () => {
    const { chat, book, settle } = createBudgetWorld(() => completion("Hello"), 1e9);
    await (await chat({ model: "one", max_tokens: 50, stream: true })).text();
    await settle();
    expect(book.sumDays(TODAY, TODAY).spentNanoUsd).toBe(140_000);
  });
});

test("whatever clients ask at once, what is held for their calls never passes the budget, and at the end it is what they cost", async () => {
  const request = fc.record({ model: fc.constantFrom("one", "two", "tier:weak", "tier:base", "auto", "claude"), max_tokens: fc.option(fc.integer({ min: 1, max: 2_000 }), { nil: undefined }), n: fc.constantFrom(undefined, 2), words: fc.integer({ min: 1, max: 300 }) });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 5_000_000 }), fc.array(request, { minLength: 1, maxLength: 12 }), async (limit, requests) => {
      /** Uses exactly what it was allowed: the cap in each answer, and the prompt. */
      const greedy: Upstream = ({ body }) => {
        const cap = Number(body["max_tokens"] ?? body["max_completion_tokens"]) * Number(body["n"] ?? 1);
        const prompt = boundInputTokens(measureChat(body as ChatBody), "openai") - 10;
        return completion("x", { usage: { prompt_tokens: prompt, completion_tokens: cap, total_tokens: prompt + cap } });
      };
      const { chat, held, book, settle, world } = createBudgetWorld(greedy, limit);
      await Promise.all(requests.map(({ words, ...body }) => chat({ ...body, messages: [{ role: "user", content: "word ".repeat(words) }] })));
      expect(Math.max(0, ...held)).toBeLessThanOrEqual(limit);
      await settle();
      const { heldNanoUsd, spentNanoUsd } = book.sumDays(TODAY, TODAY);
      expect(spentNanoUsd).toBe(heldNanoUsd);
      expect(spentNanoUsd).toBeLessThanOrEqual(limit);
      expect(world.log.filter(({ event }) => event === "gateway.overrun")).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test("a provider that bills more than it was allowed is told of in the log", async () => {
  const { chat, world, settled } = createBudgetWorld(() => completion("x"), 1e9);
  await chat({ model: "one", max_tokens: 1 });
  await settled();
  expect(world.log.filter(({ event }) => event === "gateway.overrun")).toMatchObject([{ models: ["one"], costNanoUsd: 140_000, reservedNanoUsd: INPUT_TOKENS * INPUT + OUTPUT }]);
});

describe("the bound of a request's input", () => {
  const text = { role: "user", content: "Hi there" };

  test.each([
    ["tools", { tools: [{ type: "function", function: { name: "find" } }] }],
    ["a schema for the answer", { response_format: { type: "json_schema", json_schema: { name: "x", schema: { type: "object" } } } }],
    ["another message", { messages: [text, text] }],
    ["calls of tools", { messages: [{ ...text, tool_calls: [{ id: "1", type: "function", function: { name: "find", arguments: "{}" } }] }] }],
    ["a parameter that only some servers know, and may put into the prompt", { documents: [{ title: "x", text: "A long story." }] }],
    ["what stands in the place of a text", { messages: [{ role: "user", content: [{ type: "text", text: "Hi there" }, { type: "text", text: ["A long story."] }] }] }],
    ["an image", { messages: [{ role: "user", content: [{ type: "text", text: "Hi there" }, { type: "image_url", image_url: { url: "https://x.example/y.png" } }] }] }],
  ])("counts %s", (_, changes) => {
    expect(boundInputTokens(measureChat({ ...BODY, ...changes }), "openai-compatible")).toBeGreaterThan(INPUT_TOKENS);
  });

  test("leaves out what no model reads", () => {
    const settings = { temperature: 0.5, seed: 7, stop: ["x"], logit_bias: { "50256": -100 }, user: "somebody", metadata: { a: "b" }, stream_options: { include_usage: true } };
    expect(boundInputTokens(measureChat({ ...BODY, ...settings }), "openai-compatible")).toBe(INPUT_TOKENS);
  });

  test("is the window of the model where a file is only named", async () => {
    const { chat, asked } = createBudgetWorld(() => completion("x"), 1e9);
    await chat({ model: "one", max_tokens: 10, messages: [{ role: "user", content: [{ type: "file", file: { file_id: "f" } }] }] });
    expect(asked[0]!.neededNanoUsd).toBe(8_000 * INPUT + 10 * OUTPUT);
  });
});
