import { avoidPair } from "../reduce/lines.ts";

/**
 * A run of words that can hold one action: a sentence, a line, or the part before or after a colon or a spaced dash.
 * Words are lower case; `&` and `+` read as "and", arrows as "to", comparison signs as "equals".
 */
export interface Clause {
  words: string[];
  /** Ended by a question mark. */
  asks: boolean;
  /** Index of the first word behind the first comma, or 0. */
  comma: number;
}

/**
 * Of a long text only the beginning and the end are read: instructions stand there, and the time per step stays bounded.
 */
export const READ_HEAD_CHARS = 900;
export const READ_TAIL_CHARS = 300;

/** The part of a step's text that decides its intent; the same for the patterns, the model and the cache. */
export function excerptStep(text: string): string {
  if (text.length <= READ_HEAD_CHARS + READ_TAIL_CHARS) return text;
  return `${text.slice(0, avoidPair(text, READ_HEAD_CHARS))}\n${text.slice(avoidPair(text, text.length - READ_TAIL_CHARS))}`;
}

/** Splits a step's text into clauses of words, in one pass over at most `READ_HEAD_CHARS + READ_TAIL_CHARS` characters. */
export function readClauses(text: string, isKnown: (word: string) => boolean): Clause[] {
  const source = excerptStep(text);
  const identifier = !hasSpace(source);
  const clauses: Clause[] = [];
  let words: string[] = [];
  let comma = 0;
  const close = (asks: boolean) => {
    if (words.some((word) => !isDigits(word))) clauses.push({ words, asks, comma: comma < words.length ? comma : 0 });
    else if (asks && clauses.length > 0) clauses[clauses.length - 1]!.asks = true;
    words = [];
    comma = 0;
  };

  let at = 0;
  while (at < source.length) {
    const code = source.charCodeAt(at);
    if (isWordCode(code)) {
      const end = wordEnd(source, at);
      pushWord(words, source.slice(at, end), identifier, isKnown);
      at = end;
      continue;
    }
    const next = source.charCodeAt(at + 1);
    const symbol = symbolWord(code, next);
    if (symbol !== "") {
      words.push(symbol);
      at += code === AMPERSAND || code === PLUS || code === ARROW ? 1 : 2;
      continue;
    }
    // "Pass / fail".
    if (code === SLASH && source.charCodeAt(at - 1) === 32 && next === 32) words.push("or");
    const comparison = comparisonWord(source, at);
    if (comparison !== "") words.push(comparison);
    if (code === QUESTION) close(true);
    else if (endsSentence(code, next) || code === COLON || opensAside(code, at, words) || code === BAR || isSpacedDash(source, at)) close(false);
    else if (code === COMMA && comma === 0) comma = words.length;
    at += 1;
  }
  close(false);
  return clauses;
}

const QUESTION = 63;
const COLON = 58;
const COMMA = 44;
const BAR = 124;
const AMPERSAND = 38;
const PLUS = 43;
const SLASH = 47;
const BRACKET = 40;
const SQUARE_BRACKET = 91;
const EQUALS = 61;
const GREATER = 62;
const ARROW = 0x2192;

function symbolWord(code: number, next: number): string {
  if (code === AMPERSAND || code === PLUS) return "and";
  if (code === ARROW) return "to";
  if (next === GREATER && (code === 45 || code === EQUALS)) return "to";
  if (next === EQUALS && (code === EQUALS || code === 33 || code === 60 || code === GREATER)) return "equals";
  return "";
}

/** "Stock > 10" sets a bound, "type = car" a condition; the sign alone may as well be an arrow or a tag. */
function comparisonWord(source: string, at: number): string {
  const code = source.charCodeAt(at);
  if (code === EQUALS) return source.charCodeAt(at - 1) === 32 && source.charCodeAt(at + 1) === 32 ? "equals" : "";
  if (code !== GREATER && code !== 60) return "";
  const next = source.charCodeAt(at + 1) === 32 ? at + 2 : at + 1;
  const digit = source.charCodeAt(next);
  if (!(digit >= 48 && digit <= 57)) return "";
  return code === GREATER ? "above" : "below";
}

function endsSentence(code: number, next: number): boolean {
  if (code === 10 || code === 13 || code === 33 || code === 0x3002) return true;
  return (code === 46 || code === 59) && (Number.isNaN(next) || next <= 32);
}

/** "Make the script (first version)": what stands in brackets behind a step is said aside. */
function opensAside(code: number, at: number, words: readonly string[]): boolean {
  return (code === BRACKET || code === SQUARE_BRACKET) && at > 0 && words.length > 0;
}

function isSpacedDash(source: string, at: number): boolean {
  const code = source.charCodeAt(at);
  if (code === 0x2013 || code === 0x2014) return true;
  return code === 45 && at > 0 && source.charCodeAt(at - 1) === 32 && source.charCodeAt(at + 1) === 32;
}

/** ASCII letters and digits, and letters of other scripts; marks, arrows, emoji and surrogates are not words. */
function isWordCode(code: number): boolean {
  if (code < 128) return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57);
  return code >= 0xc0 && !(code >= 0x2000 && code <= 0x303f) && code < 0xd800;
}

/** An apostrophe inside a word belongs to it ("don't", "user's"). */
function wordEnd(source: string, start: number): number {
  let end = start;
  while (end < source.length) {
    const code = source.charCodeAt(end);
    const apostrophe = (code === 39 || code === 0x2019) && isWordCode(source.charCodeAt(end + 1));
    if (!isWordCode(code) && !apostrophe) break;
    end += 1;
  }
  return end;
}

/** "csv2json". */
const FORMAT_PAIR = /^([a-z]{2,})2([a-z]{2,})$/;

/**
 * `sendReport` and, where the whole text is one identifier, `SendReport` are several words; `GitHub` in a sentence is one.
 * A copy's number (`Merge2`) is left off a known or longer word.
 */
function pushWord(words: string[], raw: string, identifier: boolean, isKnown: (word: string) => boolean): void {
  const word = withoutApostrophe(raw).toLowerCase();
  const first = raw.charCodeAt(0);
  const pair = FORMAT_PAIR.exec(word);
  if (pair !== null && isKnown(pair[1]!) && isKnown(pair[2]!)) {
    words.push(pair[1]!, "to", pair[2]!);
    return;
  }
  const humped = (first >= 97 || identifier) && hasHump(raw);
  const bare = withoutNumber(word);
  if (!humped || isKnown(word) || isKnown(bare)) {
    words.push(bare !== word && !isKnown(word) && (isKnown(bare) || bare.length >= MIN_NUMBERED_LENGTH) ? bare : word);
    return;
  }
  let start = 0;
  for (let at = 1; at <= raw.length; at += 1) {
    if (at < raw.length && !isHump(raw, at)) continue;
    words.push(raw.slice(start, at).toLowerCase());
    start = at;
  }
}

/** Shorter ones are names with their number ("mp3", "web3"). */
const MIN_NUMBERED_LENGTH = 4;

function withoutNumber(word: string): string {
  let end = word.length;
  while (end > 0 && isDigits(word.charAt(end - 1))) end -= 1;
  return word.slice(0, end);
}

function withoutApostrophe(raw: string): string {
  const at = Math.max(raw.indexOf("'"), raw.indexOf("\u2019"));
  if (at < 0) return raw;
  const tail = raw.slice(at + 1);
  return tail === "s" || tail === "S" ? raw.slice(0, at) : raw.slice(0, at) + tail;
}

function isHump(raw: string, at: number): boolean {
  const code = raw.charCodeAt(at);
  const before = raw.charCodeAt(at - 1);
  if (!(code >= 65 && code <= 90)) return false;
  if (before >= 97 && before <= 122) return true;
  // "HTMLParser", but not "PDFs".
  return before >= 65 && before <= 90 && isLower(raw.charCodeAt(at + 1)) && isLower(raw.charCodeAt(at + 2));
}

function isLower(code: number): boolean {
  return code >= 97 && code <= 122;
}

function hasHump(raw: string): boolean {
  for (let at = 1; at < raw.length; at += 1) if (isHump(raw, at)) return true;
  return false;
}

function hasSpace(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) <= 32) return true;
  return false;
}

export function isDigits(word: string): boolean {
  for (let at = 0; at < word.length; at += 1) {
    const code = word.charCodeAt(at);
    if (code < 48 || code > 57) return false;
  }
  return word.length > 0;
}
