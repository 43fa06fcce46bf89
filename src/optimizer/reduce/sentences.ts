import { avoidPair, isSpaceCode, leastPartChars, skipSpace, trimEnd } from "./lines.ts";
import type { TextRange } from "./document.ts";

/** A sentence longer than this is cut at a space, so that one endless line still has parts to choose from. */
export const MAX_SENTENCE_CHARS = 640;

const ABBREVIATIONS = new Set(["mr", "mrs", "ms", "dr", "st", "vs", "jr", "sr", "prof", "gen", "col", "sgt", "capt", "lt", "gov", "rev", "hon", "etc", "ed", "inc", "ltd", "co", "corp", "dept", "est", "approx", "ca", "cf", "al", "eg", "ie", "feat"]);
/** Abbreviations only before a number: "No." is also an answer. */
const NUMBERED = new Set(["no", "nos", "fig", "vol", "art", "sec", "ch", "pp", "op"]);

/** Cuts `[from, to)` into sentences, without the whitespace around them. Linear. */
export function splitSentences(text: string, from: number, to: number): TextRange[] {
  const sentences: TextRange[] = [];
  const leastChars = Math.floor(leastPartChars(text));
  let start = skipSpace(text, from, to);
  let index = start + leastChars;
  while (index < to) {
    const end = sentenceEnd(text, start, index, to);
    if (end > 0) {
      sentences.push({ start, end: trimEnd(text, start, end) });
      start = skipSpace(text, end, to);
      index = start + leastChars;
    } else {
      index += 1;
    }
  }
  if (start < to) {
    const end = trimEnd(text, start, to);
    if (end > start) sentences.push({ start, end });
  }
  return sentences;
}

/** Where the sentence that began at `start` ends, if the character at `index` ends it; else 0. */
function sentenceEnd(text: string, start: number, index: number, to: number): number {
  const code = text.charCodeAt(index);
  if (index - start >= MAX_SENTENCE_CHARS) {
    if (isSpaceCode(code)) return index;
    if (index - start >= MAX_SENTENCE_CHARS * 1.5) return avoidPair(text, index);
  }
  if (code === 0x3002 || code === 0xff01 || code === 0xff1f) return closingEnd(text, index + 1, to);
  if (code !== 46 && code !== 33 && code !== 63) return 0;
  const end = closingEnd(text, index + 1, to);
  if (end < to && !isSpaceCode(text.charCodeAt(end))) return 0;
  if (code === 46 && isAbbreviation(text, start, index)) return 0;
  const next = skipSpace(text, end, Math.min(to, end + 8));
  const nextCode = next < to ? text.charCodeAt(next) : 0;
  return nextCode >= 97 && nextCode <= 122 ? 0 : end;
}

/** Skips quotes, brackets and reference marks that belong to the sentence before them. */
function closingEnd(text: string, from: number, to: number): number {
  let index = from;
  while (index < to && index - from < 8 && `"'”’)]}»」』.!?`.includes(text.charAt(index))) index += 1;
  return index;
}

function isAbbreviation(text: string, start: number, dot: number): boolean {
  let index = dot;
  while (index > start && dot - index < 8) {
    const code = text.charCodeAt(index - 1) | 32;
    if (code < 97 || code > 122) break;
    index -= 1;
  }
  const length = dot - index;
  if (length <= 1 || length > 6) return length === 1;
  const word = text.slice(index, dot).toLowerCase();
  return ABBREVIATIONS.has(word) || (NUMBERED.has(word) && /^\.\s\d/.test(text.slice(dot, dot + 3)));
}
