import type { AttemptRef, Report } from "../../consumer/work-order.ts";
import type { ObjectDeps } from "../../deps.ts";
import type { RunInput } from "../../workflow/transition.ts";
import type { WorkflowStore } from "./stores/workflow-store.ts";
import type { Applied } from "./workflow-change.ts";
import { type SessionDeps, WorkflowSession } from "./workflow-session.ts";

interface MemoryVerbs {
  /** A workflow that is not over was read again, before anything is done with it. */
  restored: (session: WorkflowSession) => void;
  /** Sends what a saved step decided. */
  send: (session: WorkflowSession, applied: Applied) => void;
  /** The memory was thrown away, for this reason. */
  forgotten: (error: unknown) => void;
  /** Has the alarm come soon: what is stored was not sent. */
  armSoon: () => void;
}

/** The workflow in an object's memory: read when it is needed, changed by steps that are saved as a whole, and thrown away when one could not be. */
export class WorkflowMemory {
  readonly #store: WorkflowStore;
  readonly #deps: Pick<ObjectDeps, "log"> & SessionDeps;
  readonly #verbs: MemoryVerbs;
  #session: WorkflowSession | null = null;

  constructor(store: WorkflowStore, deps: Pick<ObjectDeps, "log"> & SessionDeps, verbs: MemoryVerbs) {
    this.#store = store;
    this.#deps = deps;
    this.#verbs = verbs;
  }

  /** The workflow, null when there is none; after an eviction it is read again, and calls that died with the former memory are repeated at once. */
  load(): WorkflowSession | null {
    if (this.#session !== null) return this.#session;
    const session = WorkflowSession.load(this.#store, this.#deps);
    this.#session = session;
    if (session === null || session.isFinal) return session;
    try {
      session.refreshLeases();
      this.#verbs.restored(session);
      const refs = session.findOrphans();
      if (refs.length > 0) this.apply({ type: "lose", refs });
    } catch (error) {
      // Kept, its dead calls would count as alive.
      this.forget(error);
      throw error;
    }
    // Null would say that nothing is stored, and what nobody owns is deleted.
    if (this.#session === null) throw new Error("the workflow was thrown away while it was brought back");
    return this.#session;
  }

  /** Takes in a workflow that was made just now. */
  take(session: WorkflowSession): void {
    this.#session = session;
  }

  /** Sends what a saved step decided. Should that fail, the step counts all the same: the alarm reads what is stored, and brings back what was not sent. */
  send(session: WorkflowSession, applied: Applied): void {
    try {
      this.#verbs.send(session, applied);
    } catch (error) {
      this.#deps.log({ event: "send.failed", workflowId: session.identity.workflowId, message: String(error) });
      this.forget(error);
      this.#verbs.armSoon();
    }
  }

  apply(input: RunInput): Applied {
    return this.commit((session) => session.apply(input));
  }

  applyReports(reports: readonly Report[]): Applied {
    return this.commit((session) => session.applyReports(this.keepOwn(reports)));
  }

  /** A step that could not be saved leaves a run in memory that the store does not know: it is thrown away. */
  commit(work: (session: WorkflowSession) => Applied): Applied {
    const session = this.load();
    if (session === null) throw new Error("there is no workflow in this object");
    let applied: Applied;
    try {
      applied = work(session);
    } catch (error) {
      this.forget(error);
      throw error;
    }
    this.send(session, applied);
    return applied;
  }

  /** A step that nobody waits for: if it fails it is logged, the run is read again, and the attempts whose outcome was lost with it are repeated. */
  alone(work: () => void): void {
    const workflowId = this.#session?.identity.workflowId;
    try {
      if (this.load() !== null) work();
    } catch (error) {
      this.#deps.log({ event: "report.failed", workflowId, message: String(error) });
      this.forget(error);
    }
  }

  /** Without attempts of a workflow that had this id before: what they did was settled when it was deleted. */
  keepOwn<Ref extends AttemptRef>(refs: readonly Ref[]): Ref[] {
    const createdAt = this.load()?.run.state.createdAt;
    return refs.filter(({ workflowCreatedAt }) => workflowCreatedAt === undefined || workflowCreatedAt === createdAt);
  }

  forget(error: unknown): void {
    this.#session = null;
    this.#verbs.forgotten(error);
  }
}
