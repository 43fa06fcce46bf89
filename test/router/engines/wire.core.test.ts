import { describe, expect, test } from "vitest";
import type { ModelEntry, ProviderEntry } from "../../../src/config/tiers.ts";
import { loadEngine, registerDocument } from "../../../src/router/engines/load-engine.ts";
import { DEFAULT_TIERS } from "../../../src/config/default-tiers.ts";
import type { CallOptions, Fetch, StreamPart } from "../../../src/router/language-model.ts";
import { anthropicStream, eventStream, fakeFetch, openAiStream, problem } from "./fake-upstream.ts";

const OPTIONS: CallOptions = {
  prompt: [
    { role: "system", content: "Be brief." },
    { role: "user", content: [{ type: "text", text: "Hello" }] },
  ],
  maxOutputTokens: 77,
};

const MODEL: ModelEntry = { id: "m", provider: "p", upstreamModel: "upstream-m", tier: "weak", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 2 }, contextWindow: 8_000, maxOutputTokens: 1_000, capabilities: ["streaming"] };

const KEYS: Record<string, string> = { KEY: "secret-1", CLOUDFLARE_ACCOUNT_ID: "acc123" };

async function callModel(provider: ProviderEntry, fetch: Fetch, options: CallOptions = OPTIONS) {
  const model = await loadEngine(provider, { secrets: (name) => KEYS[name], fetch })(MODEL);
  const { stream } = await model.doStream(options);
  const parts: StreamPart[] = [];
  for await (const part of stream) parts.push(part);
  return {
    text: parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join(""),
    finish: parts.find((part) => part.type === "finish"),
    errors: parts.filter((part) => part.type === "error"),
  };
}

describe("openai-compatible", () => {
  const provider: ProviderEntry = { id: "p", kind: "openai-compatible", baseUrl: "https://models.example/v1/", secretName: "KEY" };

  test("streams, sends the output cap and the key, and asks for token counts", async () => {
    const upstream = fakeFetch(() => openAiStream({ deltas: ["Hel", "lo"] }));
    const { text, finish } = await callModel(provider, upstream.fetch);
    expect(text).toBe("Hello");
    expect(finish?.finishReason.unified).toBe("stop");
    const [call] = upstream.calls;
    expect(call?.url).toBe("https://models.example/v1/chat/completions");
    expect(call?.headers.get("authorization")).toBe("Bearer secret-1");
    expect(call?.body).toMatchObject({ model: "upstream-m", stream: true, max_tokens: 77, stream_options: { include_usage: true } });
    expect(call?.redirect).toBe("manual");
  });

  test("reads cached and reasoning tokens", async () => {
    const usage = { prompt_tokens: 1_000, completion_tokens: 50, prompt_tokens_details: { cached_tokens: 800 }, completion_tokens_details: { reasoning_tokens: 30 } };
    const { finish } = await callModel(provider, fakeFetch(() => openAiStream({ deltas: ["x"], usage })).fetch);
    expect(finish?.usage.inputTokens).toMatchObject({ total: 1_000, cacheRead: 800, noCache: 200 });
    expect(finish?.usage.outputTokens).toMatchObject({ total: 50, reasoning: 30 });
  });

  test("a provider without a secret is sent no key", async () => {
    const upstream = fakeFetch(() => openAiStream({ deltas: ["x"] }));
    await callModel({ ...provider, secretName: undefined }, upstream.fetch);
    expect(upstream.calls[0]?.headers.has("authorization")).toBe(false);
  });

  test("an answer that ends without a finish reason is an error", async () => {
    const { errors } = await callModel(provider, fakeFetch(() => openAiStream({ deltas: ["half"], finishReason: null, usage: null })).fetch);
    expect(errors).toHaveLength(1);
  });

  test("a failed call is made once: the library's own retries are off", async () => {
    const upstream = fakeFetch(() => problem(503, { error: { message: "busy" } }));
    await expect(callModel(provider, upstream.fetch)).rejects.toMatchObject({ statusCode: 503 });
    expect(upstream.calls).toHaveLength(1);
  });
});

test("workers-ai calls the account's REST endpoint with the token", async () => {
  const upstream = fakeFetch(() => openAiStream({ deltas: ["hi"] }));
  const { text } = await callModel({ id: "w", kind: "workers-ai", secretName: "KEY" }, upstream.fetch);
  expect(text).toBe("hi");
  expect(upstream.calls[0]?.url).toBe("https://api.cloudflare.com/client/v4/accounts/acc123/ai/v1/chat/completions");
  expect(upstream.calls[0]?.headers.get("authorization")).toBe("Bearer secret-1");
});

describe("openai", () => {
  test("speaks Chat Completions at another base URL", async () => {
    const upstream = fakeFetch(() => openAiStream({ deltas: ["hi"] }));
    const { text } = await callModel({ id: "o", kind: "openai", baseUrl: "https://proxy.example/v1", secretName: "KEY" }, upstream.fetch);
    expect(text).toBe("hi");
    expect(upstream.calls[0]?.url).toBe("https://proxy.example/v1/chat/completions");
    expect(upstream.calls[0]?.body).toMatchObject({ stream: true });
  });

  test("speaks the Responses API at OpenAI", async () => {
    const events = [
      { type: "response.created", response: { id: "r", created_at: 1, model: "m" } },
      { type: "response.output_item.added", output_index: 0, item: { type: "message", id: "i" } },
      { type: "response.output_text.delta", item_id: "i", delta: "hi" },
      { type: "response.output_item.done", output_index: 0, item: { type: "message", id: "i" } },
      { type: "response.completed", response: { usage: { input_tokens: 10, output_tokens: 2, input_tokens_details: { cached_tokens: 4 } } } },
    ];
    const upstream = fakeFetch(() => eventStream(events.map((event) => `data: ${JSON.stringify(event)}\n`)));
    const { text, finish } = await callModel({ id: "o", kind: "openai", secretName: "KEY" }, upstream.fetch);
    expect(text).toBe("hi");
    expect(finish?.usage.inputTokens).toMatchObject({ total: 10, cacheRead: 4 });
    expect(upstream.calls[0]?.url).toBe("https://api.openai.com/v1/responses");
    expect(upstream.calls[0]?.body).toMatchObject({ model: "upstream-m", stream: true, max_output_tokens: 77 });
  });
});

describe("anthropic", () => {
  const provider: ProviderEntry = { id: "a", kind: "anthropic", secretName: "KEY" };

  test.each([
    [50, undefined],
    [1_365, undefined],
    [1_366, 1_024],
    [4_000, 3_000],
  ])("what a model thinks counts to the output cap of %i, with %s tokens for it", async (maxOutputTokens, thinkingTokens) => {
    for (const upstreamModel of ["claude-sonnet-4-5", "claude-of-tomorrow"]) {
      const upstream = fakeFetch(() => anthropicStream({ deltas: ["x"] }));
      const model = await loadEngine(provider, { secrets: (name) => KEYS[name], fetch: upstream.fetch })({ ...MODEL, upstreamModel });
      const { stream } = await model.doStream({ ...OPTIONS, reasoning: "high", maxOutputTokens });
      await stream.cancel();
      const { max_tokens: cap, thinking } = upstream.calls[0]!.body as { max_tokens: number; thinking?: { budget_tokens?: number } };
      expect(cap).toBeLessThanOrEqual(maxOutputTokens);
      if (upstreamModel === "claude-sonnet-4-5") expect(thinking?.budget_tokens).toBe(thinkingTokens);
    }
  });

  test("streams, sends the output cap and the key, and reads cache reads and writes", async () => {
    const inputUsage = { input_tokens: 100, cache_read_input_tokens: 700, cache_creation_input_tokens: 200 };
    const upstream = fakeFetch(() => anthropicStream({ deltas: ["Hel", "lo"], inputUsage, outputTokens: 9 }));
    const { text, finish } = await callModel(provider, upstream.fetch);
    expect(text).toBe("Hello");
    expect(finish?.usage.inputTokens).toMatchObject({ total: 1_000, cacheRead: 700, cacheWrite: 200 });
    expect(finish?.usage.outputTokens.total).toBe(9);
    const [call] = upstream.calls;
    expect(call?.url).toBe("https://api.anthropic.com/v1/messages");
    expect(call?.headers.get("x-api-key")).toBe("secret-1");
    expect(call?.body).toMatchObject({ model: "upstream-m", stream: true, max_tokens: 77 });
  });

  test("an error event ends the stream as an error part", async () => {
    const { errors } = await callModel(provider, fakeFetch(() => anthropicStream({ deltas: ["half"], error: { type: "overloaded_error", message: "Overloaded" } })).fetch);
    expect(errors).toHaveLength(1);
  });
});

test("google streams with the key in its header", async () => {
  const chunk = {
    candidates: [{ content: { role: "model", parts: [{ text: "hi" }] }, finishReason: "STOP" }],
    usageMetadata: { promptTokenCount: 12, candidatesTokenCount: 3, totalTokenCount: 15 },
  };
  const upstream = fakeFetch(() => eventStream([`data: ${JSON.stringify(chunk)}\n`]));
  const { text, finish } = await callModel({ id: "g", kind: "google", secretName: "KEY" }, upstream.fetch);
  expect(text).toBe("hi");
  expect(finish?.usage).toMatchObject({ inputTokens: { total: 12 }, outputTokens: { total: 3 } });
  expect(upstream.calls[0]?.url).toContain("/models/upstream-m:streamGenerateContent");
  expect(upstream.calls[0]?.headers.get("x-goog-api-key")).toBe("secret-1");
  expect(upstream.calls[0]?.body).toMatchObject({ generationConfig: { maxOutputTokens: 77 } });
});

test("a document registers every provider; only those with their secrets are configured", () => {
  const registry = registerDocument(DEFAULT_TIERS, { secrets: (name) => (name === "ANTHROPIC_API_KEY" ? "k" : undefined), fetch: fakeFetch().fetch });
  const configured = registry.list().filter((entry) => entry.status === "configured");
  expect(configured.map((entry) => entry.provider.id)).toEqual(["anthropic", "offline"]);
});
