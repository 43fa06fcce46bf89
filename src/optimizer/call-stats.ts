import type { CallRecord } from "../consumer/work-order.ts";

/** Stats are kept by the hour: a period begins with a whole one. */
export const STATS_HOUR_MS = 3_600_000;

/** Sums over calls. Money in integer nano-dollars, so that they are exact. */
export interface CallSums {
  /** Times that models were asked for one answer: an attempt of a task, or a request to the gateway, with all of its calls. */
  routes: number;
  /** Of these, how many gave none. */
  failures: number;
  /** Of the failures, those whose answers missed what was asked for, also one or two tiers up. */
  misses: number;
  calls: number;
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
  costNanoUsd: number;
  baselineNanoUsd: number;
  fallbacks: number;
  /** Answers that missed what was asked for and were asked again one tier up; counted at the tier that missed. */
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

/** How one answer was come by, as it is entered into the stats: once, beside its calls. */
export interface AnsweredRoute {
  /** When it was over, Unix ms. */
  at: number;
  /** Of the model that was called last; null for what no router chose. */
  tier: string | null;
  taskType: string | null;
  /** The code of its failure; null when it gave an answer. */
  failureCode: string | null;
  fallbacks: number;
  /** Tiers whose answers were asked again one tier up, in order. */
  escalatedFrom: readonly string[];
  contextTokensSaved: number;
}

const SUM_NAMES = Object.keys(createSums()) as (keyof CallSums)[];

export function createSums(): CallSums {
  return {
    routes: 0, failures: 0, misses: 0, calls: 0, inputTokens: 0, outputTokens: 0, cachedTokens: 0, costNanoUsd: 0, baselineNanoUsd: 0,
    fallbacks: 0, escalations: 0, contextTokensSaved: 0,
  };
}

export function addSums(into: CallSums, sums: CallSums): void {
  for (const name of SUM_NAMES) into[name] += sums[name];
}

export function subtractSums(from: CallSums, sums: CallSums): CallSums {
  return Object.fromEntries(SUM_NAMES.map((name) => [name, from[name] - sums[name]])) as unknown as CallSums;
}

/** The cells that a request to the gateway adds to: its calls, each in the hour in which it ended, and the route. */
export function listCells(route: AnsweredRoute & { calls: readonly CallRecord[] }): StatsCell[] {
  return mergeCells([...route.calls.map((call) => cellOfCall(call, route)), ...listRouteCells(route)]);
}

/** The cell of one call. */
export function cellOfCall(call: CallRecord, { tier, taskType }: { tier: string | null; taskType: string | null }): StatsCell {
  const { inputTokens, outputTokens, cachedTokens, costNanoUsd, baselineNanoUsd } = call;
  return { hour: hourOf(call.at), tier: tier ?? "", taskType: taskType ?? "", sums: { ...createSums(), calls: 1, inputTokens, outputTokens, cachedTokens, costNanoUsd, baselineNanoUsd } };
}

/** The cells of a route without its calls. What no router chose has none. */
export function listRouteCells(route: AnsweredRoute): StatsCell[] {
  if (route.tier === null) return [];
  const cells = new Map<string, StatsCell>();
  const taskType = route.taskType ?? "";
  const sumsOf = (at: number, tier: string): CallSums => addCell(cells, { hour: hourOf(at), tier, taskType, sums: createSums() });
  const sums = sumsOf(route.at, route.tier);
  sums.routes += 1;
  sums.failures += route.failureCode === null ? 0 : 1;
  sums.misses += route.failureCode === "output_invalid" ? 1 : 0;
  sums.fallbacks += route.fallbacks;
  sums.contextTokensSaved += route.contextTokensSaved;
  for (const tier of route.escalatedFrom) sumsOf(route.at, tier).escalations += 1;
  return [...cells.values()];
}

function hourOf(at: number): number {
  return Math.floor(at / STATS_HOUR_MS) * STATS_HOUR_MS;
}

/** One cell for each key. */
export function mergeCells(cells: readonly StatsCell[]): StatsCell[] {
  const merged = new Map<string, StatsCell>();
  for (const { sums, ...key } of cells) addSums(addCell(merged, { ...key, sums: createSums() }), sums);
  return [...merged.values()];
}

/** The sums of the cell that is there, else of this one. */
function addCell(cells: Map<string, StatsCell>, cell: StatsCell): CallSums {
  const name = `${cell.hour}:${cell.tier}:${cell.taskType}`;
  const known = cells.get(name);
  if (known === undefined) cells.set(name, cell);
  return (known ?? cell).sums;
}
