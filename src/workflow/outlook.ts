import type { Amount } from "./budget/amount.ts";
import type { LedgerEntry } from "./budget/ledger.ts";
import { isFinalTask, type TaskState } from "./run.ts";

/** What was foreseen of a task, at the creation or when it was planned anew. Zero for tasks that call no model. */
export interface TaskOutlook {
  /** Its share of the workflow's tokens, against the other tasks'. */
  weight: number;
  expectedNanoUsd: number;
  expectedTokens: number;
  /** Absent where nothing was planned. */
  expectedMs?: number;
}

/** Sums that each ending task moves a little, so that what follows from them costs the same whatever the size of the workflow. */
export interface Outlook {
  tasks: readonly TaskOutlook[];
  /** How long the workflow is expected to take, wave by wave; 0 where that was not planned. */
  expectedMs: number;
  /** Weights of the tasks that have not ended. */
  openWeight: number;
  openExpected: Amount;
  /** Of tasks that have ended and called a model: what was expected of them, and what they spent. A task that was skipped says nothing about how right the plan is. */
  doneExpected: Amount;
  doneSpent: Amount;
  isEnded: boolean[];
  spentByTask: Amount[];
}

/** A task that takes so much of the workflow's expected time more than it should have moves the critical path. */
const DRIFT_SHARE = 0.2;
/** Shorter delays are not worth a new plan. */
const MIN_DRIFT_MS = 1_000;

const NOTHING: TaskOutlook = { weight: 0, expectedNanoUsd: 0, expectedTokens: 0 };

/** Builds the sums from what is stored. O(tasks). */
export function openOutlook(foreseen: readonly TaskOutlook[], states: readonly TaskState[], spent: ReadonlyMap<number, Amount>, waves: readonly (readonly number[])[] = []): Outlook {
  const outlook: Outlook = {
    tasks: states.map((_, task) => foreseen[task] ?? NOTHING),
    expectedMs: waves.reduce((sum, wave) => sum + wave.reduce((most, task) => Math.max(most, foreseen[task]?.expectedMs ?? 0), 0), 0),
    openWeight: 0,
    openExpected: { nanoUsd: 0, tokens: 0 },
    doneExpected: { nanoUsd: 0, tokens: 0 },
    doneSpent: { nanoUsd: 0, tokens: 0 },
    isEnded: states.map(() => false),
    spentByTask: states.map((_, task) => ({ nanoUsd: 0, tokens: 0, ...spent.get(task) })),
  };
  for (const { weight, expectedNanoUsd, expectedTokens } of outlook.tasks) {
    outlook.openWeight += weight;
    add(outlook.openExpected, { nanoUsd: expectedNanoUsd, tokens: expectedTokens }, 1);
  }
  noteTasks(outlook, states.keys(), states);
  return outlook;
}

/** Follows tasks that ended, or were opened again. */
export function noteTasks(outlook: Outlook, tasks: Iterable<number>, states: readonly TaskState[]): void {
  for (const task of tasks) {
    const isEnded = isFinalTask(states[task]!.status);
    if (outlook.isEnded[task] === isEnded) continue;
    outlook.isEnded[task] = isEnded;
    const sign = isEnded ? 1 : -1;
    const { weight, expectedNanoUsd, expectedTokens } = outlook.tasks[task]!;
    const expected = { nanoUsd: expectedNanoUsd, tokens: expectedTokens };
    outlook.openWeight -= sign * weight;
    add(outlook.openExpected, expected, -sign);
    if (isNothing(outlook.spentByTask[task]!)) continue;
    add(outlook.doneExpected, expected, sign);
    add(outlook.doneSpent, outlook.spentByTask[task]!, sign);
  }
}

function isNothing({ nanoUsd, tokens }: Amount): boolean {
  return nanoUsd === 0 && tokens === 0;
}

/** Follows what tasks spend, also after their end. */
export function noteSpending(outlook: Outlook, entries: readonly LedgerEntry[]): void {
  for (const { task, spent } of entries) {
    const own = outlook.spentByTask[task]!;
    const hadSpent = !isNothing(own);
    add(own, spent, 1);
    if (!outlook.isEnded[task]) continue;
    add(outlook.doneSpent, spent, 1);
    const sign = Number(!isNothing(own)) - Number(hadSpent);
    const { expectedNanoUsd, expectedTokens } = outlook.tasks[task]!;
    if (sign !== 0) add(outlook.doneExpected, { nanoUsd: expectedNanoUsd, tokens: expectedTokens }, sign);
  }
}

/** Takes over what a new plan expects of tasks that have not ended, by task number. */
export function replaceExpected(outlook: Outlook, planned: ReadonlyMap<number, Omit<TaskOutlook, "weight">>): void {
  outlook.tasks = outlook.tasks.map((task, index) => {
    const changed = outlook.isEnded[index] ? undefined : planned.get(index);
    if (changed === undefined) return task;
    add(outlook.openExpected, { nanoUsd: changed.expectedNanoUsd - task.expectedNanoUsd, tokens: changed.expectedTokens - task.expectedTokens }, 1);
    return { ...changed, weight: task.weight };
  });
}

/** Whether tasks that ended now took so much longer than foreseen that the plan of the rest is no good any more. */
export function hasDrifted({ tasks, expectedMs }: Outlook, ended: Iterable<number>, states: readonly TaskState[]): boolean {
  if (expectedMs === 0) return false;
  for (const task of ended) {
    const { status, startedAt, finishedAt } = states[task]!;
    if (status !== "completed" || startedAt === null || finishedAt === null) continue;
    if (finishedAt - startedAt - (tasks[task]!.expectedMs ?? 0) > Math.max(MIN_DRIFT_MS, expectedMs * DRIFT_SHARE)) return true;
  }
  return false;
}

function add(into: Amount, amount: Amount, sign: number): void {
  into.nanoUsd += sign * amount.nanoUsd;
  into.tokens += sign * amount.tokens;
}
