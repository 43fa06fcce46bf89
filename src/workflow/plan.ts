import { NANO_USD_PER_USD } from "../nano-usd.ts";
import type { AgentDefinition } from "./spec/agent.ts";
import type { Graph } from "./graph.ts";
import type { RunPlan, TaskPlan } from "./run.ts";
import type { Cap } from "./budget/amount.ts";
import type { Budget, Priority, TaskSpec, WorkflowSpec } from "./spec/spec.ts";

/** What the product of a decimal and 1e9 may lie below its whole number for want of digits. */
const ROUNDING = 1e-3;

const RANKS: Record<Priority, number> = { urgent: 0, high: 1, normal: 2, low: 3 };

/** What scheduling needs of an accepted spec, without inputs and expressions. */
export function planRun(spec: Omit<WorkflowSpec, "tasks" | "input">, tasks: readonly TaskSpec[], agents: Record<string, AgentDefinition>, graph: Graph): RunPlan {
  return {
    name: spec.name,
    tasks: tasks.map((task) => planTask(task, spec.priority, agents)),
    graph,
    maxConcurrency: spec.maxConcurrency,
    scheduling: spec.scheduling,
    onFailure: spec.onFailure,
    startAt: spec.startAt === undefined ? null : Date.parse(spec.startAt),
    deadlineMs: spec.deadlineMs ?? null,
    cap: capOf(spec.budget),
  };
}

function planTask(task: TaskSpec, workflowPriority: Priority, agents: Record<string, AgentDefinition>): TaskPlan {
  return {
    id: task.id,
    kind: agents[task.agent]!.kind,
    rank: RANKS[task.priority ?? workflowPriority],
    hasWhen: task.when !== undefined,
    timeoutMs: task.timeoutMs,
    retry: task.retry,
    cap: task.budget === undefined ? null : capOf(task.budget),
  };
}

/** Dollars are cut to whole nano-dollars: a cap is never above what was written. */
export function capOf(budget: Budget | undefined): Cap {
  return { nanoUsd: budget?.maxUsd === undefined ? null : Math.floor(budget.maxUsd * NANO_USD_PER_USD + ROUNDING), tokens: budget?.maxTokens ?? null };
}
