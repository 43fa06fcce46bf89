import type { EventType } from "./events.ts";

const EVENT_TYPE_SET = {
  "workflow.created": true,
  "workflow.planned": true,
  "workflow.started": true,
  "workflow.paused": true,
  "workflow.resumed": true,
  "workflow.completed": true,
  "workflow.failed": true,
  "workflow.cancelled": true,
  "task.queued": true,
  "task.started": true,
  "task.waiting": true,
  "task.retrying": true,
  "task.completed": true,
  "task.failed": true,
  "task.skipped": true,
  "task.cancelled": true,
  "budget.reserved": true,
  "budget.settled": true,
  "budget.warning": true,
  "budget.exhausted": true,
  "budget.overrun": true,
  "context.reduced": true,
  "model.selected": true,
  "model.fallback": true,
  "model.escalated": true,
} satisfies Record<EventType, true>;

/** Every type of the durable log, as values; a type that is missing here does not compile. */
export const EVENT_TYPES = Object.keys(EVENT_TYPE_SET) as EventType[];

export function isEventType(type: string): type is EventType {
  return Object.hasOwn(EVENT_TYPE_SET, type);
}
