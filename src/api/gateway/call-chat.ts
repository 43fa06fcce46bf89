import type { CallOptions } from "../../router/language-model.ts";
import type { ModelEntry } from "../../config/tiers.ts";
import type { CallCandidate, CallControl, CallEnd, CallFault } from "../../consumer/agents/call-with-fallback.ts";
import { classifyError } from "../../consumer/agents/llm-failure.ts";
import type { Models } from "../../consumer/load-models.ts";
import type { CallRecord } from "../../consumer/work-order.ts";
import { measureTokens } from "../../optimizer/tokens.ts";
import { createKeyFilter, redactKey } from "../../router/redact-key.ts";
import { askDirectly } from "./ask-directly.ts";
import { askEngine } from "./ask-engine.ts";
import { countChoices } from "./bound-tokens.ts";
import { readOutputCap, type ChatRequest } from "./chat-body.ts";
import { createEventWatch, frame, hasContent, isRecord } from "./event-watch.ts";
import type { GatewayDeps } from "./gateway-deps.ts";
import { viewError, type OpenAiError } from "./openai-error.ts";
import type { ProviderAnswer } from "./provider-call.ts";
import { relayStream } from "./relay-stream.ts";
import type { AnswerHead } from "./translate-answer.ts";
import { recordUsage } from "./wire-usage.ts";

/** What every call of a request has in common, whoever answers it. */
export interface ChatCall extends ChatRequest {
  /** Requests for providers of another wire format; a candidate without one takes the body itself. */
  translations: ReadonlyMap<CallCandidate, CallOptions>;
  inputTokens: number;
  /** The output cap that a budget asks for; null for none. */
  capOf: (candidate: CallCandidate) => number | null;
  baseline: ModelEntry | null;
  head: Omit<AnswerHead, "model">;
  /** Fires when the client has gone. */
  left: AbortSignal;
  /** Hears of a streamed answer as soon as there is something of it. */
  onBegin: (candidate: CallCandidate, body: ReadableStream<Uint8Array>) => void;
  /** Called for every piece of a streamed answer. */
  onChunk: () => void;
}

export interface ChatDeps extends Pick<GatewayDeps, "fetch" | "secret">, Pick<Models, "engine" | "settings"> {
  now: () => number;
}

/** The chat completion as JSON; or, of a call that failed, what the provider said to the client; null for a streamed answer. */
export type ChatAnswer = { text: string } | { refusal: OpenAiError } | null;

const NANO = 1_000_000_000;

/** Calls one model once, hands its stream over or reads its whole answer, and prices it. Never rejects. */
export async function callChat(call: ChatCall, candidate: CallCandidate, control: CallControl, deps: ChatDeps): Promise<CallEnd<ChatAnswer>> {
  try {
    const answer = await ask(call, candidate, control, deps);
    switch (answer.kind) {
      case "refused":
        return endWithout(classify(answer.error, candidate, deps), answer.refusal, null);
      case "whole":
        return endWhole(answer.text, call, candidate, deps);
      case "stream":
        return await endStream(answer, call, candidate, control, deps);
    }
  } catch (error) {
    // What was asked may be billed although nobody waited for it.
    const record = control.signal.aborted ? recordCall(null, 0, call, candidate, deps, true) : null;
    return endWithout(classify(error, candidate, deps), null, record);
  }
}

function ask(call: ChatCall, candidate: CallCandidate, { signal }: CallControl, deps: ChatDeps): Promise<ProviderAnswer> {
  const options = call.translations.get(candidate);
  const outputCap = call.capOf(candidate);
  if (options === undefined) return askDirectly({ body: call.body, text: call.text, candidate, outputCap, signal }, deps);
  return askEngine({ options: outputCap === null ? options : { ...options, maxOutputTokens: outputCap }, candidate, signal }, { ...call.head, model: candidate.model.id }, call.body.stream === true, deps);
}

function endWhole(text: string, call: ChatCall, candidate: CallCandidate, deps: ChatDeps): CallEnd<ChatAnswer> {
  const completion = parseCompletion(text);
  if (completion === null) return endWithout(fault(candidate, "answered with something unreadable"), null, recordCall(null, 0, call, candidate, deps, false));
  if (completion.error != null) return endWithout(classify(completion.error, candidate, deps), null, null);
  const record = recordCall(completion.usage, completion.outputTokens, call, candidate, deps, false);
  if (completion.isEmpty) return endWithout(fault(candidate, "gave an empty answer"), null, record);
  return { answer: { text }, fault: null, record, isPassedOn: false, quality: null };
}

async function endStream({ body: source, key }: Extract<ProviderAnswer, { kind: "stream" }>, call: ChatCall, candidate: CallCandidate, control: CallControl, deps: ChatDeps): Promise<CallEnd<ChatAnswer>> {
  const record = (usage: object | null, wasLeft: boolean): CallRecord => recordCall(usage, watch.outputTokens, call, candidate, deps, wasLeft);
  const watch = createEventWatch({
    hasSeveral: countChoices(call.body) > 1,
    isUsageWanted: call.body.stream_options?.include_usage === true,
    costOf: (usage) => record(usage, false).costNanoUsd / NANO,
    estimateUsage: () => ({ prompt_tokens: call.inputTokens, completion_tokens: watch.outputTokens, total_tokens: call.inputTokens + watch.outputTokens }),
  });
  const faultOf = (error: unknown): CallFault => (error === null ? fault(candidate, watch.hasBegun ? "ended its answer before it was complete" : "gave an empty answer") : classify(error, candidate, deps));
  const end = await relayStream(source, {
    watch,
    filter: createKeyFilter(key),
    left: call.left,
    onBegin: (body) => {
      control.onFirstToken();
      call.onBegin(candidate, body);
    },
    onChunk: call.onChunk,
    describe: (error) => new TextEncoder().encode(frame(viewError(viewFault(faultOf(error))))),
  });
  if (end.kind !== "failed") return { answer: null, fault: null, record: record(watch.usage, end.kind === "left"), isPassedOn: true, quality: null };
  const { hasBegun, error } = end;
  // A provider that reports an error instead of an answer bills nothing, unless it says so.
  const isBilled = watch.usage !== null || hasBegun || error === null || control.signal.aborted;
  return { ...endWithout(faultOf(error), null, isBilled ? record(watch.usage, control.signal.aborted) : null), isPassedOn: hasBegun };
}

/** What a failed call is to the client when no other model can take over. */
export function viewFault({ failure, retryAfterMs }: CallFault): OpenAiError {
  if (failure.code === "budget_exhausted") return { status: 429, message: `${failure.message}.`, type: "insufficient_quota", param: null, code: "insufficient_quota", retryAfterMs: null };
  const isDown = failure.retryable;
  return { status: isDown ? 503 : 502, message: `${failure.message}.`, type: "server_error", param: null, code: isDown ? "provider_unavailable" : "provider_rejected", retryAfterMs };
}

function endWithout(callFault: CallFault, refusal: OpenAiError | null, record: CallRecord | null): CallEnd<ChatAnswer> {
  return { answer: refusal === null ? null : { refusal }, fault: callFault, record, isPassedOn: false, quality: null };
}

function classify(error: unknown, { provider, model }: CallCandidate, deps: ChatDeps): CallFault {
  const { code, status } = isRecord(error) ? error : {};
  // Inside an answer the status is a number of the error itself.
  const statusCode = [code, status].find((value) => typeof value === "number" && value >= 400 && value < 600);
  const named = statusCode === undefined || !isRecord(error) ? error : { ...error, statusCode };
  const { failure, ...rest } = classifyError(named, { provider: provider.id, model: model.id, sentTexts: [], now: deps.now() });
  const key = provider.secretName === undefined ? null : (deps.secret(provider.secretName) ?? null);
  return { failure: { ...failure, message: redactKey(failure.message, key) }, ...rest };
}

function fault({ provider, model }: CallCandidate, what: string): CallFault {
  return { failure: { code: "provider_unavailable", message: `${provider.id} (${model.id}) ${what}`, retryable: true }, retryAfterMs: null, isHealthFailure: true };
}

/** `wasLeft`: nobody waited for the end, so that the provider may have gone on to its cap. */
function recordCall(usage: unknown, seenTokens: number, { body, inputTokens, baseline, capOf }: ChatCall, candidate: CallCandidate, { settings, now }: ChatDeps, wasLeft: boolean): CallRecord {
  const { model } = candidate;
  const unseenTokens = Math.min(readOutputCap(body) ?? settings.routing.assumedOutputTokens, capOf(candidate) ?? model.maxOutputTokens);
  const outputTokens = wasLeft ? Math.max(seenTokens, unseenTokens) : seenTokens;
  return recordUsage({ usage, estimated: { inputTokens, outputTokens }, model, baseline, at: now() });
}

interface ReadCompletion {
  usage: unknown;
  error: unknown;
  isEmpty: boolean;
  /** Estimated. */
  outputTokens: number;
}

/** What of a chat completion must be known to pass it on; null when it is none. */
function parseCompletion(text: string): ReadCompletion | null {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(body)) return null;
  const choices = Array.isArray(body["choices"]) ? body["choices"].filter(isRecord) : [];
  if (choices.length === 0 && body["error"] == null) return null;
  const messages = choices.flatMap(({ message }) => (isRecord(message) ? [message] : []));
  const isEmpty = choices.every(({ finish_reason: reason }) => reason === "stop" || reason == null) && !messages.some(hasContent);
  const outputTokens = messages.reduce((sum, { content }) => sum + (typeof content === "string" ? measureTokens(content) : 0), 0);
  return { usage: body["usage"], error: body["error"], isEmpty, outputTokens: Math.ceil(outputTokens) };
}
