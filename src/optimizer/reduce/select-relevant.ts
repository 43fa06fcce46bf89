import { countTerms, type TermStatistics, type WeightedQuery } from "./bm25.ts";
import { DROPPED, KEPT, type ContextDocument, type ReductionBudget, type ReductionQuery, type Unit } from "./document.ts";
import { collectIdentifiers, type Identifier } from "./identifiers.ts";
import { nameIdentifiers, reserveForNames } from "./name-identifiers.ts";
import { weighCentralTerms, weighQuery, weighQuestions, widenQuery } from "./query.ts";
import { scoreUnits } from "./relevance.ts";
import { renderDocument } from "./render.ts";
import { fillSelection, keepUnit, startSelection, takeBack, type Selection } from "./select.ts";
import type { TermIndex } from "./terms.ts";
import { RELEVANCE_WEIGHTS, type RelevanceWeights } from "./weights.ts";
import { estimateTokens } from "../tokens/tokens.ts";

/** Shares of the budget that are filled before the query is widened by what was found: the best first, then more, then all. */
const HOPS = [0.2, 0.5];
/** Units that tell how well a question is answered at all. */
const LEVEL_UNITS = 8;
/** Corrections of the booked cost by the written text. Each one at least halves the error. */
const MAX_CORRECTIONS = 6;
/** A budget filled to this share is full. */
const FULL_SHARE = 0.985;

/**
 * Keeps the units that say most about the query (without one: about what the text itself is about) and drops the rest.
 * Meets the budget, marks counted, unless locked units or a single unit alone are over it.
 */
export function selectRelevant(document: ContextDocument, { text, index }: ReductionQuery, budget: ReductionBudget): ContextDocument {
  const { units } = document;
  const { weights } = document;
  const statistics = countTerms(units, index);
  const asked = weighQuery(text, index, units.length, statistics, document.kind);
  // Data and logs have no subject that words would tell: they are sampled evenly, or for what is rare.
  const query = asked.isEmpty && weights !== RELEVANCE_WEIGHTS.json && weights.rarity === 0 ? weighCentralTerms(index, statistics, units.length) : asked;
  const questions = asked.isEmpty ? [] : weighQuestions(text, index, units.length, statistics, document.kind);
  const selection = startSelection(document, index);
  units.forEach((unit, at) => {
    if (unit.locked) keepUnit(selection, at);
  });
  const scores = scoreQuestions(units, index, statistics, query, questions, weights);
  const identifiers = weights.identifiers > 0 ? collectIdentifiers(units, scores) : new Map<string, Identifier>();
  const forText = shareOf(budget, 1 - reserveForNames(identifiers, budget, weights.identifiers));
  const order = hop(selection, statistics, query, questions, scores, weights, forText);
  const named = nameIdentifiers(selection, identifiers, budget);
  return fitWritten(document, selection, order, named, budget);
}

/** Scores for several questions at once: a unit is as good as it is for the question it answers best, each measured by its best units. */
function scoreQuestions(units: readonly Unit[], index: TermIndex, statistics: TermStatistics, query: WeightedQuery, questions: readonly WeightedQuery[], weights: RelevanceWeights): Float64Array {
  const scores = scoreUnits(units, index, statistics, query, weights);
  const best = levelOf(scores);
  for (const question of questions) {
    const own = scoreUnits(units, index, statistics, question, weights);
    const scale = best / Math.max(1e-9, levelOf(own));
    for (let unit = 0; unit < scores.length; unit += 1) scores[unit] = Math.max(scores[unit] as number, (own[unit] as number) * scale);
  }
  return scores;
}

/** The mean of the highest scores. One unit that answers very well must not make the others of its question look poor beside those of another. */
function levelOf(scores: Float64Array): number {
  const top = new Float64Array(LEVEL_UNITS);
  for (const score of scores) {
    if (score <= (top[0] as number)) continue;
    let at = 0;
    while (at + 1 < LEVEL_UNITS && (top[at + 1] as number) < score) {
      top[at] = top[at + 1] as number;
      at += 1;
    }
    top[at] = score;
  }
  return top.reduce((sum, score) => sum + score, 0) / LEVEL_UNITS;
}

function shareOf(budget: ReductionBudget, share: number): ReductionBudget {
  return { maxTokens: budget.maxTokens * share, maxChars: budget.maxChars * share };
}

/** Fills the selection in steps, each with a query widened by what was kept before. Returns the last ranking. */
function hop(selection: Selection, statistics: TermStatistics, query: WeightedQuery, questions: readonly WeightedQuery[], firstScores: Float64Array, weights: RelevanceWeights, budget: ReductionBudget): number[] {
  const { units, index, kept } = selection;
  let scores = firstScores;
  let order = rankUnits(selection, scores);
  if (weights.widen > 0) {
    for (const share of HOPS) {
      // What says nothing about the query must not take the room of what does and is larger.
      fillSelection(selection, order.filter((unit) => (scores[unit] as number) > 0), shareOf(budget, share), weights.novelty);
      const widened = widenQuery(query, { units, kept, scores }, index, statistics, weights.widen);
      scores = scoreQuestions(units, index, statistics, widened, questions, weights);
      order = rankUnits(selection, scores);
    }
  }
  fillSelection(selection, order, budget, weights.novelty);
  if (weights.novelty > 0) fillSelection(selection, order, budget, 0);
  return order;
}

/** Units that may be chosen, best first. Labels come with what needs them; a heading with nothing under it stands for itself. */
function rankUnits({ units, dropped }: Selection, scores: Float64Array): number[] {
  const isNeeded = new Uint8Array(units.length);
  for (const { needs } of units) if (needs !== -1) isNeeded[needs] = 1;
  const order: number[] = [];
  units.forEach((unit, at) => {
    if (dropped[at] === KEPT && (unit.role !== "label" || isNeeded[at] === 0)) order.push(at);
  });
  return order.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
}

/** Corrects the booked cost by what the text really costs: takes back what is over, adds where room is left. */
function fitWritten(document: ContextDocument, selection: Selection, order: readonly number[], named: ContextDocument["named"], budget: ReductionBudget): ContextDocument {
  if (selection.picks.length === 0 && order[0] !== undefined) keepUnit(selection, order[0]);
  let best: Uint8Array | undefined;
  const write = (kept: Uint8Array): ContextDocument => applySelection(document, kept, named);
  for (let round = 0; round < MAX_CORRECTIONS; round += 1) {
    const text = renderDocument(write(selection.kept));
    const tokens = estimateTokens(text);
    const isOver = tokens > budget.maxTokens || text.length > budget.maxChars;
    if (!isOver) best = selection.kept.slice();
    if (isOver ? !takeBack(selection, tokens - budget.maxTokens, text.length - budget.maxChars) : isFull(tokens, text.length, budget) || round > 1) return write(best ?? selection.kept);
    if (isOver) continue;
    [selection.tokens, selection.chars] = [tokens, text.length];
    fillSelection(selection, order, budget, 0);
  }
  return write(best ?? selection.kept);
}

function isFull(tokens: number, chars: number, budget: ReductionBudget): boolean {
  return tokens >= FULL_SHARE * budget.maxTokens || chars >= FULL_SHARE * budget.maxChars;
}

function applySelection(document: ContextDocument, kept: Uint8Array, named: ContextDocument["named"]): ContextDocument {
  const dropped = document.dropped.map((state, at) => (kept[at] === 1 ? KEPT : state === KEPT ? DROPPED : state));
  const stillNamed = new Map([...named].filter(([at]) => kept[at] !== 1));
  return { ...document, dropped, named: stillNamed };
}
