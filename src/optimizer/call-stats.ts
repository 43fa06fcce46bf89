import type { CallRecord } from "../consumer/work-order.ts";

/** Stats are kept by the hour: a period begins with a whole one. */
export const STATS_HOUR_MS = 3_600_000;

/** Sums over calls. Money in integer nano-dollars, so that they are exact. */
export interface CallSums {
  /** Times that models were asked for one answer: an attempt of a task, or a request to the gateway, with all of its calls. */
  routes: number;
  /** Of these, how many gave none. */
  failures: number;
  calls: number;
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
  costNanoUsd: number;
  baselineNanoUsd: number;
  fallbacks: number;
  escalations: number;
  contextTokensSaved: number;
}

/** What the sums are kept apart by. `tier` and `taskType` are empty where a call has none: what an HTTP agent reports. */
export interface CellKey {
  /** Start of the hour, Unix ms. */
  hour: number;
  tier: string;
  taskType: string;
}

export interface StatsCell extends CellKey {
  sums: CallSums;
}

/** Calls that were made for one answer, as they are entered into the stats: once. */
export interface AnsweredRoute {
  /** When it was over, Unix ms. */
  at: number;
  /** Of the model that was called last; null for what no router chose. */
  tier: string | null;
  taskType: string | null;
  /** What entered the ledger now. */
  calls: readonly CallRecord[];
  hasFailed: boolean;
  fallbacks: number;
  escalations: number;
  contextTokensSaved: number;
}

const SUM_NAMES = Object.keys(createSums()) as (keyof CallSums)[];

export function createSums(): CallSums {
  return {
    routes: 0, failures: 0, calls: 0, inputTokens: 0, outputTokens: 0, cachedTokens: 0, costNanoUsd: 0, baselineNanoUsd: 0,
    fallbacks: 0, escalations: 0, contextTokensSaved: 0,
  };
}

export function addSums(into: CallSums, sums: CallSums): void {
  for (const name of SUM_NAMES) into[name] += sums[name];
}

export function subtractSums(from: CallSums, sums: CallSums): CallSums {
  return Object.fromEntries(SUM_NAMES.map((name) => [name, from[name] - sums[name]])) as unknown as CallSums;
}

/** The cells that a route adds to. Each call counts in the hour in which it ended, and so does the route. */
export function listCells(route: AnsweredRoute): StatsCell[] {
  const tier = route.tier ?? "";
  const taskType = route.taskType ?? "";
  const byHour = new Map<number, CallSums>();
  const sumsAt = (at: number): CallSums => {
    const hour = Math.floor(at / STATS_HOUR_MS) * STATS_HOUR_MS;
    const sums = byHour.get(hour) ?? createSums();
    byHour.set(hour, sums);
    return sums;
  };
  for (const call of route.calls) {
    const sums = sumsAt(call.at);
    sums.calls += 1;
    for (const name of ["inputTokens", "outputTokens", "cachedTokens", "costNanoUsd", "baselineNanoUsd"] as const) sums[name] += call[name];
  }
  if (route.tier !== null) {
    const sums = sumsAt(route.at);
    sums.routes += 1;
    sums.failures += route.hasFailed ? 1 : 0;
    sums.fallbacks += route.fallbacks;
    sums.escalations += route.escalations;
    sums.contextTokensSaved += route.contextTokensSaved;
  }
  return [...byHour].map(([hour, sums]) => ({ hour, tier, taskType, sums }));
}
