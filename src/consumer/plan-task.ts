import type { Strategy } from "../config/routing-settings.ts";
import type { ProviderKind } from "../config/tiers.ts";
import type { Json } from "../errors.ts";
import { boundPromptTokens } from "../optimizer/prompt-bound.ts";
import { estimateTokens } from "../optimizer/tokens.ts";
import { isReady, listBelow } from "../router/allowed-models.ts";
import type { RankedModel } from "../router/rank.ts";
import { routeCall } from "../router/route-call.ts";
import type { RouteChoice, RouteRequest } from "../router/route-request.ts";
import type { AgentDefinition, LlmAgent } from "../workflow/agent.ts";
import type { TaskSpec } from "../workflow/spec.ts";
import { compileTemplate } from "../workflow/template.ts";
import { requestOf } from "./agents/llm.ts";
import { capOutput } from "./agents/llm-call.ts";
import { buildPrompt, textsOf } from "./agents/llm-prompt.ts";
import { createLlmRequest } from "./llm-request.ts";
import type { Models } from "./load-models.ts";
import type { WorkOrder } from "./work-order.ts";

/** Tokens of the tag around each dependency's output in a prompt. */
const TAG_TOKENS = 16;
/** How far above its estimate the bound of a context lies that was reduced to a number of estimated tokens. */
const CONTEXT_BOUND_FACTOR = 1.3;

export type PlanModels = Pick<Models, "document" | "isConfigured" | "settings" | "metrics" | "failureRate">;

/** Tokens that a task's output will have. */
export interface OutputTokens {
  expected: number;
  most: number;
}

/** A language-model task as it will be ordered. Outputs that do not exist yet count with the tokens expected of them. */
export interface LlmTaskToPlan {
  order: WorkOrder;
  agent: LlmAgent;
  /** What is there of the prompt already. */
  texts: string[];
  messages: number;
  inputTokens: number;
  /** Tokens of outputs in the prompt, at most. */
  mostOutputTokens: number;
}

/** A task as it would be routed by itself. */
export interface RoutedTask {
  task: LlmTaskToPlan;
  request: RouteRequest;
  choice: RouteChoice | null;
  /** Why there is no choice. */
  refusal: string | null;
  /** The models that may be weighed against each other, the chosen one first. */
  models: RankedModel[];
}

/** What each task's output will come to. Of agents elsewhere nothing is known but what the settings assume. */
export function expectOutputs(tasks: readonly TaskSpec[], agents: Readonly<Record<string, AgentDefinition>>, { settings }: Pick<PlanModels, "settings">): (taskId: string) => OutputTokens {
  const assumed = settings.routing.assumedOutputTokens;
  const byId = new Map(tasks.map((task) => {
    const agent = agents[task.agent]!;
    const most = agent.kind === "llm" ? (task.maxOutputTokens ?? agent.maxOutputTokens) : assumed;
    return [task.id, { expected: Math.min(assumed, most), most }];
  }));
  return (taskId) => byId.get(taskId) ?? { expected: assumed, most: assumed };
}

export interface PlannedWorkflow {
  input: Json;
  strategy: Strategy | undefined;
  outputOf: (taskId: string) => OutputTokens;
  /** Tokens that a context is reduced to where the task does not say. */
  defaultMaxTokens: number;
}

export function createLlmTask(spec: TaskSpec, agent: LlmAgent, { input: workflowInput, strategy, outputOf, defaultMaxTokens }: PlannedWorkflow): LlmTaskToPlan {
  const { input, references } = renderExpected(spec, workflowInput);
  const order: WorkOrder = {
    task: 0, attempt: 1, workflowId: "", tenant: "", taskId: spec.id, agentName: spec.agent, agent, input, dependencies: {}, deadlineAt: 0, idempotencyKey: "", callback: null,
    llm: createLlmRequest(spec, agent.taskType, strategy), requestId: null,
  };
  const built = buildPrompt(order, agent);
  const texts = "failure" in built ? [JSON.stringify(input)] : built.prompt.flatMap(textsOf);
  const quoted = sumOutputs(references, outputOf, 0);
  const context = contextOf(spec, outputOf, defaultMaxTokens);
  return {
    order,
    agent,
    texts,
    messages: "failure" in built ? 1 : built.prompt.length + (context.expected === 0 ? 0 : 1),
    inputTokens: ("failure" in built ? estimateTokens(texts[0]!) : built.inputTokens) + quoted.expected + context.expected,
    mostOutputTokens: quoted.most + Math.ceil(context.most * CONTEXT_BOUND_FACTOR),
  };
}

/** What a task is shown of its dependencies. */
function contextOf(spec: TaskSpec, outputOf: (taskId: string) => OutputTokens, defaultMaxTokens: number): OutputTokens {
  if (spec.context?.mode === "none") return { expected: 0, most: 0 };
  const whole = sumOutputs(spec.dependsOn, outputOf, TAG_TOKENS);
  if (spec.context?.mode === "full") return whole;
  const { maxTokens, targetReduction } = spec.context ?? {};
  if (targetReduction !== undefined) return { expected: Math.ceil(whole.expected * (1 - targetReduction)), most: Math.ceil(whole.most * (1 - targetReduction)) };
  const target = maxTokens ?? defaultMaxTokens;
  return { expected: Math.min(whole.expected, target), most: Math.min(whole.most, target) };
}

function sumOutputs(taskIds: readonly string[], outputOf: (taskId: string) => OutputTokens, besides: number): OutputTokens {
  const sum = { expected: 0, most: 0 };
  for (const id of taskIds) {
    const output = outputOf(id);
    sum.expected += output.expected + besides;
    sum.most += output.most + besides;
  }
  return sum;
}

/** The input with outputs left out, and whose outputs it quotes, once for each place. What cannot be rendered without them stays as it is written. */
function renderExpected(spec: TaskSpec, workflowInput: Json): { input: Json; references: string[] } {
  const template = compileTemplate(spec.input, { input: false });
  if ("faults" in template) return { input: spec.input, references: [] };
  const references = template.places.flatMap((place) => [...place.references.tasks]);
  const tasks = Object.fromEntries([...template.references.tasks].map((id) => [id, { output: "", status: "completed" }]));
  const rendered = template.render({ workflow: { input: workflowInput }, tasks });
  return { input: rendered.ok ? (rendered.value as Json) : spec.input, references };
}

/** Routes a task by itself. `isWeighed`: whether others of its tier may be weighed against the chosen model. */
export function routeTask(task: LlmTaskToPlan, hasDeadline: boolean, models: PlanModels, now: number): RoutedTask {
  const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: promptOf(task.order.input) }] }];
  const request = requestOf({ order: task.order, agent: task.agent, built: { prompt, inputTokens: task.inputTokens, context: null } }, models);
  const decision = routeCall(request, { ...models, now });
  if ("failure" in decision) return { task, request, choice: null, refusal: decision.failure.message, models: [] };
  const strategy = request.strategy ?? models.settings.routing.strategy;
  // Whoever asks for quality or speed is not to be given less of it; whoever asks for the cheapest needs speed only for a deadline.
  const isWeighed = strategy === "balanced" || (strategy === "cheapest" && hasDeadline);
  const others = isWeighed ? decision.candidates.filter((model) => model !== decision.chosen && model.tier === decision.tier && model.excludedBy === null && !model.needsProbe) : [];
  return { task, request, choice: decision, refusal: null, models: [decision.chosen, ...others] };
}

/** The task's models and all that a budget may bring it down to: the rest of its tier and the tiers below. A pinned model stays alone. */
export function listForBudget({ request, choice, models }: RoutedTask, { document, metrics, settings, isConfigured }: PlanModels, now: number): RankedModel[] {
  if (choice === null || request.model != null) return models;
  const below = listBelow(request, choice.tier, { document, metrics, settings, isConfigured, now });
  const others = [...choice.candidates.filter((candidate) => candidate.tier === choice.tier && isReady(candidate)), ...below];
  return [...models, ...others.filter((other) => !models.includes(other))];
}

/** The prompt of a task as written, for what is read from its words. */
export function promptOf(input: Json): string {
  const prompt = typeof input === "object" && input !== null && !Array.isArray(input) && "prompt" in input ? input["prompt"] : input;
  return typeof prompt === "string" ? prompt : JSON.stringify(prompt);
}

/** The most tokens that one call of a model may use: input, and output up to its cap. */
export function mostTokens(task: LlmTaskToPlan, { model, provider }: Pick<RankedModel, "model" | "provider">): { input: number; output: number } {
  return { input: boundKnown(task, provider.kind, model.capabilities.includes("json")) + task.mostOutputTokens, output: capOutput(task, model) };
}

/** The bound of what is there of the prompt. */
export function boundKnown({ order, texts, messages }: LlmTaskToPlan, kind: ProviderKind, takesSchemas: boolean): number {
  const schema = takesSchemas ? (order.llm?.outputSchema ?? null) : null;
  return boundPromptTokens({ texts, messages, schemas: schema === null ? [] : [JSON.stringify(schema)] }, kind);
}
