/**
 * Writes src/optimizer/tokens/token-tables.ts: what the upper bound of tokens knows of letters, signs and scripts, read off OpenAI's two
 * vocabularies. No text is needed: frequent words are those with early tokens of their own, and how often a token ends between two letters
 * is counted over made-up words, from ones that look like words to random letters.
 *
 *   npx node scripts/fit-token-bound.ts
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode as decodeCl100k, encode as encodeCl100k } from "gpt-tokenizer/encoding/cl100k_base";
import { decode as decodeO200k, encode as encodeO200k } from "gpt-tokenizer/encoding/o200k_base";

const TARGET = join(import.meta.dirname, "../src/optimizer/tokens/token-tables.ts");
const TOKENIZERS = [
  { encode: encodeCl100k, decode: decodeCl100k },
  { encode: encodeO200k, decode: decodeO200k },
];
/** Tokens of cl100k_base before its special ones. */
const CL100K_TOKENS = 100_256;

const WORDS = 5_000;
const BLOCK = 16;
const LETTERS = 27;
const SIGNS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const MADE_WORDS = 150_000;
const MADE_RUNS = 60_000;
const BLOCK_SAMPLES = 5;
const BLOCK_SAMPLE_CHARACTERS = 400;

/** A reproducible sequence in [0, 1) (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const random = createRandom(1);
const below = (bound: number): number => Math.floor(random() * bound);
const letterOf = (word: string, index: number): number => (index < 0 || index >= word.length ? 0 : word.charCodeAt(index) - 96);

/** Lower-case words that are one token behind a space, in both vocabularies, the earliest tokens first. */
function listWords(): string[] {
  const words: string[] = [];
  for (let token = 0; token < CL100K_TOKENS; token += 1) {
    const word = /^ ([a-z]{2,})$/.exec(decodeCl100k([token]))?.[1];
    if (word !== undefined && isOneToken(` ${word}`)) words.push(word);
  }
  return words;
}

function isOneToken(text: string): boolean {
  return TOKENIZERS.every(({ encode }) => encode(text).length === 1);
}

/** Words that are one token behind a space, or as names are written, and never more than two. */
function listCommonWords(): string[] {
  const words = new Set<string>();
  for (let token = 0; token < CL100K_TOKENS && words.size < WORDS; token += 1) {
    const found = /^ ([A-Za-z][a-z]+)$/.exec(decodeCl100k([token]))?.[1];
    if (found === undefined || !isOneToken(` ${found}`)) continue;
    const word = found.toLowerCase();
    const capital = word.charAt(0).toUpperCase() + word.slice(1);
    const most = Math.max(...[word, capital, ` ${word}`, ` ${capital}`].flatMap((form) => TOKENIZERS.map(({ encode }) => encode(form).length)));
    if (most <= 2) words.add(word);
  }
  return [...words];
}

/** Makes words letter by letter, each drawn by how often it follows the last `memory` letters in the words given. */
function createWordMaker(words: readonly string[], memory: 1 | 2): () => string {
  const counts = new Float64Array(LETTERS ** (memory + 1));
  const placeOf = (word: string, at: number): number => (memory === 2 ? letterOf(word, at - 2) * LETTERS : 0) + letterOf(word, at - 1);
  for (const word of words) for (let at = 0; at <= word.length; at += 1) counts[placeOf(word, at) * LETTERS + letterOf(word, at)]! += 1;
  return () => {
    for (let word = ""; ; ) {
      const row = counts.subarray(placeOf(word, word.length) * LETTERS).subarray(0, LETTERS);
      let left = random() * row.reduce((sum, count) => sum + count, 0);
      const letter = word.length > 20 ? 0 : row.findIndex((count) => (left -= count) < 0);
      if (letter > 0) word += String.fromCharCode(96 + letter);
      else if (word !== "") return word;
    }
  };
}

function makeRandomWord(): string {
  return Array.from({ length: 1 + below(12) }, () => String.fromCharCode(97 + below(26))).join("");
}

/** How often a token ends in front of each character of a text but the first, summed by what `keyOf` says of the place. */
function countEnds(texts: Iterable<{ text: string; weight: number }>, keys: number, keyOf: (text: string, at: number) => number, prefix: string): Float64Array {
  const places = new Float64Array(keys);
  const ends = new Float64Array(keys);
  for (const { text, weight } of texts) {
    for (const { encode, decode } of TOKENIZERS) {
      let end = -prefix.length;
      const found = new Set(encode(prefix + text).map((token) => (end += decode([token]).length)));
      for (let at = 1; at < text.length; at += 1) {
        const key = keyOf(text, at);
        places[key]! += weight;
        if (found.has(at)) ends[key]! += weight;
      }
    }
  }
  const mean = ends.reduce((sum, count) => sum + count, 0) / places.reduce((sum, count) => sum + count, 0);
  // What was hardly seen counts as the mean, almost.
  return ends.map((count, key) => (count + 3 * mean) / (places[key]! + 3));
}

function* makeWords(words: readonly string[]): Generator<{ text: string; weight: number }> {
  const makers = [createWordMaker(words, 2), makeRandomWord, createWordMaker(words, 1)];
  const weights = [1, 0.5, 0.3];
  for (let count = 0; count < MADE_WORDS; count += 1) for (const [index, make] of makers.entries()) yield { text: make(), weight: weights[index]! };
}

/** Runs of signs: random ones, and those that are tokens. */
function* makeSignRuns(): Generator<{ text: string; weight: number }> {
  const known: string[] = [];
  for (let token = 0; token < CL100K_TOKENS; token += 1) {
    const text = decodeCl100k([token]);
    if (text.length > 1 && [...text].every((sign) => SIGNS.includes(sign))) known.push(text);
  }
  const draw = (): string => Array.from({ length: 2 + below(6) }, () => SIGNS[below(SIGNS.length)]!).join("");
  for (let count = 0; count < MADE_RUNS; count += 1) {
    yield { text: draw(), weight: 1 };
    yield { text: known[below(known.length)]! + (below(2) === 0 ? "" : draw().slice(0, 1)), weight: 1 };
  }
}

/** Tokens of a UTF-16 unit of each block of characters, in tenths, rounded up: the mean over random ones, in the vocabulary that needs more. */
function measureBlocks(): string {
  return Array.from({ length: 0x10000 / BLOCK }, (_, block) => {
    // Halves of pairs: four bytes are two units.
    if (block * BLOCK >= 0xd800 && block * BLOCK < 0xe000) return 20;
    let most = 0;
    for (let sample = 0; sample < BLOCK_SAMPLES; sample += 1) {
      const text = Array.from({ length: BLOCK_SAMPLE_CHARACTERS }, () => String.fromCharCode(block * BLOCK + below(BLOCK))).join("");
      for (const { encode } of TOKENIZERS) most = Math.max(most, encode(text).length / BLOCK_SAMPLE_CHARACTERS);
    }
    return Math.ceil(most * 10);
  }).map((tenths) => tenths.toString(36)).join("");
}

/** Shares up to each bound are one level; a level costs what its places cost on average. */
const LEVEL_BOUNDS = [0.15, 0.4, 0.7, Infinity];
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function packLevels(shares: Float64Array): { levels: string; costs: number[] } {
  const levels = [...shares].map((share) => LEVEL_BOUNDS.findIndex((bound) => share <= bound));
  const costs = LEVEL_BOUNDS.map((_, level) => {
    const own = [...shares].filter((_share, index) => levels[index] === level);
    return Math.round((own.reduce((sum, share) => sum + share, 0) / Math.max(1, own.length)) * 1_000) / 1_000;
  });
  let packed = "";
  for (let at = 0; at < levels.length; at += 3) packed += BASE64[levels[at]! + 4 * (levels[at + 1] ?? 0) + 16 * (levels[at + 2] ?? 0)]!;
  return { levels: packed, costs };
}

function wrap(text: string, width: number, separator: string): string {
  const lines: string[] = [];
  for (let rest = text; rest !== ""; ) {
    const cut = rest.length <= width ? rest.length : separator === "" ? width : rest.lastIndexOf(separator, width) + 1;
    lines.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  return `[\n${lines.map((line) => `  ${JSON.stringify(line)},`).join("\n")}\n].join("")`;
}

const words = listWords();
const letters = packLevels(countEnds(makeWords(words), LETTERS ** 3, (word, at) => (letterOf(word, at - 2) * LETTERS + letterOf(word, at - 1)) * LETTERS + letterOf(word, at), " "));
const signs = packLevels(countEnds(makeSignRuns(), SIGNS.length ** 2, (run, at) => SIGNS.indexOf(run[at - 1]!) * SIGNS.length + SIGNS.indexOf(run[at]!), ""));

writeFileSync(
  TARGET,
  `/** Written by scripts/fit-token-bound.ts; see there what the tables say and what they were read off. */

/** Words that are one token behind a space, in lower case or with a capital, and two at most in any other place; the most frequent first. */
export const COMMON_WORDS = ${wrap(listCommonWords().join(" "), 150, " ")};

/** ASCII signs, as they are numbered in \`SIGN_LEVELS\`. */
export const SIGNS = ${JSON.stringify(SIGNS)};

/** How often a token ends behind the second of three lower-case letters (1–26; 0: the word's beginning): three levels to a character of base64, the lowest bits first. */
export const LETTER_LEVELS = ${wrap(letters.levels, 150, "")};
/** Tokens that end at a place of each level. */
export const LETTER_COSTS = ${JSON.stringify(letters.costs).replaceAll(",", ", ")};

/** The same between two signs. */
export const SIGN_LEVELS = ${wrap(signs.levels, 150, "")};
export const SIGN_COSTS = ${JSON.stringify(signs.costs).replaceAll(",", ", ")};

/** Tokens of a UTF-16 unit of each block of ${BLOCK}, in tenths, base 36. */
export const BLOCK_COSTS = ${wrap(measureBlocks(), 150, "")};
`,
);
