/** One line of a text: `end` is before its line break, `next` after it. */
export interface Line {
  start: number;
  end: number;
  next: number;
}

/** A text is taken apart into about this many parts at most, so that memory stays bounded: shorter ones go together. */
const MAX_PARTS = 40_000;

/** Length that a part must have so that there are not too many; below 1 for all but texts of megabytes. */
export function leastPartChars(text: string): number {
  return text.length / MAX_PARTS;
}

/** The lines of a text, each with its break; the last may have none. Megabytes of tiny lines come in lumps. */
export function splitLines(text: string, from = 0, to: number = text.length): Line[] {
  const lines: Line[] = [];
  const leastChars = countBreaks(text, from, to) > MAX_PARTS ? leastPartChars(text) : 0;
  let start = from;
  while (start < to) {
    let at = text.indexOf("\n", start + leastChars);
    if (at >= to) at = -1;
    const next = at === -1 ? to : at + 1;
    let end = at === -1 ? to : at;
    if (end > start && text.charCodeAt(end - 1) === 13) end -= 1;
    lines.push({ start, end, next });
    start = next;
  }
  return lines;
}

/** Index of the first line break in `[from, to)`, or -1. `indexOf` would search on to the end of the text, for every part of it. */
export function findBreak(text: string, from: number, to: number): number {
  for (let index = from; index < to; index += 1) if (text.charCodeAt(index) === 10) return index;
  return -1;
}

/** How many line breaks are in `[from, to)`. */
export function countBreaks(text: string, from: number, to: number): number {
  let breaks = 0;
  for (let index = from; index < to; index += 1) if (text.charCodeAt(index) === 10) breaks += 1;
  return breaks;
}

export function isSpaceCode(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13) || code === 0xa0 || code === 0x3000;
}

/** Index of the first character in `[from, to)` that is no whitespace; `to` if there is none. */
export function skipSpace(text: string, from: number, to: number): number {
  let index = from;
  while (index < to && isSpaceCode(text.charCodeAt(index))) index += 1;
  return index;
}

/** Index after the last character in `[from, to)` that is no whitespace; `from` if there is none. */
export function trimEnd(text: string, from: number, to: number): number {
  let index = to;
  while (index > from && isSpaceCode(text.charCodeAt(index - 1))) index -= 1;
  return index;
}

/** Moves a cut back by one if it would part a surrogate pair. */
export function avoidPair(text: string, cut: number): number {
  const before = text.charCodeAt(cut - 1);
  const after = text.charCodeAt(cut);
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff ? cut - 1 : cut;
}
