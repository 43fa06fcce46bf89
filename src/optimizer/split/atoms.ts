import { lineKind, type LineKind } from "../reduce/blocks.ts";
import { avoidPair, isSpaceCode, skipSpace, splitLines, trimEnd, type Line } from "../reduce/lines.ts";
import { splitSentences } from "../reduce/sentences.ts";
import { measureUpperBound } from "../tokens/token-bound.ts";

/** How good a place is to cut before an atom; higher is better. Headings of level 1–6 are `HEADING_CUT - level`. */
export const HEADING_CUT = 16;
const BLOCK_CUT = 8;
const PARAGRAPH_CUT = 7;
const LINE_CUT = 5;
const SENTENCE_CUT = 3;
const WORD_CUT = 1;
const ANY_CUT = 0;

/** A part that is put into a chunk whole: a code block, a line, a sentence, or a piece of what is too long. */
export interface Atom {
  start: number;
  end: number;
  tokens: number;
  /** How good a place its start is to cut at. */
  cut: number;
}

/** Pieces of what is longer than a chunk have at most this share of its tokens, so that chunks fill well. */
const PIECE_SHARE = 0.25;
/** No character is more tokens than this (see `measureUpperBound`). */
const MOST_TOKENS_PER_CHARACTER = 3;

/** Upper bound of the tokens of a range, unrounded, as `upperBoundTokens` counts. */
export function boundRange(text: string, from: number, to: number): number {
  return Math.max(measureUpperBound(text.slice(from, to)), (to - from) / 4);
}

/** Cuts a text into atoms that follow each other without gaps. None has more than `maxTokens`, but for a single character. */
export function cutAtoms(text: string, maxTokens: number): Atom[] {
  const lines = splitLines(text);
  const kinds = lines.map((line) => lineKind(text, line));
  const cutter: Cutter = { text, maxTokens, lines, kinds, atoms: [], lastFence: kinds.lastIndexOf("fence"), isAfterBlank: false };
  let index = 0;
  while (index < lines.length) index = cutBlock(cutter, index);
  return cutter.atoms;
}

interface Cutter {
  text: string;
  maxTokens: number;
  lines: Line[];
  kinds: LineKind[];
  atoms: Atom[];
  /** Index of the last line that may close a code block. */
  lastFence: number;
  isAfterBlank: boolean;
}

function cutBlock(cutter: Cutter, index: number): number {
  const { text, lines, kinds } = cutter;
  const line = lines[index] as Line;
  const kind = kinds[index] as LineKind;
  let last = index;
  if (kind === "fence") last = closingFence(cutter, index);
  else if (kind === "table") while (kinds[last + 1] === "table") last += 1;
  const end = (lines[last] as Line).next;
  const isBlock = last > index || kind === "item";
  const cut = kind === "heading" ? HEADING_CUT - headingLevel(text, line) : kind === "document" ? HEADING_CUT - 2 : cutter.isAfterBlank ? PARAGRAPH_CUT : isBlock && kind !== "item" ? BLOCK_CUT : LINE_CUT;
  if (kind === "blank") {
    // Empty lines belong to what they follow.
    cutter.isAfterBlank = true;
    extendOrPush(cutter, line.start, end);
    return index + 1;
  }
  cutter.isAfterBlank = false;
  if (last > index) pushLines(cutter, index, last, cut);
  else pushText(cutter, line.start, end, cut);
  return last + 1;
}

/** `#` … `######` at the start of a heading line. */
export function headingLevel(text: string, line: { start: number; end: number }): number {
  const start = skipSpace(text, line.start, line.end);
  let level = 0;
  while (level < 6 && text.charCodeAt(start + level) === 35) level += 1;
  return level;
}

function closingFence(cutter: Cutter, index: number): number {
  const { text, lines, kinds } = cutter;
  const markOf = (line: Line): string => text.charAt(skipSpace(text, line.start, line.end));
  const mark = markOf(lines[index] as Line);
  for (let close = index + 1; close <= cutter.lastFence; close += 1) {
    if (kinds[close] === "fence" && markOf(lines[close] as Line) === mark) return close;
  }
  cutter.lastFence = -1;
  return index;
}

/** A block as one atom, or by lines if it alone is over the limit. */
function pushLines(cutter: Cutter, first: number, last: number, cut: number): void {
  const { text, lines, maxTokens } = cutter;
  const [start, end] = [(lines[first] as Line).start, (lines[last] as Line).next];
  const tokens = boundRange(text, start, end);
  if (tokens <= maxTokens) {
    cutter.atoms.push({ start, end, tokens, cut });
    return;
  }
  for (let at = first; at <= last; at += 1) pushPiece(cutter, (lines[at] as Line).start, (lines[at] as Line).next, at === first ? cut : LINE_CUT);
}

/** A line of text by its sentences. */
function pushText(cutter: Cutter, start: number, end: number, cut: number): void {
  const sentences = splitSentences(cutter.text, start, end);
  if (sentences.length < 2) return pushPiece(cutter, start, end, cut);
  sentences.forEach((sentence, order) => {
    // Whitespace goes with the sentence before it, at the start of the line with the first one.
    const from = order === 0 ? start : sentence.start;
    pushPiece(cutter, from, sentences[order + 1]?.start ?? end, order === 0 ? cut : SENTENCE_CUT);
  });
}

function extendOrPush(cutter: Cutter, start: number, end: number): void {
  const last = cutter.atoms.at(-1);
  const tokens = boundRange(cutter.text, start, end);
  if (last === undefined || last.tokens + tokens > cutter.maxTokens) {
    pushPiece(cutter, start, end, PARAGRAPH_CUT);
    return;
  }
  last.end = end;
  last.tokens += tokens;
}

function pushPiece(cutter: Cutter, start: number, end: number, cut: number): void {
  const { text, maxTokens, atoms } = cutter;
  const tokens = boundRange(text, start, end);
  if (tokens <= maxTokens) {
    atoms.push({ start, end, tokens, cut });
    return;
  }
  const pieceChars = Math.max(1, Math.floor((maxTokens * PIECE_SHARE) / MOST_TOKENS_PER_CHARACTER));
  let from = start;
  while (from < end) {
    const to = pieceEnd(text, from, Math.min(end, from + pieceChars), end);
    const isWord = from === start || isSpaceCode(text.charCodeAt(from - 1));
    atoms.push({ start: from, end: to, tokens: boundRange(text, from, to), cut: from === start ? cut : isWord ? WORD_CUT : ANY_CUT });
    from = to;
  }
}

/** Where a piece ends: after the last space that is not far, else between two characters. */
function pieceEnd(text: string, from: number, to: number, end: number): number {
  if (to >= end) return end;
  const lowest = from + Math.ceil((to - from) / 2);
  for (let index = to; index > lowest; index -= 1) if (isSpaceCode(text.charCodeAt(index - 1))) return index;
  const safe = avoidPair(text, to);
  // A pair is parted only if nothing else would move on.
  return safe > from ? safe : Math.min(end, to + 1);
}

/** Where the last part of a chunk that is repeated as overlap begins: at a sentence, a word, or between characters. */
export function overlapStart(text: string, start: number, end: number, overlapTokens: number): number {
  if (overlapTokens <= 0) return end;
  // Tokens are at least a quarter of the characters, so nothing further back can belong to it.
  const earliest = Math.max(start, end - overlapTokens * 4);
  const sentence = splitSentences(text, earliest, end).find((range) => range.start > earliest && boundRange(text, range.start, end) <= overlapTokens);
  if (sentence !== undefined && sentence.start < trimEnd(text, start, end)) return sentence.start;
  return characterStart(text, earliest, end, overlapTokens);
}

/** The earliest start from which the text up to `end` fits, by halving; moved on to the next word if one is near. */
function characterStart(text: string, earliest: number, end: number, overlapTokens: number): number {
  let low = earliest;
  let high = end;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (boundRange(text, middle, end) <= overlapTokens) high = middle;
    else low = middle + 1;
  }
  for (let index = low; index < Math.min(end, low + 40); index += 1) {
    if (index === 0 || isSpaceCode(text.charCodeAt(index - 1))) return index;
  }
  return low < end && low > 0 && avoidPair(text, low) !== low ? low + 1 : low;
}
