import type { RoutingSettings } from "../config/routing-settings.ts";
import { TASK_TYPE_POINTS, type TaskType, type TierName } from "../workflow/spec/agent.ts";

export type ComplexitySettings = Pick<RoutingSettings, "typePoints" | "mediumContextTokens" | "largeContextTokens" | "fewFiles" | "weakMaxScore" | "baseMaxScore" | "strongTypePoints">;

export interface Task {
  taskType: TaskType;
  contextTokens: number;
  files: number;
  /** Share of this tenant's tasks of this type that failed lately, 0–1. */
  failureRate: number;
}

/** How hard a task is: 1 (trivial) to 10, and the points of each factor. */
export interface Complexity {
  score: number;
  factors: { context: number; type: number; files: number; failures: number };
}

const MIN_SCORE = 1;
const MAX_SCORE = 10;
/** The least and the range of the factors' sum (type 1–4, context 1–3, files 1–2, failures 0–1): the score spreads it over 1–10 (contract). */
const MIN_SUM = 3;
const SUM_RANGE = 7;

/** score = round(1 + (sum of the factors − 3) · 9 / 7), kept within 1–10 where configured points go beyond the usual ones. */
export function scoreComplexity(task: Task, settings: ComplexitySettings): Complexity {
  const factors = {
    context: contextPoints(task.contextTokens, settings),
    type: typePoints(task.taskType, settings),
    files: task.files > settings.fewFiles ? 2 : 1,
    failures: Math.min(1, Math.max(0, task.failureRate)),
  };
  const sum = factors.context + factors.type + factors.files + factors.failures;
  const score = Math.round(1 + ((sum - MIN_SUM) * (MAX_SCORE - MIN_SCORE)) / SUM_RANGE);
  return { score: Math.min(MAX_SCORE, Math.max(MIN_SCORE, score)), factors };
}

/** The tier of a score; types of the highest points stay in the strong tier whatever the score. */
export function tierOfComplexity({ score, factors }: Complexity, settings: ComplexitySettings): TierName {
  if (factors.type >= settings.strongTypePoints) return "strong";
  if (score <= settings.weakMaxScore) return "weak";
  return score <= settings.baseMaxScore ? "base" : "strong";
}

function typePoints(taskType: TaskType, settings: ComplexitySettings): number {
  return settings.typePoints[taskType] ?? TASK_TYPE_POINTS[taskType];
}

function contextPoints(tokens: number, settings: ComplexitySettings): number {
  if (tokens < settings.mediumContextTokens) return 1;
  return tokens < settings.largeContextTokens ? 2 : 3;
}
