import type { RoutingSettings, Strategy } from "../config/routing-settings.ts";
import type { ModelCapability } from "../config/tiers.ts";
import { expectCostNanoUsd, isFreePrice, priceWorstCase } from "../optimizer/price.ts";
import { isEmbedded, type TierModel } from "./find-model.ts";
import type { MetricsSnapshot, ModelMetrics } from "./metrics/model-metrics.ts";
import { requiredNames } from "./registry.ts";

export type RankSettings = Pick<
  RoutingSettings,
  "preferFreeTier" | "costWeight" | "latencyWeight" | "qualityWeight" | "assumedFirstTokenMs" | "assumedTokensPerSecond" | "assumedQuality"
>;

/** What a call asks of a model. */
export interface CallNeeds {
  capabilities: readonly ModelCapability[];
  inputTokens: number;
  /** The cap that will be sent; null when the caller sets none. */
  maxOutputTokens: number | null;
  /** What the answer is expected to have, at most the cap. */
  expectedOutputTokens: number;
  /** What may be spent on this call; null when nothing limits it. */
  budgetLeftNanoUsd: number | null;
}

/** What is known at the moment of the choice. */
export interface RankContext {
  metrics: MetricsSnapshot | null;
  settings: RankSettings;
  /** For how many answers the quality of a model's entry counts before those that were checked outweigh it. */
  priorCalls: number;
  isConfigured: (providerId: string) => boolean;
  /** Unix ms. */
  now: number;
}

/** Why a model cannot take a call. `embedded`: it does not stand in for others. */
export type Exclusion = "unconfigured" | "embedded" | "capability" | "context" | "output" | "circuit" | "budget";

export interface RankedModel extends TierModel {
  /** 0–1, 1 is the best of its tier; null when it cannot take the call. */
  score: number | null;
  expectedNanoUsd: number;
  expectedMs: number;
  /** 0–10: what its entry states, times the share of its answers that passed their checks. */
  quality: number;
  /** Its circuit is half-open: one call at a time may try whether it has recovered. */
  needsProbe: boolean;
  excludedBy: Exclusion | null;
  /** When its open circuit lets a call through again; null when that is not what is wrong. */
  openUntil: number | null;
  /** Why it is, or is not, chosen: for people. */
  reason: string;
}

/** The models of a tier, best first, then those that cannot take the call; each in the tier's order where nothing else decides. */
export interface Ranking {
  eligible: RankedModel[];
  excluded: RankedModel[];
}

/** Ranks the models of one tier for one call. Pure and total: the same input has the same order, and ties go by the tier's order. */
export function rankModels(members: readonly TierModel[], needs: CallNeeds, strategy: Strategy, context: RankContext): Ranking {
  const isConfigured = rememberAnswers(context.isConfigured);
  const hasOther = members.some((member) => !isEmbedded(member) && isConfigured(member.provider.id));
  const cap = clipCap(members, needs, isConfigured);
  const eligible: RankedModel[] = [];
  const excluded: RankedModel[] = [];
  for (const member of members) {
    const ranked = measureModel(member, needs, context);
    exclude(ranked, needs, cap, context, isConfigured, hasOther);
    (ranked.excludedBy === null ? eligible : excluded).push(ranked);
  }
  scoreModels(eligible, strategy, context.settings);
  return { eligible, excluded };
}

/** Milliseconds that an answer of `outputTokens` takes: the time to its first token, then tokens over the measured speed. */
export function expectDurationMs(metrics: ModelMetrics | undefined, outputTokens: number, settings: Pick<RankSettings, "assumedFirstTokenMs" | "assumedTokensPerSecond">): number {
  const speed = metrics?.tokensPerSecond ?? null;
  const firstTokenMs = metrics?.timeToFirstTokenMs?.p50 ?? null;
  // An engine that gives its answer in one piece has a latency only, and that is all there is to wait for.
  if (firstTokenMs === null && speed === null && metrics?.latencyMs != null) return metrics.latencyMs.p50;
  return (firstTokenMs ?? settings.assumedFirstTokenMs) + (outputTokens * 1_000) / Math.max(speed ?? settings.assumedTokensPerSecond, 0.1);
}

/** What a call of this model is expected to cost and take, before anybody asks whether it can be made. */
export function measureModel(member: TierModel, needs: CallNeeds, { metrics, settings, priorCalls, now }: Omit<RankContext, "isConfigured">): RankedModel {
  const measured = metrics?.models[member.model.id];
  const circuit = measured?.circuit;
  const isOpen = circuit?.state === "open" && circuit.openUntil !== null && now < circuit.openUntil;
  return {
    model: member.model,
    provider: member.provider,
    tier: member.tier,
    score: null,
    expectedNanoUsd: expectCostNanoUsd(needs.inputTokens, Math.min(needs.expectedOutputTokens, member.model.maxOutputTokens), member.model.price),
    expectedMs: expectDurationMs(measured, needs.expectedOutputTokens, settings),
    quality: (member.model.quality ?? settings.assumedQuality) * passRate(measured, priorCalls),
    needsProbe: circuit !== undefined && circuit.state !== "closed" && !isOpen,
    excludedBy: null,
    openUntil: isOpen ? circuit.openUntil : null,
    reason: "",
  };
}

/** The share of answers that pass their checks; those of a model that was never checked are believed to. */
function passRate(metrics: ModelMetrics | undefined, priorCalls: number): number {
  if (metrics == null || metrics.quality === null) return 1;
  const answers = priorCalls + metrics.calls;
  return answers === 0 ? 1 : (priorCalls + metrics.quality * metrics.calls) / answers;
}

/** A cap is a limit, no demand: what the largest answer of the tier cannot reach is cut to it. */
function clipCap(members: readonly TierModel[], { maxOutputTokens }: CallNeeds, isConfigured: (providerId: string) => boolean): number | null {
  if (maxOutputTokens === null) return null;
  let largest = 0;
  for (const { model, provider } of members) if (model.maxOutputTokens > largest && isConfigured(provider.id)) largest = model.maxOutputTokens;
  return largest === 0 ? maxOutputTokens : Math.min(maxOutputTokens, largest);
}

/** Marks a model that cannot take the call with the first thing that is in its way. */
function exclude(ranked: RankedModel, needs: CallNeeds, cap: number | null, context: RankContext, isConfigured: (providerId: string) => boolean, hasOther: boolean): void {
  const { model, provider } = ranked;
  const mark = (excludedBy: Exclusion, reason: string): void => {
    ranked.excludedBy = excludedBy;
    ranked.reason = reason;
  };
  if (!isConfigured(provider.id)) return mark("unconfigured", `is not configured: ${howToConfigure(ranked)}`);
  if (hasOther && isEmbedded(ranked)) return mark("embedded", "does not stand in for the configured models of the tier");
  const missing = needs.capabilities.find((capability) => !model.capabilities.includes(capability));
  if (missing !== undefined) return mark("capability", `has no ${missing}`);
  if (cap !== null && model.maxOutputTokens < cap) return mark("output", `writes at most ${model.maxOutputTokens} tokens, not ${cap}`);
  const total = needs.inputTokens + (cap ?? Math.min(needs.expectedOutputTokens, model.maxOutputTokens));
  if (total > model.contextWindow) return mark("context", `has a context window of ${model.contextWindow} tokens, too small for ${total}`);
  if (needs.budgetLeftNanoUsd !== null) {
    const worst = priceWorstCase(needs.inputTokens, cap ?? model.maxOutputTokens, model.price);
    if (worst > needs.budgetLeftNanoUsd) return mark("budget", `may cost ${formatUsd(worst)} and ${formatUsd(needs.budgetLeftNanoUsd)} is left`);
  }
  if (ranked.openUntil !== null) mark("circuit", `failed too often and rests for another ${Math.ceil((ranked.openUntil - context.now) / 1_000)} s`);
}

/** Orders in place, and says of each model why it stands where it does. */
function scoreModels(models: RankedModel[], strategy: Strategy, settings: RankSettings): void {
  if (models.length === 0) return;
  const measure = createMeasure(models, strategy, settings);
  for (const model of models) model.score = 1 - measure(model);
  const prefersFree = strategy === "balanced" && settings.preferFreeTier && models.some(isFree);
  // Sorting is stable: equal scores keep the tier's order.
  models.sort((left, right) => (prefersFree ? Number(isFree(right)) - Number(isFree(left)) : 0) || right.score! - left.score!);
  const best = models[0]!;
  best.reason = models.length === 1 ? "is the only model of the tier that can take the call" : prefersFree && isFree(best) ? `costs nothing, and ${BEST[strategy]} of those` : BEST[strategy];
  for (const model of models) {
    if (model === best) continue;
    if (prefersFree && isFree(best) && !isFree(model)) model.reason = `costs money, and ${best.model.id} does not`;
    else model.reason = model.score === best.score ? `is as good as ${best.model.id}, which stands before it in the tier` : `${BEHIND[strategy]} ${best.model.id}`;
  }
}

const BEST: Record<Strategy, string> = {
  cheapest: "is expected to cost least",
  fastest: "is expected to answer first",
  quality: "has the highest quality",
  balanced: "has the best balance of cost, speed and quality",
};

const BEHIND: Record<Strategy, string> = {
  cheapest: "is expected to cost more than",
  fastest: "is expected to answer later than",
  quality: "has a lower quality than",
  balanced: "balances cost, speed and quality less well than",
};

/** How far a model is from the best of the candidates, 0–1. */
function createMeasure(models: readonly RankedModel[], strategy: Strategy, settings: RankSettings): (model: RankedModel) => number {
  const cost = normalise(models, (model) => model.expectedNanoUsd);
  const latency = normalise(models, (model) => model.expectedMs);
  const quality = normalise(models, (model) => -model.quality);
  if (strategy === "cheapest") return cost;
  if (strategy === "fastest") return latency;
  if (strategy === "quality") return quality;
  const sum = settings.costWeight + settings.latencyWeight + settings.qualityWeight || 1;
  return (model) => (settings.costWeight * cost(model) + settings.latencyWeight * latency(model) + settings.qualityWeight * quality(model)) / sum;
}

function normalise(models: readonly RankedModel[], read: (model: RankedModel) => number): (model: RankedModel) => number {
  let least = Infinity;
  let most = -Infinity;
  for (const model of models) {
    const value = read(model);
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const range = most - least;
  return range === 0 ? () => 0 : (model) => (read(model) - least) / range;
}

function isFree({ model }: RankedModel): boolean {
  return isFreePrice(model.price);
}

/** Never the values of secrets, only the names to set. */
export function howToConfigure({ model, provider }: Pick<TierModel, "model" | "provider">): string {
  const names = requiredNames(provider);
  return names.length === 0 ? `register the provider ${provider.id} for ${model.id}` : `set ${names.join(" and ")} for ${model.id}`;
}

export function formatUsd(nanoUsd: number): string {
  return `$${(nanoUsd / 1e9).toPrecision(3)}`;
}

/** Many models share a provider: each is asked about once a ranking. */
function rememberAnswers(ask: (name: string) => boolean): (name: string) => boolean {
  const answers = new Map<string, boolean>();
  return (name) => {
    let answer = answers.get(name);
    if (answer === undefined) {
      answer = ask(name);
      answers.set(name, answer);
    }
    return answer;
  };
}
