/**
 * Quantiles in bounded memory: counts in buckets whose bounds grow by a fixed factor, so that a bucket's middle is within a fixed share
 * of every value in it (Masson, Rim, Lee: DDSketch, VLDB 2019). Counts are weights that decay with time.
 */

/** Largest relative error of a quantile. */
export const RELATIVE_ERROR = 0.01;
const GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GROWTH = Math.log(GROWTH);
/** Values outside count as the nearest of these: as milliseconds, from 10 µs to a day. They bound a sketch to 1,150 buckets. */
export const MIN_VALUE = 0.01;
export const MAX_VALUE = 100_000_000;
/** A bucket with less than this share of the weight moves no quantile that anybody asks for. */
const NEGLIGIBLE_SHARE = 1e-9;

/** Plain data. Weights are as of `at` (Unix ms). */
export interface Sketch {
  at: number;
  /** Weight by bucket; the bucket i holds values in (GROWTH^(i-1), GROWTH^i]. */
  weights: Record<string, number>;
}

export interface TimedValue {
  value: number;
  at: number;
}

export function createSketch(at: number): Sketch {
  return { at, weights: {} };
}

/** What a weight of 1 is worth after a time. */
export function decay(elapsedMs: number, halfLifeMs: number): number {
  return elapsedMs <= 0 ? 1 : 0.5 ** (elapsedMs / halfLifeMs);
}

/** The sketch with more values, as of the latest time among all. An older value counts what is left of it by then. */
export function addValues(sketch: Sketch, values: readonly TimedValue[], halfLifeMs: number): Sketch {
  const at = values.reduce((latest, value) => Math.max(latest, value.at), sketch.at);
  const weights = scale(sketch.weights, decay(at - sketch.at, halfLifeMs));
  for (const { value, at: seenAt } of values) addWeight(weights, bucketOf(value), decay(at - seenAt, halfLifeMs));
  return { at, weights: dropNegligible(weights) };
}

/** Both sketches as one: the same, but for rounding, as if all values had been added to one of them. */
export function mergeSketches(left: Sketch, right: Sketch, halfLifeMs: number): Sketch {
  const at = Math.max(left.at, right.at);
  const weights = scale(left.weights, decay(at - left.at, halfLifeMs));
  for (const [bucket, weight] of Object.entries(scale(right.weights, decay(at - right.at, halfLifeMs)))) addWeight(weights, bucket, weight);
  return { at, weights: dropNegligible(weights) };
}

/** The least value that at least the share `quantile` of the weight is at or below, within `RELATIVE_ERROR`; null when there is none. */
export function readQuantile(sketch: Sketch, quantile: number): number | null {
  const buckets = Object.entries(sketch.weights)
    .map(([bucket, weight]): [number, number] => [Number(bucket), weight])
    .sort(([left], [right]) => left - right);
  const [last] = buckets.slice(-1);
  if (last === undefined) return null;
  let left = quantile * buckets.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [bucket, weight] of buckets) {
    left -= weight;
    if (left <= 0) return middleOf(bucket);
  }
  return middleOf(last[0]);
}

function bucketOf(value: number): string {
  return String(Math.ceil(Math.log(Math.min(Math.max(value, MIN_VALUE), MAX_VALUE)) / LOG_GROWTH));
}

/** As far from the lower as from the upper bound, in relation to each. */
function middleOf(bucket: number): number {
  return (2 * GROWTH ** bucket) / (GROWTH + 1);
}

function addWeight(weights: Record<string, number>, bucket: string, weight: number): void {
  weights[bucket] = (weights[bucket] ?? 0) + weight;
}

function scale(weights: Record<string, number>, factor: number): Record<string, number> {
  return Object.fromEntries(Object.entries(weights).map(([bucket, weight]) => [bucket, weight * factor]));
}

function dropNegligible(weights: Record<string, number>): Record<string, number> {
  const entries = Object.entries(weights);
  const least = entries.reduce((sum, [, weight]) => sum + weight, 0) * NEGLIGIBLE_SHARE;
  return entries.some(([, weight]) => weight < least || weight === 0) ? Object.fromEntries(entries.filter(([, weight]) => weight >= least && weight > 0)) : weights;
}
