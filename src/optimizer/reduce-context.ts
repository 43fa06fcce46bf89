import { detectKind } from "./reduce/content-kind.ts";
import { KEPT, type ContextDocument, type ReductionBudget, type ReductionQuery } from "./reduce/document.ts";
import type { ContentKind } from "./reduce/kind.ts";
import { dropDuplicates } from "./reduce/duplicates.ts";
import { collapseTemplates } from "./reduce/log-lines.ts";
import { MEASURE_WORDS } from "./reduce/measures.ts";
import { readDocument } from "./reduce/read-document.ts";
import { renderDocument } from "./reduce/render.ts";
import { selectRelevant } from "./reduce/select-relevant.ts";
import { indexTerms } from "./reduce/terms.ts";
import { estimateTokens } from "./tokens/tokens.ts";

export interface ReduceOptions {
  /** What the text will be used for; decides what is kept. Without it, what the text itself is about. */
  query?: string;
  /** Share of tokens to remove, 0–0.99. It binds characters as well, so that it holds however tokens are counted. */
  targetReduction?: number;
  /** Tokens to stay within; wins over `targetReduction`. */
  maxTokens?: number;
  /** Strings that survive byte for byte, if they are in the text (their first occurrence). */
  keep?: readonly string[];
}

/** One method's share. Methods that changed nothing are not reported. */
export interface ReductionStep {
  method: ReductionMethodName;
  tokensBefore: number;
  tokensAfter: number;
}

export interface Reduction {
  text: string;
  originalTokens: number;
  reducedTokens: number;
  /** 0–100, one decimal. */
  reductionPercent: number;
  /** False when structure or `keep` forbids to reach the target; `text` is then the best that was found. */
  achieved: boolean;
  steps: ReductionStep[];
}

export type ReductionMethodName = "whitespace" | "json-minify" | "duplicates" | "log-templates" | "json-sample" | "summary" | "relevance";

interface ReductionMethod {
  name: ReductionMethodName;
  apply: (document: ContextDocument, query: ReductionQuery, budget: ReductionBudget) => ContextDocument;
}

/** Sums of the units' weights are within a tenth of the text's, and within this many tokens for small texts. */
const NEAR_BUDGET = 1.1;
const NEAR_BUDGET_TOKENS = 64;

/**
 * Reduces a text to fewer tokens and keeps what matters for the query. Methods go from harmless to lossy and stop as soon as the
 * target is met. Nothing is cut inside code blocks, tables, list items, sentences or ids; what was dropped is marked. Pure and linear.
 */
export function reduceContext(text: string, options: ReduceOptions): Reduction {
  const originalTokens = estimateTokens(text);
  const budget = budgetOf(text, originalTokens, options);
  const unchanged = { text, originalTokens, reducedTokens: originalTokens, reductionPercent: 0, achieved: originalTokens <= budget.maxTokens, steps: [] };
  if (isWithin(text, originalTokens, budget)) return unchanged;

  const kind = detectKind(text);
  const read = readDocument(text, kind, options.keep ?? []);
  const { document, written, steps } = applyMethods(read, options.query ?? "", budget, originalTokens);
  const reduced = written.text ?? renderDocument(document);
  const reducedTokens = written.text === undefined ? estimateTokens(reduced) : written.tokens;
  if (reducedTokens >= originalTokens) return unchanged;
  const last = steps.at(-1);
  if (last !== undefined) last.tokensAfter = reducedTokens;
  return {
    text: reduced,
    originalTokens,
    reducedTokens,
    reductionPercent: Math.round(1000 * (1 - reducedTokens / originalTokens)) / 10,
    achieved: reducedTokens <= budget.maxTokens,
    steps: steps.filter((step) => step.tokensAfter < step.tokensBefore),
  };
}

/** A document after its methods, what it costs, and what each method saved. */
interface Reduced {
  document: ContextDocument;
  written: Written;
  steps: ReductionStep[];
}

function applyMethods(read: ContextDocument, queryText: string, budget: ReductionBudget, originalTokens: number): Reduced {
  let document = read;
  let written = writeDocument(document, budget, originalTokens);
  const steps: ReductionStep[] = [{ method: document.kind === "json" ? "json-minify" : "whitespace", tokensBefore: originalTokens, tokensAfter: written.tokens }];
  if (written.isWithin) return { document, written, steps };
  const query: ReductionQuery = { text: queryText, index: indexTerms([...document.units.map((unit) => unit.text), queryText, MEASURE_WORDS]) };
  for (const method of methodsOf(document.kind, queryText !== "")) {
    if (written.isWithin) break;
    const next = method.apply(document, query, budget);
    if (next === document) continue;
    const tokensBefore = written.tokens;
    written = writeDocument(next, budget, tokensBefore);
    document = next;
    steps.push({ method: method.name, tokensBefore, tokensAfter: written.tokens });
  }
  return { document, written, steps };
}

function budgetOf(text: string, originalTokens: number, { maxTokens, targetReduction = 0 }: ReduceOptions): ReductionBudget {
  if (maxTokens !== undefined) return { maxTokens, maxChars: Number.POSITIVE_INFINITY };
  // Without the small addend, 1 - 0.9 leaves one less than a tenth.
  const share = 1 - targetReduction + 1e-9;
  return { maxTokens: Math.floor(originalTokens * share), maxChars: Math.floor(text.length * share) };
}

function isWithin(text: string, tokens: number, budget: ReductionBudget): boolean {
  return tokens <= budget.maxTokens && text.length <= budget.maxChars;
}

interface Written {
  /** Absent when the document is far over the budget: then it is not the result. */
  text?: string;
  tokens: number;
  isWithin: boolean;
}

/** What a document costs. Far from the budget the weights of its units are exact enough, and nothing is written. */
function writeDocument(document: ContextDocument, budget: ReductionBudget, tokensBefore: number): Written {
  let tokens = 0;
  document.units.forEach((unit, at) => {
    if (document.dropped[at] === KEPT) tokens += unit.tokens;
  });
  if (tokens > NEAR_BUDGET * budget.maxTokens + NEAR_BUDGET_TOKENS) return { tokens: Math.min(tokensBefore, Math.ceil(tokens)), isWithin: false };
  const text = renderDocument(document);
  const exact = estimateTokens(text);
  return { text, tokens: exact, isWithin: isWithin(text, exact, budget) };
}

/** The methods for a kind of content, the harmless ones first. */
function methodsOf(kind: ContentKind, isAsked: boolean): ReductionMethod[] {
  const selection: ReductionMethodName = isAsked ? "relevance" : kind === "json" ? "json-sample" : "summary";
  const methods: ReductionMethod[] = [];
  if (kind !== "json") methods.push({ name: "duplicates", apply: dropDuplicates });
  if (kind === "log") methods.push({ name: "log-templates", apply: collapseTemplates });
  methods.push({ name: selection, apply: selectRelevant });
  return methods;
}
