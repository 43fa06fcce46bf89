import type { AttemptRef } from "../consumer/work-order.ts";
import type { Failure } from "../errors.ts";
import { putDown } from "./carried.ts";
import { computeRetryDelayMs } from "./retry.ts";
import { isLiveAttempt, type TaskState } from "./run.ts";
import { markStarted } from "./schedule.ts";
import { completeTask, detachAttempt, failTask } from "./settle-task.ts";
import { emit, offerTask, touch, wakeAt, type AttemptResult, type Step } from "./step.ts";

/** How often an attempt may be lost by the runtime before its task fails (contract). */
export const MAX_LOSSES = 10;
/** The first loss is repeated at once; later ones wait, so that a fault of the platform is not hammered. */
const FIRST_LOSS_DELAY_MS = 250;
const MAX_LOSS_DELAY_MS = 10_000;

/** Grants queued attempts to whoever claims them first. Anything but the live, unclaimed attempt is refused. */
export function claimAttempts(step: Step, refs: readonly AttemptRef[]): void {
  for (const ref of refs) {
    if (findLive(step, ref)?.status !== "queued") continue;
    markStarted(step, ref.task);
    step.accepted.push(ref);
  }
}

/** Extends the leases of claimed attempts. A renewal is not stored: after a restart every claimed attempt is given one lease to be heard of again. */
export function renewAttempts(step: Step, refs: readonly AttemptRef[]): void {
  for (const ref of refs) {
    const state = findLive(step, ref);
    if (state?.status !== "running" || state.leaseUntil === null) continue;
    state.leaseUntil = step.now + step.abilities.settings.leaseMs;
    wakeAt(step, state.leaseUntil);
    step.accepted.push(ref);
  }
}

/** Takes the outcomes of attempts. A report of any but the live attempt changes nothing. */
export function reportAttempts(step: Step, reports: readonly (AttemptRef & { result: AttemptResult | null })[]): void {
  for (const report of reports) {
    const { result } = report;
    const state = findLive(step, report);
    if (state === null || result === null || (result.status === "waiting" && state.status === "waiting")) continue;
    step.accepted.push({ task: report.task, attempt: report.attempt });
    if (result.status === "completed") completeTask(step, report.task, result.outputBytes);
    else if (result.status === "waiting") waitForCallback(step, report.task);
    else failAttempt(step, report.task, result.failure, result.retryAfterMs);
  }
}

/** Repeats attempts that the runtime lost: their call died, or their lease ran out. It does not count as a failure. */
export function loseAttempts(step: Step, refs: readonly AttemptRef[]): void {
  for (const ref of refs) {
    const state = findLive(step, ref);
    if (state === null || state.status === "waiting") continue;
    step.accepted.push(ref);
    loseAttempt(step, ref.task);
  }
}

/** Fails attempts whose queue message ended in the dead-letter queue before anyone claimed it. */
export function deadLetterAttempts(step: Step, refs: readonly AttemptRef[]): void {
  for (const ref of refs) {
    if (findLive(step, ref)?.status !== "queued") continue;
    step.accepted.push(ref);
    const message = "the attempt's queue message could not be handled and ended in the dead-letter queue";
    failAttempt(step, ref.task, { code: "agent_unavailable", message, retryable: true }, null);
  }
}

/** Ends an attempt that failed: a retry later if the failure is transient and attempts are left, else the task's failure. */
export function failAttempt(step: Step, task: number, failure: Failure, retryAfterMs: number | null): void {
  const { run, now, abilities } = step;
  const { retry } = run.plan.tasks[task]!;
  const state = touch(step, task);
  state.failures += 1;
  if (!failure.retryable || state.failures >= retry.maxAttempts || run.state.isFailing) return failTask(step, task, failure);
  const nextAt = now + computeRetryDelayMs(retry, state.failures, abilities.random(), retryAfterMs);
  state.failure = failure;
  postpone(step, task, nextAt);
  emit(step, "task.retrying", { attempt: state.attempt, error: failure, nextAt: new Date(nextAt).toISOString() }, task);
}

/** Repeats a lost attempt, with growing pauses, until the runtime has lost it too often. */
export function loseAttempt(step: Step, task: number): void {
  const state = touch(step, task);
  state.losses += 1;
  if (state.losses > MAX_LOSSES) {
    const message = `the runtime lost ${state.losses} attempts of this task; its agent may crash or starve the worker`;
    return failTask(step, task, { code: "attempts_exhausted", message, retryable: false });
  }
  const delayMs = state.losses === 1 ? 0 : Math.min(FIRST_LOSS_DELAY_MS * 2 ** (state.losses - 2), MAX_LOSS_DELAY_MS);
  postpone(step, task, step.now + delayMs);
}

function postpone(step: Step, task: number, until: number): void {
  detachAttempt(step, task);
  const state = touch(step, task);
  state.status = "pending";
  if (until <= step.now) {
    offerTask(step, task);
    return;
  }
  state.retryAt = until;
  step.run.index.retrying.add(task);
  wakeAt(step, until);
}

/** The agent accepted the task and will call back: no lease, only the attempt's timeout. It lives on, and so does what is held for it. */
function waitForCallback(step: Step, task: number): void {
  const state = touch(step, task);
  if (state.channel === "object") step.run.index.counts.inObject -= 1;
  putDown(step.run.index, task);
  state.status = "waiting";
  state.channel = null;
  state.leaseUntil = null;
  if (state.timeoutAt !== null) wakeAt(step, state.timeoutAt);
  emit(step, "task.waiting", { attempt: state.attempt }, task);
}

function findLive(step: Step, ref: AttemptRef): TaskState | null {
  return isLiveAttempt(step.run, ref) ? step.run.tasks[ref.task]! : null;
}
