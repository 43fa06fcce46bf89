import { DurableObject } from "cloudflare:workers";
import type { LeaseHolderPort, StartsTold } from "../api/ports/tenant-port.ts";
import type { Checkpoint, CreateAnswer, CreateRequest, LedgerLine, Page, ReadOptions, TaskView, WorkflowPort, WorkflowView } from "../api/ports/workflow-port.ts";
import type { AttemptPort, TaskDelta } from "../consumer/attempt-port.ts";
import type { AttemptRef, Report, ReserveCall, WorkOrder } from "../consumer/work-order.ts";
import { createObjectDeps, type ObjectDeps } from "../deps.ts";
import type { Json, Problem } from "../errors.ts";
import type { DaySpend } from "../workflow/budget/tenant-account.ts";
import type { ReserveAnswer } from "../workflow/budget/reserve-port.ts";
import { canRetryTask } from "../workflow/commands.ts";
import type { LoggedEvent } from "../workflow/events.ts";
import { isFinalWorkflow, type WorkflowStatus } from "../workflow/run.ts";
import type { RunInput } from "../workflow/transition.ts";
import { CALLBACK_OVER, findCallback, readCallback } from "./workflow/callback-report.ts";
import { createWorkflow, findEarlierAnswer, findRecordedAnswer, forgetWorkflow } from "./workflow/create-workflow.ts";
import { EndWaiters } from "./workflow/end-waiters.ts";
import { forgetEnded } from "./workflow/forget-ended.ts";
import { LiveFeed } from "./workflow/streams/live-feed.ts";
import { ReserveDesk } from "./workflow/reserve-desk.ts";
import { StreamKeys } from "./workflow/streams/stream-keys.ts";
import { WorkflowOutbox } from "./workflow/outbox/workflow-outbox.ts";
import { listTasks, readCheckpoint, readEvents, readLedger, readOutputs } from "./workflow/workflow-reads.ts";
import type { Applied } from "./workflow/workflow-change.ts";
import { type SessionDeps, WorkflowSession } from "./workflow/workflow-session.ts";
import { WorkflowStore } from "./workflow/stores/workflow-store.ts";
import { viewTask, viewWorkflow } from "./workflow/workflow-view.ts";

/** When the alarm comes again after it failed. */
const ALARM_RETRY_MS = 5_000;

/** One workflow: its DAG, event log and calls. Wiring only: the core decides, the session saves, the outbox sends. */
export class WorkflowObject extends DurableObject<Env> implements WorkflowPort, AttemptPort, LeaseHolderPort {
  readonly #store: WorkflowStore;
  readonly #deps: ObjectDeps;
  readonly #sessionDeps: ObjectDeps & SessionDeps;
  readonly #feed: LiveFeed;
  readonly #outbox: WorkflowOutbox;
  readonly #waiters = new EndWaiters();
  readonly #desk = new ReserveDesk((calls) => this.#applyAlone(() => this.#commit((session) => session.reserve(calls))));
  #session: WorkflowSession | null = null;
  #creating: Promise<unknown> = Promise.resolve();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new WorkflowStore(ctx.storage);
    this.#deps = createObjectDeps(env, ctx.exports);
    if (!this.#deps.areSettingsFresh()) void ctx.blockConcurrencyWhile(() => this.#deps.refreshSettings());
    const keys = new StreamKeys({
      now: this.#deps.now,
      isInForce: async (keyId) => {
        const session = this.#load();
        return session === null || this.#deps.tenant(session.identity.tenant).noteKeyUse(keyId, this.#deps.now());
      },
      onFault: (error) => this.#deps.log({ event: "key.note_failed", message: String(error) }),
    });
    this.#feed = new LiveFeed({
      readEvents: (after, limit) => (this.#load() === null ? [] : this.#store.steps.readEvents(after, limit)),
      readEnd: () => ({ lastSeq: this.#load()?.lastSeq ?? 0, isFinal: this.#load()?.isFinal ?? true }),
      sync: () => ctx.storage.sync(),
      sockets: () => ctx.getWebSockets(),
      hibernate: (socket) => ctx.acceptWebSocket(socket),
      isInForce: (keyId) => keys.isInForce(keyId),
    });
    this.#sessionDeps = { ...this.#deps, dispatchSettings: () => this.#outbox.dispatchSettings };
    this.#outbox = new WorkflowOutbox(this.#deps, ctx, this.#store, {
      session: () => this.#load(),
      report: (reports) => this.#applyAlone(() => this.#applyReports(reports)),
      reserve: (call) => this.reserve(call),
      apply: (input) => this.#applyAlone(() => this.#apply(input)),
      plan: (made, reason) => this.#applyAlone(() => this.#commit((session) => session.applyPlan(made, reason))),
      lose: (refs) => this.#applyAlone(() => this.#apply({ type: "lose", refs: this.#keepOwn(refs) })),
      runInline: (refs) => this.#applyAlone(() => this.#commit((session) => session.runInline(refs))),
      ended: () => this.#waiters.wake(),
    });
  }

  async create(request: CreateRequest): Promise<CreateAnswer> {
    this.#outbox.refill();
    const creation = this.#creating.then(() => this.#create(request));
    this.#creating = creation.catch(() => undefined);
    const made = await creation;
    if (!("ended" in made)) return made;
    await made.ended;
    const workflow = await this.read({ ...request.answer!, waitMs: 0 });
    return "problem" in workflow ? workflow : { kind: "created", workflow };
  }

  async findAnswer(idempotency: { key: string; bodyHash: string }): Promise<{ kind: "replayed"; body: string } | { kind: "expired" } | { kind: "unknown" }> {
    const answer = findRecordedAnswer(this.#store, idempotency, this.#deps.now());
    return answer === null || "problem" in answer ? { kind: "unknown" } : answer;
  }

  async exists(): Promise<boolean> {
    return this.#load() !== null;
  }

  async read(options: ReadOptions): Promise<WorkflowView | Problem> {
    if (this.#load() === null) return notFound();
    if (options.waitMs > 0 && !this.#load()!.isFinal) await this.#waiters.wait(options.waitMs);
    const session = this.#load();
    return session === null ? notFound() : viewWorkflow(session, options.withTasks);
  }

  async readTask(taskId: string): Promise<TaskView | Problem> {
    const session = this.#load();
    const task = session?.taskNumbers.get(taskId);
    if (session === null || task === undefined) return notFound(`There is no task ${taskId} in this workflow.`);
    return viewTask(session, task);
  }

  async listTasks(options: { status: string | null; limit: number; cursor: string | null }): Promise<Page<TaskView> | Problem> {
    const session = this.#load();
    return session === null ? notFound() : listTasks(session, options);
  }

  async command(command: "pause" | "resume" | "cancel"): Promise<{ status: WorkflowStatus } | Problem> {
    this.#outbox.refill();
    const session = this.#load();
    if (session === null) return notFound();
    const { status } = session.run.state;
    if (command === "cancel" && status === "cancelled") return { status };
    if (isFinalWorkflow(status)) return { problem: "conflict", detail: `The workflow is ${status} already and cannot be ${command === "cancel" ? "cancelled" : `${command}d`}.` };
    this.#apply({ type: command });
    return { status: session.run.state.status };
  }

  async retryTask(taskId: string): Promise<{ status: WorkflowStatus } | Problem> {
    this.#outbox.refill();
    const session = this.#load();
    const task = session?.taskNumbers.get(taskId);
    if (session === null || task === undefined) return notFound(`There is no task ${taskId} in this workflow.`);
    if (!canRetryTask(session.run, task)) {
      return { problem: "conflict", detail: `Only a failed task of a failed or running workflow can be retried; this task is ${session.run.tasks[task]!.status}, its workflow ${session.run.state.status}.` };
    }
    this.#apply({ type: "retryTask", task });
    return { status: session.run.state.status };
  }

  async readCheckpoint(from: readonly string[] | null): Promise<Checkpoint | Problem> {
    const session = this.#load();
    return session === null ? notFound() : readCheckpoint(session, from);
  }

  async readEvents(options: { after: number; limit: number }): Promise<Page<LoggedEvent> | Problem> {
    const session = this.#load();
    return session === null ? notFound() : readEvents(session, options);
  }

  async readLedger(options: { limit: number; cursor: string | null }): Promise<Page<LedgerLine> | Problem> {
    const session = this.#load();
    return session === null ? notFound() : readLedger(session, options);
  }

  async awaitsCallback(secret: string): Promise<boolean> {
    const session = this.#load();
    const ref = session === null ? null : findCallback(session, secret);
    return session !== null && ref !== null && session.isLive(ref);
  }

  async acceptCallback(secret: string, body: Json): Promise<{ accepted: true } | Problem> {
    this.#outbox.refill();
    const session = this.#load();
    const read = session === null ? notFound("This callback token is unknown.") : readCallback(session, secret, body, this.#deps.now());
    if ("problem" in read) return read;
    return this.#applyReports([read.report]).accepted.length > 0 ? { accepted: true } : CALLBACK_OVER;
  }

  async remove(): Promise<{ removed: true } | Problem> {
    const session = this.#load();
    if (session === null) return notFound();
    if (!session.isFinal) return { problem: "conflict", detail: `The workflow is ${session.run.state.status}: cancel it before you delete it.` };
    if (await this.#forgetEnded(session)) return { removed: true };
    return { problem: "conflict", detail: "The workflow was retried meanwhile: cancel it before you delete it." };
  }

  async purge(): Promise<void> {
    this.#forgetMemory(new Error("the workflow was removed"));
    this.#outbox.abandon();
    await this.#store.clear();
    this.#feed.close("the workflow was deleted");
    this.#waiters.wake();
  }

  async claim(refs: AttemptRef[]): Promise<WorkOrder[]> {
    this.#outbox.refill();
    if (this.#load() === null) return [];
    const orders: WorkOrder[] = [];
    this.#commit((session) => session.claim(refs, orders));
    return orders;
  }

  async renew(refs: AttemptRef[]): Promise<AttemptRef[]> {
    return this.#load() === null ? [] : this.#apply({ type: "renew", refs: this.#keepOwn(refs) }).accepted;
  }

  async report(reports: Report[]): Promise<void> {
    this.#outbox.refill();
    if (this.#load() !== null) this.#applyReports(reports);
  }

  async reserve(call: ReserveCall): Promise<ReserveAnswer> {
    this.#outbox.refill();
    const session = this.#load();
    return session === null || this.#keepOwn([call]).length === 0 ? { kind: "gone" } : this.#desk.ask(call, session.run.index.live.size <= 1);
  }

  /** Gives back what is leased of the tenant's budget and not needed now; null when this workflow is not here. */
  async trimLease(createdAt: number, day: number): Promise<DaySpend[] | null> {
    const session = this.#load();
    if (session === null || session.run.state.createdAt !== createdAt) return null;
    this.#apply({ type: "trim" });
    return session.listSpend().filter((spend) => spend.day <= day);
  }

  async readStarts(createdAt: number): Promise<StartsTold | null> {
    const session = this.#load();
    return session === null || session.run.state.createdAt !== createdAt ? null : this.#outbox.tenant.describeStarts(session);
  }

  async deadLetter(refs: AttemptRef[]): Promise<void> {
    this.#outbox.refill();
    if (this.#load() !== null) this.#apply({ type: "deadLetter", refs });
  }

  async publishDeltas(deltas: TaskDelta[]): Promise<void> {
    const session = this.#load();
    if (session === null || this.#feed.size === 0) return;
    const at = new Date(this.#deps.now()).toISOString();
    for (const { task, attempt, text } of this.#keepOwn(deltas)) {
      if (!session.isLive({ task, attempt })) continue;
      this.#feed.publish({ type: "task.delta", taskId: session.run.plan.tasks[task]!.id, at, data: { text, attempt } });
    }
  }

  async readOutputs(taskIds: string[]): Promise<{ taskId: string; json: string }[]> {
    const session = this.#load();
    return session === null ? [] : readOutputs(session, taskIds);
  }

  async wake(): Promise<void> {
    await this.alarm();
  }

  /** Never throws: the platform gives an alarm up after six failures, and then nobody would come. */
  override async alarm(): Promise<void> {
    this.#outbox.refill();
    try {
      await this.#deps.refreshSettings();
      await this.#doWhatIsDue();
    } catch (error) {
      this.#deps.log({ event: "alarm.failed", message: String(error) });
      this.#forgetMemory(error);
      await this.ctx.storage.setAlarm(this.#deps.now() + ALARM_RETRY_MS);
    }
  }

  override async fetch(request: Request): Promise<Response> {
    return this.#load() === null ? new Response(null, { status: 404 }) : this.#feed.open(request);
  }

  override async webSocketMessage(): Promise<void> {
    // Sockets only listen; what a client sends is ignored.
  }

  async #doWhatIsDue(): Promise<void> {
    // One that takes outputs over looks like nothing until it is done.
    await this.#creating;
    const session = this.#load();
    const now = this.#deps.now();
    if (session === null) return forgetWorkflow(this.ctx.storage, this.#store, now);
    if (this.#outbox.isRetentionOver(session, now) && (await this.#forgetEnded(session))) return;
    this.#outbox.disarm();
    if (!session.isFinal || session.hasOpenBooks) this.#apply({ type: "tick" });
    await this.#outbox.tenant.updateIndex();
    // By now it may have been deleted, or read again.
    const current = this.#load();
    if (current === null) return;
    this.#outbox.deliverWebhooks(current);
    this.#outbox.armForRest(current);
  }

  async #create(request: CreateRequest): Promise<CreateAnswer | { ended: Promise<void> }> {
    const earlier = findEarlierAnswer(this.#store, this.#load(), request, this.#deps.now());
    if (earlier !== null) return earlier;
    let created: Awaited<ReturnType<typeof createWorkflow>> | null = null;
    try {
      created = await createWorkflow(this.#store, request, this.#sessionDeps);
    } finally {
      // What was copied for it belongs to nothing.
      if (request.rerunOf !== null && (created === null || "problem" in created)) await forgetWorkflow(this.ctx.storage, this.#store, this.#deps.now());
    }
    if ("problem" in created) return created;
    const { session, applied, workflow } = created;
    this.#session = session;
    this.#outbox.reset();
    const waitMs = request.answer?.waitMs ?? 0;
    const ended = waitMs === 0 ? Promise.resolve() : this.#waiters.wait(waitMs);
    if (waitMs > 0) this.#outbox.tenant.holdEntry();
    this.#send(applied);
    return request.answer === undefined ? { kind: "created", workflow: workflow! } : { ended };
  }

  /** The workflow in memory; after an eviction it is read again, and calls that died with the former memory are repeated at once. */
  #load(): WorkflowSession | null {
    if (this.#session !== null) return this.#session;
    this.#session = WorkflowSession.load(this.#store, this.#sessionDeps);
    if (this.#session === null || this.#session.isFinal) return this.#session;
    this.#session.refreshLeases();
    // This moves the alarm, which may have stood behind the index.
    this.#outbox.armForRest(this.#session, this.#outbox.tenant.alarmBehindIndex());
    const refs = this.#session.findOrphans();
    if (refs.length > 0) this.#apply({ type: "lose", refs });
    return this.#session;
  }

  #apply(input: RunInput): Applied {
    return this.#commit((session) => session.apply(input));
  }

  #applyReports(reports: readonly Report[]): Applied {
    return this.#commit((session) => session.applyReports(this.#keepOwn(reports)));
  }

  /** Without attempts of a workflow that had this id before: what they did was settled when it was deleted. */
  #keepOwn<Ref extends AttemptRef>(refs: readonly Ref[]): Ref[] {
    const createdAt = this.#load()?.run.state.createdAt;
    return refs.filter(({ workflowCreatedAt }) => workflowCreatedAt === undefined || workflowCreatedAt === createdAt);
  }

  /** A step that nobody waits for: if it fails it is logged, the run is read again, and the attempts whose outcome was lost with it are repeated. */
  #applyAlone(work: () => void): void {
    const workflowId = this.#session?.identity.workflowId;
    try {
      if (this.#load() !== null) work();
    } catch (error) {
      this.#deps.log({ event: "report.failed", workflowId, message: String(error) });
      this.#forgetMemory(error);
    }
  }

  /** A step that could not be saved leaves a run in memory that the store does not know: it is thrown away. */
  #commit(work: (session: WorkflowSession) => Applied): Applied {
    const session = this.#load();
    if (session === null) throw new Error("there is no workflow in this object");
    try {
      const applied = work(session);
      this.#send(applied);
      return applied;
    } catch (error) {
      this.#forgetMemory(error);
      throw error;
    }
  }

  #forgetMemory(error: unknown): void {
    this.#session = null;
    this.#desk.fail(error);
  }

  #send(applied: Applied): void {
    const session = this.#session!;
    this.#outbox.send(session, applied);
    this.#desk.answer(applied.replies);
    if (applied.events.length > 0) void this.#feed.announce();
  }

  #forgetEnded(ended: WorkflowSession): Promise<boolean> {
    return forgetEnded(ended, {
      session: () => this.#load(),
      apply: (input) => this.#apply(input),
      tenant: this.#deps.tenant,
      link: this.#outbox.tenant,
      empty: () => {
        this.#feed.close("the workflow was deleted");
        this.#forgetMemory(new Error("the workflow was deleted"));
        this.#outbox.disarm();
        return forgetWorkflow(this.ctx.storage, this.#store, this.#deps.now());
      },
    });
  }
}

function notFound(detail = "There is no such workflow."): Problem {
  return { problem: "not_found", detail };
}

