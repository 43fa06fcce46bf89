import { appendBlocks } from "./reduce/blocks.ts";
import { detectKind } from "./reduce/content-kind.ts";
import { appendTrajectory, appendTranscript } from "./reduce/dialogue.ts";
import type { ContentKind, ContextDocument, ReductionBudget, Unit } from "./reduce/document.ts";
import { appendJson } from "./reduce/json-tree.ts";
import { skipSpace, splitLines, trimEnd } from "./reduce/lines.ts";
import { weighCentralTerms, weighQuery, widenQuery } from "./reduce/query.ts";
import { countTerms, scoreUnits } from "./reduce/relevance.ts";
import { renderDocument } from "./reduce/render.ts";
import { fillSelection, keepUnit, S, startSelection, takeBack } from "./reduce/select.ts";
import { appendSourceCode } from "./reduce/source-code.ts";
import { STOP_WORDS } from "./reduce/stop-words.ts";
import { indexTerms } from "./reduce/terms.ts";
import { createSink, finishUnits, openSection, pushUnit, type UnitSink } from "./reduce/unit-sink.ts";
import { estimateTokens, measureTokens } from "./tokens.ts";

export interface ReduceOptions {
  query?: string;
  targetReduction?: number;
  maxTokens?: number;
  keep?: string[];
}
export interface ReductionStep { method: string; tokensBefore: number; tokensAfter: number }
export interface Reduction { text: string; originalTokens: number; reducedTokens: number; reductionPercent: number; achieved: boolean; steps: ReductionStep[] }

export const R = { first: 0.4, rounds: 2 };

export function reduceContext(text: string, options: ReduceOptions): Reduction {
  const originalTokens = estimateTokens(text);
  const budget = budgetOf(text, originalTokens, options);
  const kind = detectKind(text);
  const document = readDocument(text, kind, options.keep ?? []);
  const reduced = selectRelevant(document, options.query ?? "", budget);
  const reducedTokens = estimateTokens(reduced);
  return { text: reduced, originalTokens, reducedTokens, reductionPercent: 100 * (1 - reducedTokens / Math.max(1, originalTokens)), achieved: reducedTokens <= budget.maxTokens, steps: [{ method: kind, tokensBefore: originalTokens, tokensAfter: reducedTokens }] };
}

function budgetOf(text: string, originalTokens: number, options: ReduceOptions): ReductionBudget {
  if (options.maxTokens !== undefined) return { maxTokens: options.maxTokens, maxChars: Number.POSITIVE_INFINITY };
  const share = 1 - (options.targetReduction ?? 0);
  return { maxTokens: Math.floor(originalTokens * share + 1e-9), maxChars: Math.floor(text.length * share + 1e-9) };
}

export function readDocument(text: string, kind: ContentKind, keep: readonly string[]): ContextDocument {
  const sink = createSink(text, keep);
  openSection(sink);
  appendContent(sink, kind);
  return { kind, units: finishUnits(sink) };
}

function appendContent(sink: UnitSink, kind: ContentKind): void {
  switch (kind) {
    case "json": {
      const start = skipSpace(sink.text, 0, sink.text.length);
      return appendJson(sink, start, trimEnd(sink.text, start, sink.text.length), -1);
    }
    case "trajectory":
      return appendTrajectory(sink);
    case "transcript":
      return appendTranscript(sink);
    case "code":
      return appendSourceCode(sink);
    case "log":
      for (const line of splitLines(sink.text)) {
        if (line.start === line.end) continue;
        openSection(sink);
        pushUnit(sink, line.start, line.end, "line");
      }
      return;
    default:
      return appendBlocks(sink, 0, sink.text.length);
  }
}

function selectRelevant(document: ContextDocument, queryText: string, budget: ReductionBudget): string {
  const { units } = document;
  const index = indexTerms([...units.map((unit) => unit.text), queryText], STOP_WORDS);
  const statistics = countTerms(units, index);
  let query = weighQuery(queryText, index, units.length);
  if (query.terms.every((term) => statistics.unitFrequency[term] === 0)) query = weighCentralTerms(index, statistics, units.length);
  const selection = startSelection(units, index);
  units.forEach((unit, at) => { if (unit.locked) keepUnit(selection, at, index); });
  const scores = scoreUnits(units, index, statistics, query, document.kind);
  const first = { maxTokens: budget.maxTokens * R.first, maxChars: budget.maxChars * R.first };
  fillSelection(selection, rank(units, scores), first, index, S.novelty);
  const widened = widenQuery(query, units, selection.kept, scores, index, statistics);
  const wider = scoreUnits(units, index, statistics, widened, document.kind);
  fillSelection(selection, rank(units, wider), budget, index, S.novelty);
  fillSelection(selection, rank(units, wider), budget, index, 0);
  for (let round = 0; round < 8; round += 1) {
    const text = renderDocument(document, selection.kept);
    const overTokens = estimateTokens(text) - budget.maxTokens;
    const overChars = text.length - budget.maxChars;
    if (overTokens <= 0 && overChars <= 0) return text;
    if (!takeBack(selection, overTokens, overChars)) return text;
  }
  return renderDocument(document, selection.kept);
}

function rank(units: readonly Unit[], scores: Float64Array): number[] {
  const order = Array.from(units.keys()).filter((unit) => (units[unit] as Unit).role !== "label");
  return order.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
}
void measureTokens;
