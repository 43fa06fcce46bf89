import { nameHistory, type HistoryKey } from "../../optimizer/agent-history.ts";
import { allocateAll, weighTasks, type HistoryByName } from "../../optimizer/allocation.ts";
import { fitBudget } from "../../optimizer/planning/fit-budget.ts";
import type { RankedModel } from "../../router/rank.ts";
import type { TaskOutlook } from "../../workflow/outlook.ts";
import { capOf } from "../../workflow/plan.ts";
import type { AgentDefinition, LlmAgent } from "../../workflow/spec/agent.ts";
import type { TaskSpec } from "../../workflow/spec/spec.ts";
import type { AcceptedSpec } from "../../workflow/spec/validate-spec.ts";
import { expectOutputs, listForBudget, promptOf, TaskRouter, type OutputTokens, type PlanModels, type RoutedTask } from "./plan-task.ts";
import { planWorkflow } from "./plan-workflow.ts";

/** Most tasks of a workflow that is planned as a whole at its creation: a few milliseconds of computing. Of larger ones, tasks that look alike count as alike. */
export const MAX_PLANNED_TASKS = 200;

/** What is foreseen of a workflow when it is created. */
export interface Foreseen {
  /** By task id: models that suit the workflow as a whole, or its budget, better than the task alone. */
  plannedModels: Record<string, string>;
  /** In the order of the spec. */
  outlook: TaskOutlook[];
}

export interface ForeseeOptions {
  history: HistoryByName;
  /** Tasks whose outputs are there already, by id. */
  reused: ReadonlySet<string>;
  /** Unix ms. */
  now: number;
}

/** The share of each task, what it is expected to cost, and the models that a plan of the whole has for it. Calls nothing. */
export function foreseeWorkflow(accepted: AcceptedSpec, models: PlanModels, { history, reused, now }: ForeseeOptions): Foreseen {
  const { spec } = accepted;
  const { deviations, expected } = spec.tasks.length <= MAX_PLANNED_TASKS ? planWhole(accepted, reused, models, now) : planAlike(accepted, reused, models, now);
  const weights = weighLlmTasks(accepted, models, history);
  const outlook = spec.tasks.map(({ id }, index): TaskOutlook => {
    const { expectedNanoUsd, expectedTokens, expectedMs } = expected[index] ?? { expectedNanoUsd: 0, expectedTokens: 0 };
    return { weight: reused.has(id) ? 0 : (weights?.[index] ?? 0), expectedNanoUsd, expectedTokens, ...(expectedMs === undefined ? {} : { expectedMs }) };
  });
  return { plannedModels: deviations, outlook };
}

/** By task id, the tokens that each would be allotted if the tasks ran in the order of the waves; null without a budget of tokens. */
export function allotTokens(accepted: AcceptedSpec, models: Pick<PlanModels, "settings">, history: HistoryByName): Record<string, number> | null {
  const { spec, graph } = accepted;
  const maxTokens = spec.budget?.maxTokens;
  const weights = weighLlmTasks(accepted, models, history);
  if (maxTokens === undefined || weights === null) return null;
  const order = graph.waves.flat().filter((task) => weights[task]! > 0);
  const tokens = allocateAll(maxTokens, order.map((task) => weights[task]!), order.map((task) => spec.tasks[task]!.budget?.maxTokens ?? null), models.settings.budgets);
  return Object.fromEntries(order.map((task, index) => [spec.tasks[task]!.id, tokens[index]!]));
}

/** Whose history a workflow's weights depend on: none without a budget of tokens. */
export function listHistoryKeys({ spec, agents }: AcceptedSpec): HistoryKey[] {
  if (spec.budget?.maxTokens === undefined) return [];
  const keys = new Map<string, HistoryKey>();
  for (const task of spec.tasks) {
    const agent = agents[task.agent]!;
    if (agent.kind !== "llm") continue;
    const key = historyKeyOf(task, agent);
    keys.set(nameHistory(key), key);
  }
  return [...keys.values()];
}

/** The type that the task or its agent names. One that is only inferred would depend on what the prompt turns out to be. */
export function historyKeyOf(task: Pick<TaskSpec, "agent" | "type">, agent: Pick<LlmAgent, "taskType">): HistoryKey {
  return { agent: task.agent, taskType: task.type ?? agent.taskType ?? "" };
}

/** By task; 0 for tasks that call no model. Null without a budget of tokens, and while orchestration is off: who comes first takes what is left. */
function weighLlmTasks({ spec, agents }: AcceptedSpec, { settings }: Pick<PlanModels, "settings">, history: HistoryByName): number[] | null {
  if (spec.budget?.maxTokens === undefined || !settings.orchestration.enabled) return null;
  const llmTasks = spec.tasks.flatMap((task, index) => {
    const agent = agents[task.agent]!;
    return agent.kind === "llm" ? [{ index, ...historyKeyOf(task, agent), intent: task.intent ?? null, prompt: promptOf(task.input), priority: task.priority ?? spec.priority }] : [];
  });
  const found = weighTasks(llmTasks, spec.allocation ?? settings.budgets.defaultAllocation, history, settings.budgets);
  const weights = spec.tasks.map(() => 0);
  llmTasks.forEach(({ index }, at) => (weights[index] = found[at]!));
  return weights;
}

interface RoughPlan {
  deviations: Record<string, string>;
  expected: (Omit<TaskOutlook, "weight"> | null)[];
}

function planWhole(accepted: AcceptedSpec, reused: ReadonlySet<string>, models: PlanModels, now: number): RoughPlan {
  const only = new Set(accepted.spec.tasks.flatMap(({ id }) => (reused.has(id) ? [] : [id])));
  const { tasks, deviations } = planWorkflow(accepted, models, now, { budgetLeftNanoUsd: capOf(accepted.spec.budget).nanoUsd, only });
  return { deviations, expected: accepted.spec.tasks.map(({ id }) => tasks[id]!) };
}

/** One of all tasks that look alike stands for them: what differs in their prompts averages out over so many. Their models are what is best for each alone, or what the budget reaches for. */
function planAlike({ spec, agents }: AcceptedSpec, reused: ReadonlySet<string>, models: PlanModels, now: number): RoughPlan {
  const outputOf = expectOutputs(spec.tasks, agents, models);
  const router = new TaskRouter(spec, outputOf, models, now);
  const known = new Map<string, Alike | null>();
  const alike = spec.tasks.map((task) => {
    const agent = agents[task.agent]!;
    if (agent.kind !== "llm" || reused.has(task.id)) return null;
    const look = lookOf(task);
    let found = known.get(look);
    if (found === undefined) known.set(look, (found = describeAlike(router.route(task, agent), outputOf(task.id), models, now)));
    return found;
  });
  const cost = alike.reduce((sum, task) => sum + (task?.models[0]!.expectedNanoUsd ?? 0), 0);
  const { nanoUsd } = capOf(spec.budget);
  const picks = nanoUsd === null || cost <= nanoUsd ? alike.map(() => 0) : pickCheaper(alike, nanoUsd);
  return {
    deviations: Object.fromEntries(spec.tasks.flatMap(({ id }, index) => (picks[index] === 0 ? [] : [[id, alike[index]!.models[picks[index]!]!.model.id]]))),
    expected: alike.map((task, index) => (task === null ? null : { expectedNanoUsd: task.models[picks[index]!]!.expectedNanoUsd, expectedTokens: task.expectedTokens })),
  };
}

interface Alike {
  models: RankedModel[];
  listCheaper: () => RankedModel[];
  expectedTokens: number;
}

/** Null where no model can take the task. */
function describeAlike(routed: RoutedTask, output: OutputTokens, models: PlanModels, now: number): Alike | null {
  if (routed.choice === null) return null;
  const alone = { ...routed, models: [routed.choice.chosen] };
  return { models: alone.models, listCheaper: () => listForBudget(alone, models, now), expectedTokens: routed.task.inputTokens + output.expected };
}

function pickCheaper(alike: readonly (Alike | null)[], budgetNanoUsd: number): number[] {
  for (const task of new Set(alike)) if (task !== null) task.models = task.listCheaper();
  const options = alike.map((task) => (task === null ? [{ costNanoUsd: 0, quality: 0 }] : task.models.map(({ expectedNanoUsd, quality }) => ({ costNanoUsd: expectedNanoUsd, quality }))));
  return fitBudget(options, options.map(() => 0), budgetNanoUsd);
}

/** What decides about a task's cost, and nothing else; sizes by powers of two. */
function lookOf({ agent, type, tier, model, strategy, maxOutputTokens, context, output, dependsOn, input }: TaskSpec): string {
  const size = (value: unknown): number => 32 - Math.clz32(JSON.stringify(value).length);
  return JSON.stringify([agent, type, tier, model, strategy, maxOutputTokens, context, size(output ?? null), size(input), 32 - Math.clz32(dependsOn.length)]);
}

/** Whether any of a workflow's tasks calls a model. */
export function callsModels(agents: Readonly<Record<string, AgentDefinition>>): boolean {
  return Object.values(agents).some(({ kind }) => kind === "llm");
}
