import { describe, expect, test } from "vitest";
import { importPrices, type PriceFile } from "../../scripts/import-prices.ts";
import { DEFAULT_TIERS } from "../../src/config/default-tiers.ts";
import { validateTierDocument, type ModelEntry, type TierDocument } from "../../src/config/tiers.ts";

const OPTIONS = { date: "2026-11-20", source: "prices.json", includesFree: false };

function documentOf(changes: Partial<ModelEntry> = {}): TierDocument {
  const model: ModelEntry = { id: "m", provider: "claude", upstreamModel: "claude-x", tier: "weak", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 5 }, contextWindow: 200_000, maxOutputTokens: 8_000, capabilities: [], ...changes };
  return {
    providers: [{ id: "claude", kind: "anthropic" }, { id: "google", kind: "google" }, { id: "groq", kind: "openai-compatible", baseUrl: "https://groq.example/v1" }, { id: "offline", kind: "offline" }],
    models: [model],
    tiers: { weak: ["m"], base: [], strong: [] },
  };
}

const importOne = (file: PriceFile, changes: Partial<ModelEntry> = {}, options = OPTIONS) => importPrices(documentOf(changes), file, options).prices[0]!;

describe("prices of a file in LiteLLM's format", () => {
  test("become dollars per million tokens, without what floating point adds, with their date and source", () => {
    const entry = { litellm_provider: "anthropic", input_cost_per_token: 1.1e-6, output_cost_per_token: 5.5e-6, cache_read_input_token_cost: 1.1e-7, cache_creation_input_token_cost: 1.375e-6, output_cost_per_reasoning_token: 6e-6, mode: "chat", max_tokens: "text" };
    expect(importOne({ "claude-x": entry })).toEqual({
      model: "m",
      outcome: "changed",
      key: "claude-x",
      before: { inputPerMillionUsd: 1, outputPerMillionUsd: 5 },
      after: { inputPerMillionUsd: 1.1, outputPerMillionUsd: 5.5, cachedInputPerMillionUsd: 0.11, cacheWritePerMillionUsd: 1.375, reasoningPerMillionUsd: 6, date: "2026-11-20", source: "prices.json" },
    });
    expect(importOne({ "claude-x": { ...entry, source: "https://prices.example" } }).after.source).toBe("https://prices.example");
  });

  const cheap = { input_cost_per_token: 1e-6, output_cost_per_token: 5e-6 };

  test.each<[string, PriceFile, Partial<ModelEntry>, string | null]>([
    ["by the name at the provider, not by our own", { "claude-x": cheap, m: cheap }, {}, "claude-x"],
    ["by our own where the provider's is the same", { m: cheap }, { upstreamModel: "m" }, "m"],
    ["with the provider's name first", { "gemini/g": cheap, g: { ...cheap, litellm_provider: "vertex_ai" } }, { provider: "google", upstreamModel: "g" }, "gemini/g"],
    ["by the id of a compatible server", { "groq/llama": cheap }, { provider: "groq", upstreamModel: "llama" }, "groq/llama"],
    ["never at another provider", { "claude-x": { ...cheap, litellm_provider: "bedrock" } }, {}, null],
    ["not without a price per token", { "claude-x": { litellm_provider: "anthropic", output_cost_per_image: 1 } }, {}, null],
    ["not in the names that every object has", {}, { upstreamModel: "constructor" }, null],
    ["not for the embedded engine", { "offline/claude-x": cheap }, { provider: "offline" }, null],
  ])("are found %s", (_, file, changes, key) => {
    expect(importOne(file, changes).key).toBe(key);
  });

  test("have a step for each length of prompt with prices of its own that the context window lets in", () => {
    const file = { "claude-x": { ...cheap, cache_read_input_token_cost: 1e-7, input_cost_per_token_above_128k_tokens: 2e-6, input_cost_per_token_above_200k_tokens: 4e-6, output_cost_per_token_above_200k_tokens: 9e-6, cache_read_input_token_cost_above_200k_tokens: 4e-7, cache_creation_input_token_cost_above_1hr: 7 } };
    const [first, second] = [{ aboveInputTokens: 128_000, inputPerMillionUsd: 2, outputPerMillionUsd: 5, cachedInputPerMillionUsd: 0.1 }, { aboveInputTokens: 200_000, inputPerMillionUsd: 4, outputPerMillionUsd: 9, cachedInputPerMillionUsd: 0.4 }];
    expect(importOne(file, { contextWindow: 200_001 }).after).toEqual({ inputPerMillionUsd: 1, outputPerMillionUsd: 5, cachedInputPerMillionUsd: 0.1, longContext: [first, second], date: "2026-11-20", source: "prices.json" });
    expect(importOne(file).after.longContext).toEqual([first]);
    expect(importOne(file, { contextWindow: 100_000 }).after).not.toHaveProperty("longContext");
  });

  test("are the same when calls cost the same, spelt out or not", () => {
    const spelt = { inputPerMillionUsd: 1, outputPerMillionUsd: 5, cachedInputPerMillionUsd: 1, cacheWritePerMillionUsd: 1, reasoningPerMillionUsd: 5, longContext: [{ outputPerMillionUsd: 5, inputPerMillionUsd: 2, aboveInputTokens: 128_000 }] };
    expect(importOne({ "claude-x": { ...cheap, input_cost_per_token_above_128k_tokens: 2e-6 } }, { price: spelt })).toMatchObject({ outcome: "same", after: spelt });
  });

  test("that the file does not tell keep their share: of caches that of input, of reasoning that of output", () => {
    const price = { inputPerMillionUsd: 2, outputPerMillionUsd: 10, cachedInputPerMillionUsd: 0.2, cacheWritePerMillionUsd: 2.5, reasoningPerMillionUsd: 5 };
    const same = { input_cost_per_token: 2e-6, output_cost_per_token: 1e-5 };
    expect(importOne({ "claude-x": same }, { price })).toMatchObject({ outcome: "same", after: price });
    const dearer = { input_cost_per_token: 4e-6, output_cost_per_token: 2e-5, input_cost_per_token_above_128k_tokens: 8e-6 };
    const step = { aboveInputTokens: 128_000, inputPerMillionUsd: 8, outputPerMillionUsd: 20, cachedInputPerMillionUsd: 0.8, cacheWritePerMillionUsd: 10, reasoningPerMillionUsd: 10 };
    const after = { inputPerMillionUsd: 4, outputPerMillionUsd: 20, cachedInputPerMillionUsd: 0.4, cacheWritePerMillionUsd: 5, reasoningPerMillionUsd: 10, longContext: [step] };
    expect(importOne({ "claude-x": dearer }, { price }).after).toEqual({ ...after, date: "2026-11-20", source: "prices.json" });
    expect(importOne({ "claude-x": { ...dearer, cache_read_input_token_cost: 1e-6 } }, { price }).after).toMatchObject({ cachedInputPerMillionUsd: 1, cacheWritePerMillionUsd: 5, longContext: [{ cachedInputPerMillionUsd: 1, cacheWritePerMillionUsd: 10 }] });
  });

  test("that the file does not tell are left out where there is nothing to take a share of", () => {
    const price = { inputPerMillionUsd: 0, outputPerMillionUsd: 0, cachedInputPerMillionUsd: 0, reasoningPerMillionUsd: 0 };
    expect(importOne({ "claude-x": cheap }, { price }, { ...OPTIONS, includesFree: true }).after).toEqual({ inputPerMillionUsd: 1, outputPerMillionUsd: 5, date: "2026-11-20", source: "prices.json" });
  });

  test.each<[string, object]>([
    ["a price that is a text", { ...cheap, input_cost_per_token: "1e-6" }],
    ["a negative price", { ...cheap, cache_read_input_token_cost: -1 }],
    ["a price of a dollar a token", { ...cheap, output_cost_per_token: 1 }],
    ["nine steps", { ...cheap, ...Object.fromEntries(Array.from({ length: 9 }, (_, step) => [`input_cost_per_token_above_${step + 1}k_tokens`, 1e-6])) }],
  ])("with %s are named as unreadable and change nothing", (_, entry) => {
    expect(importOne({ "claude-x": entry })).toMatchObject({ outcome: "unreadable", key: "claude-x", after: { inputPerMillionUsd: 1, outputPerMillionUsd: 5 } });
  });

  test("do not need the rest of their entry to make sense", () => {
    expect(importOne({ "claude-x": { ...cheap, source: 5, max_tokens: "see above" } })).toMatchObject({ outcome: "same" });
  });

  test("leave what is free, unless they are told otherwise, and what the file does not know", () => {
    const free = { price: { inputPerMillionUsd: 0, outputPerMillionUsd: 0 } };
    expect(importOne({ "claude-x": cheap }, free)).toMatchObject({ outcome: "kept free", after: free.price });
    expect(importOne({ "claude-x": cheap }, free, { ...OPTIONS, includesFree: true })).toMatchObject({ outcome: "changed", after: { inputPerMillionUsd: 1 } });
    expect(importOne({})).toMatchObject({ outcome: "not in the file" });
  });

  test("make a document that is taken", () => {
    const file = { "claude-sonnet-5-5": { litellm_provider: "anthropic", input_cost_per_token: 3e-6, output_cost_per_token: 1e-5 }, "cloudflare/@cf/meta/llama-3.1-8b-instruct-fp8-fast": { litellm_provider: "cloudflare", input_cost_per_token: 5e-8, output_cost_per_token: 4e-7 } };
    const { document, prices } = importPrices(DEFAULT_TIERS, file, OPTIONS);
    expect(validateTierDocument(document, () => null)).toEqual({ document });
    expect(prices.filter(({ outcome }) => outcome === "changed").map(({ model }) => model)).toEqual(["claude-sonnet-5.5", "llama-3.1-8b"]);
  });
});
