import { z } from "zod";
import type { ReserveAnswer } from "../workflow/budget/reserve-port.ts";
import type { AttemptRef, ReserveCall, Report, WorkOrder } from "./work-order.ts";

/** What executors, runners and other workflows ask of a workflow's object. */
export interface AttemptPort {
  /** Grants queued attempts; what comes back may be run, everything else was claimed, superseded or cancelled. */
  claim(refs: AttemptRef[]): Promise<WorkOrder[]>;
  /** Extends the leases of claimed attempts; answers those still alive. */
  renew(refs: AttemptRef[]): Promise<AttemptRef[]>;
  report(reports: Report[]): Promise<void>;
  /** Holds what a call may cost at most, before it is made. Pending while what others hold could make room for it. Repeatable. */
  reserve(call: ReserveCall): Promise<ReserveAnswer>;
  /** The messages of these attempts ended in the dead-letter queue. */
  deadLetter(refs: AttemptRef[]): Promise<void>;
  /** Token deltas for live streams; never stored. */
  publishDeltas(deltas: TaskDelta[]): Promise<void>;
  /** Outputs (JSON texts) of completed tasks, for a rerun: as many as fit one answer, in the order asked. */
  readOutputs(taskIds: string[]): Promise<{ taskId: string; json: string }[]>;
  /** Looks at its timers now: the cron sweep calls it where an alarm may have been given up. */
  wake(): Promise<void>;
}

export interface TaskDelta extends AttemptRef {
  text: string;
}

/** Runs attempts somewhere else and holds their calls open. */
export interface ExecutorPort {
  /** Runs the orders at once. Early outcomes are passed to `onReports` while others still run; the rest comes back. */
  run(orders: WorkOrder[], onReports: (reports: Report[]) => Promise<void>): Promise<Report[]>;
}

/** Takes claimed orders over from a queue consumer, which is then done. */
export interface RunnerPort {
  start(orders: WorkOrder[]): Promise<void>;
}

/** A queue message: a reference, never a payload. */
export const TaskMessage = z.strictObject({
  tenant: z.string(),
  workflowId: z.string(),
  task: z.int().min(0),
  attempt: z.int().min(1),
  /** 0 urgent … 3 low: the order within a batch. */
  rank: z.int().min(0).max(3),
});
export type TaskMessage = z.infer<typeof TaskMessage>;

