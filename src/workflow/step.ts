import type { AttemptRef } from "../consumer/work-order.ts";
import type { Failure } from "../errors.ts";
import type { DispatchSettings } from "./dispatch.ts";
import type { EventData, EventType, WorkflowEvent } from "./events.ts";
import type { LedgerEntry } from "./budget/ledger.ts";
import type { LeaseRequest, ReserveReply } from "./budget/reserve-port.ts";
import type { StartsQuestion } from "./starts/starts-known.ts";
import { isEligible, type Channel, type Run, type TaskState } from "./run.ts";

/** How an attempt ended, as far as the core cares: outputs and usage are the store's. */
export type AttemptResult =
  | { status: "completed"; outputBytes: number }
  | { status: "failed"; failure: Failure; retryAfterMs: number | null }
  | { status: "waiting" };

/** What the core may ask while it decides. All answers are functions of stored values, so that a step can be replayed. */
export interface Abilities {
  /** Evaluates a task's `when` over stored outputs. */
  evaluateWhen: (task: number) => boolean | Failure;
  /** Evaluates and keeps the workflow's result; a failure fails the workflow. */
  evaluateResult: () => Failure | null;
  /** A number in [0, 1), for jitter. */
  random: () => number;
  settings: DispatchSettings;
  /** What a workflow leases of the tenant's budget at once, where it does not need more. */
  leaseChunkNanoUsd: number;
  /** Percent of a cap at whose spending the workflow warns, ascending. */
  warningThresholds: readonly number[];
}

export interface Dispatch extends AttemptRef {
  channel: Channel;
}

/** What a step decided. The shell saves `touched` tasks, `state` and `events` in one transaction, then sends `dispatches`. */
export interface Step {
  run: Run;
  now: number;
  abilities: Abilities;
  events: WorkflowEvent[];
  dispatches: Dispatch[];
  touched: Set<number>;
  isStateTouched: boolean;
  /** The earliest time that this step set a timer for; an alarm armed at or before it needs no change. */
  wakeBy: number;
  /** Claims granted, or reports that changed state. */
  accepted: AttemptRef[];
  /** What changed in the books. */
  entries: LedgerEntry[];
  /** Answers to reserves, of this step and of those that waited. */
  replies: ReserveReply[];
  /** What the tenant is to be asked for. */
  leaseRequest: LeaseRequest | null;
  /** What the tenant is asked of starts. */
  startsQuestion: StartsQuestion | null;
}

/** Adds an event at the step's time. */
export function emit<Type extends EventType>(step: Step, type: Type, data: EventData[Type], task?: number): void {
  const at = new Date(step.now).toISOString();
  const event = task === undefined ? { type, at, data } : { type, at, taskId: step.run.plan.tasks[task]!.id, data };
  step.events.push(event as WorkflowEvent);
}

/** The task's state, marked as changed. */
export function touch(step: Step, task: number): TaskState {
  step.touched.add(task);
  return step.run.tasks[task]!;
}

/** Notes that something has to happen at `time`, so that the alarm is armed no later. */
export function wakeAt(step: Step, time: number): void {
  if (time < step.wakeBy) step.wakeBy = time;
}

/** Puts a pending task among those that may start, if nothing but a slot is missing. */
export function offerTask(step: Step, task: number): void {
  const { run } = step;
  const state = run.tasks[task]!;
  if (state.status !== "pending" || state.retryAt !== null || !isEligible(run.plan, run.index, task)) return;
  run.index.ready[run.plan.tasks[task]!.rank]!.items.push(task);
}
