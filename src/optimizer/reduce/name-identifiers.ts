import type { NamedIdentifier, ReductionBudget } from "./document.ts";
import { findIdentifiers, type Identifier } from "./identifiers.ts";
import type { Selection } from "./select.ts";
import { measureTokens } from "../tokens/tokens.ts";

/** An identifier that came back in this many sections is as wanted as one can be. */
const MAX_COUNTED_SECTIONS = 3;
/** The separator after a name in a mark. */
const SEPARATOR = { tokens: 1, chars: 2 };

/** Share of the budget to hold back for naming identifiers, at most `share`. */
export function reserveForNames(identifiers: ReadonlyMap<string, Identifier>, budget: ReductionBudget, share: number): number {
  let tokens = 0;
  for (const value of identifiers.keys()) tokens += measureTokens(value) + SEPARATOR.tokens;
  return Math.min(share, tokens / Math.max(1, budget.maxTokens));
}

/**
 * Chooses which identifiers of dropped units the omission marks name, and books them: first those that came back often,
 * stood in relevant units or came late. Returns them by the unit in which they stood first.
 */
export function nameIdentifiers(selection: Selection, identifiers: ReadonlyMap<string, Identifier>, budget: ReductionBudget): Map<number, NamedIdentifier[]> {
  const named = new Map<number, NamedIdentifier[]>();
  const keys = new Set<string>();
  for (const { value, key, firstUnit } of rankMissing(selection, identifiers)) {
    // A member's name is written once per mark; most marks share no names, so once is booked.
    const added = keys.has(key) ? value : value + key;
    const tokens = selection.tokens + measureTokens(added) + SEPARATOR.tokens;
    const chars = selection.chars + added.length + SEPARATOR.chars;
    if (tokens > budget.maxTokens || chars > budget.maxChars) continue;
    selection.tokens = tokens;
    selection.chars = chars;
    keys.add(key);
    const names = named.get(firstUnit);
    if (names === undefined) named.set(firstUnit, [{ value, key }]);
    else names.push({ value, key });
  }
  return named;
}

/** The identifiers that no kept unit has, most wanted first. */
function rankMissing({ units, kept }: Selection, identifiers: ReadonlyMap<string, Identifier>): Identifier[] {
  if (identifiers.size === 0) return [];
  const present = new Set<string>();
  units.forEach((unit, at) => {
    if (kept[at] === 1) for (const { value } of findIdentifiers(unit.text)) if (identifiers.has(value)) present.add(value);
  });
  let best = 1e-9;
  for (const { score } of identifiers.values()) best = Math.max(best, score);
  const weigh = ({ sections, score, lastUnit }: Identifier): number => Math.min(MAX_COUNTED_SECTIONS, sections) + score / best + (0.5 * lastUnit) / units.length;
  return [...identifiers.values()].filter(({ value }) => !present.has(value)).sort((a, b) => weigh(b) - weigh(a));
}
