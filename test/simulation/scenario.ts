import { NO_CAP, type Cap } from "../../src/workflow/budget/amount.ts";
import { buildGraph } from "../../src/workflow/graph.ts";
import type { DispatchSettings } from "../../src/workflow/dispatch.ts";
import type { AgentKind, RunPlan } from "../../src/workflow/run.ts";
import type { RetryPolicy } from "../../src/workflow/spec/spec.ts";

/** Everything that decides a simulated run: plain data, so that it can be printed, replayed and shrunk. */
export interface Scenario {
  seed: number;
  tasks: SimulatedTask[];
  maxConcurrency: number;
  scheduling: "eager" | "wave";
  onFailure: "fail" | "continue";
  startAtMs: number | null;
  deadlineMs: number | null;
  isResultBroken: boolean;
  /** The tenant's, of tasks; null: none. */
  limits: { tasksPerSecond: number | null; concurrentTasks: number | null } | null;
  settings: DispatchSettings;
  renewEveryMs: number;
  /** From then on nothing goes wrong any more, so that the workflow has to end. */
  faultsUntilMs: number;
  faults: Faults;
  kills: number[];
  clockJumps: { atMs: number; byMs: number }[];
  commands: Command[];
  /** How often a user who watches the events retries a task as soon as it failed. */
  eagerRetries: number;
  /** How often a user retries a failed task of the ended workflow. */
  retriesAtEnd: number;
  /** Null: nothing is capped, reserved or billed. */
  budget: BudgetScenario | null;
}

export interface BudgetScenario {
  cap: Cap;
  /** Calls may bill more than was held for them, and agents for which nothing was held may bill. */
  allowsOverrun: boolean;
  /** Midnight (UTC) comes so long after the start. */
  midnightMs: number;
  tenant: TenantScenario;
  leaseChunkNanoUsd: number;
  /** When the workflow tells its tenant how its spending stands. */
  tells: number[];
}

export interface TenantScenario {
  maxNanoUsd: number | null;
  period: "day" | "month" | "total";
  /** Other workflows of the tenant: each leases, uses a share of it, and spends a share of that. */
  others: { atMs: number; forMs: number; wantedNanoUsd: number; usedShare: number; spentShare: number }[];
}

export interface SimulatedTask {
  /** Seeds the agent's behaviour; stays with the task when others are taken out. */
  key: number;
  dependsOn: number[];
  kind: AgentKind;
  isCallback: boolean;
  rank: number;
  /** Its input's expressions fail, which shows only when an attempt's work order is made. */
  isInputBroken: boolean;
  when: boolean | "broken" | null;
  timeoutMs: number;
  retry: RetryPolicy;
  isReused: boolean;
  agent: AgentTemper;
  /** Its own budget, in scenarios with budgets. */
  cap: Cap | null;
  model: ModelTemper;
}

/** What the calls of a task bill. An http agent makes one. */
export interface ModelTemper {
  /** Most calls of an attempt. */
  calls: number;
  /** What is reserved for a call at first, and how often that is halved before the budget is taken to be used up. */
  nanoUsd: number;
  tokens: number;
  rungs: number;
  /** Whether a call bills all that is held for it. */
  isExact: boolean;
  /** Probabilities: that a call bills nothing; that it bills more than it may. */
  unbilled: number;
  overrun: number;
}

/** Probabilities of how one attempt goes; the rest succeeds. */
export interface AgentTemper {
  typicalMs: number;
  transient: number;
  permanent: number;
  hang: number;
  slow: number;
  retryAfter: number;
}

/** Probabilities of each fault, wherever it can strike. */
export interface Faults {
  loseMessage: number;
  repeatMessage: number;
  delayMessage: number;
  crashConsumer: number;
  loseRequest: number;
  loseAnswer: number;
  killObject: number;
  crashRunner: number;
  lateAlarm: number;
  repeatAlarm: number;
  earlyCallback: number;
  repeatCallback: number;
  delayReport: number;
  repeatReserve: number;
  loseLease: number;
  delayLease: number;
  repeatLease: number;
}

/** `retryTask` retries the first failed task from `task` on, if any. */
export type Command = { atMs: number; type: "pause" | "resume" | "cancel" } | { atMs: number; type: "retryTask"; task: number };

/** Midnight of some day, the first of a month: the core writes times as ISO dates. */
const MIDNIGHT_MS = Date.UTC(2026, 0, 1);

/** The time at which a scenario begins. */
export function epochOf({ budget }: Scenario): number {
  return MIDNIGHT_MS - (budget?.midnightMs ?? 0);
}

export function planOf(scenario: Scenario): RunPlan {
  const graph = buildGraph(scenario.tasks.map((task) => task.dependsOn));
  if ("cycle" in graph) throw new Error(`the scenario has a cycle: ${graph.cycle.join(" → ")}`);
  return {
    name: null,
    tasks: scenario.tasks.map((task) => ({
      id: `t${task.key}`,
      kind: task.kind,
      rank: task.rank,
      hasWhen: task.when !== null,
      timeoutMs: task.timeoutMs,
      retry: task.retry,
      cap: scenario.budget === null ? null : task.cap,
    })),
    graph,
    maxConcurrency: scenario.maxConcurrency,
    scheduling: scenario.scheduling,
    onFailure: scenario.onFailure,
    startAt: scenario.startAtMs === null ? null : epochOf(scenario) + scenario.startAtMs,
    deadlineMs: scenario.deadlineMs,
    cap: scenario.budget?.cap ?? NO_CAP,
  };
}
