import { fitBudget } from "../../optimizer/planning/fit-budget.ts";
import { simulateSchedule, type TaskGraph } from "../../optimizer/planning/schedule-end.ts";
import { assignBySlack, type TaskOption } from "../../optimizer/planning/slack.ts";
import { createTimeline } from "../../optimizer/planning/timeline.ts";
import { priceWorstCase } from "../../optimizer/price.ts";
import type { RankedModel } from "../../router/rank.ts";
import type { Graph } from "../../workflow/graph.ts";
import { planRun } from "../../workflow/plan.ts";
import type { TaskPlan } from "../../workflow/run.ts";
import type { AcceptedSpec } from "../../workflow/spec/validate-spec.ts";
import { expectOutputs, listForBudget, mostTokens, TaskRouter, type OutputTokens, type PlanModels, type RoutedTask } from "./plan-task.ts";

/** What a task of an agent elsewhere is taken to last: nothing is measured of those. */
const ASSUMED_HTTP_MS = 1_000;

export interface PlannedTask {
  complexity: number | null;
  tier: string | null;
  model: string | null;
  provider: string | null;
  fallbacks: string[];
  /** Why this model, or why none; null for tasks of other agents. */
  reason: string | null;
  expectedNanoUsd: number;
  expectedTokens: number;
  expectedMs: number;
  /** One call with the output cap used up and its input counted from above; of an agent that prices its own work, its task's budget: that is what is held. */
  worstNanoUsd: number;
  worstTokens: number;
}

export interface WorkflowPlan {
  waves: string[][];
  /** The tasks that the expected end depends on, first to last. */
  criticalPath: string[];
  tasks: Record<string, PlannedTask>;
  /** By task id: the models that are not what the tasks alone would take. */
  deviations: Record<string, string>;
  expectedNanoUsd: number;
  expectedTokens: number;
  worstNanoUsd: number;
  worstTokens: number;
  expectedMs: number;
}

export interface PlanBounds {
  /** What the planned tasks together are to cost at most, as expected; null or absent: anything. */
  budgetLeftNanoUsd?: number | null;
  /** The tasks to plan, by id: during a run, those that have not started. All others count as done. Absent: all. */
  only?: ReadonlySet<string>;
}

/**
 * What a workflow is expected to do: the model, cost and time of each task, from what is measured now and assumed otherwise. With the
 * balanced strategy, tasks that the end does not depend on take cheaper models of their tier. Where that is expected to cost more than the
 * budget, tasks take cheaper models, also of the tiers below, those first that save most for the quality they cost, until it fits or
 * nothing cheaper is left: time gives way to money. Pinned models stay. Calls nothing.
 */
export function planWorkflow({ spec, graph, agents }: AcceptedSpec, models: PlanModels, now: number, { budgetLeftNanoUsd = null, only }: PlanBounds = {}): WorkflowPlan {
  const plan = planRun(spec, spec.tasks, agents, graph);
  const isPlanned = spec.tasks.map(({ id }) => only === undefined || only.has(id));
  const routed = routeTasks({ spec, agents }, isPlanned, models, now);
  const options = routed.map((task, index) => optionsOf(task, isPlanned[index]! && plan.tasks[index]!.kind === "http" ? ASSUMED_HTTP_MS : 0));
  const schedule = createSchedule(graph, spec.scheduling === "wave", spec.maxConcurrency, plan.tasks.map((task) => task.rank));
  const allOptions = [...options, ...schedule.barriers];
  const { choice } = assignBySlack({ graph: schedule.graph, options: allOptions, perTask: allOptions.map(() => 0), slots: spec.maxConcurrency, rank: schedule.rank, deadlineMs: spec.deadlineMs ?? null });
  const picks = pickModels(routed, choice, budgetLeftNanoUsd, models, now);
  const durations = allOptions.map((own, index) => (picks[index]?.model == null ? own[0]!.durationMs : Math.ceil(picks[index].model.expectedMs)));
  const outputOf = expectOutputs(spec.tasks, agents, models);
  const tasks = Object.fromEntries(spec.tasks.map(({ id }, index) => [id, { ...describeTask(routed[index]!, picks[index]!, outputOf(id), models.settings.routing.maxFallbacks), ...holdOf(plan.tasks[index]!, isPlanned[index]!), expectedMs: durations[index]! }]));
  const sum = (name: "expectedNanoUsd" | "expectedTokens" | "worstNanoUsd" | "worstTokens"): number => Object.values(tasks).reduce((total, task) => total + task[name], 0);
  return {
    waves: graph.waves.map((wave) => wave.map((task) => spec.tasks[task]!.id)),
    criticalPath: schedule.findCriticalPath(durations).flatMap((task) => spec.tasks[task]?.id ?? []),
    tasks,
    deviations: Object.fromEntries(spec.tasks.flatMap(({ id }, index) => (picks[index]!.model === null || picks[index]!.model === routed[index]!.choice!.chosen ? [] : [[id, tasks[id]!.model!]]))),
    expectedNanoUsd: sum("expectedNanoUsd"),
    expectedTokens: sum("expectedTokens"),
    worstNanoUsd: sum("worstNanoUsd"),
    worstTokens: sum("worstTokens"),
    expectedMs: schedule.findEnd(durations),
  };
}

/** Null where a task is not to be planned or calls no model. */
function routeTasks({ spec, agents }: Pick<AcceptedSpec, "spec" | "agents">, isPlanned: readonly boolean[], models: PlanModels, now: number): (RoutedTask | null)[] {
  const router = new TaskRouter(spec, expectOutputs(spec.tasks, agents, models), models, now);
  return spec.tasks.map((task, index) => {
    const agent = agents[task.agent]!;
    return isPlanned[index]! && agent.kind === "llm" ? router.route(task, agent) : null;
  });
}

function optionsOf(routed: RoutedTask | null, otherwiseMs: number): TaskOption[] {
  if (routed === null || routed.models.length === 0) return [{ costNanoUsd: 0, durationMs: otherwiseMs }];
  return routed.models.map(({ expectedNanoUsd, expectedMs }) => ({ costNanoUsd: expectedNanoUsd, durationMs: Math.ceil(expectedMs) }));
}

/** What a task takes; `forBudget`: because the budget leaves no room for what it would have taken. */
interface Taken {
  model: RankedModel | null;
  forBudget: boolean;
}

function pickModels(routed: readonly (RoutedTask | null)[], choice: readonly number[], budgetLeftNanoUsd: number | null, models: PlanModels, now: number): Taken[] {
  const picks = routed.map((task, index): Taken => ({ model: task?.models[choice[index]!] ?? null, forBudget: false }));
  const cost = picks.reduce((sum, { model }) => sum + (model?.expectedNanoUsd ?? 0), 0);
  if (budgetLeftNanoUsd === null || cost <= budgetLeftNanoUsd) return picks;
  const lists = routed.map((task, index) => (task === null || picks[index]!.model === null ? [] : listForBudget(task, models, now)));
  const options = lists.map((list) => (list.length === 0 ? [{ costNanoUsd: 0, quality: 0 }] : list.map(({ expectedNanoUsd, quality }) => ({ costNanoUsd: expectedNanoUsd, quality }))));
  const start = lists.map((list, index) => Math.max(0, list.indexOf(picks[index]!.model!)));
  return fitBudget(options, start, budgetLeftNanoUsd).map((at, index) => (at === start[index] ? picks[index]! : { model: lists[index]![at]!, forBudget: true }));
}

interface Schedule {
  graph: TaskGraph;
  rank: number[];
  /** Options of the empty tasks that stand between waves. */
  barriers: TaskOption[][];
  findEnd: (durations: readonly number[]) => number;
  findCriticalPath: (durations: readonly number[]) => number[];
}

function createSchedule(graph: Graph, isByWave: boolean, slots: number, ranks: readonly number[]): Schedule {
  const planned = addBarriers(graph, isByWave);
  const barriers = Array.from({ length: planned.size - graph.size }, () => [{ costNanoUsd: 0, durationMs: 0 }]);
  const rank = [...ranks, ...barriers.map(() => 0)];
  return {
    graph: planned,
    rank,
    barriers,
    findEnd: (durations) => simulateSchedule(planned, durations, slots, rank).endMs,
    // A chain of tasks without slack that lasts until the end; where slots are short, one may wait for another's.
    findCriticalPath: (durations) => createTimeline(planned, simulateSchedule(planned, durations, slots, rank).slotBefore).findCriticalPath(durations),
  };
}

/** With wave scheduling a wave begins when the one before it is over: an empty task stands between them. */
function addBarriers(graph: Graph, isByWave: boolean): TaskGraph {
  if (!isByWave) return graph;
  const dependencies = graph.dependencies.map((list, task) => (graph.wave[task] === 0 ? list : [graph.size + graph.wave[task]! - 1]));
  for (const wave of graph.waves.slice(0, -1)) dependencies.push(wave);
  const dependents: number[][] = dependencies.map(() => []);
  dependencies.forEach((list, task) => list.forEach((other) => dependents[other]!.push(task)));
  return { size: dependencies.length, dependencies, dependents };
}

const NOTHING: PlannedTask = { complexity: null, tier: null, model: null, provider: null, fallbacks: [], reason: null, expectedNanoUsd: 0, expectedTokens: 0, expectedMs: 0, worstNanoUsd: 0, worstTokens: 0 };

function describeTask(routed: RoutedTask | null, pick: Taken, output: OutputTokens, maxFallbacks: number): PlannedTask {
  if (routed === null) return NOTHING;
  const { task, choice } = routed;
  if (choice === null || pick.model === null) return { ...NOTHING, reason: routed.refusal };
  const { model, provider, tier, expectedNanoUsd } = pick.model;
  const isOther = pick.model !== choice.chosen;
  const followers = isOther ? [choice.chosen, ...choice.fallbacks.filter((fallback) => fallback.model !== model)].slice(0, maxFallbacks) : choice.fallbacks;
  const most = mostTokens(task, pick.model);
  return {
    complexity: choice.complexity.score,
    tier,
    model: model.id,
    provider: provider.id,
    fallbacks: followers.map((fallback) => fallback.model.id),
    reason: isOther ? whyOther(pick, choice.chosen) : choice.reason,
    expectedNanoUsd,
    expectedTokens: task.inputTokens + Math.min(output.expected, most.output),
    expectedMs: Math.ceil(pick.model.expectedMs),
    worstNanoUsd: priceWorstCase(most.input, most.output, model.price),
    worstTokens: most.input + most.output,
  };
}

/** What is held for an agent that prices its own work. */
function holdOf({ kind, cap }: TaskPlan, isPlanned: boolean): Partial<PlannedTask> {
  return isPlanned && kind === "http" ? { worstNanoUsd: cap?.nanoUsd ?? 0, worstTokens: cap?.tokens ?? 0 } : {};
}

function whyOther({ forBudget }: Taken, chosen: RankedModel): string {
  if (forBudget) return `The budget is expected not to reach for ${chosen.model.id}, which is best for the task alone; this one saves most for the quality it costs.`;
  return `The workflow as a whole does better with it than with ${chosen.model.id}, which is best for the task alone.`;
}
