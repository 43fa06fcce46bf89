import type { BudgetSettings } from "../config/budget-settings.ts";
import type { AgentHistory } from "./agent-history.ts";

/** The score of an agent without a history, and of one that is typical in everything. */
export const NEUTRAL_INTENSITY = 5;

/**
 * What a run of a typical agent comes to, and how much each measure weighs. A measure of `typical` scores half of its weight, three times as much
 * three quarters: x / (x + typical), so that it is bounded and no single run decides.
 */
const MEASURES: { read: (history: AgentHistory) => number; typical: number; weight: number }[] = [
  { read: ({ tokens, runs }) => tokens / runs, typical: 2_500, weight: 4 },
  // A model asked once, in an attempt that succeeds, is the usual case.
  { read: ({ turns, runs }) => turns / runs, typical: 1, weight: 3 },
  { read: ({ durationMs, runs }) => durationMs / runs, typical: 10_000, weight: 1.5 },
  { read: ({ failures, runs }) => failures / runs, typical: 0.1, weight: 1.5 },
];

/**
 * How much an agent takes to do a task, 0–10, with one decimal: by tokens, turns, duration and failures of its runs. Few runs leave it near 5:
 * `adaptiveMinSamples` of them move it half of the way.
 */
export function scoreIntensity(history: AgentHistory | null, { adaptiveMinSamples }: Pick<BudgetSettings, "adaptiveMinSamples">): number {
  if (history === null || history.runs === 0) return NEUTRAL_INTENSITY;
  const score = MEASURES.reduce((sum, { read, typical, weight }) => sum + (weight * read(history)) / (read(history) + typical), 0);
  const trusted = history.runs / (history.runs + adaptiveMinSamples);
  return Math.round((NEUTRAL_INTENSITY + (score - NEUTRAL_INTENSITY) * trusted) * 10) / 10;
}

/** What a score makes of a task's share: 1 at 5, 1 ± `intensityStrength` at 10 and 0. */
export function intensityFactor(score: number, { intensityStrength }: Pick<BudgetSettings, "intensityStrength">): number {
  return 1 + (intensityStrength * (score - NEUTRAL_INTENSITY)) / NEUTRAL_INTENSITY;
}
