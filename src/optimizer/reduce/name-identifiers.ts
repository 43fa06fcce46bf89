import type { ReductionBudget } from "./document.ts";
import { findIdentifiers, type Identifier } from "./identifiers.ts";
import type { Selection } from "./select.ts";
import { measureTokens } from "../tokens.ts";

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
export function nameIdentifiers(selection: Selection, identifiers: ReadonlyMap<string, Identifier>, budget: ReductionBudget): Map<number, string[]> {
  const { units, kept } = selection;
  const named = new Map<number, string[]>();
  if (identifiers.size === 0) return named;
  const present = new Set<string>();
  units.forEach((unit, at) => {
    if (kept[at] === 1) for (const value of findIdentifiers(unit.text)) present.add(value);
  });
  const best = Math.max(1e-9, ...[...identifiers.values()].slice(0, 10_000).map(({ score }) => score));
  const weigh = ({ sections, score, lastUnit }: Identifier): number => Math.min(MAX_COUNTED_SECTIONS, sections) + score / best + (0.5 * lastUnit) / units.length;
  const missing = [...identifiers.values()].filter(({ value }) => !present.has(value)).sort((a, b) => weigh(b) - weigh(a));
  for (const { value, firstUnit } of missing) {
    const tokens = selection.tokens + measureTokens(value) + SEPARATOR.tokens;
    const chars = selection.chars + value.length + SEPARATOR.chars;
    if (tokens > budget.maxTokens || chars > budget.maxChars) continue;
    selection.tokens = tokens;
    selection.chars = chars;
    const names = named.get(firstUnit);
    if (names === undefined) named.set(firstUnit, [value]);
    else names.push(value);
  }
  return named;
}
