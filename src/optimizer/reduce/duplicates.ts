import type { ContextDocument, Unit } from "./document.ts";
import { indexTerms, NUMERIC, type TermIndex } from "./terms.ts";

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
export function dropDuplicates(document: ContextDocument): ContextDocument {
  const units = document.units.map((unit) => ({ ...unit }));
  dropExact(units);
  // Near-duplicate lines of a log are its templates, which are counted instead.
  if (document.kind !== "log") dropNear(units);
  dropIdleLabels(units);
  return { ...document, units };
}

function isCandidate(unit: Unit): boolean {
  return !unit.dropped && !unit.locked && unit.role !== "label" && unit.role !== "record" && unit.text.length >= MIN_DUPLICATE_CHARS;
}

function dropExact(units: readonly Unit[]): void {
  const seen = new Set<string>();
  for (const unit of units) {
    if (unit.text.length < MIN_DUPLICATE_CHARS || unit.role === "label" || unit.role === "record") continue;
    if (seen.has(unit.text)) unit.dropped = !unit.locked;
    else seen.add(unit.text);
  }
}

function dropNear(units: readonly Unit[]): void {
  const index = indexTerms(units.map((unit) => (unit.dropped ? "" : unit.text)));
  const buckets = new Map<number, number>();
  units.forEach((unit, at) => {
    const length = (index.offsets[at + 1] as number) - (index.offsets[at] as number);
    if (unit.role === "label" || unit.role === "record" || unit.dropped || length < MIN_SHINGLED_WORDS) return;
    const keys = bandKeys(index, at);
    // One earlier unit per band is compared, so the work stays linear.
    const twin = keys.map((key) => buckets.get(key)).find((other) => other !== undefined && saySame(index, other, at));
    if (twin !== undefined && isCandidate(unit)) unit.dropped = true;
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
export function dropIdleLabels(units: readonly Unit[]): void {
  const needed = new Uint8Array(units.length);
  const wasNeeded = new Uint8Array(units.length);
  for (let at = units.length - 1; at >= 0; at -= 1) {
    const unit = units[at] as Unit;
    if (unit.role === "label" && wasNeeded[at] === 1 && needed[at] === 0 && !unit.locked) unit.dropped = true;
    if (unit.needs === -1) continue;
    wasNeeded[unit.needs] = 1;
    if (!unit.dropped) needed[unit.needs] = 1;
  }
}
