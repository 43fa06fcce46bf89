import type { Outcome } from "../../consumer/work-order.ts";
import type { AnsweredRoute } from "../../optimizer/call-stats.ts";
import type { WorkflowEvent } from "../../workflow/events.ts";
import type { TaskDetail } from "./stores/step-store.ts";

type EndedOutcome = Exclude<Outcome, { status: "waiting" }>;

/** Events of what happened on the way to an answer. */
export function listAttemptEvents(outcome: EndedOutcome, { taskId, attempt, now }: { taskId: string; attempt: number; now: number }): WorkflowEvent[] {
  const at = new Date(now).toISOString();
  const events = (outcome.events ?? []).map(({ type, data }) => ({ type, at, taskId, data: { attempt, ...data } }) as WorkflowEvent);
  const context = outcome.status === "completed" ? outcome.context : null;
  if (context !== null && context.reducedTokens < context.originalTokens) events.push({ type: "context.reduced", at, taskId, data: { attempt, ...context } });
  return events;
}

/** What views show beside the state; null when no model was chosen. */
export function describeAttempt(outcome: EndedOutcome): TaskDetail | null {
  return outcome.route === null ? null : { route: outcome.route, context: outcome.status === "completed" ? outcome.context : null };
}

/** What statistics count of the choice of a model. */
export function describeRoute(outcome: EndedOutcome, now: number): AnsweredRoute {
  const { route, events = [] } = outcome;
  const context = outcome.status === "completed" ? outcome.context : null;
  return {
    at: now,
    tier: route?.tier ?? null,
    taskType: outcome.taskType ?? null,
    failureCode: outcome.status === "failed" ? outcome.failure.code : null,
    fallbacks: events.filter(({ type }) => type === "model.fallback").length,
    escalatedFrom: events.flatMap(({ type, data }) => (type === "model.escalated" && "fromTier" in data ? [data.fromTier] : [])),
    contextTokensSaved: context === null ? 0 : context.originalTokens - context.reducedTokens,
  };
}
