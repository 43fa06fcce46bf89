import type { Amount } from "../../src/workflow/budget/amount.ts";
import type { AttemptResult } from "../../src/workflow/step.ts";
import { createRandom } from "./random.ts";
import type { ModelTemper, SimulatedTask } from "./scenario.ts";

/** How an agent takes one attempt: what it answers, and when; Infinity for one that hangs. */
export interface Course {
  afterMs: number;
  result: Exclude<AttemptResult, { status: "waiting" }>;
}

const HEAVY_OUTPUT_BYTES = 9_000_000;

/** The same for every repetition of the same attempt, whatever else happens in the simulation. */
export function drawCourse(seed: number, task: SimulatedTask, attempt: number): Course {
  const random = createRandom(seed, 2, task.key, attempt);
  const { agent } = task;
  const usualMs = random.between(1, 2 * agent.typicalMs);
  const afterMs = random.chance(agent.hang) ? Infinity : usualMs * (random.chance(agent.slow) ? 20 : 1);
  const luck = random.next();
  if (luck < agent.transient) {
    const askedMs = random.chance(agent.retryAfter) ? random.pick([10, 2_000, 7_200_000]) : null;
    const failure = { code: "agent_unavailable", message: "503", retryable: true, ...(askedMs === null ? {} : { details: askedMs }) } as const;
    return { afterMs, result: { status: "failed", failure, retryAfterMs: askedMs } };
  }
  if (luck < agent.transient + agent.permanent) return { afterMs, result: { status: "failed", failure: { code: "agent_rejected", message: "400", retryable: false }, retryAfterMs: null } };
  const outputBytes = random.between(2, 2_000);
  return { afterMs, result: { status: "completed", outputBytes: isHeavy(seed, task) ? HEAVY_OUTPUT_BYTES : outputBytes } };
}

/** In some scenarios, half of the tasks give outputs of which only a few can be carried at once. By random numbers of their own: other seeds stay what they were. */
function isHeavy(seed: number, task: SimulatedTask): boolean {
  return createRandom(seed, 8).chance(0.15) && createRandom(seed, 8, task.key).chance(0.5);
}

/** One call of a model. */
export interface ModelCall {
  /** What is tried to reserve for it, the largest first. */
  ladder: readonly Amount[];
  /** What it bills of that. */
  share: number;
  isBilled: boolean;
  /** 1, or how many times more it bills than it may. */
  overrun: number;
  isOverCap: boolean;
}

/** The calls of one attempt, the same for every repetition. */
export function drawCalls(seed: number, { key }: SimulatedTask, model: ModelTemper, attempt: number): ModelCall[] {
  const random = createRandom(seed, 6, key, attempt);
  // Other models may count more tokens at a lower price. By random numbers of its own: other seeds stay what they were.
  const tokenFactor = createRandom(seed, 12, key).pick([0.5, 0.5, 1, 1.5]);
  return Array.from({ length: random.between(1, model.calls) }, () => {
    const isOverrun = random.chance(model.overrun);
    return {
      ladder: Array.from({ length: model.rungs }, (_, rung) => ({ nanoUsd: Math.ceil(model.nanoUsd / 2 ** rung), tokens: Math.ceil(model.tokens * tokenFactor ** rung) })),
      share: model.isExact ? 1 : random.next(),
      isBilled: !random.chance(model.unbilled),
      overrun: isOverrun ? random.pick([2, 10]) : 1,
      isOverCap: isOverrun && random.chance(0.5),
    };
  });
}

/** What an executor reports of an agent that it waited for as long as it may. */
export const TIMED_OUT: AttemptResult = { status: "failed", failure: { code: "timeout", message: "the agent did not answer in time", retryable: true }, retryAfterMs: null };
