import type { AttemptRef } from "../consumer/work-order.ts";
import { askForStarts, setLimited, takeStarts } from "./starts/ask-starts.ts";
import { cancelRun, pauseRun, resumeRun, retryTask } from "./commands.ts";
import { claimAttempts, deadLetterAttempts, loseAttempts, renewAttempts, reportAttempts } from "./attempts.ts";
import { closeCalls, settleUnreported } from "./budget/budget.ts";
import { finishIfDone } from "./finish.ts";
import { nextExpiryAt, type Bill } from "./budget/ledger.ts";
import { answerReserves, askForLease, takeLease, takeReserves, trimLeases } from "./budget/reserve.ts";
import type { LeaseAnswer, ReserveRequest } from "./budget/reserve-port.ts";
import { isFinalWorkflow, type Run } from "./run.ts";
import { scheduleReady, startRun } from "./schedule.ts";
import { wakeAt, type Abilities, type AttemptResult, type Step } from "./step.ts";
import type { StartsReply } from "./starts/starts-known.ts";
import { fireTimers } from "./timers.ts";

/** `bills`: of all calls that the attempt made. They count also when it is not the live one any more; then `result` may be null. */
export interface AttemptReport extends AttemptRef {
  result: AttemptResult | null;
  bills?: readonly Bill[];
}

export type RunInput =
  | { type: "create"; reused: readonly { task: number; outputBytes: number }[] }
  | { type: "claim"; refs: readonly AttemptRef[] }
  | { type: "renew"; refs: readonly AttemptRef[] }
  | { type: "report"; reports: readonly AttemptReport[] }
  | { type: "lose"; refs: readonly AttemptRef[] }
  | { type: "deadLetter"; refs: readonly AttemptRef[] }
  | { type: "tick" }
  | { type: "pause" }
  | { type: "resume" }
  | { type: "cancel" }
  | { type: "retryTask"; task: number }
  | { type: "reserve"; requests: readonly ReserveRequest[] }
  | { type: "lease"; day: number; revision: number; answer: LeaseAnswer }
  | { type: "trim" }
  | { type: "starts"; number: number; reply: StartsReply }
  | { type: "limits"; isLimited: boolean }
  /** Settles all that is held: the workflow is about to be forgotten. */
  | { type: "closeBooks" };

/**
 * Applies one input. Deterministic: the same run, input, now and answers give the same step.
 * The run is changed in place, because a persistent copy of 5,000 tasks costs a step more than the step itself;
 * a run whose step could not be saved must be thrown away and restored from the store.
 */
export function transition(run: Run, input: RunInput, now: number, abilities: Abilities): Step {
  const step: Step = { run, now, abilities, events: [], dispatches: [], touched: new Set(), isStateTouched: false, wakeBy: Infinity, accepted: [], entries: [], replies: [], leaseRequest: null, startsQuestion: null };
  applyInput(step, input);
  answerReserves(step);
  scheduleReady(step);
  askForLease(step);
  finishIfDone(step);
  askForStarts(step);
  return step;
}

function applyInput(step: Step, input: RunInput): void {
  if (input.type === "create") return startRun(step, input.reused);
  if (input.type === "retryTask") return retryTask(step, input.task);
  keepBooks(step, input);
  if (isFinalWorkflow(step.run.state.status)) return;
  switch (input.type) {
    case "claim":
      return claimAttempts(step, input.refs);
    case "renew":
      return renewAttempts(step, input.refs);
    case "report":
      return reportAttempts(step, input.reports);
    case "lose":
      return loseAttempts(step, input.refs);
    case "deadLetter":
      return deadLetterAttempts(step, input.refs);
    case "tick":
      return fireTimers(step);
    case "pause":
      return pauseRun(step);
    case "resume":
      return resumeRun(step);
    case "cancel":
      return cancelRun(step);
  }
}

/** What concerns the tenant alone, and goes on after the end: late bills, calls that nobody reported, its budget and limits. */
function keepBooks(step: Step, input: RunInput): void {
  switch (input.type) {
    case "report":
      return input.reports.forEach((report) => report.result?.status !== "waiting" && closeCalls(step, report, report.bills ?? [], Infinity));
    case "tick":
      settleUnreported(step, step.now);
      return wakeAt(step, nextExpiryAt(step.run.ledger));
    case "closeBooks":
      return settleUnreported(step, Infinity);
    case "reserve":
      return takeReserves(step, input.requests);
    case "lease":
      return takeLease(step, input.day, input.revision, input.answer);
    case "trim":
      return trimLeases(step);
    case "starts":
      return takeStarts(step, input.number, input.reply);
    case "limits":
      return setLimited(step, input.isLimited);
  }
}
