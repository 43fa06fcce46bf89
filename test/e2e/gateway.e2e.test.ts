import { connect } from "node:net";
import OpenAI, { APIError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { ModelEntry, TierDocument } from "../../src/config/tiers.ts";
import { type FakeLlm, startFakeLlm } from "../fixtures/fake-llm.ts";
import { startDrippingServer, type DrippingServer } from "../fixtures/dripping-server.ts";
import { startWorker } from "./start-worker.ts";

const COMPATIBLE_KEY = "sk-compatible-0123456789abcdef";
const CLAUDE_KEY = "sk-ant-0123456789abcdef";
const PRICE = { inputPerMillionUsd: 0.0333, outputPerMillionUsd: 0.7, cachedInputPerMillionUsd: 0.0111 };

let llm: FakeLlm;
let dripping: DrippingServer;
let worker: LocalWorker;
let openai: OpenAI;

beforeAll(async () => {
  llm = await startFakeLlm();
  dripping = await startDrippingServer();
  worker = await startWorker({ vars: { COMPATIBLE_KEY, CLAUDE_KEY, LOG_LEVEL: "warn", SETTINGS: JSON.stringify({ routing: { circuitMinCalls: 100, circuitConsecutiveFailures: 100 } }) } });
  openai = new OpenAI({ apiKey: worker.rootKey, baseURL: `${worker.origin}/v1`, maxRetries: 0 });
  const answer = await ask("PUT", "/v1/tiers", tiersOf(llm.baseUrl, dripping.origin));
  expect(answer.status, await answer.clone().text()).toBe(200);
});

afterAll(async () => {
  await worker.stop();
  await llm.close();
  await dripping.close();
});

/** One model for each story, so that answers and faults of one test do not reach another. */
const STORIES = ["plain", "streaming", "tools", "json", "image", "unknown-parameters", "limited", "denied", "forbidden", "missing", "rejecting", "broken", "cut", "asks-next"];

function tiersOf(baseUrl: string, drippingOrigin: string): TierDocument {
  const model = (id: string, provider: string, tier: ModelEntry["tier"]): ModelEntry => ({ id, provider, tier, price: PRICE, contextWindow: 100_000, maxOutputTokens: 4_096, capabilities: ["tools", "json", "vision", "streaming"] });
  return {
    providers: [
      { id: "compatible", kind: "openai-compatible", baseUrl, secretName: "COMPATIBLE_KEY" },
      { id: "claude", kind: "anthropic", baseUrl, secretName: "CLAUDE_KEY" },
      { id: "dripping", kind: "openai-compatible", baseUrl: `${drippingOrigin}/v1` },
      { id: "unset", kind: "openai", secretName: "NOT_SET" },
    ],
    models: [
      model("weak-1", "compatible", "weak"),
      { ...model("weak-2", "compatible", "weak"), price: { inputPerMillionUsd: 9, outputPerMillionUsd: 9 } },
      model("base-1", "compatible", "base"),
      { ...model("strong-1", "claude", "strong"), upstreamModel: "claude-of-upstream" },
      ...STORIES.map((id) => model(id, "compatible", "base")),
      { ...model("claude", "claude", "strong"), upstreamModel: "claude-of-upstream" },
      model("dripping", "dripping", "base"),
      model("unset", "unset", "base"),
    ],
    tiers: { weak: ["weak-1", "weak-2"], base: ["base-1"], strong: ["strong-1"] },
  };
}

function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${worker.origin}${path}`, { method, headers: { authorization: `Bearer ${worker.rootKey}`, ...headers }, body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body) });
}

const question = [{ role: "user" as const, content: "What is it?" }];
const callsOf = (model: string) => llm.calls.filter((call) => call.model === model);

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

test("what a request called and cost is there for whoever asks next: in the ledger, the statistics and the tenant's spend", async () => {
  const json = async <Body>(method: string, path: string, body?: unknown, key = worker.rootKey): Promise<Body> => (await (await ask(method, path, body, { authorization: `Bearer ${key}` })).json()) as Body;
  await ask("POST", "/v1/tenants", { id: "asks-next", budget: { maxUsd: 1, period: "day" } });
  const { key } = await json<{ key: string }>("POST", "/v1/tenants/asks-next/keys", {});
  llm.answerWith({ text: "at once", inputTokens: 1_000, outputTokens: 10 }, "asks-next");
  for (let request = 1; request <= 3; request += 1) {
    const answer = await ask("POST", "/v1/chat/completions", { model: "asks-next", messages: question, max_tokens: 10 }, { authorization: `Bearer ${key}` });
    const costUsd = Number(answer.headers.get("x-cost-usd"));
    await answer.text();
    expect(await json("GET", "/v1/tenants/asks-next")).toMatchObject({ spend: { usd: expect.closeTo(costUsd * request, 9), reservedUsd: 0 } });
    expect((await json<{ items: object[] }>("GET", "/v1/ledger", undefined, key)).items).toHaveLength(request);
    expect(await json("GET", "/v1/stats", undefined, key)).toMatchObject({ routes: request, costUsd: expect.closeTo(costUsd * request, 9) });
  }
});

describe("the official openai package, unchanged", () => {
  test("gets an answer, with the model, the provider, the tier and the exact cost in headers", async () => {
    llm.answerWith({ text: "forty-two", inputTokens: 1_234, cachedTokens: 1_000, outputTokens: 77 }, "plain");
    const { data, response } = await openai.chat.completions.create({ model: "plain", messages: question }).withResponse();
    expect(data.choices[0]).toMatchObject({ message: { content: "forty-two" }, finish_reason: "stop" });
    expect(data.usage).toMatchObject({ prompt_tokens: 1_234, completion_tokens: 77 });
    // 234 at 0.0333, 1,000 at 0.0111 and 77 at 0.7 dollars per million: 72,792.2 nano-dollars, rounded up.
    expect(Object.fromEntries(["x-model", "x-provider", "x-tier", "x-cost-usd", "x-fallbacks"].map((name) => [name, response.headers.get(name)]))).toEqual({ "x-model": "plain", "x-provider": "compatible", "x-tier": "base", "x-cost-usd": "0.000072793", "x-fallbacks": "" });
    expect(callsOf("plain")[0]).toMatchObject({ stream: false, maxTokens: null, headers: { authorization: `Bearer ${COMPATIBLE_KEY}` } });
  });

  test("streams one, with usage and cost when it asks for them and without a word of them otherwise", async () => {
    llm.answerWith({ text: "x".repeat(90), inputTokens: 1_234, cachedTokens: 1_000, outputTokens: 77 }, "streaming");
    const create = (extra: object) => openai.chat.completions.create({ model: "streaming", messages: question, stream: true, ...extra });
    const chunks = await collect(await create({ stream_options: { include_usage: true } }));
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe("x".repeat(90));
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 1_234, completion_tokens: 77, cost_usd: 0.000072793 } });
    const silent = await collect(await create({}));
    expect(silent.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe("x".repeat(90));
    expect(silent.some((chunk) => chunk.usage != null || chunk.choices.length === 0)).toBe(false);
    expect(callsOf("streaming").map(({ body }) => body["stream_options"])).toEqual([{ include_usage: true }, { include_usage: true }]);
  });

  test.each([
    ["a provider of OpenAI's format", "tools"],
    ["one of another format", "claude"],
  ])("calls tools and gives their results back through %s, whole and streamed", async (_, model) => {
    llm.answerWith({ text: "", toolCalls: [{ id: "t1", name: "look", arguments: '{"at":"sky"}' }] }, model === "claude" ? "claude-of-upstream" : model);
    const tools = [{ type: "function" as const, function: { name: "look", description: "Looks", parameters: { type: "object", properties: { at: { type: "string" } } } } }];
    const first = await openai.chat.completions.create({ model, messages: question, tools, tool_choice: "auto" });
    expect(first.choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { tool_calls: [{ id: "t1", type: "function", function: { name: "look", arguments: '{"at":"sky"}' } }] } });
    const chunks = await collect(await openai.chat.completions.create({ model, messages: question, tools, stream: true }));
    const calls = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
    expect(calls[0]).toMatchObject({ index: 0, id: "t1", function: { name: "look" } });
    expect(calls.map((call) => call.function?.arguments ?? "").join("")).toBe('{"at":"sky"}');

    llm.answerWith("It is blue.", model === "claude" ? "claude-of-upstream" : model);
    const second = await openai.chat.completions.create({ model, messages: [...question, first.choices[0]!.message, { role: "tool", tool_call_id: "t1", content: "blue" }], tools });
    expect(second.choices[0]!.message.content).toBe("It is blue.");
    expect(JSON.stringify(llm.calls.at(-1)!.body["messages"])).toContain("blue");
  });

  test("gets JSON when it asks for it", async () => {
    llm.answerWith('{"answer":42}', "json");
    const format = { type: "json_schema" as const, json_schema: { name: "answer", schema: { type: "object", properties: { answer: { type: "integer" } } }, strict: true } };
    const answer = await openai.chat.completions.create({ model: "json", messages: question, response_format: format });
    expect(JSON.parse(answer.choices[0]!.message.content!)).toEqual({ answer: 42 });
    expect(callsOf("json")[0]!.body["response_format"]).toEqual(format);
  });

  test("sends an image to either format", async () => {
    const url = "data:image/png;base64,iVBORw0KGgo=";
    const messages = [{ role: "user" as const, content: [{ type: "text" as const, text: "What is it?" }, { type: "image_url" as const, image_url: { url } }] }];
    await openai.chat.completions.create({ model: "image", messages });
    expect(callsOf("image")[0]!.body["messages"]).toEqual(messages);
    await openai.chat.completions.create({ model: "claude", messages });
    expect(llm.calls.at(-1)!.body["messages"]).toMatchObject([{ role: "user", content: [{ type: "text", text: "What is it?" }, { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } }] }]);
  });

  test("sends parameters that nobody here knows, as they are", async () => {
    const extra = { n: 2, seed: 7, logprobs: true, top_logprobs: 3, stop: ["END"], logit_bias: { "50256": -100 }, user: "u-1", min_p: 0.05, provider: { order: ["x"], allow_fallbacks: false } };
    await openai.chat.completions.create({ model: "unknown-parameters", messages: question, ...extra, stream: false });
    expect(callsOf("unknown-parameters")[0]!.body).toEqual({ model: "unknown-parameters", messages: question, ...extra, stream: false });
  });

  test("lists the models and the names that stand for a choice", async () => {
    const ids = (await collect(await openai.models.list())).map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(["auto", "auto:cheapest", "auto:fastest", "auto:quality", "auto:balanced", "tier:weak", "tier:base", "tier:strong", "plain", "claude", "unset"]));
  });
});

describe("a provider of another wire format", () => {
  test("answers whole and streamed, with its tokens counted", async () => {
    llm.answerWith({ text: "from the other side", inputTokens: 100, cachedTokens: 40, outputTokens: 9 }, "claude-of-upstream");
    const messages = [{ role: "system" as const, content: "Be brief." }, ...question];
    const { data, response } = await openai.chat.completions.create({ model: "claude", messages, max_completion_tokens: 50, stop: "END" }).withResponse();
    expect(data).toMatchObject({ object: "chat.completion", model: "claude", choices: [{ message: { role: "assistant", content: "from the other side" }, finish_reason: "stop" }] });
    expect(data.usage).toMatchObject({ prompt_tokens: 100, completion_tokens: 9, total_tokens: 109, prompt_tokens_details: { cached_tokens: 40 } });
    // 60 at 0.0333, 40 at 0.0111 and 9 at 0.7 dollars per million: 8,742 nano-dollars.
    expect(response.headers.get("x-cost-usd")).toBe("0.000008742");
    expect(llm.calls.at(-1)!.body).toMatchObject({ model: "claude-of-upstream", max_tokens: 50, stop_sequences: ["END"], system: [{ text: "Be brief." }] });
    const chunks = await collect(await openai.chat.completions.create({ model: "claude", messages, stream: true, stream_options: { include_usage: true } }));
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe("from the other side");
    expect(chunks.at(-1)!.usage).toMatchObject({ prompt_tokens: 100, cost_usd: 0.000008742 });
  });

  test.each([["n", 2], ["logprobs", true], ["seed", 7], ["logit_bias", { 1: 1 }]])("refuses %s, which it cannot say", async (param, value) => {
    const refused = await openai.chat.completions.create({ model: "claude", messages: question, [param]: value } as never).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BadRequestError);
    expect(refused).toMatchObject({ status: 400, type: "invalid_request_error", param });
  });
});

describe("auto", () => {
  test.each([
    ["weak", "Summarize these logs: started, stopped."],
    ["base", "Implement a function that sorts a list of numbers."],
    ["strong", "Design the architecture of a system that routes messages."],
  ])("picks the %s tier, as the complexity of the prompt says", async (tier, prompt) => {
    llm.answerWith("done", tier === "strong" ? "claude-of-upstream" : `${tier}-1`);
    const route = (await (await ask("POST", "/v1/route", { prompt })).json()) as { tier: string; model: string };
    expect(route.tier).toBe(tier);
    const { response } = await openai.chat.completions.create({ model: "auto", messages: [{ role: "user", content: prompt }] }).withResponse();
    expect([response.headers.get("x-tier"), response.headers.get("x-model")]).toEqual([tier, route.model]);
  });

  test("falls over to the next model before the first byte, whole and streamed, and says which failed", async () => {
    llm.answerWith("second", "weak-2");
    for (const stream of [false, true]) {
      llm.injectFault("weak-1", { kind: "status", status: stream ? 503 : 500 });
      const response = await ask("POST", "/v1/chat/completions", { model: "tier:weak", messages: question, stream });
      expect(response.status).toBe(200);
      expect([response.headers.get("x-model"), response.headers.get("x-fallbacks")]).toEqual(["weak-2", "weak-1"]);
      expect(await response.text()).toContain("second");
    }
  });

  test("asks the tier's only model when it is named", async () => {
    const { response } = await openai.chat.completions.create({ model: "tier:base", messages: question }).withResponse();
    expect(response.headers.get("x-model")).toBe("base-1");
  });
});

describe("what goes wrong", () => {
  const create = (model: string, extra: object = {}) => openai.chat.completions.create({ model, messages: question, ...extra }).catch((error: unknown) => error as APIError);

  test("a provider's refusal of the request is passed on and does not fall over", async () => {
    llm.injectFault("rejecting", { kind: "status", status: 400, message: "this prompt is too long for me" });
    const error = await create("rejecting");
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ status: 400, type: "invalid_request_error", error: { message: "this prompt is too long for me" } });
    llm.injectFault("missing", { kind: "status", status: 404, message: "no such model" });
    expect(await create("missing")).toBeInstanceOf(NotFoundError);
    llm.injectFault("weak-1", { kind: "status", status: 400, message: "no" });
    const before = callsOf("weak-2").length;
    expect(await create("tier:weak")).toBeInstanceOf(BadRequestError);
    expect(callsOf("weak-2").length).toBe(before);
  });

  test.each([["denied", 401], ["forbidden", 403]])("a provider that says %s is the operator's matter: 502", async (model, status) => {
    llm.injectFault(model, { kind: "status", status, message: `the key ${COMPATIBLE_KEY} is wrong` });
    const error = await create(model);
    expect(error).toBeInstanceOf(InternalServerError);
    expect(error).toMatchObject({ status: 502, code: "provider_auth" });
    expect(JSON.stringify(error)).not.toContain(COMPATIBLE_KEY);
  });

  test("a provider that is down is a 503, with its wish when to come back", async () => {
    llm.injectFault("limited", { kind: "status", status: 429, retryAfter: "7" });
    const error = await create("limited");
    expect(error).toMatchObject({ status: 503, code: "provider_unavailable" });
    expect((error as APIError).headers!.get("retry-after")).toBe("7");
    llm.injectFault("broken", { kind: "cut", afterDeltas: 0 });
    expect(await create("broken")).toMatchObject({ status: 503 });
    llm.injectFault("broken", { kind: "empty" });
    expect(await create("broken", { stream: true })).toMatchObject({ status: 503 });
    expect(await create("unset")).toMatchObject({ status: 503 });
  });

  test("a stream that breaks after its first byte ends with an error in-band", async () => {
    llm.answerWith("x".repeat(200), "cut");
    llm.injectFault("cut", { kind: "cut", afterDeltas: 3 });
    const seen: string[] = [];
    const broken = async (): Promise<void> => {
      for await (const chunk of await openai.chat.completions.create({ model: "cut", messages: question, stream: true })) seen.push(chunk.choices[0]?.delta.content ?? "");
    };
    const error = await broken().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code: "provider_unavailable", type: "server_error" });
    expect(seen.join("")).toMatch(/^x{20,60}$/);
  });

  test("requests of the wrong shape, unknown models and routes, bodies too large and missing keys are told in OpenAI's words", async () => {
    expect(await create("nobody")).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
    expect(await create("auto:best")).toMatchObject({ status: 404, code: "model_not_found" });
    expect(await create("plain", { messages: [{ content: "no role" }] })).toMatchObject({ status: 400, type: "invalid_request_error", param: "messages[0].role" });
    expect(await create("plain", { messages: [] })).toMatchObject({ status: 400, param: "messages" });
    expect(await openai.embeddings.create({ model: "plain", input: "x" }).catch((error: unknown) => error)).toMatchObject({ status: 404, type: "invalid_request_error" });
    expect(await openai.responses.create({ model: "plain", input: "x" }).catch((error: unknown) => error)).toMatchObject({ status: 404 });
    expect((await ask("POST", "/v1/chat/completions", "{")).status).toBe(400);
    const large = await ask("POST", "/v1/chat/completions", { model: "plain", messages: [{ role: "user", content: "x".repeat(21_000_000) }] });
    expect([large.status, ((await large.json()) as { error: { type: string } }).error.type]).toEqual([413, "invalid_request_error"]);
    const stranger = new OpenAI({ apiKey: "wrong", baseURL: `${worker.origin}/v1`, maxRetries: 0 });
    const refused = await stranger.chat.completions.create({ model: "plain", messages: question }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(AuthenticationError);
    expect(refused).toMatchObject({ code: "invalid_api_key" });
  });
});

describe("a client that goes away", () => {
  test("while an answer is streamed: the provider's connection is closed", async () => {
    const stream = await openai.chat.completions.create({ model: "dripping", messages: question, stream: true });
    for await (const chunk of stream) {
      expect(chunk.choices[0]!.delta.content).toBe("drop ");
      stream.controller.abort();
    }
    await expect.poll(() => dripping.left).toBe(1);
  });

  test("while a whole answer is waited for: the same", async () => {
    // The runtime does not look at a connection that is merely closed, before it has something to write, as the platform's front does: it must be reset.
    const body = JSON.stringify({ model: "dripping", messages: question });
    const socket = connect(worker.port, "127.0.0.1");
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${worker.rootKey}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await expect.poll(() => dripping.waiting).toBe(1);
    const before = dripping.left;
    socket.resetAndDestroy();
    await expect.poll(() => dripping.left).toBe(before + 1);
  });
});
