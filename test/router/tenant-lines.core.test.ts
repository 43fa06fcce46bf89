import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TenantLines, WINDOW_MS, type RateRequest } from "../../src/router/tenant-lines.ts";
import type { BucketsByModel, RateLimits } from "../../src/router/token-bucket.ts";

const MINUTE_MS = 60_000;

interface Call {
  tenant: string;
  at: number;
  tokens?: number;
  maxWaitMs?: number;
}

interface Sent extends Call {
  /** Null for one that could not wait so long. */
  sentAt: number | null;
}

/** Lets callers ask, wait and ask again as they are told, in the order of time. `network`: how much later each asks than it should. */
function run(calls: readonly Call[], limits: RateLimits, { burstShare = 0.1, network = () => 0 }: { burstShare?: number; network?: () => number } = {}): Sent[] {
  const lines = new TenantLines();
  let buckets: BucketsByModel = {};
  const sent = calls.map((call): Sent => ({ ...call, sentAt: null }));
  const due = sent.map((call, index) => ({ at: call.at, index, isReturning: false }));
  while (due.length > 0) {
    let next = 0;
    for (let index = 1; index < due.length; index += 1) if (due[index]!.at < due[next]!.at) next = index;
    const [{ at: now, index, isReturning }] = due.splice(next, 1) as [(typeof due)[number]];
    const { tenant, at, tokens = 1, maxWaitMs = Infinity } = sent[index]!;
    const request: RateRequest = { tenant, model: "m", limits, tokens, maxWaitMs: at + maxWaitMs - now, isReturning };
    const { byModel, lease } = lines.lease(buckets, request, { now, burstShare });
    if (lease.waitMs !== null) {
      buckets = byModel;
      sent[index]!.sentAt = now + lease.waitMs;
    } else if (lease.askAgainMs !== null) due.push({ at: now + lease.askAgainMs + network(), index, isReturning: true });
  }
  return sent;
}

const flood = (tenant: string, count: number, at = 0): Call[] => Array.from({ length: count }, () => ({ tenant, at }));
const delaysOf = (sent: readonly Sent[], tenant: string): number[] => sent.filter((call) => call.tenant === tenant).map(({ at, sentAt }) => sentAt! - at);
/** Ten a second. */
const LIMITS: RateLimits = { requestsPerMinute: 600, tokensPerMinute: null };

describe("calls of several tenants to a model with limits", () => {
  test.each([
    ["requests", LIMITS, 1],
    ["tokens", { requestsPerMinute: null, tokensPerMinute: 600_000 }, 1_000],
  ])("wait for no more of another's flood than its window (%s)", (_, limits, tokens) => {
    const calm = Array.from({ length: 20 }, (_none, index): Call => ({ tenant: "calm", at: 100 + index * 3_000 }));
    const sent = run([...flood("flood", 1_000), ...calm].map((call) => ({ ...call, tokens })), limits);
    // Beside the window: the call's own place, and the rounding of the flow.
    expect(Math.max(...delaysOf(sent, "calm"))).toBeLessThan(WINDOW_MS + 500);
    expect(Math.max(...delaysOf(sent, "flood"))).toBeGreaterThan(60_000);
  });

  test("a flood alone has all that flows in, in the order in which it asked", () => {
    const delays = delaysOf(run(flood("flood", 600), LIMITS, { network: () => 7 }), "flood");
    // Sixty go at once, of the others nine in a second.
    expect(delays.at(-1)!).toBeLessThan((540 / 9) * 1_000 * 1.1);
    expect(delays).toEqual(delays.toSorted((left, right) => left - right));
  });

  test("tenants that all have more than fits get alike", () => {
    const sent = run(["a", "b", "c"].flatMap((tenant, index) => flood(tenant, 400, index * 2_000)), LIMITS);
    const from = 10_000;
    const counts = ["a", "b", "c"].map((tenant) => sent.filter((call) => call.tenant === tenant && call.sentAt! >= from && call.sentAt! < from + 60_000).length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(500);
    expect(Math.max(...counts) / Math.min(...counts)).toBeLessThan(1.3);
  });

  test("that cannot wait so long are told so at once, and keep nothing", () => {
    const sent = run([...flood("flood", 500), ...flood("hasty", 1, 50).map((call) => ({ ...call, maxWaitMs: 100 })), ...flood("flood", 1, 60).map((call) => ({ ...call, maxWaitMs: 10_000 }))], LIMITS);
    expect(sent.slice(-2).map(({ sentAt }) => sentAt)).toEqual([null, null]);
  });

  test("are all sent, and in no minute more than the limit", () => {
    const calls = fc.array(fc.record({ tenant: fc.constantFrom("a", "b", "c"), at: fc.integer({ min: 0, max: 60_000 }) }), { minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(calls, fc.integer({ min: 1, max: 60 }), fc.double({ min: 0.01, max: 1, noNaN: true }), fc.integer({ min: 0, max: 300 }), (asked, requestsPerMinute, burstShare, lateMs) => {
        const times = run(asked, { requestsPerMinute, tokensPerMinute: null }, { burstShare, network: () => lateMs }).map(({ sentAt }) => sentAt!);
        expect(times).not.toContain(null);
        const busiest = Math.max(...times.map((start) => times.filter((at) => at >= start && at < start + MINUTE_MS).length));
        expect(busiest).toBeLessThanOrEqual(requestsPerMinute);
      }),
      { numRuns: 200 },
    );
  });
});
