import { CAPITALISED, indexTerms, NUMERIC, scanWords, type TermIndex } from "../reduce/terms.ts";

/** Concepts per chunk: enough to tell chunks apart in a list. */
export const MAX_CONCEPTS = 6;
const MIN_CONCEPT_CHARS = 3;
/** Names say more about a chunk than common words. */
const NAME_WEIGHT = 1.5;

/** The words that set each text apart from the others, as they are written in it, most telling first. */
export function findConcepts(texts: readonly string[]): string[][] {
  const index = indexTerms(texts);
  const chunkFrequency = countTexts(index, texts.length);
  const counts = new Float64Array(index.vocabularySize);
  const firstAt = new Int32Array(index.vocabularySize);
  return texts.map((text, order) => {
    const touched: number[] = [];
    for (let at = index.offsets[order] as number; at < (index.offsets[order + 1] as number); at += 1) {
      const term = index.ids[at] as number;
      if (index.isStop[term] === 1 || ((index.flags[at] as number) & NUMERIC) !== 0) continue;
      if (counts[term] === 0) {
        touched.push(term);
        firstAt[term] = at - (index.offsets[order] as number);
      }
      counts[term] = (counts[term] as number) + (((index.flags[at] as number) & CAPITALISED) !== 0 ? NAME_WEIGHT : 1);
    }
    const weigh = (term: number): number => (counts[term] as number) * Math.log(1 + texts.length / (chunkFrequency[term] as number));
    const ranked = touched.map((term) => ({ term, weight: weigh(term) })).sort((a, b) => b.weight - a.weight || a.term - b.term);
    for (const term of touched) counts[term] = 0;
    return spell(text, ranked.map(({ term }) => firstAt[term] as number));
  });
}

function countTexts(index: TermIndex, texts: number): Uint32Array {
  const frequency = new Uint32Array(index.vocabularySize);
  const lastText = new Int32Array(index.vocabularySize).fill(-1);
  for (let order = 0; order < texts; order += 1) {
    for (let at = index.offsets[order] as number; at < (index.offsets[order + 1] as number); at += 1) {
      const term = index.ids[at] as number;
      if (lastText[term] !== order) frequency[term] = (frequency[term] as number) + 1;
      lastText[term] = order;
    }
  }
  return frequency;
}

/** The words at these places (the how-manieth of the text), as many as are wanted. They are looked up again: to keep where every word stands costs more memory than the text. */
function spell(text: string, places: readonly number[]): string[] {
  // Some of the first are too short to tell anything.
  const wanted = new Map(places.slice(0, 4 * MAX_CONCEPTS).map((place) => [place, ""]));
  let place = 0;
  scanWords(text, (_hash, _flags, start, end) => {
    if (wanted.has(place)) wanted.set(place, text.slice(start, end).toLowerCase());
    place += 1;
  });
  return [...wanted.values()].filter((word) => word.length >= MIN_CONCEPT_CHARS || /[^\u0000-\u024f]/.test(word)).slice(0, MAX_CONCEPTS);
}
