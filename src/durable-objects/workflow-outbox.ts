import type { StartsTold } from "../api/tenant-port.ts";
import type { TaskMessage } from "../consumer/attempt-port.ts";
import { runAttempt } from "../consumer/run-attempt.ts";
import { ORDERS_PER_EXECUTOR, splitOrders } from "../consumer/run-orders.ts";
import type { AttemptRef, Report, ReserveCall, WorkOrder } from "../consumer/work-order.ts";
import type { ObjectDeps } from "../deps.ts";
import type { DispatchSettings } from "../workflow/dispatch.ts";
import type { LeaseAnswer, LeaseRequest, ReserveAnswer } from "../workflow/reserve-port.ts";
import { tellStarts } from "../workflow/ask-starts.ts";
import type { StartsQuestion, StartsReply } from "../workflow/starts-known.ts";
import { nextWakeAt } from "../workflow/timers.ts";
import type { RunInput } from "../workflow/transition.ts";
import type { WorkflowEnding } from "../api/stats-port.ts";
import { describeEnding } from "./describe-ending.ts";
import type { Applied } from "./workflow-change.ts";
import type { WorkflowSession } from "./workflow-session.ts";
import { WebhookSender } from "./webhook-sender.ts";
import type { WorkflowStore } from "./workflow-store.ts";
import { viewSummary } from "./workflow-view.ts";

/** Messages in one send, and bytes: the platform takes 100 and 256 KB; a reference has under 300 bytes. */
const MAX_SEND_MESSAGES = 100;
/** How long whoever waits for the end is kept for the index, so that a list asked for next shows it. */
const INDEX_PATIENCE_MS = 500;
/** How long calls gather before the tenant is told of them, where nothing else is to be told. */
const NEWS_DELAY_MS = 5_000;
/** When the index is told again after a failure; also how late a lost update can be. */
const INDEX_RETRY_MS = 10_000;
/** How long an outcome waits for others while calls are out: each transaction costs a disk write, whatever it holds. */
const GATHER_MS = 4;
/** Executors an object calls between two events that reach it: a request may take 32 Worker invocations, and two stay free. */
const MAX_EXECUTOR_CALLS = 30;
/** Agents it calls itself in that time: half of the 1,000 subrequests that a request had at least, the rest is for executors, webhooks and the index. */
const MAX_OWN_CALLS = 500;
const DAY_MS = 86_400_000;

/** Back from the outbox into the object. */
interface OutboxVerbs {
  session: () => WorkflowSession | null;
  report: (reports: Report[]) => void;
  lose: (refs: AttemptRef[]) => void;
  reserve: (call: ReserveCall) => Promise<ReserveAnswer>;
  /** A step that nobody waits for. */
  apply: (input: RunInput) => void;
  runInline: (refs: AttemptRef[]) => void;
  /** The workflow is final, and the tenant's index knows. */
  ended: () => void;
}

/** Sends what steps decided: calls, queue messages, the index, webhooks, the alarm. Everything here may fail; leases and the alarm bring it back. */
export class WorkflowOutbox {
  readonly #deps: ObjectDeps;
  readonly #ctx: DurableObjectState;
  readonly #store: WorkflowStore;
  readonly #verbs: OutboxVerbs;
  readonly #webhooks: WebhookSender;
  readonly #calls = new Map<string, AbortController>();
  #armedAt = Infinity;
  #indexing: Promise<void> | null = null;
  /** Whether the index may not know how the workflow stands; a new memory cannot know. */
  #isIndexBehind = true;
  #isNewsPlanned = false;
  /** Whether the index was told of this workflow since this memory began. */
  #wasIndexed = false;
  /** The seq of the newest event when the tenant was last told how the workflow went. */
  #endingToldAt: number | null = null;
  /** Outcomes that wait for others, to be saved in one transaction. */
  #inbox: Report[] = [];
  #running = 0;
  #executorCalls = 0;
  #ownCalls = 0;
  #startsRevision = 0;

  constructor(deps: ObjectDeps, ctx: DurableObjectState, store: WorkflowStore, verbs: OutboxVerbs) {
    this.#deps = deps;
    this.#ctx = ctx;
    this.#store = store;
    this.#verbs = verbs;
    this.#webhooks = new WebhookSender(deps, store, { session: verbs.session, armBy: (time) => this.#armBy(time) });
  }

  send(session: WorkflowSession, applied: Applied): void {
    this.#deps.logEvents(session.identity, applied.firstSeq, applied.events);
    const isIndexed = applied.events.some((event) => event.type.startsWith("workflow."));
    // Until the index knows of the workflow at all, an alarm stands behind it; later the cron sweep finds an entry that stayed behind.
    const behindIndex = isIndexed && !this.#wasIndexed ? this.#deps.now() + INDEX_RETRY_MS : Infinity;
    // At the end the alarm is moved behind everything that is over, with the same commit: one that fired for nothing would cost far more.
    if (session.isFinal && isIndexed) this.#arm(Math.min(this.#nextChoreAt(session), nextWakeAt(session.run, 0), behindIndex));
    else this.#armBy(Math.min(applied.wakeBy, behindIndex));
    for (const order of applied.objectOrders) void this.#callAgent(order);
    for (const orders of splitOrders(applied.directOrders)) void this.#callExecutor(orders);
    if (applied.queued.length > 0) void this.#enqueue(session, applied.queued);
    // A turn of its own, so that requests come in between; an object that dies before it repeats them as lost.
    if (applied.inlineLeft.length > 0) setTimeout(() => this.#verbs.runInline(applied.inlineLeft), 0);
    if (isIndexed) this.#planIndex(session);
    else if (applied.hasNews) this.#planNews(session);
    if (applied.leaseRequest !== null) void this.#askForLease(session, applied.leaseRequest);
    if (applied.startsQuestion !== null) void this.#askForStarts(session, applied.startsQuestion);
    if (this.#calls.size > 0) this.#abandonDeadCalls(session);
    if (applied.events.length > 0) this.#webhooks.deliver(session);
  }

  /** An event from outside reached the object: the platform counts its calls anew. */
  refill(): void {
    this.#executorCalls = 0;
    this.#ownCalls = 0;
  }

  /** The dispatch settings, narrowed to what this object may still call by itself. The queue brings a new event, and with it new room. */
  get dispatchSettings(): DispatchSettings {
    const { dispatch } = this.#deps.settings;
    if (this.#executorCalls === 0 && this.#ownCalls < MAX_OWN_CALLS) return dispatch;
    const directMax = Math.min(dispatch.directMax, Math.max(0, MAX_EXECUTOR_CALLS - this.#executorCalls) * ORDERS_PER_EXECUTOR);
    return { ...dispatch, directMax, objectMax: this.#ownCalls < MAX_OWN_CALLS ? dispatch.objectMax : 0 };
  }

  /** Forgets which alarm is armed: it fired. */
  disarm(): void {
    this.#armedAt = Infinity;
  }

  /** Forgets all of the workflow that lived here: there is none now, or another. */
  reset(): void {
    this.disarm();
    this.#isIndexBehind = true;
    this.#wasIndexed = false;
    this.#endingToldAt = null;
  }

  /** Gives up all that is under way: the workflow is gone. */
  abandon(): void {
    for (const call of this.#calls.values()) call.abort(new Error("the workflow was removed"));
    this.#inbox = [];
    this.reset();
  }

  /** Arms the alarm for whatever comes next, as the stored state says. */
  armForRest(session: WorkflowSession): void {
    this.#armBy(Math.min(nextWakeAt(session.run, this.#deps.settings.dispatch.timeoutGraceMs), this.#nextChoreAt(session)));
  }

  /** Sends the webhooks that are due. */
  deliverWebhooks(session: WorkflowSession): void {
    this.#webhooks.deliver(session);
  }

  isRetentionOver(session: WorkflowSession, now: number): boolean {
    return this.#retentionEndsAt(session) <= now;
  }

  /** Calls the agent from the object itself: no hop, but one of its few connections. */
  async #callAgent(order: WorkOrder): Promise<void> {
    const abandoned = new AbortController();
    this.#calls.set(nameOf(order), abandoned);
    this.#running += 1;
    this.#ownCalls += 1;
    const outcome = await runAttempt(order, { ...this.#deps.attempts, reserve: (_order, call) => this.#verbs.reserve(call) }, abandoned.signal);
    this.#calls.delete(nameOf(order));
    this.#running -= 1;
    this.#receive([{ task: order.task, attempt: order.attempt, outcome }]);
  }

  /** Has an executor run the orders while this object waits: the pending call keeps the object alive. */
  async #callExecutor(orders: WorkOrder[]): Promise<void> {
    this.#running += 1;
    this.#executorCalls += 1;
    try {
      const rest = await this.#deps.executor().run(orders, async (reports) => this.#verbs.report(reports));
      this.#running -= 1;
      this.#receive(rest);
    } catch (error) {
      this.#running -= 1;
      this.#deps.log({ event: "executor.failed", workflowId: orders[0]!.workflowId, message: String(error) });
      this.#verbs.lose(orders.map(({ task, attempt }) => ({ task, attempt })));
    }
  }

  /** Passes outcomes on: at once when nothing else runs, else together with what comes within a moment. */
  #receive(reports: Report[]): void {
    const isFirst = this.#inbox.length === 0;
    this.#inbox.push(...reports);
    if (this.#running === 0) this.#flushInbox();
    else if (isFirst) setTimeout(() => this.#flushInbox(), GATHER_MS);
  }

  #flushInbox(): void {
    if (this.#inbox.length === 0) return;
    const reports = this.#inbox;
    this.#inbox = [];
    this.#verbs.report(reports);
  }

  async #enqueue(session: WorkflowSession, refs: readonly AttemptRef[]): Promise<void> {
    const { tenant, workflowId } = session.identity;
    const messages: TaskMessage[] = refs.map((ref) => ({ tenant, workflowId, ...ref, rank: session.run.plan.tasks[ref.task]!.rank }));
    for (const isUrgent of [true, false]) {
      const wave = messages.filter((message) => message.rank < 2 === isUrgent);
      for (let start = 0; start < wave.length; start += MAX_SEND_MESSAGES) {
        // A send that fails is a lost message: the lease runs out and the attempt is sent again.
        await this.#deps.sendTasks(wave.slice(start, start + MAX_SEND_MESSAGES), isUrgent).catch((error: unknown) => this.#deps.log({ event: "queue.send_failed", workflowId, message: String(error) }));
      }
    }
  }

  #abandonDeadCalls(session: WorkflowSession): void {
    for (const [name, call] of this.#calls) {
      const [task, attempt] = name.split(".").map(Number) as [number, number];
      if (!session.isLive({ task, attempt })) call.abort(new Error("the attempt was abandoned"));
    }
  }

  #planIndex(session: WorkflowSession): void {
    this.#isIndexBehind = true;
    if (!session.isFinal) {
      void this.updateIndex();
      return;
    }
    const patience = setTimeout(this.#verbs.ended, INDEX_PATIENCE_MS);
    void this.updateIndex().then(() => {
      clearTimeout(patience);
      this.#verbs.ended();
    });
  }

  /** Calls of a running workflow are told of at the latest when it ends; those of late reports, which nothing follows, by an alarm. */
  #planNews(session: WorkflowSession): void {
    this.#isIndexBehind = true;
    if (session.isFinal) return this.#armBy(this.#deps.now() + NEWS_DELAY_MS);
    if (this.#isNewsPlanned) return;
    this.#isNewsPlanned = true;
    setTimeout(() => {
      this.#isNewsPlanned = false;
      void this.updateIndex();
    }, NEWS_DELAY_MS);
  }

  /** Asks the tenant for more of its budget. Whatever happens, the core hears of it, and asks again where that helps. */
  async #askForLease(session: WorkflowSession, request: LeaseRequest): Promise<void> {
    const { identity, run } = session;
    const { day, revision, ...amounts } = request;
    let answer: LeaseAnswer = { kind: "failed" };
    try {
      answer = await this.#deps.tenant(identity.tenant).leaseBudget({ holder: { id: identity.workflowId, createdAt: run.state.createdAt }, day, revision, ...amounts });
    } catch (error) {
      this.#deps.log({ event: "lease.failed", workflowId: identity.workflowId, message: String(error) });
    }
    if (this.#verbs.session() === session) this.#verbs.apply({ type: "lease", day, revision, answer });
  }

  /** Asks the tenant whether attempts may start. The answer may take a while; the core counts on the one to its newest question only. */
  async #askForStarts(session: WorkflowSession, { number, demand }: StartsQuestion): Promise<void> {
    const { identity, run } = session;
    let reply: StartsReply = { kind: "failed" };
    try {
      reply = await this.#deps.tenant(identity.tenant).leaseStarts({ holder: { id: identity.workflowId, createdAt: run.state.createdAt }, revision: this.#nextStartsRevision(), demand });
    } catch (error) {
      this.#deps.log({ event: "lease.failed", workflowId: identity.workflowId, message: String(error) });
    }
    if (this.#verbs.session() === session) this.#verbs.apply({ type: "starts", number, reply });
  }

  /** How the workflow stands in what the tenant's limits allow it, as it is told now. */
  describeStarts({ run }: WorkflowSession): StartsTold {
    return { revision: this.#nextStartsRevision(), demand: tellStarts(run) };
  }

  /** Grows also over restarts of the object, which take longer than a clock is set back by. */
  #nextStartsRevision(): number {
    this.#startsRevision = Math.max(this.#startsRevision + 1, this.#deps.now());
    return this.#startsRevision;
  }

  /** Tells the tenant what it was not told yet of this workflow's calls: before the workflow is removed. Throws when it cannot be told. */
  async flushNews(session: WorkflowSession): Promise<void> {
    if (this.#store.stats.readUnsent().length > 0 || session.hasSpend) await this.#tellTenant(session);
  }

  async #tellTenant(session: WorkflowSession): Promise<void> {
    const cells = this.#store.stats.readUnsent();
    // What an ended workflow has leased and not spent goes back to the tenant.
    if (session.isFinal && session.hasSpend) this.#verbs.apply({ type: "trim" });
    const spend = session.hasSpend ? session.listSpend() : undefined;
    const starts = session.isFinal && session.run.state.isLimited ? { starts: this.describeStarts(session) } : {};
    const ending = this.#untoldEnding(session);
    const { isLimited } = await this.#deps.tenant(session.identity.tenant).indexWorkflow({ summary: viewSummary(session), version: session.lastSeq, cells, ...(spend === undefined ? {} : { spend }), ...starts, ...ending });
    // In the meantime it may have been removed, with its tables.
    if (this.#verbs.session() !== session) return;
    if (ending.ending !== undefined) this.#endingToldAt = ending.ending.revision;
    if (cells.length > 0) this.#store.transaction(() => this.#store.stats.markSent(cells));
    if (isLimited !== session.run.state.isLimited && !session.isFinal) this.#verbs.apply({ type: "limits", isLimited });
  }

  /** How an ended workflow went, until the tenant knows: finding it out looks at every task. */
  #untoldEnding(session: WorkflowSession): { ending?: WorkflowEnding } {
    return session.isFinal && this.#endingToldAt !== session.lastSeq ? { ending: describeEnding(session) } : {};
  }

  /** Puts the workflow back into an index that was told to forget it. */
  indexAgain(): Promise<void> {
    this.#isIndexBehind = true;
    return this.updateIndex();
  }

  /** Tells the tenant's index how the workflow stands, until it knows. A failure is tried again by the alarm. */
  updateIndex(): Promise<void> {
    this.#indexing ??= this.#tellIndex().finally(() => (this.#indexing = null));
    return this.#indexing;
  }

  async #tellIndex(): Promise<void> {
    let workflowId: string | undefined;
    try {
      while (this.#isIndexBehind) {
        const session = this.#verbs.session();
        if (session === null) return;
        workflowId = session.identity.workflowId;
        this.#isIndexBehind = false;
        await this.#tellTenant(session);
        this.#wasIndexed = true;
      }
    } catch (error) {
      this.#isIndexBehind = true;
      this.#deps.log({ event: "index.failed", workflowId, message: String(error) });
      this.#armBy(this.#deps.now() + INDEX_RETRY_MS);
    }
  }

  #nextChoreAt(session: WorkflowSession): number {
    return Math.min(this.#retentionEndsAt(session), this.#webhooks.nextAt(session));
  }

  #retentionEndsAt(session: WorkflowSession): number {
    const { finishedAt } = session.run.state;
    return finishedAt === null ? Infinity : finishedAt + this.#deps.settings.retention.days * DAY_MS;
  }

  /** An alarm that is earlier than needed does no harm, so it is moved only forward in time: most steps write none. */
  #armBy(time: number): void {
    if (time < this.#armedAt) this.#arm(time);
  }

  #arm(time: number): void {
    if (!Number.isFinite(time)) return;
    this.#armedAt = time;
    void this.#ctx.storage.setAlarm(time);
  }
}

function nameOf(ref: AttemptRef): string {
  return `${ref.task}.${ref.attempt}`;
}
