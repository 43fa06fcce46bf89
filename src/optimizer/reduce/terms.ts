/**
 * Words as numbers. Every word of a text is folded (case, accents, common endings), hashed, and given a dense id, without a
 * substring per word: that is what keeps a reduction of 100,000 characters at a few milliseconds.
 */

import { COMMON_WORDS, FRAMING_WORDS, STOP_WORDS } from "./stop-words.ts";

/** Words past this length are data, not language; their head is enough to tell them apart. */
const MAX_WORD_LENGTH = 48;
/** Folded words are compared by this many characters, so that `retained` meets `retention`. */
const STEM_LENGTH = 7;

/** Different words that get ids of their own; of more, which takes megabytes of numbers or codes, several share one. */
const MAX_TERMS = 131_072;

export const CAPITALISED = 1;
export const NUMERIC = 2;

/** The words of a list of texts. Those of text `i` are `ids[offsets[i]] … ids[offsets[i + 1] - 1]`, in order. */
export interface TermIndex {
  offsets: Uint32Array;
  ids: Uint32Array;
  /** Per occurrence: CAPITALISED, NUMERIC. */
  flags: Uint8Array;
  vocabularySize: number;
  /** 1 for words that carry grammar rather than content, by id. */
  isStop: Uint8Array;
  /** 1 for words that frame a task rather than name its subject, by id. */
  isFraming: Uint8Array;
  /** 1 for frequent words, by id. */
  isCommon: Uint8Array;
}

/** Folds letters beyond ASCII to lower case without accents, up to the end of Cyrillic. */
const FOLD_END = 0x530;
const FOLDED = new Uint16Array(FOLD_END).map((_, code) => {
  const base = String.fromCharCode(code).toLowerCase().normalize("NFD");
  return base.charCodeAt(0);
});
/** 0: not in a word; 1: letter; 2: capital; 3: digit. */
const WORD_CLASS = new Uint8Array(FOLD_END).map((_, code) => {
  if (code >= 48 && code <= 57) return 3;
  const char = String.fromCharCode(code);
  if (char.toLowerCase() !== char.toUpperCase()) return char === char.toLowerCase() ? 1 : 2;
  return code > 0xbf && code !== 0xd7 && code !== 0xf7 ? 1 : 0;
});

function isIdeograph(code: number): boolean {
  return (code >= 0x2e80 && code <= 0xd7ff && !(code >= 0x3000 && code <= 0x3004) && !(code >= 0x3008 && code <= 0x301f)) || (code >= 0xf900 && code <= 0xfaff);
}

function wordClass(code: number): number {
  if (code < FOLD_END) return WORD_CLASS[code] as number;
  if (code < 0x2000) return 1;
  return isIdeograph(code) ? 4 : 0;
}

type WordVisitor = (hash: number, flags: number, start: number, end: number) => void;

/** Visits every word of `text` in order, as `indexTerms` counts them. Linear, and without allocation. */
export function scanWords(text: string, visit: WordVisitor): void {
  const length = text.length;
  let index = 0;
  while (index < length) {
    const kind = wordClass(text.charCodeAt(index));
    if (kind === 0) {
      index += 1;
    } else if (kind === 4) {
      // Two neighbours stand for a word where words are not spaced.
      const next = index + 1 < length ? text.charCodeAt(index + 1) : 0;
      visit(hashPair(text.charCodeAt(index), isIdeograph(next) ? next : 0), 0, index, isIdeograph(next) ? index + 2 : index + 1);
      index += 1;
    } else {
      index = scanWord(text, index, visit);
    }
  }
}

function hashPair(first: number, second: number): number {
  return Math.imul(Math.imul(first, 0x01000193) ^ second, 0x85ebca6b) >>> 0;
}

const word = new Uint16Array(MAX_WORD_LENGTH);

function scanWord(text: string, from: number, visit: WordVisitor): number {
  let size = 0;
  let digits = 0;
  let capitals = 0;
  let index = from;
  let before = 0;
  for (; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    const kind = wordClass(code);
    // camelCase is read as its words.
    if (kind === 0 || kind === 4 || (kind === 2 && before === 1)) break;
    if (kind === 3) digits += 1;
    else if (kind === 2) capitals += 1;
    if (size < MAX_WORD_LENGTH) word[size++] = code < FOLD_END ? (FOLDED[code] as number) : code;
    before = kind;
  }
  const stem = digits > 0 ? size : stemLength(size);
  let hash = 0x811c9dc5;
  for (let at = 0; at < stem; at += 1) hash = Math.imul(hash ^ (word[at] as number), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  visit((hash ^ (hash >>> 13)) >>> 0, (capitals > 0 ? CAPITALISED : 0) | (digits > 0 ? NUMERIC : 0), from, index);
  return index;
}

const [A, D, E, G, I, L, N, S, U, Y] = Array.from("adegilnsuy", (char) => char.charCodeAt(0)) as [number, number, number, number, number, number, number, number, number, number];

/** Length of the folded word in `word` without its common English ending; may rewrite the last letter. */
function stemLength(size: number): number {
  let end = size;
  if (end > 3 && word[end - 1] === S && word[end - 2] !== S && word[end - 2] !== U && word[end - 2] !== I) {
    if (end > 4 && word[end - 2] === E && word[end - 3] === I) {
      word[end - 3] = Y;
      end -= 2;
    } else end -= 1;
  }
  if (end > 5 && word[end - 1] === G && word[end - 2] === N && word[end - 3] === I) end = undouble(end - 3);
  else if (end > 4 && word[end - 1] === D && word[end - 2] === E) end = undouble(end - 2);
  else if (end > 5 && word[end - 1] === Y && word[end - 2] === L) end -= 2;
  if (end > 4 && word[end - 1] === L && word[end - 2] === A) end -= 2;
  if (end > 3 && word[end - 1] === E) end -= 1;
  if (end > 3 && word[end - 1] === Y) word[end - 1] = I;
  return Math.min(end, STEM_LENGTH);
}

function undouble(end: number): number {
  return end > 3 && word[end - 1] === word[end - 2] && word[end - 1] !== L && word[end - 1] !== S ? end - 1 : end;
}

/** An open hash table from word hash to dense id. */
interface Vocabulary {
  slots: Uint32Array;
  /** id + 1 per slot; 0 is free. */
  values: Uint32Array;
  size: number;
}

function createVocabulary(): Vocabulary {
  return { slots: new Uint32Array(4096), values: new Uint32Array(4096), size: 0 };
}

function findSlot(vocabulary: Vocabulary, hash: number): number {
  const mask = vocabulary.slots.length - 1;
  let slot = hash & mask;
  while (vocabulary.values[slot] !== 0 && vocabulary.slots[slot] !== hash) slot = (slot + 1) & mask;
  return slot;
}

function idOf(vocabulary: Vocabulary, hash: number): number {
  const slot = findSlot(vocabulary, hash);
  const known = vocabulary.values[slot] as number;
  if (known !== 0) return known - 1;
  // The upper half, where no stop words are.
  if (vocabulary.size === MAX_TERMS) return MAX_TERMS / 2 + (hash % (MAX_TERMS / 2));
  vocabulary.slots[slot] = hash;
  vocabulary.size += 1;
  vocabulary.values[slot] = vocabulary.size;
  if (vocabulary.size * 2 > vocabulary.slots.length) growVocabulary(vocabulary);
  return vocabulary.size - 1;
}

function growVocabulary(vocabulary: Vocabulary): void {
  const { slots, values } = vocabulary;
  vocabulary.slots = new Uint32Array(slots.length * 2);
  vocabulary.values = new Uint32Array(slots.length * 2);
  for (let slot = 0; slot < slots.length; slot += 1) {
    if (values[slot] === 0) continue;
    const target = findSlot(vocabulary, slots[slot] as number);
    vocabulary.slots[target] = slots[slot] as number;
    vocabulary.values[target] = values[slot] as number;
  }
}

/** Reads `texts` into one index; terms of different texts are comparable. */
export function indexTerms(texts: readonly string[]): TermIndex {
  const vocabulary = createVocabulary();
  // Stop words come first, so that the ids below their number are exactly they; then the framing words.
  scanWords(STOP_WORDS, (hash) => idOf(vocabulary, hash));
  const stopCount = vocabulary.size;
  scanWords(FRAMING_WORDS, (hash) => idOf(vocabulary, hash));
  const framingEnd = vocabulary.size;
  scanWords(COMMON_WORDS, (hash) => idOf(vocabulary, hash));
  const commonEnd = vocabulary.size;
  const offsets = new Uint32Array(texts.length + 1);
  let ids: Uint32Array = new Uint32Array(4096);
  let flags: Uint8Array = new Uint8Array(4096);
  let count = 0;
  const push: WordVisitor = (hash, flag) => {
    if (count === ids.length) [ids, flags] = [grow(ids), grow(flags)];
    ids[count] = idOf(vocabulary, hash);
    flags[count] = flag;
    count += 1;
  };
  for (let index = 0; index < texts.length; index += 1) {
    scanWords(texts[index] as string, push);
    offsets[index + 1] = count;
  }
  return {
    offsets,
    ids: ids.subarray(0, count),
    flags: flags.subarray(0, count),
    vocabularySize: vocabulary.size,
    isStop: new Uint8Array(vocabulary.size).fill(1, 0, stopCount),
    isFraming: new Uint8Array(vocabulary.size).fill(1, stopCount, framingEnd),
    isCommon: new Uint8Array(vocabulary.size).fill(1, framingEnd, commonEnd),
  };
}

function grow<Numbers extends Uint8Array | Uint32Array>(numbers: Numbers): Numbers {
  const larger = numbers instanceof Uint8Array ? new Uint8Array(numbers.length * 2) : new Uint32Array(numbers.length * 2);
  larger.set(numbers);
  return larger as Numbers;
}
