import type { BudgetSettings } from "../config/budget-settings.ts";
import type { Allocation, Priority } from "../workflow/spec/spec.ts";
import { nameHistory, type AgentHistory, type HistoryKey } from "./agent-history.ts";
import { intensityFactor, scoreIntensity } from "./intensity.ts";
import { classifyByPatterns } from "./intents/classify-by-patterns.ts";
import type { Intent } from "./intents/intent.ts";

/** A language-model task, as far as its share of the budget goes. */
export interface TaskToWeigh extends HistoryKey {
  /** Null: read from its prompt. */
  intent: Intent | null;
  prompt: string;
  priority: Priority;
}

/** By `nameHistory`: what this tenant's agents have come to. */
export type HistoryByName = ReadonlyMap<string, AgentHistory>;

/** Weights are whole, so that sums that are kept up to date step by step stay exact. */
const WEIGHT_UNITS = 1_000;

/**
 * Each task's share of a workflow's tokens against the others', as a whole number from 1 on: `equal`, or by what its intent needs
 * (`proportional`), or by what its agent has used for this type of task (`adaptive`), or by its priority; times its agent's intensity.
 */
export function weighTasks(tasks: readonly TaskToWeigh[], allocation: Allocation, history: HistoryByName, settings: BudgetSettings): number[] {
  const share = SHARES[allocation](tasks, history, settings);
  return tasks.map((task) => {
    const factor = intensityFactor(scoreIntensity(history.get(nameHistory(task)) ?? null, settings), settings);
    return Math.max(1, Math.round(share(task) * factor * WEIGHT_UNITS));
  });
}

type Share = (task: TaskToWeigh) => number;

const SHARES: Record<Allocation, (tasks: readonly TaskToWeigh[], history: HistoryByName, settings: BudgetSettings) => Share> = {
  equal: () => () => 1,
  proportional: (_tasks, _history, settings) => readBaselines(settings),
  adaptive: adaptToHistory,
  priority: (_tasks, _history, { priorityShares }) => ({ priority }) => priorityShares[priority],
};

/** Tokens that a task's intent is taken to need. Reading a prompt costs some ten microseconds, and tasks often share one. */
function readBaselines({ intentTokens }: BudgetSettings): Share {
  const known = new Map<string, Intent>();
  return ({ intent, prompt }) => {
    let found = intent ?? known.get(prompt);
    if (found === undefined) known.set(prompt, (found = classifyByPatterns(prompt).intent));
    return intentTokens[found];
  };
}

/**
 * The mean of an agent's runs, drawn towards the baseline of the task's intent while they are few: `adaptiveMinSamples` runs count as much as it.
 * Baselines are raised or lowered to the level on which this workflow's known agents lie, so that those without a history are compared with their like.
 */
function adaptToHistory(tasks: readonly TaskToWeigh[], history: HistoryByName, settings: BudgetSettings): Share {
  const baselineOf = readBaselines(settings);
  const baselines = new Map(tasks.map((task) => [task, baselineOf(task)]));
  let used = 0;
  let assumed = 0;
  for (const [task, baseline] of baselines) {
    const known = history.get(nameHistory(task));
    if (known === undefined || known.runs === 0) continue;
    used += known.tokens / known.runs;
    assumed += baseline;
  }
  const level = used > 0 ? used / assumed : 1;
  return (task) => {
    const { runs, tokens } = history.get(nameHistory(task)) ?? { runs: 0, tokens: 0 };
    const { adaptiveMinSamples } = settings;
    return (tokens + adaptiveMinSamples * level * baselines.get(task)!) / (runs + adaptiveMinSamples);
  };
}

type Bounds = Pick<BudgetSettings, "minTaskTokens" | "maxTaskTokens">;

/**
 * The tokens of a task that starts now: of those left, its weight's share among all tasks that have not ended (`openWeight`, this one
 * included), within the settings' bounds. What others did not use is among those left, so it flows to whoever starts next.
 * Never more than is left: where the minimum cannot be had for all, those who start first have it and the last go short.
 */
export function allocate(tokensLeft: number, weight: number, openWeight: number, { minTaskTokens, maxTaskTokens }: Bounds): number {
  const left = Math.max(0, tokensLeft);
  const share = weight >= openWeight ? left : Number((BigInt(left) * BigInt(weight)) / BigInt(openWeight));
  return Math.min(left, Math.max(minTaskTokens, Math.min(maxTaskTokens, share)));
}

/** What each task would be allotted if they start in this order and each uses exactly that: the sum is at most `maxTokens`. `caps`: the tasks' own, null for none. */
export function allocateAll(maxTokens: number, weights: readonly number[], caps: readonly (number | null)[], bounds: Bounds): number[] {
  let left = maxTokens;
  let openWeight = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight, index) => {
    const tokens = Math.min(allocate(left, weight, openWeight, bounds), caps[index] ?? Infinity);
    left -= tokens;
    openWeight -= weight;
    return tokens;
  });
}

/** The most that a task is to use of the workflow's tokens: its allocation and the settings' share above it, as long as the workflow has them. */
export function limitUse(allocatedTokens: number, tokensLeft: number, { overageThreshold }: Pick<BudgetSettings, "overageThreshold">): number {
  return Math.max(0, Math.min(tokensLeft, Math.floor(allocatedTokens * (1 + overageThreshold))));
}
