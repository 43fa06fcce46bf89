import { appendBlocks } from "./reduce/blocks.ts";
import { detectKind } from "./reduce/content-kind.ts";
import { appendTrajectory, appendTranscript } from "./reduce/dialogue.ts";
import type { ContentKind, ContextDocument, ReductionBudget, Unit } from "./reduce/document.ts";
import { appendJson } from "./reduce/json-tree.ts";
import { skipSpace, splitLines, trimEnd } from "./reduce/lines.ts";
import { weighCentralTerms, weighQuery, widenQuery } from "./reduce/query.ts";
import { collectIdentifiers, findIdentifiers, type Identifier } from "./reduce/identifiers.ts";
import { countTerms, PK, scoreUnits } from "./reduce/relevance.ts";
import { renderDocument } from "./reduce/render.ts";
import { fillSelection, keepUnit, type Selection, startSelection, takeBack } from "./reduce/select.ts";
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

export const R = { first: 0.2, second: 0.5, idScore: 1, idLate: 0.5 };

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
  const p = PK[document.kind];
  const identifiers = p.ids > 0 ? collectIdentifiers(units, scores) : new Map<string, Identifier>();
  let idTokens = 0;
  for (const value of identifiers.keys()) idTokens += measureTokens(value) + 1;
  const forText = 1 - Math.min(p.ids, idTokens / Math.max(1, budget.maxTokens));
  const part = (share: number): ReductionBudget => ({ maxTokens: budget.maxTokens * share, maxChars: budget.maxChars * share });
  fillSelection(selection, rank(units, scores), part(R.first * forText), index, p.novelty);
  let wider = scores;
  for (const share of p.widen === 0 ? [1] : [R.second, 1]) {
    if (p.widen > 0) wider = scoreUnits(units, index, statistics, widenQuery(query, units, selection.kept, wider, index, statistics, p.widen), document.kind);
    fillSelection(selection, rank(units, wider), part(share * forText), index, p.novelty);
  }
  if (p.novelty > 0) fillSelection(selection, rank(units, wider), part(forText), index, 0);
  const named = p.ids > 0 ? nameIdentifiers(selection, identifiers, budget) : new Map<number, string[]>();
  if (p.ids > 0) fillSelection(selection, rank(units, wider), budget, index, 0);
  for (let round = 0; round < 8; round += 1) {
    const text = renderDocument(document, selection.kept, named);
    const overTokens = estimateTokens(text) - budget.maxTokens;
    const overChars = text.length - budget.maxChars;
    if (overTokens <= 0 && overChars <= 0) return text;
    if (!takeBack(selection, overTokens, overChars)) return text;
  }
  return renderDocument(document, selection.kept, named);
}

/** Chooses the identifiers that the marks name, and books them. */
function nameIdentifiers(selection: Selection, identifiers: ReadonlyMap<string, Identifier>, budget: ReductionBudget): Map<number, string[]> {
  const { units, kept } = selection;
  const present = new Set<string>();
  units.forEach((unit, at) => { if (kept[at] === 1) for (const value of findIdentifiers(unit.text)) present.add(value); });
  let top = 0;
  for (const { score } of identifiers.values()) top = Math.max(top, score);
  const weight = (identifier: Identifier): number => Math.min(3, identifier.sections) + R.idScore * identifier.score / Math.max(1e-9, top) + R.idLate * identifier.lastUnit / units.length;
  const missing = [...identifiers.values()].filter(({ value }) => !present.has(value)).sort((a, b) => weight(b) - weight(a));
  const named = new Map<number, string[]>();
  for (const { value, firstUnit } of missing) {
    const tokens = measureTokens(value) + 1;
    if (selection.tokens + tokens > budget.maxTokens || selection.chars + value.length + 2 > budget.maxChars) continue;
    selection.tokens += tokens;
    selection.chars += value.length + 2;
    const list = named.get(firstUnit);
    if (list === undefined) named.set(firstUnit, [value]);
    else list.push(value);
  }
  return named;
}

function rank(units: readonly Unit[], scores: Float64Array): number[] {
  const order = Array.from(units.keys()).filter((unit) => (units[unit] as Unit).role !== "label");
  return order.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
}
