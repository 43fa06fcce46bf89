import { NANO_USD_PER_USD } from "../../nano-usd.ts";
import type { CallOptions } from "../../router/language-model.ts";
import type { ModelEntry } from "../../config/tiers.ts";
import type { CallCandidate, CallControl, CallEnd, CallFault } from "../../consumer/agents/call-with-fallback.ts";
import { classifyError, mayBeServed } from "../../consumer/agents/llm-failure.ts";
import type { Models } from "../../consumer/load-models.ts";
import type { CallRecord } from "../../consumer/work-order.ts";
import { measureTokens } from "../../optimizer/tokens/tokens.ts";
import { createKeyFilter, redactKey } from "../../router/redact-key.ts";
import { askDirectly } from "./ask-directly.ts";
import { askEngine } from "./ask-engine.ts";
import { countChoices } from "./bound-tokens.ts";
import { readOutputCap, type ChatRequest } from "./chat-body.ts";
import type { HeldCall } from "./chat-budget.ts";
import { createEventWatch, frame, hasContent, isRecord } from "./event-watch.ts";
import type { GatewayDeps } from "./gateway-deps.ts";
import { viewError, type OpenAiError } from "./openai-error.ts";
import type { ProviderAnswer } from "./provider-call.ts";
import { viewProviderError } from "./provider-error.ts";
import { relayStream } from "./relay-stream.ts";
import type { AnswerHead } from "./translate-answer.ts";
import { recordBroken, recordUsage } from "./wire-usage.ts";

/** What every call of a request has in common, whoever answers it. */
export interface ChatCall extends ChatRequest {
  /** Requests for providers of another wire format; a candidate without one takes the body itself. */
  translations: ReadonlyMap<CallCandidate, CallOptions>;
  inputTokens: number;
  /** What a budget holds for the call; null where none does. */
  heldFor: (candidate: CallCandidate) => HeldCall | null;
  baseline: ModelEntry | null;
  /** What the request has cost so far, with models that failed. */
  spentNanoUsd: () => number;
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

/** Calls one model once, hands its stream over or reads its whole answer, and prices it. Never rejects. */
export async function callChat(call: ChatCall, candidate: CallCandidate, control: CallControl, deps: ChatDeps): Promise<CallEnd<ChatAnswer>> {
  try {
    const answer = await ask(call, candidate, control, deps);
    switch (answer.kind) {
      case "refused":
        return endWithout(classify(answer.error, candidate, deps), answer.refusal, null);
      case "unusable":
        return endWithout(classify(answer.error, candidate, deps), null, isRecord(answer.usage) ? recordWhole(answer.usage, 0, call, candidate, deps) : recordLost(null, 0, call, candidate, deps));
      case "whole":
        return endWhole(answer.text, call, candidate, deps);
      case "stream":
        return await endStream(answer, call, candidate, control, deps);
    }
  } catch (error) {
    // What was asked may be billed although nobody waited for it, or nothing was heard of it.
    const record = control.signal.aborted || mayBeServed(error) ? recordLost(null, 0, call, candidate, deps) : null;
    return endWithout(classify(error, candidate, deps), null, record);
  }
}

function ask(call: ChatCall, candidate: CallCandidate, { signal }: CallControl, deps: ChatDeps): Promise<ProviderAnswer> {
  const options = call.translations.get(candidate);
  const outputCap = call.heldFor(candidate)?.outputCap ?? null;
  if (options === undefined) return askDirectly({ body: call.body, text: call.text, candidate, outputCap, signal }, deps);
  return askEngine({ options: outputCap === null ? options : { ...options, maxOutputTokens: outputCap }, candidate, signal }, { ...call.head, model: candidate.model.id }, call.body.stream === true, deps);
}

function endWhole(text: string, call: ChatCall, candidate: CallCandidate, deps: ChatDeps): CallEnd<ChatAnswer> {
  const completion = parseCompletion(text);
  if (completion === null) return endWithout(fault(candidate, "answered with something unreadable"), null, recordLost(null, 0, call, candidate, deps));
  if (completion.error != null) return endWithout(classify(completion.error, candidate, deps), viewProviderError(completion.error), null);
  const record = recordWhole(completion.usage, completion.outputTokens, call, candidate, deps);
  if (completion.isEmpty) return endWithout(fault(candidate, "gave an empty answer"), null, record);
  return { answer: { text }, fault: null, record, isPassedOn: false, quality: null };
}

async function endStream({ body: source, key }: Extract<ProviderAnswer, { kind: "stream" }>, call: ChatCall, candidate: CallCandidate, control: CallControl, deps: ChatDeps): Promise<CallEnd<ChatAnswer>> {
  const record = (usage: object | null): CallRecord => recordWhole(usage, watch.outputTokens, call, candidate, deps);
  const watch = createEventWatch({
    hasSeveral: countChoices(call.body) > 1,
    isUsageWanted: call.body.stream_options?.include_usage === true,
    costOf: (usage) => (call.spentNanoUsd() + record(usage).costNanoUsd) / NANO_USD_PER_USD,
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
  // Whoever left, or was cut off, behind the last word has lost nothing of the count.
  const isCounted = end.kind === "passed_on" || (watch.isComplete && watch.usage !== null);
  const recorded = isCounted ? record(watch.usage) : recordLost(watch.usage, watch.outputTokens, call, candidate, deps);
  if (end.kind !== "failed") return { answer: null, fault: null, record: recorded, isPassedOn: true, quality: null };
  const { hasBegun } = end;
  // A provider that reports an error instead of an answer bills nothing, unless it says so.
  const isRefused = watch.error !== null && !hasBegun && watch.usage === null && !control.signal.aborted;
  return { ...endWithout(faultOf(end.error), viewProviderError(end.error), isRefused ? null : recorded), isPassedOn: hasBegun };
}

/** What a failed call is to the client when no other model can take over. */
export function viewFault({ failure, retryAfterMs }: CallFault): OpenAiError {
  if (failure.code === "budget_exhausted") return { status: 429, message: asSentence(failure.message), type: "insufficient_quota", param: null, code: "insufficient_quota", retryAfterMs: null };
  const isDown = failure.retryable;
  return { status: isDown ? 503 : 502, message: asSentence(failure.message), type: "server_error", param: null, code: isDown ? "provider_unavailable" : "provider_rejected", retryAfterMs };
}

/** With one full stop: a provider's words may end in one. */
export function asSentence(message: string): string {
  return message.replace(/[.\s]*$/, ".");
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

/** The line of a whole answer. An estimate is never above what was held. */
function recordWhole(usage: unknown, seenTokens: number, { inputTokens, baseline, heldFor }: ChatCall, candidate: CallCandidate, { now }: ChatDeps): CallRecord {
  const { inputTokens: mostInput = Infinity, outputTokens: mostOutput = Infinity } = heldFor(candidate) ?? {};
  const estimated = { inputTokens: Math.min(inputTokens, mostInput), outputTokens: Math.min(seenTokens, mostOutput) };
  return recordUsage({ usage, estimated, model: candidate.model, baseline, at: now() });
}

/** The line of an answer that did not come, or not to its end: what was held for it; where nothing was, what is likely. */
function recordLost(usage: unknown, seenTokens: number, { body, inputTokens, baseline, heldFor }: ChatCall, candidate: CallCandidate, { settings, now }: ChatDeps): CallRecord {
  const { model } = candidate;
  const likelyTokens = Math.min(readOutputCap(body) ?? settings.routing.assumedOutputTokens, model.maxOutputTokens) * countChoices(body);
  const most = heldFor(candidate) ?? { inputTokens, outputTokens: Math.max(seenTokens, likelyTokens) };
  return recordBroken({ usage, most, model, baseline, at: now() });
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
  // Calls of tools and what was thought aloud are output too.
  const outputTokens = messages.reduce((sum, { content, ...rest }) => sum + (typeof content === "string" ? measureTokens(content) : 0) + (hasContent(rest) ? measureTokens(JSON.stringify(rest)) : 0), 0);
  return { usage: body["usage"], error: body["error"], isEmpty, outputTokens: Math.ceil(outputTokens) };
}
