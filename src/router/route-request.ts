import type { RoutingSettings, Strategy } from "../config/routing-settings.ts";
import type { Settings } from "../config/settings.ts";
import type { ModelCapability, TierDocument } from "../config/tiers.ts";
import type { Failure } from "../errors.ts";
import type { Intent } from "../optimizer/intents/intent.ts";
import type { TaskType, TierName } from "../workflow/spec/agent.ts";
import { scoreComplexity, tierOfComplexity, type Complexity } from "./complexity.ts";
import { findModel, isEmbedded, listTier } from "./find-model.ts";
import { inferTaskType } from "./infer-task-type.ts";
import type { MetricsSnapshot } from "./metrics/model-metrics.ts";
import { howToConfigure, measureModel, rankModels, type CallNeeds, type RankedModel, type Ranking } from "./rank.ts";

/** What is to be answered. Only tokens and the task's type are needed to choose; everything else steers. */
export interface RouteRequest {
  /** Null: inferred from the prompt, or from the intent where the prompt says nothing. */
  taskType: TaskType | null;
  prompt?: string | null;
  intent?: Intent | null;
  /** Everything that will be sent, in tokens. */
  contextTokens: number;
  files: number;
  /** Share of this tenant's tasks of this type that failed lately, 0–1. */
  failureRate: number;
  /** Null: the settings'. */
  strategy?: Strategy | null;
  tier?: TierName | null;
  /** A pinned model: this one or none. */
  model?: string | null;
  /** What a plan of the whole workflow has for this call: taken if it is a healthy model of the tier that can take it. */
  plannedModel?: string | null;
  /** A random number from 0 to below 1: decides whether this call tries a model out that is not the best by what was measured. Null: it does not. */
  explore?: number | null;
  maxOutputTokens: number | null;
  needs: readonly ModelCapability[];
  /** Null: what the settings assume. */
  expectedOutputTokens?: number | null;
  /** What the call may cost at most; null: anything. */
  budgetLeftNanoUsd?: number | null;
}

export interface RouteContext {
  document: TierDocument;
  metrics: MetricsSnapshot | null;
  settings: RoutingSettings;
  /** How the type of a task is found that names none. */
  classification: Pick<Settings["classification"], "inferTaskType" | "defaultTaskType">;
  /** For how many answers a model's stated quality counts before the measured one outweighs it. */
  priorCalls: number;
  isConfigured: (providerId: string) => boolean;
  /** Unix ms. */
  now: number;
}

export interface RouteChoice {
  taskType: TaskType;
  complexity: Complexity;
  tier: TierName;
  chosen: RankedModel;
  /** Why this tier and this model, as a sentence for people. */
  reason: string;
  /** The tier's models, best first, then those of the tier above; each says why it was or was not chosen. */
  candidates: RankedModel[];
  /** Who is asked when the chosen one fails: the rest of the tier in its order, then the tier above. */
  fallbacks: RankedModel[];
}

export interface RouteRefusal {
  taskType: TaskType;
  complexity: Complexity;
  tier: TierName;
  failure: Failure;
  /** When the earliest of the resting models may be asked again; null when waiting would not help. */
  retryAfterMs: number | null;
  candidates: RankedModel[];
}

export type RouteDecision = RouteChoice | RouteRefusal;

/** The tier above each; the strong one has none. */
export const TIER_ABOVE: Record<TierName, TierName | null> = { weak: "base", base: "strong", strong: null };

/** The tiers below each, the higher first. */
export const TIERS_BELOW: Record<TierName, readonly TierName[]> = { weak: [], base: ["weak"], strong: ["base", "weak"] };

/**
 * Chooses the model of one call, and who takes over when it fails. Pure.
 * A pinned model is taken or nothing is. The embedded engine is taken only when it is pinned or no other model of the tier is
 * configured; it never takes over from another model.
 */
export function routeRequest(request: RouteRequest, context: RouteContext): RouteDecision {
  const taskType = findTaskType(request, context.classification);
  const complexity = scoreComplexity({ taskType, contextTokens: request.contextTokens, files: request.files, failureRate: request.failureRate }, context.settings);
  const needs = needsOf(request, context.settings);
  if (request.model != null) return routePinned(request.model, request.tier ?? null, { taskType, complexity, needs }, context);
  const tier = request.tier ?? tierOfComplexity(complexity, context.settings);
  const strategy = request.strategy ?? context.settings.strategy;
  const own = rankModels(listTier(context.document, tier), needs, strategy, context);
  const aboveTier = TIER_ABOVE[tier];
  const above = aboveTier === null ? NOBODY : rankAbove(aboveTier, needs, strategy, context);
  const candidates = [...own.eligible, ...own.excluded, ...above.eligible, ...above.excluded];
  const chosen = findPlanned(request, own) ?? findPlannedBelow(request, tier, needs, strategy, context) ?? findExplored(request, own, needs, strategy, context) ?? own.eligible[0] ?? above.eligible[0];
  if (chosen === undefined) return { taskType, complexity, tier, candidates, ...refuse(tier, own, above, context.now) };
  if (chosen.tier === tier) for (const model of above.eligible) model.reason = `is asked when no model of tier ${tier} answers`;
  const fallbacks = [...byDocument(own, context), ...byDocument(above, context)].filter((model) => model !== chosen).slice(0, context.settings.maxFallbacks);
  const reason = `${whyTier(request, taskType, complexity, tier, context.settings)}; ${whyModel(chosen, tier, own)}.`;
  return { taskType, complexity, tier: chosen.tier, chosen, reason, candidates: candidates.includes(chosen) ? candidates : [chosen, ...candidates], fallbacks };
}

/** The planned model, where it is another than the best for this call alone. */
function findPlanned({ plannedModel }: RouteRequest, { eligible }: Ranking): RankedModel | undefined {
  if (plannedModel == null) return undefined;
  const planned = eligible.find(({ model, needsProbe }) => model.id === plannedModel && !needsProbe);
  const best = eligible[0];
  if (planned !== undefined && best !== undefined && planned !== best) {
    planned.reason = "is what the workflow as a whole does best with";
    best.reason = "is best for this call alone";
  }
  return planned;
}

/** A plan that has to keep to a budget may have a model of a tier below, where the call names none. */
function findPlannedBelow(request: RouteRequest, tier: TierName, needs: CallNeeds, strategy: Strategy, context: RouteContext): RankedModel | undefined {
  const plannedTier = request.plannedModel == null || request.tier != null ? undefined : findModel(context.document, request.plannedModel)?.model.tier;
  if (plannedTier === undefined || !TIERS_BELOW[tier].includes(plannedTier)) return undefined;
  const { eligible } = rankModels(listTier(context.document, plannedTier), needs, strategy, context);
  const planned = eligible.find((model) => model.model.id === request.plannedModel && !model.needsProbe && !isEmbedded(model));
  if (planned !== undefined) planned.reason = "is what the workflow's budget allows";
  return planned;
}

/**
 * Now and then, one that measurements speak against: calls that all keep away from it would never show that it has recovered. Only models
 * that would stand no lower than the best if nothing had been measured are tried, so that price and stated quality hold.
 */
function findExplored({ explore, plannedModel }: RouteRequest, { eligible }: Ranking, needs: CallNeeds, strategy: Strategy, context: RouteContext): RankedModel | undefined {
  const { exploreShare } = context.settings;
  const [best] = eligible;
  if (explore == null || explore >= exploreShare || plannedModel != null || best === undefined || eligible.length === 1) return undefined;
  const unmeasured = rankModels(eligible, needs, strategy, { ...context, metrics: null }).eligible;
  const bestPlace = unmeasured.findIndex(({ model }) => model === best.model);
  const isAsGood = (other: RankedModel, place: number): boolean => (other.score === unmeasured[bestPlace]!.score ? other.expectedNanoUsd <= best.expectedNanoUsd : place < bestPlace);
  const asGood = new Set(unmeasured.filter(isAsGood).map(({ model }) => model));
  const worthTrying = eligible.filter((member) => member !== best && !member.needsProbe && asGood.has(member.model));
  const tried = worthTrying[Math.floor((explore / exploreShare) * worthTrying.length)];
  if (tried !== undefined) tried.reason = "is tried now and then, since only what was measured speaks against it";
  return tried;
}

/** The type that is named, else the one that the prompt or the intent tells, else the settings' default. */
export function findTaskType({ taskType, prompt, intent }: Pick<RouteRequest, "taskType" | "prompt" | "intent">, classification: RouteContext["classification"]): TaskType {
  const inferred = taskType === null && classification.inferTaskType ? inferTaskType(prompt ?? null, intent ?? null) : null;
  return taskType ?? inferred ?? classification.defaultTaskType;
}

const NOBODY: Ranking = { eligible: [], excluded: [] };

/** The embedded engine is nobody's substitute. */
function rankAbove(tier: TierName, needs: CallNeeds, strategy: Strategy, context: RouteContext): Ranking {
  return rankModels(listTier(context.document, tier).filter((member) => !isEmbedded(member)), needs, strategy, context);
}

function needsOf(request: RouteRequest, settings: RoutingSettings): CallNeeds {
  const { maxOutputTokens } = request;
  const expected = request.expectedOutputTokens ?? settings.assumedOutputTokens;
  return {
    capabilities: request.needs,
    inputTokens: request.contextTokens,
    maxOutputTokens,
    expectedOutputTokens: maxOutputTokens === null ? expected : Math.min(expected, maxOutputTokens),
    budgetLeftNanoUsd: request.budgetLeftNanoUsd ?? null,
  };
}

/** Those who can take the call in the tier's own order, which is the order of falling back. */
function byDocument({ eligible }: Ranking, { document }: RouteContext): RankedModel[] {
  const [first] = eligible;
  if (first === undefined || eligible.length === 1) return eligible;
  const position = new Map(listTier(document, first.tier).map(({ model }, index) => [model.id, index]));
  return eligible.toSorted((left, right) => position.get(left.model.id)! - position.get(right.model.id)!);
}

interface Assessed {
  taskType: TaskType;
  complexity: Complexity;
  needs: CallNeeds;
}

/** A pinned model is called whatever its limits and its health say: the client knows, or learns from the provider. */
function routePinned(modelId: string, tier: TierName | null, { taskType, complexity, needs }: Assessed, context: RouteContext): RouteDecision {
  const found = findModel(context.document, modelId);
  const refused = (message: string, ownTier: TierName): RouteRefusal => ({ taskType, complexity, tier: ownTier, failure: unavailable(message), retryAfterMs: null, candidates: [] });
  if (found === null) return refused(`The model ${modelId} is pinned but not in the tiers document: add it there or pin another.`, tier ?? "base");
  const isListed = tier !== null && context.document.tiers[tier].includes(modelId);
  const ownTier = isListed ? tier : found.model.tier;
  if (!context.isConfigured(found.provider.id)) return refused(`The model ${modelId} is pinned but cannot be called: ${howToConfigure(found)}.`, ownTier);
  const chosen: RankedModel = { ...measureModel({ ...found, tier: ownTier }, needs, context), score: 1, needsProbe: false, openUntil: null, reason: "is pinned" };
  return { taskType, complexity, tier: ownTier, chosen, reason: `The model ${modelId} is pinned.`, candidates: [chosen], fallbacks: [] };
}

function whyTier(request: RouteRequest, taskType: TaskType, complexity: Complexity, tier: TierName, settings: RoutingSettings): string {
  if (request.tier != null) return `Tier ${tier} is asked for`;
  const type = request.taskType === null ? `${taskType} (read from the prompt)` : taskType;
  if (complexity.factors.type >= settings.strongTypePoints) return `Tasks of type ${type} go to tier ${tier}`;
  return `Complexity ${complexity.score} (${type}) goes to tier ${tier}`;
}

function whyModel(chosen: RankedModel, tier: TierName, own: Ranking): string {
  const { id } = chosen.model;
  if (chosen.tier !== tier) return `${own.eligible.length === 0 ? "no model of it can take the call, and " : ""}${id} of tier ${chosen.tier} ${chosen.reason}`;
  if (!isEmbedded(chosen)) return `${id} ${chosen.reason}`;
  return own.excluded.length > 0 ? `no other model of it is configured, so the embedded ${id} engine answers` : `the embedded ${id} engine is its only model`;
}

/** What to tell somebody whose call nobody can take: what to configure, when to come back, or what is too large. */
function refuse(tier: TierName, own: Ranking, above: Ranking, now: number): Pick<RouteRefusal, "failure" | "retryAfterMs"> {
  const configured = [...own.excluded, ...above.excluded].filter(({ excludedBy }) => excludedBy !== "unconfigured" && excludedBy !== "embedded");
  const resting = configured.flatMap(({ openUntil, excludedBy }) => (excludedBy === "circuit" && openUntil !== null ? [openUntil] : []));
  if (resting.length > 0) {
    const message = `No model of tier ${tier} can be called now: ${describe(configured)}.`;
    return { failure: { code: "provider_unavailable", message, retryable: true }, retryAfterMs: Math.max(0, Math.min(...resting) - now) };
  }
  if (configured.length > 0) return { failure: unavailable(`No model of tier ${tier} can take this call: ${describe(configured)}.`), retryAfterMs: null };
  const ways = own.excluded.map(howToConfigure);
  return { failure: unavailable(`No model of tier ${tier} can be called: ${ways.length === 0 ? "it lists no model" : ways.join(", or ")}.`), retryAfterMs: null };
}

function describe(models: readonly RankedModel[]): string {
  return models.map(({ model, reason }) => `${model.id} ${reason}`).join("; ");
}

function unavailable(message: string): Failure {
  return { code: "provider_unavailable", message, retryable: false };
}
