import { inverseFrequency, type AnswerKind, type TermStatistics, type WeightedQuery } from "./bm25.ts";
import type { Unit } from "./document.ts";
import type { ContentKind } from "./kind.ts";
import { addMeasures } from "./measures.ts";
import { CAPITALISED, NUMERIC, scanWords, type TermIndex } from "./terms.ts";

/** Names and numbers that may widen a query: more would blur it. */
const MAX_WIDENING_TERMS = 48;
/** Words that stand for a text when nothing is asked. */
const CENTRAL_TERMS = 24;
/** A name or a number says more than a common word. */
const SPECIFIC_WEIGHT = 1.2;
/** A frequent word of the language says less. */
const COMMON_WEIGHT = 0.75;
/** What frames a task rather than its subject. Not stop words: a text may be about them. */
const FRAMING_WEIGHT = 0.3;
/** Questions of one prompt that are looked at one by one: each is a pass over the text. */
const MAX_QUESTIONS = 8;
const MAX_ASKED_CHARS = 8_000;
/** Only the head of a long prompt tells what kind of answer it wants. */
const QUESTION_CHARS = 2_000;

/** The query as weighted terms. Its text is the one at `position` of the index; `framing` words count little. */
export function weighQuery(text: string, index: TermIndex, position: number, statistics: TermStatistics, kind: ContentKind): WeightedQuery {
  const query = weighWords(text, index, index.offsets[position] as number, index.offsets[position + 1] as number, statistics);
  return kind === "code" ? askProgram(query, text.slice(0, MAX_ASKED_CHARS), index, position) : query;
}

/** Of a program, "how …" asks for a number, and its measures for names. */
function askProgram(query: WeightedQuery, text: string, index: TermIndex, position: number): WeightedQuery {
  addMeasures(query, text, index, position + 1);
  return /\bhow (?!do\b|does\b|is\b|are\b|can\b|to\b|should\b)\w+/i.test(text) ? { ...query, wants: "number" } : query;
}

/** The query made of the words `[from, to)` of the index, which `text` says. */
function weighWords(text: string, index: TermIndex, from: number, to: number, statistics: TermStatistics): WeightedQuery {
  const weights = new Float64Array(index.vocabularySize);
  const pairs = new Map<number, number>();
  let previous = -1;
  let isEmpty = true;
  for (let at = from; at < to; at += 1) {
    const term = index.ids[at] as number;
    if (index.isStop[term] === 1) continue;
    const isSpecific = at > from && ((index.flags[at] as number) & (CAPITALISED | NUMERIC)) !== 0;
    weights[term] = Math.max(weights[term] as number, weighTerm(index, term, isSpecific));
    if (statistics.unitFrequency[term] !== 0) isEmpty = false;
    if (previous !== -1) pairs.set(previous, term);
    previous = term;
  }
  return { weights, pairs, isEmpty, wants: answerKind(text.slice(0, QUESTION_CHARS)) };
}

/** The questions of a prompt that asks several; none if it asks one, which is the query itself then. */
export function weighQuestions(text: string, index: TermIndex, position: number, statistics: TermStatistics, kind: ContentKind): WeightedQuery[] {
  const head = text.slice(0, MAX_ASKED_CHARS);
  const ends = Array.from(head.matchAll(/[?？](?=\s|$)/g), ({ index: at }) => at + 1);
  if (ends.length < 2) return [];
  const questions: WeightedQuery[] = [];
  let from = 0;
  let word = index.offsets[position] as number;
  for (const end of ends.slice(0, MAX_QUESTIONS)) {
    // A question begins after the sentence or the line before it.
    const before = head.slice(from, end - 1);
    const start = from + Math.max(before.lastIndexOf("\n"), before.lastIndexOf(". "), before.lastIndexOf(": ")) + 1;
    const first = word + countWords(head.slice(from, start));
    const question = head.slice(start, end);
    word = first + countWords(question);
    const query = weighWords(question, index, first, word, statistics);
    questions.push(kind === "code" ? askProgram(query, question, index, position) : query);
    from = end;
  }
  return questions.filter(({ isEmpty }) => !isEmpty);
}

function countWords(text: string): number {
  let words = 0;
  scanWords(text, () => (words += 1));
  return words;
}

function weighTerm(index: TermIndex, term: number, isSpecific: boolean): number {
  if (index.isFraming[term] === 1) return FRAMING_WEIGHT;
  if (isSpecific) return SPECIFIC_WEIGHT;
  return index.isCommon[term] === 1 ? COMMON_WEIGHT : 1;
}

function answerKind(question: string): AnswerKind {
  if (/\bwhen\b|\b(?:what|which) (?:year|date|day|time|month)\b/i.test(question)) return "number";
  if (/\bhow (?:many|much|long|far|old|tall|big|large|high|hot|often)\b|\bwhat (?:number|percentage|percent)\b/i.test(question)) return "number";
  return /\bwho(?:se|m)?\b|\bwhere\b|\bwhich\b|\bwhat (?:is|was) the name\b/i.test(question) ? "name" : "any";
}

/** Without a question: the terms that the text itself is about, frequent in it but not everywhere. */
export function weighCentralTerms(index: TermIndex, statistics: TermStatistics, unitCount: number): WeightedQuery {
  const candidates: { term: number; weight: number }[] = [];
  for (let term = 0; term < index.vocabularySize; term += 1) {
    const frequency = statistics.unitFrequency[term] as number;
    if (frequency < 2 || index.isStop[term] === 1) continue;
    candidates.push({ term, weight: Math.log(1 + frequency) * inverseFrequency(unitCount, frequency) });
  }
  candidates.sort((a, b) => b.weight - a.weight || a.term - b.term);
  const weights = new Float64Array(index.vocabularySize);
  for (const { term, weight } of candidates.slice(0, CENTRAL_TERMS)) weights[term] = weight / (candidates[0]?.weight ?? 1);
  return { weights, pairs: new Map(), isEmpty: candidates.length === 0, wants: "any" };
}

/** What was kept so far, and how well it answers. */
interface KeptText {
  units: readonly Unit[];
  kept: Uint8Array;
  scores: Float64Array;
}

/**
 * Adds to a query the names and numbers of what was kept: the next hop of a question asks for them
 * ("where was the author of … born" → the author's name). Those of the best units count most.
 */
export function widenQuery(query: WeightedQuery, text: KeptText, index: TermIndex, statistics: TermStatistics, widen: number): WeightedQuery {
  const pairs = new Map(query.pairs);
  const gains = collectNames(query, text, index, statistics, pairs);
  const ranked = [...gains].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, MAX_WIDENING_TERMS);
  const best = ranked[0]?.[1] ?? 1;
  const weights = query.weights.slice();
  for (const [term, gain] of ranked) weights[term] = (widen * gain) / best;
  return { ...query, weights, pairs };
}

function collectNames(query: WeightedQuery, { units, kept, scores }: KeptText, index: TermIndex, statistics: TermStatistics, pairs: Map<number, number>): Map<number, number> {
  let best = 0;
  for (let unit = 0; unit < units.length; unit += 1) if (kept[unit] === 1) best = Math.max(best, scores[unit] as number);
  const gains = new Map<number, number>();
  for (let unit = 0; unit < units.length; unit += 1) {
    if (kept[unit] !== 1) continue;
    // The cube leaves to middling units little to say.
    const share = best > 0 ? ((scores[unit] as number) / best) ** 3 : 0;
    let previous = -1;
    for (let at = index.offsets[unit] as number; at < (index.offsets[unit + 1] as number); at += 1) {
      const term = index.ids[at] as number;
      const isName = ((index.flags[at] as number) & (CAPITALISED | NUMERIC)) !== 0 && index.isStop[term] !== 1;
      if (isName && previous !== -1) pairs.set(previous, term);
      previous = isName ? term : -1;
      // A word of one section leads nowhere else.
      if (!isName || query.weights[term] !== 0 || (statistics.sectionFrequency[term] as number) < 2) continue;
      const gain = share * inverseFrequency(statistics.sectionStarts.length - 1, statistics.sectionFrequency[term] as number);
      if (gain > (gains.get(term) ?? 0)) gains.set(term, gain);
    }
  }
  return gains;
}
