import type { FailureCode } from "../../src/errors.ts";
import type { DispatchSettings } from "../../src/workflow/dispatch.ts";
import type { WorkflowEvent } from "../../src/workflow/events.ts";
import { createBudgetState } from "../../src/workflow/budget/budget-state.ts";
import { buildGraph } from "../../src/workflow/graph.ts";
import { NO_CAP, type Amount, type Cap } from "../../src/workflow/budget/amount.ts";
import type { Bill, LedgerEntry } from "../../src/workflow/budget/ledger.ts";
import { nameCall } from "../../src/workflow/budget/reservations.ts";
import { dayOf } from "../../src/workflow/budget/utc-day.ts";
import type { LeaseAnswer, LeaseRequest, ReserveAnswer } from "../../src/workflow/budget/reserve-port.ts";
import { createTaskState, restoreRun, type AgentKind, type Run, type RunPlan } from "../../src/workflow/run.ts";
import { RetryPolicy } from "../../src/workflow/spec/spec.ts";
import type { StartsQuestion } from "../../src/workflow/starts/starts-known.ts";
import type { AttemptResult, Dispatch, Step } from "../../src/workflow/step.ts";
import { transition, type RunInput } from "../../src/workflow/transition.ts";

export const START = Date.UTC(2026, 0, 1);

export interface TaskOptions {
  after?: string[];
  kind?: AgentKind;
  rank?: number;
  when?: boolean | "broken";
  timeoutMs?: number;
  retry?: Partial<RetryPolicy>;
  cap?: Cap;
}

export interface RunOptions extends Partial<Omit<RunPlan, "tasks" | "graph">> {
  settings?: Partial<DispatchSettings>;
  reused?: string[];
  random?: number;
  isResultBroken?: boolean;
  /** What the tenant says when it is asked; `null`: nothing, until `answerLease`. Without it, it is known to have no budget. */
  tenant?: LeaseAnswer | null;
  leaseChunkNanoUsd?: number;
  /** The tenant has limits of tasks. */
  isLimited?: boolean;
}

export interface ReserveOptions {
  call?: number;
  attempt?: number;
  bills?: Bill[];
}

/** Direct calls for everything but transforms, so that an attempt runs at once; `queued` makes them wait for a claim. */
const DIRECT: DispatchSettings = { objectMax: 0, directMax: 1_000, llm: "direct", claimLeaseMs: 15_000, leaseMs: 10_000, checkMs: 3_000, timeoutGraceMs: 5_000 };
export const QUEUED: Partial<DispatchSettings> = { directMax: 0, llm: "queue" };

/** A workflow in the core alone, driven by hand: time moves only when told, and tasks are called by name. */
export class CoreRun {
  readonly run: Run;
  now = START;
  readonly events: WorkflowEvent[] = [];
  readonly dispatches: Dispatch[] = [];
  readonly entries: LedgerEntry[] = [];
  /** What the tenant was asked, oldest first. */
  readonly questions: LeaseRequest[] = [];
  /** What the tenant was asked of starts, oldest first. */
  readonly startsQuestions: StartsQuestion[] = [];
  /** The latest answer to each reserve, by the call's name. */
  readonly answers = new Map<string, ReserveAnswer>();
  last: Step;
  readonly #names: string[];
  readonly #tasks: Record<string, TaskOptions>;
  readonly #options: RunOptions;

  constructor(tasks: Record<string, TaskOptions>, options: RunOptions = {}) {
    this.#names = Object.keys(tasks);
    this.#tasks = tasks;
    this.#options = options;
    const state = { status: "pending", createdAt: START, startedAt: null, finishedAt: null, deadlineAt: null, isFailing: false, error: null } as const;
    this.run = restoreRun(planTasks(tasks, options), { ...state, budget: createBudgetState(), isLimited: options.isLimited ?? false }, this.#names.map(createTaskState));
    if (options.tenant === undefined) this.run.waiting.unlimitedUntil = Infinity;
    this.last = this.apply({ type: "create", reused: (options.reused ?? []).map((name) => ({ task: this.id(name), outputBytes: 2 })) });
  }

  apply(input: RunInput): Step {
    const { random = 0, isResultBroken = false, settings, tenant = null, leaseChunkNanoUsd = 0 } = this.#options;
    const broken = { code: "expression_failed", message: "no such key", retryable: false } as const;
    this.last = transition(this.run, input, this.now, {
      evaluateWhen: (task) => {
        const { when = true } = this.#tasks[this.#names[task]!]!;
        return when === "broken" ? broken : when;
      },
      evaluateResult: () => (isResultBroken ? broken : null),
      random: () => random,
      settings: { ...DIRECT, ...settings },
      leaseChunkNanoUsd,
      warningThresholds: [50, 80, 95],
    });
    const { last } = this;
    this.events.push(...last.events);
    this.dispatches.push(...last.dispatches);
    this.entries.push(...last.entries);
    for (const { ref, answer } of last.replies) this.answers.set(nameCall(ref), answer);
    if (last.startsQuestion !== null) this.startsQuestions.push(last.startsQuestion);
    if (last.leaseRequest !== null) this.questions.push(last.leaseRequest);
    if (last.leaseRequest !== null && tenant !== null) this.answerLease(tenant);
    return last;
  }

  /** Reserves for a call of a task's attempt; answers what was said at once, `waits` if nothing was. */
  reserve(name: string, need: Partial<Amount>, { call = 0, attempt = this.task(name).attempt, bills = [] }: ReserveOptions = {}): ReserveAnswer | "waits" {
    this.answers.delete(nameCall({ task: this.id(name), attempt, call }));
    this.apply({ type: "reserve", requests: [{ task: this.id(name), attempt, call, nanoUsd: 0, tokens: 0, ...need, bills }] });
    return this.answer(name, { call, attempt });
  }

  answer(name: string, { call = 0, attempt = this.task(name).attempt }: ReserveOptions = {}): ReserveAnswer | "waits" {
    return this.answers.get(nameCall({ task: this.id(name), attempt, call })) ?? "waits";
  }

  /** Completes a task whose attempt made calls. */
  bill(name: string, bills: Bill[], attempt = this.task(name).attempt): Step {
    return this.apply({ type: "report", reports: [{ task: this.id(name), attempt, result: { status: "completed", outputBytes: 2 }, bills }] });
  }

  /** The tenant's answer to a question, the last one if none is given. */
  answerLease(answer: LeaseAnswer, question = this.questions.at(-1)!): Step {
    return this.apply({ type: "lease", day: question.day, revision: question.revision, answer });
  }

  /** The tenant's answer to a question of starts, the last one if none is given. */
  answerStarts(upTo: number, { number } = this.startsQuestions.at(-1)!): Step {
    return this.apply({ type: "starts", number, reply: { kind: "granted", upTo } });
  }

  /** What the workflow's account holds. */
  get books(): { spent: Amount; reserved: Amount } {
    const { spent, reserved } = this.run.ledger.workflow;
    return { spent: { ...spent }, reserved: { ...reserved } };
  }

  get today(): number {
    return dayOf(this.now);
  }

  /** Lets time pass, then does what is due. */
  wait(ms: number): Step {
    this.now += ms;
    return this.apply({ type: "tick" });
  }

  report(name: string, result: AttemptResult, attempt = this.task(name).attempt): Step {
    return this.apply({ type: "report", reports: [{ task: this.id(name), attempt, result }] });
  }

  complete(...names: string[]): void {
    for (const name of names) this.finish(name, 2);
  }

  /** Completes a task with an output of so many bytes. */
  finish(name: string, outputBytes: number): void {
    this.report(name, { status: "completed", outputBytes });
  }

  fail(name: string, failure: { code?: FailureCode; retryable?: boolean; retryAfterMs?: number } = {}): void {
    const { code = "agent_rejected", retryable = false, retryAfterMs = null } = failure;
    this.report(name, { status: "failed", failure: { code, message: "400", retryable }, retryAfterMs });
  }

  /** The same input for the current attempts of some tasks. */
  refs(type: "claim" | "renew" | "lose" | "deadLetter", ...names: string[]): Step {
    return this.apply({ type, refs: names.map((name) => ({ task: this.id(name), attempt: this.task(name).attempt })) });
  }

  retry(name: string): Step {
    return this.apply({ type: "retryTask", task: this.id(name) });
  }

  id(name: string): number {
    return this.#names.indexOf(name);
  }

  task(name: string): Run["tasks"][number] {
    return this.run.tasks[this.id(name)]!;
  }

  get status(): string {
    return this.run.state.status;
  }

  /** Each task's status, with the reason of a skip: `skipped:when`. */
  get statuses(): Record<string, string> {
    return Object.fromEntries(this.#names.map((name) => [name, this.task(name).skip === null ? this.task(name).status : `skipped:${this.task(name).skip}`]));
  }

  /** Names of the tasks that are under way. */
  get live(): string[] {
    return this.#names.filter((name) => ["queued", "running", "waiting"].includes(this.task(name).status));
  }

  /** Names in the order in which they were started. */
  get started(): string[] {
    return this.dispatches.map(({ task }) => this.#names[task]!);
  }

  eventTypes(name?: string): string[] {
    return this.events.filter((event) => name === undefined || event.taskId === name).map((event) => event.type);
  }
}

function planTasks(tasks: Record<string, TaskOptions>, options: RunOptions): RunPlan {
  const names = Object.keys(tasks);
  const graph = buildGraph(Object.values(tasks).map(({ after = [] }) => after.map((name) => names.indexOf(name))));
  if ("cycle" in graph) throw new Error("a cycle");
  const { name = null, maxConcurrency = 100, scheduling = "eager", onFailure = "fail", startAt = null, deadlineMs = null, cap = NO_CAP } = options;
  return {
    name,
    tasks: Object.entries(tasks).map(([id, task]) => ({
      id,
      kind: task.kind ?? "http",
      rank: task.rank ?? 2,
      hasWhen: task.when !== undefined,
      timeoutMs: task.timeoutMs ?? 60_000,
      retry: RetryPolicy.parse({ jitter: false, ...task.retry }),
      cap: task.cap ?? null,
    })),
    graph,
    maxConcurrency,
    scheduling,
    onFailure,
    startAt,
    deadlineMs,
    cap,
  };
}
