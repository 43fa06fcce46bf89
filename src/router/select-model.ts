import type { ModelEntry, ProviderEntry, TierDocument } from "../config/tiers.ts";
import type { Failure } from "../errors.ts";
import { TASK_TYPE_POINTS, type TaskType, type TierName } from "../workflow/agent.ts";
import { requiredNames } from "./registry.ts";

export interface ModelRequest {
  /** A pinned model: this one or none. */
  model: string | null;
  tier: TierName | null;
  taskType: TaskType | null;
}

export interface SelectedRoute {
  tier: TierName;
  model: string;
  provider: string;
  /** Null until tasks are scored. */
  complexity: number | null;
  /** A sentence for people. */
  reason: string;
}

export interface Selection {
  route: SelectedRoute;
  model: ModelEntry;
  provider: ProviderEntry;
}

interface Candidate {
  model: ModelEntry;
  provider: ProviderEntry;
}

/** The tier of a task that names neither tier nor type. */
const DEFAULT_TIER: TierName = "base";

/**
 * Chooses the model of a task: the pinned one, else the first configured of the tier, in the document's order.
 * The embedded `offline` engine is taken only when no other model of the tier can be called, or when it is pinned.
 */
export function selectModel(
  request: ModelRequest,
  document: TierDocument,
  isConfigured: (providerId: string) => boolean,
): Selection | { failure: Failure } {
  if (request.model !== null) return selectPinned(request.model, request.tier, document, isConfigured);
  const tier = request.tier ?? tierOfType(request.taskType);
  const candidates = document.tiers[tier].flatMap((id) => findModel(document, id) ?? []);
  const callable = candidates.filter(({ provider }) => isConfigured(provider.id));
  const chosen = callable.find(({ provider }) => provider.kind !== "offline") ?? callable[0];
  if (chosen === undefined) return { failure: unavailable(`No model of tier ${tier} can be called: ${howToConfigure(candidates)}.`) };
  return select(chosen, tier, `${whyTier(request, tier)}; ${whyModel(chosen, candidates)}.`);
}

/** Tier by the type's complexity points: 1 weak, 2–3 base, 4 strong. */
export function tierOfType(taskType: TaskType | null): TierName {
  if (taskType === null) return DEFAULT_TIER;
  const points = TASK_TYPE_POINTS[taskType];
  if (points === 1) return "weak";
  return points === 4 ? "strong" : "base";
}

/** The model of an id with its provider; null when the document has no such model. */
export function findModel(document: TierDocument, modelId: string): Candidate | null {
  const model = document.models.find((entry) => entry.id === modelId);
  const provider = document.providers.find((entry) => entry.id === model?.provider);
  return model === undefined || provider === undefined ? null : { model, provider };
}

/** The model that costs are compared with: the strong tier's first that is no embedded engine. */
export function findBaselineModel(document: TierDocument): ModelEntry | null {
  const strong = document.tiers.strong.flatMap((id) => findModel(document, id) ?? []);
  return strong.find(({ provider }) => provider.kind !== "offline")?.model ?? null;
}

function selectPinned(
  modelId: string,
  tier: TierName | null,
  document: TierDocument,
  isConfigured: (providerId: string) => boolean,
): Selection | { failure: Failure } {
  const pinned = findModel(document, modelId);
  if (pinned === null) return { failure: unavailable(`The model ${modelId} is pinned but not in the tiers document: add it there or pin another.`) };
  if (!isConfigured(pinned.provider.id)) return { failure: unavailable(`The model ${modelId} is pinned but cannot be called: ${howToConfigure([pinned])}.`) };
  const listed = tier !== null && document.tiers[tier].includes(modelId);
  return select(pinned, listed ? tier : pinned.model.tier, `The model ${modelId} is pinned.`);
}

function select(candidate: Candidate, tier: TierName, reason: string): Selection {
  const { model, provider } = candidate;
  return { route: { tier, model: model.id, provider: provider.id, complexity: null, reason }, model, provider };
}

function whyTier(request: ModelRequest, tier: TierName): string {
  if (request.tier !== null) return `Tier ${tier} is asked for`;
  if (request.taskType !== null) return `Tasks of type ${request.taskType} go to tier ${tier}`;
  return `Tier ${tier} is the default`;
}

function whyModel(chosen: Candidate, candidates: Candidate[]): string {
  if (chosen.provider.kind === "offline") {
    return candidates.length > 1 ? `no other model of it is configured, so the embedded ${chosen.model.id} engine answers` : `the embedded ${chosen.model.id} engine is its only model`;
  }
  return candidates[0] === chosen ? `${chosen.model.id} is its first model` : `${chosen.model.id} is its first configured model`;
}

/** Never the values of secrets, only the names to set. */
function howToConfigure(candidates: Candidate[]): string {
  const ways = candidates.map(({ model, provider }) => {
    const names = requiredNames(provider);
    return names.length === 0 ? `register the provider ${provider.id} for ${model.id}` : `set ${names.join(" and ")} for ${model.id}`;
  });
  return ways.length === 0 ? "it lists no model" : ways.join(", or ");
}

function unavailable(message: string): Failure {
  return { code: "provider_unavailable", message, retryable: false };
}
