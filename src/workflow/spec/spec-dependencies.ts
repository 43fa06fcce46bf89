import type { FaultList } from "../faults/fault-list.ts";
import { createSuggester, type Suggest } from "../faults/nearest-name.ts";
import { buildGraph, createAncestry, findCycles, findUnsortable, type Graph } from "../graph.ts";
import type { ShapedTask } from "./spec-shape.ts";

/** Most ids of a cycle that a message names. */
const MAX_NAMED_IN_CYCLE = 20;

/** How the tasks of a spec hang together, as far as that could be told. */
export interface Wiring {
  /** Null when some dependency is wrong. */
  graph: Graph | null;
  positionOf: (id: string) => number | undefined;
  /** Whether `task` depends on `other`, directly or not; true also when that cannot be told because of faults already reported. */
  mayRead: (task: number, other: number) => boolean;
  suggest: Suggest;
}

/** Checks ids and dependencies. */
export function checkDependencies(tasks: readonly (ShapedTask | null)[], faults: FaultList): Wiring {
  const positions = indexTasks(tasks, faults);
  const suggest = createSuggester(() => positions.keys());
  const isUnsure: boolean[] = tasks.map((task) => task === null || task.broken.has("dependsOn"));
  const dependencies = tasks.map((task, index) => (task === null ? [] : resolveDependencies(task, index, { positions, suggest, isUnsure, faults })));
  const unsortable = findUnsortable(dependencies);
  if (unsortable.size > 0) for (const cycle of findCycles(dependencies)) reportCycle(cycle, tasks, positions, faults);
  for (const task of unsortable) isUnsure[task] = true;
  const graph = buildGraph(dependencies.map((list, task) => (unsortable.has(task) ? [] : list)));
  if ("cycle" in graph) throw new Error("a cycle among tasks that can be sorted");
  spreadUnsure(graph, isUnsure);
  const dependsOn = createAncestry(graph);
  return {
    graph: isUnsure.includes(true) ? null : graph,
    positionOf: (id) => positions.get(id),
    mayRead: (task, other) => isUnsure[task] === true || dependsOn(task, other),
    suggest,
  };
}

function indexTasks(tasks: readonly (ShapedTask | null)[], faults: FaultList): Map<string, number> {
  const positions = new Map<string, number>();
  for (const [index, task] of tasks.entries()) {
    if (task === null || task.broken.has("id")) continue;
    const first = positions.get(task.task.id);
    if (first === undefined) positions.set(task.task.id, index);
    else faults.add(`/tasks/${index}/id`, `"${task.task.id}" is already the id of /tasks/${first}`);
  }
  return positions;
}

interface Resolution {
  positions: ReadonlyMap<string, number>;
  suggest: Suggest;
  isUnsure: boolean[];
  faults: FaultList;
}

/** The distinct, existing tasks that a task names; a task that names itself is reported here and left out. */
function resolveDependencies({ task, broken }: ShapedTask, index: number, { positions, suggest, isUnsure, faults }: Resolution): number[] {
  const found = new Set<number>();
  for (const [place, id] of task.dependsOn.entries()) {
    const path = `/tasks/${index}/dependsOn/${place}`;
    const position = positions.get(id);
    if (position === undefined) {
      faults.add(path, `unknown task "${id}"${suggest(id)}`);
      isUnsure[index] = true;
    } else if (id === task.id && !broken.has("id")) {
      faults.add(path, `a task cannot depend on itself: ${id} → ${id}`);
      isUnsure[index] = true;
    } else if (found.has(position)) {
      faults.add(path, `"${id}" is listed twice`);
    } else {
      found.add(position);
    }
  }
  return [...found];
}

function reportCycle(cycle: readonly number[], tasks: readonly (ShapedTask | null)[], positions: ReadonlyMap<string, number>, faults: FaultList): void {
  const [first, second] = cycle;
  const ids = cycle.map((task) => tasks[task]!.task.id);
  const place = tasks[first!]!.task.dependsOn.findIndex((id) => positions.get(id) === second);
  const named = ids.length <= MAX_NAMED_IN_CYCLE ? ids : [...ids.slice(0, MAX_NAMED_IN_CYCLE - 2), "…", ids[ids.length - 1]!];
  faults.add(`/tasks/${first}/dependsOn/${place}`, `the tasks depend on each other in a cycle: ${named.join(" → ")}`);
}

/** What depends on a task with unsure dependencies is unsure as well. */
function spreadUnsure(graph: Graph, isUnsure: boolean[]): void {
  for (const wave of graph.waves) {
    for (const task of wave) if (graph.dependencies[task]!.some((dependency) => isUnsure[dependency])) isUnsure[task] = true;
  }
}
