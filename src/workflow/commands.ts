import { findDescendants } from "./graph.ts";
import { createTaskState, deriveIndex, isDone, type Run, type TaskState } from "./run.ts";
import { beginRun } from "./schedule.ts";
import { skipTask } from "./settle-task.ts";
import { endRun } from "./finish.ts";
import { emit, touch, wakeAt, type Step } from "./step.ts";

/** Pauses: live attempts finish, nothing new starts, the deadline runs on. */
export function pauseRun(step: Step): void {
  if (step.run.state.status === "paused") return;
  step.run.state.status = "paused";
  step.isStateTouched = true;
  emit(step, "workflow.paused", {});
}

/** Goes on after a pause: with the run, or with waiting for `startAt` if that is still ahead. */
export function resumeRun(step: Step): void {
  const { state, plan } = step.run;
  if (state.status !== "paused") return;
  step.isStateTouched = true;
  emit(step, "workflow.resumed", {});
  if (state.startedAt === null && plan.startAt !== null && plan.startAt > step.now) {
    state.status = "scheduled";
    wakeAt(step, plan.startAt);
  } else {
    beginRun(step);
  }
}

export function cancelRun(step: Step): void {
  endRun(step, "cancelled", null);
}

/** Whether `retryTask` would do anything: the task failed, in a workflow that failed or is running. */
export function canRetryTask(run: Run, task: number): boolean {
  return run.tasks[task]?.status === "failed" && (run.state.status === "failed" || run.state.status === "running");
}

/**
 * Starts a failed task anew, with what was skipped or cut short because of it. Counted failures, losses and the deadline begin anew;
 * attempt numbers go on, so that reports of earlier attempts stay fenced. O(tasks), by hand only.
 */
export function retryTask(step: Step, task: number): void {
  const { run } = step;
  if (!canRetryTask(run, task)) return;
  reopenTask(step, task);
  for (const id of findSkippedToReopen(run, task)) reopenTask(step, id);
  const { state, plan } = run;
  step.isStateTouched = true;
  state.status = "running";
  state.finishedAt = null;
  state.isFailing = false;
  state.error = firstError(run);
  state.deadlineAt = plan.deadlineMs === null ? null : step.now + plan.deadlineMs;
  if (state.deadlineAt !== null) wakeAt(step, state.deadlineAt);
  run.index = deriveIndex(plan, run.tasks);
  // Those that waited for their budget are among the ready tasks of the new index, and begin to wait anew.
  run.waiting.tasks.clear();
  emit(step, "workflow.resumed", { taskId: plan.tasks[task]!.id });
  skipBlockedTasks(step);
}

function reopenTask(step: Step, task: number): void {
  const state = touch(step, task);
  const manualRetries = state.status === "failed" ? state.manualRetries + 1 : state.manualRetries;
  Object.assign(state, { ...createTaskState(), attempt: state.attempt, manualRetries } satisfies TaskState);
}

/** Tasks skipped or cancelled for a failure that can run again: downstream of the task or never started, with no failed task left above them. */
function findSkippedToReopen(run: Run, task: number): number[] {
  const { graph } = run.plan;
  const downstream = findDescendants(graph, [task]);
  const reopened = new Set([task]);
  const found: number[] = [];
  for (const wave of graph.waves) {
    for (const id of wave) {
      const state = run.tasks[id]!;
      const isStopped = state.status === "cancelled" || (state.status === "skipped" && (state.skip === "not_started" || (state.skip === "dependency_failed" && downstream.has(id))));
      if (!isStopped) continue;
      const canRun = graph.dependencies[id]!.every((dependency) => reopened.has(dependency) || isDone(run.tasks[dependency]!) || !isEnded(run.tasks[dependency]!));
      if (!canRun) continue;
      reopened.add(id);
      found.push(id);
    }
  }
  return found;
}

/** What is below another failed task was still to be closed at the end of a failing run. The run goes on now, so it is closed at once: it would wait for ever. */
function skipBlockedTasks(step: Step): void {
  const { plan, tasks, state } = step.run;
  const message = `not started because ${state.error?.taskId ?? "another task"} failed`;
  for (const wave of plan.graph.waves) {
    for (const id of wave) {
      const isBlocked = tasks[id]!.status === "pending" && plan.graph.dependencies[id]!.some((dependency) => isEnded(tasks[dependency]!) && !isDone(tasks[dependency]!));
      if (isBlocked) skipTask(step, id, "not_started", { code: "not_started", message, retryable: false });
    }
  }
}

function isEnded(state: TaskState): boolean {
  return state.status === "failed" || state.status === "skipped" || state.status === "cancelled";
}

function firstError(run: Run): Run["state"]["error"] {
  const failed = run.tasks.findIndex((state) => state.status === "failed");
  return failed < 0 ? null : { ...run.tasks[failed]!.failure!, taskId: run.plan.tasks[failed]!.id };
}
