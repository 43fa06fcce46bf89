import type { ContentKind, Unit } from "./document.ts";
import { countTemplates } from "./log-lines.ts";
import { CAPITALISED, NUMERIC, type TermIndex } from "./terms.ts";

const base = {"sectionWeight":0.5,"titleBoost":2,"pair":0.25,"lead":0.8,"kernel":0,"kernelWidth":3,"answer":0.3,"k1":1.2,"bUnit":0.3,"bSection":0.4,"spread":0.4,"unitW":1,"secMax":0,"title":1.5,"titlePow":1,"rarity":0,"severity":0,"user":0,"recency":0,"widen":1.5,"novelty":0.25,"ids":0};
export const PK: Record<ContentKind, typeof base> = { documents: {...base}, prose: {...base}, transcript: {...base, "titleBoost":0.3,"pair":0.75,kernel: 0.3,kernelWidth:20,spread:0,widen:0.1,novelty:0.12}, trajectory: {...base, widen:0.5, ids:0.3,user:1,recency:1}, log: {...base, sectionWeight: 0, spread: 0.1, title: 0, lead:0, rarity: 0.5, severity: 1,widen:0,novelty:0}, json: {...base}, code: {...base} };
let P = base;

/** What is asked for: words with weights, and what kind of answer would fit. */
export interface WeightedQuery {
  /** Weight by term id; 0 for words that are not asked for. */
  weights: Float64Array;
  /** Terms with a weight, in order of the query. */
  terms: number[];
  wants: AnswerKind;
  /** The content word that follows a content word in the query. */
  pairs: Map<number, number>;
}

const SEVERE = /error|fail|fatal|panic|exception|warn|abort|denied|refused|timed? ?out|crash|critical/i;

type AnswerKind = "number" | "time" | "name" | "any";

/** Okapi BM25: how fast a repeated word stops to count, and how much length counts. */
export function readAnswerKind(query: string): AnswerKind {
  const head = query.slice(0, 2_000);
  if (/\bwhen\b|\bwhat (?:year|date|day|time|month)\b|\bwhich year\b/i.test(head)) return "time";
  if (/\bhow (?:many|much|long|far|old|tall|big|large|high|hot|often)\b|\bwhat (?:number|percentage|percent)\b/i.test(head)) return "number";
  if (/\bwho(?:se|m)?\b|\bwhere\b|\bwhat (?:is|was) the name\b|\bwhich\b/i.test(head)) return "name";
  return "any";
}

/** How many units, and how many sections, hold each term. */
export interface TermStatistics {
  unitFrequency: Uint32Array;
  sectionFrequency: Uint32Array;
  sectionCount: number;
}

export function countTerms(units: readonly Unit[], index: TermIndex): TermStatistics {
  const unitFrequency = new Uint32Array(index.vocabularySize);
  const sectionFrequency = new Uint32Array(index.vocabularySize);
  const lastUnit = new Int32Array(index.vocabularySize).fill(-1);
  const lastSection = new Int32Array(index.vocabularySize).fill(-1);
  let sectionCount = 0;
  let section = -1;
  for (let unit = 0; unit < units.length; unit += 1) {
    const current = (units[unit] as Unit).section;
    if (current !== section) {
      section = current;
      sectionCount += 1;
    }
    for (let at = index.offsets[unit] as number; at < (index.offsets[unit + 1] as number); at += 1) {
      const term = index.ids[at] as number;
      if (lastUnit[term] !== unit) unitFrequency[term] = (unitFrequency[term] as number) + 1;
      if (lastSection[term] !== section) sectionFrequency[term] = (sectionFrequency[term] as number) + 1;
      lastUnit[term] = unit;
      lastSection[term] = section;
    }
  }
  return { unitFrequency, sectionFrequency, sectionCount };
}

/** Inverse document frequency as BM25 has it, always positive. */
export function inverseFrequency(count: number, frequency: number): number {
  return Math.log(1 + (count - frequency + 0.5) / (frequency + 0.5));
}

function saturate(frequency: number, length: number, average: number, lengthShare: number): number {
  return (frequency * (P.k1 + 1)) / (frequency + P.k1 * (1 - lengthShare + (lengthShare * length) / Math.max(1, average)));
}

/** Relevance of every unit to the query. */
export function scoreUnits(units: readonly Unit[], index: TermIndex, statistics: TermStatistics, query: WeightedQuery, kind: ContentKind): Float64Array {
  P = PK[kind];
  const unitScores = scoreSpans(units, index, statistics.unitFrequency, units.length, query, null);
  const sections = sectionSpans(units);
  const sectionScores = scoreSpans(units, index, statistics.sectionFrequency, sections.length, query, sections);
  const scores = new Float64Array(units.length);
  const smooth = P.kernel > 0 ? smoothScores(units, unitScores) : null;
  sections.forEach(([from, to], order) => {
    const section = (sectionScores[order] as number) + P.title * titleScore(units, index, statistics, query, from);
    let best = 0;
    for (let unit = from; unit < to; unit += 1) best = Math.max(best, unitScores[unit] as number);
    for (let unit = from; unit < to; unit += 1) {
      const around = Math.max(unit > from ? (unitScores[unit - 1] as number) : 0, unit + 1 < to ? (unitScores[unit + 1] as number) : 0);
      const own = unitScores[unit] as number;
      const lead = P.lead / (1 + unit - from);
      scores[unit] = P.unitW * own + P.spread * around + P.sectionWeight * section * (1 + lead) + P.secMax * best + (smooth === null ? 0 : P.kernel * (smooth[unit] as number)) + answerBonus(index, unit, query) * P.answer * (section + own);
    }
  });
  if (P.user > 0) {
    let top = 0; for (const v of scores) top = Math.max(top, v);
    units.forEach((unit, at) => {
      scores[at] = (scores[at] as number) + top * (P.recency * (at / units.length) ** 2 + (isUser(units, unit) ? P.user : 0));
    });
  }
  if (P.rarity > 0) {
    const { template, count } = countTemplates(units);
    units.forEach((unit, at) => {
      scores[at] = (scores[at] as number) + P.rarity * Math.log(units.length / (count.get(template[at] as number) ?? 1)) + (SEVERE.test(unit.text) ? P.severity : 0);
    });
  }
  return scores;
}

function isUser(units: readonly Unit[], unit: Unit): boolean {
  return unit.needs !== -1 && /^.?(?:user|human)/i.test((units[unit.needs] as Unit).text.slice(0, 12));
}

/** How fully the words of a section's label are asked for. */
function titleScore(units: readonly Unit[], index: TermIndex, statistics: TermStatistics, query: WeightedQuery, first: number): number {
  if ((units[first] as Unit).role !== "label") return 0;
  let asked = 0;
  let all = 0;
  for (let at = index.offsets[first] as number; at < (index.offsets[first + 1] as number); at += 1) {
    const term = index.ids[at] as number;
    const frequency = statistics.sectionFrequency[term] as number;
    if (index.isStop[term] === 1 || frequency > statistics.sectionCount * 0.5) continue;
    const weight = inverseFrequency(statistics.sectionCount, frequency);
    all += weight;
    asked += weight * Math.min(1, query.weights[term] as number);
  }
  return all === 0 ? 0 : asked * (asked / all) ** P.titlePow;
}

function answerBonus(index: TermIndex, unit: number, query: WeightedQuery): number {
  if (query.wants === "any") return 0;
  const want = query.wants === "name" ? CAPITALISED : NUMERIC;
  const from = index.offsets[unit] as number;
  for (let at = from + (want === CAPITALISED ? 1 : 0); at < (index.offsets[unit + 1] as number); at += 1) {
    // An answer is not a word of the question.
    if (((index.flags[at] as number) & want) !== 0 && query.weights[index.ids[at] as number] === 0) return 1;
  }
  return 0;
}

/** `[from, to)` of each section. */
export function sectionSpans(units: readonly Unit[]): [number, number][] {
  const spans: [number, number][] = [];
  let from = 0;
  for (let unit = 1; unit <= units.length; unit += 1) {
    if (unit < units.length && (units[unit] as Unit).section === (units[from] as Unit).section) continue;
    spans.push([from, unit]);
    from = unit;
  }
  return spans;
}

/** BM25 over spans of units (`null`: over single units). Words of labels count more. */
function scoreSpans(units: readonly Unit[], index: TermIndex, frequency: Uint32Array, count: number, query: WeightedQuery, spans: [number, number][] | null): Float64Array {
  const scores = new Float64Array(count);
  const counts = new Float64Array(index.vocabularySize);
  const touched: number[] = [];
  const average = index.ids.length / Math.max(1, count);
  const b = spans === null ? P.bUnit : P.bSection;
  for (let order = 0; order < count; order += 1) {
    const [fromUnit, toUnit] = spans === null ? [order, order + 1] : (spans[order] as [number, number]);
    const from = index.offsets[fromUnit] as number;
    const to = index.offsets[toUnit] as number;
    let pairs = 0;
    let previous = -1;
    for (let unit = fromUnit; unit < toUnit; unit += 1) {
      const boost = (units[unit] as Unit).role === "label" ? P.titleBoost : 1;
      for (let at = index.offsets[unit] as number; at < (index.offsets[unit + 1] as number); at += 1) {
        const term = index.ids[at] as number;
        if ((query.weights[term] as number) > 0) {
          if (counts[term] === 0) touched.push(term);
          counts[term] = (counts[term] as number) + boost;
          const next = previous === -1 ? -1 : (query.pairs.get(previous) ?? -1);
          if (next === term) pairs += Math.min(query.weights[term] as number, query.weights[previous] as number);
          previous = term;
        } else if (index.isStop[term] !== 1) previous = -1;
      }
    }
    let score = 0;
    for (let term = touched.pop(); term !== undefined; term = touched.pop()) {
      const times = counts[term] as number;
      counts[term] = 0;
      score += (query.weights[term] as number) * inverseFrequency(count, frequency[term] as number) * saturate(times, to - from, average, b);
    }
    scores[order] = score + P.pair * pairs;
  }
  return scores;
}

/** Spreads scores over the neighbours, both ways, by exponential decay: the topic around a unit. */
function smoothScores(units: readonly Unit[], scores: Float64Array): Float64Array {
  const smooth = new Float64Array(scores.length);
  for (const forward of [true, false]) {
    let level = 0;
    for (let step = 0; step < scores.length; step += 1) {
      const unit = forward ? step : scores.length - 1 - step;
      const decay = Math.exp(-(units[unit] as Unit).chars / (100 * P.kernelWidth));
      smooth[unit] = (smooth[unit] as number) + level * decay;
      level = level * decay + (scores[unit] as number);
    }
  }
  return smooth;
}
