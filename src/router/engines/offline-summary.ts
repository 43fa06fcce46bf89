import { cutText, keyWordsOf, sentencesOf } from "./offline-text.ts";

const MAX_SENTENCE_CHARACTERS = 320;

/**
 * The sentences that carry most of a text, in their order: scored by how frequent their words are in the whole,
 * by nearness to the query, by position and against length (after Luhn, "The automatic creation of literature abstracts", 1958).
 */
export function pickSentences(text: string, count: number, query = ""): string[] {
  const sentences = sentencesOf(text);
  const wordsOfSentences = sentences.map(keyWordsOf);
  const weights = frequencies(wordsOfSentences);
  const queryWords = new Set(keyWordsOf(query));
  const ranked = sentences
    .map((sentence, index) => ({ index, sentence, score: scoreSentence(wordsOfSentences[index] ?? [], index, weights, queryWords) }))
    .sort((a, b) => b.score - a.score || a.index - b.index);
  return withoutRepeats(ranked, count)
    .sort((a, b) => a.index - b.index)
    .map(({ sentence }) => cutText(sentence, MAX_SENTENCE_CHARACTERS));
}

function frequencies(wordsOfSentences: string[][]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const words of wordsOfSentences) for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function scoreSentence(words: string[], index: number, weights: Map<string, number>, queryWords: Set<string>): number {
  if (words.length === 0) return 0;
  const distinct = new Set(words);
  let sum = 0;
  for (const word of distinct) sum += Math.log1p(weights.get(word) ?? 0) * (queryWords.has(word) ? 2 : 1);
  // Long sentences collect words without saying more; the first ones of a text usually say what it is.
  return (sum / Math.sqrt(8 + distinct.size)) * (1 + 1 / (2 + index));
}

function withoutRepeats<Item extends { sentence: string }>(ranked: Item[], count: number): Item[] {
  const seen = new Set<string>();
  const picked: Item[] = [];
  for (const item of ranked) {
    if (picked.length >= count) break;
    const key = keyWordsOf(item.sentence).slice(0, 12).join(" ");
    if (seen.has(key)) continue;
    seen.add(key);
    picked.push(item);
  }
  return picked;
}
