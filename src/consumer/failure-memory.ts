import type { CallObservation } from "../router/model-metrics.ts";
import type { TaskType } from "../workflow/agent.ts";

/** Answers that are assumed to have been right before the first was checked: one miss alone does not make a type hard. */
const PRIOR_ANSWERS = 4;
/** Pairs of tenant and type that an isolate remembers; the one heard of longest ago goes first. */
export const MAX_REMEMBERED = 5_000;

interface Remembered {
  answers: number;
  misses: number;
  at: number;
}

export interface FailureMemory {
  observe(observation: CallObservation, halfLifeMs: number): void;
  /** Share of a tenant's answers of a type that missed their checks lately, 0–1. */
  rate(tenant: string, taskType: TaskType, now: number, halfLifeMs: number): number;
}

/**
 * Remembers how often tasks of a type were answered too badly, for the complexity of the next ones. It is of this isolate: advice that
 * is learnt again after a restart costs an escalation or two, and needs no round trip. What says nothing of the task, such as a
 * provider that is down, does not count.
 */
export function createFailureMemory(): FailureMemory {
  const memory = new Map<string, Remembered>();
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
      memory.delete(key);
      memory.set(key, { answers: answers + 1, misses: misses + (quality === null ? 0 : 1 - quality), at: latest });
      if (memory.size > MAX_REMEMBERED) for (const oldest of memory.keys()) {
        memory.delete(oldest);
        break;
      }
    },
    rate(tenant, taskType, now, halfLifeMs) {
      const { answers, misses } = recall(`${tenant}:${taskType}`, now, halfLifeMs);
      return misses / (answers + PRIOR_ANSWERS);
    },
  };
}
