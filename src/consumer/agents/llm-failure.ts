import { APICallError } from "@ai-sdk/provider";
import { MAX_RETRY_AFTER_MS, readRetryAfterMs } from "../outbound/retry-after.ts";
import type { CallFault } from "./call-with-fallback.ts";

/** Enough of a provider's message to act on; bodies can be whole pages. */
export const MAX_PROVIDER_MESSAGE_CHARACTERS = 500;

/** Statuses that a later call may not meet again, besides all of 500 and above. */
const TRANSIENT_STATUSES = new Set([408, 409, 425, 429]);
/** Statuses by which a provider says that the request is wrong. Of the other refusals (401, 404, …) its own configuration may be the cause. */
const REQUEST_STATUSES = new Set([400, 413, 415, 422]);
/** What a refusal inside a stream, without a status, is called by the providers. */
const REFUSAL = /invalid_request|authentication|permission|not_found|content_?(policy|filter)|moderation|billing|unsupported/i;
/** Errors of the engine's package, or of the check of its URL, before anything was sent: the same call would fail the same way. */
const LOCAL_REFUSALS = new Set(["UrlRefused", "AI_InvalidPromptError", "AI_UnsupportedFunctionalityError", "AI_LoadAPIKeyError", "AI_LoadSettingError", "AI_NoSuchModelError", "AI_InvalidArgumentError"]);

export interface FailedCall {
  provider: string;
  model: string;
  /** The texts that were sent, to keep them out of messages. */
  sentTexts: string[];
  /** Unix ms. */
  now: number;
}

/** Decides, once, whether a failed call may be repeated, and says what the provider said. */
export function classifyError(error: unknown, call: FailedCall): CallFault {
  const { status, message, headers } = readError(error);
  const rejected = status === null ? isRefusal(error) : status >= 300 && status < 500 && !TRANSIENT_STATUSES.has(status);
  const said = status === null ? "failed" : status < 300 ? "answered with something unreadable" : `answered ${status}`;
  const detail = safeDetail(message, call.sentTexts);
  return {
    failure: {
      code: rejected ? "provider_rejected" : "provider_unavailable",
      message: `${call.provider} (${call.model}) ${said}${detail === "" ? "" : `: ${detail}`}`,
      retryable: !rejected,
    },
    retryAfterMs: rejected ? null : retryAfterMs(headers, call.now),
    isHealthFailure: !rejected,
    ...(status !== null && REQUEST_STATUSES.has(status) ? { isInconclusive: true } : {}),
  };
}

/** What Node calls a connection that was never made. The platform calls every lost one the same. */
const UNCONNECTED = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT/;

/**
 * Whether a provider may have served, and bill, a call that ended with an error before its answer: when nothing was heard of it after it was sent, or
 * its answer could not be read. Not where it said that it refuses, or where nothing was sent.
 */
export function mayBeServed(error: unknown): boolean {
  const { status } = readError(error);
  if (status !== null) return status >= 200 && status < 300;
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (LOCAL_REFUSALS.has(cause.name) || UNCONNECTED.test(`${cause.message} ${String((cause as { code?: unknown }).code)}`)) return false;
  return true;
}

function readError(error: unknown): { status: number | null; message: string; headers: Record<string, string> } {
  if (APICallError.isInstance(error)) {
    return { status: error.statusCode ?? null, message: error.message || (error.responseBody ?? ""), headers: error.responseHeaders ?? {} };
  }
  const { whole, inner } = partsOf(error);
  const message = typeof error === "string" ? error : typeof inner["message"] === "string" ? inner["message"] : "";
  return { status: typeof whole["statusCode"] === "number" ? whole["statusCode"] : null, message, headers: {} };
}

function isRefusal(error: unknown): boolean {
  const { whole, inner } = partsOf(error);
  if (typeof whole["name"] === "string" && LOCAL_REFUSALS.has(whole["name"])) return true;
  return [inner["type"], inner["code"]].some((name) => typeof name === "string" && REFUSAL.test(name));
}

/** An error's members, and those of the error that it wraps: some providers send `{error: {…}}` inside a stream, some the error itself. */
function partsOf(error: unknown): { whole: Record<string, unknown>; inner: Record<string, unknown> } {
  const whole = typeof error === "object" && error !== null ? (error as Record<string, unknown>) : {};
  const { error: wrapped } = whole;
  return { whole, inner: typeof wrapped === "object" && wrapped !== null ? (wrapped as Record<string, unknown>) : whole };
}

/** `retry-after-ms`, or else `Retry-After`. */
function retryAfterMs(headers: Record<string, string>, now: number): number | null {
  const milliseconds = Number.parseFloat(headers["retry-after-ms"] ?? "");
  if (!Number.isFinite(milliseconds)) return readRetryAfterMs(headers["retry-after"] ?? null, now);
  return Math.min(Math.max(0, Math.ceil(milliseconds)), MAX_RETRY_AFTER_MS);
}

/** Windows of this length that the provider's message shares with the prompt count as a quotation. */
const QUOTATION_CHARACTERS = 24;

/** The provider's message, short, without anything that looks like a key, and not at all when it quotes the prompt. */
function safeDetail(message: string, sentTexts: string[]): string {
  const cut = message.slice(0, MAX_PROVIDER_MESSAGE_CHARACTERS).replace(/[\uD800-\uDBFF]$/, "").replaceAll(/\s+/g, " ").trim();
  for (let start = 0; start + QUOTATION_CHARACTERS <= cut.length; start += 8) {
    const window = cut.slice(start, start + QUOTATION_CHARACTERS);
    if (sentTexts.some((text) => text.includes(window))) return "its message quotes the prompt and is left out";
  }
  return cut.replaceAll(/\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,}/g, "•••").replaceAll(/\b(sk|pk|key)-[\w-]{4,}/gi, "•••");
}
