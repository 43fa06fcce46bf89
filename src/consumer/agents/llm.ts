import type { Failure, Json } from "../../errors.ts";
import { countFiles } from "../../router/count-files.ts";
import { findBaselineModel, isEmbedded } from "../../router/find-model.ts";
import { routeCall, type CallContext } from "../../router/route-call.ts";
import { findTaskType, TIER_ABOVE, type RouteChoice, type RouteRequest } from "../../router/route-request.ts";
import { TaskType } from "../../workflow/agent.ts";
import type { Models } from "../load-models.ts";
import type { CallRecord, Outcome, Route, RouteEvent, WorkOrder } from "../work-order.ts";
import { callWithFallback, type FallbackResult } from "./call-with-fallback.ts";
import { callLlm, capOutput, type LlmCallDeps, type LlmTask } from "./llm-call.ts";
import { buildPrompt, textsOf } from "./llm-prompt.ts";

export interface LlmDeps extends Models, Pick<LlmCallDeps, "now" | "onDelta"> {
  /** Aborted when the attempt's time is over or its result no longer wanted. */
  signal: AbortSignal;
}

/**
 * Runs one attempt of a language-model task: chooses the model, falls back while models fail, and asks one tier up when an answer
 * misses the task's schema. All calls are priced. Throws only for an order of another kind of agent.
 */
export async function runLlmAttempt(order: WorkOrder, deps: LlmDeps): Promise<Outcome> {
  if (order.agent.kind !== "llm") throw new Error(`task ${order.taskId} is no language-model task`);
  const built = buildPrompt(order, order.agent);
  if ("failure" in built) return fail(built.failure, createTrail());
  const task: LlmTask = { order, agent: order.agent, built };
  const request = requestOf(task, deps);
  const decision = routeCall(request, contextOf(deps));
  const trail = createTrail();
  if ("failure" in decision) return fail(decision.failure, trail, decision.retryAfterMs);
  return runChosen(task, request, decision, trail, deps);
}

/** What an attempt leaves behind, in the order in which it happened. */
interface Trail {
  calls: CallRecord[];
  events: RouteEvent[];
  failedModels: string[];
  route: Route | null;
  taskType?: string;
}

function createTrail(): Trail {
  return { calls: [], events: [], failedModels: [], route: null };
}

/** Asks the chosen chain; while an answer misses its schema, the chain of the tier above. */
async function runChosen(task: LlmTask, request: RouteRequest, first: RouteChoice, trail: Trail, deps: LlmDeps): Promise<Outcome> {
  let choice = first;
  for (let escalations = 0; ; escalations += 1) {
    const result = await askChain(task, choice, deps);
    takeResult(trail, choice, result);
    const { fault } = result;
    if (fault === null) return { status: "completed", output: result.answer, calls: trail.calls, route: trail.route, context: task.built.context, events: trail.events, taskType: first.taskType };
    const next = escalations < deps.settings.routing.maxEscalations ? escalate(request, result, deps) : null;
    if (next === null || deps.signal.aborted) return fail(fault.failure, trail, fault.retryAfterMs);
    const from = result.last!;
    trail.events.push({ type: "model.escalated", data: { from: from.model.id, to: next.chosen.model.id, fromTier: from.tier, toTier: next.tier, error: fault.failure } });
    trail.failedModels.push(from.model.id);
    choice = { ...next, complexity: first.complexity, reason: `${from.model.id} of tier ${from.tier} missed the task's schema; ${next.chosen.model.id} of tier ${next.tier} ${next.chosen.reason}.` };
  }
}

function askChain(task: LlmTask, choice: RouteChoice, deps: LlmDeps): Promise<FallbackResult<Json>> {
  const { settings, health, now, signal } = deps;
  const callDeps: LlmCallDeps = { engine: deps.engine, baseline: findBaselineModel(deps.document, settings.budgets.baselineModel), margins: deps.margins, now, onDelta: deps.onDelta };
  return callWithFallback<Json>(
    {
      tenant: task.order.tenant,
      taskType: choice.taskType,
      candidates: [choice.chosen, ...choice.fallbacks],
      tokensOf: ({ model }) => task.built.inputTokens + capOutput(task, model),
      call: (candidate, control) => callLlm(task, candidate, control, callDeps),
    },
    { health, settings: settings.routing, now, signal },
  );
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
  trail.calls.push(...result.calls);
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
  const decision = routeCall({ ...request, tier }, contextOf(deps));
  return "failure" in decision || isEmbedded(decision.chosen) ? null : decision;
}

/** What is routed. The task's own wishes come before its agent's; a tier that the task names beats a model that the agent pins. */
export function requestOf({ order, agent, built }: LlmTask, deps: Pick<LlmDeps, "settings" | "failureRate">): RouteRequest {
  const { llm } = order;
  const prompt = textsOf(built.prompt.at(-1)!)[0] ?? "";
  const wishes = llm?.model != null || llm?.tier != null ? llm : agent;
  const taskType = findTaskType({ taskType: TaskType.safeParse(llm?.taskType).data ?? agent.taskType, prompt }, deps.settings.classification);
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
