import type { AttemptRef } from "../../src/consumer/work-order.ts";
import { nameCall } from "../../src/workflow/budget/reservations.ts";
import type { LeaseRequest, ReserveAnswer, ReserveRequest } from "../../src/workflow/budget/reserve-port.ts";
import type { DaySpend } from "../../src/workflow/budget/tenant-account.ts";
import { createBudgetState } from "../../src/workflow/budget/budget-state.ts";
import type { Run, RunPlan, RunState } from "../../src/workflow/run.ts";
import { createTaskState } from "../../src/workflow/run.ts";
import type { StartsQuestion } from "../../src/workflow/starts/starts-known.ts";
import type { Abilities, AttemptResult, Dispatch, Step } from "../../src/workflow/step.ts";
import type { RunInput } from "../../src/workflow/transition.ts";
import type { Before } from "./check-step.ts";
import type { Core } from "./core.ts";
import type { Oracle } from "./oracle.ts";
import type { Store } from "./store.ts";

/** A call did not come back: the object died under it, or the network lost a part of it. Whether it took effect is unknown to the caller. */
export class CallLost extends Error {}

export interface ObjectPorts {
  core: Core;
  plan: RunPlan;
  store: Store;
  oracle: Oracle;
  abilities: Abilities;
  clock: () => number;
  /** Whether the object dies at this point. */
  dies: () => boolean;
  /** What the object itself can say of an attempt that begins: a transform's result, or that the input cannot be made. */
  settleAtOnce: (ref: AttemptRef) => AttemptResult | null;
  send: (dispatch: Dispatch) => void;
  askForLease: (request: LeaseRequest) => void;
  /** An input took effect. */
  noteCommitted: (input: RunInput) => void;
  /** A task's failure was seen from outside. */
  noticeFailure: (task: number) => void;
  /** The tenant has limits of tasks. */
  isLimited: boolean;
  askForStarts: (question: StartsQuestion) => void;
  /** Sees the run after what was decided is saved. */
  seeRun: (run: Run) => void;
  /** Tells the alarm that the armed time changed. */
  armAlarm: () => void;
}

/** The shell around the core, as the real object does it: load, step, save in one transaction, act. It can die between any two of these. */
export class SimulatedObject {
  readonly #ports: ObjectPorts;
  #memory: { run: Run; lastSeq: number } | null = null;
  /** Callers who wait for the answer to a reserve, by the call's name. */
  readonly #callers = new Map<string, ((answer: ReserveAnswer | "lost") => void)[]>();
  /** Counts the object's lives: calls that it made itself end with the life they were made in. */
  life = 0;

  constructor(ports: ObjectPorts) {
    this.#ports = ports;
  }

  kill(): void {
    this.#memory = null;
    this.life += 1;
    for (const name of [...this.#callers.keys()]) this.#answer(name, "lost");
  }

  /** Reserves that nobody has answered yet. */
  get waitingCallers(): number {
    return this.#callers.size;
  }

  /** Creates the workflow, unless it was created by a call whose answer was lost. */
  create(reused: readonly { task: number; outputBytes: number }[]): void {
    const { store, plan, clock, core } = this.#ports;
    if (store.isCreated) return;
    const state: RunState = { status: "pending", createdAt: clock(), startedAt: null, finishedAt: null, deadlineAt: null, isFailing: false, error: null, budget: createBudgetState(), isLimited: this.#ports.isLimited };
    this.#memory = { run: core.restoreRun(plan, state, plan.tasks.map(createTaskState)), lastSeq: 0 };
    this.#perform({ type: "create", reused });
  }

  /** One call of the object. Answers the accepted attempts; throws `CallLost` if the object dies under it. */
  call(input: RunInput): AttemptRef[] {
    this.#load();
    return this.#perform(input);
  }

  /** Keeps the caller until a step answers the request, or the object dies. */
  reserve(request: ReserveRequest, hear: (answer: ReserveAnswer | "lost") => void): void {
    const name = nameCall(request);
    this.#callers.set(name, [...(this.#callers.get(name) ?? []), hear]);
    try {
      this.call({ type: "reserve", requests: [request] });
    } catch (error) {
      if (!(error instanceof CallLost)) throw error;
    }
  }

  /** Gives back what is leased and not needed, and tells how the spending stands. */
  trim(): DaySpend[] {
    this.call({ type: "trim" });
    return this.tellSpend();
  }

  /** How the spending stands, under a new revision. */
  tellSpend(): DaySpend[] {
    this.#load();
    const { state, ledger } = this.#memory!.run;
    state.budget.revision += 1;
    this.#ports.store.saveState(state);
    const { revision } = state.budget;
    return [...ledger.days].map(([day, { spentNanoUsd, reservedNanoUsd, leasedNanoUsd }]) => ({ day, spentNanoUsd, leasedNanoUsd: leasedNanoUsd ?? spentNanoUsd + reservedNanoUsd, revision }));
  }

  #answer(name: string, answer: ReserveAnswer | "lost"): void {
    const callers = this.#callers.get(name) ?? [];
    this.#callers.delete(name);
    for (const hear of callers) hear(answer);
  }

  #load(): void {
    if (this.#memory !== null) return;
    const { store, plan, clock, core, abilities, oracle, armAlarm } = this.#ports;
    const run = core.restoreRun(plan, store.readState(), store.readTasks(), store.books.read());
    oracle.seeRestored(run, store);
    // Renewals are not saved, so every claimed attempt gets one lease to be heard of again.
    for (const task of run.tasks) if (task.status === "running" && task.channel === "queue") task.leaseUntil = clock() + abilities.settings.leaseMs;
    this.#memory = { run, lastSeq: store.readLastSeq() };
    store.armedAt = core.nextWakeAt(run, abilities.settings.timeoutGraceMs);
    armAlarm();
    const orphans = run.tasks.flatMap(({ status, channel, attempt }, task) => (status === "running" && (channel === "object" || channel === "direct") ? [{ task, attempt }] : []));
    if (orphans.length > 0) this.#perform({ type: "lose", refs: orphans });
  }

  #perform(input: RunInput): AttemptRef[] {
    this.#mayDie();
    const changes = [this.#step(input)];
    const settled = new Set<string>();
    for (const { input: { type }, step } of changes) {
      const begun = step.dispatches.filter(({ channel }) => channel !== "queue");
      const reports = [...begun, ...(type === "claim" ? step.accepted : [])].flatMap(({ task, attempt }) => {
        const result = this.#ports.settleAtOnce({ task, attempt });
        return result === null ? [] : [{ task, attempt, result }];
      });
      reports.forEach((report) => settled.add(nameOf(report)));
      if (reports.length > 0) changes.push(this.#step({ type: "report", reports }));
    }
    this.#mayDie();
    this.#commit(changes);
    // The last word is what the tenant is told.
    const question = changes.findLast(({ step }) => step.startsQuestion !== null)?.step.startsQuestion;
    if (question != null) this.#ports.askForStarts(question);
    for (const dispatch of changes.flatMap(({ step }) => step.dispatches)) {
      if (settled.has(nameOf(dispatch))) continue;
      this.#mayDie();
      this.#ports.send(dispatch);
    }
    for (const { step } of changes) {
      for (const { ref, answer } of step.replies) this.#answer(nameCall(ref), answer);
      if (step.leaseRequest === null) continue;
      this.#mayDie();
      this.#ports.askForLease(step.leaseRequest);
    }
    this.#mayDie();
    return changes[0]!.step.accepted.filter((ref) => !settled.has(nameOf(ref)) || input.type !== "claim");
  }

  #step(input: RunInput): { input: RunInput; before: Before; step: Step } {
    const { run } = this.#memory!;
    const { core, clock, abilities, oracle } = this.#ports;
    return { input, ...oracle.watchStep(run, input, () => core.transition(run, input, clock(), abilities)) };
  }

  /** After a tick the alarm is armed anew; any other step only ever brings it forward. */
  #commit(changes: readonly { input: RunInput; before: Before; step: Step }[]): void {
    const memory = this.#memory!;
    const { store, oracle, armAlarm, noticeFailure, noteCommitted } = this.#ports;
    const armedBefore = changes[0]!.input.type === "tick" ? Infinity : store.armedAt;
    const armedAt = Math.min(armedBefore, ...changes.map(({ step }) => step.wakeBy));
    const isArmedAnew = armedAt !== store.armedAt;
    const events = store.save(changes.map(({ step }) => step), memory.lastSeq + 1, armedAt);
    memory.lastSeq += events.length;
    for (const { input } of changes) noteCommitted(input);
    oracle.seeCommit(changes, events, store);
    this.#ports.seeRun(memory.run);
    if (isArmedAnew) armAlarm();
    for (const { step } of changes) for (const task of step.touched) if (step.run.tasks[task]!.status === "failed") noticeFailure(task);
  }

  #mayDie(): void {
    if (!this.#ports.dies()) return;
    this.kill();
    throw new CallLost("the object died");
  }
}

function nameOf(ref: AttemptRef): string {
  return `${ref.task}#${ref.attempt}`;
}
