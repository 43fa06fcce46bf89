import type { CallSums } from "../optimizer/call-stats.ts";
import { RecentMap } from "../recent-map.ts";
import type { CallObservation } from "../router/metrics/model-metrics.ts";
import { TaskType } from "../workflow/spec/agent.ts";

/** Answers that are assumed to have been right before the first was checked: one miss alone does not make a type hard. */
const PRIOR_ANSWERS = 4;
/** Pairs of tenant and type that an isolate remembers; the one heard of longest ago goes first. */
export const MAX_REMEMBERED = 5_000;

/** Tenants whose own sums an isolate knows; the one heard of longest ago goes first. */
export const MAX_TENANTS = 1_000;
/** How old a tenant's own sums may be before its object is asked again. */
export const SUMS_FRESH_MS = 60_000;
/** What of a tenant's sums counts as lately: since the beginning of the hour that this lies in. */
export const SUMS_SPAN_MS = 3_600_000;

interface Remembered {
  answers: number;
  misses: number;
  at: number;
}

export interface FailureMemory {
  observe(observation: CallObservation, halfLifeMs: number): void;
  /** Share of a tenant's answers of a type that missed their checks lately, 0–1. */
  rate(tenant: string, taskType: TaskType, now: number, halfLifeMs: number): number;
  /** Whether the tenant's sums should be asked for now. True to one caller at a time. */
  wantsSums(tenant: string, now: number): boolean;
  /** Takes what all isolates have seen, as the tenant's object has it: from then on this isolate adds only what it sees itself. */
  learn(tenant: string, cells: readonly { tier: string; taskType: string; sums: CallSums }[]): void;
}

type Answers = Pick<Remembered, "answers" | "misses">;
const NONE: Answers = { answers: 0, misses: 0 };

/**
 * Remembers how often tasks of a type were answered too badly, for the complexity of the next ones: what the tenant's object has summed
 * up, asked for once a minute and waited for by nobody, and what this isolate saw since. What says nothing of the task, such as a
 * provider that is down, does not count.
 */
export function createFailureMemory(): FailureMemory {
  const memory = new RecentMap<string, Remembered>(MAX_REMEMBERED);
  const sumsOf = new RecentMap<string, { askedAt: number; byType: ReadonlyMap<string, Answers> }>(MAX_TENANTS);
  const recall = (key: string, now: number, halfLifeMs: number): Remembered => {
    const known = memory.get(key);
    if (known === undefined) return { answers: 0, misses: 0, at: now };
    const share = 0.5 ** (Math.max(0, now - known.at) / halfLifeMs);
    return { answers: known.answers * share, misses: known.misses * share, at: Math.max(now, known.at) };
  };
  return {
    observe({ tenant, taskType, isSuccess, quality, at }, halfLifeMs) {
      if (taskType === null || !isSuccess) return;
      const key = `${tenant}:${taskType}`;
      const { answers, misses, at: latest } = recall(key, at, halfLifeMs);
      memory.set(key, { answers: answers + 1, misses: misses + (quality === null ? 0 : 1 - quality), at: latest });
    },
    rate(tenant, taskType, now, halfLifeMs) {
      const own = recall(`${tenant}:${taskType}`, now, halfLifeMs);
      const summed = sumsOf.get(tenant)?.byType.get(taskType) ?? NONE;
      return (own.misses + summed.misses) / (own.answers + summed.answers + PRIOR_ANSWERS);
    },
    wantsSums(tenant, now) {
      const known = sumsOf.get(tenant);
      if (known !== undefined && now - known.askedAt < SUMS_FRESH_MS) return false;
      sumsOf.set(tenant, { askedAt: now, byType: known?.byType ?? new Map() });
      return true;
    },
    learn(tenant, cells) {
      const known = sumsOf.get(tenant);
      if (known === undefined) return;
      const byType = new Map<string, Answers>();
      for (const { tier, taskType, sums } of cells) {
        if (tier === "" || taskType === "") continue;
        const { answers, misses } = byType.get(taskType) ?? NONE;
        byType.set(taskType, { answers: answers + sums.routes - (sums.failures - sums.misses) + sums.escalations, misses: misses + sums.misses + sums.escalations });
      }
      sumsOf.set(tenant, { ...known, byType });
      for (const taskType of TaskType.options) memory.delete(`${tenant}:${taskType}`);
    },
  };
}
