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

/** Units that stand together, as `[from, to)`. */
export type Span = readonly [from: number, to: number];

/** How many units, and how many sections, hold each term. */
export interface TermStatistics {
  unitFrequency: Uint32Array;
  sectionFrequency: Uint32Array;
  sections: Span[];
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
  return { unitFrequency, sectionFrequency, sections: findSections(units) };
}

function findSections(units: readonly Unit[]): Span[] {
  const sections: Span[] = [];
  let from = 0;
  for (let unit = 1; unit <= units.length; unit += 1) {
    if (unit < units.length && (units[unit] as Unit).section === (units[from] as Unit).section) continue;
    if (unit > from) sections.push([from, unit]);
    from = unit;
  }
  return sections;
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
  const spans = units.map((_, unit): Span => [unit, unit + 1]);
  return scoreSpans(units, index, statistics.unitFrequency, spans, query, weights, UNIT_LENGTH_SHARE);
}

/** BM25 of every section. */
export function scoreEachSection(units: readonly Unit[], index: TermIndex, statistics: TermStatistics, query: WeightedQuery, weights: SpanWeights): Float64Array {
  return scoreSpans(units, index, statistics.sectionFrequency, statistics.sections, query, weights, SECTION_LENGTH_SHARE);
}

function scoreSpans(units: readonly Unit[], index: TermIndex, frequency: Uint32Array, spans: readonly Span[], query: WeightedQuery, weights: SpanWeights, lengthShare: number): Float64Array {
  const scores = new Float64Array(spans.length);
  const counts = new Float64Array(index.vocabularySize);
  const touched: number[] = [];
  const averageLength = Math.max(1, (index.offsets[units.length] as number) / Math.max(1, spans.length));
  spans.forEach(([fromUnit, toUnit], order) => {
    let score = weights.pair * countAsked(units, index, fromUnit, toUnit, query, weights.labelWords, counts, touched);
    const length = (index.offsets[toUnit] as number) - (index.offsets[fromUnit] as number);
    const damping = SATURATION * (1 - lengthShare + (lengthShare * length) / averageLength);
    for (let term = touched.pop(); term !== undefined; term = touched.pop()) {
      const times = counts[term] as number;
      counts[term] = 0;
      score += (query.weights[term] as number) * inverseFrequency(spans.length, frequency[term] as number) * ((times * (SATURATION + 1)) / (times + damping));
    }
    scores[order] = score;
  });
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
