import { DROPPED, KEPT, type ContextDocument, type ReductionQuery, type Unit } from "./document.ts";
import { NUMERIC, type TermIndex } from "./terms.ts";

/** Shorter units ("Yes.", "}") repeat by nature. */
const MIN_DUPLICATE_CHARS = 32;
/** Near-duplicates are sought among units of at least this many words. */
const MIN_SHINGLED_WORDS = 12;
const SHINGLE_WORDS = 3;
/** Signatures of 4 bands of 2: units that share 0.9 of their shingles meet in a band with 0.999, those that share 0.3 with 0.3. */
const BANDS = 4;
const ROWS = 2;
/** Share of shingles in common that makes two units say the same. */
const SAME_SIMILARITY = 0.85;

/** Drops units that were said before: word for word, or nearly and with the same numbers. The first of them stays. */
export function dropDuplicates(document: ContextDocument, { index }: ReductionQuery): ContextDocument {
  const repeated = findExact(document);
  // Near-duplicate lines of a log are its templates, which are counted instead; code that is nearly the same is not the same.
  if (document.kind !== "log" && document.kind !== "code") findNear(document, index, repeated);
  if (repeated.size === 0) return document;
  const dropped = document.dropped.slice();
  for (const at of repeated) dropped[at] = DROPPED;
  dropIdleLabels(document.units, dropped);
  return { ...document, dropped };
}

function isComparable({ units, dropped }: ContextDocument, at: number): boolean {
  const unit = units[at] as Unit;
  return dropped[at] === KEPT && unit.role !== "label" && unit.role !== "record" && unit.text.length >= MIN_DUPLICATE_CHARS;
}

function findExact(document: ContextDocument): Set<number> {
  const seen = new Set<string>();
  const repeated = new Set<number>();
  document.units.forEach((unit, at) => {
    if (!isComparable(document, at)) return;
    if (!seen.has(unit.text)) seen.add(unit.text);
    else if (!unit.locked) repeated.add(at);
  });
  return repeated;
}

/** Adds the near-duplicates to `repeated`. */
function findNear(document: ContextDocument, index: TermIndex, repeated: Set<number>): void {
  const buckets = new Map<number, number>();
  document.units.forEach((unit, at) => {
    if ((index.offsets[at + 1] as number) - (index.offsets[at] as number) < MIN_SHINGLED_WORDS || !isComparable(document, at) || repeated.has(at)) return;
    const keys = bandKeys(index, at);
    // One earlier unit per band is compared, so the work stays linear.
    const twin = keys.map((key) => buckets.get(key)).find((other) => other !== undefined && saySame(index, other, at));
    if (twin !== undefined && !unit.locked) repeated.add(at);
    else for (const key of keys) buckets.set(key, at);
  });
}

function shingleHash(index: TermIndex, at: number): number {
  let hash = 0;
  for (let word = 0; word < SHINGLE_WORDS; word += 1) hash = Math.imul(hash ^ (index.ids[at + word] as number), 0x9e3779b1) ^ (hash >>> 15);
  return hash;
}

/** MinHash of a unit's shingles, folded to one key per band. */
function bandKeys(index: TermIndex, unit: number): number[] {
  const smallest = new Uint32Array(BANDS * ROWS).fill(0xffffffff);
  const last = (index.offsets[unit + 1] as number) - SHINGLE_WORDS;
  for (let at = index.offsets[unit] as number; at <= last; at += 1) {
    const shingle = shingleHash(index, at);
    for (let row = 0; row < smallest.length; row += 1) {
      let hash = Math.imul(shingle ^ ((row + 1) * 0x7feb352d), 0x846ca68b);
      hash = (hash ^ (hash >>> 16)) >>> 0;
      if (hash < (smallest[row] as number)) smallest[row] = hash;
    }
  }
  return Array.from({ length: BANDS }, (_, band) => {
    let key = band + 1;
    for (let row = 0; row < ROWS; row += 1) key = Math.imul(key ^ (smallest[band * ROWS + row] as number), 0x9e3779b1);
    return key;
  });
}

/** Whether two units share most shingles and all their numbers: text that differs in a number says something else. */
function saySame(index: TermIndex, first: number, second: number): boolean {
  if (numbersOf(index, first) !== numbersOf(index, second)) return false;
  const [a, b] = [shinglesOf(index, first), shinglesOf(index, second)];
  let shared = 0;
  for (const shingle of a) if (b.has(shingle)) shared += 1;
  return shared >= SAME_SIMILARITY * (a.size + b.size - shared);
}

function shinglesOf(index: TermIndex, unit: number): Set<number> {
  const shingles = new Set<number>();
  for (let at = index.offsets[unit] as number; at <= (index.offsets[unit + 1] as number) - SHINGLE_WORDS; at += 1) shingles.add(shingleHash(index, at));
  return shingles;
}

function numbersOf(index: TermIndex, unit: number): string {
  const numbers: number[] = [];
  for (let at = index.offsets[unit] as number; at < (index.offsets[unit + 1] as number); at += 1) {
    if (((index.flags[at] as number) & NUMERIC) !== 0) numbers.push(index.ids[at] as number);
  }
  return numbers.join(",");
}

/** Drops labels of which everything that needed them was dropped. */
function dropIdleLabels(units: readonly Unit[], dropped: Uint8Array): void {
  const isNeeded = new Uint8Array(units.length);
  const wasNeeded = new Uint8Array(units.length);
  const isIdle = new Uint8Array(units.length);
  for (let at = units.length - 1; at >= 0; at -= 1) {
    const unit = units[at] as Unit;
    if (unit.role === "label" && wasNeeded[at] === 1 && isNeeded[at] === 0 && !unit.locked) isIdle[at] = 1;
    if (unit.needs === -1) continue;
    wasNeeded[unit.needs] = 1;
    if (dropped[at] === KEPT && isIdle[at] === 0) isNeeded[unit.needs] = 1;
  }
  for (let at = 0; at < units.length; at += 1) if (isIdle[at] === 1) dropped[at] = DROPPED;
}
