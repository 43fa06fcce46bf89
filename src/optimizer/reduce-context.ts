import { detectKind } from "./reduce/content-kind.ts";
import type { ContentKind, ContextDocument, ReductionBudget } from "./reduce/document.ts";
import { dropDuplicates } from "./reduce/duplicates.ts";
import { collapseTemplates } from "./reduce/log-lines.ts";
import { readDocument } from "./reduce/read-document.ts";
import { renderDocument } from "./reduce/render.ts";
import { selectRelevant } from "./reduce/select-relevant.ts";
import { estimateTokens } from "./tokens.ts";

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
  apply: (document: ContextDocument, query: string, budget: ReductionBudget) => ContextDocument;
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
  if (isWithin(text, originalTokens, budget)) return describeReduction(text, text, originalTokens, budget, []);

  const query = options.query ?? "";
  const kind = detectKind(text);
  let document = readDocument(text, kind, options.keep ?? []);
  let written = writeDocument(document, budget, originalTokens);
  const steps: ReductionStep[] = [{ method: kind === "json" ? "json-minify" : "whitespace", tokensBefore: originalTokens, tokensAfter: written.tokens }];
  for (const method of methodsOf(kind, query !== "")) {
    if (written.isWithin) break;
    const next = method.apply(document, query, budget);
    if (next === document) continue;
    const before = written.tokens;
    written = writeDocument(next, budget, before);
    document = next;
    steps.push({ method: method.name, tokensBefore: before, tokensAfter: written.tokens });
  }
  const reduced = written.text ?? renderDocument(document);
  return describeReduction(text, reduced, originalTokens, budget, steps);
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
  for (const unit of document.units) if (!unit.dropped) tokens += unit.tokens;
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

function describeReduction(original: string, reduced: string, originalTokens: number, budget: ReductionBudget, steps: ReductionStep[]): Reduction {
  const isShorter = estimateTokens(reduced) < originalTokens;
  const text = isShorter ? reduced : original;
  const reducedTokens = isShorter ? estimateTokens(reduced) : originalTokens;
  return {
    text,
    originalTokens,
    reducedTokens,
    reductionPercent: originalTokens === 0 ? 0 : Math.round(1000 * (1 - reducedTokens / originalTokens)) / 10,
    achieved: reducedTokens <= budget.maxTokens,
    steps: steps.filter((step) => step.tokensAfter < step.tokensBefore),
  };
}
