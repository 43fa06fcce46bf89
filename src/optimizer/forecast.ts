/** An amount that a workflow is expected to use, or has used: integer nano-dollars, and tokens, input and output together. */
export interface Use {
  nanoUsd: number;
  tokens: number;
}

/** Where a workflow stands. All are sums that each ending task moves a little, so that a forecast costs the same whatever the size of the workflow. */
export interface Progress {
  /** All that was spent, also by tasks that are still open. */
  spent: Use;
  /** Of tasks that have ended: what the plan expected of them, and what they spent. */
  doneExpected: Use;
  doneSpent: Use;
  /** What the plan expects of tasks that have not ended. */
  openExpected: Use;
}

/** Before tasks have ended that were expected to use this share of the whole, half of the plan's expectation is believed. */
const TRUSTED_SHARE = 0.1;
/** However wrong the plan was so far: the rest is not taken to cost more than so many times what it says, or less than one part in as many. */
const MAX_CORRECTION = 20;

/**
 * What the workflow will have used when it ends: what is spent, and what is expected of the rest, corrected by how right the plan was
 * about what is done. Never less than what is spent.
 */
export function forecast(progress: Progress): Use {
  return { nanoUsd: forecastUnit(progress, "nanoUsd"), tokens: forecastUnit(progress, "tokens") };
}

function forecastUnit({ spent, doneExpected, doneSpent, openExpected }: Progress, unit: keyof Use): number {
  const trusted = TRUSTED_SHARE * (doneExpected[unit] + openExpected[unit]);
  // The plan's own word counts as much as tasks of a tenth of the workflow that came out as expected.
  const ratio = trusted === 0 ? 1 : (doneSpent[unit] + trusted) / (doneExpected[unit] + trusted);
  const correction = Math.min(MAX_CORRECTION, Math.max(1 / MAX_CORRECTION, ratio));
  // Attempts under way have spent a part of what is expected of their tasks.
  const onOpen = Math.max(0, spent[unit] - doneSpent[unit]);
  return doneSpent[unit] + Math.ceil(Math.max(onOpen, openExpected[unit] * correction));
}

/** How far a plan's expectation lay from what the workflow used: 0 is right, 1 as far off as the larger of the two. */
export function forecastError(expected: number, used: number): number {
  const larger = Math.max(expected, used);
  return larger === 0 ? 0 : Math.abs(expected - used) / larger;
}

/** Sums of past workflows' errors. */
export interface ForecastAccuracy {
  workflows: number;
  /** Sums of `forecastError` over them. */
  costError: number;
  tokensError: number;
}

/** The mean errors in percent, with one decimal; null while nothing was foreseen. */
export function describeAccuracy({ workflows, costError, tokensError }: ForecastAccuracy): { workflows: number; meanErrorPercent: number | null; meanTokensErrorPercent: number | null } {
  const percent = (sum: number): number | null => (workflows === 0 ? null : Math.round((sum / workflows) * 1_000) / 10);
  return { workflows, meanErrorPercent: percent(costError), meanTokensErrorPercent: percent(tokensError) };
}
