import { createHash, type Hash } from "node:crypto";
import type { AttemptRef } from "../../src/consumer/work-order.ts";
import type { LoggedEvent } from "../../src/workflow/events.ts";
import { isFinalTask, isFinalWorkflow, isLiveTask, type Run, type RunPlan } from "../../src/workflow/run.ts";
import type { Step } from "../../src/workflow/step.ts";
import { nextWakeAt } from "../../src/workflow/timers.ts";
import type { RunInput } from "../../src/workflow/transition.ts";
import { BookChecks } from "./check-books.ts";
import { checkLeases, checkStoredBooks } from "./check-calls.ts";
import { BudgetStory } from "./budget-story.ts";
import { checkIndex } from "./check-index.ts";
import { checkStep, copyRun, firstDueAt, type Before } from "./check-step.ts";
import { EventStory } from "./event-story.ts";
import { isSameTask } from "./same-task.ts";
import type { Scenario } from "./scenario.ts";
import type { Store } from "./store.ts";
import type { TenantBudget } from "./tenant-budget.ts";
import { mustHold } from "./violation.ts";

/** Every so many commits the books are opened anew from what is stored, which costs as much as there are calls. */
const COMMITS_A_BOOK_CHECK = 8;

/** Watches the object from outside, over all its deaths: what it saw acknowledged has to stay true. */
export class Oracle {
  readonly #scenario: Scenario;
  readonly #plan: RunPlan;
  readonly #story: EventStory;
  readonly #granted = new Set<string>();
  readonly #completed = new Set<number>();
  readonly #hash: Hash = createHash("sha256");
  /** Attempts made before a task was last reopened by hand. */
  readonly #earlierAttempts: number[];
  readonly #account: TenantBudget;
  readonly #books: BookChecks;
  readonly #budgetStory: BudgetStory;
  #commits = 0;
  steps = 0;

  constructor(scenario: Scenario, plan: RunPlan, account: TenantBudget) {
    this.#account = account;
    this.#books = new BookChecks(scenario, account);
    this.#budgetStory = new BudgetStory(plan.cap, scenario.budget?.allowsOverrun ?? false);
    this.#scenario = scenario;
    this.#plan = plan;
    this.#story = new EventStory(plan.tasks.map(({ id }) => id));
    this.#earlierAttempts = plan.tasks.map(() => 0);
  }

  /** Checks one step; to be called around it. */
  watchStep(run: Run, input: RunInput, apply: () => Step): { step: Step; before: Before } {
    const before = copyRun(run);
    const step = apply();
    this.steps += 1;
    checkStep(this.#scenario, before, input, step);
    checkIndex(step.run);
    if (this.#scenario.budget !== null) this.#books.check(before, input, step);
    return { step, before };
  }

  /** Checks what is saved, with the inputs that led to it. */
  seeCommit(changes: readonly { input: RunInput; before: Before; step: Step }[], events: readonly LoggedEvent[], store: Store): void {
    const { run } = changes[0]!.step;
    for (const { input, before, step } of changes) {
      if (input.type === "claim") step.accepted.forEach((ref) => this.#seeGrant(ref));
      if (input.type === "retryTask") this.#seeReopened(before, step);
    }
    for (const event of events) {
      this.#hash.update(JSON.stringify(event));
      this.#story.read(event);
      this.#budgetStory.read(event);
    }
    this.#story.checkAgainst(run);
    this.#checkBooks(run, store);
    this.#checkAttempts(run);
    this.#checkStored(run, store);
    mustHold((run.state.startedAt ?? Infinity) >= (run.plan.startAt ?? -Infinity), "a workflow does not start before startAt", () => `${run.state.startedAt}, not ${run.plan.startAt}`);
    const dueAt = Math.min(nextWakeAt(run, this.#scenario.settings.timeoutGraceMs), firstDueAt(this.#scenario, run));
    mustHold(store.armedAt <= dueAt, "the alarm is armed no later than the next thing is due", () => `armed ${store.armedAt}, due ${dueAt}`);
    run.tasks.forEach((task, id) => {
      if (task.status === "completed") this.#completed.add(id);
    });
    this.#checkCompleted(run);
  }

  /** Checks a run that was read back from the store. */
  seeRestored(run: Run, store: Store): void {
    checkIndex(run);
    this.#commits = 0;
    this.#checkBooks(run, store);
    this.#story.checkAgainst(run);
    this.#checkCompleted(run);
  }

  /** A call of an agent begins, for an attempt that the object handed out in this very instant. */
  seeCall(ref: AttemptRef, store: Store): void {
    const task = store.parsed[ref.task]!;
    mustHold(task.status === "running" && task.attempt === ref.attempt, "no agent is called for an attempt that is not live", () => `${this.#plan.tasks[ref.task]!.id}: ${task.status} ${task.attempt}, called ${ref.attempt}`);
  }

  /** Adds something that is not an event to the run's fingerprint. */
  note(line: string): void {
    this.#hash.update(line);
  }

  fingerprint(): string {
    return this.#hash.digest("hex");
  }

  #checkBooks(run: Run, store: Store): void {
    const { budget } = this.#scenario;
    if (budget === null) return;
    this.#budgetStory.checkAgainst(run);
    if (this.#account.isCapped && !budget.allowsOverrun) checkLeases(run, this.#account);
    if (this.#commits % COMMITS_A_BOOK_CHECK === 0) checkStoredBooks(run, store);
    this.#commits += 1;
  }

  #seeGrant({ task, attempt }: AttemptRef): void {
    const key = `${task}#${attempt}`;
    mustHold(!this.#granted.has(key), "an attempt is granted once", () => key);
    this.#granted.add(key);
  }

  #seeReopened(before: Before, step: Step): void {
    const reopened = [...step.touched].filter((id) => isFinalTask(before.tasks[id]!.status));
    for (const id of reopened) this.#earlierAttempts[id] = before.tasks[id]!.attempt;
    this.#story.reopen(reopened);
  }

  /** Every attempt is accounted for: it failed, was lost, is live, or was the last one. */
  #checkAttempts(run: Run): void {
    run.tasks.forEach((task, id) => {
      const other = task.attempt - this.#earlierAttempts[id]! - task.failures - task.losses;
      const isLast = isLiveTask(task.status) || (task.status === "completed" && !this.#scenario.tasks[id]!.isReused);
      const leastOther = isLast ? 1 : 0;
      const mostOther = isLast || task.status === "cancelled" ? 1 : 0;
      mustHold(other >= leastOther && other <= mostOther, "every attempt is accounted for", () => `${this.#plan.tasks[id]!.id}: ${JSON.stringify(task)}`);
    });
  }

  /** What is saved is what is in memory; only renewals are not saved. */
  #checkStored(run: Run, store: Store): void {
    run.tasks.forEach((task, id) => {
      const saved = store.parsed[id]!;
      const isRenewed = task.status === "running" && task.leaseUntil !== saved.leaseUntil;
      const isSaved = isSameTask(saved, task) || (isRenewed && isSameTask({ ...saved, leaseUntil: task.leaseUntil }, task));
      mustHold(isSaved, "what is in memory is saved", () => `${this.#plan.tasks[id]!.id}: ${JSON.stringify(task)}, saved ${JSON.stringify(saved)}`);
    });
    const state = JSON.stringify(run.state);
    mustHold(state === JSON.stringify(store.readState()), "what is in memory is saved", () => state);
  }

  #checkCompleted(run: Run): void {
    for (const id of this.#completed) mustHold(run.tasks[id]!.status === "completed", "an acknowledged result survives", () => `${this.#plan.tasks[id]!.id} is ${run.tasks[id]!.status}`);
    if (!isFinalWorkflow(run.state.status)) return;
    const open = run.tasks.findIndex((task) => !isFinalTask(task.status));
    mustHold(open < 0, "every task of a final workflow is final", () => this.#plan.tasks[open]!.id);
  }
}
