import { findBreak, skipSpace, type Line } from "./lines.ts";

/** Fewer lines than this are not known to be more than a paragraph. */
const MIN_RECORDS = 6;
/** Lines looked at, from the first on. */
const MAX_SAMPLED_RECORDS = 60;
const RECORD_SHARE = 0.8;
/** Of a line only so much is searched for separators. */
const MAX_RECORD_HEAD_CHARS = 400;
/** A heading over columns is no longer than this. */
const MAX_HEADER_CHARS = 640;
const SEPARATORS = [9, 59, 44];
/** Lines of a paragraph that are longer than this on average were not wrapped: each is a paragraph of its own. */
const WRAPPED_LINE_CHARS = 120;
/** Fewer lines are taken for wrapped. Of more, such a share must have had room for another word to be lines of their own. */
const MIN_UNWRAPPED_LINES = 4;
const LOOSE_SHARE = 0.75;

/**
 * Whether the lines `first … last` each stand for themselves, as rows of values or entries do, and are no wrapped paragraph: most
 * have the same number of separators, or begin neither with a small letter nor with another script's and hold no second sentence. `hasHeader`: the first
 * names the columns of the others.
 */
export function findRecords(text: string, lines: readonly Line[], first: number, last: number): { hasHeader: boolean } | undefined {
  const count = Math.min(last - first + 1, MAX_SAMPLED_RECORDS);
  if (count < MIN_RECORDS) return undefined;
  // Of megabytes of rows several come as one line; the first of them tells.
  const sample = lines.slice(first, first + count).map((line) => firstRow(text, line));
  const separator = SEPARATORS.find((code) => isSeparator(text, sample, code));
  if (separator !== undefined) return { hasHeader: isHeader(text, sample[0] as Line) };
  return sample.filter((line) => opensRecord(text, line) && !holdsSentences(text, line)).length >= RECORD_SHARE * count ? { hasHeader: false } : undefined;
}

/** Whether most of the lines are the rows of a table whose first names its columns. */
export function isTableWithHeader(text: string, lines: readonly Line[]): boolean {
  return findRecords(text, lines, 0, lines.length - 1)?.hasHeader === true;
}

/** Whether a line is a paragraph: a sentence ends in it, and another begins. */
function holdsSentences(text: string, line: Line): boolean {
  return /\p{Ll}[.!?]["'”’)]? \p{Lu}/u.test(text.slice(line.start, Math.min(line.end, line.start + MAX_RECORD_HEAD_CHARS)));
}

/** The line up to its first break. */
export function firstRow(text: string, line: Line): Line {
  const at = findBreak(text, line.start, line.end);
  return at === -1 ? line : { ...line, end: at };
}

function isSeparator(text: string, sample: readonly Line[], code: number): boolean {
  const [first, ...others] = sample.map((line) => countCode(text, line, code));
  // Prose has commas too, but seldom the same few in line after line.
  const least = code === 44 ? 2 : 1;
  return first !== undefined && first >= least && others.filter((count) => count === first).length >= RECORD_SHARE * others.length;
}

function countCode(text: string, line: Line, code: number): number {
  const end = Math.min(line.end, line.start + MAX_RECORD_HEAD_CHARS);
  let count = 0;
  let isQuoted = false;
  for (let at = line.start; at < end; at += 1) {
    const found = text.charCodeAt(at);
    if (found === 34) isQuoted = !isQuoted;
    else if (found === code && !isQuoted) count += 1;
  }
  return count;
}

/** Names of columns hold no digits but for a few ("q1"). */
function isHeader(text: string, line: Line): boolean {
  const head = text.slice(line.start, Math.min(line.end, line.start + MAX_HEADER_CHARS + 1));
  return head.length <= MAX_HEADER_CHARS && /[A-Za-z]/.test(head) && !/(?:^|[,;\t])\s*"?[-+]?\d/.test(head);
}

function opensRecord(text: string, line: Line): boolean {
  const code = text.charCodeAt(skipSpace(text, line.start, line.end));
  return code < 128 && !(code >= 97 && code <= 122);
}

/** Whether lines run on into each other: they are short enough to have been wrapped, and most of them had no room for the next one's first word. */
export function isWrapped(text: string, lines: readonly Line[], first: number, last: number): boolean {
  const count = last - first + 1;
  if ((lines[last] as Line).end - (lines[first] as Line).start >= WRAPPED_LINE_CHARS * count) return false;
  if (count < MIN_UNWRAPPED_LINES) return true;
  let widest = 0;
  for (let at = first; at <= last; at += 1) widest = Math.max(widest, lengthOf(lines[at] as Line));
  let loose = 0;
  for (let at = first; at < last; at += 1) {
    const { start, end } = lines[at + 1] as Line;
    const word = text.slice(start, Math.min(end, start + widest)).trimStart().indexOf(" ");
    if (lengthOf(lines[at] as Line) + 1 + (word === -1 ? end - start : word) <= widest) loose += 1;
  }
  return loose < LOOSE_SHARE * (count - 1);
}

function lengthOf({ start, end }: Line): number {
  return end - start;
}
