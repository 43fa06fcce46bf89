import type { HttpAgentDeps } from "./agents/http.ts";
import { runHttpAttempt } from "./agents/http.ts";
import { runLlmAttempt } from "./agents/llm.ts";
import { MAX_ATTEMPT_TIMEOUT_MS } from "../workflow/spec/spec.ts";
import { reduceFurther, reduceOrder } from "./agents/reduce-order.ts";
import type { ReductionCache } from "./agents/reduction-cache.ts";
import type { ReserveAnswer } from "../workflow/budget/reserve-port.ts";
import type { LoadModels } from "./load-models.ts";
import type { Outcome, ReserveCall, WorkOrder } from "./work-order.ts";

export interface AttemptDeps extends Pick<HttpAgentDeps, "fetch" | "allowPrivate" | "secret" | "now"> {
  loadModels: LoadModels;
  /** Holds in the order's workflow what a call may cost at most. May fail, and is repeated then. */
  reserve: (order: WorkOrder, call: ReserveCall) => Promise<ReserveAnswer>;
  /** Contexts that were reduced lately. */
  reductions: ReductionCache;
  /** Takes token deltas of tasks that asked for them. */
  onDelta: (order: WorkOrder, text: string) => void;
  /** Settles when every delta taken so far was shown: after the attempt's report nobody wants them any more. Never rejects. */
  flushDeltas: (order: WorkOrder) => Promise<void>;
}

/** What gives an attempt up. `isTimed`: it also fires at the order's deadline. */
export interface Abandonment {
  signal: AbortSignal;
  isTimed: boolean;
}

/** Runs one attempt, wherever it was sent. Ends by `order.deadlineAt` or when it is abandoned; never rejects. */
export async function runAttempt(order: WorkOrder, deps: AttemptDeps, { signal, isTimed }: Partial<Abandonment> = {}): Promise<Outcome> {
  try {
    // A single request, which keeps to the deadline itself.
    if (order.agent.kind === "http") return await runHttpAttempt(order, { ...deps, signal: signal ?? null, isTimed: isTimed ?? false });
    return await runInTime(order, deps, signal);
  } catch (error) {
    const message = `the attempt could not be run: ${error instanceof Error ? error.message : String(error)}`.slice(0, 500);
    return { status: "failed", failure: { code: "agent_unavailable", message, retryable: true }, retryAfterMs: null, calls: [], route: null };
  }
}

async function runInTime(order: WorkOrder, deps: AttemptDeps, abandoned: AbortSignal | undefined): Promise<Outcome> {
  const timeout = new AbortController();
  const signal = abandoned === undefined ? timeout.signal : AbortSignal.any([timeout.signal, abandoned]);
  const timeoutMs = Math.min(order.deadlineAt - deps.now(), MAX_ATTEMPT_TIMEOUT_MS);
  // Cleared at the end: a timer that is left, as `AbortSignal.timeout` leaves it, keeps an object in memory until it fires.
  const timer = setTimeout(() => timeout.abort(new DOMException("the attempt's time is over", "TimeoutError")), Math.max(0, timeoutMs));
  try {
    return await runModels(order, deps, signal);
  } finally {
    clearTimeout(timer);
  }
}

async function runModels(order: WorkOrder, deps: AttemptDeps, signal: AbortSignal): Promise<Outcome> {
  const isShown = order.llm?.stream === true;
  const onDelta = isShown ? (text: string) => deps.onDelta(order, text) : undefined;
  const models = await deps.loadModels(order.tenant);
  const { orchestration, compression } = models.settings;
  const reduced = orchestration.enabled ? reduceOrder(order, { defaultMaxTokens: compression.defaultMaxTokens, cache: deps.reductions }) : { order, context: null };
  let { context } = reduced;
  const reduceTo = (maxTokens: number): WorkOrder | null => {
    const further = orchestration.enabled ? reduceFurther(order, maxTokens, deps.reductions) : null;
    context = further?.context ?? context;
    return further?.order ?? null;
  };
  const outcome = await runLlmAttempt(reduced.order, { ...models, now: deps.now, signal, onDelta, contextTokens: context?.reducedTokens ?? 0, reduceTo, reserve: (call) => deps.reserve(order, call) });
  if (isShown) await deps.flushDeltas(order);
  return outcome.status === "completed" && context !== null ? { ...outcome, context } : outcome;
}
