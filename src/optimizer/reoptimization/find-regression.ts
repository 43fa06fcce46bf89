import type { EvidenceRow, EvidenceSums } from "./evidence.ts";
import { sumEvidence } from "./judge-models.ts";
import { SIGNIFICANT_ERRORS } from "./reorder-tier.ts";

type Counts = Pick<EvidenceSums, "calls" | "successes" | "checks" | "quality">;

/** How many calls gave an answer, and how good the checked ones were, by type of task. */
export type Performance = Record<string, Counts>;

export interface RegressionSettings {
  reoptimizeMinSamples: number;
  reoptimizeRollbackMargin: number;
}

export function measurePerformance(evidence: readonly EvidenceRow[]): Performance {
  return Object.fromEntries([...Map.groupBy(evidence, ({ taskType }) => taskType)].map(([taskType, rows]) => {
    const { calls, successes, checks, quality } = sumEvidence(rows);
    return [taskType, { calls, successes, checks, quality }];
  }));
}

/** What became worse by more than the margin, and by more than chance; null when nothing did, or too little was seen. Task types are compared each with itself, as far as both sides saw them. */
export function findRegression(before: Performance, after: Performance, settings: RegressionSettings): string | null {
  const common = Object.keys(after).filter((taskType) => before[taskType] !== undefined);
  const worse = (what: string, count: "calls" | "checks", good: "successes" | "quality"): string | null => {
    const types = common.filter((taskType) => before[taskType]![count] > 0 && after[taskType]![count] > 0);
    const now = types.reduce((sum, taskType) => sum + after[taskType]![count], 0);
    const then = types.reduce((sum, taskType) => sum + before[taskType]![count], 0);
    if (now < settings.reoptimizeMinSamples || then < settings.reoptimizeMinSamples) return null;
    const rateNow = types.reduce((sum, taskType) => sum + after[taskType]![good], 0) / now;
    // What the old configuration would have made of the tasks that the new one was given.
    const rateThen = types.reduce((sum, taskType) => sum + after[taskType]![count] * (before[taskType]![good] / before[taskType]![count]), 0) / now;
    const error = Math.sqrt(varianceOf(rateNow, now) + varianceOf(rateThen, then));
    const fall = rateThen - rateNow;
    if (fall <= settings.reoptimizeRollbackMargin || fall <= SIGNIFICANT_ERRORS * error) return null;
    return `The change is undone: ${what} fell from ${Math.round(rateThen * 100)} to ${Math.round(rateNow * 100)} % (${then} calls before, ${now} after).`;
  };
  return worse("the share of calls that were answered", "calls", "successes") ?? worse("the quality of checked answers", "checks", "quality");
}

/** Of a share; never 0, since a few calls that all went well prove little. */
export function varianceOf(rate: number, count: number): number {
  return (rate * (1 - rate) + 1 / (count + 1)) / count;
}
