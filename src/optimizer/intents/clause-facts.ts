import type { Action } from "./action.ts";
import type { Frame } from "./frame.ts";
import { KEY_ADJECTIVES, LINKS, POINTS, SUMMARIES } from "./object-words.ts";

/** What the rules know of a clause. */
export interface ClauseFacts extends Frame {
  /** The action the clause is about, and the index of the word behind it. */
  action: Action | undefined;
  objectAt: number;
  /** Of the step: in a long text a word says less than in a name of four. */
  isName: boolean;
}

/**
 * All rules give points of these sizes, so that none is fitted finer than it is known: `STRONG` is worth a plain verb in
 * front, `CLEAR` decides where no verb speaks, `HINT` tips a balance.
 */
export const STRONG = 3;
export const CLEAR = 1.8;
export const HINT = 0.8;

export function hasAny(facts: ClauseFacts, set: ReadonlySet<string>, from = facts.head): boolean {
  for (let at = from; at < facts.words.length; at += 1) if (set.has(facts.words[at]!)) return true;
  return false;
}

export function has(facts: ClauseFacts, word: string, from = 0): boolean {
  return facts.words.includes(word, from);
}

/** The noun that a name is about: the last word before "for", "of", "about" and the like. */
export function mainNoun(facts: ClauseFacts): string {
  for (let at = facts.head + 1; at < facts.words.length; at += 1) if (LINKS.has(facts.words[at]!)) return facts.words[at - 1]!;
  return lastWord(facts);
}

export function lastWord(facts: ClauseFacts): string {
  return facts.words[facts.words.length - 1] ?? "";
}

/** "Write a summary of …" makes one; "write a summary email" makes an email. */
export function namesSummary(facts: ClauseFacts): boolean {
  for (let at = facts.objectAt; at < facts.words.length && !PURPOSES.has(facts.words[at]!); at += 1) {
    if (!SUMMARIES.has(facts.words[at]!)) continue;
    const next = facts.words[at + 1];
    if (next === undefined || LINKS.has(next)) return true;
  }
  return false;
}

/** "Extract the text for the summary": what stands behind these is not what is made. */
const PURPOSES = new Set(["for", "before", "to", "from", "with"]);

export function namesKeyPoints(facts: ClauseFacts): boolean {
  return facts.words.some((word, at) => KEY_ADJECTIVES.has(word) && POINTS.has(facts.words[at + 1] ?? ""));
}
