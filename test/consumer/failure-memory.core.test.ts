import { describe, expect, test } from "vitest";
import { createFailureMemory, MAX_REMEMBERED } from "../../src/consumer/failure-memory.ts";
import type { CallObservation } from "../../src/router/model-metrics.ts";

const HALF_LIFE_MS = 1_000;

function seen(changes: Partial<CallObservation> = {}): CallObservation {
  return { at: 0, tenant: "t", model: "m", provider: "p", tier: "weak", taskType: "planning", isSuccess: true, isHealthFailure: false, retryAfterMs: null, latencyMs: 1, timeToFirstTokenMs: null, inputTokens: 1, outputTokens: 1, costNanoUsd: 0, baselineNanoUsd: 0, quality: 0, ...changes };
}

function rateAfter(observations: CallObservation[], now = 0, tenant = "t"): number {
  const memory = createFailureMemory();
  for (const observation of observations) memory.observe(observation, HALF_LIFE_MS);
  return memory.rate(tenant, "planning", now, HALF_LIFE_MS);
}

describe("the failure rate of a type", () => {
  test.each<[string, CallObservation[], number]>([
    ["nothing was seen", [], 0],
    ["one answer missed its schema", [seen()], 0.2],
    ["sixteen did", Array.from({ length: 16 }, () => seen()), 0.8],
    ["half of eight did", Array.from({ length: 8 }, (_, index) => seen({ quality: index % 2 })), 1 / 3],
    ["answers were not checked", [seen({ quality: null })], 0],
    ["a provider was down", [seen({ isSuccess: false, quality: null, isHealthFailure: true })], 0],
    ["another type missed", [seen({ taskType: "general" })], 0],
    ["another tenant's missed", [seen({ tenant: "u" })], 0],
    ["a call had no type", [seen({ taskType: null })], 0],
  ])("when %s", (_, observations, rate) => {
    expect(rateAfter(observations)).toBeCloseTo(rate);
  });

  test("what is a half-life old counts half, and a clock that goes back does no harm", () => {
    const misses = Array.from({ length: 16 }, () => seen());
    expect(rateAfter(misses, HALF_LIFE_MS)).toBeCloseTo(8 / 12);
    expect(rateAfter(misses, -HALF_LIFE_MS)).toBeCloseTo(0.8);
  });

  test("the memory is bounded: whom it heard of longest ago is forgotten", () => {
    const others = (count: number) => Array.from({ length: count }, (_, index) => seen({ tenant: `other-${index}` }));
    expect(rateAfter([seen(), ...others(MAX_REMEMBERED - 1)])).toBeGreaterThan(0);
    expect(rateAfter([seen(), ...others(MAX_REMEMBERED)])).toBe(0);
  });
});
