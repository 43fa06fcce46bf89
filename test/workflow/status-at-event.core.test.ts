import { expect, test } from "vitest";
import type { EventType, WorkflowEvent } from "../../src/workflow/events.ts";
import type { WorkflowStatus } from "../../src/workflow/run.ts";
import { listStatuses } from "../../src/workflow/status-at-event.ts";

test.each<[string, WorkflowStatus, [EventType, WorkflowStatus][]]>([
  ["made and done in one step", "pending", [["workflow.created", "pending"], ["workflow.planned", "pending"], ["workflow.started", "running"], ["task.completed", "running"], ["workflow.completed", "completed"]]],
  ["made for later", "pending", [["workflow.created", "scheduled"], ["workflow.planned", "scheduled"]]],
  ["resumed for later", "paused", [["workflow.resumed", "scheduled"]]],
  ["resumed and begun", "paused", [["workflow.resumed", "running"], ["workflow.started", "running"], ["task.started", "running"]]],
  ["failed, and cancelled with it", "running", [["task.failed", "running"], ["task.cancelled", "running"], ["workflow.failed", "failed"]]],
  ["gone on", "running", [["task.completed", "running"], ["task.queued", "running"]]],
  ["paused, when a report comes", "paused", [["task.completed", "paused"]]],
])("the status at each event of a workflow that is %s", (_name, before, expected) => {
  const events = expected.map(([type]) => ({ type }) as WorkflowEvent);
  expect(listStatuses(events, before, expected.at(-1)![1])).toEqual(expected.map(([, status]) => status));
});
