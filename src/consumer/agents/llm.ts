import type { Failure, Json } from "../../errors.ts";
import { priceWorstCase } from "../../optimizer/price.ts";
import { MAX_TOKEN_MARGIN, MIN_LEARNT_TOKENS } from "../../optimizer/tokens/token-margin.ts";
import { countFiles } from "../../router/count-files.ts";
import { findBaselineModel, isEmbedded } from "../../router/find-model.ts";
import { routeCall, type CallContext } from "../../router/route-call.ts";
import { findTaskType, TIER_ABOVE, type RouteChoice, type RouteRequest } from "../../router/route-request.ts";
import { TaskType } from "../../workflow/spec/agent.ts";
import type { Models } from "../load-models.ts";
import type { AttemptCall, CallRecord, Outcome, Route, RouteEvent, WorkOrder } from "../work-order.ts";
import { AttemptBudget, worstCaseOf, type AttemptBudgetDeps, type WorstCase } from "./attempt-budget.ts";
import { callWithFallback, type CallCandidate, type CallFault, type FallbackResult } from "./call-with-fallback.ts";
import { boundInput, callLlm, capOutput, type LlmCallDeps, type LlmTask } from "./llm-call.ts";
import { descend, findLeastNeed, LEAST_OUTPUT_TOKENS, MAX_DESCENTS, type LadderDeps, type Rung } from "./llm-ladder.ts";
import { buildPrompt, textsOf } from "./llm-prompt.ts";

export interface LlmDeps extends Models, Pick<LlmCallDeps, "now" | "onDelta"> {
  /** Aborted when the attempt's time is over or its result no longer wanted. */
  signal: AbortSignal;
  /** Holds in the workflow what a call may cost at most. */
  reserve: AttemptBudgetDeps["reserve"];
  /** Tokens of the order's context, which `reduceTo` brings down to so many; null where nothing can be reduced. */
  contextTokens: number;
  reduceTo: (maxTokens: number) => WorkOrder | null;
}

/** One attempt on its way. */
interface Attempt {
  request: RouteRequest;
  budget: AttemptBudget;
  trail: Trail;
  deps: LlmDeps;
}

/**
 * Runs one attempt of a language-model task: chooses the model, holds what the call may cost, falls back while models fail, and asks
 * one tier up when an answer misses the task's schema. All calls are priced. Throws only for an order of another kind of agent.
 */
export async function runLlmAttempt(order: WorkOrder, deps: LlmDeps): Promise<Outcome> {
  if (order.agent.kind !== "llm") throw new Error(`task ${order.taskId} is no language-model task`);
  const built = buildPrompt(order, order.agent);
  if ("failure" in built) return fail(built.failure, createTrail());
  const task = withAllottedOutput({ order, agent: order.agent, built });
  const request = { ...requestOf(task, deps), explore: deps.random?.() ?? null };
  const decision = routeCall(request, contextOf(deps));
  const budget = new AttemptBudget(order, deps);
  const trail = createTrail(budget);
  if ("failure" in decision) return fail(decision.failure, trail, decision.retryAfterMs);
  return runChosen({ task, choice: decision }, { request, budget, trail, deps });
}

/** Without a cap of its own, a task that was allotted tokens writes no more than its prompt leaves of them. */
function withAllottedOutput(task: LlmTask): LlmTask {
  const { llm } = task.order;
  if (llm?.tokenBudget == null || llm.maxOutputTokens !== null) return task;
  return { ...task, outputCap: Math.min(task.agent.maxOutputTokens, Math.max(LEAST_OUTPUT_TOKENS, llm.tokenBudget - task.built.inputTokens)) };
}

/** What an attempt leaves behind, in the order in which it happened. */
interface Trail {
  readonly calls: AttemptCall[];
  events: RouteEvent[];
  failedModels: string[];
  route: Route | null;
  taskType?: string;
}

function createTrail(budget?: AttemptBudget): Trail {
  return {
    get calls() {
      return budget?.calls ?? [];
    },
    events: [],
    failedModels: [],
    route: null,
  };
}

/** Asks the chosen chain; while an answer misses its schema, the chain of the tier above. */
async function runChosen(first: Rung, attempt: Attempt): Promise<Outcome> {
  const { request, trail, deps } = attempt;
  let rung = first;
  let missed: CallFault | null = null;
  for (let escalations = 0; ; escalations += 1) {
    const asked = await askWithinBudget(rung, attempt);
    const { result } = asked;
    const { fault } = result;
    // An answer that missed is why the task fails; that the budget allowed no better one is not.
    if (missed !== null && result.last === null) return fail(missed.failure, trail, missed.retryAfterMs);
    takeResult(trail, asked.choice, result);
    if (fault === null) return { status: "completed", output: result.answer, calls: trail.calls, route: trail.route, context: asked.task.built.context, events: trail.events, taskType: first.choice.taskType };
    const next = escalations < deps.settings.routing.maxEscalations ? escalate(request, result, deps) : null;
    if (next === null || deps.signal.aborted) return fail(fault.failure, trail, fault.retryAfterMs);
    const from = result.last!;
    missed = fault;
    trail.events.push({ type: "model.escalated", data: { from: from.model.id, to: next.chosen.model.id, fromTier: from.tier, toTier: next.tier, error: fault.failure } });
    trail.failedModels.push(from.model.id);
    const reason = `${from.model.id} of tier ${from.tier} missed the task's schema; ${next.chosen.model.id} of tier ${next.tier} ${next.chosen.reason}.`;
    rung = { task: asked.task, choice: { ...next, complexity: first.choice.complexity, reason } };
  }
}

/** Asks a chain; where the budget refuses all of it, what can be had for less. */
async function askWithinBudget(first: Rung, { request, budget, deps }: Attempt): Promise<Rung & { result: FallbackResult<Json> }> {
  let rung = first;
  let result = await askChain(rung, budget, deps);
  let { contextTokens } = deps;
  const reduceTo = (maxTokens: number): LlmTask | null => {
    const task = rebuild(rung.task, deps.reduceTo(maxTokens));
    if (task !== null) contextTokens = Math.min(contextTokens, maxTokens);
    return task;
  };
  const ladder = (): LadderDeps => ({ request, context: contextOf(deps), margins: deps.margins, contextTokens, reduceTo });
  for (let descents = 0; isRefused(result) && descents < MAX_DESCENTS; descents += 1) {
    const lower = descend({ task: rung.task, choice: first.choice }, budget.room!, ladder());
    if (lower === null) break;
    rung = lower;
    result = await askChain(rung, budget, deps);
  }
  // Whatever was refused last: what is told is the least that would have done.
  if (isRefused(result)) result.fault = budget.refuse(findLeastNeed({ task: rung.task, choice: first.choice }, ladder()));
  return { ...rung, result };
}

/** No model was called, for want of budget. */
function isRefused({ last, fault }: FallbackResult<Json>): boolean {
  return last === null && fault?.failure.code === "budget_exhausted";
}

function rebuild(task: LlmTask, order: WorkOrder | null): LlmTask | null {
  const built = order === null ? null : buildPrompt(order, task.agent);
  return built === null || "failure" in built ? null : { ...task, order: order!, built };
}

function askChain({ task, choice }: Rung, budget: AttemptBudget, deps: LlmDeps): Promise<FallbackResult<Json>> {
  const { settings, health, now, signal, margins } = deps;
  const baseline = findBaselineModel(deps.document, settings.budgets.baselineModel);
  const enter = (record: CallRecord, { tier }: CallCandidate): AttemptCall => {
    const isOverCap = !record.estimated && ignoresCaps(record, budget.held);
    const call = { ...record, call: budget.heldCall, tier, taskType: choice.taskType, isOverCap };
    budget.note(call);
    return call;
  };
  const callDeps: LlmCallDeps = { engine: deps.engine, baseline, margins, now, onDelta: deps.onDelta, held: () => budget.held, enter };
  return callWithFallback<Json>(
    {
      tenant: task.order.tenant,
      taskType: choice.taskType,
      candidates: [choice.chosen, ...choice.fallbacks],
      tokensOf: ({ model }) => task.built.inputTokens + capOutput(task, model),
      reserve: ({ model, provider, tier }) => {
        const worst = worstCaseOf(boundInput(task, { model, provider }, margins), capOutput(task, model), model);
        const baselineNanoUsd = baseline === null ? 0 : priceWorstCase(worst.inputTokens, worst.outputTokens, baseline.price);
        return budget.hold(worst, { provider: provider.id, model: model.id, tier, taskType: choice.taskType, baselineNanoUsd });
      },
      call: (candidate, control) => callLlm(task, candidate, control, callDeps),
    },
    { health, settings: settings.routing, now, signal, waitUntil: task.order.deadlineAt },
  );
}

/** Whether a provider billed what no cap can hold: more output than was asked for, or so much more input that no estimate is wrong by it. */
function ignoresCaps({ inputTokens, outputTokens }: CallRecord, held: WorstCase): boolean {
  return outputTokens > held.outputTokens || inputTokens > Math.max(held.inputTokens * MAX_TOKEN_MARGIN, held.inputTokens + MIN_LEARNT_TOKENS);
}

/** Adds what happened in a chain. The route names the model that was called last. */
function takeResult(trail: Trail, choice: RouteChoice, result: FallbackResult<Json>): void {
  const first = result.first ?? choice.chosen;
  const last = result.last ?? first;
  const { score } = choice.complexity;
  const reason = first.model === choice.chosen.model ? choice.reason : `${choice.reason} It is being tried out by another call, so ${first.model.id} takes this one.`;
  const describe = ({ tier, model }: typeof first) => ({ tier, model: model.id, provider: model.provider, complexity: score, reason });
  if (trail.route === null) trail.events.push({ type: "model.selected", data: describe(first) });
  trail.events.push(...result.events);
  trail.taskType = choice.taskType;
  trail.failedModels.push(...result.failedModels);
  const takeover = result.failedModels.length === 0 ? "" : ` ${result.failedModels.join(" and ")} failed, and ${last.model.id} took over.`;
  trail.route = { ...describe(last), reason: reason + takeover, fallbacks: [...trail.failedModels] };
}

/** The chain of the tier above, for an answer that missed its schema; null when nobody there may be asked. A pinned model is never replaced. */
function escalate(request: RouteRequest, { last, fault, isPassedOn }: FallbackResult<Json>, deps: LlmDeps): RouteChoice | null {
  const { quality, orchestration } = deps.settings;
  const isMiss = fault?.failure.code === "output_invalid" && fault.failure.retryable;
  if (!isMiss || isPassedOn || request.model != null || !quality.escalateOnMiss || !orchestration.enabled) return null;
  const tier = last === null ? null : TIER_ABOVE[last.tier];
  if (tier === null) return null;
  const decision = routeCall({ ...request, tier, explore: null }, contextOf(deps));
  return "failure" in decision || isEmbedded(decision.chosen) ? null : decision;
}

/** What is routed. The task's own wishes come before its agent's; a tier that the task names beats a model that the agent pins. */
export function requestOf({ order, agent, built }: LlmTask, deps: Pick<LlmDeps, "settings" | "failureRate">): RouteRequest {
  const { llm } = order;
  const prompt = textsOf(built.prompt.at(-1)!)[0] ?? "";
  const wishes = llm?.model != null || llm?.tier != null ? llm : agent;
  const taskType = findTaskType({ taskType: TaskType.safeParse(llm?.taskType).data ?? agent.taskType, prompt, intent: llm?.intent }, deps.settings.classification);
  return {
    taskType,
    prompt,
    contextTokens: built.inputTokens,
    files: countFiles(prompt),
    failureRate: deps.failureRate(taskType),
    strategy: llm?.strategy ?? null,
    plannedModel: llm?.plannedModel ?? null,
    tier: wishes.tier,
    model: wishes.model,
    maxOutputTokens: llm?.maxOutputTokens ?? agent.maxOutputTokens,
    needs: [],
  };
}

function contextOf(deps: LlmDeps): CallContext {
  const { document, metrics, settings, isConfigured, now } = deps;
  return { document, metrics, settings, isConfigured, now: now() };
}

function fail(failure: Failure, { calls, events, route, taskType }: Trail, retryAfterMs: number | null = null): Outcome {
  return { status: "failed", failure, retryAfterMs, calls, route, events, ...(taskType === undefined ? {} : { taskType }) };
}
