import type { AttemptRef, Report, ReserveCall, WorkOrder } from "../../consumer/work-order.ts";
import type { Settings } from "../../config/settings.ts";
import type { Failure } from "../../errors.ts";
import { NANO_USD_PER_USD } from "../../nano-usd.ts";
import { listRouteCells } from "../../optimizer/call-stats.ts";
import type { AgentDefinition } from "../../workflow/spec/agent.ts";
import type { DispatchSettings } from "../../workflow/dispatch.ts";
import { listStatuses } from "../../workflow/status-at-event.ts";
import { buildGraph } from "../../workflow/graph.ts";
import type { Outlook } from "../../workflow/outlook.ts";
import { planRun } from "../../workflow/plan.ts";
import type { DaySpend } from "../../workflow/budget/tenant-account.ts";
import { isFinalWorkflow, isLiveAttempt, restoreRun, type Run } from "../../workflow/run.ts";
import type { Abilities, Step } from "../../workflow/step.ts";
import { transition, type AttemptReport, type RunInput } from "../../workflow/transition.ts";
import { describeAttempt, describeRoute, listAttemptEvents } from "./attempt-story.ts";
import type { PlanReason } from "./planning/plan-reason.ts";
import { buildOrder, grantOrders } from "./work-orders.ts";
import { WorkflowBooks } from "./workflow-books.ts";
import { type Applied, type Change, createApplied } from "./workflow-change.ts";
import { readParts, type WorkflowParts } from "./workflow-parts.ts";
import { WorkflowEvaluation } from "./workflow-evaluation.ts";
import type { StepRecord } from "./stores/step-store.ts";
import { type NewPlan, WorkflowPlanning } from "./planning/workflow-planning.ts";
import type { Identity, Totals, WorkflowStore } from "./stores/workflow-store.ts";

/** Transforms evaluated in one transaction; the rest follows in the next. At the cost limit of an expression they take a few seconds, and a step's limit is thirty. */
const MAX_INLINE_PER_STEP = 64;
/** How late a renewal may come after an object was restored. */
const RENEWAL_LATENESS_MS = 1_000;

export interface SessionDeps {
  now: () => number;
  /** In [0, 1). */
  random: () => number;
  /** At least 128 random bits, URL-safe. */
  newSecret: () => string;
  settings: Settings;
  /** The dispatch settings as far as the object's remaining calls allow. */
  dispatchSettings: () => DispatchSettings;
}

/** A workflow in an object's memory, with the store that it is saved in. Every change goes through `apply`. */
export class WorkflowSession {
  readonly store: WorkflowStore;
  readonly identity: Identity;
  readonly agents: Record<string, AgentDefinition>;
  readonly run: Run;
  readonly totals: Totals;
  readonly planning: WorkflowPlanning;
  readonly taskNumbers: ReadonlyMap<string, number>;
  /** Each task's agent, by task number. */
  readonly agentNames: readonly string[];
  readonly #deps: SessionDeps;
  readonly #books: WorkflowBooks;
  #lastSeq: number;
  #isBlank: boolean;

  /** Reads the stored workflow; null when there is none. */
  static load(store: WorkflowStore, deps: SessionDeps): WorkflowSession | null {
    const parts = readParts(store);
    return parts === null ? null : new WorkflowSession(store, parts, deps);
  }

  constructor(store: WorkflowStore, parts: WorkflowParts, deps: SessionDeps) {
    const { specs, books } = parts;
    this.store = store;
    this.identity = parts.identity;
    this.#deps = deps;
    this.agents = parts.agents;
    this.taskNumbers = new Map(specs.map((spec, task) => [spec.id, task]));
    this.agentNames = specs.map((spec) => spec.agent);
    const graph = buildGraph(specs.map((spec) => spec.dependsOn.map((id) => this.taskNumbers.get(id)!)));
    if ("cycle" in graph) throw new Error("a stored workflow has a cycle");
    this.run = restoreRun(planRun(parts.identity.spec, specs, this.agents, graph), parts.state, parts.tasks, books);
    this.planning = new WorkflowPlanning(store, this.run, parts);
    this.totals = parts.totals;
    this.#books = new WorkflowBooks(store, this.totals, this.agentNames);
    this.#lastSeq = parts.lastSeq;
    this.#isBlank = parts.isNew;
  }

  /** Whether no task has ended or made a call yet, as far as this memory knows for sure: then the store holds no more of them than the run. */
  get isBlank(): boolean {
    return this.#isBlank;
  }

  /** What was foreseen of the tasks, and how it came out; null where no task calls a model. */
  get outlook(): Outlook | null {
    return this.planning.outlook;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get isFinal(): boolean {
    return isFinalWorkflow(this.run.state.status);
  }

  /** Attempts whose calls died with the object's former memory. */
  findOrphans(): AttemptRef[] {
    const { tasks, index } = this.run;
    return [...index.live].filter((task) => tasks[task]!.status === "running" && tasks[task]!.channel !== "queue").map((task) => ({ task, attempt: tasks[task]!.attempt }));
  }

  isLive(ref: AttemptRef): boolean {
    return isLiveAttempt(this.run, ref);
  }

  /**
   * Grants attempts to a consumer and adds their orders to `orders`: as many as fit one answer, the first in any case. One whose
   * input cannot be made fails here and is not granted.
   */
  claim(refs: readonly AttemptRef[], orders: WorkOrder[]): Applied {
    const built = new Map<number, WorkOrder | Failure>();
    return this.#change(
      ({ pending, evaluation }) => pending.push({ type: "claim", refs: grantOrders(refs.filter((ref) => this.isLive(ref) && this.run.tasks[ref.task]!.status === "queued"), (ref) => this.createOrder(ref, evaluation), built) }),
      (accepted) => accepted.flatMap((ref) => {
        const order = built.get(ref.task)!;
        if ("code" in order) return [{ ...ref, result: { status: "failed", failure: order, retryAfterMs: null } as const }];
        orders.push({ ...order, deadlineAt: this.run.tasks[ref.task]!.timeoutAt! });
        return [];
      }),
    );
  }

  /** Gives claimed attempts the time in which a living runner renews them: renewals are not stored. */
  refreshLeases(): void {
    const leaseUntil = this.#deps.now() + this.#deps.settings.dispatch.renewEveryMs + RENEWAL_LATENESS_MS;
    for (const task of this.run.index.live) {
      const state = this.run.tasks[task]!;
      if (state.status === "running" && state.channel === "queue") state.leaseUntil = leaseUntil;
    }
  }

  /** Takes attempts' reports: every call is billed, also of late ones; the outcomes are those of live attempts. */
  applyReports(reports: readonly Report[]): Applied {
    return this.#change((change) => {
      const seen = new Set<string>();
      const results = reports.flatMap((report) => {
        const name = `${report.task}.${report.attempt}`;
        if (seen.has(name) || this.run.tasks[report.task] === undefined) return [];
        seen.add(name);
        return [this.#readReport(report, change)];
      });
      change.pending.push({ type: "report", reports: results });
    });
  }

  /** Holds what calls may cost; the answers come with this step or a later one. */
  reserve(calls: readonly ReserveCall[]): Applied {
    return this.#change(({ pending }) => {
      const known = calls.filter(({ task }) => this.run.tasks[task] !== undefined);
      pending.push({ type: "reserve", requests: known.map((call) => this.#books.takeReserve(call)) });
    });
  }

  /** Goes on with transforms that were left over. */
  runInline(refs: readonly AttemptRef[]): Applied {
    return this.#change((change) => {
      const reports = refs.flatMap((ref) => (this.isLive(ref) ? (this.#prepareDispatch({ ...ref, channel: "inline" }, change) ?? []) : []));
      change.pending.push({ type: "report", reports });
    });
  }

  /** Applies an input and what follows from it within the object, and saves all of it in one transaction. */
  apply(input: RunInput): Applied {
    return this.#change(({ pending }) => pending.push(input));
  }

  /** Takes over a new plan of tasks that have not started. */
  applyPlan(made: NewPlan, reason: PlanReason): Applied {
    return this.#change(({ applied, writes }) => {
      this.planning.take(made);
      writes.push(() => this.planning.save());
      applied.events.push({ type: "workflow.planned", at: new Date(this.#deps.now()).toISOString(), data: { waves: this.run.plan.graph.waves.length, tasks: made.tasks.length, reason } });
    });
  }

  /** Whether tasks call models, so that their calls can be learnt from. */
  get hasModelTasks(): boolean {
    return Object.values(this.agents).some(({ kind }) => kind === "llm");
  }

  /** Whether anything was spent or leased that the tenant's budget has to know of. */
  get hasSpend(): boolean {
    return this.run.ledger.days.size > 0;
  }

  /** Whether something is held that will be settled without a report. */
  get hasOpenBooks(): boolean {
    return this.run.ledger.open.size > 0;
  }

  /** How the spending stands, by day, as the tenant is told it now. */
  listSpend(): DaySpend[] {
    const { state, ledger } = this.run;
    state.budget.revision += 1;
    const { revision } = state.budget;
    this.store.write("state", state);
    return [...ledger.days].map(([day, { spentNanoUsd, reservedNanoUsd, leasedNanoUsd }]) => ({ day, spentNanoUsd, leasedNanoUsd: leasedNanoUsd ?? spentNanoUsd + reservedNanoUsd, revision }));
  }

  #change(prepare: (change: Change) => void, afterFirst: (accepted: readonly AttemptRef[]) => AttemptReport[] = () => []): Applied {
    const applied = createApplied(this.#lastSeq + 1);
    const writes: (() => void)[] = [];
    const change: Change = { applied, statusBefore: this.run.state.status, evaluation: new WorkflowEvaluation(this, writes), pending: [], details: new Map(), touched: new Set(), isStateTouched: false, writes, cells: [] };
    prepare(change);
    let follow = afterFirst;
    for (let input = change.pending.shift(); input !== undefined; input = change.pending.shift()) {
      const step = transition(this.run, input, this.#deps.now(), this.#createAbilities(change.evaluation));
      this.#takeStep(step, change);
      const reports = [...follow(step.accepted), ...step.dispatches.flatMap((dispatch) => this.#prepareDispatch(dispatch, change) ?? [])];
      follow = () => [];
      if (reports.length > 0) change.pending.push({ type: "report", reports });
    }
    this.#save(change);
    return applied;
  }

  #takeStep(step: Step, change: Change): void {
    const { applied } = change;
    step.touched.forEach((task) => change.touched.add(task));
    change.isStateTouched ||= step.isStateTouched;
    applied.events.push(...step.events);
    applied.accepted.push(...step.accepted);
    applied.replies.push(...step.replies);
    applied.leaseRequest = step.leaseRequest ?? applied.leaseRequest;
    applied.startsQuestion = step.startsQuestion ?? applied.startsQuestion;
    applied.wakeBy = Math.min(applied.wakeBy, step.wakeBy);
    if (step.entries.length > 0 || step.replies.length > 0) {
      change.writes.push(() => {
        this.#books.enter(step.entries, step.now);
        this.#books.forget(step.replies);
      });
    }
    const planReason = this.planning.follow(step);
    applied.planReason ??= planReason;
  }

  #save({ applied, evaluation, statusBefore, touched, details, isStateTouched, writes, cells }: Change): void {
    const { steps, webhooks } = this.store;
    const { webhook } = this.identity.spec;
    const step: StepRecord = { firstSeq: applied.firstSeq, events: applied.events, touched, states: this.run.tasks, details, outputs: evaluation.newOutputs };
    const saveAll = (): boolean => {
      steps.saveStep(step);
      for (const write of writes) write();
      if (isStateTouched) this.store.write("state", this.run.state);
      if (webhook !== undefined) webhooks.addWanted(webhook.events, applied, listStatuses(applied.events, statusBefore, this.run.state.status));
      return this.#books.save(cells);
    };
    const isRowAll = writes.length === 0 && !isStateTouched && webhook === undefined && cells.length === 0;
    // A single statement needs no transaction around it, which would cost as much again.
    applied.hasNews = isRowAll && steps.saveInOneRow(step) ? this.#books.save([]) : this.store.transaction(saveAll);
    if (details.size > 0 || applied.hasNews || this.run.index.counts.final > 0) this.#isBlank = false;
    this.#lastSeq += applied.events.length;
  }

  /** Turns a dispatch into an order, a queue reference or, for what ends at once, a report. */
  #prepareDispatch(dispatch: AttemptRef & { channel: string }, { applied, evaluation }: Change): AttemptReport | null {
    const ref = { task: dispatch.task, attempt: dispatch.attempt };
    if (dispatch.channel === "queue") {
      applied.queued.push(ref);
      return null;
    }
    if (dispatch.channel === "inline") {
      if (applied.inlineCount < MAX_INLINE_PER_STEP) {
        applied.inlineCount += 1;
        return { ...ref, result: evaluation.runTransform(dispatch.task) };
      }
      applied.inlineLeft.push(ref);
      return null;
    }
    const order = this.createOrder(ref, evaluation);
    if ("code" in order) return { ...ref, result: { status: "failed", failure: order, retryAfterMs: null } };
    (dispatch.channel === "object" ? applied.objectOrders : applied.directOrders).push(order);
    return null;
  }

  /** The work order of a live attempt, or why its input cannot be made. */
  createOrder(ref: AttemptRef, evaluation: WorkflowEvaluation = new WorkflowEvaluation(this, [])): WorkOrder | Failure {
    return buildOrder(this, ref, { readScope: evaluation.readScope, readOutputs: evaluation.readOutputs, writes: evaluation.writes, newSecret: this.#deps.newSecret, settings: { ...this.#deps.settings.budgets, ...this.identity.ownBudgets } });
  }

  /** A report as the core sees it: its bills, and of a live attempt the outcome, whose output and route are kept. */
  #readReport(report: Report, change: Change): AttemptReport {
    const { task, attempt, outcome } = report;
    if (outcome.status === "waiting") return { task, attempt, result: { status: "waiting" } };
    const bills = this.#books.takeBills(report, outcome.calls);
    if (!isLiveAttempt(this.run, report)) return { task, attempt, result: null, bills };
    const now = this.#deps.now();
    if (outcome.route !== null) change.cells.push(...listRouteCells(describeRoute(outcome, now)));
    change.applied.events.push(...listAttemptEvents(outcome, { taskId: this.run.plan.tasks[task]!.id, attempt, now }));
    const detail = describeAttempt(outcome);
    if (detail !== null) change.details.set(task, detail);
    if (outcome.status === "completed") return { task, attempt, bills, result: change.evaluation.keepOutput(task, outcome.output) };
    return { task, attempt, bills, result: { status: "failed", failure: outcome.failure, retryAfterMs: outcome.retryAfterMs } };
  }

  #createAbilities(evaluation: WorkflowEvaluation): Abilities {
    return {
      evaluateWhen: (task) => evaluation.evaluateWhen(task),
      evaluateResult: () => evaluation.evaluateResult(),
      random: this.#deps.random,
      settings: this.#deps.dispatchSettings(),
      leaseChunkNanoUsd: Math.round(this.#deps.settings.budgets.leaseChunkUsd * NANO_USD_PER_USD),
      warningThresholds: this.identity.ownBudgets?.warningThresholds ?? this.#deps.settings.budgets.warningThresholds,
    };
  }
}
