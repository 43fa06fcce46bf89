import { fetchOutbound } from "./outbound-fetch.ts";
import type { FetchFunction } from "./outbound-fetch.ts";
import { readRetryAfterMs } from "./retry-after.ts";
import { signBody } from "./sign-body.ts";

/** Time limit of one delivery: a receiver stores and answers, it does not work meanwhile. */
const DELIVERY_TIMEOUT_MS = 10_000;
/** The wait after the first failed delivery, tripled after each further one. */
const FIRST_RETRY_MS = 10_000;
const RETRY_FACTOR = 3;
/** Longest single wait: with 11 waits it makes their sum 23.9 of the 24 hours for which deliveries are retried. */
const MAX_RETRY_MS = 18_780_000;
/** Deliveries in all: the first and 11 retries. */
export const MAX_WEBHOOK_ATTEMPTS = 12;
/** Share of a wait that is left to chance, so that receivers are not called by everybody at once when they come back. */
const JITTER = 0.1;

export interface WebhookEvent {
  /** The same on every delivery: receivers drop repeats by it. */
  id: string;
  type: string;
  /** When it happened, ISO 8601. */
  timestamp: string;
  workflow: { id: string; name: string | null; status: string };
}

export type WebhookResult =
  | { status: "delivered" }
  /** `retryAfterMs`: the receiver's own wish, at most an hour. */
  | { status: "retry"; reason: string; retryAfterMs: number | null }
  | { status: "give_up"; reason: string };

export interface WebhookDeps {
  fetch: FetchFunction;
  allowPrivate: boolean;
  secret: (name: string) => string | undefined;
  now: () => number;
  signal: AbortSignal;
}

/** A delivery in the form of Standard Webhooks, unsigned without a secret; `sentAt`: Unix ms of this delivery. Null when the secret is no key. */
export function buildWebhook(event: WebhookEvent, secret: string | null, sentAt: number): { headers: Record<string, string>; body: string } | null {
  const { id, type, timestamp, workflow } = event;
  const body = JSON.stringify({ type, timestamp, data: { id: workflow.id, name: workflow.name, status: workflow.status } });
  const identity = { "webhook-id": id, "webhook-timestamp": String(Math.floor(sentAt / 1_000)) };
  const signature = secret === null ? identity : signBody({ id, atMs: sentAt, body }, secret);
  return signature === null ? null : { headers: { "content-type": "application/json", ...signature }, body };
}

/** The wait in ms after the `attempt`-th failed delivery (from 1), null when it was the last. `random` in [0, 1). All waits together are below 24 h. */
export function nextWebhookRetryMs(attempt: number, random: number): number | null {
  if (attempt >= MAX_WEBHOOK_ATTEMPTS) return null;
  const waitMs = Math.min(FIRST_RETRY_MS * RETRY_FACTOR ** (attempt - 1), MAX_RETRY_MS);
  return Math.round(waitMs * (1 - JITTER * random));
}

/** Delivers once: 2xx is delivered, 410 or a URL that is not allowed ends it, everything else is worth another try. Never rejects. */
export async function sendWebhook(webhook: { url: string; secretName: string | null; event: WebhookEvent }, deps: WebhookDeps): Promise<WebhookResult> {
  const secret = webhook.secretName === null ? null : deps.secret(webhook.secretName);
  const delivery = secret === undefined || secret === "" ? null : buildWebhook(webhook.event, secret, deps.now());
  // Whoever runs the server can still set it right within the day.
  if (delivery === null) return { status: "retry", reason: `the secret ${webhook.secretName} is not set or is no signing key`, retryAfterMs: null };
  const { fetch, allowPrivate, signal } = deps;
  // A receiver that answers 2xx and then stalls has the event: its body is not waited for.
  const options = { fetch, allowPrivate, signal, timeoutMs: DELIVERY_TIMEOUT_MS, maxBytes: 0, needsBody: () => false };
  const answer = await fetchOutbound(webhook.url, { method: "POST", ...delivery }, options);
  switch (answer.kind) {
    case "refused":
      return { status: "give_up", reason: answer.reason };
    case "broken":
      return { status: "retry", reason: `the connection failed: ${answer.reason}`, retryAfterMs: null };
    case "timed_out":
      return { status: "retry", reason: "no answer in time", retryAfterMs: null };
    case "answered":
      return judgeStatus(answer.status, readRetryAfterMs(answer.headers.get("retry-after"), deps.now()));
  }
}

function judgeStatus(status: number, retryAfterMs: number | null): WebhookResult {
  if (status >= 200 && status < 300) return { status: "delivered" };
  if (status === 410) return { status: "give_up", reason: "answered 410: the receiver is gone for good" };
  return { status: "retry", reason: `answered ${status}`, retryAfterMs };
}
