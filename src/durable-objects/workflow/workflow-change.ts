import type { AttemptRef, WorkOrder } from "../../consumer/work-order.ts";
import type { StatsCell } from "../../optimizer/call-stats.ts";
import type { WorkflowEvent } from "../../workflow/events.ts";
import type { WorkflowStatus } from "../../workflow/run.ts";
import type { LeaseRequest, ReserveReply } from "../../workflow/budget/reserve-port.ts";
import type { StartsQuestion } from "../../workflow/starts/starts-known.ts";
import type { RunInput } from "../../workflow/transition.ts";
import type { PlanReason } from "./planning/plan-reason.ts";
import type { WorkflowEvaluation } from "./workflow-evaluation.ts";
import type { TaskDetail } from "./stores/step-store.ts";

/** What one or more steps decided, saved already; the object sends it on. */
export interface Applied {
  firstSeq: number;
  events: WorkflowEvent[];
  /** Attempts the object calls itself, and those for executors over RPC. */
  objectOrders: WorkOrder[];
  directOrders: WorkOrder[];
  /** Attempts for the queue. */
  queued: AttemptRef[];
  accepted: AttemptRef[];
  /** Whether the tenant's statistics or accounts are to learn something. */
  hasNews: boolean;
  /** Answers to reserves, and what the tenant is to be asked for before others can be answered. */
  replies: ReserveReply[];
  leaseRequest: LeaseRequest | null;
  startsQuestion: StartsQuestion | null;
  /** Why tasks that have not started are to be planned anew; null: they need not. */
  planReason: PlanReason | null;
  /** Transforms that were evaluated, and those left for the next transaction. */
  inlineCount: number;
  inlineLeft: AttemptRef[];
  wakeBy: number;
}

/** What a transaction gathers on its way. Nothing is stored before all of it is decided. */
export interface Change {
  applied: Applied;
  /** Of the workflow, before any of it. */
  statusBefore: WorkflowStatus;
  evaluation: WorkflowEvaluation;
  pending: RunInput[];
  details: Map<number, TaskDetail>;
  touched: Set<number>;
  isStateTouched: boolean;
  /** What is stored beside the step's row, the state and the webhooks. */
  writes: (() => void)[];
  /** Of routes; the books add those of calls. */
  cells: StatsCell[];
}

export function createApplied(firstSeq: number): Applied {
  return { firstSeq, events: [], objectOrders: [], directOrders: [], queued: [], accepted: [], hasNews: false, replies: [], leaseRequest: null, startsQuestion: null, planReason: null, inlineCount: 0, inlineLeft: [], wakeBy: Infinity };
}
