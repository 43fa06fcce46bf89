/** Deeper nesting is treated as text: no real document needs it. */
const MAX_DEPTH = 512;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})/y;
const LITERAL = /true|false|null/y;

/**
 * Whether `text` is one JSON object or array, nested 512 deep at most. Linear, and in constant memory: a parser would build the
 * value, which for megabytes of tiny members takes more memory than an isolate has.
 */
export function isJsonContainer(text: string): boolean {
  let index = skipJsonSpace(text, 0);
  if (!isOpening(text.charCodeAt(index))) return false;
  const closings = new Uint8Array(MAX_DEPTH);
  let depth = 0;
  do {
    const code = text.charCodeAt(index);
    if (isOpening(code)) {
      if (depth === MAX_DEPTH) return false;
      const closing = closingOf(code);
      closings[depth++] = closing;
      index = skipJsonSpace(text, index + 1);
      if (text.charCodeAt(index) !== closing) {
        if (closing === 125) index = keyEnd(text, index);
        if (index === -1) return false;
        continue;
      }
    } else {
      index = valueEnd(text, index, code);
      if (index === -1) return false;
    }
    index = skipJsonSpace(text, index);
    while (depth > 0 && text.charCodeAt(index) === closings[depth - 1]) {
      depth -= 1;
      index = skipJsonSpace(text, index + 1);
    }
    if (depth > 0) {
      if (text.charCodeAt(index) !== 44) return false;
      index = skipJsonSpace(text, index + 1);
      if (closings[depth - 1] === 125) index = keyEnd(text, index);
      if (index === -1) return false;
    }
  } while (depth > 0);
  return index === text.length;
}

function isOpening(code: number): boolean {
  return code === 123 || code === 91;
}

/** `}` for `{`, `]` for `[`: both stand two places on. */
function closingOf(opening: number): number {
  return opening + 2;
}

function isJsonSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}

function skipJsonSpace(text: string, from: number): number {
  let index = from;
  while (isJsonSpace(text.charCodeAt(index))) index += 1;
  return index;
}

/** Where the value of the member whose name is at `index` begins; -1 if there is no name with a colon. */
function keyEnd(text: string, index: number): number {
  if (text.charCodeAt(index) !== 34) return -1;
  const end = checkedStringEnd(text, index);
  if (end === -1) return -1;
  const colon = skipJsonSpace(text, end);
  return text.charCodeAt(colon) === 58 ? skipJsonSpace(text, colon + 1) : -1;
}

/** Index after the string, number or literal at `index`; -1 if there is none. */
function valueEnd(text: string, index: number, first: number): number {
  if (first === 34) return checkedStringEnd(text, index);
  const pattern = first === 45 || (first >= 48 && first <= 57) ? NUMBER : LITERAL;
  return matchEnd(pattern, text, index);
}

function matchEnd(pattern: RegExp, text: string, index: number): number {
  pattern.lastIndex = index;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

/** Index after the string that opens at `start`; -1 if it does not end or holds what JSON forbids. */
function checkedStringEnd(text: string, start: number): number {
  let index = start + 1;
  while (index < text.length) {
    const code = text.charCodeAt(index);
    if (code === 34) return index + 1;
    if (code < 32) return -1;
    if (code !== 92) index += 1;
    else if ((index = matchEnd(ESCAPE, text, index)) === -1) return -1;
  }
  return -1;
}

/** Index after the string that opens at `start`, in text that is known to be JSON. */
export function stringEnd(json: string, start: number): number {
  let index = start + 1;
  while (index < json.length) {
    const code = json.charCodeAt(index);
    if (code === 92) index += 2;
    else if (code === 34) return index + 1;
    else index += 1;
  }
  return json.length;
}

/** Pieces joined at a time: a million short ones as an array would weigh many times their text. */
const PIECES_AT_ONCE = 8_192;

/** The same JSON without whitespace between its tokens; scalars keep their spelling, so numbers lose no digit. */
export function minifyJson(json: string): string {
  const lumps: string[] = [];
  let pieces: string[] = [];
  let from = 0;
  let index = 0;
  while (index < json.length) {
    const code = json.charCodeAt(index);
    if (code === 34) {
      index = stringEnd(json, index);
    } else if (isJsonSpace(code)) {
      if (from < index) pieces.push(json.slice(from, index));
      while (index < json.length && isJsonSpace(json.charCodeAt(index))) index += 1;
      from = index;
      if (pieces.length < PIECES_AT_ONCE) continue;
      lumps.push(pieces.join(""));
      pieces = [];
    } else {
      index += 1;
    }
  }
  if (from < json.length) pieces.push(json.slice(from));
  lumps.push(pieces.join(""));
  return lumps.join("");
}

/** Containers of this length or more are not measured. */
export const LONG_CONTAINER = 0xffff;

/** For every container in minified JSON, at the index of its opening bracket: its length, at most `LONG_CONTAINER`. 0 elsewhere. */
export function measureContainers(json: string): Uint16Array {
  const lengths = new Uint16Array(json.length + 1);
  const open: number[] = [];
  for (let index = 0; index < json.length; index += 1) {
    const code = json.charCodeAt(index);
    if (code === 34) index = stringEnd(json, index) - 1;
    else if (isOpening(code)) open.push(index);
    else if (code === 125 || code === 93) {
      const start = open.pop() ?? 0;
      lengths[start] = Math.min(LONG_CONTAINER, index + 1 - start);
    }
  }
  return lengths;
}
