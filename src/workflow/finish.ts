import type { Failure } from "../errors.ts";
import { isFinalTask, isFinalWorkflow } from "./run.ts";
import { cancelTask, failTask, skipTask } from "./settle-task.ts";
import { emit, type Step } from "./step.ts";

/** Ends the workflow once nothing is left to do. O(1) until then, O(tasks) once. */
export function finishIfDone(step: Step): void {
  const { state, index, plan } = step.run;
  if (isFinalWorkflow(state.status) || index.live.size > 0) return;
  if (state.isFailing) closeOpenTasks(step);
  if (index.counts.final < plan.graph.size) return;
  if (index.counts.failed > 0) return endRun(step, "failed", state.error);
  const failure = step.abilities.evaluateResult();
  endRun(step, failure === null ? "completed" : "failed", failure);
}

/** Ends the workflow now: what is still open is cancelled, live attempts are abandoned. */
export function endRun(step: Step, status: "completed" | "failed" | "cancelled", failure: Failure | null): void {
  const { state, tasks } = step.run;
  step.isStateTouched = true;
  const reason = failure ?? { code: "cancelled", message: "the workflow was cancelled", retryable: false };
  tasks.forEach((task, id) => {
    if (!isFinalTask(task.status)) cancelTask(step, id, reason);
  });
  state.status = status;
  state.finishedAt = step.now;
  state.error = failure;
  if (status === "failed") emit(step, "workflow.failed", { error: reason });
  else emit(step, status === "completed" ? "workflow.completed" : "workflow.cancelled", {});
}

/** After a failure with `onFailure: "fail"`: tasks between two attempts fail with their last failure (or for the lost attempt that is not repeated), the rest was never started. */
function closeOpenTasks(step: Step): void {
  const { tasks, state } = step.run;
  const message = `not started because ${state.error?.taskId ?? "another task"} failed`;
  tasks.forEach((task, id) => {
    if (isFinalTask(task.status)) return;
    if (task.failure !== null) failTask(step, id, task.failure);
    else if (task.startedAt !== null) failTask(step, id, { code: "attempts_exhausted", message: `the runtime lost its attempt; the next was ${message}`, retryable: false });
    else skipTask(step, id, "not_started", { code: "not_started", message, retryable: false });
  });
}
