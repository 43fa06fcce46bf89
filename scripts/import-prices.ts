import { z } from "zod";
import { ModelPrice, type ModelEntry, type ProviderEntry, type TierDocument } from "../src/config/tiers.ts";

const cost = z.number().min(0).nullish();

/** What of an entry of a price file in LiteLLM's format is read: US dollars per token. Prices for longer prompts have names of their own. */
const FileEntry = z.looseObject({
  litellm_provider: z.string().nullish(),
  input_cost_per_token: cost,
  output_cost_per_token: cost,
  cache_read_input_token_cost: cost,
  cache_creation_input_token_cost: cost,
  output_cost_per_reasoning_token: cost,
  source: z.string().nullable().catch(null),
});
type FileEntry = z.infer<typeof FileEntry>;

/** A price file: entries by `model` or `provider/model`. Those of images and the like have no price per token and are passed over. */
export const PriceFile = z.record(z.string(), z.unknown());
export type PriceFile = z.infer<typeof PriceFile>;

export interface ImportOptions {
  /** Day of the file's prices, `YYYY-MM-DD`. */
  date: string;
  /** Where the file is from; an entry's own source goes before it. */
  source: string;
  /** Models that are free here (within an allowance) get the file's price too. */
  includesFree: boolean;
}

/** What became of one model's price. */
export interface ImportedPrice {
  model: string;
  /** `unreadable`: it is there, but not with prices that could be any model's. */
  outcome: "changed" | "same" | "kept free" | "unreadable" | "not in the file";
  /** The file's name for it. */
  key: string | null;
  before: ModelPrice;
  after: ModelPrice;
}

const PER_MILLION = 1_000_000;
/** Prices keep nine decimals of a dollar per million tokens; beyond that a number of the file is an artefact of floating point. */
const DECIMALS = 1e9;
const MAX_SOURCE_CHARACTERS = 500;
const ABOVE = /_above_(\d+)k_tokens$/;

/** Our names of prices and the file's, and which price the others go by. */
const PRICES = [
  ["inputPerMillionUsd", "input_cost_per_token", "inputPerMillionUsd"],
  ["outputPerMillionUsd", "output_cost_per_token", "outputPerMillionUsd"],
  ["cachedInputPerMillionUsd", "cache_read_input_token_cost", "inputPerMillionUsd"],
  ["cacheWritePerMillionUsd", "cache_creation_input_token_cost", "inputPerMillionUsd"],
  ["reasoningPerMillionUsd", "output_cost_per_reasoning_token", "outputPerMillionUsd"],
] as const;
type TokenPrices = Pick<ModelPrice, (typeof PRICES)[number][0]>;
const COSTS: readonly string[] = PRICES.map(([, name]) => name);

/** What the providers of a document are called in price files. Those of OpenAI-compatible servers go by their own id. */
const FILE_PROVIDERS: Partial<Record<ProviderEntry["kind"], string>> = { anthropic: "anthropic", openai: "openai", google: "gemini", "workers-ai": "cloudflare" };

/** The document with the file's prices. Everything but prices stays as it is, and so do models that the file does not know. */
export function importPrices(document: TierDocument, file: PriceFile, options: ImportOptions): { document: TierDocument; prices: ImportedPrice[] } {
  const providers = new Map(document.providers.map((provider) => [provider.id, provider]));
  const prices = document.models.map((model): ImportedPrice => {
    const provider = providers.get(model.provider);
    const found = provider === undefined || provider.kind === "offline" ? null : findEntry(model, provider, file);
    const unchanged = { model: model.id, before: model.price, after: model.price };
    if (found === null) return { ...unchanged, outcome: "not in the file", key: null };
    if (found.entry === null) return { ...unchanged, outcome: "unreadable", key: found.key };
    if (isFree(model.price) && !options.includesFree) return { ...unchanged, outcome: "kept free", key: found.key };
    const { data: after } = ModelPrice.safeParse(priceOf(found.entry, model, options));
    if (after === undefined) return { ...unchanged, outcome: "unreadable", key: found.key };
    return isSame(model.price, after) ? { ...unchanged, outcome: "same", key: found.key } : { ...unchanged, outcome: "changed", key: found.key, after };
  });
  return { document: { ...document, models: document.models.map((model, index) => ({ ...model, price: prices[index]!.after })) }, prices };
}

/** By the name with the provider first: bare names are shared by resellers with other prices. `entry` null: what is there makes no sense. */
function findEntry({ id, upstreamModel = id }: ModelEntry, { id: providerId, kind }: ProviderEntry, file: PriceFile): { key: string; entry: FileEntry | null } | null {
  const name = FILE_PROVIDERS[kind] ?? providerId;
  let unreadable: string | null = null;
  for (const key of [`${name}/${upstreamModel}`, upstreamModel]) {
    if (!Object.hasOwn(file, key)) continue;
    const { data: entry } = FileEntry.safeParse(file[key]);
    if (entry === undefined) unreadable ??= key;
    const isOwn = entry?.litellm_provider == null || entry.litellm_provider === name;
    if (entry?.input_cost_per_token != null && entry.output_cost_per_token != null && isOwn) return { key, entry };
  }
  return unreadable === null ? null : { key: unreadable, entry: null };
}

function priceOf(entry: FileEntry, { contextWindow, price: before }: ModelEntry, { date, source }: ImportOptions): ModelPrice {
  const steps = listSteps(entry).filter((aboveInputTokens) => aboveInputTokens < contextWindow);
  return {
    ...keepShares(pricesAbove(entry, 0), before),
    ...(steps.length === 0 ? {} : { longContext: steps.map((aboveInputTokens) => ({ aboveInputTokens, ...keepShares(pricesAbove(entry, aboveInputTokens), before) })) }),
    date,
    source: (entry.source ?? source).slice(0, MAX_SOURCE_CHARACTERS),
  };
}

/** From how many tokens of input on a call has other prices, ascending. */
function listSteps(entry: FileEntry): number[] {
  const steps = Object.keys(entry).flatMap((key) => {
    const above = ABOVE.exec(key);
    return above === null || !COSTS.includes(key.slice(0, above.index)) || typeof entry[key] !== "number" ? [] : [Number(above[1]) * 1_000];
  });
  return [...new Set(steps)].sort((left, right) => left - right);
}

/** The prices of a call whose input is longer than this: of each kind, those of the highest step that has any. */
function pricesAbove(entry: FileEntry, inputTokens: number): TokenPrices {
  const reached = ["", ...listSteps(entry).filter((step) => step <= inputTokens).map((step) => `_above_${step / 1_000}k_tokens`)];
  const prices = PRICES.flatMap(([price, name]) => {
    const cost = reached.map((step) => entry[name + step]).findLast((value) => typeof value === "number");
    return cost === undefined ? [] : [[price, round(cost * PER_MILLION)]];
  });
  return Object.fromEntries(prices) as TokenPrices;
}

/** Many files do not tell what caches cost: a discount that the document has is taken over, at the new prices. */
function keepShares(prices: TokenPrices, before: ModelPrice): TokenPrices {
  const kept = PRICES.flatMap(([price, , whole]) => {
    const known = before[price];
    return prices[price] !== undefined || known === undefined || before[whole] === 0 ? [] : [[price, round((prices[whole] * known) / before[whole])]];
  });
  return { ...prices, ...Object.fromEntries(kept) };
}

function round(perMillionUsd: number): number {
  return Math.round(perMillionUsd * DECIMALS) / DECIMALS;
}

function isFree({ inputPerMillionUsd, outputPerMillionUsd }: ModelPrice): boolean {
  return inputPerMillionUsd === 0 && outputPerMillionUsd === 0;
}

/** Whether calls cost the same, wherever and whenever that was found, and whether or not it is spelt out. */
function isSame(left: ModelPrice, right: ModelPrice): boolean {
  const spellOut = ({ inputPerMillionUsd: input, outputPerMillionUsd: output, cachedInputPerMillionUsd = input, cacheWritePerMillionUsd = input, reasoningPerMillionUsd = output }: TokenPrices) => [input, output, cachedInputPerMillionUsd, cacheWritePerMillionUsd, reasoningPerMillionUsd];
  const costs = (price: ModelPrice): string => JSON.stringify([spellOut(price), (price.longContext ?? []).map((step) => [step.aboveInputTokens, spellOut(step)])]);
  return costs(left) === costs(right);
}
