import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Settings } from "../../../src/config/settings.ts";
import { joinMetrics } from "../../../src/router/metrics/join-metrics.ts";
import { foldObservations, MAX_MEASURED_MODELS, readCircuits, snapshotMetrics, takeProbe, type MetricsState } from "../../../src/router/metrics/metrics-fold.ts";
import type { CallObservation } from "../../../src/router/metrics/model-metrics.ts";

const SETTINGS = Settings.parse({}).routing;
const START = 1_800_000_000_000;

function seen(changes: Partial<CallObservation> = {}): CallObservation {
  return {
    at: START, tenant: "default", model: "m", provider: "p", tier: "weak", taskType: null, isSuccess: true, isHealthFailure: false, retryAfterMs: null,
    latencyMs: 1_000, timeToFirstTokenMs: 200, inputTokens: 600, outputTokens: 400, costNanoUsd: 2_000_000, baselineNanoUsd: 0, quality: null,
    ...changes,
  };
}

const failure = (changes: Partial<CallObservation> = {}) => seen({ isSuccess: false, isHealthFailure: true, outputTokens: 0, timeToFirstTokenMs: null, costNanoUsd: 0, ...changes });

function fold(observations: readonly CallObservation[], now = START, state: MetricsState = {}): MetricsState {
  return foldObservations(state, observations, now, SETTINGS);
}

function describeOnly(state: MetricsState, now = START) {
  return snapshotMetrics(state, now, SETTINGS).models["m"]!;
}

describe("a model's metrics", () => {
  test("are those of its calls", () => {
    const metrics = describeOnly(fold([seen(), seen({ latencyMs: 3_000, quality: 1 }), seen({ quality: 0 }), failure({ isHealthFailure: false, inputTokens: 0 })]));
    expect(metrics).toMatchObject({ calls: 4, successRate: 0.75, quality: 0.5, circuit: { state: "closed", openUntil: null }, updatedAt: START });
    expect(metrics.latencyMs!.p50 / 1_000).toBeCloseTo(1, 1);
    expect(metrics.latencyMs!.p99 / 3_000).toBeCloseTo(1, 1);
    expect(metrics.timeToFirstTokenMs!.p50 / 200).toBeCloseTo(1, 1);
    // 400 tokens in 0.8, 2.8 and 0.8 s; 6 million nano-dollars for 3,000 tokens.
    expect(metrics.tokensPerSecond! / 500).toBeCloseTo(1, 1);
    expect(metrics.costPer1kTokensUsd).toBeCloseTo(0.002, 12);
  });

  test("leave out what failed where speed is told: a quick refusal makes no model fast", () => {
    const metrics = describeOnly(fold([seen(), ...Array.from({ length: 20 }, () => failure({ isHealthFailure: false, latencyMs: 5 }))]));
    expect(metrics.latencyMs!.p50).toBeGreaterThan(900);
    expect(metrics.successRate).toBeCloseTo(1 / 21, 9);
  });

  test("leave out calls that prove nothing of the model, but not what they cost", () => {
    const hurried = failure({ isHealthFailure: false, isInconclusive: true, inputTokens: 600, outputTokens: 400, costNanoUsd: 8_000_000 });
    const metrics = describeOnly(fold([seen(), ...Array.from({ length: 3 }, () => hurried)]));
    expect(metrics).toMatchObject({ successRate: 1, calls: 4 });
    expect(metrics.costPer1kTokensUsd).toBeGreaterThan(describeOnly(fold([seen()])).costPer1kTokensUsd!);
  });

  test("are null where nothing was measured, and finite everywhere else", () => {
    expect(describeOnly(fold([failure()]))).toMatchObject({ successRate: 0, latencyMs: null, timeToFirstTokenMs: null, tokensPerSecond: null, quality: null });
    fc.assert(
      fc.property(fc.array(fc.record({ at: fc.integer({ min: START - 1e9, max: START + 1e9 }), latencyMs: fc.integer({ min: 0, max: 1e6 }), outputTokens: fc.integer({ min: 0, max: 1e6 }), isSuccess: fc.boolean() }), { minLength: 1 }), (calls) => {
        const { successRate, latencyMs, tokensPerSecond } = describeOnly(fold(calls.map(seen)));
        for (const value of [successRate, latencyMs?.p50, latencyMs?.p99, tokensPerSecond]) if (value != null) expect(Number.isFinite(value)).toBe(true);
        if (successRate !== null) expect(successRate).toBeGreaterThanOrEqual(0);
        if (successRate !== null) expect(successRate).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("count new calls more than old ones: after some half-lives a model that became slow and bad is known as such", () => {
    const before = fold(Array.from({ length: 100 }, () => seen()));
    const later = START + 8 * SETTINGS.metricsHalfLifeMs;
    const metrics = describeOnly(fold(Array.from({ length: 5 }, () => seen({ at: later, latencyMs: 9_000, quality: 0 })), later, before), later);
    expect(metrics.latencyMs!.p50).toBeGreaterThan(8_000);
    expect(metrics.calls).toBe(105);
  });

  test("are forgotten once nobody calls the model any more, but not how often it was called", () => {
    const state = fold([seen(), seen()]);
    const later = START + 20 * SETTINGS.metricsHalfLifeMs;
    expect(describeOnly(state, later - 15 * SETTINGS.metricsHalfLifeMs).successRate).toBe(1);
    expect(describeOnly(state, later)).toMatchObject({ calls: 2, successRate: null, latencyMs: null, quality: null });
  });

  test("do not depend on how the calls came in batches", () => {
    const calls = Array.from({ length: 60 }, (_, index) => seen({ at: START + index * 1_000, latencyMs: 500 + 37 * index, isSuccess: index % 7 !== 0, quality: index % 2 }));
    const now = START + 60_000;
    const whole = describeOnly(fold(calls, now), now);
    let state: MetricsState = {};
    for (const call of calls) state = fold([call], now, state);
    const single = describeOnly(state, now);
    expect(single.latencyMs).toEqual(whole.latencyMs);
    for (const key of ["successRate", "tokensPerSecond", "costPer1kTokensUsd", "quality"] as const) expect(single[key]).toBeCloseTo(whole[key]!, 9);
  });

  test("take a call from a clock that runs fast as of now", () => {
    const state = fold([seen({ at: START + 3_600_000 })]);
    expect(describeOnly(fold([seen({ latencyMs: 2_000 })], START, state)).latencyMs!.p99).toBeGreaterThan(1_900);
  });

  test("survive JSON", () => {
    const state = fold([seen(), failure({ model: "n" })]);
    expect(snapshotMetrics(JSON.parse(JSON.stringify(state)) as MetricsState, START, SETTINGS)).toEqual(snapshotMetrics(state, START, SETTINGS));
  });
});

describe("circuits", () => {
  const down = () => fold(Array.from({ length: SETTINGS.circuitConsecutiveFailures }, () => failure()));

  test("open by failures of health, each model's own", () => {
    expect(readCircuits(fold([seen({ model: "other" })], START, down()), START)).toEqual({ m: { state: "open", openUntil: expect.any(Number) } });
    expect(readCircuits(fold(Array.from({ length: 50 }, () => failure({ isHealthFailure: false }))), START)).toEqual({});
  });

  test("let one probe through when they are half-open", () => {
    const state = down();
    expect(takeProbe(state, "m", START).isGranted).toBe(false);
    const { openUntil } = readCircuits(state, START)["m"]!;
    const first = takeProbe(state, "m", openUntil!);
    expect(first.isGranted).toBe(true);
    expect(takeProbe(first.state, "m", openUntil! + 1).isGranted).toBe(false);
    expect(readCircuits(first.state, openUntil!)).toMatchObject({ m: { state: "half-open" } });
  });

  test("of models that were never seen are closed", () => {
    expect(takeProbe({}, "m", START)).toEqual({ state: {}, isGranted: true });
  });
});

test("the models of a provider are bounded; the one heard of longest ago goes first", () => {
  let state = fold([seen({ model: "oldest" })], START - 2);
  state = fold(Array.from({ length: MAX_MEASURED_MODELS - 1 }, (_, index) => seen({ model: `m${index}` })), START - 1, state);
  expect(Object.keys(state)).toHaveLength(MAX_MEASURED_MODELS);
  state = fold([seen({ model: "new" })], START, state);
  expect(Object.keys(state)).toHaveLength(MAX_MEASURED_MODELS);
  expect(state["oldest"]).toBeUndefined();
});

describe("joined metrics", () => {
  const replica = snapshotMetrics(fold([seen(), seen({ model: "n" })]), START, SETTINGS);
  const open = { state: "open" as const, openUntil: START + 9_000 };

  test("have each circuit by the newer source", () => {
    const later = joinMetrics([{ replica, circuits: { m: open }, heardAt: START + 1 }])!;
    expect([later.models["m"]!.circuit, later.models["n"]!.circuit]).toEqual([open, { state: "closed", openUntil: null }]);
    const sick = { ...replica, models: { ...replica.models, m: { ...replica.models["m"]!, circuit: open } } };
    expect(joinMetrics([{ replica: sick, circuits: {}, heardAt: START - 1 }])!.models["m"]!.circuit).toEqual(open);
    expect(joinMetrics([{ replica: sick, circuits: {}, heardAt: START + 1 }])!.models["m"]!.circuit.state).toBe("closed");
  });

  test("know of an open circuit before anything was replicated", () => {
    expect(joinMetrics([{ replica: null, circuits: { m: open }, heardAt: START }])!.models["m"]).toMatchObject({ circuit: open, latencyMs: null });
  });

  test("are null while nothing is known", () => {
    expect(joinMetrics([{ replica: null, circuits: {}, heardAt: START }, { replica: null, circuits: {}, heardAt: -Infinity }])).toBeNull();
  });
});
