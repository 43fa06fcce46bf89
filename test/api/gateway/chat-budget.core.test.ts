import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boundInputTokens } from "../../../src/api/gateway/bound-tokens.ts";
import { MIN_OUTPUT_TOKENS } from "../../../src/api/gateway/chat-budget.ts";
import type { ChatBody } from "../../../src/api/gateway/chat-body.ts";
import type { CallsToReserve, TenantPort } from "../../../src/api/tenant-port.ts";
import { NO_LIMITS, type TenantBudget } from "../../../src/config/tenant-record.ts";
import { leaseShare, settleShare, takeSpend, type ShareAnswer } from "../../../src/workflow/tenant-account.ts";
import { MemoryBook } from "../../workflow/account-book.ts";
import { chunk, completion, createChatWorld, DONE, refusal, stream, USAGE_CHUNK, type Upstream } from "./chat-world.ts";

const DAY_MS = 86_400_000;
const TODAY = Date.UTC(2026, 10, 1) / DAY_MS;
/** Nano-dollars of one output token of `one`, and of one of its input. */
const OUTPUT = 2_000;
const INPUT = 1_000;
const BODY: ChatBody = { model: "one", messages: [{ role: "user", content: "Hi there" }] };
const INPUT_TOKENS = boundInputTokens(BODY);

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

  test.each([
    ["one", "max_tokens"],
    ["llama", "max_tokens"],
    ["gpt", "max_completion_tokens"],
  ])("the output limit of %s is sent as %s where the client set none", async (model, name) => {
    const { chat, calls, asked } = createBudgetWorld(() => completion("x"), 1e9);
    await chat({ model });
    expect(calls[0]!.body[name]).toBe(1_000);
    expect(asked[0]).toMatchObject({ neededNanoUsd: INPUT_TOKENS * INPUT + MIN_OUTPUT_TOKENS * OUTPUT, wantedNanoUsd: INPUT_TOKENS * INPUT + 1_000 * OUTPUT });
  });

  test("a client's own cap is left as it came, and one beyond the model's limit is cut", async () => {
    const { chat, calls, asked } = createBudgetWorld(() => completion("x"), 1e9);
    await chat({ model: "one", max_tokens: 7 });
    await chat({ model: "gpt", max_tokens: 5_000 });
    expect(calls.map(({ body }) => [body["max_tokens"], body["max_completion_tokens"]])).toEqual([[7, undefined], [1_000, undefined]]);
    expect(asked[1]!.neededNanoUsd).toBe(INPUT_TOKENS * INPUT + 1_000 * OUTPUT);
  });

  test("what the budget allows is sent as the cap, also to a model of another wire format", async () => {
    const room = INPUT_TOKENS * INPUT + 2 * MIN_OUTPUT_TOKENS * OUTPUT;
    for (const model of ["one", "claude"]) {
      const { chat, calls, book } = createBudgetWorld(() => completion("x"), room);
      await chat({ model });
      const cap = Number(calls[0]!.body["max_tokens"]);
      expect(cap).toBeGreaterThanOrEqual(MIN_OUTPUT_TOKENS);
      expect(INPUT_TOKENS * INPUT + cap * OUTPUT).toBeLessThanOrEqual(book.sumDays(TODAY, TODAY).heldNanoUsd);
      expect(INPUT_TOKENS * INPUT + (cap + 1) * OUTPUT).toBeGreaterThan(book.sumDays(TODAY, TODAY).heldNanoUsd);
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
    expect(asked.map(({ neededNanoUsd }) => neededNanoUsd)).toEqual([1, 10, 1].map((factor) => factor * (INPUT_TOKENS * INPUT + 10 * OUTPUT)));
  });

  test("to models that no longer fit tells what was wrong with the first", async () => {
    const { chat } = createBudgetWorld(() => stream([]), INPUT_TOKENS * INPUT + 10 * OUTPUT);
    const response = await chat({ model: "tier:weak", max_tokens: 10, stream: true });
    expect([response.status, response.headers.get("x-model")]).toEqual([503, "one"]);
  });
});

test("whatever clients ask at once, what is held for their calls never passes the budget, and at the end it is what they cost", async () => {
  const request = fc.record({ model: fc.constantFrom("one", "two", "tier:weak", "tier:base", "auto", "claude"), max_tokens: fc.option(fc.integer({ min: 1, max: 2_000 }), { nil: undefined }), n: fc.constantFrom(undefined, 2), words: fc.integer({ min: 1, max: 300 }) });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 5_000_000 }), fc.array(request, { minLength: 1, maxLength: 12 }), async (limit, requests) => {
      /** Uses exactly what it was allowed: the cap in each answer, and the prompt. */
      const greedy: Upstream = ({ body }) => {
        const cap = Number(body["max_tokens"] ?? body["max_completion_tokens"]) * Number(body["n"] ?? 1);
        const prompt = boundInputTokens(body as ChatBody) - 10;
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
    ["an image", { messages: [{ role: "user", content: [{ type: "text", text: "Hi there" }, { type: "image_url", image_url: { url: "https://x.example/y.png" } }] }] }],
  ])("counts %s", (_, changes) => {
    expect(boundInputTokens({ ...BODY, ...changes })).toBeGreaterThan(INPUT_TOKENS);
  });

  test("is the window of the model where a file is only named", async () => {
    const { chat, asked } = createBudgetWorld(() => completion("x"), 1e9);
    await chat({ model: "one", max_tokens: 10, messages: [{ role: "user", content: [{ type: "file", file: { file_id: "f" } }] }] });
    expect(asked[0]!.neededNanoUsd).toBe(8_000 * INPUT + 10 * OUTPUT);
  });
});
