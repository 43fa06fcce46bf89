/** One line of a text: `end` is before its line break, `next` after it. */
export interface Line {
  start: number;
  end: number;
  next: number;
}

/** The lines of a text, each with its break; the last may have none. */
export function splitLines(text: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  while (start < text.length) {
    const at = text.indexOf("\n", start);
    const next = at === -1 ? text.length : at + 1;
    let end = at === -1 ? text.length : at;
    if (end > start && text.charCodeAt(end - 1) === 13) end -= 1;
    lines.push({ start, end, next });
    start = next;
  }
  return lines;
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
