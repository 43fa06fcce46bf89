import { describe, expect, test } from "vitest";
import { MAX_CHOICES } from "../../../src/api/gateway/chat-body.ts";
import { MAX_CHAT_BODY_BYTES } from "../../../src/api/gateway/gateway.ts";
import { ROOT_KEY } from "../fake-ports.ts";
import { anthropicStream } from "../../router/engines/fake-upstream.ts";
import { chunk, completion, createChatWorld, DONE, hang, refusal, stream, USAGE, USAGE_CHUNK, type UpstreamCall } from "./chat-world.ts";

async function errorOf(response: Response): Promise<{ message: string; type: string; param: string | null; code: string | null }> {
  return ((await response.json()) as { error: { message: string; type: string; param: string | null; code: string | null } }).error;
}

const routeOf = ({ headers }: Response): (string | null)[] => ["x-model", "x-provider", "x-tier", "x-fallbacks"].map((name) => headers.get(name));

describe("a request for a provider of OpenAI's format", () => {
  test("is sent as it came but for the model's name and what must be known", async () => {
    const { chat, calls } = createChatWorld(() => completion("Hello"));
    const extra = { temperature: 0.5, seed: 3, logit_bias: { "11": -100, "2": 5 }, custom: { deep: [1.5, null] }, n: 2, tools: [{ type: "custom", custom: { name: "x" } }] };
    await chat({ model: "one", ...extra });
    expect(calls[0]).toMatchObject({ url: "https://open.example/v1/chat/completions", redirect: "manual" });
    expect(calls[0]!.headers.get("authorization")).toBe("Bearer secret-1");
    expect(calls[0]!.body).toEqual({ model: "upstream-one", messages: [{ role: "user", content: "Hi there" }], ...extra });
  });

  test("keeps everything else to the letter: numbers too large for JavaScript, spaces", async () => {
    const { ask, calls } = createChatWorld(() => completion("Hello"));
    await ask("POST", "/v1/chat/completions", '{ "seed": 9007199254740993, "model" : "one", "top_p": 1.0, "x": ":",\n"messages":[{"role":"user","content":"\\u0041"}]}');
    expect(calls[0]!.text).toBe('{ "seed": 9007199254740993, "model" : "upstream-one", "top_p": 1.0, "x": ":",\n"messages":[{"role":"user","content":"\\u0041"}]}');
  });

  test.each([
    ["cap", '"max_tokens":900,"max_tokens":10,"messages":[{"role":"user","content":"Hi"}]'],
    ["cap, written otherwise", '"max\\u005ftokens":900,"max_tokens":10,"messages":[{"role":"user","content":"Hi"}]'],
    ["list of messages", '"messages":[{"role":"user","content":"a long story"}],"max_tokens":10,"messages":[{"role":"user","content":"Hi"}]'],
    ["text of a message", '"messages":[{"role":"user","content":"a long story","content":"Hi"}],"max_tokens":10'],
  ])("holds a %s once, as it was judged and priced: of two a provider might read the other", async (_name, members) => {
    const { ask, calls } = createChatWorld(() => completion("Hello"));
    expect((await ask("POST", "/v1/chat/completions", `{"model":"one",${members}}`)).status).toBe(200);
    expect(calls[0]!.text).toBe(JSON.stringify(calls[0]!.body));
    expect(calls[0]!.body).toEqual({ model: "upstream-one", max_tokens: 10, messages: [{ role: "user", content: "Hi" }] });
  });

  test.each(["2", 1.5, 0, true, MAX_CHOICES + 1, 2 ** 53 - 1])("whose number of choices is %j is refused: a lenient provider might take it for more than one, and each of a lost answer's is paid for", async (n) => {
    const { chat, calls } = createChatWorld(() => completion("Hello"));
    const response = await chat({ model: "one", n });
    expect([response.status, (await errorOf(response)).param, calls.length]).toEqual([400, "n", 0]);
  });

  test.each([
    ["two", "https://keyless.example/v1/chat/completions", null],
    ["gpt", "https://api.openai.com/v1/chat/completions", "Bearer secret-1"],
    ["llama", "https://api.cloudflare.com/client/v4/accounts/acc1/ai/v1/chat/completions", "Bearer secret-1"],
  ])("for %s goes to %s", async (model, url, authorization) => {
    const { chat, calls } = createChatWorld(() => completion("Hello"));
    await chat({ model });
    expect(calls[0]!.url).toBe(url);
    expect(calls[0]!.headers.get("authorization")).toBe(authorization);
  });

  test("is cut to the model's output limit, and only then", async () => {
    const { chat, calls } = createChatWorld(() => completion("Hello"));
    for (const caps of [{ max_tokens: 1_000 }, { max_tokens: 1_001 }, { max_completion_tokens: 5_000 }, {}]) await chat({ model: "one", ...caps });
    expect(calls.map(({ body }) => [body["max_tokens"], body["max_completion_tokens"]])).toEqual([[1_000, undefined], [1_000, undefined], [undefined, 1_000], [undefined, undefined]]);
  });

  test("is answered with the provider's very bytes, its cost in a header, and entered and observed once", async () => {
    const { chat, observed, entered, settled } = createChatWorld(() => completion("Hello"));
    const response = await chat({ model: "one" });
    expect(await response.text()).toBe(await completion("Hello").text());
    expect(routeOf(response)).toEqual(["one", "open", "weak", ""]);
    expect(response.headers.get("x-cost-usd")).toBe("0.00014");
    await settled();
    expect(observed).toMatchObject([{ model: "one", provider: "open", tier: "weak", isSuccess: true, inputTokens: 100, outputTokens: 20, costNanoUsd: 140_000, timeToFirstTokenMs: null }]);
    expect(entered).toMatchObject([{ tier: "weak", failureCode: null, fallbacks: 0, calls: [{ model: "one", costNanoUsd: 140_000, estimated: false }] }]);
  });

  test("is priced by an estimate when the provider counts nothing", async () => {
    const { chat, entered, settled } = createChatWorld(() => completion("one two three four five", { usage: undefined }));
    expect(Number((await chat({ model: "one" })).headers.get("x-cost-usd"))).toBeGreaterThan(0);
    await settled();
    expect(entered[0]!.calls).toMatchObject([{ estimated: true, outputTokens: expect.closeTo(5, -1) as number }]);
  });
});

test("a call of a tool that nobody counted is estimated by its arguments", async () => {
  const toolCalls = [{ id: "1", type: "function", function: { name: "find", arguments: JSON.stringify({ text: "word ".repeat(100) }) } }];
  const { chat, entered, settled } = createChatWorld(() => completion(null, { usage: undefined, choices: [{ index: 0, message: { role: "assistant", content: null, tool_calls: toolCalls }, finish_reason: "tool_calls" }] }));
  await chat({ model: "one" });
  await settled();
  expect(entered[0]!.calls[0]).toMatchObject({ estimated: true });
  expect(entered[0]!.calls[0]!.outputTokens).toBeGreaterThan(90);
});

describe("a streamed answer", () => {
  const pieces = [chunk({ role: "assistant", content: "" }), chunk({ content: "Hel" }), chunk({ content: "lo" }), chunk({}, "stop"), USAGE_CHUNK, DONE];

  test("is the provider's events, without the usage that only we asked for", async () => {
    const { chat, calls, entered, observed, settled } = createChatWorld(() => stream(pieces));
    const response = await chat({ model: "one", stream: true });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    expect(routeOf(response)).toEqual(["one", "open", "weak", ""]);
    expect(await response.text()).toBe(pieces.filter((piece) => piece !== USAGE_CHUNK).join(""));
    expect(calls[0]!.body["stream_options"]).toEqual({ include_usage: true });
    await settled();
    expect(entered[0]!.calls).toMatchObject([{ inputTokens: 100, outputTokens: 20, costNanoUsd: 140_000, estimated: false }]);
    expect(observed).toMatchObject([{ isSuccess: true, timeToFirstTokenMs: 0 }]);
  });

  test("has usage with its cost when the client asks; its other stream options go along", async () => {
    const { chat, calls } = createChatWorld(() => stream(pieces));
    const text = await (await chat({ model: "one", stream: true, stream_options: { include_usage: true, other: 1 } })).text();
    expect(text).toContain(`"usage":${JSON.stringify({ ...USAGE, cost_usd: 0.00014 })}`);
    expect(calls[0]!.body["stream_options"]).toEqual({ include_usage: true, other: 1 });
  });

  test("that breaks ends with an error in-band, and is not asked again", async () => {
    for (const broken of [() => stream(pieces.slice(0, 3), new Error("reset")), () => stream(pieces.slice(0, 3))]) {
      const { chat, calls, observed, entered, settled } = createChatWorld(broken);
      const text = await (await chat({ model: "tier:weak", stream: true })).text();
      expect(text.startsWith(pieces.slice(0, 3).join(""))).toBe(true);
      const error = JSON.parse(text.slice(text.lastIndexOf("data: ") + 6)) as object;
      expect(error).toMatchObject({ error: { type: "server_error", code: "provider_unavailable", message: expect.stringContaining("one") } });
      await settled();
      expect(calls).toHaveLength(1);
      expect(observed).toMatchObject([{ isSuccess: false, isHealthFailure: true }]);
      expect(entered).toMatchObject([{ failureCode: "provider_unavailable", calls: [{ estimated: true }] }]);
    }
  });

  test("passes an error of the provider's own on and ends there", async () => {
    const error = `data: {"error":{"message":"overloaded","type":"server_error"}}\n\n`;
    const { chat } = createChatWorld(() => stream([pieces[1]!, error, pieces[2]!]));
    expect(await (await chat({ model: "one", stream: true })).text()).toBe(pieces[1] + error);
  });

  test("whose reader leaves hangs up on the provider, and costs what was seen", async () => {
    let hungUp = false;
    const endless = (): Response => new Response(new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(new TextEncoder().encode(pieces[1])), cancel: () => void (hungUp = true) }), { headers: { "content-type": "text/event-stream" } });
    const { chat, observed, entered, settled } = createChatWorld(endless);
    const reader = (await chat({ model: "one", stream: true })).body!.getReader();
    await reader.read();
    await reader.cancel();
    await settled();
    expect(hungUp).toBe(true);
    expect(observed).toMatchObject([{ isSuccess: true, isHealthFailure: false }]);
    expect(entered).toMatchObject([{ failureCode: null, calls: [{ estimated: true }] }]);
  });
});

describe("before the first byte", () => {
  const failing: [string, (call: UpstreamCall) => Response | Promise<Response>][] = [
    ["429", () => refusal(429, "slow down")],
    ["500", () => refusal(500, "oops")],
    ["529", () => refusal(529, "overloaded")],
    ["408", () => refusal(408, "timeout")],
    ["a broken connection", () => Promise.reject(new TypeError("fetch failed"))],
    ["an empty answer", ({ body }) => (body["stream"] === true ? stream([chunk({ role: "assistant", content: "" }), chunk({}, "stop"), USAGE_CHUNK, DONE]) : completion(""))],
    ["an answer with nothing in it but its provider's own fields", () => completion(null, { choices: [{ index: 0, message: { role: "assistant", content: "", prefix: false, provider_specific_fields: {} }, finish_reason: "stop" }] })],
    ["an error with a 200", ({ body }) => (body["stream"] === true ? stream([`data: {"error":{"message":"overloaded","code":502}}\n\n`]) : completion(null, { choices: undefined, error: { message: "overloaded" } }))],
    ["something unreadable", () => new Response("<html>", { headers: { "content-type": "application/json" } })],
    ["a stream that ends at once", ({ body }) => (body["stream"] === true ? stream([]) : new Response(""))],
  ];

  test.each(failing.flatMap(([name, upstream]) => [false, true].map((isStream) => [name, isStream, upstream] as const)))("%s (stream: %s) falls over to the next model", async (_, isStream, upstream) => {
    const { chat, calls, observed, entered, settled } = createChatWorld((call) => (call.url.includes("open.example") ? upstream(call) : isStream ? stream([chunk({ content: "two" }), chunk({}, "stop"), DONE]) : completion("two")));
    const response = await chat({ model: "tier:weak", stream: isStream });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("two");
    expect(routeOf(response)).toEqual(["two", "keyless", "weak", "one"]);
    await settled();
    expect(calls).toHaveLength(2);
    expect(observed.map(({ isSuccess, isHealthFailure }) => [isSuccess, isHealthFailure])).toEqual([[false, true], [true, false]]);
    expect(entered).toMatchObject([{ fallbacks: 1, failureCode: null }]);
  });

  test.each([400, 404, 413, 422])("a %s is the client's: passed on, and nobody else is asked", async (status) => {
    const { chat, calls } = createChatWorld(() => refusal(status, "your prompt is wrong"));
    const response = await chat({ model: "tier:weak" });
    expect(response.status).toBe(status);
    expect(await errorOf(response)).toEqual({ message: "your prompt is wrong", type: "some_type", param: "messages", code: "some_code" });
    expect(calls).toHaveLength(1);
  });

  test.each([[{ code: "content_policy_violation", type: "invalid_request_error" }, 400], [{ type: "authentication_error" }, 502], [{ code: 404, type: "not_found_error" }, 404]])("a refusal that comes with a 200, %o, is told as a %s, whole and streamed", async (named, status) => {
    const error = { message: "flagged.", param: null, ...named };
    for (const isStream of [false, true]) {
      const { chat, calls } = createChatWorld(() => (isStream ? stream([`data: ${JSON.stringify({ error })}\n\n`]) : completion(null, { choices: undefined, error })));
      const response = await chat({ model: "tier:weak", stream: isStream });
      expect(response.status).toBe(status);
      if (status === 400) expect(await errorOf(response)).toEqual({ message: "flagged.", type: "invalid_request_error", param: null, code: "content_policy_violation" });
      expect(calls).toHaveLength(1);
    }
  });

  test("what a failed model has billed is part of the cost that the client is told", async () => {
    const { chat, entered, settled } = createChatWorld(({ url, body }) => {
      const isEmpty = url.includes("open.example");
      return body["stream"] === true ? stream([chunk({ content: isEmpty ? "" : "two" }), chunk({}, "stop"), USAGE_CHUNK, DONE]) : completion(isEmpty ? "" : "two");
    });
    expect((await chat({ model: "tier:weak" })).headers.get("x-cost-usd")).toBe("0.00154");
    expect(await (await chat({ model: "tier:weak", stream: true, stream_options: { include_usage: true } })).text()).toContain('"cost_usd":0.00154');
    await settled();
    expect(entered.map(({ calls }) => calls.map(({ costNanoUsd }) => costNanoUsd))).toEqual([[140_000, 1_400_000], [140_000, 1_400_000]]);
  });

  test("a refusal that quotes the key is passed on without it", async () => {
    const { chat } = createChatWorld(() => refusal(400, "no such organization for secret-1"));
    expect((await errorOf(await chat({ model: "one" }))).message).toBe("no such organization for •••");
  });

  test.each([401, 403])("a %s is the operator's: 502, without the provider's words", async (status) => {
    const { chat, calls } = createChatWorld(() => refusal(status, "bad key secret-1"));
    const response = await chat({ model: "tier:weak", stream: true });
    expect(response.status).toBe(502);
    expect(await errorOf(response)).toEqual({ message: expect.not.stringContaining("secret-1"), type: "server_error", param: null, code: "provider_auth" });
    expect(calls).toHaveLength(1);
  });

  test("a redirect or a demand for payment is a 502", async () => {
    for (const answer of [() => new Response(null, { status: 302, headers: { location: "https://x" } }), () => refusal(402, "pay")]) {
      const response = await createChatWorld(answer).chat({ model: "one" });
      expect([response.status, (await errorOf(response)).code]).toEqual([502, "provider_rejected"]);
    }
  });

  test("when all are down it is a 503 that says when to come back", async () => {
    const { chat, entered, settled } = createChatWorld(() => refusal(429, "slow down", { "retry-after": "9" }));
    const response = await chat({ model: "tier:weak" });
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "9"]);
    expect(await errorOf(response)).toMatchObject({ type: "server_error", code: "provider_unavailable" });
    await settled();
    expect(entered).toMatchObject([{ failureCode: "provider_unavailable", calls: [] }]);
  });

  test("a model that hangs is given up for the next one", async () => {
    const settings = { routing: { circuitFirstTokenMs: 100, assumedTokensPerSecond: 100_000 } };
    const { chat, observed } = createChatWorld((call) => (call.url.includes("open.example") ? hang(call) : completion("two")), settings, { now: Date.now });
    expect(routeOf(await chat({ model: "tier:weak", max_tokens: 5 }))).toEqual(["two", "keyless", "weak", "one"]);
    expect(observed[0]).toMatchObject({ model: "one", isHealthFailure: true });
  });

  test("a client that leaves ends the call", async () => {
    const { app, calls, settled } = createChatWorld(hang);
    const client = new AbortController();
    const answer = app.fetch(new Request("https://weft.test/v1/chat/completions", { method: "POST", headers: { authorization: `Bearer ${ROOT_KEY}` }, body: JSON.stringify({ model: "tier:weak", messages: [{ role: "user", content: "x" }] }), signal: client.signal }));
    await expect.poll(() => calls.length).toBe(1);
    client.abort();
    await answer;
    await settled();
    expect(calls[0]!.signal!.aborted).toBe(true);
    expect(calls).toHaveLength(1);
  });
});

describe("a model of another wire format", () => {
  test("answers in OpenAI's chunks", async () => {
    const { chat, calls } = createChatWorld(() => anthropicStream({ deltas: ["Hel", "lo"], inputUsage: { input_tokens: 60, cache_read_input_tokens: 40 } }));
    const text = await (await chat({ model: "claude", stream: true, stream_options: { include_usage: true } })).text();
    const chunks = text.split("\n\n").flatMap((event) => (event.startsWith("data: {") ? [JSON.parse(event.slice(6)) as { choices: { delta: { content?: string }; finish_reason: string | null }[]; usage?: object }] : []));
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("Hello");
    expect(chunks.at(-2)!.choices[0]!.finish_reason).toBe("stop");
    expect(chunks.at(-1)!.usage).toMatchObject({ prompt_tokens: 100, completion_tokens: 20, prompt_tokens_details: { cached_tokens: 40 }, cost_usd: 0.00014 });
    expect(text.endsWith(DONE)).toBe(true);
    expect(calls[0]!.body).toMatchObject({ model: "claude-1", stream: true, max_tokens: 1_000 });
  });

  test("has its errors told like those of any other", async () => {
    const anthropicError = (status: number) => () => new Response(JSON.stringify({ type: "error", error: { type: "x", message: "no good" } }), { status, headers: { "content-type": "application/json" } });
    for (const [status, expected] of [[400, 400], [401, 502], [529, 503], [404, 404]] as const) {
      const response = await createChatWorld(anthropicError(status)).chat({ model: "claude" });
      expect(response.status).toBe(expected);
    }
    const inBand = createChatWorld(() => anthropicStream({ deltas: ["Hel"], error: { type: "overloaded_error", message: "Overloaded" } }));
    const text = await (await inBand.chat({ model: "claude", stream: true })).text();
    expect(JSON.parse(text.trim().split("\n\n").at(-1)!.slice(6))).toMatchObject({ error: { message: expect.any(String) } });
  });

  test("is passed over where it cannot be asked what another can", async () => {
    const { chat, calls } = createChatWorld(() => completion("x"));
    expect((await chat({ model: "tier:strong", n: 2 })).status).toBe(400);
    expect(calls).toHaveLength(0);
  });

  test("the embedded engine answers without any provider", async () => {
    const { chat, calls } = createChatWorld(() => completion("x"));
    const response = await chat({ model: "offline", messages: [{ role: "user", content: "Summarize: The sky is blue. The grass is green." }] });
    expect(await response.json()).toMatchObject({ object: "chat.completion", model: "offline", choices: [{ message: { role: "assistant", content: expect.any(String) }, finish_reason: "stop" }] });
    expect(routeOf(response)).toEqual(["offline", "offline", "weak", ""]);
    expect(response.headers.get("x-cost-usd")).toBe("0");
    expect(calls).toHaveLength(0);
  });
});

describe("what is refused", () => {
  const { chat, ask } = createChatWorld(() => completion("x"));

  test.each([
    [{ model: "nobody" }, 404, "model", "model_not_found"],
    [{ model: "auto:best" }, 404, "model", "model_not_found"],
    [{ model: "tier:" }, 404, "model", "model_not_found"],
    [{}, 400, "model", null],
    [{ model: 7 }, 400, "model", null],
    [{ model: "one", messages: [] }, 400, "messages", null],
    [{ model: "one", messages: "Hi" }, 400, "messages", null],
    [{ model: "one", messages: [{ content: "x" }] }, 400, "messages[0].role", null],
    [{ model: "one", messages: [{ role: "user", content: 7 }] }, 400, "messages[0].content", null],
    [{ model: "one", stream: "yes" }, 400, "stream", null],
    [{ model: "one", max_tokens: 0 }, 400, "max_tokens", null],
    [{ model: "tier:base", tools: [{ type: "function" }], max_tokens: 9_999, messages: [{ role: "user", content: "word ".repeat(9_000) }] }, 400, null, "context_length_exceeded"],
    [{ model: "unset" }, 503, null, "provider_unavailable"],
  ])("%j: %s", async (body, status, param, code) => {
    const response = await chat(body);
    expect(response.status).toBe(status);
    expect(await errorOf(response)).toMatchObject({ type: status === 503 ? "server_error" : "invalid_request_error", param, code });
  });

  test("no JSON, no key, too deep and too large are told in OpenAI's shape", async () => {
    for (const [body, headers, status] of [
      ["{", {}, 400],
      ["", {}, 400],
      ["[".repeat(101) + "]".repeat(101), {}, 400],
      ["{}", { authorization: "" }, 401],
      ["x".repeat(MAX_CHAT_BODY_BYTES + 1), {}, 413],
    ] as const) {
      const response = await ask("POST", "/v1/chat/completions", body, headers);
      expect(response.status).toBe(status);
      expect(await errorOf(response)).toMatchObject({ type: "invalid_request_error", message: expect.any(String) });
    }
  });

  test("a body at the limit is taken", async () => {
    const frame = JSON.stringify({ model: "one", messages: [{ role: "user", content: "" }] });
    const body = frame.replace('""', `"${"x".repeat(MAX_CHAT_BODY_BYTES - frame.length)}"`);
    expect(new TextEncoder().encode(body).byteLength).toBe(MAX_CHAT_BODY_BYTES);
    expect((await ask("POST", "/v1/chat/completions", body)).status).toBe(200);
  });
});

test("the models are those of the document and the names that stand for a choice", async () => {
  const { ask } = createChatWorld(() => completion("x"));
  const { object, data } = (await (await ask("GET", "/v1/models")).json()) as { object: string; data: { id: string; object: string; owned_by: string }[] };
  expect(object).toBe("list");
  expect(data.map(({ id }) => id)).toEqual([
    "auto", "auto:cheapest", "auto:fastest", "auto:quality", "auto:balanced", "tier:weak", "tier:base", "tier:strong",
    "one", "two", "gpt", "llama", "claude", "offline", "unset",
  ]);
  expect(data.find(({ id }) => id === "one")).toEqual({ id: "one", object: "model", created: 0, owned_by: "open" });
});
