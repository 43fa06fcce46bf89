import type { Strategy } from "../../config/routing-settings.ts";
import type { ProviderKind } from "../../config/tiers.ts";
import type { Json } from "../../errors.ts";
import { boundMeasured, measurePrompt, type MeasuredPrompt } from "../../optimizer/tokens/prompt-bound.ts";
import { measureUpperBound } from "../../optimizer/tokens/token-bound.ts";
import { estimateTokens } from "../../optimizer/tokens/tokens.ts";
import { isReady, listBelow } from "../../router/allowed-models.ts";
import type { RankedModel } from "../../router/rank.ts";
import { routeCall } from "../../router/route-call.ts";
import type { RouteChoice, RouteRequest } from "../../router/route-request.ts";
import type { AgentDefinition, LlmAgent } from "../../workflow/spec/agent.ts";
import type { TaskSpec, WorkflowSpec } from "../../workflow/spec/spec.ts";
import { compileTemplate } from "../../workflow/expressions/template.ts";
import { requestOf } from "../agents/llm.ts";
import { capOutput } from "../agents/llm-call.ts";
import { buildPrompt, textsOf } from "../agents/llm-prompt.ts";
import { createLlmRequest } from "../llm-request.ts";
import type { Models } from "../load-models.ts";
import type { WorkOrder } from "../work-order.ts";

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

/** A language-model task as it will be ordered, measured. The texts themselves are not kept: each may be a megabyte, for thousands of tasks. */
export interface LlmTaskToPlan {
  order: WorkOrder;
  agent: LlmAgent;
  /** Expected. Outputs that do not exist yet count with the tokens expected of them. */
  inputTokens: number;
  /** What is there of the prompt already, and what a schema adds to it where a model takes one. */
  known: MeasuredPrompt;
  schemaTokens: number | null;
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

/** Characters of prompts that are put together for one plan: some tenths of a second of computing. Tasks behind that are taken to be like the largest before. */
const MAX_RENDERED_CHARACTERS = 8_388_608;

/** Measures and routes a workflow's tasks by themselves, one after the other. */
export class TaskRouter {
  readonly #workflow: { input: Json; strategy: Strategy | undefined; hasDeadline: boolean };
  readonly #outputOf: (taskId: string) => OutputTokens;
  readonly #models: PlanModels;
  readonly #now: number;
  #charactersLeft = MAX_RENDERED_CHARACTERS;
  #largest: Pick<LlmTaskToPlan, "inputTokens" | "known"> | null = null;

  constructor(spec: Pick<WorkflowSpec, "input" | "strategy" | "deadlineMs">, outputOf: (taskId: string) => OutputTokens, models: PlanModels, now: number) {
    this.#workflow = { input: spec.input, strategy: spec.strategy, hasDeadline: spec.deadlineMs !== undefined };
    this.#outputOf = outputOf;
    this.#models = models;
    this.#now = now;
  }

  /** Whether there was room to put the prompts of all tasks so far together. */
  get isExact(): boolean {
    return this.#charactersLeft > 0;
  }

  route(spec: TaskSpec, agent: LlmAgent): RoutedTask {
    const { task, prompt } = this.#measure(spec, agent);
    return routeTask(task, prompt, this.#workflow.hasDeadline, this.#models, this.#now);
  }

  #measure(spec: TaskSpec, agent: LlmAgent): { task: LlmTaskToPlan; prompt: string } {
    const { input, references } = this.isExact ? renderExpected(spec, this.#workflow.input) : { input: spec.input, references: [] };
    const order: WorkOrder = {
      task: 0, attempt: 1, workflowId: "", tenant: "", taskId: spec.id, agentName: spec.agent, agent, input, dependencies: {}, deadlineAt: 0, idempotencyKey: "", callback: null,
      llm: createLlmRequest(spec, agent.taskType, this.#workflow.strategy), requestId: null,
    };
    const built = buildPrompt(order, agent);
    const texts = "failure" in built ? [JSON.stringify(input)] : built.prompt.flatMap(textsOf);
    this.#charactersLeft -= texts.reduce((sum, text) => sum + text.length, 0);
    const quoted = sumOutputs(references, this.#outputOf, 0);
    const context = contextOf(spec, this.#outputOf, this.#models.settings);
    const schema = order.llm?.outputSchema ?? null;
    const messages = ("failure" in built ? 1 : built.prompt.length) + (context.expected === 0 ? 0 : 1);
    const task: LlmTaskToPlan = {
      order: { ...order, input: null },
      agent,
      inputTokens: ("failure" in built ? estimateTokens(texts[0]!) : built.inputTokens) + quoted.expected + context.expected,
      known: measurePrompt({ texts, messages, schemas: [] }),
      schemaTokens: schema === null ? null : measureUpperBound(JSON.stringify(schema)),
      mostOutputTokens: quoted.most + Math.ceil(context.most * CONTEXT_BOUND_FACTOR),
    };
    return { task: this.#likeOthers(task), prompt: promptOf(input) };
  }

  /** Behind the last task that could be put together, nothing is taken to be smaller than the largest before. */
  #likeOthers(task: LlmTaskToPlan): LlmTaskToPlan {
    const largest = this.#largest;
    if (!this.isExact && largest !== null) return { ...task, inputTokens: Math.max(task.inputTokens, largest.inputTokens), known: largest.known.textTokens > task.known.textTokens ? largest.known : task.known };
    if (largest === null || task.known.textTokens > largest.known.textTokens) this.#largest = task;
    return task;
  }
}

/** What a task is shown of its dependencies. */
function contextOf(spec: TaskSpec, outputOf: (taskId: string) => OutputTokens, { orchestration, compression }: PlanModels["settings"]): OutputTokens {
  if (spec.context?.mode === "none") return { expected: 0, most: 0 };
  const whole = sumOutputs(spec.dependsOn, outputOf, TAG_TOKENS);
  if (spec.context?.mode === "full" || !orchestration.enabled) return whole;
  const { maxTokens, targetReduction } = spec.context ?? {};
  if (targetReduction !== undefined) return { expected: Math.ceil(whole.expected * (1 - targetReduction)), most: Math.ceil(whole.most * (1 - targetReduction)) };
  const target = maxTokens ?? compression.defaultMaxTokens;
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

function routeTask(task: LlmTaskToPlan, text: string, hasDeadline: boolean, models: PlanModels, now: number): RoutedTask {
  const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text }] }];
  // The type has been read from the prompt by now, and nothing else is.
  const request = { ...requestOf({ order: task.order, agent: task.agent, built: { prompt, inputTokens: task.inputTokens, context: null } }, models), prompt: null };
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
export function boundKnown({ known, schemaTokens }: LlmTaskToPlan, kind: ProviderKind, takesSchemas: boolean): number {
  const hasSchemas = takesSchemas && schemaTokens !== null;
  return boundMeasured({ ...known, textTokens: known.textTokens + (hasSchemas ? schemaTokens : 0), hasSchemas }, kind);
}
