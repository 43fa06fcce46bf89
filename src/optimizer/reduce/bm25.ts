import type { Unit } from "./document.ts";
import type { TermIndex } from "./terms.ts";

/** BM25's constants: how fast a repeated word stops to count, and how much length counts. */
const SATURATION = 1;
const UNIT_LENGTH_SHARE = 0.4;
const SECTION_LENGTH_SHARE = 0.4;

/** What is asked for, as words with weights. */
export interface WeightedQuery {
  /** Weight by term id; 0 for words that are not asked for. */
  weights: Float64Array;
  /** The content word that follows a content word in the query. */
  pairs: ReadonlyMap<number, number>;
  /** Whether any word of the query is in the text. */
  isEmpty: boolean;
  wants: AnswerKind;
}

/** The kind of answer that a question asks for. */
export type AnswerKind = "number" | "name" | "any";

/** How many units, and how many sections, hold each term. */
export interface TermStatistics {
  unitFrequency: Uint32Array;
  sectionFrequency: Uint32Array;
  /** The first unit of every section, in order, and at the end the number of units. */
  sectionStarts: Uint32Array;
}

export function countTerms(units: readonly Unit[], index: TermIndex): TermStatistics {
  const unitFrequency = new Uint32Array(index.vocabularySize);
  const sectionFrequency = new Uint32Array(index.vocabularySize);
  const lastUnit = new Int32Array(index.vocabularySize).fill(-1);
  const lastSection = new Int32Array(index.vocabularySize).fill(-1);
  for (let unit = 0; unit < units.length; unit += 1) {
    const { section } = units[unit] as Unit;
    for (let at = index.offsets[unit] as number; at < (index.offsets[unit + 1] as number); at += 1) {
      const term = index.ids[at] as number;
      if (lastUnit[term] !== unit) unitFrequency[term] = (unitFrequency[term] as number) + 1;
      if (lastSection[term] !== section) sectionFrequency[term] = (sectionFrequency[term] as number) + 1;
      lastUnit[term] = unit;
      lastSection[term] = section;
    }
  }
  return { unitFrequency, sectionFrequency, sectionStarts: findSections(units) };
}

function findSections(units: readonly Unit[]): Uint32Array {
  const starts: number[] = [];
  for (let unit = 0; unit < units.length; unit += 1) if (unit === 0 || (units[unit] as Unit).section !== (units[unit - 1] as Unit).section) starts.push(unit);
  starts.push(units.length);
  return Uint32Array.from(starts);
}

/** Inverse document frequency as BM25 has it, always positive. */
export function inverseFrequency(count: number, frequency: number): number {
  return Math.log(1 + (count - frequency + 0.5) / (frequency + 0.5));
}

interface SpanWeights {
  labelWords: number;
  pair: number;
}

/** BM25 of every unit. */
export function scoreEachUnit(units: readonly Unit[], index: TermIndex, statistics: TermStatistics, query: WeightedQuery, weights: SpanWeights): Float64Array {
  const starts = new Uint32Array(units.length + 1).map((_, unit) => unit);
  return scoreSpans(units, index, statistics.unitFrequency, starts, query, weights, UNIT_LENGTH_SHARE);
}

/** BM25 of every section. */
export function scoreEachSection(units: readonly Unit[], index: TermIndex, statistics: TermStatistics, query: WeightedQuery, weights: SpanWeights): Float64Array {
  return scoreSpans(units, index, statistics.sectionFrequency, statistics.sectionStarts, query, weights, SECTION_LENGTH_SHARE);
}

function scoreSpans(units: readonly Unit[], index: TermIndex, frequency: Uint32Array, starts: Uint32Array, query: WeightedQuery, weights: SpanWeights, lengthShare: number): Float64Array {
  const spanCount = starts.length - 1;
  const scores = new Float64Array(spanCount);
  const counts = new Float64Array(index.vocabularySize);
  const touched: number[] = [];
  /** Weight and rarity of the asked terms, as they come up. */
  const worth = new Float64Array(index.vocabularySize);
  const averageLength = Math.max(1, (index.offsets[units.length] as number) / Math.max(1, spanCount));
  for (let order = 0; order < spanCount; order += 1) {
    const [fromUnit, toUnit] = [starts[order] as number, starts[order + 1] as number];
    let score = weights.pair * countAsked(units, index, fromUnit, toUnit, query, weights.labelWords, counts, touched);
    const length = (index.offsets[toUnit] as number) - (index.offsets[fromUnit] as number);
    const damping = SATURATION * (1 - lengthShare + (lengthShare * length) / averageLength);
    for (let term = touched.pop(); term !== undefined; term = touched.pop()) {
      const times = counts[term] as number;
      counts[term] = 0;
      if (worth[term] === 0) worth[term] = (query.weights[term] as number) * inverseFrequency(spanCount, frequency[term] as number);
      score += (worth[term] as number) * ((times * (SATURATION + 1)) / (times + damping));
    }
    scores[order] = score;
  }
  return scores;
}

/** Counts the words of the query in `[fromUnit, toUnit)` into `counts`, and returns the weight of its word pairs. */
function countAsked(units: readonly Unit[], index: TermIndex, fromUnit: number, toUnit: number, query: WeightedQuery, labelWords: number, counts: Float64Array, touched: number[]): number {
  let pairs = 0;
  let previous = -1;
  for (let unit = fromUnit; unit < toUnit; unit += 1) {
    const times = (units[unit] as Unit).role === "label" ? labelWords : 1;
    for (let at = index.offsets[unit] as number; at < (index.offsets[unit + 1] as number); at += 1) {
      const term = index.ids[at] as number;
      const weight = query.weights[term] as number;
      if (weight > 0) {
        if (counts[term] === 0) touched.push(term);
        counts[term] = (counts[term] as number) + times;
        if (previous !== -1 && query.pairs.get(previous) === term) pairs += Math.min(weight, query.weights[previous] as number);
        previous = term;
      } else if (index.isStop[term] !== 1) {
        previous = -1;
      }
    }
  }
  return pairs;
}
