import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ModelPrice } from "../../src/config/tiers.ts";
import { priceCall, type TokenCounts } from "../../src/optimizer/price.ts";

const NONE: TokenCounts = { inputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, outputTokens: 0, reasoningTokens: 0 };

describe("priceCall", () => {
  test.each<[string, Partial<TokenCounts>, ModelPrice, number]>([
    ["input and output", { inputTokens: 812, outputTokens: 96 }, { inputPerMillionUsd: 0.25, outputPerMillionUsd: 1.25 }, 323_000],
    ["the same tokens at another price", { inputTokens: 812, outputTokens: 96 }, { inputPerMillionUsd: 15, outputPerMillionUsd: 75 }, 19_380_000],
    ["nothing", {}, { inputPerMillionUsd: 15, outputPerMillionUsd: 75 }, 0],
    ["a free model", { inputTokens: 1_000_000, outputTokens: 9 }, { inputPerMillionUsd: 0, outputPerMillionUsd: 0 }, 0],
    ["half a nano-dollar is rounded up", { inputTokens: 1 }, { inputPerMillionUsd: 0.0005, outputPerMillionUsd: 0 }, 1],
    ["once per call, not once per share", { inputTokens: 1, outputTokens: 1 }, { inputPerMillionUsd: 0.0005, outputPerMillionUsd: 0.0005 }, 1],
    ["no float error: 0.1 + 0.2", { inputTokens: 1, outputTokens: 1 }, { inputPerMillionUsd: 0.1, outputPerMillionUsd: 0.2 }, 300],
    ["cached input at its own price", { inputTokens: 1_000, cachedTokens: 900 }, { inputPerMillionUsd: 3, outputPerMillionUsd: 15, cachedInputPerMillionUsd: 0.3 }, 570_000],
    ["cached input without its own price", { inputTokens: 1_000, cachedTokens: 900 }, { inputPerMillionUsd: 3, outputPerMillionUsd: 15 }, 3_000_000],
    ["cache writes at their own price", { inputTokens: 1_000, cacheWriteTokens: 1_000 }, { inputPerMillionUsd: 3, outputPerMillionUsd: 15, cacheWritePerMillionUsd: 3.75 }, 3_750_000],
    ["reasoning at its own price", { outputTokens: 100, reasoningTokens: 60 }, { inputPerMillionUsd: 1, outputPerMillionUsd: 10, reasoningPerMillionUsd: 20 }, 1_600_000],
    ["more cached than input counts as all of it", { inputTokens: 10, cachedTokens: 99 }, { inputPerMillionUsd: 3, outputPerMillionUsd: 0, cachedInputPerMillionUsd: 1 }, 10_000],
  ])("%s", (_, usage, price, expected) => {
    expect(priceCall({ ...NONE, ...usage }, price)).toBe(expected);
  });

  const count = fc.integer({ min: 0, max: 10_000_000 });
  const perMillion = fc.integer({ min: 0, max: 1_000_000 }).map((micro) => micro / 1_000);
  const usage = fc.record({ inputTokens: count, cachedTokens: count, cacheWriteTokens: count, outputTokens: count, reasoningTokens: count });
  const price = fc.record({ inputPerMillionUsd: perMillion, outputPerMillionUsd: perMillion, cachedInputPerMillionUsd: perMillion }, { requiredKeys: ["inputPerMillionUsd", "outputPerMillionUsd"] });

  test("is a non-negative integer within one nano-dollar of the exact sum", () => {
    fc.assert(
      fc.property(count, count, perMillion, perMillion, (inputTokens, outputTokens, input, output) => {
        const cost = priceCall({ ...NONE, inputTokens, outputTokens }, { inputPerMillionUsd: input, outputPerMillionUsd: output });
        // Prices of three decimals are whole nano-dollars per token, so the sum is exact.
        expect(cost).toBe(inputTokens * Math.round(input * 1_000) + outputTokens * Math.round(output * 1_000));
      }),
    );
  });

  test("more tokens never cost less", () => {
    fc.assert(
      fc.property(usage, price, count, (tokens, prices, more) => {
        const before = priceCall(tokens, prices);
        expect(Number.isInteger(before) && before >= 0).toBe(true);
        expect(priceCall({ ...tokens, outputTokens: tokens.outputTokens + more }, prices)).toBeGreaterThanOrEqual(before);
      }),
    );
  });

  test("splitting a call in two is never cheaper and at most one nano-dollar dearer", () => {
    fc.assert(
      fc.property(count, count, fc.integer({ min: 0, max: 1_000_000_000 }).map((units) => units / 1e9), (first, second, perMillionUsd) => {
        const cost = (inputTokens: number) => priceCall({ ...NONE, inputTokens }, { inputPerMillionUsd: perMillionUsd, outputPerMillionUsd: 0 });
        const split = cost(first) + cost(second);
        expect(split - cost(first + second)).toBeGreaterThanOrEqual(0);
        expect(split - cost(first + second)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
