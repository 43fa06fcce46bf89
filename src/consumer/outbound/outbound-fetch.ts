import { checkOutboundUrl } from "../../config/public-url.ts";
import type { Fetch } from "../../router/language-model.ts";
import { discardBody, readBoundedBody } from "./bounded-body.ts";

/** What of the global `fetch` is used. */
export type FetchFunction = (url: string, init: RequestInit) => Promise<Response>;

/** Redirects that a GET follows (contract). A POST follows none: its body would go to a place that nobody named. */
export const MAX_GET_REDIRECTS = 3;

export interface OutboundRequest {
  method: "GET" | "POST";
  headers: Record<string, string>;
  body?: string;
}

export interface OutboundOptions {
  allowPrivate: boolean;
  fetch: FetchFunction;
  /** Most bytes of the body that are read; the rest is cancelled and the answer says `truncated`. */
  maxBytes: number;
  /** Over all redirects and the body. At most 2^31 - 1; null: whoever gave the signal sees to the time. */
  timeoutMs: number | null;
  /** Gives the request up; null: nothing does but the time. */
  signal: AbortSignal | null;
  /** Whether an answer's body is wanted; otherwise it is cancelled at once instead of awaited. Default: always. */
  needsBody?: (status: number) => boolean;
}

/** How an outbound request ended. `refused`: the URL, or a redirect's, is not allowed; nothing was sent there. */
export type OutboundAnswer =
  | { kind: "answered"; status: number; headers: Headers; text: string; truncated: boolean }
  | { kind: "refused"; reason: string }
  | { kind: "broken"; reason: string }
  | { kind: "timed_out" };

/** Thrown instead of sending: classified by its name as a refusal that no repetition mends. */
export class UrlRefused extends Error {
  override readonly name = "UrlRefused";
}

/** URLs that are known to be allowed, so that they are looked at once: a document's providers have few, and a workflow's agents are called again and again. */
const MAX_KNOWN_URLS = 1_000;

/** A `fetch` for calls of providers that asks again, in each isolate, whether the URL is allowed: it may have been stored when more was, or under older rules. */
export function checkEachUrl(fetch: Fetch, options: { allowPrivate: boolean }): Fetch {
  return async (input, init) => {
    const reason = findRefusal(input instanceof Request ? input.url : String(input), options);
    if (reason !== null) throw new UrlRefused(`the base URL ${reason}`);
    return fetch(input, init);
  };
}

/** By whether private places are allowed: the rules are those of this isolate's code, so what they allowed stays allowed. */
const allowed = { public: new Set<string>(), private: new Set<string>() };

/** Why the URL may not be called; null when it may. */
function findRefusal(url: string, { allowPrivate }: { allowPrivate: boolean }): string | null {
  const known = allowPrivate ? allowed.private : allowed.public;
  if (known.has(url)) return null;
  const reason = checkOutboundUrl(url, { allowPrivate });
  if (reason !== null) return reason;
  if (known.size >= MAX_KNOWN_URLS) known.clear();
  known.add(url);
  return null;
}

/** Sends one request to a URL that a tenant gave. Never rejects; the response's body is always read or cancelled. */
export async function fetchOutbound(url: string, request: OutboundRequest, options: OutboundOptions): Promise<OutboundAnswer> {
  const { timeoutMs, signal } = options;
  if (timeoutMs === null) return await sendUntil(url, request, options, signal);
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = setTimeout(abort, timeoutMs);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted === true) abort();
  const answer = await sendUntil(url, request, options, controller.signal);
  clearTimeout(timer);
  signal?.removeEventListener("abort", abort);
  return answer;
}

async function sendUntil(url: string, request: OutboundRequest, options: OutboundOptions, signal: AbortSignal | null): Promise<OutboundAnswer> {
  try {
    return await sendChecked(url, request, options, signal);
  } catch (error) {
    return signal?.aborted === true ? { kind: "timed_out" } : { kind: "broken", reason: describeError(error) };
  }
}

async function sendChecked(url: string, request: OutboundRequest, options: OutboundOptions, signal: AbortSignal | null): Promise<OutboundAnswer> {
  // Taken out of the object: the platform's fetch refuses to run as a method of another.
  const { fetch } = options;
  let target = url;
  let { headers } = request;
  for (let redirects = 0; ; redirects += 1) {
    const reason = findRefusal(target, options);
    if (reason !== null) return { kind: "refused", reason: redirects === 0 ? `the URL ${reason}` : `the URL redirects to one that ${reason}` };
    const response = await fetch(target, { method: request.method, headers, body: request.body, redirect: "manual", signal });
    const next = request.method === "GET" && redirects < MAX_GET_REDIRECTS ? redirectTarget(response, target) : null;
    if (next === null) return readAnswer(response, options);
    await discardBody(response);
    // Another origin gets none of the credentials that were meant for the first.
    if (new URL(next).origin !== new URL(target).origin) headers = {};
    target = next;
  }
}

async function readAnswer(response: Response, options: OutboundOptions): Promise<OutboundAnswer> {
  const { status, headers } = response;
  if (options.needsBody?.(status) === false) {
    await discardBody(response);
    return { kind: "answered", status, headers, text: "", truncated: false };
  }
  const body = await readBoundedBody(response, options.maxBytes);
  return { kind: "answered", status, headers, ...body };
}

function redirectTarget(response: Response, base: string): string | null {
  const location = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get("location") : null;
  return location !== null && URL.canParse(location, base) ? new URL(location, base).href : null;
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  return error.cause instanceof Error && error.cause.message !== "" ? `${error.message}: ${error.cause.message}` : error.message;
}
