/** A checked, acyclic graph of tasks. Tasks are numbered by their position in the spec; every list is in that order. */
export interface Graph {
  size: number;
  dependencies: readonly (readonly number[])[];
  dependents: readonly (readonly number[])[];
  /** Level of each task: 0 without dependencies, else one more than its highest dependency. */
  wave: readonly number[];
  /** Tasks of each wave. */
  waves: readonly (readonly number[])[];
}

/**
 * Builds the graph in O(tasks + dependencies), without recursion: a chain of 5,000 tasks must not use up the stack.
 * `dependencies[task]` holds distinct, existing task numbers. A cycle is a path in the direction "depends on",
 * ending where it began: [0, 2, 0].
 */
export function buildGraph(dependencies: readonly (readonly number[])[]): Graph | { cycle: number[] } {
  const dependents = invertDependencies(dependencies);
  const { wave, order } = sortTasks(dependencies, dependents);
  if (order.length < dependencies.length) return { cycle: findCycles(dependencies)[0]! };
  const waves: number[][] = [];
  for (let task = 0; task < wave.length; task += 1) (waves[wave[task]!] ??= []).push(task);
  return { size: dependencies.length, dependencies, dependents, wave, waves };
}

/** Tasks in a cycle or behind one; none if the graph is acyclic. */
export function findUnsortable(dependencies: readonly (readonly number[])[]): Set<number> {
  const unsorted = new Set(dependencies.keys());
  for (const task of sortTasks(dependencies, invertDependencies(dependencies)).order) unsorted.delete(task);
  return unsorted;
}

/** One cycle for each set of tasks that depend on each other, as paths like `buildGraph` gives them; empty if acyclic. */
export function findCycles(dependencies: readonly (readonly number[])[]): number[][] {
  const { group, sizes } = findComponents(dependencies);
  const cycles: number[][] = [];
  const isReported = new Set<number>();
  for (let task = 0; task < dependencies.length; task += 1) {
    const id = group[task]!;
    if (isReported.has(id)) continue;
    if (sizes[id] === 1 && !dependencies[task]!.includes(task)) continue;
    isReported.add(id);
    cycles.push(findShortestCycle(dependencies, group, task));
  }
  return cycles;
}

/** All tasks that depend on `from`, directly or not, and `from` itself. */
export function findDescendants(graph: Graph, from: readonly number[]): Set<number> {
  const found = new Set(from);
  for (const task of found) for (const dependent of graph.dependents[task]!) found.add(dependent);
  return found;
}

/** Tasks that nothing depends on: their outputs are the workflow's result unless it names another. */
export function findLastTasks(graph: Graph): number[] {
  const last: number[] = [];
  for (let task = 0; task < graph.size; task += 1) if (graph.dependents[task]!.length === 0) last.push(task);
  return last;
}

/**
 * Answers "does `task` depend on `other`, directly or not". The first question that the direct dependencies do not answer
 * computes all ancestors as bit sets: size² / 8 bytes (3 MB for 5,000 tasks), so keep the answerer no longer than needed.
 */
export function createAncestry(graph: Graph): (task: number, other: number) => boolean {
  const words = Math.ceil(graph.size / 32);
  let ancestors: Uint32Array | null = null;
  const has = (task: number, other: number): boolean => ((ancestors![task * words + (other >>> 5)]! >>> (other & 31)) & 1) === 1;
  return (task, other) => {
    if (graph.wave[other]! >= graph.wave[task]!) return false;
    if (graph.dependencies[task]!.includes(other)) return true;
    ancestors ??= collectAncestors(graph, words);
    return has(task, other);
  };
}

function collectAncestors(graph: Graph, words: number): Uint32Array {
  const bits = new Uint32Array(graph.size * words);
  for (const tasks of graph.waves) {
    for (const task of tasks) {
      const start = task * words;
      for (const dependency of graph.dependencies[task]!) {
        const from = dependency * words;
        for (let word = 0; word < words; word += 1) bits[start + word]! |= bits[from + word]!;
        bits[start + (dependency >>> 5)]! |= 1 << (dependency & 31);
      }
    }
  }
  return bits;
}

/** The graph of tasks that were accepted: without a cycle. */
export function graphOf(tasks: readonly { id: string; dependsOn: readonly string[] }[]): Graph {
  const numbers = new Map(tasks.map(({ id }, task) => [id, task]));
  const graph = buildGraph(tasks.map(({ dependsOn }) => dependsOn.map((id) => numbers.get(id)!)));
  if ("cycle" in graph) throw new Error("accepted tasks have a cycle");
  return graph;
}

function invertDependencies(dependencies: readonly (readonly number[])[]): number[][] {
  const dependents: number[][] = dependencies.map(() => []);
  for (let task = 0; task < dependencies.length; task += 1) for (const dependency of dependencies[task]!) dependents[dependency]!.push(task);
  return dependents;
}

/** Orders the tasks that are neither in a cycle nor behind one, dependencies first. */
function sortTasks(dependencies: readonly (readonly number[])[], dependents: readonly (readonly number[])[]): { wave: number[]; order: number[] } {
  const open = dependencies.map((list) => list.length);
  const wave: number[] = new Array<number>(dependencies.length).fill(0);
  const order: number[] = [];
  for (let task = 0; task < open.length; task += 1) if (open[task] === 0) order.push(task);
  for (const task of order) {
    const next = wave[task]! + 1;
    for (const dependent of dependents[task]!) {
      if (wave[dependent]! < next) wave[dependent] = next;
      open[dependent]! -= 1;
      if (open[dependent] === 0) order.push(dependent);
    }
  }
  return { wave, order };
}

/** Strongly connected components by Tarjan's algorithm ("Depth-first search and linear graph algorithms", 1972), with its own stack. */
function findComponents(edges: readonly (readonly number[])[]): { group: number[]; sizes: number[] } {
  const size = edges.length;
  const index = new Int32Array(size).fill(-1);
  const low = new Int32Array(size);
  const cursor = new Int32Array(size);
  const group: number[] = new Array<number>(size).fill(-1);
  const sizes: number[] = [];
  const open: number[] = [];
  const path: number[] = [];
  let visited = 0;
  const enter = (task: number): void => {
    index[task] = low[task] = visited;
    visited += 1;
    open.push(task);
    path.push(task);
  };
  for (let root = 0; root < size; root += 1) {
    if (index[root] === -1) enter(root);
    while (path.length > 0) {
      const task = path[path.length - 1]!;
      const next = edges[task]![cursor[task]!];
      if (next !== undefined) {
        cursor[task]! += 1;
        if (index[next] === -1) enter(next);
        else if (group[next] === -1) low[task] = Math.min(low[task]!, index[next]!);
        continue;
      }
      path.pop();
      const parent = path[path.length - 1];
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[task]!);
      if (low[task] === index[task]) sizes.push(closeComponent(open, group, sizes.length, task));
    }
  }
  return { group, sizes };
}

function closeComponent(open: number[], group: number[], id: number, root: number): number {
  for (let count = 1; ; count += 1) {
    const task = open.pop()!;
    group[task] = id;
    if (task === root) return count;
  }
}

/** Breadth-first search inside the component of `start`, back to `start`. */
function findShortestCycle(dependencies: readonly (readonly number[])[], group: readonly number[], start: number): number[] {
  const cameFrom = new Map<number, number>();
  const queue = [start];
  for (const task of queue) {
    for (const dependency of dependencies[task]!) {
      if (dependency === start) return tracePath(cameFrom, start, task);
      if (group[dependency] !== group[start] || cameFrom.has(dependency)) continue;
      cameFrom.set(dependency, task);
      queue.push(dependency);
    }
  }
  throw new Error("a component without a cycle");
}

function tracePath(cameFrom: ReadonlyMap<number, number>, start: number, end: number): number[] {
  const path = [start];
  for (let task = end; task !== start; task = cameFrom.get(task)!) path.push(task);
  path.push(start);
  return path.reverse();
}
