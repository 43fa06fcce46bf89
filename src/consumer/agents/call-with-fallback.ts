import type { ModelEntry, ProviderEntry } from "../../config/tiers.ts";
import type { RoutingSettings } from "../../config/routing-settings.ts";
import type { Failure } from "../../errors.ts";
import type { TierName } from "../../workflow/spec/agent.ts";
import type { ModelHealth } from "../metrics-port.ts";
import type { CallRecord, RouteEvent } from "../work-order.ts";

/** A model that may be asked, as the router gives it. */
export interface CallCandidate {
  model: ModelEntry;
  provider: ProviderEntry;
  tier: TierName;
  /** Its circuit is half-open: it is called only if nobody else is trying it. */
  needsProbe: boolean;
}

/** Why a call did not give an answer. `failure.retryable` says whether another model may be asked. */
export interface CallFault {
  failure: Failure;
  /** How long the provider asked to wait. */
  retryAfterMs: number | null;
  /** Whether it says something about the model's health; a refused request, or a client that left, does not. */
  isHealthFailure: boolean;
  /** It says nothing of the model at all: whoever was asked this, or asked like this, would have failed. */
  isInconclusive?: boolean;
}

/** One call as it ended. */
export interface CallEnd<Answer> {
  answer: Answer;
  fault: CallFault | null;
  /** The ledger's line; null when nothing was billed. */
  record: CallRecord | null;
  /** Something of the answer has been passed on to a reader: no other model may take over from here. */
  isPassedOn: boolean;
  /** 0–1 whether the answer passed its checks; null when nothing was checked. */
  quality: number | null;
}

/** What the call of one model is given. */
export interface CallControl {
  /** Aborted when the time is over, the result no longer wanted, or the model took too long to begin. */
  signal: AbortSignal;
  /** To be called when the first token arrives. */
  onFirstToken: () => void;
}

export interface FallbackRequest<Answer> {
  tenant: string;
  taskType: string | null;
  /** The chosen model first, then those that take over. */
  candidates: readonly CallCandidate[];
  /** Tokens that the call may use of a model's limit per minute: input and output cap. */
  tokensOf: (candidate: CallCandidate) => number;
  /** Reserves what a call may cost at most beside those that were made; may wait. Why it may not be called, or null. */
  reserve?: (candidate: CallCandidate, calls: readonly CallRecord[]) => Promise<CallFault | null>;
  /** Calls one model once. Never rejects. */
  call: (candidate: CallCandidate, control: CallControl) => Promise<CallEnd<Answer>>;
}

export interface FallbackDeps {
  health: Pick<ModelHealth, "observe" | "acquireProbe" | "acquireRate">;
  settings: Pick<RoutingSettings, "circuitFirstTokenMs">;
  now: () => number;
  /** Bounds all calls together. Read anew for each of them. */
  readonly signal: AbortSignal;
  /** Gives a call up that takes so long (ms) to begin its answer; left out: a timer of its own does. */
  limitFirstToken?: (limitMs: number) => FirstTokenLimit;
  /** How long a call may wait for its place within a model's limits (Unix ms); left out: as long as any attempt may take. */
  waitUntil?: number;
}

/** Ends a call that is late to begin its answer. */
export interface FirstTokenLimit {
  /** Fires for that, and for what bounds all calls. */
  signal: AbortSignal;
  /** The first token has come. */
  lift: () => void;
  /** The call is over. */
  stop: () => void;
}

export interface FallbackResult<Answer> {
  /** The model that was called first; null when none was. */
  first: CallCandidate | null;
  /** The model that was called last. */
  last: CallCandidate | null;
  /** The last call's answer, also of a failed one. */
  answer: Answer | null;
  fault: CallFault | null;
  /** Something of the last call's answer has been passed on. */
  isPassedOn: boolean;
  calls: CallRecord[];
  /** `model.fallback`, one for each model that failed and was followed by another. */
  events: RouteEvent[];
  /** Ids of the models that failed before the last. */
  failedModels: string[];
}

/** When a half-open model that is being tried by another caller may be asked for again. */
const PROBE_RETRY_MS = 1_000;
/** When a model whose limits are taken for longer than a call can wait may be asked for again: limits are per minute. */
const RATE_RETRY_MS = 60_000;

/**
 * Asks the candidates one after the other until one answers. The next is asked after a transient failure only, and only as long as
 * nothing of the answer was passed on. Every call that was made is recorded and observed. Never rejects.
 */
export async function callWithFallback<Answer>(request: FallbackRequest<Answer>, deps: FallbackDeps): Promise<FallbackResult<Answer>> {
  const result: FallbackResult<Answer> = { first: null, last: null, answer: null, fault: null, isPassedOn: false, calls: [], events: [], failedModels: [] };
  for (const [index, candidate] of request.candidates.entries()) {
    const refused = deps.signal.aborted ? null : ((await request.reserve?.(candidate, result.calls)) ?? (await admit(candidate, request, deps)));
    if (deps.signal.aborted) {
      result.fault ??= timeoutFault(candidate);
      return result;
    }
    if (refused !== null) {
      result.fault ??= refused;
      continue;
    }
    noteFallback(result, candidate);
    const end = await callOnce(candidate, index < request.candidates.length - 1, request, deps);
    if (end.record !== null) result.calls.push(end.record);
    result.answer = end.answer;
    result.fault = end.fault;
    result.isPassedOn = end.isPassedOn;
    if (end.fault === null || !mayFallBack(end, deps.signal)) return result;
  }
  return result;
}

/** Waits for a place within the model's limits; a half-open model takes one caller. Why it may not be called, or null. */
async function admit<Answer>(candidate: CallCandidate, request: FallbackRequest<Answer>, { health, signal, now, waitUntil }: FallbackDeps): Promise<CallFault | null> {
  const { model, provider, needsProbe } = candidate;
  const refuse = (what: string, retryAfterMs: number): CallFault => ({ failure: { code: "provider_unavailable", message: `${provider.id} (${model.id}) ${what}`, retryable: true }, retryAfterMs, isHealthFailure: false });
  if (signal.aborted) return null;
  if (model.limits !== undefined) {
    const limits = { requestsPerMinute: model.limits.requestsPerMinute ?? null, tokensPerMinute: model.limits.tokensPerMinute ?? null };
    const hasPlace = await health.acquireRate(provider.id, { tenant: request.tenant, model: model.id, limits, tokens: request.tokensOf(candidate), ...(waitUntil === undefined ? {} : { maxWaitMs: Math.max(0, waitUntil - now()) }) }, signal);
    if (!hasPlace) return refuse("has no place within its limits for as long as the call can wait", RATE_RETRY_MS);
  }
  // Asked for last: a probe that is given and not made keeps everybody else from it for a while.
  if (needsProbe && !signal.aborted && !(await health.acquireProbe(provider.id, model.id))) return refuse("failed before and is being tried by another call", PROBE_RETRY_MS);
  return null;
}

function noteFallback<Answer>(result: FallbackResult<Answer>, candidate: CallCandidate): void {
  if (result.last !== null && result.fault !== null) {
    result.events.push({ type: "model.fallback", data: { from: result.last.model.id, to: candidate.model.id, error: result.fault.failure } });
    result.failedModels.push(result.last.model.id);
  }
  result.first ??= candidate;
  result.last = candidate;
}

/** An answer of too little quality is no reason to ask a model of the same tier, and what was passed on cannot be taken back. */
function mayFallBack<Answer>({ fault, isPassedOn }: CallEnd<Answer>, signal: AbortSignal): boolean {
  return fault !== null && fault.failure.retryable && fault.failure.code !== "output_invalid" && !isPassedOn && !signal.aborted;
}

async function callOnce<Answer>(candidate: CallCandidate, hasNext: boolean, request: FallbackRequest<Answer>, deps: FallbackDeps): Promise<CallEnd<Answer>> {
  // Without another model to ask, waiting on is better than giving up.
  const limit = hasNext ? (deps.limitFirstToken?.(deps.settings.circuitFirstTokenMs) ?? limitFirstToken(deps)) : null;
  const signal = limit?.signal ?? deps.signal;
  const startedAt = deps.now();
  let firstTokenAt: number | null = null;
  const onFirstToken = (): void => {
    firstTokenAt ??= deps.now();
    limit?.lift();
  };
  try {
    const end = await request.call(candidate, { signal, onFirstToken });
    const at = deps.now();
    const fault = end.fault !== null && signal.aborted ? abortFault(candidate, firstTokenAt, at - startedAt, deps) : end.fault;
    observe({ ...end, fault }, candidate, { startedAt, firstTokenAt, at }, request, deps);
    return { ...end, fault };
  } finally {
    limit?.stop();
  }
}

function limitFirstToken({ signal, settings }: FallbackDeps): FirstTokenLimit {
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const timer = setTimeout(() => controller.abort(), settings.circuitFirstTokenMs);
  return {
    signal: controller.signal,
    lift: () => clearTimeout(timer),
    stop: () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    },
  };
}

function abortFault(candidate: CallCandidate, firstTokenAt: number | null, elapsedMs: number, { signal, settings }: FallbackDeps): CallFault {
  // A caller in a hurry proves nothing about the model; one that waited as long as is allowed does.
  const isHealthFailure = firstTokenAt === null && elapsedMs >= settings.circuitFirstTokenMs;
  if (signal.aborted) return { ...timeoutFault(candidate), isHealthFailure, isInconclusive: !isHealthFailure };
  const message = `${candidate.provider.id} (${candidate.model.id}) did not begin its answer within ${settings.circuitFirstTokenMs} ms`;
  return { failure: { code: "provider_unavailable", message, retryable: true }, retryAfterMs: null, isHealthFailure: true };
}

function timeoutFault({ provider, model }: CallCandidate): CallFault {
  const message = `the attempt's time was over before ${provider.id} (${model.id}) had answered`;
  return { failure: { code: "timeout", message, retryable: true }, retryAfterMs: null, isHealthFailure: false };
}

interface CallTimes {
  startedAt: number;
  firstTokenAt: number | null;
  at: number;
}

function observe<Answer>(end: CallEnd<Answer>, { model, provider, tier }: CallCandidate, times: CallTimes, request: FallbackRequest<Answer>, deps: FallbackDeps): void {
  const { fault, record, quality } = end;
  // An answer that missed its checks was still an answer: its quality is what was wrong with it.
  const isAnswered = fault === null || quality !== null;
  deps.health.observe({
    at: times.at,
    tenant: request.tenant,
    model: model.id,
    provider: provider.id,
    tier,
    taskType: request.taskType,
    isSuccess: isAnswered,
    isHealthFailure: fault?.isHealthFailure ?? false,
    ...(fault?.isInconclusive === true ? { isInconclusive: true } : {}),
    retryAfterMs: fault?.retryAfterMs ?? null,
    latencyMs: Math.max(0, times.at - times.startedAt),
    timeToFirstTokenMs: times.firstTokenAt === null ? null : Math.max(0, times.firstTokenAt - times.startedAt),
    inputTokens: record?.inputTokens ?? 0,
    outputTokens: record?.outputTokens ?? 0,
    costNanoUsd: record?.costNanoUsd ?? 0,
    baselineNanoUsd: record?.baselineNanoUsd ?? 0,
    quality,
  });
}
