/** A name this many edits away still counts as a slip of the same name. */
const MAX_EDITS = 2;
/** How many unknown names of a request get a suggestion: each is compared with all that there are. */
export const MAX_SUGGESTIONS = 20;

/** Answers `; did you mean "x"?` for an unknown name, or nothing. */
export type Suggest = (name: string) => string;

export function createSuggester(names: () => Iterable<string>): Suggest {
  let left = MAX_SUGGESTIONS;
  return (name) => {
    if (left === 0) return "";
    left -= 1;
    const nearest = findNearestName(name, names());
    return nearest === null ? "" : `; did you mean "${nearest}"?`;
  };
}

/** The candidate that `name` is most likely a misspelling of, or null. */
function findNearestName(name: string, candidates: Iterable<string>): string | null {
  let nearest: string | null = null;
  let fewest = Math.min(MAX_EDITS, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const edits = countEdits(name, candidate, fewest);
    if (edits >= fewest) continue;
    nearest = candidate;
    fewest = edits;
  }
  return nearest;
}

/** Insertions, deletions and replacements between two names (Levenshtein), not counted beyond `limit`; case is free. */
function countEdits(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) >= limit) return limit;
  const [from, to] = [left.toLowerCase(), right.toLowerCase()];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let at = 1; at <= from.length; at += 1) {
    const next = [at];
    for (let index = 1; index <= to.length; index += 1) {
      const replaced = row[index - 1]! + (from[at - 1] === to[index - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[index]! + 1, next[index - 1]! + 1));
    }
    if (Math.min(...next) >= limit) return limit;
    row = next;
  }
  return row[to.length]!;
}
