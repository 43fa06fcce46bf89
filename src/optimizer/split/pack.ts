import { boundRange, overlapStart, type Atom } from "./atoms.ts";

/** A chunk is cut back to a better place only if it stays at least this full. */
const LEAST_FULL_SHARE = 0.5;

/** A chunk as ranges: `[start, end)` is its own, `[overlapFrom, start)` is repeated from the one before. */
export interface Span {
  overlapFrom: number;
  start: number;
  end: number;
}

/** Packs atoms into chunks of at most `maxTokens`, overlap counted, and cuts at the best place in the later half of each. */
export function packAtoms(text: string, atoms: readonly Atom[], maxTokens: number, overlapTokens: number): Span[] {
  const spans: Span[] = [];
  let first = 0;
  while (first < atoms.length) {
    const { start } = atoms[first] as Atom;
    const before = spans.at(-1);
    const overlapFrom = before === undefined ? start : chooseOverlap(text, before, atoms[first] as Atom, maxTokens, overlapTokens);
    const last = fillChunk(text, atoms, first, overlapFrom, maxTokens);
    spans.push({ overlapFrom, start, end: (atoms[last] as Atom).end });
    first = last + 1;
  }
  return spans;
}

/** Gives up the overlap where it would leave no room for the next atom. */
function chooseOverlap(text: string, before: Span, next: Atom, maxTokens: number, overlapTokens: number): number {
  const from = overlapStart(text, before.start, before.end, Math.min(overlapTokens, maxTokens - next.tokens));
  return boundRange(text, from, next.end) <= maxTokens ? from : before.end;
}

/** Index of the last atom of the chunk that begins with `first`. Looks at every atom of the chunk a bounded number of times. */
function fillChunk(text: string, atoms: readonly Atom[], first: number, overlapFrom: number, maxTokens: number): number {
  const start = (atoms[first] as Atom).start;
  let tokens = boundRange(text, overlapFrom, start);
  const sums: number[] = [];
  let last = first;
  for (let at = first; at < atoms.length; at += 1) {
    const atom = atoms[at] as Atom;
    if (at > first && tokens + atom.tokens > maxTokens) break;
    tokens += atom.tokens;
    sums.push(tokens);
    last = at;
  }
  if (last < atoms.length - 1) last = bestCut(atoms, first, last, sums, maxTokens);
  // Sums are upper bounds but for words that two atoms share; then a part is given back.
  while (last > first && boundRange(text, overlapFrom, (atoms[last] as Atom).end) > maxTokens) last = first + Math.floor((last - first) * 0.9);
  return last;
}

/** The last atom such that the cut after it is the best one among those that leave the chunk full enough. */
function bestCut(atoms: readonly Atom[], first: number, last: number, sums: readonly number[], maxTokens: number): number {
  let best = last;
  for (let at = last - 1; at >= first && (sums[at - first] as number) >= maxTokens * LEAST_FULL_SHARE; at -= 1) {
    if ((atoms[at + 1] as Atom).cut > (atoms[best + 1] as Atom).cut) best = at;
  }
  return best;
}
