import type { TierName } from "../../workflow/spec/agent.ts";
import type { EvidenceRow, EvidenceSums } from "./evidence.ts";
import { varianceOf } from "./find-regression.ts";
import { sumEvidence } from "./judge-models.ts";
import { SIGNIFICANT_ERRORS } from "./reorder-tier.ts";

/** Highest complexity scores of the weak and of the base tier. */
export interface Thresholds {
  weakMaxScore: number;
  baseMaxScore: number;
}

export interface ThresholdSettings {
  reoptimizeMinSamples: number;
  reoptimizeMinImprovement: number;
  reoptimizeMaxThresholdStep: number;
}

interface MoveRequest {
  thresholds: Thresholds;
  anchor: Thresholds;
  evidence: readonly EvidenceRow[];
  /** Not to be raised again yet. */
  lowered: ReadonlySet<keyof Thresholds>;
  settings: ThresholdSettings;
}

/** Furthest that a threshold goes from where the operator put it, in all runs together. */
export const MAX_DRIFT = 2;
const MAX_SCORE = 10;
/** A tier counts as no worse when it misses more often by at most this share of what counts as worse: between the two nothing moves. */
const NO_WORSE_SHARE = 0.25;

/**
 * Lowers a threshold when the answers of the tier below it miss clearly more often than those of the tier above, and raises it when
 * they do not and are clearly cheaper. Only checked answers count: one that nobody checked says nothing of how good it was. Needs
 * enough of them on both sides.
 */
export function moveThresholds({ thresholds, anchor, evidence, lowered, settings }: MoveRequest): { thresholds: Thresholds; reasons: string[] } {
  const next = { ...thresholds };
  const reasons: string[] = [];
  const boundaries: [keyof Thresholds, TierName, TierName][] = [["weakMaxScore", "weak", "base"], ["baseMaxScore", "base", "strong"]];
  for (const [name, below, above] of boundaries) {
    const direction = compareTiers(sumTier(evidence, below), sumTier(evidence, above), settings);
    if (direction === 0 || (direction > 0 && lowered.has(name))) continue;
    const to = clamp(next[name] + direction * settings.reoptimizeMaxThresholdStep, anchor[name]);
    if (to === next[name] || Math.sign(to - next[name]) !== direction) continue;
    reasons.push(`The highest score of tier ${below} goes from ${next[name]} to ${to}: its answers miss ${direction < 0 ? "clearly more often than" : "no more often than"} those of tier ${above}${direction < 0 ? "" : ", and cost less"}.`);
    next[name] = to;
  }
  return next.weakMaxScore > next.baseMaxScore ? { thresholds, reasons: [] } : { thresholds: next, reasons };
}

/** -1: too much goes to the lower tier; 1: more may go there; 0: leave it. */
function compareTiers(below: EvidenceSums, above: EvidenceSums, settings: ThresholdSettings): -1 | 0 | 1 {
  if (below.checks < settings.reoptimizeMinSamples || above.checks < settings.reoptimizeMinSamples) return 0;
  const [missBelow, missAbove] = [1 - below.quality / below.checks, 1 - above.quality / above.checks];
  const margin = settings.reoptimizeMinImprovement;
  const chance = SIGNIFICANT_ERRORS * Math.sqrt(varianceOf(missBelow, below.checks) + varianceOf(missAbove, above.checks));
  const worse = missBelow - missAbove;
  if (worse > margin && worse > chance) return -1;
  const isCheaper = below.costNanoUsd / below.calls < (above.costNanoUsd / above.calls) * (1 - margin);
  return worse <= margin * NO_WORSE_SHARE && chance <= margin && isCheaper ? 1 : 0;
}

function sumTier(evidence: readonly EvidenceRow[], tier: TierName): EvidenceSums {
  return sumEvidence(evidence.filter((row) => row.tier === tier));
}

function clamp(value: number, anchor: number): number {
  return Math.max(0, anchor - MAX_DRIFT, Math.min(MAX_SCORE, anchor + MAX_DRIFT, value));
}
