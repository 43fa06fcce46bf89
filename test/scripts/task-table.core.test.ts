import { expect, test } from "vitest";
import { formatTaskTable } from "../../scripts/task-table.ts";
import type { TaskView, WorkflowView } from "../../scripts/workflow-client.ts";

const usage = { inputTokens: 15_045, outputTokens: 313, costUsd: 0.0125 };
const times = { startedAt: "2026-11-21T10:00:00.000Z", finishedAt: "2026-11-21T10:00:12.340Z" };
const done: TaskView = { status: "completed", wave: 0, attempt: 1, output: "x", ...times, route: { model: "some-model", provider: "p" }, usage, error: null };
const skipped: TaskView = { ...done, status: "skipped", wave: 1, startedAt: null, finishedAt: null, route: null, usage: null };
const workflow: WorkflowView = { id: "w", name: null, status: "completed", ...times, waves: [["scout"], ["plan"]], tasks: { scout: done, plan: skipped }, usage, error: null };

test("the table of tasks has a line for each task in the order of waves, and the workflow's totals", () => {
  expect(formatTaskTable(workflow).split("\n")).toEqual([
    "task   wave  status     model       tokens in  tokens out       cost    time",
    "─────  ────  ─────────  ──────────  ─────────  ──────────  ─────────  ──────",
    "scout     1  completed  some-model     15,045         313  $0.012500  12.3 s",
    "plan      2  skipped    –                   0           0         $0       –",
    "─────  ────  ─────────  ──────────  ─────────  ──────────  ─────────  ──────",
    "total        completed                 15,045         313  $0.012500  12.3 s",
  ]);
});
