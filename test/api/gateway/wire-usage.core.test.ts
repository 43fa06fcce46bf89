import { describe, expect, test } from "vitest";
import { recordUsage } from "../../../src/api/gateway/wire-usage.ts";
import type { ModelEntry } from "../../../src/config/tiers.ts";

const MODEL: ModelEntry = { id: "m", provider: "p", tier: "weak", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 2, cachedInputPerMillionUsd: 0.1 }, contextWindow: 1, maxOutputTokens: 1, capabilities: [] };

describe("the ledger's line of a call", () => {
  const record = (usage: unknown) => recordUsage({ usage, estimated: { inputTokens: 100, outputTokens: 50 }, model: MODEL, baseline: { ...MODEL, price: { inputPerMillionUsd: 10, outputPerMillionUsd: 20 } }, at: 9 });

  test("is priced by what the provider counted", () => {
    expect(record({ prompt_tokens: 1_000, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 500 } })).toEqual({
      at: 9, provider: "p", model: "m", inputTokens: 1_000, outputTokens: 10, cachedTokens: 500, costNanoUsd: 500_000 + 50_000 + 20_000, estimated: false, baselineNanoUsd: 10_000_000 + 200_000,
    });
  });

  test("is estimated where the provider said nothing, or only half", () => {
    expect(record(null)).toMatchObject({ inputTokens: 100, outputTokens: 50, costNanoUsd: 200_000, estimated: true });
    expect(record({ prompt_tokens: 7 })).toMatchObject({ inputTokens: 7, outputTokens: 50, estimated: true });
  });
});
