import type { WorkflowEnding } from "../../../api/ports/stats-port.ts";
import type { StartsTold } from "../../../api/ports/tenant-port.ts";
import type { ObjectDeps } from "../../../deps.ts";
import { tellStarts } from "../../../workflow/starts/ask-starts.ts";
import type { LeaseAnswer, LeaseRequest } from "../../../workflow/budget/reserve-port.ts";
import type { StartsQuestion, StartsReply } from "../../../workflow/starts/starts-known.ts";
import type { RunInput } from "../../../workflow/transition.ts";
import { describeEnding } from "./describe-ending.ts";
import type { WorkflowSession } from "../workflow-session.ts";
import type { WorkflowStore } from "../stores/workflow-store.ts";
import { viewSummary } from "../workflow-view.ts";

/** How long whoever waits for the end is kept for the index, so that a list asked for next shows it. */
const INDEX_PATIENCE_MS = 500;
/** How long the entry of a workflow is held back whose creator waits for its end: most short ones are told once then, not twice. */
const HOLD_MS = 100;
/** How long calls gather before the tenant is told of them, where nothing else is to be told. */
const NEWS_DELAY_MS = 5_000;
/** How old the progress in a list may be: this share of the workflow's age, and a minute at most. */
const PROGRESS_SHARE = 0.1;
const MAX_PROGRESS_DELAY_MS = 60_000;
/** When the index is told again after a failure; also how late a lost update can be. */
const INDEX_RETRY_MS = 10_000;

interface LinkedObject {
  session: () => WorkflowSession | null;
  /** A step that nobody waits for. */
  apply: (input: RunInput) => void;
  /** The workflow that was made then (Unix ms) is final, and the tenant's index knows. */
  ended: (createdAt: number) => void;
  /** Has the alarm come by then. */
  armBy: (time: number) => void;
  /** Moves the alarm of an ended workflow behind everything that is over. */
  armBehindEnd: (session: WorkflowSession) => void;
}

/** What a workflow tells its tenant (its entry in the index, its calls, its spending) and asks it for (budget, starts). */
export class TenantLink {
  readonly #deps: ObjectDeps;
  readonly #store: WorkflowStore;
  readonly #object: LinkedObject;
  #indexing: Promise<void> | null = null;
  /** Whether the index may not know how the workflow stands; a new memory cannot know. */
  #isIndexBehind = true;
  /** When the tenant was told last, and is to be told again of what is no event of the workflow itself. */
  #toldAt = 0;
  #nextTelling: { at: number; timer: ReturnType<typeof setTimeout> } | null = null;
  /** Whether the index was told of this workflow since this memory began. */
  #wasIndexed = false;
  /** The seq of the newest event when the tenant was last told how the workflow went. */
  #endingToldAt: number | null = null;
  #startsRevision = 0;
  /** The entry of a new workflow is not told before then, unless the workflow ends. */
  #heldUntil = 0;

  constructor(deps: ObjectDeps, store: WorkflowStore, object: LinkedObject) {
    this.#deps = deps;
    this.#store = store;
    this.#object = object;
  }

  /** Forgets what the index knows: the workflow that lived here is gone. */
  reset(): void {
    this.#isIndexBehind = true;
    this.#wasIndexed = false;
    this.#endingToldAt = null;
    this.#toldAt = 0;
    this.#heldUntil = 0;
    this.#cancelTelling();
  }

  /** Whoever made the workflow waits for its end, for so long at most, and looks into no list before. */
  holdEntry(waitMs: number): void {
    // Progress and calls wait for it, too.
    this.#toldAt = this.#deps.now();
    this.#heldUntil = this.#toldAt + Math.min(waitMs, HOLD_MS);
  }

  /** What a step decided could not be sent: the index may not have heard of it. */
  doubtIndex(): void {
    this.#isIndexBehind = true;
  }

  /** Until the index knows of the workflow at all, an alarm stands behind it; later the cron sweep finds an entry that stayed behind. */
  alarmBehindIndex(): number {
    return this.#wasIndexed ? Infinity : this.#deps.now() + INDEX_RETRY_MS;
  }

  planIndex(session: WorkflowSession): void {
    this.#isIndexBehind = true;
    this.#cancelTelling();
    const { createdAt } = session.run.state;
    const heldUntil = this.#heldUntil;
    // Only how it began is held: what comes next was asked for by somebody else, who may look.
    this.#heldUntil = 0;
    if (!session.isFinal) {
      if (this.#deps.now() < heldUntil) this.#tellBy(heldUntil);
      else void this.updateIndex();
      return;
    }
    // By then it may have been retried, and whoever waits does so for another end.
    const end = (): void => {
      if (session.isFinal) this.#object.ended(createdAt);
    };
    const patience = setTimeout(end, INDEX_PATIENCE_MS);
    const isFirst = !this.#wasIndexed;
    void this.updateIndex().then(() => {
      clearTimeout(patience);
      end();
      // After the answers: they would wait for the disk.
      if (isFirst) setTimeout(() => this.#leaveAlarm(session), 0);
    });
  }

  /** The alarm that stood behind the index is not needed any more. */
  #leaveAlarm(session: WorkflowSession): void {
    if (this.#wasIndexed && session.isFinal && this.#object.session() === session) this.#object.armBehindEnd(session);
  }

  /** Calls of late reports, which nothing follows, are told by an alarm; those of a running workflow at the latest when it ends. */
  planNews(session: WorkflowSession): void {
    if (!session.isFinal) return this.#tellBy(this.#toldAt + NEWS_DELAY_MS);
    this.#isIndexBehind = true;
    this.#object.armBy(this.#deps.now() + NEWS_DELAY_MS);
  }

  /** How far a running workflow has come, which lists show: the longer it runs, the less often. */
  planProgress(session: WorkflowSession): void {
    if (session.isFinal) return;
    const ageMs = this.#deps.now() - session.run.state.createdAt;
    this.#tellBy(this.#toldAt + Math.min(Math.max(ageMs * PROGRESS_SHARE, NEWS_DELAY_MS), MAX_PROGRESS_DELAY_MS));
  }

  #tellBy(at: number): void {
    const now = this.#deps.now();
    const { at: plannedAt } = this.#nextTelling ?? { at: Infinity };
    if (plannedAt <= at && plannedAt > now) return;
    this.#cancelTelling();
    const tell = (): void => {
      this.#nextTelling = null;
      this.#isIndexBehind = true;
      void this.updateIndex();
    };
    const delayMs = Math.min(at, plannedAt) - now;
    // Where little happens it is told at once: a timer would keep the object awake.
    if (delayMs <= 0) tell();
    else this.#nextTelling = { at: now + delayMs, timer: setTimeout(tell, delayMs) };
  }

  #cancelTelling(): void {
    if (this.#nextTelling !== null) clearTimeout(this.#nextTelling.timer);
    this.#nextTelling = null;
  }

  /** Asks the tenant for more of its budget. Whatever happens, the core hears of it, and asks again where that helps. */
  async askForLease(session: WorkflowSession, request: LeaseRequest): Promise<void> {
    const { identity, run } = session;
    const { day, revision, ...amounts } = request;
    let answer: LeaseAnswer = { kind: "failed" };
    try {
      answer = await this.#deps.tenant(identity.tenant).leaseBudget({ holder: { id: identity.workflowId, createdAt: run.state.createdAt }, day, revision, ...amounts });
    } catch (error) {
      this.#deps.log({ event: "lease.failed", workflowId: identity.workflowId, message: String(error) });
    }
    if (this.#object.session() === session) this.#object.apply({ type: "lease", day, revision, answer });
  }

  /** Asks the tenant whether attempts may start. The answer may take a while; the core counts on the one to its newest question only. */
  async askForStarts(session: WorkflowSession, { number, demand, patienceMs }: StartsQuestion): Promise<void> {
    const { identity, run } = session;
    let reply: StartsReply = { kind: "failed" };
    try {
      reply = await this.#deps.tenant(identity.tenant).leaseStarts({ holder: { id: identity.workflowId, createdAt: run.state.createdAt }, revision: this.#nextStartsRevision(), demand, patienceMs });
    } catch (error) {
      this.#deps.log({ event: "lease.failed", workflowId: identity.workflowId, message: String(error) });
    }
    // An older question is answered when a newer one takes its place; a step for it would do nothing.
    if (this.#object.session() === session && run.starts.asked?.number === number) this.#object.apply({ type: "starts", number, reply });
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
    this.#toldAt = this.#deps.now();
    const cells = this.#store.stats.readUnsent();
    // What an ended workflow has leased and not spent goes back to the tenant.
    if (session.isFinal && session.hasSpend) this.#object.apply({ type: "trim" });
    const spend = session.hasSpend ? session.listSpend() : undefined;
    const starts = session.isFinal && session.run.state.isLimited ? { starts: this.describeStarts(session) } : {};
    const ending = this.#untoldEnding(session);
    const { isLimited } = await this.#deps.tenant(session.identity.tenant).indexWorkflow({ summary: viewSummary(session), version: session.lastSeq, cells, ...(spend === undefined ? {} : { spend }), ...starts, ...ending });
    // In the meantime it may have been removed, with its tables.
    if (this.#object.session() !== session) return;
    if (ending.ending !== undefined) this.#endingToldAt = ending.ending.revision;
    if (cells.length > 0) this.#store.transaction(() => this.#store.stats.markSent(cells));
    if (isLimited !== session.run.state.isLimited && !session.isFinal) this.#object.apply({ type: "limits", isLimited });
  }

  /** How an ended workflow went, until the tenant knows: finding it out looks at every task. Of calls of models alone there is something to learn. */
  #untoldEnding(session: WorkflowSession): { ending?: WorkflowEnding } {
    return session.isFinal && session.hasModelTasks && this.#endingToldAt !== session.lastSeq ? { ending: describeEnding(session) } : {};
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
        const session = this.#object.session();
        if (session === null) return;
        workflowId = session.identity.workflowId;
        this.#isIndexBehind = false;
        await this.#tellTenant(session);
        this.#wasIndexed = true;
      }
    } catch (error) {
      this.#isIndexBehind = true;
      this.#deps.log({ event: "index.failed", workflowId, message: String(error) });
      this.#object.armBy(this.#deps.now() + INDEX_RETRY_MS);
    }
  }
}
