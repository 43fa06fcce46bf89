import type { WeightedQuery } from "./bm25.ts";
import type { TermIndex } from "./terms.ts";

/**
 * A program says in names what a question says in grammar: "how many … at most" is `MAX_…`, "how long" ends in `Ms`. The words
 * that such names are made of, by the forms that ask for them. They count as asked for, but less than the question's own.
 */
const MEASURES: readonly [asked: RegExp, words: string][] = [
  [/\b(?:at most|most|largest|longest|biggest|highest|deepest|maximum|limit|up to|how (?:many|much|large|big|deep|deeply|long|high|often)|no more than|allowed|accepted)\b/i, "max limit"],
  [/\b(?:at least|least|fewest|smallest|shortest|lowest|minimum|no less than|beneath|below|under which)\b/i, "min threshold"],
  [/\b(?:how long|how soon|when|after|until|wait|time)\b/i, "ms seconds timeout delay"],
  [/\b(?:how (?:large|big|much)|size|bytes)\b/i, "bytes size length characters"],
  [/\b(?:default|by default|nothing is (?:said|given|set)|unless (?:said|told|set) otherwise|if not (?:given|set))\b/i, "default"],
  [/\b(?:deep|deeply|nest\w*|levels?)\b/i, "depth"],
  [/\b(?:how often|how many times|repeat\w*|retr\w+|again)\b/i, "retries attempts count"],
];

/** Share of an asked word's weight. */
const MEASURE_WEIGHT = 0.4;

/** The words of all measures, to be indexed with a text that may be asked about. */
export const MEASURE_WORDS = MEASURES.map(([, words]) => words).join(" ");

/** Adds to a query the words of the measures that `text` asks for. `MEASURE_WORDS` is the text at `position` of the index. */
export function addMeasures(query: WeightedQuery, text: string, index: TermIndex, position: number): void {
  let at = index.offsets[position] as number;
  for (const [asked, words] of MEASURES) {
    const isAsked = asked.test(text);
    for (const _ of words.split(" ")) {
      const term = index.ids[at] as number;
      if (isAsked) query.weights[term] = Math.max(query.weights[term] as number, MEASURE_WEIGHT);
      at += 1;
    }
  }
}
