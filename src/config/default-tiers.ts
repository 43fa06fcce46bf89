import type { ModelEntry, ModelPrice, ProviderEntry, TierDocument } from "./tiers.ts";

/**
 * The day these figures were entered. Models with a 4 in their names keep the price that they became known for, which is no less than what
 * their successors, who answer for them now, are billed at: budgets err on the safe side. Providers change prices and retire models: check the sources and `PUT /v1/tiers`.
 */
const ENTERED_ON = "2026-11-21";

const ANTHROPIC_PRICES = "https://platform.claude.com/docs/en/about-claude/pricing";
const OPENAI_PRICES = "https://platform.openai.com/docs/pricing";
const GOOGLE_PRICES = "https://ai.google.dev/gemini-api/docs/pricing";
const OLLAMA_PRICES = "https://ollama.com/cloud";
const WORKERS_AI_PRICES = "https://developers.cloudflare.com/workers-ai/platform/pricing/";

/** Reasoning is billed as output by all of these, and cached input as input where its provider grants no discount on it. */
function price(inputPerMillionUsd: number, outputPerMillionUsd: number, source: string): ModelPrice {
  return { inputPerMillionUsd, outputPerMillionUsd, cachedInputPerMillionUsd: inputPerMillionUsd, reasoningPerMillionUsd: outputPerMillionUsd, date: ENTERED_ON, source };
}

/** Anthropic bills cache reads at a tenth of the input price and five-minute cache writes at five quarters. */
function anthropicPrice(inputPerMillionUsd: number, outputPerMillionUsd: number): ModelPrice {
  return {
    ...price(inputPerMillionUsd, outputPerMillionUsd, ANTHROPIC_PRICES),
    cachedInputPerMillionUsd: inputPerMillionUsd / 10,
    cacheWritePerMillionUsd: inputPerMillionUsd * 1.25,
  };
}

/** Costs nothing, within the free allowance that the source describes. */
function free(source: string): ModelPrice {
  return price(0, 0, source);
}

const PROVIDERS: ProviderEntry[] = [
  { id: "anthropic", kind: "anthropic", secretName: "ANTHROPIC_API_KEY" },
  { id: "openai", kind: "openai", secretName: "OPENAI_API_KEY" },
  { id: "google", kind: "google", secretName: "GOOGLE_API_KEY" },
  { id: "ollama", kind: "openai-compatible", baseUrl: "https://ollama.com/v1", secretName: "OLLAMA_API_KEY" },
  { id: "workers-ai", kind: "workers-ai", secretName: "CLOUDFLARE_API_TOKEN" },
  { id: "offline", kind: "offline" },
];

const ANTHROPIC_MODELS: ModelEntry[] = [
  {
    id: "claude-haiku-4",
    provider: "anthropic",
    // Of its line, the one that is billed at no more than this: 0.10 and 0.50 up to 100,000 tokens of prompt, beyond that more. By its
    // own tokenizer a prompt has a third more tokens than by the others', so the window given here stays clear of that.
    upstreamModel: "claude-haiku-5-5",
    tier: "weak",
    price: anthropicPrice(0.25, 1.25),
    contextWindow: 75_000,
    maxOutputTokens: 32_000,
    capabilities: ["tools", "json", "vision", "streaming", "reasoning"],
    quality: 6,
  },
  {
    id: "claude-sonnet-4",
    provider: "anthropic",
    upstreamModel: "claude-sonnet-4-6",
    tier: "base",
    price: anthropicPrice(3, 15),
    contextWindow: 200_000,
    maxOutputTokens: 64_000,
    capabilities: ["tools", "json", "vision", "streaming", "reasoning"],
    quality: 8,
  },
  {
    id: "claude-sonnet-4.5",
    provider: "anthropic",
    upstreamModel: "claude-sonnet-4-5",
    tier: "base",
    price: anthropicPrice(3, 15),
    contextWindow: 200_000,
    maxOutputTokens: 64_000,
    capabilities: ["tools", "json", "vision", "streaming", "reasoning"],
    quality: 8,
  },
  {
    id: "claude-opus-4",
    provider: "anthropic",
    upstreamModel: "claude-opus-4-6",
    tier: "strong",
    price: anthropicPrice(15, 75),
    contextWindow: 200_000,
    maxOutputTokens: 32_000,
    capabilities: ["tools", "json", "vision", "streaming", "reasoning"],
    quality: 9,
  },
  // Long contexts at a lower price than their tiers' others; overviews of the models at platform.claude.com/docs/en/models.
  {
    id: "claude-sonnet-5.5",
    provider: "anthropic",
    upstreamModel: "claude-sonnet-5-5",
    tier: "base",
    price: anthropicPrice(2, 10),
    contextWindow: 1_000_000,
    maxOutputTokens: 128_000,
    capabilities: ["tools", "json", "vision", "streaming", "reasoning"],
    quality: 9,
  },
  {
    id: "claude-opus-5.5",
    provider: "anthropic",
    upstreamModel: "claude-opus-5-5",
    tier: "strong",
    price: anthropicPrice(4, 20),
    contextWindow: 1_000_000,
    maxOutputTokens: 128_000,
    capabilities: ["tools", "json", "vision", "streaming", "reasoning"],
    quality: 10,
  },
];

const OTHER_MODELS: ModelEntry[] = [
  {
    id: "gpt-5-pro",
    provider: "openai",
    tier: "strong",
    price: price(15, 120, OPENAI_PRICES),
    contextWindow: 400_000,
    maxOutputTokens: 128_000,
    capabilities: ["tools", "json", "vision", "streaming", "reasoning"],
    quality: 9,
  },
  {
    id: "gemini-2.5-flash",
    provider: "google",
    tier: "weak",
    price: free(GOOGLE_PRICES),
    contextWindow: 1_048_576,
    maxOutputTokens: 65_536,
    capabilities: ["tools", "json", "vision", "streaming", "reasoning"],
    quality: 6,
  },
  {
    id: "gemini-2.5-pro",
    provider: "google",
    tier: "base",
    price: free(GOOGLE_PRICES),
    contextWindow: 1_048_576,
    maxOutputTokens: 65_536,
    capabilities: ["tools", "json", "vision", "streaming", "reasoning"],
    quality: 8,
  },
  {
    id: "gpt-oss:120b-cloud",
    provider: "ollama",
    tier: "weak",
    price: free(OLLAMA_PRICES),
    contextWindow: 131_072,
    maxOutputTokens: 32_768,
    capabilities: ["tools", "streaming", "reasoning"],
    quality: 6,
  },
  {
    id: "llama-3.1-8b",
    provider: "workers-ai",
    upstreamModel: "@cf/meta/llama-3.1-8b-instruct-fp8-fast",
    tier: "weak",
    price: price(0.045, 0.384, WORKERS_AI_PRICES),
    contextWindow: 128_000,
    maxOutputTokens: 4_096,
    capabilities: ["json", "streaming"],
    quality: 4,
  },
];

/** The embedded engine: it stands last in every tier, for machines on which nothing else is configured. */
const OFFLINE_MODEL: ModelEntry = {
  id: "offline",
  provider: "offline",
  tier: "weak",
  price: free("embedded, costs nothing"),
  contextWindow: 2_000_000,
  maxOutputTokens: 16_384,
  capabilities: ["json", "streaming"],
  quality: 1,
};

/** What a fresh installation routes by, until an operator puts another document. */
export const DEFAULT_TIERS: TierDocument = {
  providers: PROVIDERS,
  models: [...ANTHROPIC_MODELS, ...OTHER_MODELS, OFFLINE_MODEL],
  tiers: {
    weak: ["claude-haiku-4", "gemini-2.5-flash", "gpt-oss:120b-cloud", "llama-3.1-8b", "offline"],
    base: ["claude-sonnet-4", "claude-sonnet-4.5", "claude-sonnet-5.5", "gemini-2.5-pro", "offline"],
    strong: ["claude-opus-4", "claude-opus-5.5", "gpt-5-pro", "offline"],
  },
};
