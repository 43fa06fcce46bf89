import type { AttemptRef } from "../consumer/work-order.ts";
import { cancelRun, pauseRun, resumeRun, retryTask } from "./commands.ts";
import { claimAttempts, deadLetterAttempts, loseAttempts, renewAttempts, reportAttempts } from "./attempts.ts";
import { finishIfDone } from "./finish.ts";
import { isFinalWorkflow, type Run } from "./run.ts";
import { scheduleReady, startRun } from "./schedule.ts";
import type { Abilities, AttemptResult, Step } from "./step.ts";
import { fireTimers } from "./timers.ts";

export type RunInput =
  | { type: "create"; reused: readonly { task: number; outputBytes: number }[] }
  | { type: "claim"; refs: readonly AttemptRef[] }
  | { type: "renew"; refs: readonly AttemptRef[] }
  | { type: "report"; reports: readonly (AttemptRef & { result: AttemptResult })[] }
  | { type: "lose"; refs: readonly AttemptRef[] }
  | { type: "deadLetter"; refs: readonly AttemptRef[] }
  | { type: "tick" }
  | { type: "pause" }
  | { type: "resume" }
  | { type: "cancel" }
  | { type: "retryTask"; task: number };

/**
 * Applies one input. Deterministic: the same run, input, now and answers give the same step.
 * The run is changed in place, because a persistent copy of 5,000 tasks costs a step more than the step itself;
 * a run whose step could not be saved must be thrown away and restored from the store.
 */
export function transition(run: Run, input: RunInput, now: number, abilities: Abilities): Step {
  const step: Step = { run, now, abilities, events: [], dispatches: [], touched: new Set(), isStateTouched: false, wakeBy: Infinity, accepted: [] };
  applyInput(step, input);
  scheduleReady(step);
  finishIfDone(step);
  return step;
}

function applyInput(step: Step, input: RunInput): void {
  if (input.type === "create") return startRun(step, input.reused);
  if (input.type === "retryTask") return retryTask(step, input.task);
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
