import { z } from "zod";
import type { Fault, Json } from "../errors.ts";
import { describeIssues, PARSE_OPTIONS } from "../workflow/faults/describe-issues.ts";
import { withoutNulls } from "../workflow/json/without-nulls.ts";
import { TierName } from "../workflow/spec/agent.ts";
import type { StoredDocument } from "./document-cache.ts";
import { isAllowedProviderSecretName } from "./secret-names.ts";

/** Bounds that keep one document cheap to check and to hold in every isolate. */
export const MAX_PROVIDERS = 100;
export const MAX_MODELS = 500;
/** Far above any price on the market; keeps a call's cost inside exact integers. */
export const MAX_PRICE_PER_MILLION_USD = 100_000;

export const ProviderKind = z.enum(["anthropic", "openai", "google", "workers-ai", "openai-compatible", "offline"]);
export type ProviderKind = z.infer<typeof ProviderKind>;

const SECRET_NAME_RULE = "use A–Z, 0–9 and _; ROOT_KEY, AGENT_… and WEBHOOK_… belong to others";

const ProviderOptions = z.strictObject({
  /** workers-ai: the Cloudflare account; without it the variable `CLOUDFLARE_ACCOUNT_ID` is read. It becomes part of a URL. */
  accountId: z.string().regex(/^[A-Za-z0-9]{1,64}$/, "use the letters and digits of the account id").optional(),
  /** openai: which API is called. Default `responses`, or `chat` when a `baseUrl` is given, because few other servers have the first. */
  api: z.enum(["responses", "chat"]).optional(),
  /** openai-compatible: the server takes a JSON Schema as response format, not only "some JSON". */
  structuredOutputs: z.boolean().optional(),
});

export const ProviderEntry = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "use 1–64 letters, digits, . _ -, starting with a letter or digit"),
  kind: ProviderKind,
  baseUrl: z.string().min(1).max(2_048).optional(),
  secretName: z.string().refine(isAllowedProviderSecretName, SECRET_NAME_RULE).optional(),
  options: ProviderOptions.optional(),
});
export type ProviderEntry = z.infer<typeof ProviderEntry>;

const priceUsd = z.number().min(0).max(MAX_PRICE_PER_MILLION_USD);

const tokenPrices = {
  inputPerMillionUsd: priceUsd,
  outputPerMillionUsd: priceUsd,
  cachedInputPerMillionUsd: priceUsd.optional(),
  cacheWritePerMillionUsd: priceUsd.optional(),
  reasoningPerMillionUsd: priceUsd.optional(),
};

/** Steps of one price list; the providers that have any have one. */
export const MAX_PRICE_STEPS = 8;

/** The prices of all tokens of a call whose input, cached tokens included, is longer than this. */
const PriceStep = z.strictObject({ aboveInputTokens: z.int().min(1), ...tokenPrices });

/**
 * US dollars per million tokens. What is left out costs what its kind costs: cached input and cache writes as input, reasoning as
 * output; in a step, what these cost there.
 */
export const ModelPrice = z.strictObject({
  ...tokenPrices,
  longContext: z
    .array(PriceStep)
    .max(MAX_PRICE_STEPS)
    .refine((steps) => steps.every((step, index) => index === 0 || steps[index - 1]!.aboveInputTokens < step.aboveInputTokens), "list the steps by aboveInputTokens, each higher than the one before")
    .optional(),
  date: z.iso.date().optional(),
  source: z.string().max(500).optional(),
});
export type ModelPrice = z.infer<typeof ModelPrice>;

export const ModelCapability = z.enum(["tools", "json", "vision", "streaming", "reasoning"]);
export type ModelCapability = z.infer<typeof ModelCapability>;

export const ModelEntry = z.strictObject({
  id: z
    .string()
    .regex(/^[^\s,]{1,200}$/, "use 1–200 characters without spaces and commas")
    .refine((id) => id !== "auto" && !/^(auto|tier):/.test(id), "auto, auto:… and tier:… are names of the gateway")
    // Measurements are kept in objects by it.
    .refine((id) => !(id in {}), "is a name that every object has already"),
  provider: z.string(),
  upstreamModel: z.string().min(1).max(200).optional(),
  tier: TierName,
  price: ModelPrice,
  contextWindow: z.int().min(1),
  maxOutputTokens: z.int().min(1),
  capabilities: z.array(ModelCapability).max(ModelCapability.options.length),
  quality: z.number().min(0).max(10).optional(),
  limits: z.strictObject({ requestsPerMinute: z.int().min(1).optional(), tokensPerMinute: z.int().min(1).optional() }).optional(),
});
export type ModelEntry = z.infer<typeof ModelEntry>;

const tierList = z.array(z.string()).max(MAX_MODELS);
const TierLists = z.strictObject({ weak: tierList, base: tierList, strong: tierList });

/** The document behind `PUT /v1/tiers`: shape only, `validateTierDocument` checks what the parts mean together. */
export const TierDocument = z.strictObject({
  providers: z.array(ProviderEntry).max(MAX_PROVIDERS),
  models: z.array(ModelEntry).max(MAX_MODELS),
  tiers: TierLists,
});
export type TierDocument = z.infer<typeof TierDocument>;

/** Version 0 is the built-in one. */
export type StoredTiers = StoredDocument<TierDocument>;

/** Why a base URL may not be called, or null. Which origins are public is the shell's to say. */
export type CheckUrl = (url: string) => string | null;

/**
 * Checks a document as a whole and names everything that is wrong with it at once.
 * Parts with a wrong shape are left out of the checks across parts, but their ids still count as there.
 */
export function validateTierDocument(posted: unknown, isAllowedUrl: CheckUrl): { document: TierDocument } | { faults: Fault[] } {
  const body = withoutNulls(posted);
  const shape = TierDocument.safeParse(body, PARSE_OPTIONS);
  const parts = readParts(body);
  const faults = [shape.success ? [] : describeIssues(shape.error), checkProviders(parts.providers, isAllowedUrl), checkModels(parts), checkTiers(parts)].flat();
  return shape.success && faults.length === 0 ? { document: shape.data } : { faults };
}

interface Parts {
  providers: { id: string | null; entry: ProviderEntry | null }[];
  models: { id: string | null; entry: ModelEntry | null; provider: string | null; tier: string | null }[];
  tiers: { name: TierName; ids: unknown[] }[];
}

function readParts(body: unknown): Parts {
  const document = recordOf(body);
  const tiers = recordOf(document["tiers"]);
  return {
    providers: listOf(document["providers"], MAX_PROVIDERS).map((item) => ({
      id: stringOf(recordOf(item)["id"]),
      entry: ProviderEntry.safeParse(item).data ?? null,
    })),
    models: listOf(document["models"], MAX_MODELS).map((item) => {
      const record = recordOf(item);
      return { id: stringOf(record["id"]), provider: stringOf(record["provider"]), tier: stringOf(record["tier"]), entry: ModelEntry.safeParse(item).data ?? null };
    }),
    tiers: TierName.options.flatMap((name) => (Array.isArray(tiers[name]) ? [{ name, ids: listOf(tiers[name], MAX_MODELS) }] : [])),
  };
}

function checkProviders(providers: Parts["providers"], isAllowedUrl: CheckUrl): Fault[] {
  const faults = duplicates(providers.map((provider) => provider.id), (index) => `/providers/${index}/id`, "provider");
  for (const [index, { entry }] of providers.entries()) {
    if (entry === null) continue;
    if (entry.kind === "openai-compatible" && entry.baseUrl === undefined) {
      faults.push({ path: `/providers/${index}/baseUrl`, message: "an openai-compatible provider needs the base URL of its server" });
    }
    const reason = entry.baseUrl === undefined ? null : isAllowedUrl(entry.baseUrl);
    if (reason !== null) faults.push({ path: `/providers/${index}/baseUrl`, message: reason });
  }
  return faults;
}

function checkModels({ models, providers }: Parts): Fault[] {
  const providerIds = new Set(providers.map((provider) => provider.id));
  const faults = duplicates(models.map((model) => model.id), (index) => `/models/${index}/id`, "model");
  for (const [index, model] of models.entries()) {
    if (model.provider !== null && !providerIds.has(model.provider)) {
      faults.push({ path: `/models/${index}/provider`, message: `no provider has the id ${JSON.stringify(model.provider)}` });
    }
  }
  return faults;
}

function checkTiers({ tiers, models, providers }: Parts): Fault[] {
  const modelsById = new Map(models.map((model) => [model.id, model]));
  const offlineIds = new Set(providers.flatMap(({ entry }) => (entry?.kind === "offline" ? [entry.id] : [])));
  return tiers.flatMap(({ name, ids }) => {
    const path = (index: number) => `/tiers/${name}/${index}`;
    if (ids.length === 0) return [{ path: `/tiers/${name}`, message: "a tier needs at least one model" }];
    const faults = duplicates(ids.map(stringOf), path, "model");
    for (const [index, id] of ids.entries()) {
      if (typeof id !== "string") continue;
      const model = modelsById.get(id);
      if (model === undefined) {
        faults.push({ path: path(index), message: `no model has the id ${JSON.stringify(id)}` });
        // The embedded engine is the same in every tier; any other model has one tier, its own.
      } else if (model.tier !== null && model.tier !== name && !offlineIds.has(model.provider ?? "")) {
        faults.push({ path: path(index), message: `${id} says that its tier is ${model.tier}` });
      }
    }
    return faults;
  });
}

function duplicates(ids: (string | null)[], path: (index: number) => string, what: string): Fault[] {
  const seen = new Set<string>();
  return ids.flatMap((id, index) => {
    if (id === null) return [];
    if (seen.has(id)) return [{ path: path(index), message: `the ${what} ${JSON.stringify(id)} is there twice` }];
    seen.add(id);
    return [];
  });
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** What is over the limit is refused as such and not looked at. */
function listOf(value: unknown, max: number): unknown[] {
  return Array.isArray(value) ? (value as Json[]).slice(0, max) : [];
}

function stringOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
