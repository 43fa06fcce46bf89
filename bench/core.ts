/** What one transition of the pure core costs, at 100 and at 5,000 tasks: the two must not differ by much. `node bench/core.ts` */
import { buildGraph } from "../src/workflow/graph.ts";
import { createTaskState, restoreRun, type Run } from "../src/workflow/run.ts";
import { createBudgetState } from "../src/workflow/budget/budget-state.ts";
import { NO_CAP } from "../src/workflow/budget/amount.ts";
import type { Abilities, Step } from "../src/workflow/step.ts";
import { transition, type RunInput } from "../src/workflow/transition.ts";
import { printTable, show } from "./figures.ts";

const SIZES = [100, 5_000] as const;
const MAX_CONCURRENCY = 50;
/** Transitions measured of each size and shape, whatever the size, so that both are equally warm. */
const MEASURED = 300_000;

const SHAPES: Record<string, (size: number) => number[][]> = {
  chain: (size) => Array.from({ length: size }, (_, task) => (task === 0 ? [] : [task - 1])),
  "fan-out and join": (size) => Array.from({ length: size }, (_, task) => (task === 0 ? [] : task < size - 1 ? [0] : Array.from({ length: size - 2 }, (__, other) => other + 1))),
  "diamonds of 5": (size) => Array.from({ length: size }, (_, task) => (task % 5 === 0 ? [] : task % 5 === 4 ? [task - 3, task - 2, task - 1] : [task - (task % 5)])),
  "50 wide, each on 2": (size) => Array.from({ length: size }, (_, task) => (task < 50 ? [] : [task - 50, 50 * Math.floor(task / 50) - 50 + ((task + 1) % 50)])),
};

const abilities: Abilities = {
  evaluateWhen: () => true,
  evaluateResult: () => null,
  random: () => 0.5,
  settings: { objectMax: 4, directMax: 64, llm: "queue", claimLeaseMs: 15_000, leaseMs: 10_000, checkMs: 3_000, timeoutGraceMs: 5_000 },
  leaseChunkNanoUsd: 0,
  warningThresholds: [50, 80, 95],
};

interface CoreCost {
  shape: string;
  /** Nanoseconds per transition (a claim or a report of one attempt), by number of tasks. */
  nanosecondsBySize: Record<number, number>;
}

/** Measures every shape: all tasks of a workflow are claimed and reported one by one, as a queue would have it. */
function measureCore(): CoreCost[] {
  return Object.entries(SHAPES).map(([shape, draw]) => {
    const nanosecondsBySize: Record<number, number> = {};
    for (const size of SIZES) nanosecondsBySize[size] = measureSize(draw(size));
    return { shape, nanosecondsBySize };
  });
}

function measureSize(dependencies: number[][]): number {
  const transitionsOfOne = 2 * dependencies.length;
  const repeats = Math.ceil(MEASURED / transitionsOfOne);
  for (let warmUp = 0; warmUp < repeats / 2; warmUp += 1) finish(create(dependencies));
  let spentMs = 0;
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const created = create(dependencies);
    const startedAt = performance.now();
    finish(created);
    spentMs += performance.now() - startedAt;
  }
  return (spentMs * 1_000_000) / (repeats * transitionsOfOne);
}

function create(dependencies: number[][]): { run: Run; first: Step } {
  const graph = buildGraph(dependencies);
  if ("cycle" in graph) throw new Error("a cycle");
  const retry = { maxAttempts: 3, initialMs: 500, factor: 2, maxMs: 30_000, jitter: true };
  const tasks = dependencies.map((_, task) => ({ id: `task-${task}`, kind: "llm" as const, rank: 2, hasWhen: false, timeoutMs: 300_000, retry, cap: null }));
  const plan = { name: null, tasks, graph, maxConcurrency: MAX_CONCURRENCY, scheduling: "eager", onFailure: "fail", startAt: null, deadlineMs: null, cap: NO_CAP } as const;
  const state = { status: "pending", createdAt: 0, startedAt: null, finishedAt: null, deadlineAt: null, isFailing: false, error: null } as const;
  const run = restoreRun(plan, { ...state, budget: createBudgetState(), isLimited: false }, dependencies.map(createTaskState));
  return { run, first: transition(run, { type: "create", reused: [] }, 0, abilities) };
}

function finish({ run, first }: { run: Run; first: Step }): void {
  const waiting = [...first.dispatches];
  for (let next = 0; next < waiting.length; next += 1) {
    const { task, attempt } = waiting[next]!;
    apply(run, { type: "claim", refs: [{ task, attempt }] }, next);
    waiting.push(...apply(run, { type: "report", reports: [{ task, attempt, result: { status: "completed", outputBytes: 100 } }] }, next).dispatches);
  }
  if (run.state.status !== "completed") throw new Error(`the workflow is ${run.state.status}`);
}

function apply(run: Run, input: RunInput, now: number): Step {
  return transition(run, input, now, abilities);
}

/** Prints the cost of a transition by shape and size. */
export async function benchCore(): Promise<void> {
  const rows = measureCore().map(({ shape, nanosecondsBySize }) => [shape, ...SIZES.map((size) => show(nanosecondsBySize[size]!))]);
  printTable("Pure core, ns per transition (claim or report)", ["shape", ...SIZES.map((size) => `${size} tasks`)], rows);
}

if (import.meta.main) await benchCore();
