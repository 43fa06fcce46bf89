import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { computeRetryDelayMs } from "../../src/workflow/retry.ts";
import { RetryPolicy } from "../../src/workflow/spec/spec.ts";
import { CoreRun } from "./core-run.ts";

const HOUR_MS = 3_600_000;
const policies = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 100 }),
  initialMs: fc.integer({ min: 0, max: HOUR_MS }),
  factor: fc.double({ min: 1, max: 100, noNaN: true }),
  maxMs: fc.integer({ min: 0, max: 86_400_000 }),
  jitter: fc.boolean(),
});
const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const failures = fc.integer({ min: 1, max: 100 });

describe("the wait before a retry", () => {
  test.each([
    { failures: 1, delayMs: 500 },
    { failures: 2, delayMs: 1_000 },
    { failures: 3, delayMs: 2_000 },
    { failures: 7, delayMs: 30_000 },
    { failures: 100, delayMs: 30_000 },
  ])("doubles by default, up to 30 s: after failure $failures $delayMs ms", ({ failures: count, delayMs }) => {
    expect(computeRetryDelayMs(RetryPolicy.parse({ jitter: false }), count, 0.5, null)).toBe(delayMs);
  });

  test("is between half and all of min(maxMs, initialMs · factorⁿ⁻¹), and all of it without jitter", () => {
    fc.assert(
      fc.property(policies, failures, draws, (policy, count, random) => {
        const fullMs = Math.min(policy.maxMs, policy.initialMs * policy.factor ** (count - 1));
        const delayMs = computeRetryDelayMs(policy, count, random, null);
        expect(delayMs).toBeGreaterThanOrEqual(policy.jitter ? fullMs / 2 : fullMs);
        expect(delayMs).toBeLessThanOrEqual(Math.ceil(fullMs));
        expect(Number.isSafeInteger(delayMs)).toBe(true);
      }),
    );
  });

  test("is at least what the server asked for, of which up to an hour is honoured", () => {
    fc.assert(
      fc.property(policies, failures, draws, fc.nat(10 * HOUR_MS), (policy, count, random, retryAfterMs) => {
        const own = computeRetryDelayMs(policy, count, random, null);
        expect(computeRetryDelayMs(policy, count, random, retryAfterMs)).toBe(Math.max(own, Math.min(retryAfterMs, HOUR_MS)));
      }),
    );
  });

  test.each([
    [HOUR_MS - 1, HOUR_MS - 1],
    [HOUR_MS, HOUR_MS],
    [HOUR_MS + 1, HOUR_MS],
  ])("of a server that asks for %i ms is %i ms", (askedMs, delayMs) => {
    expect(computeRetryDelayMs(RetryPolicy.parse({}), 1, 0, askedMs)).toBe(delayMs);
  });
});

describe("a task that fails", () => {
  test("transiently is tried up to maxAttempts times, and its events say when again", () => {
    const flow = new CoreRun({ a: { retry: { maxAttempts: 3 } } });
    for (const delayMs of [500, 1_000]) {
      flow.fail("a", { code: "agent_unavailable", retryable: true });
      expect(flow.events.at(-1)).toMatchObject({ type: "task.retrying", data: { nextAt: new Date(flow.now + delayMs).toISOString() } });
      flow.wait(delayMs - 1);
      expect(flow.live).toEqual([]);
      flow.wait(1);
      expect(flow.live).toEqual(["a"]);
    }
    flow.fail("a", { code: "agent_unavailable", retryable: true });
    expect(flow.task("a")).toMatchObject({ status: "failed", attempt: 3, failures: 3, failure: { code: "agent_unavailable" } });
  });

  test("permanently is not tried again", () => {
    const flow = new CoreRun({ a: {} });
    flow.fail("a");
    expect(flow.task("a")).toMatchObject({ status: "failed", attempt: 1 });
  });

  test("is tried again at once with initialMs 0", () => {
    const flow = new CoreRun({ a: { retry: { initialMs: 0 } } });
    flow.fail("a", { retryable: true });
    expect(flow.task("a")).toMatchObject({ status: "running", attempt: 2 });
  });

  test("waits as long as its agent asked for", () => {
    const flow = new CoreRun({ a: {} });
    flow.fail("a", { retryable: true, retryAfterMs: 20_000 });
    expect(flow.task("a").retryAt).toBe(flow.now + 20_000);
  });

  test("keeps no failure once it completed", () => {
    const flow = new CoreRun({ a: {} });
    flow.fail("a", { retryable: true });
    flow.wait(500);
    flow.complete("a");
    expect(flow.task("a")).toMatchObject({ status: "completed", attempt: 2, failures: 1, failure: null });
  });
});
