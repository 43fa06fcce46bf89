import { APICallError } from "@ai-sdk/provider";
import type { ProviderEntry } from "../../config/tiers.ts";
import type { CallCandidate } from "../../consumer/agents/call-with-fallback.ts";
import { readBoundedBody } from "../../consumer/outbound/bounded-body.ts";
import { accountUrl } from "../../router/engines/account-url.ts";
import type { ReadSecret } from "../../router/language-model.ts";
import { redactKey } from "../../router/redact-key.ts";
import { readOutputCap, type ChatBody, type ChatRequest } from "./chat-body.ts";
import { isRecord } from "./event-watch.ts";
import type { GatewayDeps } from "./gateway-deps.ts";
import type { OpenAiError } from "./openai-error.ts";
import type { ProviderAnswer } from "./provider-call.ts";
import { spliceBody } from "./splice-body.ts";

export interface DirectCall extends ChatRequest {
  candidate: CallCandidate;
  /** Sent where the client set no cap; null: none is needed. */
  outputCap: number | null;
  signal: AbortSignal;
}

/** A whole answer is held in memory; images and audio make long ones. */
export const MAX_ANSWER_BYTES = 33_554_432;
/** Enough of an error to read what it says. */
const MAX_ERROR_BYTES = 65_536;
/** What of it is passed on. */
export const MAX_ERROR_CHARACTERS = 2_000;
const OPENAI_URL = "https://api.openai.com/v1";

/** Whether a provider takes OpenAI's chat completions as they are. OpenAI's other API is another language. */
export function speaksOpenAi({ kind, options }: ProviderEntry): boolean {
  return kind === "openai-compatible" || kind === "workers-ai" || (kind === "openai" && options?.api !== "responses");
}

/** Sends the client's own body on. Everything in it that is not named here stays as it came. */
export async function askDirectly({ body, text, candidate, outputCap, signal }: DirectCall, { fetch, secret }: Pick<GatewayDeps, "fetch" | "secret">): Promise<ProviderAnswer> {
  const { provider, model } = candidate;
  const headers: Record<string, string> = { "content-type": "application/json" };
  const key = provider.secretName === undefined ? null : (secret(provider.secretName) ?? "");
  if (key !== null) headers["authorization"] = `Bearer ${key}`;
  const changed = { model: model.upstreamModel ?? model.id, ...capOutput(body, candidate, outputCap), ...askForUsage(body) };
  const sent = text === null ? JSON.stringify({ ...body, ...changed }) : spliceBody(text, changed);
  // Redirects are not followed: the key must not travel to another origin.
  const response = await fetch(completionsUrl(provider, secret), { method: "POST", headers, body: sent, redirect: "manual", signal });
  if (!response.ok) return readRefusal(response, key);
  if (body.stream === true && response.body !== null && !isJson(response)) return { kind: "stream", body: response.body, key };
  const answer = await readBoundedBody(response, MAX_ANSWER_BYTES);
  if (answer.truncated) throw new Error(`its answer is over ${MAX_ANSWER_BYTES} bytes`);
  const safeText = redactKey(answer.text, key);
  if (body.stream === true) return readUnstreamed(safeText);
  return { kind: "whole", text: safeText };
}

function completionsUrl(provider: ProviderEntry, secret: ReadSecret): string {
  const base = provider.baseUrl ?? (provider.kind === "workers-ai" ? accountUrl(provider, secret) : OPENAI_URL);
  return `${base.replace(/\/+$/, "")}/chat/completions`;
}

/** A cap is a limit, no demand: what the model cannot reach is cut to what it can. */
function capOutput(body: ChatBody, { model, provider }: CallCandidate, outputCap: number | null): Partial<ChatBody> {
  const cap = readOutputCap(body);
  // The newer name is the only one that OpenAI's reasoning models take, the older one what most others know.
  if (cap === null) return outputCap === null ? {} : provider.kind === "openai" ? { max_completion_tokens: outputCap } : { max_tokens: outputCap };
  const isOver = (named: number | null | undefined): boolean => (named ?? 0) > model.maxOutputTokens;
  return {
    ...(isOver(body.max_tokens) ? { max_tokens: model.maxOutputTokens } : {}),
    ...(isOver(body.max_completion_tokens) ? { max_completion_tokens: model.maxOutputTokens } : {}),
  };
}

/** The price of a stream is known by its usage chunk only. */
function askForUsage({ stream, stream_options: options }: ChatBody): Partial<ChatBody> {
  return stream === true ? { stream_options: { ...options, include_usage: true } } : {};
}

function isJson({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("application/json") ?? false;
}

/** JSON where events were asked for: an error that came with a 200, or a server that cannot stream, and has answered. */
function readUnstreamed(text: string): ProviderAnswer {
  const { error, usage } = parseRecord(text);
  if (error != null) return { kind: "refused", error, refusal: null };
  return { kind: "unusable", error: new Error("it does not stream"), usage };
}

/** Some providers quote the key that they were sent. */
async function readRefusal(response: Response, key: string | null): Promise<ProviderAnswer> {
  const { status, headers } = response;
  const { text: quoting } = await readBoundedBody(response, MAX_ERROR_BYTES);
  const text = redactKey(quoting, key);
  const said = readError(text);
  const error = new APICallError({ message: said.message, url: "", requestBodyValues: {}, statusCode: status, responseHeaders: Object.fromEntries(headers), responseBody: text });
  return { kind: "refused", error, refusal: { ...said, status, retryAfterMs: null } };
}

/** The provider's words, in OpenAI's form or about it. */
function readError(text: string): Omit<OpenAiError, "status" | "retryAfterMs"> {
  const body = parseRecord(text);
  const error = isRecord(body["error"]) ? body["error"] : body;
  const message = [error["message"], body["error"], body["detail"], text].find((candidate) => typeof candidate === "string") ?? "";
  const textOf = (value: unknown): string | null => (typeof value === "string" ? value.slice(0, MAX_ERROR_CHARACTERS) : null);
  return { message: message.slice(0, MAX_ERROR_CHARACTERS), type: textOf(error["type"]) ?? "invalid_request_error", param: textOf(error["param"]), code: textOf(error["code"]) };
}

function parseRecord(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
