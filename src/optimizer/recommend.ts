import type { TierName } from "../workflow/spec/agent.ts";
import type { CallSums } from "./call-stats.ts";

/** Fewer answers than this say too little. */
export const MIN_ANSWERS = 20;
/** From this share of unusable answers on, paying for them and then for the next tier's too costs more than it saves. */
export const MISS_SHARE = 0.2;

/** Advice to send the tasks of a type to a higher tier at once. */
export interface Recommendation {
  taskType: string;
  tier: TierName;
  recommendedTier: TierName;
  /** Answers of the tier to tasks of the type. */
  answers: number;
  /** Share of them that missed what was asked for. */
  missRate: number;
  reason: string;
}

const NEXT_TIER: Record<string, { tier: TierName; recommendedTier: TierName }> = {
  weak: { tier: "weak", recommendedTier: "base" },
  base: { tier: "base", recommendedTier: "strong" },
};

/** Task types whose answers too often miss what was asked for, the worst first. Answers are those that ended in the tier, and those that were asked again one tier up. */
export function recommendTiers(cells: readonly { tier: string; taskType: string; sums: CallSums }[]): Recommendation[] {
  const found = cells.flatMap(({ tier, taskType, sums }): Recommendation[] => {
    const next = NEXT_TIER[tier];
    const answers = sums.routes - (sums.failures - sums.misses) + sums.escalations;
    const missRate = answers === 0 ? 0 : (sums.escalations + sums.misses) / answers;
    if (next === undefined || taskType === "" || answers < MIN_ANSWERS || missRate < MISS_SHARE) return [];
    const reason = `${Math.round(missRate * 100)} % of ${answers} answers of tier ${tier} to tasks of type ${taskType} missed what was asked for: send them to tier ${next.recommendedTier} at once.`;
    return [{ ...next, taskType, answers, missRate: Math.round(missRate * 1_000) / 1_000, reason }];
  });
  return found.sort((left, right) => right.missRate - left.missRate || (left.taskType < right.taskType ? -1 : 1));
}
