import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_PRICE_STEPS, ModelPrice } from "../../src/config/tiers.ts";
import { expectCostNanoUsd, isFreePrice, priceCall, priceWorstCase, type TokenCounts } from "../../src/optimizer/price.ts";

const NONE: TokenCounts = { inputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, outputTokens: 0, reasoningTokens: 0 };

const STEPPED: ModelPrice = {
  inputPerMillionUsd: 1.25,
  outputPerMillionUsd: 10,
  cachedInputPerMillionUsd: 0.125,
  cacheWritePerMillionUsd: 5,
  longContext: [
    { aboveInputTokens: 200_000, inputPerMillionUsd: 2.5, outputPerMillionUsd: 15, cachedInputPerMillionUsd: 0.25 },
    { aboveInputTokens: 500_000, inputPerMillionUsd: 10, outputPerMillionUsd: 15 },
  ],
};

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
    ["an input at the step's bound, still at the list's prices", { inputTokens: 200_000, outputTokens: 10 }, STEPPED, 250_100_000],
    ["all of a longer input, and its output, at the step's", { inputTokens: 200_001, outputTokens: 10 }, STEPPED, 500_152_500],
    ["the step's own price of cached input", { inputTokens: 300_000, cachedTokens: 300_000 }, STEPPED, 75_000_000],
    ["the highest step that is reached", { inputTokens: 500_001 }, STEPPED, 5_000_010_000],
    ["a step without a price of cache writes: its input's", { inputTokens: 300_000, cacheWriteTokens: 300_000 }, STEPPED, 750_000_000],
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

describe("priceWorstCase", () => {
  const tokens = fc.integer({ min: 0, max: 3_000_000 });
  const perMillion = fc.integer({ min: 0, max: 1_000_000 }).map((micro) => micro / 1_000);
  const prices = { inputPerMillionUsd: perMillion, outputPerMillionUsd: perMillion, cachedInputPerMillionUsd: perMillion, cacheWritePerMillionUsd: perMillion, reasoningPerMillionUsd: perMillion };
  const requiredKeys: ["inputPerMillionUsd", "outputPerMillionUsd"] = ["inputPerMillionUsd", "outputPerMillionUsd"];
  const steps = fc.uniqueArray(fc.record({ aboveInputTokens: fc.integer({ min: 1, max: 2_000_000 }), ...prices }, { requiredKeys: ["aboveInputTokens", ...requiredKeys] }), { maxLength: 3, selector: (step) => step.aboveInputTokens });
  const price = fc.tuple(fc.record(prices, { requiredKeys }), steps).map(([base, longContext]): ModelPrice => ({ ...base, longContext: longContext.toSorted((left, right) => left.aboveInputTokens - right.aboveInputTokens) }));
  const share = fc.double({ min: 0, max: 1, noNaN: true });

  test("is never below what any call within its bounds costs: cached, written, reasoning, at whatever step", () => {
    fc.assert(
      fc.property(tokens, tokens, price, fc.record({ input: share, cached: share, written: share, output: share, reasoning: share }), (inputBound, outputCap, prices_, shares) => {
        const inputTokens = Math.floor(inputBound * shares.input);
        const outputTokens = Math.floor(outputCap * shares.output);
        const usage: TokenCounts = { inputTokens, outputTokens, cachedTokens: Math.floor(inputTokens * shares.cached), cacheWriteTokens: Math.floor(inputTokens * shares.written), reasoningTokens: Math.floor(outputTokens * shares.reasoning) };
        expect(priceWorstCase(inputBound, outputCap, prices_)).toBeGreaterThanOrEqual(priceCall(usage, prices_));
      }),
      { numRuns: 1_000 },
    );
  });

  test("is what the dearest kind of token costs, and no more", () => {
    const dear: ModelPrice = { inputPerMillionUsd: 3, outputPerMillionUsd: 15, cacheWritePerMillionUsd: 3.75, reasoningPerMillionUsd: 20 };
    expect(priceWorstCase(1_000, 100, dear)).toBe(priceCall({ ...NONE, inputTokens: 1_000, cacheWriteTokens: 1_000, outputTokens: 100, reasoningTokens: 100 }, dear));
  });

  test("a step that makes input cheaper does not make a longer call's worst case cheaper", () => {
    const cheaper: ModelPrice = { inputPerMillionUsd: 10, outputPerMillionUsd: 10, longContext: [{ aboveInputTokens: 1_000, inputPerMillionUsd: 1, outputPerMillionUsd: 1 }] };
    expect(priceWorstCase(1_001, 0, cheaper)).toBe(10_010_000);
  });
});

describe("long-context prices", () => {
  test("count in what a call is expected to cost", () => {
    expect(expectCostNanoUsd(200_000, 10, STEPPED)).toBe(250_100_000);
    expect(expectCostNanoUsd(400_000, 10, STEPPED)).toBe(1_000_150_000);
  });

  test("make a price that is free below the step no free one", () => {
    expect(isFreePrice({ inputPerMillionUsd: 0, outputPerMillionUsd: 0 })).toBe(true);
    expect(isFreePrice({ inputPerMillionUsd: 0, outputPerMillionUsd: 0, longContext: [{ aboveInputTokens: 200_000, inputPerMillionUsd: 1, outputPerMillionUsd: 0 }] })).toBe(false);
  });

  const step = (aboveInputTokens: number) => ({ aboveInputTokens, inputPerMillionUsd: 1, outputPerMillionUsd: 1 });
  const accepts = (longContext: unknown[]) => ModelPrice.safeParse({ inputPerMillionUsd: 1, outputPerMillionUsd: 1, longContext }).success;
  test("are steps that rise", () => {
    expect(accepts([step(200_000), step(500_000)])).toBe(true);
    expect(accepts([step(200_000), step(200_000)])).toBe(false);
    expect(accepts([step(500_000), step(200_000)])).toBe(false);
    expect(accepts([{ aboveInputTokens: 5, inputPerMillionUsd: 1 }])).toBe(false);
  });

  test(`are at most ${MAX_PRICE_STEPS}`, () => {
    const steps = (count: number) => Array.from({ length: count }, (_, index) => step(index + 1));
    expect([accepts(steps(MAX_PRICE_STEPS)), accepts(steps(MAX_PRICE_STEPS + 1))]).toEqual([true, false]);
  });
});
