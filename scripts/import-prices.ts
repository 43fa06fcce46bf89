import { z } from "zod";
import type { ModelEntry, ModelPrice, ProviderEntry, TierDocument } from "../src/config/tiers.ts";

const cost = z.number().min(0).nullish();

/** What of an entry of a price file in LiteLLM's format is read: US dollars per token. Prices for longer prompts have names of their own. */
const FileEntry = z.looseObject({
  litellm_provider: z.string().nullish(),
  input_cost_per_token: cost,
  output_cost_per_token: cost,
  cache_read_input_token_cost: cost,
  cache_creation_input_token_cost: cost,
  output_cost_per_reasoning_token: cost,
  source: z.string().nullish(),
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
  outcome: "changed" | "same" | "kept free" | "not in the file";
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
    if (isFree(model.price) && !options.includesFree) return { ...unchanged, outcome: "kept free", key: found.key };
    const after = priceOf(found.entry, model.contextWindow, options);
    return isSame(model.price, after) ? { ...unchanged, outcome: "same", key: found.key } : { ...unchanged, outcome: "changed", key: found.key, after };
  });
  return { document: { ...document, models: document.models.map((model, index) => ({ ...model, price: prices[index]!.after })) }, prices };
}

/** By the name with the provider first: bare names are shared by resellers with other prices. */
function findEntry({ id, upstreamModel = id }: ModelEntry, { id: providerId, kind }: ProviderEntry, file: PriceFile): { key: string; entry: FileEntry } | null {
  const name = FILE_PROVIDERS[kind] ?? providerId;
  for (const key of [`${name}/${upstreamModel}`, upstreamModel]) {
    const { data: entry } = FileEntry.safeParse(file[key]);
    const isOwn = entry?.litellm_provider == null || entry.litellm_provider === name;
    if (entry?.input_cost_per_token != null && entry.output_cost_per_token != null && isOwn) return { key, entry };
  }
  return null;
}

function priceOf(entry: FileEntry, contextWindow: number, { date, source }: ImportOptions): ModelPrice {
  const perMillion = (name: keyof FileEntry & string): number | undefined => {
    const highest = Math.max(...listCosts(entry, name, contextWindow));
    return Number.isFinite(highest) ? Math.round(highest * PER_MILLION * DECIMALS) / DECIMALS : undefined;
  };
  const cached = perMillion("cache_read_input_token_cost");
  const written = perMillion("cache_creation_input_token_cost");
  const reasoning = perMillion("output_cost_per_reasoning_token");
  return {
    inputPerMillionUsd: perMillion("input_cost_per_token")!,
    outputPerMillionUsd: perMillion("output_cost_per_token")!,
    ...(cached === undefined ? {} : { cachedInputPerMillionUsd: cached }),
    ...(written === undefined ? {} : { cacheWritePerMillionUsd: written }),
    ...(reasoning === undefined ? {} : { reasoningPerMillionUsd: reasoning }),
    date,
    source: (entry.source ?? source).slice(0, MAX_SOURCE_CHARACTERS),
  };
}

/** The costs under a name for all prompts that fit in the window. A document has one price per model, and a budget needs the highest. */
function listCosts(entry: FileEntry, name: string, contextWindow: number): number[] {
  return Object.entries(entry).flatMap(([key, value]) => {
    const above = ABOVE.exec(key);
    const isWanted = key === name || (above !== null && key.slice(0, above.index) === name && Number(above[1]) * 1_000 < contextWindow);
    return isWanted && typeof value === "number" && value >= 0 ? [value] : [];
  });
}

function isFree({ inputPerMillionUsd, outputPerMillionUsd }: ModelPrice): boolean {
  return inputPerMillionUsd === 0 && outputPerMillionUsd === 0;
}

/** Whether they are equal but for where and when they were found. */
function isSame(left: ModelPrice, right: ModelPrice): boolean {
  const costs = ({ date: _date, source: _source, ...rest }: ModelPrice): string => JSON.stringify(Object.entries(rest).sort(([one], [other]) => (one < other ? -1 : 1)));
  return costs(left) === costs(right);
}
