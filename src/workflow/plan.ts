import type { AgentDefinition } from "./agent.ts";
import type { Graph } from "./graph.ts";
import type { RunPlan, TaskPlan } from "./run.ts";
import type { Priority, TaskSpec, WorkflowSpec } from "./spec.ts";

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
  };
}
