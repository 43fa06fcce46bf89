import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addValues, createSketch, decay, MAX_VALUE, mergeSketches, MIN_VALUE, readQuantile, type Sketch, type TimedValue } from "../../../src/router/metrics/sketch.ts";

const HALF_LIFE_MS = 60_000;
const MAX_ERROR = 0.02;
const QUANTILES = [0, 0.01, 0.25, 0.5, 0.9, 0.99, 1];

/** A reproducible stream of numbers in (0, 1). */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 4_294_967_296;
  };
}

const DISTRIBUTIONS: [string, (random: () => number) => number][] = [
  ["uniform", (random) => 10 + 990 * random()],
  ["exponential", (random) => -800 * Math.log(random())],
  ["lognormal", (random) => Math.exp(6 + Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random()))],
  ["heavy-tailed", (random) => 50 / random() ** 1.2],
  ["of two humps", (random) => (random() < 0.9 ? 200 + 20 * random() : 30_000 + 500 * random())],
  ["constant", () => 417],
];

/** The least value that the share `quantile` of the weight is at or below, by sorting. */
function exactQuantile(values: readonly TimedValue[], at: number, quantile: number): number {
  const weighed = values.map((value) => ({ value: value.value, weight: decay(at - value.at, HALF_LIFE_MS) })).sort((left, right) => left.value - right.value);
  let left = quantile * weighed.reduce((sum, { weight }) => sum + weight, 0);
  for (const { value, weight } of weighed) {
    left -= weight;
    if (left <= 0) return value;
  }
  return weighed.at(-1)!.value;
}

/** Rounding of the sums may move an exact quantile to the value beside it, so either is right. */
function expectNear(sketch: Sketch, values: readonly TimedValue[], quantile: number): void {
  const found = readQuantile(sketch, quantile)!;
  const least = exactQuantile(values, sketch.at, Math.max(0, quantile - 1e-6));
  const most = exactQuantile(values, sketch.at, Math.min(1, quantile + 1e-6));
  expect(found).toBeGreaterThanOrEqual(least * (1 - MAX_ERROR));
  expect(found).toBeLessThanOrEqual(most * (1 + MAX_ERROR));
}

describe("quantiles", () => {
  test.each(DISTRIBUTIONS)("of %s values are within 2 % of the exact ones, without and with decay", (_name, draw) => {
    for (const stepMs of [0, 25]) {
      const random = createRandom(7);
      const values = Array.from({ length: 10_000 }, (_, index) => ({ value: draw(random), at: index * stepMs }));
      let sketch = createSketch(0);
      for (let start = 0; start < values.length; start += 100) sketch = addValues(sketch, values.slice(start, start + 100), HALF_LIFE_MS);
      for (const quantile of QUANTILES) expectNear(sketch, values, quantile);
    }
  });

  const timedValues = fc.array(fc.record({ value: fc.double({ min: MIN_VALUE, max: MAX_VALUE, noNaN: true }), at: fc.integer({ min: 0, max: 600_000 }) }), { minLength: 1, maxLength: 60 });

  test("are within 2 % for any values at any times, however they are split into batches", () => {
    fc.assert(
      fc.property(timedValues, fc.integer({ min: 1, max: 60 }), (values, size) => {
        let sketch = createSketch(0);
        for (let start = 0; start < values.length; start += size) sketch = addValues(sketch, values.slice(start, start + size), HALF_LIFE_MS);
        for (const quantile of [0.5, 0.99]) expectNear(sketch, values, quantile);
      }),
    );
  });

  test("of a merged sketch are those of all its values, also after a way through JSON", () => {
    fc.assert(
      fc.property(timedValues, timedValues, (first, second) => {
        const sketchOf = (values: readonly TimedValue[]) => JSON.parse(JSON.stringify(addValues(createSketch(0), values, HALF_LIFE_MS))) as Sketch;
        const merged = mergeSketches(sketchOf(first), sketchOf(second), HALF_LIFE_MS);
        for (const quantile of [0.5, 0.99]) expectNear(merged, [...first, ...second], quantile);
      }),
    );
  });

  test("follow what is new: after ten half-lives old values no longer count for the median", () => {
    const old = Array.from({ length: 1_000 }, () => ({ value: 5_000, at: 0 }));
    const sketch = addValues(addValues(createSketch(0), old, HALF_LIFE_MS), [1, 2, 3].map(() => ({ value: 100, at: 10 * HALF_LIFE_MS })), HALF_LIFE_MS);
    expect(readQuantile(sketch, 0.5)).toBeCloseTo(100, -1);
  });

  test("of nothing are unknown", () => {
    expect(readQuantile(createSketch(0), 0.5)).toBeNull();
  });
});

describe("a sketch", () => {
  test("stays bounded, whatever it is given", () => {
    const random = createRandom(3);
    const values = Array.from({ length: 200_000 }, () => ({ value: MIN_VALUE * (MAX_VALUE / MIN_VALUE) ** random(), at: 0 }));
    const sketch = addValues(createSketch(0), [...values, { value: 0, at: 0 }, { value: -5, at: 0 }, { value: 1e300, at: 0 }], HALF_LIFE_MS);
    expect(Object.keys(sketch.weights).length).toBeLessThanOrEqual(1_153);
    expect(JSON.stringify(sketch).length).toBeLessThan(40_000);
  });

  test("forgets what has decayed to nothing, and is not changed itself", () => {
    const before = addValues(createSketch(0), [{ value: 5_000, at: 0 }], HALF_LIFE_MS);
    const after = addValues(before, [{ value: 100, at: 60 * HALF_LIFE_MS }], HALF_LIFE_MS);
    expect(Object.keys(after.weights)).toHaveLength(1);
    expect(Object.keys(before.weights)).toHaveLength(1);
    expect(readQuantile(before, 0.5)).toBeCloseTo(5_000, -2);
  });

  test("of an idle age whose weights are no numbers any more still takes values", () => {
    const old = addValues(createSketch(0), [{ value: 5_000, at: 0 }], HALF_LIFE_MS);
    const sketch = addValues(old, [{ value: 100, at: 5_000 * HALF_LIFE_MS }], HALF_LIFE_MS);
    expect(readQuantile(sketch, 0.99)).toBeCloseTo(100, -1);
  });
});
