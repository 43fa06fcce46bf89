import { MAX_MESSAGE_CHARACTERS, measureOrder } from "../consumer/run-orders.ts";
import type { AttemptRef, CallRecord, Outcome, Report, WorkOrder } from "../consumer/work-order.ts";
import { utf8Length } from "../workflow/utf8-length.ts";
import type { Failure, Json } from "../errors.ts";
import { evaluateExpression, evaluateTransform, type ReadScope } from "../workflow/attempt-input.ts";
import type { AgentDefinition } from "../workflow/agent.ts";
import type { DispatchSettings } from "../workflow/dispatch.ts";
import type { WorkflowEvent } from "../workflow/events.ts";
import { listCells, type AnsweredRoute } from "../optimizer/call-stats.ts";
import { buildGraph } from "../workflow/graph.ts";
import { MAX_VALUE_BYTES } from "../workflow/json-size.ts";
import { planRun } from "../workflow/plan.ts";
import { isFinalWorkflow, isLiveAttempt, restoreRun, type Run } from "../workflow/run.ts";
import type { Abilities, AttemptResult } from "../workflow/step.ts";
import { transition, type RunInput } from "../workflow/transition.ts";
import type { Settings } from "../config/settings.ts";
import { buildOrder } from "./work-orders.ts";
import type { Identity, TaskDetail, Totals, WorkflowStore } from "./workflow-store.ts";

/** Transforms evaluated in one transaction; the rest follows in the next. At the cost limit of an expression they take a few seconds, and a step's limit is thirty. */
const MAX_INLINE_PER_STEP = 64;
/** Outputs (bytes of JSON) kept parsed for the expressions of a step. */
const MAX_PARSED_BYTES = 8_388_608;
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

/** What one or more steps decided, saved already; the object sends it on. */
export interface Applied {
  firstSeq: number;
  events: WorkflowEvent[];
  /** Attempts the object calls itself, and those for executors over RPC. */
  objectOrders: WorkOrder[];
  directOrders: WorkOrder[];
  /** Attempts for the queue. */
  queued: AttemptRef[];
  accepted: AttemptRef[];
  /** What the tenant's statistics are to learn. */
  routes: AnsweredRoute[];
  /** Transforms that were evaluated, and those left for the next transaction. */
  inlineCount: number;
  inlineLeft: AttemptRef[];
  wakeBy: number;
}

type CoreReport = AttemptRef & { result: AttemptResult };

/** A workflow in an object's memory, with the store that it is saved in. Every change goes through `apply`. */
export class WorkflowSession {
  readonly store: WorkflowStore;
  readonly identity: Identity;
  readonly agents: Record<string, AgentDefinition>;
  /** By task id: models that the plan chose at the creation, where they are not what is best for the task alone. */
  readonly plannedModels: Readonly<Record<string, string>>;
  readonly run: Run;
  readonly totals: Totals;
  readonly taskNumbers: ReadonlyMap<string, number>;
  /** Each task's agent, by task number. */
  readonly agentNames: readonly string[];
  readonly #deps: SessionDeps;
  #lastSeq: number;

  /** Reads the stored workflow; null when there is none. */
  static load(store: WorkflowStore, deps: SessionDeps): WorkflowSession | null {
    if (!store.hasSchema()) return null;
    store.migrate();
    const identity = store.read("identity");
    return identity === null ? null : new WorkflowSession(store, identity, deps);
  }

  private constructor(store: WorkflowStore, identity: Identity, deps: SessionDeps) {
    this.store = store;
    this.identity = identity;
    this.#deps = deps;
    this.agents = store.readAgents();
    this.plannedModels = store.read("plannedModels") ?? {};
    const specs = store.readTaskSpecs();
    this.taskNumbers = new Map(specs.map((spec, task) => [spec.id, task]));
    this.agentNames = specs.map((spec) => spec.agent);
    const graph = buildGraph(specs.map((spec) => spec.dependsOn.map((id) => this.taskNumbers.get(id)!)));
    if ("cycle" in graph) throw new Error("a stored workflow has a cycle");
    this.run = restoreRun(planRun(identity.spec, specs, this.agents, graph), store.read("state")!, store.readTaskStates(specs.length));
    this.totals = store.read("totals")!;
    this.#lastSeq = store.readLastSeq();
  }

  get lastSeq(): number {
    return this.#lastSeq;
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
    const prepare = (pending: RunInput[]) => pending.push({ type: "claim", refs: this.#buildOrders(refs, built) });
    return this.#applyAll(prepare, (accepted) => accepted.flatMap((ref) => {
      const order = built.get(ref.task)!;
      if ("code" in order) return [{ ...ref, result: { status: "failed", failure: order, retryAfterMs: null } as const }];
      orders.push({ ...order, deadlineAt: this.run.tasks[ref.task]!.timeoutAt! });
      return [];
    }));
  }

  #buildOrders(refs: readonly AttemptRef[], built: Map<number, WorkOrder | Failure>): AttemptRef[] {
    const readScope = this.#createScopeReader();
    let room = MAX_MESSAGE_CHARACTERS;
    const granted: AttemptRef[] = [];
    for (const ref of refs) {
      if (!this.isLive(ref) || this.run.tasks[ref.task]!.status !== "queued") continue;
      const order = this.createOrder(ref, readScope);
      room -= "code" in order ? 0 : measureOrder(order);
      if (granted.length > 0 && room < 0) break;
      granted.push(ref);
      built.set(ref.task, order);
    }
    return granted;
  }

  /** Gives claimed attempts the time in which a living runner renews them: renewals are not stored. */
  refreshLeases(): void {
    const leaseUntil = this.#deps.now() + this.#deps.settings.dispatch.renewEveryMs + RENEWAL_LATENESS_MS;
    for (const task of this.run.index.live) {
      const state = this.run.tasks[task]!;
      if (state.status === "running" && state.channel === "queue") state.leaseUntil = leaseUntil;
    }
  }

  /** Takes attempts' reports: prices every call, also of late ones, and passes on those of live attempts. */
  applyReports(reports: readonly Report[]): Applied {
    return this.#applyAll((pending, applied, details) => {
      const seen = new Set<string>();
      const results = reports.flatMap((report) => {
        const name = `${report.task}.${report.attempt}`;
        if (seen.has(name)) return [];
        seen.add(name);
        return this.#recordReport(report, applied, details) ?? [];
      });
      pending.push({ type: "report", reports: results });
    });
  }

  /** Goes on with transforms that were left over. */
  runInline(refs: readonly AttemptRef[]): Applied {
    return this.#applyAll((pending, applied) => {
      const readScope = this.#createScopeReader();
      const reports = refs.flatMap((ref) => (this.isLive(ref) ? (this.#prepareDispatch({ ...ref, channel: "inline" }, applied, readScope) ?? []) : []));
      pending.push({ type: "report", reports });
    });
  }

  /** Applies an input and what follows from it within the object, and saves all of it in one transaction. */
  apply(input: RunInput): Applied {
    return this.#applyAll((pending) => pending.push(input));
  }

  #applyAll(
    prepare: (pending: RunInput[], applied: Applied, details: Map<number, TaskDetail>) => void,
    afterFirst: (accepted: readonly AttemptRef[], readScope: ReadScope) => CoreReport[] = () => [],
  ): Applied {
    const applied: Applied = { firstSeq: this.#lastSeq + 1, events: [], objectOrders: [], directOrders: [], queued: [], accepted: [], inlineCount: 0, inlineLeft: [], routes: [], wakeBy: Infinity };
    return this.store.transaction(() => {
      const pending: RunInput[] = [];
      const details = new Map<number, TaskDetail>();
      const touched = new Set<number>();
      const totalsBefore = this.totals.costNanoUsd + this.totals.inputTokens + this.totals.outputTokens;
      let isStateTouched = false;
      prepare(pending, applied, details);
      const readScope = this.#createScopeReader();
      let follow = afterFirst;
      for (let input = pending.shift(); input !== undefined; input = pending.shift()) {
        const step = transition(this.run, input, this.#deps.now(), this.#createAbilities(readScope));
        step.touched.forEach((task) => touched.add(task));
        isStateTouched ||= step.isStateTouched;
        applied.events.push(...step.events);
        applied.accepted.push(...step.accepted);
        applied.wakeBy = Math.min(applied.wakeBy, step.wakeBy);
        const reports = [...follow(step.accepted, readScope), ...step.dispatches.flatMap((dispatch) => this.#prepareDispatch(dispatch, applied, readScope) ?? [])];
        follow = () => [];
        if (reports.length > 0) pending.push({ type: "report", reports });
      }
      this.#save(applied, touched, details, isStateTouched, totalsBefore);
      return applied;
    });
  }

  #save(applied: Applied, touched: Set<number>, details: Map<number, TaskDetail>, isStateTouched: boolean, totalsBefore: number): void {
    if (touched.size > 0) this.store.writeTaskStates(touched, this.run.tasks, details);
    if (isStateTouched) this.store.write("state", this.run.state);
    if (this.totals.costNanoUsd + this.totals.inputTokens + this.totals.outputTokens !== totalsBefore) this.store.write("totals", this.totals);
    if (applied.routes.length > 0) this.store.stats.add(applied.routes.flatMap(listCells));
    if (applied.events.length === 0) return;
    this.store.appendEvents(applied.firstSeq, applied.events);
    this.#lastSeq += applied.events.length;
    const { webhook } = this.identity.spec;
    if (webhook === undefined) return;
    const wanted = new Set<string>(webhook.events ?? ["workflow.completed", "workflow.failed", "workflow.cancelled"]);
    applied.events.forEach((event, index) => {
      if (wanted.has(event.type)) this.store.addWebhook(applied.firstSeq + index, event.type, Date.parse(event.at), this.run.state.status);
    });
  }

  /** Turns a dispatch into an order, a queue reference or, for what ends at once, a report. */
  #prepareDispatch(dispatch: AttemptRef & { channel: string }, applied: Applied, readScope: ReadScope): CoreReport | null {
    const ref = { task: dispatch.task, attempt: dispatch.attempt };
    if (dispatch.channel === "queue") {
      applied.queued.push(ref);
      return null;
    }
    if (dispatch.channel === "inline") {
      if (applied.inlineCount < MAX_INLINE_PER_STEP) {
        applied.inlineCount += 1;
        return { ...ref, result: this.#runInline(dispatch.task, readScope) };
      }
      applied.inlineLeft.push(ref);
      return null;
    }
    const order = this.createOrder(ref, readScope);
    if ("code" in order) return { ...ref, result: { status: "failed", failure: order, retryAfterMs: null } };
    (dispatch.channel === "object" ? applied.objectOrders : applied.directOrders).push(order);
    return null;
  }

  /** The work order of a live attempt, or why its input cannot be made. */
  createOrder(ref: AttemptRef, readScope: ReadScope = this.#createScopeReader()): WorkOrder | Failure {
    return buildOrder(this, ref, readScope, this.#deps.newSecret);
  }

  #runInline(task: number, readScope: ReadScope): AttemptResult {
    const spec = this.store.readTaskSpec(task);
    const agent = this.agents[spec.agent]!;
    if (agent.kind !== "transform") throw new Error(`task ${spec.id} was dispatched inline with an agent of kind ${agent.kind}`);
    const value = evaluateTransform(spec, agent, readScope);
    return value.ok ? this.#keepOutput(task, value.value) : { status: "failed", failure: expressionFailure(value.message), retryAfterMs: null };
  }

  /** Stores an output, or refuses it for its size. */
  #keepOutput(task: number, output: Json): AttemptResult {
    const json = JSON.stringify(output);
    const outputBytes = utf8Length(json);
    if (outputBytes > MAX_VALUE_BYTES) {
      const message = `the output has ${outputBytes} bytes, more than the ${MAX_VALUE_BYTES} a value may have; return a reference to it instead`;
      return { status: "failed", failure: { code: "agent_bad_response", message, retryable: false }, retryAfterMs: null };
    }
    this.store.writeOutput(task, json, outputBytes);
    return { status: "completed", outputBytes };
  }

  /** Prices a report's calls; for the live attempt also keeps its output and route and gives the core's view of it. */
  #recordReport(report: Report, applied: Applied, details: Map<number, TaskDetail>): CoreReport | null {
    const { task, attempt, outcome } = report;
    if (this.run.tasks[task] === undefined) return null;
    const isLive = isLiveAttempt(this.run, report);
    if (outcome.status !== "waiting") {
      const entered = outcome.calls.filter((call, index) => this.store.addCall({ ...call, task, attempt, isLate: !isLive }, index));
      for (const call of entered) addToTotals(this.totals, call);
      // A repeated report enters nothing; the live attempt's comes but once.
      if (entered.length > 0 || (isLive && outcome.route !== null)) applied.routes.push(describeRoute(outcome, entered, this.#deps.now()));
    }
    if (!isLive) return null;
    if (outcome.status === "waiting") return { task, attempt, result: { status: "waiting" } };
    const taskId = this.run.plan.tasks[task]!.id;
    const at = new Date(this.#deps.now()).toISOString();
    for (const { type, data } of outcome.events ?? []) applied.events.push({ type, at, taskId, data: { attempt, ...data } } as WorkflowEvent);
    const context = outcome.status === "completed" ? outcome.context : null;
    if (context !== null && context.reducedTokens < context.originalTokens) applied.events.push({ type: "context.reduced", at, taskId, data: { attempt, ...context } });
    if (outcome.route !== null) details.set(task, { route: outcome.route, context });
    if (outcome.status === "completed") return { task, attempt, result: this.#keepOutput(task, outcome.output) };
    return { task, attempt, result: { status: "failed", failure: outcome.failure, retryAfterMs: outcome.retryAfterMs } };
  }

  #createAbilities(readScope: ReadScope): Abilities {
    return {
      evaluateWhen: (task) => evaluateWhen(this.store.readTaskSpec(task).when!, readScope),
      evaluateResult: () => this.#evaluateResult(readScope),
      random: this.#deps.random,
      settings: this.#deps.dispatchSettings(),
      leaseChunkNanoUsd: 50_000_000,
    };
  }

  #evaluateResult(readScope: ReadScope): Failure | null {
    const source = this.identity.spec.result;
    if (source === undefined) return null;
    const value = evaluateExpression(source, readScope);
    if (!value.ok) return expressionFailure(`result: ${value.message}`);
    const bytes = utf8Length(JSON.stringify(value.value));
    if (bytes > MAX_VALUE_BYTES) return expressionFailure(`result: the value has ${bytes} bytes, more than the ${MAX_VALUE_BYTES} a value may have`);
    this.store.write("result", value.value);
    return null;
  }

  /** Reads what an expression refers to; outputs are parsed once per step, as long as they are not many. */
  #createScopeReader(): ReadScope {
    const outputs = new Map<number, Json>();
    let input: { value: Json } | null = null;
    let parsedBytes = 0;
    const readOutput = (task: number): Json => {
      const known = outputs.get(task);
      if (known !== undefined) return known;
      const json = this.store.readOutputJson(task) ?? "null";
      parsedBytes += json.length;
      if (parsedBytes > MAX_PARSED_BYTES) {
        outputs.clear();
        parsedBytes = json.length;
      }
      const output = JSON.parse(json) as Json;
      outputs.set(task, output);
      return output;
    };
    return (references) => {
      if (references.roots.has("workflow")) input ??= { value: this.store.read("input") };
      const tasks = [...references.tasks].map((id) => {
        const task = this.taskNumbers.get(id)!;
        return [id, { output: readOutput(task), status: this.run.tasks[task]!.status }] as const;
      });
      return { workflow: { input: input?.value ?? null }, tasks: Object.fromEntries(tasks) };
    };
  }

  get isFinal(): boolean {
    return isFinalWorkflow(this.run.state.status);
  }
}

export function expressionFailure(message: string): Failure {
  return { code: "expression_failed", message, retryable: false };
}

function evaluateWhen(source: string, readScope: ReadScope): boolean | Failure {
  const value = evaluateExpression(source, readScope);
  if (!value.ok) return expressionFailure(`when: ${value.message}`);
  return typeof value.value === "boolean" ? value.value : expressionFailure(`when: gave ${JSON.stringify(value.value)?.slice(0, 100)}, not true or false`);
}

function describeRoute(outcome: Exclude<Outcome, { status: "waiting" }>, calls: readonly CallRecord[], now: number): AnsweredRoute {
  const { route, events = [] } = outcome;
  const context = outcome.status === "completed" ? outcome.context : null;
  return {
    at: now,
    tier: route?.tier ?? null,
    taskType: outcome.taskType ?? null,
    calls,
    failureCode: outcome.status === "failed" ? outcome.failure.code : null,
    fallbacks: events.filter(({ type }) => type === "model.fallback").length,
    escalatedFrom: events.flatMap(({ type, data }) => (type === "model.escalated" && "fromTier" in data ? [data.fromTier] : [])),
    contextTokensSaved: context === null ? 0 : context.originalTokens - context.reducedTokens,
  };
}

function addToTotals(totals: Totals, call: Totals): void {
  totals.inputTokens += call.inputTokens;
  totals.outputTokens += call.outputTokens;
  totals.costNanoUsd += call.costNanoUsd;
  totals.baselineNanoUsd += call.baselineNanoUsd;
}
