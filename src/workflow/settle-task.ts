import type { Failure } from "../errors.ts";
import { closeCalls, describeAmount, orphanCalls } from "./budget/budget.ts";
import { putDown } from "./carried.ts";
import { countFinal, isLiveTask, type SkipReason, type TaskStatus } from "./run.ts";
import type { Amount } from "./budget/amount.ts";
import { emit, offerTask, touch, type Step } from "./step.ts";

/** Completes a task and offers the dependents that only waited for it. O(its dependents). */
export function completeTask(step: Step, task: number, outputBytes: number, isReused = false): void {
  const state = step.run.tasks[task]!;
  endTask(step, task, "completed");
  state.failure = null;
  state.outputBytes = outputBytes;
  emit(step, "task.completed", { attempt: state.attempt, outputBytes, ...(isReused ? { reused: true } : {}) }, task);
  releaseDependents(step, task);
  advanceWave(step);
}

/** Ends a task without running it. Skipped by its own `when` it counts as done; otherwise its dependents cannot run either. */
export function skipTask(step: Step, task: number, reason: SkipReason, failure: Failure | null): void {
  const state = touch(step, task);
  state.skip = reason;
  state.failure = failure;
  endTask(step, task, "skipped");
  emit(step, "task.skipped", { attempt: state.attempt, error: failure }, task);
  if (reason === "when") releaseDependents(step, task);
  advanceWave(step);
}

/** Fails a task for good: with `onFailure: "fail"` nothing new starts, with `continue` its dependents are skipped. */
export function failTask(step: Step, task: number, failure: Failure): void {
  const { run } = step;
  const state = touch(step, task);
  state.failure = failure;
  endTask(step, task, "failed");
  if (failure.code === "budget_exhausted") emit(step, "budget.exhausted", describeAmount(step.run, { task, attempt: state.attempt }, neededOf(failure)), task);
  emit(step, "task.failed", { attempt: state.attempt, error: failure }, task);
  run.state.error ??= { ...failure, taskId: run.plan.tasks[task]!.id };
  step.isStateTouched = true;
  if (run.plan.onFailure === "fail") run.state.isFailing = true;
  else skipDependents(step, task);
  advanceWave(step);
}

/** Cancels an open task; a live attempt is abandoned. */
export function cancelTask(step: Step, task: number, failure: Failure): void {
  const state = touch(step, task);
  state.failure = failure;
  endTask(step, task, "cancelled");
  emit(step, "task.cancelled", { attempt: state.attempt }, task);
}

/** Takes a task out of everything that is open: its attempt, its timers, its wave. */
function endTask(step: Step, task: number, status: TaskStatus): void {
  const { index, plan } = step.run;
  detachAttempt(step, task);
  index.retrying.delete(task);
  const state = touch(step, task);
  state.status = status;
  state.retryAt = null;
  state.finishedAt = step.now;
  countFinal(index, status);
  index.openInWave[plan.graph.wave[task]!]! -= 1;
}

/** Ends the live attempt, if any: from now on its claim, renewal or report changes nothing. */
export function detachAttempt(step: Step, task: number): void {
  const { index } = step.run;
  const state = touch(step, task);
  if (isLiveTask(state.status)) {
    index.live.delete(task);
    putDown(index, task);
    if (state.channel === "object") index.counts.inObject -= 1;
    const ref = { task, attempt: state.attempt };
    // Nobody was ever given an attempt that is still queued, so it can bill nothing.
    if (state.status === "queued") closeCalls(step, ref, [], Infinity);
    else orphanCalls(step, ref, state.leaseUntil);
  }
  state.channel = null;
  state.leaseUntil = null;
  state.timeoutAt = null;
}

function neededOf({ details }: Failure): Amount {
  const { neededUsd, neededTokens } = (details ?? {}) as { neededUsd?: number; neededTokens?: number };
  return { nanoUsd: Math.round((neededUsd ?? 0) * 1e9), tokens: neededTokens ?? 0 };
}

function releaseDependents(step: Step, task: number): void {
  const { index, plan } = step.run;
  for (const dependent of plan.graph.dependents[task]!) {
    index.waitingOn[dependent]! -= 1;
    if (index.waitingOn[dependent] === 0 && plan.scheduling === "eager") offerTask(step, dependent);
  }
}

function skipDependents(step: Step, task: number): void {
  const { plan, tasks } = step.run;
  const stack = [...plan.graph.dependents[task]!];
  for (let dependent = stack.pop(); dependent !== undefined; dependent = stack.pop()) {
    if (tasks[dependent]!.status !== "pending") continue;
    const message = `not run because ${plan.tasks[task]!.id} failed`;
    skipTask(step, dependent, "dependency_failed", { code: "dependency_failed", message, retryable: false });
    stack.push(...plan.graph.dependents[dependent]!);
  }
}

/** Lifts the barrier once the wave has no open task; only wave scheduling waits for it. */
function advanceWave(step: Step): void {
  const { index, plan } = step.run;
  while (index.currentWave < plan.graph.waves.length && index.openInWave[index.currentWave] === 0) {
    index.currentWave += 1;
    if (plan.scheduling === "wave") plan.graph.waves[index.currentWave]?.forEach((task) => offerTask(step, task));
  }
}
