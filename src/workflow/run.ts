import type { Failure } from "../errors.ts";
import type { AttemptRef } from "../consumer/work-order.ts";
import { createBudgetWaiting, type BudgetState, type BudgetWaiting } from "./budget/budget-state.ts";
import { type Carried, measureCarried, takeUp } from "./carried.ts";
import { createFifo, type Fifo } from "./fifo.ts";
import type { Graph } from "./graph.ts";
import type { Cap } from "./budget/amount.ts";
import { EMPTY_BOOKS, openLedger, type Ledger, type StoredBooks } from "./budget/ledger.ts";
import type { RetryPolicy } from "./spec/spec.ts";
import { createStartsKnown, type StartsKnown } from "./starts/starts-known.ts";

export type WorkflowStatus = "scheduled" | "pending" | "running" | "paused" | "completed" | "failed" | "cancelled";
export type TaskStatus = "pending" | "queued" | "running" | "waiting" | "completed" | "failed" | "skipped" | "cancelled";

/**
 * How a live attempt was sent. `inline`: evaluated by the object itself. `object`: called from the object. `direct`: an executor
 * over RPC that the object waits for. `queue`: a queue message. All but `queue` die with the object's memory.
 */
export type Channel = "inline" | "object" | "direct" | "queue";

export type AgentKind = "llm" | "http" | "transform";

/** What scheduling needs to know of a task: fixed at creation, small enough to hold 5,000 in memory. */
export interface TaskPlan {
  id: string;
  kind: AgentKind;
  /** 0 urgent, 1 high, 2 normal, 3 low. */
  rank: number;
  hasWhen: boolean;
  timeoutMs: number;
  retry: RetryPolicy;
  /** The task's own budget; null: none. */
  cap: Cap | null;
}

export interface RunPlan {
  name: string | null;
  tasks: readonly TaskPlan[];
  graph: Graph;
  maxConcurrency: number;
  scheduling: "eager" | "wave";
  onFailure: "fail" | "continue";
  startAt: number | null;
  deadlineMs: number | null;
  cap: Cap;
}

export type SkipReason = "when" | "dependency_failed" | "not_started";

/** The state of one task. Times are Unix milliseconds. Outputs, usage and routes stay in the store. */
export interface TaskState {
  status: TaskStatus;
  /** Number of the latest attempt; 0 before the first. It only grows, also over manual retries: it is the fence. */
  attempt: number;
  /** Attempts that failed and count against `retry.maxAttempts`. */
  failures: number;
  /** Attempts lost by the runtime; they do not count as failures. */
  losses: number;
  manualRetries: number;
  channel: Channel | null;
  /** Until when a queued or claimed attempt counts as alive without news; null when no lease is needed. */
  leaseUntil: number | null;
  timeoutAt: number | null;
  /** When a pending task that failed before may start again. */
  retryAt: number | null;
  startedAt: number | null;
  finishedAt: number | null;
  skip: SkipReason | null;
  /** Of a completed task, in bytes of JSON. */
  outputBytes: number | null;
  /** The last failure: of the attempt before a retry, or of the task for good. */
  failure: Failure | null;
}

/** The state of a workflow that is stored with it. */
export interface RunState {
  status: WorkflowStatus;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  /** When everything still open is cancelled; set at the start. */
  deadlineAt: number | null;
  /** With `onFailure: "fail"`: a task failed for good, so nothing new starts. */
  isFailing: boolean;
  error: Failure | null;
  budget: BudgetState;
  /** The tenant has limits: attempts start only as it lets them. */
  isLimited: boolean;
}

/** A workflow in memory: the plan, the stored state, and indexes derived from both so that no step rescans finished tasks. */
export interface Run {
  plan: RunPlan;
  state: RunState;
  tasks: TaskState[];
  index: RunIndex;
  ledger: Ledger;
  waiting: BudgetWaiting;
  starts: StartsKnown;
}

export interface RunIndex extends Carried {
  /** Dependencies of each task that are not done yet. */
  waitingOn: number[];
  /** Tasks that could start, first in first out, by rank. */
  ready: [Fifo, Fifo, Fifo, Fifo];
  /** Tasks with a live attempt. */
  live: Set<number>;
  /** Pending tasks that wait for `retryAt`. */
  retrying: Set<number>;
  /** Open tasks of each wave, and the wave that may run (used by wave scheduling). */
  openInWave: number[];
  currentWave: number;
  counts: { final: number; completed: number; failed: number; skipped: number; inObject: number; /** Attempts, ever. */ started: number };
}

export function isFinalTask(status: TaskStatus): boolean {
  return status === "completed" || status === "failed" || status === "skipped" || status === "cancelled";
}

export function isFinalWorkflow(status: WorkflowStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

export function isLiveTask(status: TaskStatus): boolean {
  return status === "queued" || status === "running" || status === "waiting";
}

/** Whether dependents may count this task as done: completed, or skipped by its own `when`. */
export function isDone(task: TaskState): boolean {
  return task.status === "completed" || (task.status === "skipped" && task.skip === "when");
}

export function createTaskState(): TaskState {
  return {
    status: "pending",
    attempt: 0,
    failures: 0,
    losses: 0,
    manualRetries: 0,
    channel: null,
    leaseUntil: null,
    timeoutAt: null,
    retryAt: null,
    startedAt: null,
    finishedAt: null,
    skip: null,
    outputBytes: null,
    failure: null,
  };
}

/** Builds a run from what is stored. O(tasks + dependencies): at creation, after an eviction and at a manual retry only. */
export function restoreRun(plan: RunPlan, state: RunState, tasks: TaskState[], books: Omit<StoredBooks, "leases"> = EMPTY_BOOKS): Run {
  const caps = new Map(plan.tasks.flatMap(({ cap }, task) => (cap === null ? [] : [[task, cap] as const])));
  return { plan, state, tasks, index: deriveIndex(plan, tasks), ledger: openLedger(plan.cap, caps, { ...books, leases: state.budget.leases }), waiting: createBudgetWaiting(), starts: createStartsKnown() };
}

/** The fence: whether this is the attempt that the task is waiting for. */
export function isLiveAttempt(run: Run, ref: AttemptRef): boolean {
  const state = run.tasks[ref.task];
  return state !== undefined && state.attempt === ref.attempt && isLiveTask(state.status);
}

/** Tasks that take up one of `maxConcurrency`: those with a live attempt, and those that wait for their budget. */
export function countSlots({ index, waiting }: Run): number {
  return index.live.size + waiting.tasks.size;
}

/** The indexes that follow from the stored state; every transition keeps them equal to this (the simulation checks it). */
export function deriveIndex(plan: RunPlan, tasks: readonly TaskState[]): RunIndex {
  const { graph } = plan;
  const index: RunIndex = {
    waitingOn: graph.dependencies.map((ids) => ids.reduce((open, id) => open + (isDone(tasks[id]!) ? 0 : 1), 0)),
    ready: [createFifo(), createFifo(), createFifo(), createFifo()],
    live: new Set(),
    carried: new Map(),
    carriedBytes: 0,
    retrying: new Set(),
    openInWave: graph.waves.map(() => 0),
    currentWave: 0,
    counts: { final: 0, completed: 0, failed: 0, skipped: 0, inObject: 0, started: tasks.reduce((sum, { attempt }) => sum + attempt, 0) },
  };
  tasks.forEach((task, id) => {
    if (isFinalTask(task.status)) {
      countFinal(index, task.status);
      return;
    }
    index.openInWave[graph.wave[id]!]! += 1;
    if (isLiveTask(task.status)) {
      index.live.add(id);
      if (task.status !== "waiting") takeUp(index, id, measureCarried(plan, tasks, id));
      if (task.channel === "object") index.counts.inObject += 1;
    } else if (task.retryAt !== null) {
      index.retrying.add(id);
    }
  });
  while (index.currentWave < graph.waves.length && index.openInWave[index.currentWave] === 0) index.currentWave += 1;
  tasks.forEach((task, id) => {
    if (task.status === "pending" && task.retryAt === null && isEligible(plan, index, id)) index.ready[plan.tasks[id]!.rank]!.items.push(id);
  });
  return index;
}

/** Whether nothing but a free slot keeps a pending task from starting. */
export function isEligible(plan: RunPlan, index: RunIndex, task: number): boolean {
  if (index.waitingOn[task] !== 0) return false;
  return plan.scheduling === "eager" || plan.graph.wave[task]! <= index.currentWave;
}

export function countFinal(index: RunIndex, status: TaskStatus): void {
  index.counts.final += 1;
  if (status === "completed") index.counts.completed += 1;
  if (status === "failed") index.counts.failed += 1;
  if (status === "skipped") index.counts.skipped += 1;
}
