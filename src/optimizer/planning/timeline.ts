import type { TaskGraph } from "./schedule-end.ts";

/** Earliest and latest times in a graph, by the critical path method. Times in whole milliseconds from the start. */
export interface Timeline {
  findEnd(durations: readonly number[]): number;
  /** A chain of tasks that lasts from the start to the end. */
  findCriticalPath(durations: readonly number[]): number[];
  /** The end, and for each task how much longer it may take before `limitMs` (null: the end) is passed. */
  measure(durations: readonly number[], limitMs: number | null): { endMs: number; slackMs: (task: number) => number };
  /**
   * Visits the tasks from the front or from the end. Each hears how long it may take, given what those before it were set to and
   * those after it take still, and answers how long it shall take.
   */
  sweep(durations: readonly number[], limitMs: number, fromEnd: boolean, setDuration: (task: number, roomMs: number) => number): void;
}

/** `slotBefore`: for each task another one, or -1, that must be over as well before it starts. */
export function createTimeline(graph: TaskGraph, slotBefore: Int32Array | null): Timeline {
  const before = graph.dependencies.map((list, task) => (slotBefore === null || slotBefore[task] === -1 ? list : [...list, slotBefore[task]!]));
  const after: number[][] = before.map(() => []);
  before.forEach((list, task) => list.forEach((other) => after[other]!.push(task)));
  const order = sortTasks(before, after);

  const startOf = (task: number, durations: readonly number[], starts: Float64Array): number => before[task]!.reduce((latest, other) => Math.max(latest, starts[other]! + durations[other]!), 0);
  const finishOf = (task: number, durations: readonly number[], finishes: Float64Array, limitMs: number): number => after[task]!.reduce((earliest, other) => Math.min(earliest, finishes[other]! - durations[other]!), limitMs);
  const runForward = (durations: readonly number[]): { starts: Float64Array; endMs: number } => {
    const starts = new Float64Array(graph.size);
    let endMs = 0;
    for (const task of order) {
      starts[task] = startOf(task, durations, starts);
      endMs = Math.max(endMs, starts[task]! + durations[task]!);
    }
    return { starts, endMs };
  };
  const runBackward = (durations: readonly number[], limitMs: number): Float64Array => {
    const finishes = new Float64Array(graph.size);
    for (const task of order.toReversed()) finishes[task] = finishOf(task, durations, finishes, limitMs);
    return finishes;
  };

  return {
    findEnd: (durations) => runForward(durations).endMs,
    findCriticalPath(durations) {
      const { starts, endMs } = runForward(durations);
      const endOf = (task: number): number => starts[task]! + durations[task]!;
      // Of several, one that nothing waits for.
      const path: number[] = [];
      let task: number | undefined = order.findLast((other) => endOf(other) === endMs);
      while (task !== undefined) {
        path.push(task);
        const startMs: number = starts[task]!;
        task = before[task]!.find((other) => endOf(other) === startMs);
      }
      return path.reverse();
    },
    measure(durations, limitMs) {
      const { starts, endMs } = runForward(durations);
      const finishes = runBackward(durations, limitMs ?? endMs);
      return { endMs, slackMs: (task) => finishes[task]! - starts[task]! - durations[task]! };
    },
    sweep(durations, limitMs, fromEnd, setDuration) {
      const set = [...durations];
      if (fromEnd) {
        const { starts } = runForward(set);
        const finishes = new Float64Array(graph.size);
        for (const task of order.toReversed()) {
          finishes[task] = finishOf(task, set, finishes, limitMs);
          set[task] = setDuration(task, finishes[task]! - starts[task]!);
        }
        return;
      }
      const finishes = runBackward(set, limitMs);
      const starts = new Float64Array(graph.size);
      for (const task of order) {
        starts[task] = startOf(task, set, starts);
        set[task] = setDuration(task, finishes[task]! - starts[task]!);
      }
    },
  };
}

function sortTasks(before: readonly (readonly number[])[], after: readonly (readonly number[])[]): number[] {
  const open = before.map((list) => list.length);
  const order = open.flatMap((count, task) => (count === 0 ? [task] : []));
  for (const task of order) {
    for (const other of after[task]!) {
      open[other]! -= 1;
      if (open[other] === 0) order.push(other);
    }
  }
  if (order.length < before.length) throw new Error("the tasks wait for each other in a circle");
  return order;
}
