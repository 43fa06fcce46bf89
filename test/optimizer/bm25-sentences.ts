/** The simplest method that is any good, to be better than: sentences and lines by BM25, the best first, in their order. */

const STOP_WORDS = new Set("a an the of in on at to for and or is are was were be been it its this that what which who whom where when why how did do does with from by as about".split(" "));
/** The usual constants. */
const SATURATION = 1.2;
const LENGTH_SHARE = 0.75;

function wordsOf(text: string): string[] {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => !STOP_WORDS.has(word));
}

/** The sentences that fit into a share of the text's characters. */
export function selectByBm25(text: string, query: string, share: number): string {
  const parts = text.split(/(?<=[.!?])\s+|\n+/).filter((part) => part.trim() !== "");
  const counts = parts.map((part) => {
    const count = new Map<string, number>();
    for (const word of wordsOf(part)) count.set(word, (count.get(word) ?? 0) + 1);
    return count;
  });
  const lengths = counts.map((count) => [...count.values()].reduce((sum, times) => sum + times, 0));
  const average = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, parts.length);
  const asked = [...new Set(wordsOf(query))].map((word) => ({ word, frequency: counts.filter((count) => count.has(word)).length }));
  const score = (at: number): number => asked.reduce((sum, { word, frequency }) => {
    const times = counts[at]!.get(word) ?? 0;
    const damping = SATURATION * (1 - LENGTH_SHARE + (LENGTH_SHARE * lengths[at]!) / average);
    return sum + (Math.log(1 + (parts.length - frequency + 0.5) / (frequency + 0.5)) * times * (SATURATION + 1)) / (times + damping);
  }, 0);
  const ranked = parts.map((part, at) => ({ part, at, score: score(at) })).sort((left, right) => right.score - left.score || left.at - right.at);
  let room = text.length * share;
  const kept = ranked.filter(({ part }) => part.length + 1 <= room && (room -= part.length + 1) >= 0);
  return kept.sort((left, right) => left.at - right.at).map(({ part }) => part).join("\n");
}
