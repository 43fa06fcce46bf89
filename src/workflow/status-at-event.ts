import type { EventType, WorkflowEvent } from "./events.ts";
import type { WorkflowStatus } from "./run.ts";

/** What a workflow is from an event of this type on. A resumed one may also be `scheduled`; nothing follows in its step then. */
const STATUS_FROM: Partial<Record<EventType, WorkflowStatus>> = {
  "workflow.started": "running",
  "workflow.paused": "paused",
  "workflow.resumed": "running",
  "workflow.completed": "completed",
  "workflow.failed": "failed",
  "workflow.cancelled": "cancelled",
};

/** The workflow's status at each event of a transaction, which found it `before` and left it `after`. */
export function listStatuses(events: readonly WorkflowEvent[], before: WorkflowStatus, after: WorkflowStatus): WorkflowStatus[] {
  const last = events.findLastIndex(({ type }) => STATUS_FROM[type] !== undefined);
  let status = before;
  return events.map(({ type }, index) => {
    status = STATUS_FROM[type] ?? status;
    return index >= last ? after : status;
  });
}
