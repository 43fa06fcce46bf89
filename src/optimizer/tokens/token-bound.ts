import { BLOCK_COSTS, COMMON_WORDS, LETTER_COSTS, LETTER_LEVELS, SIGN_COSTS, SIGN_LEVELS, SIGNS } from "./token-tables.ts";

/**
 * An upper bound of a text's tokens without a tokenizer, for budgets and limits: one pass, with tables of what OpenAI's vocabularies do with
 * letters, signs and scripts. A frequent word is one token; any other costs what its letters make likely in words that are made up, so that
 * a text of codes, names or random letters is not counted as if it were prose. docs/quality.md has how far it lies above, by kind of text.
 */

type RunClass = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
const SPACE: RunClass = 0;
const NEWLINE: RunClass = 1;
const LOWER: RunClass = 2;
const UPPER: RunClass = 3;
const DIGIT: RunClass = 4;
const SIGN: RunClass = 5;
const FOREIGN: RunClass = 6;
const CONTROL: RunClass = 7;

/** On the safe side of the tables' means: few words in a row may all lie above theirs, and runs of random signs do. */
const LETTER_MARGIN = 1.06;
const SIGN_MARGIN = 1.14;
/** UTF-16 units of a block in `BLOCK_COSTS`: 16. */
const BLOCK_BITS = 4;
/** The longest run of one kind of space or break that is a token of its own, in both vocabularies. */
const LONGEST_BLANK = 16;
/** At least a quarter of the characters: what nobody doubts. */
const MOST_CHARACTERS_PER_TOKEN = 4;

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const LETTERS = 27;
/** Slots of the table of words: a power of two, more than twice their number. */
const WORD_SLOTS = 16_384;

interface Tables {
  classOf: Uint8Array;
  letterCosts: Float64Array;
  /** By two codes under 128. */
  signCosts: Float64Array;
  blockCosts: Float64Array;
  /** Hashes of the common words: open addressing, 0 is empty. A word that shares one by chance costs a token too little in four billion. */
  words: Int32Array;
}

let tables: Tables | null = null;

/** A safe upper bound: whole tokens, at least a quarter of the characters. The margin per model learnt from real usage comes on top. */
export function upperBoundTokens(text: string): number {
  return Math.ceil(Math.max(measureUpperBound(text), text.length / MOST_CHARACTERS_PER_TOKEN));
}

/** Unrounded upper bound. Of two texts joined it is at most the sum of theirs, but for a word cut in two. */
export function measureUpperBound(text: string): number {
  tables ??= createTables();
  const { classOf } = tables;
  const { length } = text;
  let tokens = 0;
  let index = 0;
  let before: number = SPACE;
  while (index < length) {
    const start = index;
    const runClass = classOf[text.charCodeAt(index)]!;
    index = endOfRun(text, index + 1, runClass, classOf);
    const after = index < length ? classOf[text.charCodeAt(index)]! : SPACE;
    if (runClass === LOWER) {
      tokens += boundWord(text, start, index, before, tables);
    } else if (runClass === UPPER && index - start === 1 && after === LOWER) {
      index = endOfRun(text, index, LOWER, classOf);
      tokens += boundWord(text, start, index, before, tables);
    } else {
      tokens += boundRun(text, start, index, { runClass, before, after }, tables);
    }
    before = runClass;
  }
  return tokens;
}

function endOfRun(text: string, from: number, runClass: number, classOf: Uint8Array): number {
  let index = from;
  while (index < text.length && classOf[text.charCodeAt(index)] === runClass) index += 1;
  return index;
}

/** Lower-case letters, or such behind one capital. A word that stands against another (`parseInt`) may be cut elsewhere than between them. */
function boundWord(text: string, start: number, end: number, before: number, { letterCosts, words, classOf }: Tables): number {
  if (before === SIGN && isContraction(text, start, end, classOf)) return 0.1;
  let hash = HASH_SEED;
  let cost = 0;
  let second = 0;
  let first = 0;
  for (let index = start; index < end; index += 1) {
    const letter = (text.charCodeAt(index) | 32) - 96;
    if (index > start) cost += letterCosts[(second * LETTERS + first) * LETTERS + letter]!;
    second = first;
    first = letter;
    hash = Math.imul(hash ^ letter, HASH_PRIME);
  }
  const isGlued = before === LOWER || before === UPPER || before === FOREIGN;
  if (isCommon(words, hash)) return isGlued ? 1.1 : 1;
  const isShort = end - start <= 4 && end - start > 1;
  const isCapital = text.charCodeAt(start) < 97;
  return 1 + cost * LETTER_MARGIN + (isShort ? 0.1 : 0) + (isCapital && !isGlued ? 0.2 : 0);
}

/** `don't`, `we're`: the apostrophe and what follows are one token. */
function isContraction(text: string, start: number, end: number, classOf: Uint8Array): boolean {
  if (text.charCodeAt(start - 1) !== 39 || start < 2 || end - start > 2 || !CONTRACTIONS.has(text.slice(start, end))) return false;
  const before = classOf[text.charCodeAt(start - 2)]!;
  return before === LOWER || before === UPPER;
}

const CONTRACTIONS = new Set(["s", "d", "m", "t", "ll", "ve", "re"]);

interface RunPlace {
  runClass: number;
  before: number;
  after: number;
}

function boundRun(text: string, start: number, end: number, { runClass, before, after }: RunPlace, { signCosts, blockCosts }: Tables): number {
  const length = end - start;
  switch (runClass) {
    case SPACE:
      // One space belongs to the word or sign behind it, but not to digits.
      if (length === 1 && text.charCodeAt(start) === 32) return after === DIGIT || after === CONTROL || end === text.length ? 1 : after === FOREIGN ? 0.5 : 0.02;
      return 0.28 + countChanges(text, start, end) * 0.7 + length / LONGEST_BLANK / 4;
    case NEWLINE:
      // A break belongs to the signs before it (`;`, `{`), mostly.
      return (before === SIGN ? 0.15 : 1) + (countChanges(text, start, end) - 1) * 0.6 + length / LONGEST_BLANK;
    case UPPER:
      return length === 1 ? 1 : 0.45 + length * 0.6;
    case DIGIT:
      return Math.ceil(length / 3);
    case SIGN: {
      let cost = 1;
      for (let index = start + 1; index < end; index += 1) cost += signCosts[(text.charCodeAt(index - 1) << 7) | text.charCodeAt(index)]! * SIGN_MARGIN;
      return cost;
    }
    case FOREIGN: {
      let cost = 0;
      for (let index = start; index < end; index += 1) cost += blockCosts[text.charCodeAt(index) >> BLOCK_BITS]!;
      return cost;
    }
    default:
      return length;
  }
}

/** Stretches of one and the same character; a carriage return and its line feed are one. */
function countChanges(text: string, start: number, end: number): number {
  let stretches = 1;
  for (let index = start + 1; index < end; index += 1) {
    const code = text.charCodeAt(index);
    const previous = text.charCodeAt(index - 1);
    if (code !== previous && !(code === 10 && previous === 13)) stretches += 1;
  }
  return stretches;
}

/** FNV-1a over the letters' numbers. */
const HASH_SEED = 0x811c9dc5 | 0;
const HASH_PRIME = 0x01000193;

function isCommon(words: Int32Array, hash: number): boolean {
  for (let slot = hash & (WORD_SLOTS - 1); ; slot = (slot + 1) & (WORD_SLOTS - 1)) {
    const found = words[slot]!;
    if (found === hash) return true;
    if (found === 0) return false;
  }
}

/** Made at the first count: a few hundred microseconds that no start of the program has to wait for. */
function createTables(): Tables {
  const words = new Int32Array(WORD_SLOTS);
  for (const word of COMMON_WORDS.split(" ")) {
    let hash = HASH_SEED;
    for (let index = 0; index < word.length; index += 1) hash = Math.imul(hash ^ (word.charCodeAt(index) - 96), HASH_PRIME);
    let slot = hash & (WORD_SLOTS - 1);
    while (words[slot] !== 0) slot = (slot + 1) & (WORD_SLOTS - 1);
    words[slot] = hash;
  }
  const pairCosts = unpackLevels(SIGN_LEVELS, SIGN_COSTS);
  const signCosts = new Float64Array(1 << 14);
  [...SIGNS].forEach((left, row) => [...SIGNS].forEach((right, column) => (signCosts[(left.charCodeAt(0) << 7) | right.charCodeAt(0)] = pairCosts[row * SIGNS.length + column]!)));
  return {
    classOf: Uint8Array.from({ length: 0x10000 }, (_, code) => classify(code)),
    letterCosts: unpackLevels(LETTER_LEVELS, LETTER_COSTS),
    signCosts,
    blockCosts: Float64Array.from(BLOCK_COSTS, (tenths) => Number.parseInt(tenths, 36) / 10),
    words,
  };
}

function unpackLevels(packed: string, costs: readonly number[]): Float64Array {
  const levels = new Float64Array(packed.length * 3);
  [...packed].forEach((character, at) => {
    const bits = BASE64.indexOf(character);
    for (let part = 0; part < 3; part += 1) levels[at * 3 + part] = costs[(bits >> (2 * part)) & 3]!;
  });
  return levels;
}

function classify(code: number): RunClass {
  if (code === 10 || code === 13) return NEWLINE;
  if (code === 32 || code === 9) return SPACE;
  if (code < 32 || code === 127) return CONTROL;
  if (code >= 48 && code <= 57) return DIGIT;
  if (code >= 65 && code <= 90) return UPPER;
  if (code >= 97 && code <= 122) return LOWER;
  return code < 128 ? SIGN : FOREIGN;
}
