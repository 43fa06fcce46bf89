import { KEPT, type ContextDocument, type ReductionBudget, type Unit } from "./document.ts";
import type { TermIndex } from "./terms.ts";

/** What the omission marks cost, as render.ts writes them: a line of its own, or a sign inside a line. */
const LINE_MARK = { tokens: 5.8, chars: 22 };
const INLINE_MARK = { tokens: 1.8, chars: 4 };

/** A selection in progress. */
export interface Selection {
  units: readonly Unit[];
  /** What the methods before dropped, as in `ContextDocument`. */
  dropped: Uint8Array;
  index: TermIndex;
  kept: Uint8Array;
  /** Tokens and characters of the kept units and the marks between them, as booked. */
  tokens: number;
  chars: number;
  /** Kept units in the order in which they were chosen, for taking back. */
  picks: number[];
  /** Terms that kept units hold. */
  seen: Uint8Array;
}

export function startSelection({ units, dropped }: ContextDocument, index: TermIndex): Selection {
  return { units, dropped, index, kept: new Uint8Array(units.length), tokens: LINE_MARK.tokens, chars: LINE_MARK.chars, picks: [], seen: new Uint8Array(index.vocabularySize) };
}

/** Keeps a unit and what it needs, whatever it costs. */
export function keepUnit(selection: Selection, unit: number): void {
  const { index, kept, seen } = selection;
  for (let at = unit; at !== -1 && kept[at] !== 1; at = (selection.units[at] as Unit).needs) {
    const { tokens, chars } = costOf(selection, at);
    kept[at] = 1;
    selection.tokens += tokens;
    selection.chars += chars;
    selection.picks.push(at);
    for (let term = index.offsets[at] as number; term < (index.offsets[at + 1] as number); term += 1) seen[index.ids[term] as number] = 1;
  }
}

/** Takes units in `order` while they fit; passes over those of which less than the share `novelty` of the content words is new. */
export function fillSelection(selection: Selection, order: Iterable<number>, budget: ReductionBudget, novelty: number): void {
  for (const unit of order) {
    const candidate = selection.units[unit] as Unit;
    if (selection.kept[unit] === 1 || selection.dropped[unit] !== KEPT) continue;
    // Cheap refusal before the chain of needs is walked.
    if (selection.tokens + candidate.tokens - LINE_MARK.tokens > budget.maxTokens) continue;
    if (!fits(selection, unit, budget)) continue;
    if (novelty > 0 && noveltyOf(selection, unit) < novelty) continue;
    keepUnit(selection, unit);
  }
}

function fits(selection: Selection, unit: number, budget: ReductionBudget): boolean {
  let { tokens, chars } = selection;
  for (let at = unit; at !== -1 && selection.kept[at] !== 1; at = (selection.units[at] as Unit).needs) {
    const cost = costOf(selection, at);
    tokens += cost.tokens;
    chars += cost.chars;
  }
  return tokens <= budget.maxTokens && chars <= budget.maxChars;
}

/** What keeping one unit adds, with the marks that appear or vanish beside it. */
function costOf(selection: Selection, at: number): { tokens: number; chars: number } {
  const { units, kept } = selection;
  const unit = units[at] as Unit;
  const isOpenBefore = at > 0 && kept[at - 1] !== 1;
  const isOpenAfter = at + 1 < units.length && kept[at + 1] !== 1;
  const marks = (isOpenBefore ? 1 : 0) + (isOpenAfter ? 1 : 0) - 1;
  if (marks === 0) return unit;
  const isInline = (!isOpenBefore || !(units[at - 1] as Unit).gap.includes("\n")) && (!isOpenAfter || !unit.gap.includes("\n"));
  const mark = isInline ? INLINE_MARK : LINE_MARK;
  return { tokens: unit.tokens + marks * mark.tokens, chars: unit.chars + marks * mark.chars };
}

/** Share of a unit's content words that no kept unit has. */
function noveltyOf({ index, seen }: Selection, unit: number): number {
  let content = 0;
  let fresh = 0;
  for (let at = index.offsets[unit] as number; at < (index.offsets[unit + 1] as number); at += 1) {
    const term = index.ids[at] as number;
    if (index.isStop[term] === 1) continue;
    content += 1;
    if (seen[term] !== 1) fresh += 1;
  }
  return content === 0 ? 0 : fresh / content;
}

/** Takes back the latest choices that nothing kept needs, until `tokens` and `chars` are saved. Locked units stay. False if there was none. */
export function takeBack(selection: Selection, tokens: number, chars: number): boolean {
  const { units, kept, picks } = selection;
  const dependents = new Uint32Array(units.length);
  for (const pick of picks) {
    const { needs } = units[pick] as Unit;
    if (needs !== -1) dependents[needs] = (dependents[needs] as number) + 1;
  }
  let savedTokens = 0;
  let savedChars = 0;
  const stays: number[] = [];
  for (let at = picks.length - 1; at >= 0; at -= 1) {
    const pick = picks[at] as number;
    const unit = units[pick] as Unit;
    const isSaved = savedTokens >= tokens && savedChars >= chars;
    // The best choice stays even if it is over: an empty context helps nobody.
    if (isSaved || unit.locked || dependents[pick] !== 0 || at === 0) {
      stays.push(pick);
      continue;
    }
    kept[pick] = 0;
    savedTokens += unit.tokens;
    savedChars += unit.chars;
    if (unit.needs !== -1) dependents[unit.needs] = (dependents[unit.needs] as number) - 1;
  }
  selection.picks = stays.reverse();
  selection.tokens -= savedTokens;
  selection.chars -= savedChars;
  return savedChars > 0;
}
