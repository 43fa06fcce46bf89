import type { RoutingSettings } from "../../config/routing-settings.ts";
import { addEvidence, createEvidence, type EvidenceRow, type EvidenceSums } from "./evidence.ts";

export type JudgeSettings = Pick<RoutingSettings, "costWeight" | "latencyWeight" | "qualityWeight">;

/** How good a model is at what its tier was asked, in the tier's own terms. */
export interface Judgement {
  model: string;
  calls: number;
  /** Share of calls that gave an answer. */
  successRate: number;
  /** Share of checked answers that passed; null when none was checked. */
  quality: number | null;
  meanLatencyMs: number;
  meanCostNanoUsd: number;
  /** What an answer costs in money, time and misses, where 1 is the average of the tier for tasks of the same types. Less is better. */
  penalty: number;
  /** Standard error of the penalty. */
  error: number;
}

/** Answers are never counted rarer than this, so that a model that is down is very bad, and not infinitely. */
const LEAST_YIELD = 0.05;

/**
 * Judges the models of one tier by what was seen of them. Each is compared with the tier's average for tasks of the same type, so that
 * a model that was given the harder tasks does not look worse for it. A call that gave no usable answer had to be made again, so cost
 * and time count per usable answer.
 */
export function judgeModels(rows: readonly EvidenceRow[], settings: JudgeSettings): Map<string, Judgement> {
  const average = averageByType(rows);
  return new Map([...Map.groupBy(rows, ({ model }) => model)].map(([model, list]) => [model, judgeModel(model, list, average, settings)]));
}

/** What an answer of the tier costs on average, by type of task. */
export type AverageByType = ReadonlyMap<string, PerAnswer>;

export function averageByType(rows: readonly EvidenceRow[]): AverageByType {
  return new Map([...Map.groupBy(rows, ({ taskType }) => taskType)].map(([taskType, list]) => [taskType, perAnswer(sumEvidence(list))]));
}

/** Judges one model by some of what was seen of it, against the tier's average. */
export function judgeModel(model: string, rows: readonly EvidenceRow[], average: AverageByType, settings: JudgeSettings): Judgement {
  const sums = sumEvidence(rows);
  let penalty = 0;
  let variance = 0;
  for (const [taskType, list] of Map.groupBy(rows, (row) => row.taskType)) {
    const ofType = sumEvidence(list);
    const share = ofType.calls / sums.calls;
    const judged = comparePerAnswer(ofType, average.get(taskType)!, settings);
    penalty += share * judged.penalty;
    variance += share ** 2 * judged.variance;
  }
  return { model, ...summarise(sums), penalty, error: Math.sqrt(variance) };
}

export function sumEvidence(rows: readonly EvidenceSums[]): EvidenceSums {
  return rows.reduce<EvidenceSums>(addEvidence, createEvidence());
}

/** Share of calls that gave an answer, and share of checked answers that passed. */
export function summarise(sums: EvidenceSums): Omit<Judgement, "model" | "penalty" | "error"> {
  return {
    calls: sums.calls,
    successRate: ratio(sums.successes, sums.calls),
    quality: sums.checks === 0 ? null : sums.quality / sums.checks,
    meanLatencyMs: ratio(sums.latencyMs, sums.calls),
    meanCostNanoUsd: ratio(sums.costNanoUsd, sums.calls),
  };
}

interface PerAnswer {
  costNanoUsd: number;
  latencyMs: number;
  yielded: number;
}

function perAnswer(sums: EvidenceSums): PerAnswer {
  const { successRate, quality, meanLatencyMs, meanCostNanoUsd } = summarise(sums);
  const yielded = Math.max(LEAST_YIELD, successRate * (quality ?? 1));
  return { costNanoUsd: meanCostNanoUsd / yielded, latencyMs: meanLatencyMs / yielded, yielded };
}

function comparePerAnswer(sums: EvidenceSums, average: PerAnswer, settings: JudgeSettings): { penalty: number; variance: number } {
  const { costNanoUsd, latencyMs, yielded } = perAnswer(sums);
  const total = settings.costWeight + settings.latencyWeight + settings.qualityWeight || 1;
  const [costWeight, latencyWeight, qualityWeight] = [settings.costWeight / total, settings.latencyWeight / total, settings.qualityWeight / total];
  const relativeCost = ratio(costNanoUsd, average.costNanoUsd);
  const relativeLatency = ratio(latencyMs, average.latencyMs);
  const penalty = costWeight * relativeCost + latencyWeight * relativeLatency + qualityWeight * (1 - yielded);
  // Of means over as many calls, and of a share. The square of a relative error adds to that of another.
  const yieldVariance = (yielded * (1 - yielded) + 1 / (sums.calls + 1)) / sums.calls;
  const relative = (mean: number, squares: number) => ratio(Math.max(0, squares / sums.calls - mean ** 2), mean ** 2) / sums.calls + yieldVariance / yielded ** 2;
  const variance =
    (costWeight * relativeCost) ** 2 * relative(sums.costNanoUsd / sums.calls, sums.costSquares) +
    (latencyWeight * relativeLatency) ** 2 * relative(sums.latencyMs / sums.calls, sums.latencySquares) +
    qualityWeight ** 2 * yieldVariance;
  return { penalty, variance };
}

/** 0 of 0 is 0: where nothing costs anything, nobody is dearer. */
function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
