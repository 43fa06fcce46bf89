import { countStartsLeft, nextStartsAt } from "./starts/ask-starts.ts";
import { failAttempt, loseAttempt } from "./attempts.ts";
import { measureCarried, mayCarry } from "./carried.ts";
import { nextExpiryAt } from "./budget/ledger.ts";
import { nextAskAt } from "./budget/reserve.ts";
import { countSlots, isFinalWorkflow, type Run, type TaskState } from "./run.ts";
import { beginRun } from "./schedule.ts";
import { endRun } from "./finish.ts";
import { offerTask, touch, wakeAt, type Step } from "./step.ts";

/** Does everything whose time has come: start, deadline, leases, timeouts, retries. O(live and retrying tasks). */
export function fireTimers(step: Step): void {
  const { run, now } = step;
  const { state, plan, index } = run;
  if (state.status === "scheduled" && plan.startAt !== null && plan.startAt <= now) beginRun(step);
  if (state.deadlineAt !== null && state.deadlineAt <= now) {
    const message = `the workflow's deadlineMs of ${plan.deadlineMs} ms is over`;
    return endRun(step, "failed", { code: "deadline_exceeded", message, retryable: false });
  }
  for (const task of [...index.live]) fireAttemptTimer(step, task);
  for (const task of [...index.retrying]) {
    if ((run.tasks[task]!.retryAt ?? 0) > now) continue;
    index.retrying.delete(task);
    touch(step, task).retryAt = null;
    offerTask(step, task);
  }
  wakeAt(step, nextTimerAt(run, step.abilities.settings.timeoutGraceMs));
}

function fireAttemptTimer(step: Step, task: number): void {
  const { now, abilities } = step;
  const state = step.run.tasks[task]!;
  if (timeoutOf(state, abilities.settings.timeoutGraceMs) <= now) {
    const message = `no answer within the task's timeoutMs of ${step.run.plan.tasks[task]!.timeoutMs} ms`;
    failAttempt(step, task, { code: "timeout", message, retryable: true }, null);
  } else if (state.leaseUntil !== null && state.leaseUntil <= now) {
    // A call of the object's own is alive as long as the object's memory; after a loss of that it was repeated before any timer fires.
    if (state.status === "running" && state.channel !== "queue") state.leaseUntil = now + abilities.settings.checkMs;
    else loseAttempt(step, task);
  }
}

/** A waiting attempt times out on the dot; a running one gets time to report its own timeout first. */
function timeoutOf(state: TaskState, graceMs: number): number {
  if (state.timeoutAt === null) return Infinity;
  return state.status === "waiting" ? state.timeoutAt : state.timeoutAt + graceMs;
}

/** When the alarm must fire next, as a function of the state alone; Infinity when nothing is timed. O(live and retrying tasks). */
export function nextWakeAt(run: Run, graceMs: number): number {
  const { state, plan } = run;
  // Ready tasks with a slot free: a step stopped before it had asked all their conditions.
  const isCut = state.status === "running" && !state.isFailing && countSlots(run) < plan.maxConcurrency && countStartsLeft(run) > 0 && mayStartNext(run);
  // The clock may have been set back behind the start.
  return Math.min(nextTimerAt(run, graceMs), isCut ? (state.startedAt ?? 0) : Infinity);
}

function nextTimerAt(run: Run, graceMs: number): number {
  const { state, plan, index, tasks } = run;
  const booksAt = nextExpiryAt(run.ledger);
  if (isFinalWorkflow(state.status)) return booksAt;
  let at = Math.min(state.deadlineAt ?? Infinity, booksAt, nextAskAt(run), nextStartsAt(run));
  if (state.status === "scheduled" && plan.startAt !== null) at = Math.min(at, plan.startAt);
  for (const task of index.live) at = Math.min(at, tasks[task]!.leaseUntil ?? Infinity, timeoutOf(tasks[task]!, graceMs));
  for (const task of index.retrying) at = Math.min(at, tasks[task]!.retryAt ?? Infinity);
  return at;
}

/** Whether there is a ready task, and the first of them can be carried beside what is under way. */
function mayStartNext(run: Run): boolean {
  const { index, plan, tasks } = run;
  for (const { items, head } of index.ready) {
    const next = items.slice(head).find((task) => tasks[task]!.status === "pending" && tasks[task]!.retryAt === null);
    if (next !== undefined) return mayCarry(run, measureCarried(plan, tasks, next), 0);
  }
  return false;
}
