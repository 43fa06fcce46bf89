import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leaseModelRate, leaseRate, MAX_LIMITED_MODELS, type BucketsByModel, type RateBuckets, type RateLimits } from "../../src/router/token-bucket.ts";

const MINUTE_MS = 60_000;
const FULL: RateBuckets = { requests: null, tokens: null };

interface Call {
  at: number;
  tokens: number;
}

/** When each call is sent; null when it would have had to wait too long. */
function sendAll(calls: readonly Call[], limits: RateLimits, burstShare: number, maxWaitMs = Infinity): (number | null)[] {
  let buckets = FULL;
  return calls.map(({ at, tokens }) => {
    const lease = leaseRate(buckets, { limits, tokens, maxWaitMs }, { now: at, burstShare });
    buckets = lease.buckets;
    return lease.waitMs === null ? null : at + lease.waitMs;
  });
}

/** Most that was sent in any minute, its end excluded. */
function busiestMinute(sent: { at: number; amount: number }[]): number {
  return Math.max(0, ...sent.map(({ at: start }) => sent.reduce((sum, { at, amount }) => (at >= start && at < start + MINUTE_MS ? sum + amount : sum), 0)));
}

const calls = (maxTokens: number) =>
  fc
    .array(fc.record({ gapMs: fc.integer({ min: 0, max: 20_000 }), tokens: fc.integer({ min: 0, max: maxTokens }) }), { minLength: 1, maxLength: 80 })
    .map((gaps) => {
      let at = 0;
      return gaps.map(({ gapMs, tokens }): Call => ({ at: (at += gapMs), tokens }));
    });
const burstShares = fc.double({ min: 0.01, max: 1, noNaN: true });

describe("in no minute", () => {
  test("are more requests sent than the limit, however they ask", () => {
    fc.assert(
      fc.property(calls(0), fc.integer({ min: 1, max: 100 }), burstShares, (asked, limit, burstShare) => {
        const sent = sendAll(asked, { requestsPerMinute: limit, tokensPerMinute: null }, burstShare);
        expect(busiestMinute(sent.map((at) => ({ at: at!, amount: 1 })))).toBeLessThanOrEqual(limit);
      }),
      { numRuns: 1_000 },
    );
  });

  test("are more tokens sent than the limit; a call larger than may go at one moment adds its excess", () => {
    fc.assert(
      fc.property(calls(3_000), fc.integer({ min: 100, max: 10_000 }), burstShares, (asked, limit, burstShare) => {
        const sent = sendAll(asked, { requestsPerMinute: null, tokensPerMinute: limit }, burstShare).map((at, index) => ({ at: at!, amount: asked[index]!.tokens }));
        const excess = Math.max(0, ...asked.map(({ tokens }) => tokens - limit * Math.min(burstShare, 0.5)));
        // Sums of fractions.
        expect(busiestMinute(sent)).toBeLessThanOrEqual(limit + excess + 1e-6);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a call", () => {
  const limits: RateLimits = { requestsPerMinute: 60, tokensPerMinute: 60_000 };

  test("is sent in the order in which it asks", () => {
    fc.assert(
      fc.property(calls(2_000), (asked) => {
        const sent = sendAll(asked, limits, 0.1);
        expect(sent).toEqual(sent.toSorted((left, right) => left! - right!));
      }),
    );
  });

  test("waits for the scarcer of both limits", () => {
    const burst = Array.from({ length: 7 }, () => ({ at: 0, tokens: 1 }));
    // A tenth of the limit goes at once; the rest flows in, 55 a minute.
    expect(sendAll(burst, limits, 0.1)).toEqual([0, 0, 0, 0, 0, 0, Math.ceil(MINUTE_MS / 55)]);
    expect(sendAll([{ at: 0, tokens: 6_000 }, { at: 0, tokens: 5_400 }], limits, 0.1)).toEqual([0, 6_001]);
  });

  test("that cannot wait so long is refused and takes no place", () => {
    const asked = [{ at: 0, tokens: 6_000 }, { at: 0, tokens: 5_400 }];
    expect(sendAll(asked, limits, 0.1, 6_000)).toEqual([0, null]);
    expect(sendAll(asked, limits, 0.1, 6_001)).toEqual([0, 6_001]);
    expect(sendAll([...asked, { at: 0, tokens: 900 }], limits, 0.1, 6_000)).toEqual([0, null, 1_001]);
  });

  test("larger than all that may go at once still goes, after the time that its excess takes to flow in", () => {
    expect(sendAll([{ at: 0, tokens: 60_000 }], { requestsPerMinute: null, tokensPerMinute: 60_000 }, 0.1)).toEqual([MINUTE_MS + 1]);
  });

  test("of a model without limits goes at once", () => {
    expect(leaseRate(FULL, { limits: { requestsPerMinute: null, tokensPerMinute: null }, tokens: 1e9, maxWaitMs: 0 }, { now: 5, burstShare: 0.1 })).toEqual({ buckets: FULL, waitMs: 0 });
  });

  test("at a limit of one a minute goes once a minute", () => {
    expect(sendAll([0, 1, 2].map((at) => ({ at, tokens: 0 })), { requestsPerMinute: 1, tokensPerMinute: null }, 0.1)).toEqual([0, MINUTE_MS + 1, 2 * (MINUTE_MS + 1)]);
  });

  test("at an hour gives no more than one moment's share: time that was not used is not saved up", () => {
    const asked = [{ at: 0, tokens: 0 }, ...Array.from({ length: 8 }, () => ({ at: 60 * MINUTE_MS, tokens: 0 }))];
    expect(sendAll(asked, limits, 0.1).filter((at) => at === 60 * MINUTE_MS)).toHaveLength(6);
  });

  test("seen by a clock that went back takes no more than before", () => {
    const asked = [...Array.from({ length: 6 }, () => ({ at: 10_000, tokens: 0 })), { at: 0, tokens: 0 }];
    expect(sendAll(asked, limits, 0.1).at(-1)).toBeGreaterThan(0);
  });
});

test("models have buckets of their own, and the one asked for longest ago is forgotten first", () => {
  let byModel: BucketsByModel = {};
  const ask = (model: string) => {
    const lease = leaseModelRate(byModel, { model, limits: { requestsPerMinute: 1, tokensPerMinute: null }, tokens: 0, maxWaitMs: 0 }, { now: 0, burstShare: 0.1 });
    byModel = lease.byModel;
    return lease.waitMs;
  };
  for (let index = 0; index < MAX_LIMITED_MODELS; index += 1) expect(ask(`m${index}`)).toBe(0);
  expect(ask("m0")).toBeNull();
  expect(ask("more")).toBe(0);
  expect(Object.keys(byModel)).toHaveLength(MAX_LIMITED_MODELS);
  expect(byModel["m0"]).toBeUndefined();
  expect(byModel["m1"]).toBeDefined();
});
