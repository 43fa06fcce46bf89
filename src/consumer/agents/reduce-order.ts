import type { Json } from "../../errors.ts";
import { reduceContext, type Reduction } from "../../optimizer/reduce-context.ts";
import { estimateTokens } from "../../optimizer/tokens.ts";
import { avoidPair } from "../../optimizer/reduce/lines.ts";
import type { ContextSize, LlmRequest, WorkOrder } from "../work-order.ts";
import { chooseOutputs, type OutputText } from "./choose-outputs.ts";
import { readInputTexts } from "./input-texts.ts";
import type { ReductionCache } from "./reduction-cache.ts";

/** How much of a long prompt's beginning and end says what to do, and is never reduced. */
const INSTRUCTION_CHARS = 1_500;
/** Longest query: a reduction looks at terms, and more of them only blur what is asked. */
const MAX_QUERY_CHARS = 4_000;
/** Smallest share of a target that one text gets: less is not worth its omission mark. */
const MIN_SHARE_TOKENS = 32;

/** Of outputs that are too many for that, each comes down to so much before those that say most are chosen. */
const CHOSEN_SHARE_TOKENS = 128;
/** Stands in the prompt for the outputs that were not chosen. */
const OMITTED_TASKS = "…";

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
 * The order with its context reduced: the dependencies' outputs, and the middle of long texts of the input, to the task's target, with the
 * prompt as the query. Originals stay in the workflow. `context` is null where there was nothing to reduce or it was not wanted.
 */
export function reduceOrder(order: WorkOrder, options: ReduceOrderOptions): { order: WorkOrder; context: ContextSize | null } {
  if (order.llm?.context.mode !== "reduce") return { order, context: null };
  const input = readInputTexts(order.input);
  const texts = Object.entries(order.dependencies).map(([taskId, output]) => ({ taskId, text: textOf(output) }));
  const tokens = texts.map(({ text }) => estimateTokens(text));
  const parts = input.texts.map((text) => splitPrompt(text));
  const originalTokens = [...tokens, ...parts.map(({ middle }) => estimateTokens(middle))].reduce((sum, count) => sum + count, 0);
  if (originalTokens === 0) return { order, context: null };
  const target = targetOf(order.llm, order.agent, originalTokens, options.defaultMaxTokens);
  if (originalTokens <= target) return { order, context: { originalTokens, reducedTokens: originalTokens } };

  const query = queryOf(input.question);
  const isCrowded = texts.length * MIN_SHARE_TOKENS > target;
  const reduce = (text: string, own: number, least = MIN_SHARE_TOKENS): Reduction => options.cache.reduce(text, query, Math.max(least, Math.floor((target * own) / originalTokens)), reduceContext);
  const reduced = texts.map(({ taskId, text }, index) => ({ taskId, reduction: reduce(text, tokens[index]!, isCrowded ? CHOSEN_SHARE_TOKENS : MIN_SHARE_TOKENS) }));
  const written = parts.map(({ head, middle, tail }) => {
    if (middle === "") return { text: head + tail, reducedTokens: 0 };
    const { text, reducedTokens } = reduce(middle, estimateTokens(middle));
    return { text: `${head}${text}${tail}`, reducedTokens };
  });
  const inputTokens = written.reduce((sum, part) => sum + part.reducedTokens, 0);
  const dependencies = isCrowded
    ? chooseFrom(reduced.map(({ taskId, reduction }) => ({ taskId, text: reduction.text })), query, Math.max(MIN_SHARE_TOKENS, target - inputTokens), options.cache)
    : Object.fromEntries(reduced.map(({ taskId, reduction }) => [taskId, reduction.steps.length === 0 ? order.dependencies[taskId]! : reduction.text]));
  const sent = isCrowded ? Object.values(dependencies).map((output) => estimateTokens(textOf(output))) : reduced.map(({ reduction }) => reduction.reducedTokens);
  const reducedTokens = sent.reduce((sum, count) => sum + count, inputTokens);
  return { order: { ...order, input: input.write(written.map(({ text }) => text)), dependencies }, context: { originalTokens, reducedTokens } };
}

/** The outputs that say most about the query, under their tasks' names, and how many others there were. */
function chooseFrom(outputs: readonly OutputText[], query: string, maxTokens: number, cache: ReductionCache): WorkOrder["dependencies"] {
  const told = outputs.filter(({ text }) => text !== "");
  const chosen = chooseOutputs(told, query, maxTokens, cache);
  const left = told.length - chosen.length;
  return { ...Object.fromEntries(chosen.map(({ taskId, text }) => [taskId, text])), ...(left === 0 ? {} : { [OMITTED_TASKS]: `[… ${left} results omitted]` }) };
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
  const headEnd = prompt.lastIndexOf("\n", INSTRUCTION_CHARS) + 1 || avoidPair(prompt, INSTRUCTION_CHARS);
  const lastLines = prompt.indexOf("\n", prompt.length - INSTRUCTION_CHARS);
  const tailStart = lastLines < 0 ? avoidPair(prompt, prompt.length - INSTRUCTION_CHARS) : lastLines;
  return { head: prompt.slice(0, headEnd), middle: prompt.slice(headEnd, tailStart), tail: prompt.slice(tailStart) };
}

function queryOf(question: string): string {
  if (question.length <= MAX_QUERY_CHARS) return question;
  const { head, tail } = splitPrompt(question);
  return `${head}\n${tail}`.slice(0, MAX_QUERY_CHARS);
}

function textOf(output: Json): string {
  if (output === null) return "";
  return typeof output === "string" ? output : JSON.stringify(output, null, 1);
}
