import type { Failure } from "../errors.ts";

/** Attempts are counted from 1; 0 stands for "never dispatched". */
interface TaskEventData {
  attempt: number;
}

/** An amount, and the workflow's totals after it. */
interface BudgetEventData extends TaskEventData {
  taskId: string;
  usd: number;
  tokens: number;
  workflow: { spentUsd: number; reservedUsd: number; spentTokens: number; reservedTokens: number };
}

/** Event types of a workflow's durable log, with the `data` of each. */
export interface EventData {
  "workflow.created": { name: string | null };
  /** At the creation, and with a `reason` when tasks that have not started were planned anew. */
  "workflow.planned": { waves: number; tasks: number; reason?: "budget" | "schedule" };
  "workflow.started": Record<never, never>;
  "workflow.paused": Record<never, never>;
  "workflow.resumed": { taskId?: string };
  "workflow.completed": Record<never, never>;
  "workflow.failed": { error: Failure };
  "workflow.cancelled": Record<never, never>;
  "task.queued": TaskEventData;
  "task.started": TaskEventData;
  "task.waiting": TaskEventData;
  "task.retrying": TaskEventData & { error: Failure; nextAt: string };
  "task.completed": TaskEventData & { outputBytes: number; reused?: boolean };
  "task.failed": TaskEventData & { error: Failure };
  "task.skipped": TaskEventData & { error: Failure | null };
  "task.cancelled": TaskEventData;
  "budget.reserved": BudgetEventData;
  "budget.settled": BudgetEventData;
  "budget.overrun": BudgetEventData;
  "budget.exhausted": BudgetEventData;
  "budget.warning": BudgetEventData & { percent: number };
  "context.reduced": TaskEventData & { originalTokens: number; reducedTokens: number };
  "model.selected": TaskEventData & { tier: string; model: string; provider: string; complexity: number | null; reason: string };
  /** A model failed, and the next of its chain was asked within the same attempt. */
  "model.fallback": TaskEventData & { from: string; to: string; error: Failure };
  /** An answer missed its schema, and a model of the next tier was asked within the same attempt. */
  "model.escalated": TaskEventData & { from: string; to: string; fromTier: string; toTier: string; error: Failure };
}

export type EventType = keyof EventData;

/** An event as the core emits it; the store gives it its `seq`. `at` is ISO 8601 UTC. */
export type WorkflowEvent = {
  [Type in EventType]: { type: Type; at: string; taskId?: string; data: EventData[Type] };
}[EventType];

/** An event as read back: `seq` counts from 1 without gaps. */
export type LoggedEvent = WorkflowEvent & { seq: number };
