import type { ModelEntry, ProviderEntry, TierDocument } from "../config/tiers.ts";
import type { TierName } from "../workflow/spec/agent.ts";

/** A model with its provider, as a member of one tier. The embedded engine may be a member of several. */
export interface TierModel {
  model: ModelEntry;
  provider: ProviderEntry;
  tier: TierName;
}

interface DocumentIndex {
  models: Map<string, { model: ModelEntry; provider: ProviderEntry }>;
  tiers: Record<TierName, TierModel[]>;
}

/** Looking models up by name costs more than choosing among them. Documents are replaced, never changed. */
const indexes = new WeakMap<TierDocument, DocumentIndex>();

/** The model of an id with its provider; null when the document has no such model. */
export function findModel(document: TierDocument, modelId: string): { model: ModelEntry; provider: ProviderEntry } | null {
  return indexOf(document).models.get(modelId) ?? null;
}

/** The models of a tier, in the document's order. */
export function listTier(document: TierDocument, tier: TierName): readonly TierModel[] {
  return indexOf(document).tiers[tier];
}

/** The model that costs are compared with: the named one if the document has it, else the strong tier's first that is no embedded engine. */
export function findBaselineModel(document: TierDocument, modelId: string | null = null): ModelEntry | null {
  const named = modelId === null ? null : findModel(document, modelId);
  return named?.model ?? listTier(document, "strong").find((member) => !isEmbedded(member))?.model ?? null;
}

/** The engine that answers by rules on machines where nothing else is configured. */
export function isEmbedded({ provider }: { provider: ProviderEntry }): boolean {
  return provider.kind === "offline";
}

function indexOf(document: TierDocument): DocumentIndex {
  const known = indexes.get(document);
  if (known !== undefined) return known;
  const providers = new Map(document.providers.map((provider) => [provider.id, provider]));
  const models = new Map(
    document.models.flatMap((model) => {
      const provider = providers.get(model.provider);
      return provider === undefined ? [] : [[model.id, { model, provider }] as const];
    }),
  );
  const membersOf = (tier: TierName): TierModel[] => document.tiers[tier].flatMap((id) => {
    const found = models.get(id);
    return found === undefined ? [] : [{ ...found, tier }];
  });
  const index = { models, tiers: { weak: membersOf("weak"), base: membersOf("base"), strong: membersOf("strong") } };
  indexes.set(document, index);
  return index;
}
