import type { Unit } from "./document.ts";
import { inverseFrequency, readAnswerKind, type TermStatistics, type WeightedQuery } from "./relevance.ts";
import { CAPITALISED, NUMERIC, type TermIndex } from "./terms.ts";

export const W = { widenMax: 48, pseudo: 24, sharePow: 3, pairs: 1 };

/** The query as weighted terms. The query's text is the last of the indexed texts, at `position`. */
export function weighQuery(text: string, index: TermIndex, position: number): WeightedQuery {
  const query: WeightedQuery = { weights: new Float64Array(index.vocabularySize), terms: [], wants: readAnswerKind(text), pairs: new Map() };
  const from = index.offsets[position] as number;
  const to = index.offsets[position + 1] as number;
  let previous = -1;
  for (let at = from; at < to; at += 1) {
    const term = index.ids[at] as number;
    if (index.isStop[term] === 1) continue;
    if (query.weights[term] === 0) query.terms.push(term);
    // A name or a number says more than a common word.
    const isSpecific = at > from && ((index.flags[at] as number) & (CAPITALISED | NUMERIC)) !== 0;
    query.weights[term] = Math.max(query.weights[term] as number, isSpecific ? 1.2 : 1);
    if (previous !== -1) query.pairs.set(previous, term);
    previous = term;
  }
  return query;
}

/** Without a question: the terms that the text itself is about, those frequent in it but not everywhere. */
export function weighCentralTerms(index: TermIndex, statistics: TermStatistics, unitCount: number): WeightedQuery {
  const candidates: { term: number; weight: number }[] = [];
  for (let term = 0; term < index.vocabularySize; term += 1) {
    const frequency = statistics.unitFrequency[term] as number;
    if (frequency < 2 || index.isStop[term] === 1) continue;
    candidates.push({ term, weight: Math.log(1 + frequency) * inverseFrequency(unitCount, frequency) });
  }
  candidates.sort((a, b) => b.weight - a.weight || a.term - b.term);
  const query: WeightedQuery = { weights: new Float64Array(index.vocabularySize), terms: [], wants: "any", pairs: new Map() };
  for (const { term, weight } of candidates.slice(0, W.pseudo)) {
    query.terms.push(term);
    query.weights[term] = weight / (candidates[0]?.weight ?? 1);
  }
  return query;
}

/** Adds to a query the names and numbers of what was kept so far: the next hop of a question often asks for them. */
export function widenQuery(query: WeightedQuery, units: readonly Unit[], kept: Uint8Array, scores: Float64Array, index: TermIndex, statistics: TermStatistics, widen: number): WeightedQuery {
  let best = 0;
  for (let unit = 0; unit < units.length; unit += 1) if (kept[unit] === 1) best = Math.max(best, scores[unit] as number);
  const gains = new Map<number, number>();
  const pairs = new Map(query.pairs);
  for (let unit = 0; unit < units.length; unit += 1) {
    if (kept[unit] !== 1) continue;
    const from = index.offsets[unit] as number;
    let previous = -1;
    const share = best > 0 ? (scores[unit] as number) / best : 0;
    for (let at = from; at < (index.offsets[unit + 1] as number); at += 1) {
      const term = index.ids[at] as number;
      const isName = ((index.flags[at] as number) & (CAPITALISED | NUMERIC)) !== 0 && index.isStop[term] !== 1;
      if (isName && previous !== -1 && W.pairs > 0) pairs.set(previous, term);
      previous = isName ? term : -1;
      if (!isName || query.weights[term] !== 0) continue;
      if ((statistics.sectionFrequency[term] as number) < 2) continue;
      const gain = share ** W.sharePow * inverseFrequency(statistics.sectionCount, statistics.sectionFrequency[term] as number);
      gains.set(term, Math.max(gains.get(term) ?? 0, gain));
    }
  }
  const ranked = [...gains].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, W.widenMax);
  const top = ranked[0]?.[1] ?? 1;
  const weights = query.weights.slice();
  for (const [term, gain] of ranked) weights[term] = (widen * gain) / top;
  return { ...query, weights, pairs, terms: [...query.terms, ...ranked.map(([term]) => term)] };
}
