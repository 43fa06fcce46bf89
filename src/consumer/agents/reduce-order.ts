import type { Json } from "../../errors.ts";
import { reduceContext, type Reduction } from "../../optimizer/reduce-context.ts";
import { estimateTokens } from "../../optimizer/tokens/tokens.ts";
import { chooseTexts } from "../../optimizer/choose-texts.ts";
import { avoidPair } from "../../optimizer/reduce/lines.ts";
import type { ContextSize, LlmRequest, WorkOrder } from "../work-order.ts";
import { dropMessages, readExchanges, type Exchange } from "./chat-history.ts";
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
 * The order with its context reduced to the task's target, with the prompt as the query: the dependencies' outputs, the middle of long texts
 * of the input, and of a conversation the exchanges before the user's last message. Originals stay in the workflow. `context` is null where
 * there was nothing to reduce or it was not wanted.
 */
export function reduceOrder(order: WorkOrder, options: ReduceOrderOptions): { order: WorkOrder; context: ContextSize | null } {
  if (order.llm?.context.mode !== "reduce") return { order, context: null };
  const input = readInputTexts(order.input);
  const outputs = Object.entries(order.dependencies).map(([taskId, output]) => ({ taskId, text: textOf(output) }));
  const parts = input.texts.map((text) => splitPrompt(text));
  const exchanges = readExchanges(order.input);
  const pastTexts = exchanges.reduce((sum, { texts }) => sum + texts, 0);
  // A long text counts without its ends; a short one only where it can be left out.
  const countedOf = ({ head, middle, tail }: SplitPrompt, at: number): string => (middle === "" && at < pastTexts ? head + tail : middle);
  const originalTokens = sumTokens([...outputs.map(({ text }) => text), ...parts.map(countedOf)]);
  if (originalTokens === 0) return { order, context: null };
  const target = targetOf(order.llm, order.agent, originalTokens, options.defaultMaxTokens);
  if (originalTokens <= target) return { order, context: { originalTokens, reducedTokens: originalTokens } };

  const query = queryOf(input.question);
  const reduce: ReduceShare = (text, least = MIN_SHARE_TOKENS) => options.cache.reduce(text, query, Math.max(least, Math.floor((target * estimateTokens(text)) / originalTokens)), reduceContext);
  const reduced = parts.map(({ head, middle, tail }) => ({ head, middle: middle === "" ? "" : reduce(middle).text, tail }));
  const counted = reduced.map(countedOf);
  const askedTokens = sumTokens(counted.slice(pastTexts));
  const results = reduceOutputs(order, outputs, query, { target, left: target - askedTokens, reduce });
  const { dropped, tokens } = chooseExchanges(exchanges, counted, query, target - askedTokens - results.tokens);
  const written = input.write(reduced.map(({ head, middle, tail }) => head + middle + tail));
  const sent = { ...order, input: dropped.size === 0 ? written : dropMessages(written, dropped), dependencies: results.dependencies };
  return { order: sent, context: { originalTokens, reducedTokens: askedTokens + results.tokens + tokens } };
}

/** Reduces a text to its share of the target, but not below `least` tokens. */
type ReduceShare = (text: string, least?: number) => Reduction;

interface OutputText {
  taskId: string;
  text: string;
}

/** Each output reduced to its share; of more than can have one, those that say most about the query. */
function reduceOutputs(order: WorkOrder, outputs: readonly OutputText[], query: string, { target, left, reduce }: { target: number; left: number; reduce: ReduceShare }): { dependencies: WorkOrder["dependencies"]; tokens: number } {
  if (outputs.length * MIN_SHARE_TOKENS <= target) {
    const reduced = outputs.map(({ taskId, text }) => ({ taskId, reduction: reduce(text) }));
    const dependencies = Object.fromEntries(reduced.map(({ taskId, reduction }) => [taskId, reduction.steps.length === 0 ? order.dependencies[taskId]! : reduction.text]));
    return { dependencies, tokens: reduced.reduce((sum, { reduction }) => sum + reduction.reducedTokens, 0) };
  }
  const told = outputs.map(({ taskId, text }) => ({ taskId, text: reduce(text, CHOSEN_SHARE_TOKENS).text })).filter(({ text }) => text !== "");
  const chosen = chooseTexts(told.map(({ text }) => text), query, Math.max(MIN_SHARE_TOKENS, left), "results").map((at) => told[at]!);
  const dropped = told.length - chosen.length;
  const dependencies = { ...Object.fromEntries(chosen.map(({ taskId, text }) => [taskId, text])), ...(dropped === 0 ? {} : { [OMITTED_TASKS]: `[… ${dropped} results omitted]` }) };
  return { dependencies, tokens: sumTokens(Object.values(dependencies).map(textOf)) };
}

/** Of a conversation, the exchanges that fit and say most about the query, the latest above all; the positions of the others' messages are dropped. */
function chooseExchanges(exchanges: readonly Exchange[], texts: readonly string[], query: string, maxTokens: number): { dropped: ReadonlySet<number>; tokens: number } {
  let next = 0;
  const told = exchanges.map((exchange) => texts.slice(next, (next += exchange.texts)).join("\n"));
  const tokens = sumTokens(told);
  if (tokens <= maxTokens) return { dropped: new Set(), tokens };
  const chosen = chooseTexts(told, query, maxTokens, "conversation");
  const chosenTokens = sumTokens(chosen.map((at) => told[at]!));
  // One exchange alone may be over.
  const kept = new Set(chosenTokens <= maxTokens ? chosen : []);
  return { dropped: new Set(exchanges.flatMap(({ positions }, at) => (kept.has(at) ? [] : positions))), tokens: kept.size === 0 ? 0 : chosenTokens };
}

function sumTokens(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + estimateTokens(text), 0);
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

interface SplitPrompt {
  head: string;
  middle: string;
  tail: string;
}

/** Instructions stand at the ends of a prompt; what lies between in a long one is material. Cut at line breaks where there are any. */
function splitPrompt(prompt: string): SplitPrompt {
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
