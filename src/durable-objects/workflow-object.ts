import { DurableObject } from "cloudflare:workers";
import { KEY_IS_TAKEN } from "../api/ports/idempotency-record.ts";
import type { LeaseHolderPort, StartsTold } from "../api/ports/tenant-port.ts";
import type { Checkpoint, CreateAnswer, CreateRequest, KeyClaim, KeyClaimAnswer, LedgerLine, Page, ReadOptions, TaskView, WorkflowPort, WorkflowView } from "../api/ports/workflow-port.ts";
import type { AttemptPort, TaskDelta } from "../consumer/attempt-port.ts";
import type { AttemptRef, Report, ReserveCall, WorkOrder } from "../consumer/work-order.ts";
import { createObjectDeps, type ObjectDeps } from "../deps.ts";
import type { Json, Problem } from "../errors.ts";
import type { DaySpend } from "../workflow/budget/tenant-account.ts";
import type { ReserveAnswer } from "../workflow/budget/reserve-port.ts";
import { canRetryTask } from "../workflow/commands.ts";
import type { LoggedEvent } from "../workflow/events.ts";
import { isFinalWorkflow, type WorkflowStatus } from "../workflow/run.ts";
import { CALLBACK_OVER, findCallback, readCallback } from "./workflow/callback-report.ts";
import { createWorkflow, findEarlierAnswer, findRecordedAnswer, forgetWorkflow } from "./workflow/create-workflow.ts";
import { EndWaiters } from "./workflow/end-waiters.ts";
import { forgetEnded } from "./workflow/forget-ended.ts";
import { claimKey, holdsClaim } from "./workflow/key-claims.ts";
import { LiveFeed } from "./workflow/streams/live-feed.ts";
import { ReserveDesk } from "./workflow/reserve-desk.ts";
import { StreamKeys } from "./workflow/streams/stream-keys.ts";
import { WorkflowOutbox } from "./workflow/outbox/workflow-outbox.ts";
import { listTasks, readCheckpoint, readEvents, readLedger, readOutputs } from "./workflow/workflow-reads.ts";
import type { Applied } from "./workflow/workflow-change.ts";
import { WorkflowMemory } from "./workflow/workflow-memory.ts";
import type { SessionDeps, WorkflowSession } from "./workflow/workflow-session.ts";
import { WorkflowStore } from "./workflow/stores/workflow-store.ts";
import { viewTask, viewWorkflow } from "./workflow/workflow-view.ts";

/** When the alarm comes again after it failed, or comes for what could not be sent or copied. */
const ALARM_RETRY_MS = 5_000;

/** One workflow: its DAG, event log and calls. Wiring only: the core decides, the session saves, the outbox sends. */
export class WorkflowObject extends DurableObject<Env> implements WorkflowPort, AttemptPort, LeaseHolderPort {
  readonly #store: WorkflowStore;
  readonly #deps: ObjectDeps;
  readonly #sessionDeps: ObjectDeps & SessionDeps;
  readonly #feed: LiveFeed;
  readonly #outbox: WorkflowOutbox;
  readonly #waiters = new EndWaiters();
  readonly #desk = new ReserveDesk((calls) => this.#memory.alone(() => this.#memory.commit((session) => session.reserve(calls))));
  readonly #memory: WorkflowMemory;
  #creating: Promise<unknown> = Promise.resolve();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new WorkflowStore(ctx.storage);
    this.#deps = createObjectDeps(env, ctx.exports);
    if (!this.#deps.areSettingsFresh()) void ctx.blockConcurrencyWhile(() => this.#deps.refreshSettings());
    const keys = new StreamKeys({
      now: this.#deps.now,
      isInForce: async (keyId) => {
        const session = this.#memory.load();
        return session === null || this.#deps.tenant(session.identity.tenant).noteKeyUse(keyId, this.#deps.now());
      },
      onFault: (error) => this.#deps.log({ event: "key.note_failed", message: String(error) }),
    });
    this.#feed = new LiveFeed({
      readEvents: (after, limit) => (this.#memory.load() === null ? [] : this.#store.steps.readEvents(after, limit)),
      readEnd: () => ({ lastSeq: this.#memory.load()?.lastSeq ?? 0, isFinal: this.#memory.load()?.isFinal ?? true }),
      sync: () => ctx.storage.sync(),
      sockets: () => ctx.getWebSockets(),
      hibernate: (socket) => ctx.acceptWebSocket(socket),
      isInForce: (keyId) => keys.isInForce(keyId),
    });
    this.#sessionDeps = { ...this.#deps, dispatchSettings: () => this.#outbox.dispatchSettings };
    this.#memory = new WorkflowMemory(this.#store, this.#sessionDeps, {
      // This moves the alarm, which may have stood behind the index.
      restored: (session) => this.#outbox.armForRest(session, this.#outbox.tenant.alarmBehindIndex()),
      send: (session, applied) => this.#send(session, applied),
      forgotten: (error) => this.#desk.fail(error),
      armSoon: () => {
        this.#outbox.tenant.doubtIndex();
        this.#outbox.armBy(this.#deps.now() + ALARM_RETRY_MS);
      },
    });
    this.#outbox = new WorkflowOutbox(this.#deps, ctx, this.#store, {
      session: () => this.#memory.load(),
      report: (reports) => this.#memory.alone(() => this.#memory.applyReports(reports)),
      reserve: (call) => this.reserve(call),
      apply: (input) => this.#memory.alone(() => this.#memory.apply(input)),
      plan: (made, reason) => this.#memory.alone(() => this.#memory.commit((session) => session.applyPlan(made, reason))),
      lose: (refs) => this.#memory.alone(() => this.#memory.apply({ type: "lose", refs: this.#memory.keepOwn(refs) })),
      runInline: (refs) => this.#memory.alone(() => this.#memory.commit((session) => session.runInline(refs))),
      ended: (createdAt) => this.#waiters.wake(createdAt),
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

  async claimKey(claim: KeyClaim): Promise<KeyClaimAnswer> {
    if (this.#memory.load() !== null) return KEY_IS_TAKEN;
    const { answer, at } = claimKey(this.#store, claim, this.#deps.now());
    if (at !== null) {
      await this.ctx.storage.setAlarm(at);
      // Who removes the tenant looks into the objects that its index knows of. If that fails, the alarm comes all the same.
      this.ctx.waitUntil(this.#deps.tenant(claim.tenant).removeWorkflow(claim.keeperId).catch(() => undefined));
    }
    return answer;
  }

  async releaseKey(idempotency: { key: string; bodyHash: string }): Promise<void> {
    if (this.#memory.load() === null && holdsClaim(this.#store, idempotency)) await this.#store.clear();
  }

  async exists(): Promise<boolean> {
    return this.#memory.load() !== null;
  }

  async read(options: ReadOptions): Promise<WorkflowView | Problem> {
    const asked = this.#memory.load();
    if (asked === null) return notFound();
    if (options.waitMs > 0 && !asked.isFinal) await this.#waiters.wait(asked.run.state.createdAt, options.waitMs);
    const session = this.#memory.load();
    return session === null ? notFound() : viewWorkflow(session, options.withTasks);
  }

  async readTask(taskId: string): Promise<TaskView | Problem> {
    const session = this.#memory.load();
    const task = session?.taskNumbers.get(taskId);
    if (session === null || task === undefined) return notFound(`There is no task ${taskId} in this workflow.`);
    return viewTask(session, task);
  }

  async listTasks(options: { status: string | null; limit: number; cursor: string | null }): Promise<Page<TaskView> | Problem> {
    const session = this.#memory.load();
    return session === null ? notFound() : listTasks(session, options);
  }

  async command(command: "pause" | "resume" | "cancel"): Promise<{ status: WorkflowStatus } | Problem> {
    this.#outbox.refill();
    const session = this.#memory.load();
    if (session === null) return notFound();
    const { status } = session.run.state;
    if (command === "cancel" && status === "cancelled") return { status };
    if (isFinalWorkflow(status)) return { problem: "conflict", detail: `The workflow is ${status} already and cannot be ${command === "cancel" ? "cancelled" : `${command}d`}.` };
    this.#memory.apply({ type: command });
    return { status: session.run.state.status };
  }

  async retryTask(taskId: string): Promise<{ status: WorkflowStatus } | Problem> {
    this.#outbox.refill();
    const session = this.#memory.load();
    const task = session?.taskNumbers.get(taskId);
    if (session === null || task === undefined) return notFound(`There is no task ${taskId} in this workflow.`);
    if (!canRetryTask(session.run, task)) {
      return { problem: "conflict", detail: `Only a failed task of a failed or running workflow can be retried; this task is ${session.run.tasks[task]!.status}, its workflow ${session.run.state.status}.` };
    }
    this.#memory.apply({ type: "retryTask", task });
    return { status: session.run.state.status };
  }

  async readCheckpoint(from: readonly string[] | null): Promise<Checkpoint | Problem> {
    const session = this.#memory.load();
    return session === null ? notFound() : readCheckpoint(session, from);
  }

  async readEvents(options: { after: number; limit: number }): Promise<Page<LoggedEvent> | Problem> {
    const session = this.#memory.load();
    return session === null ? notFound() : readEvents(session, options);
  }

  async readLedger(options: { limit: number; cursor: string | null }): Promise<Page<LedgerLine> | Problem> {
    const session = this.#memory.load();
    return session === null ? notFound() : readLedger(session, options);
  }

  async awaitsCallback(secret: string): Promise<boolean> {
    const session = this.#memory.load();
    const ref = session === null ? null : findCallback(session, secret);
    return session !== null && ref !== null && session.isLive(ref);
  }

  async acceptCallback(secret: string, body: Json): Promise<{ accepted: true } | Problem> {
    this.#outbox.refill();
    const session = this.#memory.load();
    const read = session === null ? notFound("This callback token is unknown.") : readCallback(session, secret, body, this.#deps.now());
    if ("problem" in read) return read;
    return this.#memory.applyReports([read.report]).accepted.length > 0 ? { accepted: true } : CALLBACK_OVER;
  }

  async remove(): Promise<{ removed: true } | Problem> {
    const session = this.#memory.load();
    if (session === null) return notFound();
    if (!session.isFinal) return { problem: "conflict", detail: `The workflow is ${session.run.state.status}: cancel it before you delete it.` };
    if (await this.#forgetEnded(session)) return { removed: true };
    return { problem: "conflict", detail: "The workflow was retried meanwhile: cancel it before you delete it." };
  }

  async purge(): Promise<void> {
    this.#memory.forget(new Error("the workflow was removed"));
    this.#outbox.abandon();
    await this.#store.clear();
    this.#feed.close("the workflow was deleted");
    this.#waiters.wakeAll();
  }

  async claim(refs: AttemptRef[]): Promise<WorkOrder[]> {
    this.#outbox.refill();
    if (this.#memory.load() === null) return [];
    const orders: WorkOrder[] = [];
    this.#memory.commit((session) => session.claim(refs, orders));
    return orders;
  }

  async renew(refs: AttemptRef[]): Promise<AttemptRef[]> {
    return this.#memory.load() === null ? [] : this.#memory.apply({ type: "renew", refs: this.#memory.keepOwn(refs) }).accepted;
  }

  async report(reports: Report[]): Promise<void> {
    this.#outbox.refill();
    if (this.#memory.load() !== null) this.#memory.applyReports(reports);
  }

  async reserve(call: ReserveCall): Promise<ReserveAnswer> {
    this.#outbox.refill();
    const session = this.#memory.load();
    return session === null || this.#memory.keepOwn([call]).length === 0 ? { kind: "gone" } : this.#desk.ask(call, session.run.index.live.size <= 1);
  }

  /** Gives back what is leased of the tenant's budget and not needed now; null when this workflow is not here. */
  async trimLease(createdAt: number, day: number): Promise<DaySpend[] | null> {
    const session = this.#memory.load();
    if (session === null || session.run.state.createdAt !== createdAt) return null;
    this.#memory.apply({ type: "trim" });
    return session.listSpend().filter((spend) => spend.day <= day);
  }

  async readStarts(createdAt: number): Promise<StartsTold | null> {
    const session = this.#memory.load();
    return session === null || session.run.state.createdAt !== createdAt ? null : this.#outbox.tenant.describeStarts(session);
  }

  async deadLetter(refs: AttemptRef[]): Promise<void> {
    this.#outbox.refill();
    if (this.#memory.load() !== null) this.#memory.apply({ type: "deadLetter", refs });
  }

  async publishDeltas(deltas: TaskDelta[]): Promise<void> {
    const session = this.#memory.load();
    if (session === null || this.#feed.size === 0) return;
    const at = new Date(this.#deps.now()).toISOString();
    for (const { task, attempt, text } of this.#memory.keepOwn(deltas)) {
      if (!session.isLive({ task, attempt })) continue;
      this.#feed.publish({ type: "task.delta", taskId: session.run.plan.tasks[task]!.id, at, data: { text, attempt } });
    }
  }

  async readOutputs(taskIds: string[]): Promise<{ taskId: string; json: string }[]> {
    const session = this.#memory.load();
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
      this.#memory.forget(error);
      await this.ctx.storage.setAlarm(this.#deps.now() + ALARM_RETRY_MS);
    }
  }

  override async fetch(request: Request): Promise<Response> {
    return this.#memory.load() === null ? new Response(null, { status: 404 }) : this.#feed.open(request);
  }

  override async webSocketMessage(): Promise<void> {
    // Sockets only listen; what a client sends is ignored.
  }

  async #doWhatIsDue(): Promise<void> {
    // One that takes outputs over looks like nothing until it is done.
    await this.#creating;
    const session = this.#memory.load();
    const now = this.#deps.now();
    if (session === null) return forgetWorkflow(this.ctx.storage, this.#store, now);
    if (this.#outbox.isRetentionOver(session, now) && (await this.#forgetEnded(session))) return;
    this.#outbox.disarm();
    if (!session.isFinal || session.hasOpenBooks) this.#memory.apply({ type: "tick" });
    await this.#outbox.tenant.updateIndex();
    // By now it may have been deleted, or read again.
    const current = this.#memory.load();
    if (current === null) return;
    // Its end may be one that could not be told when it came.
    if (current.isFinal) this.#waiters.wakeAll();
    this.#outbox.deliverWebhooks(current);
    this.#outbox.armForRest(current);
  }

  async #create(request: CreateRequest): Promise<CreateAnswer | { ended: Promise<void> }> {
    const earlier = findEarlierAnswer(this.#store, this.#memory.load(), request, this.#deps.now());
    if (earlier !== null) return earlier;
    // A copy that is cut off is no workflow: the alarm clears it away.
    if (request.rerunOf !== null) this.#outbox.armBy(this.#deps.now() + ALARM_RETRY_MS);
    let created: Awaited<ReturnType<typeof createWorkflow>> | null = null;
    try {
      created = await createWorkflow(this.#store, request, this.#sessionDeps);
    } finally {
      // What was copied for it belongs to nothing.
      if (request.rerunOf !== null && (created === null || "problem" in created)) await forgetWorkflow(this.ctx.storage, this.#store, this.#deps.now());
    }
    if ("problem" in created) return created;
    const { session, applied, workflow } = created;
    this.#memory.take(session);
    this.#outbox.reset();
    const waitMs = request.answer?.waitMs ?? 0;
    const ended = waitMs === 0 ? Promise.resolve() : this.#waiters.wait(session.run.state.createdAt, waitMs);
    // Where the tenant's limits could not be read, the workflow hears of them when it tells that it has begun.
    if (waitMs > 0 && request.isLimited !== undefined) this.#outbox.tenant.holdEntry(waitMs);
    this.#memory.send(session, applied);
    return request.answer === undefined ? { kind: "created", workflow: workflow! } : { ended };
  }

  #send(session: WorkflowSession, applied: Applied): void {
    // First what is here already, and cannot fail: no alarm brings it back.
    this.#desk.answer(applied.replies);
    if (applied.events.length > 0) void this.#feed.announce();
    this.#outbox.send(session, applied);
  }

  #forgetEnded(ended: WorkflowSession): Promise<boolean> {
    // It is over, so whoever still waits for the index to know is answered while there is an answer.
    if (ended.isFinal) this.#waiters.wakeAll();
    return forgetEnded(ended, {
      session: () => this.#memory.load(),
      apply: (input) => this.#memory.apply(input),
      tenant: this.#deps.tenant,
      link: this.#outbox.tenant,
      empty: () => {
        this.#feed.close("the workflow was deleted");
        this.#memory.forget(new Error("the workflow was deleted"));
        this.#outbox.disarm();
        return forgetWorkflow(this.ctx.storage, this.#store, this.#deps.now());
      },
    });
  }
}

function notFound(detail = "There is no such workflow."): Problem {
  return { problem: "not_found", detail };
}

