import type { Json } from "../../errors.ts";
import { reduceContext, type Reduction } from "../../optimizer/reduce-context.ts";
import { estimateTokens } from "../../optimizer/tokens.ts";
import type { ContextSize, LlmRequest, WorkOrder } from "../work-order.ts";
import type { ReductionCache } from "./reduction-cache.ts";

/** How much of a long prompt's beginning and end says what to do, and is never reduced. */
const INSTRUCTION_CHARS = 1_500;
/** Longest query: a reduction looks at terms, and more of them only blur what is asked. */
const MAX_QUERY_CHARS = 4_000;
/** Smallest share of a target that one text gets: less is not worth its omission mark. */
const MIN_SHARE_TOKENS = 32;

/** Of the tokens that a task is allotted, most that are kept for its answer. */
const MAX_OUTPUT_SHARE = 0.5;
/** However little is allotted, no context is brought below this: what is left would say nothing. */
const LEAST_TARGET_TOKENS = 64;

export interface ReduceOrderOptions {
  /** Tokens that context comes down to where a task does not say. */
  defaultMaxTokens: number;
  cache: ReductionCache;
}

/**
 * The order with its context reduced: the dependencies' outputs, and the middle of a long prompt, to the task's target, with the
 * prompt as the query. Originals stay in the workflow. `context` is null where there was nothing to reduce or it was not wanted.
 */
export function reduceOrder(order: WorkOrder, options: ReduceOrderOptions): { order: WorkOrder; context: ContextSize | null } {
  if (order.llm?.context.mode !== "reduce") return { order, context: null };
  const prompt = readPrompt(order.input);
  const texts = Object.entries(order.dependencies).map(([taskId, output]) => ({ taskId, text: textOf(output) }));
  const tokens = texts.map(({ text }) => estimateTokens(text));
  const promptParts = prompt === null ? null : splitPrompt(prompt);
  const middleTokens = promptParts === null ? 0 : estimateTokens(promptParts.middle);
  const originalTokens = tokens.reduce((sum, count) => sum + count, middleTokens);
  if (originalTokens === 0) return { order, context: null };
  const target = targetOf(order.llm, order.agent, originalTokens, options.defaultMaxTokens);
  if (originalTokens <= target) return { order, context: { originalTokens, reducedTokens: originalTokens } };

  const query = (prompt === null ? "" : prompt.length <= MAX_QUERY_CHARS ? prompt : `${promptParts!.head}\n${promptParts!.tail}`).slice(0, MAX_QUERY_CHARS);
  const reduce = (text: string, own: number): Reduction => options.cache.reduce(text, query, Math.max(MIN_SHARE_TOKENS, Math.floor((target * own) / originalTokens)), reduceContext);
  const reduced = texts.map(({ taskId, text }, index) => ({ taskId, reduction: reduce(text, tokens[index]!) }));
  const middle = middleTokens === 0 ? null : reduce(promptParts!.middle, middleTokens);
  const dependencies = Object.fromEntries(reduced.map(({ taskId, reduction }) => [taskId, reduction.steps.length === 0 ? order.dependencies[taskId]! : reduction.text]));
  const input = middle === null ? order.input : writePrompt(order.input, `${promptParts!.head}${middle.text}${promptParts!.tail}`);
  const reducedTokens = reduced.reduce((sum, { reduction }) => sum + reduction.reducedTokens, middle?.reducedTokens ?? 0);
  return { order: { ...order, input, dependencies }, context: { originalTokens, reducedTokens } };
}

/** The order with its context brought down to less than was planned, because the budget leaves no more; null where nothing can be reduced. */
export function reduceFurther(order: WorkOrder, maxTokens: number, cache: ReductionCache): { order: WorkOrder; context: ContextSize } | null {
  if (order.llm?.context.mode !== "reduce") return null;
  const asked: WorkOrder = { ...order, llm: { ...order.llm, context: { mode: "reduce", maxTokens, targetReduction: null } } };
  const { order: reduced, context } = reduceOrder(asked, { defaultMaxTokens: maxTokens, cache });
  return context === null || context.reducedTokens === context.originalTokens ? null : { order: reduced, context };
}

function targetOf({ context, tokenBudget, maxOutputTokens }: LlmRequest, agent: WorkOrder["agent"], originalTokens: number, defaultMaxTokens: number): number {
  const allottedTokens = tokenBudget == null ? null : tokenBudget - Math.min(maxOutputTokens ?? (agent.kind === "llm" ? agent.maxOutputTokens : 0), Math.floor(tokenBudget * MAX_OUTPUT_SHARE));
  if (context.targetReduction !== null) return Math.floor(originalTokens * (1 - context.targetReduction));
  return context.maxTokens ?? Math.max(LEAST_TARGET_TOKENS, Math.min(defaultMaxTokens, allottedTokens ?? Infinity));
}

/** Instructions stand at the ends of a prompt; what lies between in a long one is material. Cut at line breaks where there are any. */
function splitPrompt(prompt: string): { head: string; middle: string; tail: string } {
  if (prompt.length <= 3 * INSTRUCTION_CHARS) return { head: prompt, middle: "", tail: "" };
  const headEnd = prompt.lastIndexOf("\n", INSTRUCTION_CHARS) + 1 || INSTRUCTION_CHARS;
  const lastLines = prompt.indexOf("\n", prompt.length - INSTRUCTION_CHARS);
  const tailStart = lastLines < 0 ? prompt.length - INSTRUCTION_CHARS : lastLines;
  return { head: prompt.slice(0, headEnd), middle: prompt.slice(headEnd, tailStart), tail: prompt.slice(tailStart) };
}

function readPrompt(input: Json): string | null {
  if (typeof input === "string") return input;
  const prompt = typeof input === "object" && input !== null && !Array.isArray(input) ? input["prompt"] : undefined;
  return typeof prompt === "string" ? prompt : null;
}

function writePrompt(input: Json, prompt: string): Json {
  return typeof input === "string" ? prompt : { ...(input as { [key: string]: Json }), prompt };
}

function textOf(output: Json): string {
  if (output === null) return "";
  return typeof output === "string" ? output : JSON.stringify(output, null, 1);
}
