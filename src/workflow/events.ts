import type { Failure } from "../errors.ts";

/** Attempts are counted from 1; 0 stands for "never dispatched". */
interface TaskEventData {
  attempt: number;
}

/** Event types of a workflow's durable log, with the `data` of each. */
export interface EventData {
  "workflow.created": { name: string | null };
  "workflow.planned": { waves: number; tasks: number };
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
  "context.reduced": TaskEventData & { originalTokens: number; reducedTokens: number };
  "model.selected": TaskEventData & { tier: string; model: string; provider: string; complexity: number | null; reason: string };
}

export type EventType = keyof EventData;

/** An event as the core emits it; the store gives it its `seq`. `at` is ISO 8601 UTC. */
export type WorkflowEvent = {
  [Type in EventType]: { type: Type; at: string; taskId?: string; data: EventData[Type] };
}[EventType];

/** An event as read back: `seq` counts from 1 without gaps. */
export type LoggedEvent = WorkflowEvent & { seq: number };
