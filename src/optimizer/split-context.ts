import { lineKind } from "./reduce/blocks.ts";
import { avoidPair, skipSpace, splitLines, trimEnd } from "./reduce/lines.ts";
import { cutAtoms, headingLevel } from "./split/atoms.ts";
import { findConcepts } from "./split/concepts.ts";
import { packAtoms } from "./split/pack.ts";
import { upperBoundTokens } from "./tokens/token-bound.ts";

export interface SplitOptions {
  /** No chunk has more, by the safe upper bound of `upperBoundTokens`; at least MIN_CHUNK_TOKENS. */
  maxTokens: number;
  /** Up to so many tokens of the end of the chunk before; at most half of `maxTokens` is used. */
  overlapTokens?: number;
}

export interface Chunk {
  index: number;
  /** The chunk's own text: those of all chunks joined are the input. */
  text: string;
  /** The end of the chunk before, to be put in front. */
  overlap: string;
  /** Upper bound of the tokens of overlap and text together. */
  tokens: number;
  /** The headings above the chunk's start, ` > ` between them; null if there is none. */
  heading: string | null;
  /** The words that set the chunk apart from the others. */
  concepts: string[];
}

/** Longer headings are cut in a chunk's heading path. */
const MAX_TITLE_CHARS = 200;

/** A single character can be several tokens: below this no limit could be kept. */
export const MIN_CHUNK_TOKENS = 4;

/**
 * Cuts a text into chunks at headings, then blocks, paragraphs, lines, sentences, words; a code block or a table is cut only if it
 * alone is over the limit. Loses no byte. Linear, also for one endless line.
 */
export function splitContext(text: string, { maxTokens, overlapTokens = 0 }: SplitOptions): { chunks: Chunk[] } {
  if (maxTokens < MIN_CHUNK_TOKENS) throw new RangeError(`maxTokens must be at least ${MIN_CHUNK_TOKENS}, got ${maxTokens}`);
  const atoms = cutAtoms(text, maxTokens);
  const spans = packAtoms(text, atoms, maxTokens, Math.min(overlapTokens, Math.floor(maxTokens / 2)));
  const texts = spans.map(({ start, end }) => text.slice(start, end));
  const headings = headingsAt(text, spans.map(({ start }) => start));
  const concepts = findConcepts(texts);
  const chunks = spans.map(({ overlapFrom, start, end }, index): Chunk => ({
    index,
    text: texts[index] as string,
    overlap: text.slice(overlapFrom, start),
    tokens: upperBoundTokens(text.slice(overlapFrom, end)),
    heading: headings[index] ?? null,
    concepts: concepts[index] ?? [],
  }));
  return { chunks };
}

/** The heading path in force at each of the positions, which ascend. A heading at a position is in force there. */
function headingsAt(text: string, positions: readonly number[]): (string | null)[] {
  const path: { level: number; title: string }[] = [];
  const found: (string | null)[] = [];
  let isInCode = false;
  const take = (before: number): void => {
    while (found.length < positions.length && (positions[found.length] as number) < before) found.push(path.length === 0 ? null : path.map(({ title }) => title).join(" > "));
  };
  for (const line of splitLines(text)) {
    take(line.start);
    const kind = lineKind(text, line);
    if (kind === "fence") isInCode = !isInCode;
    if (kind !== "heading" || isInCode) continue;
    const level = headingLevel(text, line);
    while (path.length > 0 && (path.at(-1)?.level ?? 0) >= level) path.pop();
    path.push({ level, title: titleOf(text, line, level) });
  }
  take(Number.POSITIVE_INFINITY);
  return found;
}

/** A heading without its marks. A heading of a whole paragraph is none that anyone reads, so its head is enough. */
function titleOf(text: string, line: { start: number; end: number }, level: number): string {
  const start = skipSpace(text, line.start, line.end) + level;
  let end = trimEnd(text, start, line.end);
  while (end > start && text.charCodeAt(end - 1) === 35) end -= 1;
  return text.slice(start, end - start > MAX_TITLE_CHARS ? avoidPair(text, start + MAX_TITLE_CHARS) : end).trim();
}
