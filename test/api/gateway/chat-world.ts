import type { ApiDeps } from "../../../src/api/api-deps.ts";
import type { GatewayEntry } from "../../../src/api/ports/stats-port.ts";
import { Settings } from "../../../src/config/settings.ts";
import type { ModelEntry, TierDocument } from "../../../src/config/tiers.ts";
import { TokenMargins } from "../../../src/optimizer/tokens/token-margin.ts";
import { registerDocument } from "../../../src/router/engines/load-engine.ts";
import type { Fetch } from "../../../src/router/language-model.ts";
import type { CallObservation } from "../../../src/router/metrics/model-metrics.ts";
import { createTestApi } from "../fake-ports.ts";

export const SECRETS: Record<string, string> = { KEY: "secret-1" };

export interface UpstreamCall {
  url: string;
  headers: Headers;
  redirect: string | undefined;
  body: Record<string, unknown>;
  /** The body as it was sent. */
  text: string;
  signal: AbortSignal | null;
}

/** How an upstream answers a call, by the model that it was asked for. */
export type Upstream = (call: UpstreamCall) => Response | Promise<Response>;

const PRICE = { inputPerMillionUsd: 1, outputPerMillionUsd: 2 };

function model(id: string, provider: string, tier: ModelEntry["tier"], extra: Partial<ModelEntry> = {}): ModelEntry {
  return { id, provider, tier, price: PRICE, contextWindow: 8_000, maxOutputTokens: 1_000, capabilities: ["tools", "json", "vision"], ...extra };
}

export const DOCUMENT: TierDocument = {
  providers: [
    { id: "open", kind: "openai-compatible", baseUrl: "https://open.example/v1/", secretName: "KEY" },
    { id: "keyless", kind: "openai-compatible", baseUrl: "https://keyless.example/v1" },
    { id: "openai", kind: "openai", secretName: "KEY" },
    { id: "workers", kind: "workers-ai", secretName: "KEY", options: { accountId: "acc1" } },
    { id: "claude", kind: "anthropic", secretName: "KEY" },
    { id: "offline", kind: "offline" },
    { id: "unset", kind: "openai", secretName: "NOT_SET" },
  ],
  models: [
    model("one", "open", "weak", { upstreamModel: "upstream-one" }),
    model("two", "keyless", "weak", { price: { inputPerMillionUsd: 10, outputPerMillionUsd: 20 } }),
    model("gpt", "openai", "base"),
    model("llama", "workers", "base", { capabilities: [] }),
    model("claude", "claude", "strong", { upstreamModel: "claude-1" }),
    model("offline", "offline", "weak", { capabilities: ["json"], price: { inputPerMillionUsd: 0, outputPerMillionUsd: 0 } }),
    model("unset", "unset", "strong"),
  ],
  tiers: { weak: ["one", "two", "offline"], base: ["gpt", "llama"], strong: ["claude", "unset"] },
};

/** The real API over models whose providers are a function. */
export function createChatWorld(upstream: Upstream, settings: object = {}, changes: Partial<ApiDeps> = {}) {
  const calls: UpstreamCall[] = [];
  const observed: CallObservation[] = [];
  const entered: GatewayEntry[] = [];
  const work: Promise<void>[] = [];
  const clock = { now: Date.UTC(2026, 10, 1) };
  const fetch: Fetch = async (url, init) => {
    const call = { url: String(url), headers: new Headers(init?.headers), redirect: init?.redirect, body: JSON.parse(String(init?.body)) as Record<string, unknown>, text: String(init?.body), signal: init?.signal ?? null };
    calls.push(call);
    return upstream(call);
  };
  const secret = (name: string): string | undefined => SECRETS[name];
  const margins = new TokenMargins();
  const registry = registerDocument(DOCUMENT, { secrets: secret, fetch });
  const { ask, app, world } = createTestApi({
    now: () => clock.now,
    loadModels: async () => ({
      document: DOCUMENT,
      isConfigured: registry.isConfigured,
      engine: (provider, entry) => registry.get(provider.id)!(entry),
      settings: Settings.parse(settings),
      metrics: null,
      health: { observe: (observation) => void observed.push(observation), acquireProbe: async () => true, acquireRate: async () => true },
      failureRate: () => 0,
      margins,
    }),
    gateway: { fetch, secret, keepAlive: (promise) => void work.push(promise), enter: (_, entry) => void entered.push(entry), flush: async () => undefined },
    ...changes,
  });
  const chat = (body: object, headers: Record<string, string> = {}): Promise<Response> => Promise.resolve(ask("POST", "/v1/chat/completions", { messages: [{ role: "user", content: "Hi there" }], ...body }, headers));
  return { ask, app, chat, calls, observed, entered, clock, world, settled: () => Promise.all(work) };
}

const HEAD = { id: "c1", created: 1, model: "upstream-one" };
export const USAGE = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };

/** A chat completion as OpenAI sends it, with spaces that a second serialisation would not have. */
export function completion(content: string | null, fields: object = {}): Response {
  const body = { ...HEAD, object: "chat.completion", choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }], usage: USAGE, ...fields };
  return new Response(JSON.stringify(body, null, 1), { headers: { "content-type": "application/json" } });
}

export function chunk(delta: object, finishReason: string | null = null): string {
  return `data: ${JSON.stringify({ ...HEAD, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: finishReason }] })}\n\n`;
}

export const USAGE_CHUNK = `data: ${JSON.stringify({ ...HEAD, object: "chat.completion.chunk", choices: [], usage: USAGE })}\n\n`;
export const DONE = "data: [DONE]\n\n";

/** A stream of these pieces; with `error` it breaks after them. */
export function stream(pieces: readonly string[], error?: Error): Response {
  const left = [...pieces];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = left.shift();
      if (piece !== undefined) controller.enqueue(new TextEncoder().encode(piece));
      else if (error === undefined) controller.close();
      else controller.error(error);
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

export function refusal(status: number, message: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ error: { message, type: "some_type", param: "messages", code: "some_code" } }), { status, headers: { "content-type": "application/json", ...headers } });
}

/** Never answers; ends when it is hung up on. */
export function hang({ signal }: UpstreamCall): Promise<Response> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal?.reason as Error);
    if (signal?.aborted === true) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}
