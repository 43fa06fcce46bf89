import type { Strategy } from "../config/routing-settings.ts";
import type { Json } from "../errors.ts";
import { priceWorstCase } from "../optimizer/price.ts";
import { simulateSchedule, type TaskGraph } from "../optimizer/schedule-end.ts";
import { assignBySlack, type TaskOption } from "../optimizer/slack.ts";
import { createTimeline } from "../optimizer/timeline.ts";
import { estimateTokens } from "../optimizer/tokens.ts";
import type { RankedModel } from "../router/rank.ts";
import { routeCall } from "../router/route-call.ts";
import type { RouteChoice } from "../router/route-request.ts";
import type { LlmAgent } from "../workflow/agent.ts";
import type { Graph } from "../workflow/graph.ts";
import { planRun } from "../workflow/plan.ts";
import type { TaskSpec } from "../workflow/spec.ts";
import { compileTemplate } from "../workflow/template.ts";
import type { AcceptedSpec } from "../workflow/validate-spec.ts";
import { requestOf } from "./agents/llm.ts";
import { capOutput } from "./agents/llm-call.ts";
import { buildPrompt } from "./agents/llm-prompt.ts";
import { createLlmRequest } from "./llm-request.ts";
import type { Models } from "./load-models.ts";
import type { WorkOrder } from "./work-order.ts";

/** What a task of an agent elsewhere is taken to last: nothing is measured of those. */
const ASSUMED_HTTP_MS = 1_000;
/** Tokens of the tag around each dependency's output in a prompt. */
const TAG_TOKENS = 16;

export interface PlannedTask {
  complexity: number | null;
  tier: string | null;
  model: string | null;
  provider: string | null;
  fallbacks: string[];
  /** Why this model, or why none; null for tasks of other agents. */
  reason: string | null;
  expectedNanoUsd: number;
  /** One call with the output cap used up. */
  worstNanoUsd: number;
}

export interface WorkflowPlan {
  waves: string[][];
  /** The tasks that the expected end depends on, first to last. */
  criticalPath: string[];
  tasks: Record<string, PlannedTask>;
  /** By task id: the models that are not what the tasks alone would take. */
  deviations: Record<string, string>;
  expectedNanoUsd: number;
  worstNanoUsd: number;
  expectedMs: number;
}

type PlanModels = Pick<Models, "document" | "isConfigured" | "settings" | "metrics" | "failureRate">;

/** A task as it would be routed by itself. */
interface RoutedTask {
  task: LlmTaskToPlan;
  choice: RouteChoice | null;
  /** Why there is no choice. */
  refusal: string | null;
  /** The models that may be weighed against each other, the chosen one first. */
  models: RankedModel[];
}

interface LlmTaskToPlan {
  order: WorkOrder;
  agent: LlmAgent;
  inputTokens: number;
}

/**
 * What a workflow is expected to do: the model, cost and time of each task, from what is measured now and assumed otherwise. With the
 * balanced strategy, tasks that the end does not depend on take cheaper models of their tier. Calls nothing.
 */
export function planWorkflow({ spec, graph, agents }: AcceptedSpec, models: PlanModels, now: number): WorkflowPlan {
  const plan = planRun(spec, spec.tasks, agents, graph);
  const expected = createExpectation(spec.tasks, agents, models);
  const routed = spec.tasks.map((task) => {
    const agent = agents[task.agent]!;
    return agent.kind === "llm" ? routeTask(createTask(task, agent, spec.input, spec.strategy, expected), spec.deadlineMs !== undefined, models, now) : null;
  });
  const options = routed.map((task, index) => optionsOf(task, plan.tasks[index]!.kind === "http" ? ASSUMED_HTTP_MS : 0));
  const planned = addBarriers(graph, spec.scheduling === "wave");
  const barriers = Array.from({ length: planned.size - graph.size }, () => [{ costNanoUsd: 0, durationMs: 0 }]);
  const rank = [...plan.tasks.map((task) => task.rank), ...barriers.map(() => 0)];
  const allOptions = [...options, ...barriers];
  const { choice, endMs, costNanoUsd } = assignBySlack({ graph: planned, options: allOptions, perTask: allOptions.map(() => 0), slots: spec.maxConcurrency, rank, deadlineMs: spec.deadlineMs ?? null });
  const durations = choice.map((at, index) => allOptions[index]![at]!.durationMs);
  const tasks = Object.fromEntries(spec.tasks.map(({ id }, index) => [id, describeTask(routed[index]!, choice[index]!)]));
  return {
    waves: graph.waves.map((wave) => wave.map((task) => spec.tasks[task]!.id)),
    criticalPath: findCriticalPath(planned, durations, spec.maxConcurrency, rank).flatMap((task) => spec.tasks[task]?.id ?? []),
    tasks,
    deviations: Object.fromEntries(spec.tasks.flatMap(({ id }, index) => (choice[index]! === 0 ? [] : [[id, tasks[id]!.model!]]))),
    expectedNanoUsd: costNanoUsd,
    worstNanoUsd: Object.values(tasks).reduce((sum, task) => sum + task.worstNanoUsd, 0),
    expectedMs: endMs,
  };
}

/** Tokens that each task's output is expected to have. */
function createExpectation(tasks: readonly TaskSpec[], agents: AcceptedSpec["agents"], { settings }: PlanModels): (taskId: string) => number {
  const assumed = settings.routing.assumedOutputTokens;
  const byId = new Map(tasks.map((task) => {
    const agent = agents[task.agent]!;
    return [task.id, agent.kind === "llm" ? Math.min(assumed, task.maxOutputTokens ?? agent.maxOutputTokens) : assumed];
  }));
  return (taskId) => byId.get(taskId) ?? assumed;
}

/** A task as it will be ordered. Outputs that do not exist yet count with the tokens expected of them. */
function createTask(spec: TaskSpec, agent: LlmAgent, workflowInput: Json, strategy: Strategy | undefined, expected: (taskId: string) => number): LlmTaskToPlan {
  const { input, outputTokens } = renderExpected(spec, workflowInput, expected);
  const order: WorkOrder = {
    task: 0, attempt: 1, workflowId: "", tenant: "", taskId: spec.id, agentName: spec.agent, agent, input, dependencies: {}, deadlineAt: 0, idempotencyKey: "", callback: null,
    llm: createLlmRequest(spec, agent.taskType, strategy), requestId: null,
  };
  const built = buildPrompt(order, agent);
  const contextTokens = spec.context?.mode === "none" ? 0 : spec.dependsOn.reduce((sum, id) => sum + expected(id) + TAG_TOKENS, 0);
  return { order, agent, inputTokens: ("failure" in built ? estimateTokens(JSON.stringify(input)) : built.inputTokens) + outputTokens + contextTokens };
}

/** The input with outputs left out, and the tokens that they will have. What cannot be rendered without them stays as it is written. */
function renderExpected(spec: TaskSpec, workflowInput: Json, expected: (taskId: string) => number): { input: Json; outputTokens: number } {
  const template = compileTemplate(spec.input, { input: false });
  if ("faults" in template) return { input: spec.input, outputTokens: 0 };
  const outputTokens = template.places.reduce((sum, { references }) => [...references.tasks].reduce((inner, id) => inner + expected(id), sum), 0);
  const tasks = Object.fromEntries([...template.references.tasks].map((id) => [id, { output: "", status: "completed" }]));
  const rendered = template.render({ workflow: { input: workflowInput }, tasks });
  return { input: rendered.ok ? (rendered.value as Json) : spec.input, outputTokens };
}

function routeTask(task: LlmTaskToPlan, hasDeadline: boolean, models: PlanModels, now: number): RoutedTask {
  const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: textOf(task.order.input) }] }];
  const request = requestOf({ order: task.order, agent: task.agent, built: { prompt, inputTokens: task.inputTokens, context: null } }, models);
  const decision = routeCall(request, { ...models, now });
  if ("failure" in decision) return { task, choice: null, refusal: decision.failure.message, models: [] };
  const strategy = request.strategy ?? models.settings.routing.strategy;
  // Whoever asks for quality or speed is not to be given less of it; whoever asks for the cheapest needs speed only for a deadline.
  const isWeighed = strategy === "balanced" || (strategy === "cheapest" && hasDeadline);
  const others = isWeighed ? decision.candidates.filter((model) => model !== decision.chosen && model.tier === decision.tier && model.excludedBy === null && !model.needsProbe) : [];
  return { task, choice: decision, refusal: null, models: [decision.chosen, ...others] };
}

function textOf(input: Json): string {
  const prompt = typeof input === "object" && input !== null && !Array.isArray(input) && "prompt" in input ? input["prompt"] : input;
  return typeof prompt === "string" ? prompt : JSON.stringify(prompt);
}

function optionsOf(routed: RoutedTask | null, otherwiseMs: number): TaskOption[] {
  if (routed === null || routed.models.length === 0) return [{ costNanoUsd: 0, durationMs: otherwiseMs }];
  return routed.models.map(({ expectedNanoUsd, expectedMs }) => ({ costNanoUsd: expectedNanoUsd, durationMs: Math.ceil(expectedMs) }));
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

/** A chain of tasks without slack that lasts until the end; where slots are short, one may wait for another's. */
function findCriticalPath(graph: TaskGraph, durations: readonly number[], slots: number, rank: readonly number[]): number[] {
  const { slotBefore } = simulateSchedule(graph, durations, slots, rank);
  return createTimeline(graph, slotBefore).findCriticalPath(durations);
}

function describeTask(routed: RoutedTask | null, option: number): PlannedTask {
  const none: PlannedTask = { complexity: null, tier: null, model: null, provider: null, fallbacks: [], reason: null, expectedNanoUsd: 0, worstNanoUsd: 0 };
  if (routed === null) return none;
  const { task, choice, models } = routed;
  if (choice === null) return { ...none, reason: routed.refusal };
  const { model, provider, tier, expectedNanoUsd } = models[option]!;
  const isOther = model !== choice.chosen.model;
  const followers = isOther ? [choice.chosen, ...choice.fallbacks.filter((fallback) => fallback.model !== model)].slice(0, choice.fallbacks.length) : choice.fallbacks;
  return {
    complexity: choice.complexity.score,
    tier,
    model: model.id,
    provider: provider.id,
    fallbacks: followers.map((fallback) => fallback.model.id),
    reason: isOther ? `The workflow as a whole does better with it than with ${choice.chosen.model.id}, which is best for the task alone.` : choice.reason,
    expectedNanoUsd,
    worstNanoUsd: priceWorstCase(task.inputTokens, capOutput(task, model), model.price),
  };
}
