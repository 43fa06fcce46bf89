import type { TaskMessage } from "../../../consumer/attempt-port.ts";
import { runAttempt } from "../../../consumer/run-attempt.ts";
import { ORDERS_PER_EXECUTOR, refOfOrder, splitOrders } from "../../../consumer/run-orders.ts";
import type { AttemptRef, Report, ReserveCall, WorkOrder } from "../../../consumer/work-order.ts";
import type { ObjectDeps } from "../../../deps.ts";
import type { DispatchSettings } from "../../../workflow/dispatch.ts";
import type { ReserveAnswer } from "../../../workflow/budget/reserve-port.ts";
import { MAX_ATTEMPT_TIMEOUT_MS } from "../../../workflow/spec/spec.ts";
import { nextWakeAt } from "../../../workflow/timers.ts";
import type { RunInput } from "../../../workflow/transition.ts";
import type { Applied } from "../workflow-change.ts";
import type { NewPlan } from "../planning/workflow-planning.ts";
import type { WorkflowSession } from "../workflow-session.ts";
import { planAgain } from "../planning/plan-again.ts";
import { CallsUnderWay } from "./calls-under-way.ts";
import type { PlanReason } from "../planning/plan-reason.ts";
import { TenantLink } from "./tenant-link.ts";
import { WebhookSender } from "./webhook-sender.ts";
import type { WorkflowStore } from "../stores/workflow-store.ts";

/** Messages in one send, and bytes: the platform takes 100 and 256 KB; a reference has under 300 bytes. */
const MAX_SEND_MESSAGES = 100;
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
  plan: (made: NewPlan, reason: PlanReason) => void;
  /** The workflow that was made then (Unix ms) is final, and the tenant's index knows. */
  ended: (createdAt: number) => void;
}

/** Sends what steps decided: calls, queue messages, the index, webhooks, the alarm. Everything here may fail; leases and the alarm bring it back. */
export class WorkflowOutbox {
  readonly #deps: ObjectDeps;
  readonly #ctx: DurableObjectState;
  readonly #verbs: OutboxVerbs;
  readonly #webhooks: WebhookSender;
  readonly #ownAttempts: ObjectDeps["attempts"];
  /** What this workflow tells its tenant, and asks it for. */
  readonly tenant: TenantLink;
  readonly #calls: CallsUnderWay;
  #armedAt = Infinity;
  /** Outcomes that wait for others, to be saved in one transaction. */
  #inbox: Report[] = [];
  #running = 0;
  #isPlanning = false;
  #executorCalls = 0;
  #ownCalls = 0;

  constructor(deps: ObjectDeps, ctx: DurableObjectState, store: WorkflowStore, verbs: OutboxVerbs) {
    this.#deps = deps;
    this.#calls = new CallsUnderWay(deps.now);
    this.#ctx = ctx;
    this.#verbs = verbs;
    this.#ownAttempts = { ...deps.attempts, reserve: (_order, call) => verbs.reserve(call) };
    this.#webhooks = new WebhookSender(deps, store.webhooks, { session: verbs.session, armBy: (time) => this.armBy(time) });
    this.tenant = new TenantLink(deps, store, { ...verbs, armBy: (time) => this.armBy(time), armBehindEnd: (session) => this.#armBehindEnd(session) });
  }

  send(session: WorkflowSession, applied: Applied): void {
    this.#deps.logEvents(session.identity, applied.firstSeq, applied.events);
    if (applied.events.length > 0) this.#webhooks.deliver(session);
    const isIndexed = applied.events.some((event) => event.type.startsWith("workflow."));
    const behindIndex = isIndexed ? this.tenant.alarmBehindIndex() : Infinity;
    // At the end the alarm is moved behind everything that is over, with the same commit: one that fired for nothing would cost far more.
    // Where the index knows nothing yet the alarm stays that was armed behind it, and is moved once it does.
    if (session.isFinal && isIndexed && behindIndex === Infinity) this.#armBehindEnd(session);
    else this.armBy(Math.min(applied.wakeBy, behindIndex));
    for (const order of applied.objectOrders) void this.#callAgent(order);
    for (const orders of splitOrders(applied.directOrders)) void this.#callExecutor(orders);
    if (applied.queued.length > 0) void this.#enqueue(session, applied.queued);
    // A turn of its own, so that requests come in between; an object that dies before it repeats them as lost.
    if (applied.inlineLeft.length > 0) setTimeout(() => this.#verbs.runInline(applied.inlineLeft), 0);
    if (isIndexed) this.tenant.planIndex(session);
    else if (applied.hasNews) this.tenant.planNews(session);
    else if (applied.events.length > 0) this.tenant.planProgress(session);
    if (applied.planReason !== null) void this.#planAgain(session, applied.planReason);
    if (applied.leaseRequest !== null) void this.tenant.askForLease(session, applied.leaseRequest);
    if (applied.startsQuestion !== null) void this.tenant.askForStarts(session, applied.startsQuestion);
    this.#calls.giveUp((attempt) => !session.isLive(attempt), "the attempt was abandoned");
  }

  /** An event from outside reached the object: the platform counts its calls anew. */
  refill(): void {
    this.#executorCalls = 0;
    this.#ownCalls = 0;
    this.#webhooks.refill();
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
    this.tenant.reset();
  }

  /** Gives up all that is under way: the workflow is gone. */
  abandon(): void {
    this.#calls.giveUp(() => true, "the workflow was removed");
    this.#inbox = [];
    this.reset();
  }

  /** Arms the alarm for whatever comes next, as the stored state says, and for `time` at the latest. */
  armForRest(session: WorkflowSession, time = Infinity): void {
    this.armBy(Math.min(nextWakeAt(session.run, this.#deps.settings.dispatch.timeoutGraceMs), this.#nextChoreAt(session), time));
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
    // A callback may be awaited for days, the call that announces it may not.
    const signal = this.#calls.begin(refOfOrder(order), Math.min(order.deadlineAt, this.#deps.now() + MAX_ATTEMPT_TIMEOUT_MS));
    this.#running += 1;
    this.#ownCalls += 1;
    const outcome = await runAttempt(order, this.#ownAttempts, { signal, isTimed: true });
    this.#calls.end(signal);
    this.#running -= 1;
    this.#receive([{ ...refOfOrder(order), outcome }]);
    this.#calls.rest();
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
      this.#verbs.lose(orders.map(refOfOrder));
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

  /** Plans the tasks that have not started anew; without a plan they go on as they were planned before. */
  async #planAgain(session: WorkflowSession, reason: PlanReason): Promise<void> {
    if (this.#isPlanning) return;
    this.#isPlanning = true;
    try {
      const made = await planAgain(session, this.#deps.attempts.loadModels, this.#deps.now());
      if (made !== null && this.#verbs.session() === session && !session.isFinal) this.#verbs.plan(made, reason);
    } catch (error) {
      this.#deps.log({ event: "plan.failed", workflowId: session.identity.workflowId, message: String(error) });
    } finally {
      this.#isPlanning = false;
    }
  }

  #armBehindEnd(session: WorkflowSession): void {
    this.#arm(Math.min(this.#nextChoreAt(session), nextWakeAt(session.run, 0)));
  }

  #nextChoreAt(session: WorkflowSession): number {
    return Math.min(this.#retentionEndsAt(session), this.#webhooks.nextAt(session));
  }

  #retentionEndsAt(session: WorkflowSession): number {
    const { finishedAt } = session.run.state;
    return finishedAt === null ? Infinity : finishedAt + this.#deps.settings.retention.days * DAY_MS;
  }

  /** An alarm that is earlier than needed does no harm, so it is moved only forward in time: most steps write none. */
  armBy(time: number): void {
    if (time < this.#armedAt) this.#arm(time);
  }

  #arm(time: number): void {
    if (!Number.isFinite(time)) return;
    void this.#ctx.storage.setAlarm(time);
    this.#armedAt = time;
  }
}
