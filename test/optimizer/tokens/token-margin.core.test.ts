import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_TOKEN_MARGIN, MIN_LEARNT_TOKENS, nextTokenMargin, TokenMargins } from "../../../src/optimizer/tokens/token-margin.ts";

describe("the margin of a model", () => {
  it("rises at once to what the provider counted", () => {
    expect(nextTokenMargin(1, 1_000, 1_300)).toBeCloseTo(1.3);
  });

  it("falls slowly while the provider counts less", () => {
    let margin = 1.4;
    for (let call = 0; call < 34; call += 1) margin = nextTokenMargin(margin, 1_000, 900);
    expect(margin).toBeCloseTo(1.2, 1);
  });

  it(`learns from prompts of ${MIN_LEARNT_TOKENS} tokens on`, () => {
    expect(nextTokenMargin(1, MIN_LEARNT_TOKENS - 1, 1_000)).toBe(1);
    expect(nextTokenMargin(1, MIN_LEARNT_TOKENS, 2 * MIN_LEARNT_TOKENS)).toBe(2);
  });

  it("stays between 1 and its bound, whatever is reported, and covers the last report within them", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: MIN_LEARNT_TOKENS, max: 1e6 }), fc.nat(1e7)), { minLength: 1 }), (calls) => {
        let margin = 1;
        for (const [estimated, reported] of calls) {
          margin = nextTokenMargin(margin, estimated, reported);
          expect(margin).toBeGreaterThanOrEqual(Math.min(MAX_TOKEN_MARGIN, reported / estimated));
          expect(margin).toBeGreaterThanOrEqual(1);
          expect(margin).toBeLessThanOrEqual(MAX_TOKEN_MARGIN);
        }
      }),
    );
  });

  it("raises what is reserved above the bound once the model counts more than it", () => {
    const margins = new TokenMargins();
    expect(margins.secure("a", 1_250, 1_000)).toBe(1_250);
    margins.learn("a", 1_000, 1_100);
    expect(margins.secure("a", 1_250, 1_000)).toBe(1_250);
    margins.learn("a", 1_000, 2_000);
    expect(margins.secure("a", 1_250, 1_000)).toBe(2_200);
    expect(margins.secure("b", 1_250, 1_000)).toBe(1_250);
  });

  it("is its own, and none is known for a model that was not called", () => {
    const margins = new TokenMargins();
    margins.learn("a", 1_000, 1_500);
    expect(margins.correct("a", 10)).toBe(15);
    expect(margins.correct("b", 10)).toBe(10);
  });
});
