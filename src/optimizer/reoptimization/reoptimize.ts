import type { Settings } from "../../config/settings.ts";
import type { TierName } from "../../workflow/spec/agent.ts";
import type { EvidenceRow } from "./evidence.ts";
import { findRegression, measurePerformance, type Performance } from "./find-regression.ts";
import { judgeModels, type Judgement } from "./judge-models.ts";
import { moveThresholds, type Thresholds } from "./move-thresholds.ts";
import { dropOutdated } from "./recent-evidence.ts";
import { reorderTier } from "./reorder-tier.ts";

export type ReoptimizeSettings = Pick<
  Settings["routing"],
  | "costWeight" | "latencyWeight" | "qualityWeight"
  | "reoptimizeMinSamples" | "reoptimizeWindowMs" | "reoptimizeMinImprovement" | "reoptimizeMaxMoves" | "reoptimizeMaxThresholdStep" | "reoptimizeRollbackMargin"
>;

/** What the re-optimizer may change. */
export interface RoutingConfig {
  tiers: Record<TierName, string[]>;
  thresholds: Thresholds;
}

/** What was decided, from what, and why. `none` is not kept. */
export interface OptimizationDecision {
  /** Unix ms. */
  at: number;
  kind: "change" | "rollback" | "none";
  before: RoutingConfig;
  after: RoutingConfig;
  /** The thresholds as the operator set them: those of the re-optimizer stay near them. */
  anchor: Thresholds;
  evidence: Record<TierName, Judgement[]>;
  /** How well answers came under `before`: what a later run compares with. */
  performance: Performance;
  reasons: string[];
}

export interface ReoptimizeInput {
  config: RoutingConfig;
  /** Earlier decisions, newest first. */
  history: readonly OptimizationDecision[];
  /** What was seen since `evidenceSince` gave. */
  evidence: readonly EvidenceRow[];
  settings: ReoptimizeSettings;
  now: number;
}

/** For so many windows a change is on trial: what goes wrong later has other causes. */
const TRIAL_WINDOWS = 4;
/** How long what was rolled back is not tried again. */
export const REJECTED_MS = 86_400_000;
export const TIERS: readonly TierName[] = ["weak", "base", "strong"];

/** From when on evidence counts (Unix ms): within the window, and only what was seen under the configuration that holds now. */
export function evidenceSince(config: RoutingConfig, history: readonly OptimizationDecision[], { reoptimizeWindowMs }: Pick<ReoptimizeSettings, "reoptimizeWindowMs">, now: number): number {
  const inForce = findInForce(config, history);
  return Math.max(now - reoptimizeWindowMs, inForce?.at ?? 0);
}

/**
 * Decides what to change in the order of the tiers and in the thresholds of complexity, from what was measured. Pure.
 * A change that made answers fail, or miss, by more than the margin is undone first; and it is not made again within a day.
 */
export function reoptimize({ config, history, evidence, settings, now }: ReoptimizeInput): OptimizationDecision {
  const inForce = findInForce(config, history);
  const performance = measurePerformance(evidence);
  const judgements = Object.fromEntries(TIERS.map((tier) => [tier, judgeModels(dropOutdated(evidence.filter((row) => row.tier === tier), settings), settings)])) as Record<TierName, Map<string, Judgement>>;
  const base = {
    at: now,
    before: config,
    anchor: inForce?.anchor ?? config.thresholds,
    evidence: Object.fromEntries(TIERS.map((tier) => [tier, [...judgements[tier].values()]])) as Record<TierName, Judgement[]>,
    performance,
  };
  const regression = inForce?.kind === "change" && now - inForce.at <= TRIAL_WINDOWS * settings.reoptimizeWindowMs ? findRegression(inForce.performance, performance, settings) : null;
  if (regression !== null) return { ...base, kind: "rollback", after: inForce!.before, reasons: [regression] };

  const tiers = Object.fromEntries(TIERS.map((tier) => [tier, reorderTier(config.tiers[tier], judgements[tier], settings)])) as Record<TierName, string[]>;
  const moved = moveThresholds({ thresholds: config.thresholds, anchor: base.anchor, evidence, lowered: listLowered(history, now), settings });
  const rejected = history.filter(({ kind, at }) => kind === "rollback" && now - at < REJECTED_MS).map(({ before }) => before);
  const isRejected = (proposal: RoutingConfig): boolean => rejected.some((other) => isSameConfig(other, proposal));
  // Where all of it together was rolled back before, a part may still be right.
  const proposals = [{ tiers, thresholds: moved.thresholds }, { tiers, thresholds: config.thresholds }, { tiers: config.tiers, thresholds: moved.thresholds }];
  const after = proposals.find((proposal) => !isRejected(proposal)) ?? config;
  if (isSameConfig(after, config)) return { ...base, kind: "none", after: config, reasons: [explainNone(evidence, settings)] };
  const reasons = [...TIERS.flatMap((tier) => explainOrder(tier, config.tiers[tier], after.tiers[tier], judgements[tier])), ...(isSameThresholds(after.thresholds, config.thresholds) ? [] : moved.reasons)];
  return { ...base, kind: "change", after, reasons };
}

export function isSameConfig(left: RoutingConfig, right: RoutingConfig): boolean {
  return isSameThresholds(left.thresholds, right.thresholds) && TIERS.every((tier) => left.tiers[tier].length === right.tiers[tier].length && left.tiers[tier].every((model, place) => model === right.tiers[tier][place]));
}

export function isSameThresholds(left: Thresholds, right: Thresholds): boolean {
  return left.weakMaxScore === right.weakMaxScore && left.baseMaxScore === right.baseMaxScore;
}

/** The newest decision, if the configuration is still as it left it: else somebody has changed it since. */
function findInForce(config: RoutingConfig, [newest]: readonly OptimizationDecision[]): OptimizationDecision | null {
  return newest !== undefined && isSameConfig(newest.after, config) ? newest : null;
}

/** Thresholds that were lowered within a day: raising them again would go back and forth. */
function listLowered(history: readonly OptimizationDecision[], now: number): Set<keyof Thresholds> {
  const recent = history.filter(({ at }) => now - at < REJECTED_MS);
  return new Set((["weakMaxScore", "baseMaxScore"] as const).filter((name) => recent.some(({ before, after }) => after.thresholds[name] < before.thresholds[name])));
}

function explainNone(evidence: readonly EvidenceRow[], { reoptimizeMinSamples }: ReoptimizeSettings): string {
  const calls = evidence.reduce((sum, row) => sum + row.calls, 0);
  return calls < reoptimizeMinSamples ? `Only ${calls} calls were seen since the last change or within the window; ${reoptimizeMinSamples} of a model are needed.` : "Nothing is clearly better than what holds now.";
}

function explainOrder(tier: TierName, before: readonly string[], after: readonly string[], judgements: ReadonlyMap<string, Judgement>): string[] {
  return after.flatMap((model, place) => {
    const from = before.indexOf(model);
    const judged = judgements.get(model);
    if (from <= place || judged === undefined) return [];
    const quality = judged.quality === null ? "" : `, ${percent(judged.quality)} of checked answers good`;
    return [`Tier ${tier}: ${model} moves from place ${from + 1} to ${place + 1} (${judged.calls} calls, ${percent(judged.successRate)} answered${quality}, ${Math.round(judged.meanLatencyMs)} ms and $${(judged.meanCostNanoUsd / 1e9).toPrecision(3)} on average).`];
  });
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
