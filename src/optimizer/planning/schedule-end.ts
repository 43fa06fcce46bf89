/** An acyclic graph of tasks, numbered from 0: `dependencies[task]` and `dependents[task]` hold task numbers. */
export interface TaskGraph {
  size: number;
  dependencies: readonly (readonly number[])[];
  dependents: readonly (readonly number[])[];
}

/** When what runs: the expected schedule of a graph whose tasks start as soon as their dependencies and a slot allow. */
export interface ExpectedSchedule {
  endMs: number;
  /** For each task the one that held its slot before, or -1: with these as dependencies too, the graph has the same schedule without any limit of slots. */
  slotBefore: Int32Array;
}

/**
 * Runs a graph through on paper. Ready tasks start in the order in which they became ready, then by rank (0 first), then by number.
 * O((tasks + dependencies) · log tasks).
 */
export function simulateSchedule(graph: TaskGraph, durationMs: readonly number[], slots: number, rank: readonly number[] | null = null): ExpectedSchedule {
  const open = graph.dependencies.map((list) => list.length);
  const slotBefore = new Int32Array(graph.size).fill(-1);
  const rankOf = (task: number): number => rank?.[task] ?? 0;
  const readyAs = new Int32Array(graph.size);
  let offered = 0;
  const ready = createHeap((left: number, right: number) => rankOf(left) - rankOf(right) || readyAs[left]! - readyAs[right]!);
  const offer = (task: number): void => {
    readyAs[task] = offered;
    offered += 1;
    ready.push(task);
  };
  const finishAt = new Float64Array(graph.size);
  const running = createHeap((left: number, right: number) => finishAt[left]! - finishAt[right]! || left - right);
  /** Tasks that ended and whose slot nobody took over yet. */
  const freed: number[] = [];
  let unused = slots;
  let now = 0;
  const start = (task: number): void => {
    if (unused > 0) unused -= 1;
    else slotBefore[task] = takeSlot(freed, graph.dependencies[task]!);
    finishAt[task] = now + durationMs[task]!;
    running.push(task);
  };
  const finish = (task: number): void => {
    freed.push(task);
    for (const dependent of graph.dependents[task]!) {
      open[dependent]! -= 1;
      if (open[dependent] === 0) offer(dependent);
    }
  };
  for (let task = 0; task < graph.size; task += 1) if (open[task] === 0) offer(task);
  for (;;) {
    while (ready.size() > 0 && (unused > 0 || freed.length > 0)) start(ready.pop()!);
    const task = running.pop();
    if (task === undefined) return { endMs: now, slotBefore };
    now = finishAt[task]!;
    finish(task);
    // All that end at one moment free their dependents before any of these starts.
    while (running.peek() !== undefined && finishAt[running.peek()!] === now) finish(running.pop()!);
  }
}

/** How many of the slots freed last are looked at for one whose task has to be waited for anyway: it binds nothing further. */
const SLOTS_LOOKED_AT = 8;

function takeSlot(freed: number[], dependencies: readonly number[]): number {
  for (let at = freed.length - 1; at >= Math.max(0, freed.length - SLOTS_LOOKED_AT); at -= 1) {
    if (dependencies.includes(freed[at]!)) return freed.splice(at, 1)[0]!;
  }
  return freed.pop()!;
}

function createHeap(compare: (left: number, right: number) => number) {
  const items: number[] = [];
  const swap = (left: number, right: number): void => {
    [items[left], items[right]] = [items[right]!, items[left]!];
  };
  return {
    size: () => items.length,
    peek: (): number | undefined => items[0],
    push: (item: number): void => {
      let at = items.push(item) - 1;
      for (let parent = (at - 1) >> 1; at > 0 && compare(items[at]!, items[parent]!) < 0; parent = (at - 1) >> 1) {
        swap(at, parent);
        at = parent;
      }
    },
    pop: (): number | undefined => {
      const [first] = items;
      const last = items.pop();
      if (first === undefined || last === undefined || items.length === 0) return first;
      items[0] = last;
      for (let at = 0; ; ) {
        const left = 2 * at + 1;
        const right = left + 1;
        let least = at;
        if (left < items.length && compare(items[left]!, items[least]!) < 0) least = left;
        if (right < items.length && compare(items[right]!, items[least]!) < 0) least = right;
        if (least === at) return first;
        swap(at, least);
        at = least;
      }
    },
  };
}
