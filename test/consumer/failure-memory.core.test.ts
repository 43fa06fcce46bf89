import { describe, expect, test } from "vitest";
import { createFailureMemory, MAX_REMEMBERED, MAX_TENANTS, SUMS_FRESH_MS } from "../../src/consumer/failure-memory.ts";
import { createSums } from "../../src/optimizer/call-stats.ts";
import type { CallObservation } from "../../src/router/metrics/model-metrics.ts";

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

describe("what the tenant's object has summed up", () => {
  const cell = (changes: object, taskType = "planning", tier = "weak") => ({ tier, taskType, sums: { ...createSums(), ...changes } });
  const rateOf = (memory: ReturnType<typeof createFailureMemory>, taskType: "planning" | "general" = "planning") => memory.rate("t", taskType, 0, HALF_LIFE_MS);

  test("counts over all tiers, without the failures that were no answers, and takes the place of what this isolate saw before", () => {
    const memory = createFailureMemory();
    for (let index = 0; index < 16; index += 1) memory.observe(seen(), HALF_LIFE_MS);
    expect(memory.wantsSums("t", 0)).toBe(true);
    memory.learn("t", [cell({ routes: 10, failures: 4, misses: 2, escalations: 3 }), cell({ routes: 5 }, "planning", "base"), cell({ routes: 9, failures: 9, misses: 9 }, "general"), cell({ routes: 7 }, "planning", "")]);
    // Of 10 - 2 + 3 + 5 answers five missed; four are taken to have been right before.
    expect(rateOf(memory)).toBeCloseTo(5 / 20);
    expect(rateOf(memory, "general")).toBeCloseTo(9 / 13);
    for (let index = 0; index < 5; index += 1) memory.observe(seen(), HALF_LIFE_MS);
    expect(rateOf(memory)).toBeCloseTo(10 / 25);
  });

  test("is asked for by one, and again when it is no longer fresh; until then the former sums hold", () => {
    const memory = createFailureMemory();
    expect([memory.wantsSums("t", 0), memory.wantsSums("t", SUMS_FRESH_MS - 1), memory.wantsSums("u", 1)]).toEqual([true, false, true]);
    memory.learn("t", [cell({ routes: 4, failures: 4, misses: 4 })]);
    expect(memory.wantsSums("t", SUMS_FRESH_MS)).toBe(true);
    expect(rateOf(memory)).toBe(0.5);
  });

  test("is bounded in tenants: the one that was asked for longest ago goes, and what comes of it later is dropped", () => {
    const memory = createFailureMemory();
    for (let index = 0; index <= MAX_TENANTS; index += 1) memory.wantsSums(index === 0 ? "t" : `other-${index}`, 0);
    memory.learn("t", [cell({ routes: 4, failures: 4, misses: 4 })]);
    expect(rateOf(memory)).toBe(0);
  });
});
