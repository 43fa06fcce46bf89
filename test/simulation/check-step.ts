import { countStartsLeft, nextStartsAt } from "../../src/workflow/starts/ask-starts.ts";
import { MAX_LOSSES } from "../../src/workflow/attempts.ts";
import type { WaitingReserve } from "../../src/workflow/budget/budget-state.ts";
import { MAX_CARRIED_BYTES } from "../../src/workflow/carried.ts";
import type { WorkflowEvent } from "../../src/workflow/events.ts";
import { countSlots, isDone, isFinalTask, isFinalWorkflow, isLiveTask, type Run, type RunState, type TaskState } from "../../src/workflow/run.ts";
import type { Step } from "../../src/workflow/step.ts";
import type { RunInput } from "../../src/workflow/transition.ts";
import { nextWakeAt } from "../../src/workflow/timers.ts";
import { isSameTask } from "./same-task.ts";
import type { Scenario } from "./scenario.ts";
import { mustHold } from "./violation.ts";

/** The run as it was before a step. */
export interface Before {
  state: RunState;
  tasks: TaskState[];
  waiting: { requests: ReadonlyMap<string, WaitingReserve>; tasks: ReadonlySet<number> };
  /** After a restart, what waited for its budget starts or waits again with the next step, whatever that is about. */
  hasUnusedSlots: boolean;
}

export function copyRun(run: Run): Before {
  const { state, tasks, waiting, plan } = run;
  return {
    state: { ...state },
    tasks: tasks.map((task) => ({ ...task })),
    waiting: { requests: new Map(waiting.requests), tasks: new Set(waiting.tasks.keys()) },
    hasUnusedSlots: countSlots(run) < plan.maxConcurrency && hasReady(run),
  };
}

function hasReady({ index, tasks }: Run): boolean {
  return index.ready.some((fifo) => fifo.items.slice(fifo.head).some((id) => tasks[id]!.status === "pending" && tasks[id]!.retryAt === null));
}

/** What every single step must do and must not do, given the run before and after it. */
export function checkStep(scenario: Scenario, before: Before, input: RunInput, step: Step): void {
  checkAccepted(scenario, before, input, step);
  checkDispatches(scenario, before, step);
  checkChanges(before, input, step);
  checkLimits(scenario, step.run);
  checkRetryDelays(scenario, step);
  checkCommand(before, input, step.run);
  if (input.type === "tick") checkTick(scenario, before, step);
}

/** The fence: exactly the live attempts in the right state are accepted, and an input of none of them changes nothing but the books, and what waits for money. */
function checkAccepted(scenario: Scenario, before: Before, input: RunInput, step: Step): void {
  const expected = expectAccepted(before, input);
  const accepted = step.accepted.map(({ task, attempt }) => `${task}#${attempt}`);
  mustHold(accepted.join() === expected.join(), "only the live attempt is heard", () => `${input.type} accepted [${accepted}], not [${expected}]`);
  checkLeases(scenario, input, step);
  const isAboutAttempts = input.type === "claim" || input.type === "renew" || input.type === "report" || input.type === "lose" || input.type === "deadLetter";
  const isDeaf = isAboutAttempts ? expected.length === 0 : isFinalWorkflow(before.state.status) && input.type !== "retryTask" && input.type !== "trim" && input.type !== "lease";
  if (!isDeaf || step.entries.length > 0 || before.hasUnusedSlots || before.waiting.requests.size + before.waiting.tasks.size > 0) return;
  const isEmpty = step.touched.size === 0 && step.events.length === 0 && step.dispatches.length === 0 && !step.isStateTouched;
  mustHold(isEmpty, "a stale input changes nothing", () => `${input.type} gave ${JSON.stringify(step.events)}`);
}

function checkLeases({ settings, tasks }: Scenario, input: RunInput, { run, now, accepted }: Step): void {
  if (input.type !== "claim" && input.type !== "renew") return;
  for (const { task: id } of accepted) {
    const { leaseUntil, timeoutAt, startedAt } = run.tasks[id]!;
    mustHold(leaseUntil === now + settings.leaseMs, "a claim and a renewal give one lease", () => `${run.plan.tasks[id]!.id}: until ${leaseUntil} at ${now}`);
    const isTimed = input.type === "renew" || (timeoutAt === now + tasks[id]!.timeoutMs && startedAt !== null);
    mustHold(isTimed, "a claimed attempt has its timeout", () => `${run.plan.tasks[id]!.id}: ${timeoutAt} at ${now}`);
  }
}

function expectAccepted(before: Before, input: RunInput): string[] {
  if (isFinalWorkflow(before.state.status)) return [];
  const status = new Map(before.tasks.map((task, id) => [`${id}#${task.attempt}`, task.status as string]));
  const accepted: string[] = [];
  const accept = (ref: { task: number; attempt: number }, from: readonly string[], to: string): void => {
    const key = `${ref.task}#${ref.attempt}`;
    if (!from.includes(status.get(key) ?? "unknown")) return;
    status.set(key, to);
    accepted.push(key);
  };
  if (input.type === "claim") for (const ref of input.refs) accept(ref, ["queued"], "running");
  if (input.type === "deadLetter") for (const ref of input.refs) accept(ref, ["queued"], "over");
  if (input.type === "lose") for (const ref of input.refs) accept(ref, ["queued", "running"], "over");
  if (input.type === "renew") for (const ref of input.refs) if (before.tasks[ref.task]?.leaseUntil !== null) accept(ref, ["running"], "running");
  if (input.type === "report") {
    for (const report of input.reports) {
      if (report.result?.status === "waiting") accept(report, ["queued", "running"], "waiting");
      else accept(report, ["queued", "running", "waiting"], "over");
    }
  }
  return accepted;
}

function checkDispatches(scenario: Scenario, before: Before, step: Step): void {
  const { plan, tasks, state } = step.run;
  const dispatched = new Set(step.dispatches.map(({ task }) => task));
  mustHold(dispatched.size === step.dispatches.length, "a step starts a task once", () => JSON.stringify(step.dispatches));
  tasks.forEach((task, id) => {
    const started = task.attempt !== before.tasks[id]!.attempt;
    mustHold(started === dispatched.has(id), "an attempt is new exactly when it is sent", () => `${plan.tasks[id]!.id} went from attempt ${before.tasks[id]!.attempt} to ${task.attempt}`);
  });
  for (const { task: id, attempt, channel } of step.dispatches) {
    const task = tasks[id]!;
    const name = plan.tasks[id]!.id;
    const earlier = before.tasks[id]!;
    mustHold(attempt === task.attempt && attempt === earlier.attempt + 1, "attempts are numbered one by one", () => `${name}: ${attempt} after ${earlier.attempt}`);
    mustHold(plan.graph.dependencies[id]!.every((dependency) => isDone(tasks[dependency]!)), "no task starts before its dependencies are done", () => name);
    mustHold(state.status === "running", "nothing starts unless the workflow is running", () => `${name} while ${state.status}`);
    mustHold(!state.isFailing, "nothing starts after a failure that ends the workflow", () => name);
    mustHold(earlier.retryAt === null || earlier.retryAt <= step.now, "no retry before its time", () => name);
    mustHold(scenario.tasks[id]!.when === null || scenario.tasks[id]!.when === true, "a task whose when is not true never starts", () => name);
    mustHold((channel === "inline") === (plan.tasks[id]!.kind === "transform"), "transforms, and only they, run inline", () => `${name} by ${channel}`);
    const isTimed = channel === "queue" ? task.status === "queued" : task.status === "running" && task.timeoutAt! >= step.now;
    mustHold(isTimed && task.leaseUntil! > step.now, "a live attempt has a time at which it is given up", () => `${name}: ${JSON.stringify(task)}`);
    if (scenario.scheduling === "eager") continue;
    const open = tasks.findIndex((other, otherId) => plan.graph.wave[otherId]! < plan.graph.wave[id]! && !isFinalTask(other.status));
    mustHold(open < 0, "with waves, no task starts before all earlier waves are final", () => `${name} before ${plan.tasks[open]!.id}`);
  }
  checkOrder(step, dispatched);
}

/** Most urgent first. A skip within the step may make an urgent task ready when a lesser one is already picked. */
function checkOrder(step: Step, dispatched: ReadonlySet<number>): void {
  const { plan, tasks, index } = step.run;
  if (dispatched.size === 0 || step.events.some((event) => event.type === "task.skipped")) return;
  const left = index.ready.findIndex((fifo) => fifo.items.slice(fifo.head).some((id) => tasks[id]!.status === "pending" && tasks[id]!.retryAt === null));
  const least = Math.max(...[...dispatched].map((id) => plan.tasks[id]!.rank));
  mustHold(left < 0 || least <= left, "the most urgent task starts first", () => `rank ${least} started, rank ${left} waits`);
}

function checkChanges(before: Before, input: RunInput, step: Step): void {
  const { tasks, plan } = step.run;
  tasks.forEach((task, id) => {
    const earlier = before.tasks[id]!;
    const name = plan.tasks[id]!.id;
    // Renewals are not stored: of a claimed attempt by its runner, of the object's own call by the object's timer.
    const isRenewal = input.type === "renew" || (input.type === "tick" && task.status === "running" && task.channel !== "queue");
    const isSaved = step.touched.has(id) || isSameTask(isRenewal ? { ...task, leaseUntil: earlier.leaseUntil } : task, earlier);
    mustHold(isSaved, "a changed task is marked for saving", () => name);
    if (!isFinalTask(earlier.status)) return;
    const isReopened = input.type === "retryTask" && earlier.status !== "completed" && !(earlier.status === "skipped" && earlier.skip === "when");
    mustHold(isReopened || (task.status === earlier.status && task.attempt === earlier.attempt), "a final task stays as it is, unless retried by hand", () => `${name} went from ${earlier.status} to ${task.status}`);
  });
}

function checkLimits({ settings }: Scenario, run: Run): void {
  const { plan, tasks, index, state, starts, waiting: budgetWaiting } = run;
  const live = tasks.filter((task) => isLiveTask(task.status)).length;
  mustHold(live <= plan.maxConcurrency, "never more live attempts than maxConcurrency", () => `${live} of ${plan.maxConcurrency}`);
  const carried = tasks.flatMap((task, id) => (task.status === "queued" || task.status === "running" ? carriedBy(run, id) : 0)).filter((bytes) => bytes > 0);
  mustHold(carried.length < 2 || sum(carried) <= MAX_CARRIED_BYTES, "attempts carry no more than they may together, but for one alone", () => `[${carried}]`);
  mustHold(index.counts.inObject <= settings.objectMax, "the object makes no more calls at once than objectMax", () => `${index.counts.inObject} of ${settings.objectMax}`);
  tasks.forEach((task, id) => {
    const { retry, id: name } = plan.tasks[id]!;
    mustHold(task.failures <= retry.maxAttempts, "no more failures than maxAttempts", () => `${name}: ${task.failures}`);
    if (task.failures === retry.maxAttempts) mustHold(isFinalTask(task.status), "after maxAttempts failures the task is over", () => name);
    if (task.losses > MAX_LOSSES) mustHold(task.status === "failed" && task.failure?.code === "attempts_exhausted", "a task lost too often fails", () => `${name}: ${task.losses} losses, ${task.status}`);
  });
  if (state.status !== "running" || state.isFailing) return;
  const first = index.ready.flatMap((fifo) => fifo.items.slice(fifo.head)).find((id) => tasks[id]!.status === "pending" && tasks[id]!.retryAt === null);
  const waiting = first !== undefined && (carried.length === 0 || sum([...carried, carriedBy(run, first)]) <= MAX_CARRIED_BYTES);
  const slots = live + budgetWaiting.tasks.size;
  mustHold(slots <= plan.maxConcurrency, "those that wait for their budget take up slots", () => `${slots} of ${plan.maxConcurrency}`);
  const mayStart = countStartsLeft(run) > 0;
  mustHold(!waiting || slots === plan.maxConcurrency || !mayStart, "no slot stays free while a task could start", () => `${slots} of ${plan.maxConcurrency} taken`);
  const isAsking = starts.asked !== null || nextStartsAt(run) < Infinity;
  mustHold(!waiting || slots === plan.maxConcurrency || mayStart || isAsking, "the tenant is asked for the starts that are lacking", () => JSON.stringify(starts));
  const isTimed = slots > 0 || isAsking || tasks.some((task) => task.retryAt !== null);
  mustHold(isTimed, "a running workflow has something under way", () => tasks.map((task, id) => `${plan.tasks[id]!.id} ${task.status}`).join(", "));
}

/** What an attempt of the task carries of its dependencies' outputs, where it counts. */
function carriedBy({ plan, tasks }: Run, task: number): number {
  const bytes = sum(plan.graph.dependencies[task]!.map((dependency) => tasks[dependency]!.outputBytes ?? 0));
  return plan.tasks[task]!.kind === "transform" || bytes < 16_384 ? 0 : bytes;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function checkRetryDelays(scenario: Scenario, step: Step): void {
  for (const event of step.events) {
    if (event.type !== "task.retrying") continue;
    const task = scenario.tasks.findIndex(({ key }) => `t${key}` === event.taskId);
    const { retry } = scenario.tasks[task]!;
    const state = step.run.tasks[task]!;
    const delayMs = Date.parse(event.data.nextAt) - step.now;
    mustHold(event.data.error.retryable, "only transient failures are retried", () => `${event.taskId}: ${event.data.error.code}`);
    const fullMs = Math.min(retry.maxMs, retry.initialMs * retry.factor ** (state.failures - 1));
    const mostMs = Math.max(fullMs, readRetryAfterMs(event));
    mustHold(delayMs >= (retry.jitter ? fullMs / 2 : fullMs) && delayMs <= Math.ceil(mostMs), "retries wait as the policy says", () => `${delayMs} ms of ${fullMs}`);
    const isHeld = state.retryAt === Date.parse(event.data.nextAt) || delayMs === 0 || isFinalTask(state.status);
    mustHold(isHeld, "a retry is held until its time", () => `${event.taskId}: ${state.status}, retryAt ${state.retryAt}`);
  }
}

/** The agents of the simulation say in their error how long they asked to wait; the contract honours up to an hour. */
function readRetryAfterMs(event: Extract<WorkflowEvent, { type: "task.retrying" }>): number {
  return typeof event.data.error.details === "number" ? Math.min(event.data.error.details, 3_600_000) : 0;
}

function checkCommand(before: Before, input: RunInput, run: Run): void {
  const { status } = run.state;
  const was = before.state.status;
  if (input.type === "retryTask") {
    const canRetry = before.tasks[input.task]?.status === "failed" && (was === "failed" || was === "running");
    if (!canRetry) mustHold(status === was, "only a failed task of a failed or running workflow is retried", () => `${was} became ${status}`);
  }
  if (isFinalWorkflow(was)) return;
  if (input.type === "pause") mustHold(status === "paused", "pause pauses", () => status);
  if (input.type === "resume") mustHold(status !== "paused", "resume resumes", () => status);
  if (input.type === "cancel") {
    mustHold(status === "cancelled", "cancel ends the workflow", () => status);
    run.tasks.forEach((task, id) => {
      const earlier = before.tasks[id]!.status;
      mustHold(task.status === (isFinalTask(earlier) ? earlier : "cancelled"), "cancel cancels what is open, and only that", () => `${run.plan.tasks[id]!.id}: ${earlier} became ${task.status}`);
    });
  }
}

/** A tick does everything that is due, and takes no attempt away before its time. */
function checkTick(scenario: Scenario, before: Before, step: Step): void {
  const { run, now } = step;
  // A step stopped before all conditions were asked: the next one follows at once.
  const isCut = run.state.status === "running" && !run.state.isFailing && countSlots(run) < run.plan.maxConcurrency && hasReady(run);
  const dueAt = nextWakeAt(run, scenario.settings.timeoutGraceMs);
  mustHold(isCut || dueAt > now, "a tick leaves nothing due, which would keep the alarm busy", () => `due ${dueAt} at ${now}`);
  if (isFinalWorkflow(run.state.status)) return;
  mustHold(run.state.deadlineAt === null || run.state.deadlineAt > now, "a deadline that is over ends the workflow", () => `${run.state.deadlineAt} at ${now}`);
  mustHold(run.state.status !== "scheduled" || run.plan.startAt! > now, "a workflow starts at startAt", () => `${run.plan.startAt} at ${now}`);
  run.tasks.forEach((task, id) => {
    const name = run.plan.tasks[id]!.id;
    const earlier = before.tasks[id]!;
    mustHold(!isLiveTask(task.status) || givenUpAt(task, scenario) > now, "an attempt whose time is over is given up", () => `${name}: ${JSON.stringify(task)} at ${now}`);
    mustHold(task.retryAt === null || task.retryAt > now, "a retry starts at its time", () => `${name}: ${task.retryAt} at ${now}`);
    const isOwn = isOwnCall(earlier);
    if (!isLiveTask(earlier.status) || givenUpAt(isOwn ? { ...earlier, leaseUntil: null } : earlier, scenario) <= now) return;
    mustHold(isSameTask(task, isOwn ? { ...earlier, leaseUntil: task.leaseUntil } : earlier), "no attempt is taken away before its time", () => `${name}: ${JSON.stringify(earlier)} at ${now}`);
  });
}

/** When something of the run is due at the latest, by its own words rather than the core's: an alarm armed later would be too late. */
export function firstDueAt(scenario: Scenario, { state, plan, tasks }: Run): number {
  if (isFinalWorkflow(state.status)) return Infinity;
  const startAt = state.status === "scheduled" ? plan.startAt! : Infinity;
  return Math.min(state.deadlineAt ?? Infinity, startAt, ...tasks.map((task) => (isLiveTask(task.status) ? givenUpAt(task, scenario) : (task.retryAt ?? Infinity))));
}

/** A call that the object waits for lives as long as the object's memory: its lease only wakes the object, and is prolonged by that. */
function isOwnCall(task: TaskState): boolean {
  return task.status === "running" && task.channel !== "queue";
}

function givenUpAt(task: TaskState, { settings }: Scenario): number {
  const timeoutAt = task.timeoutAt === null ? Infinity : task.timeoutAt + (task.status === "waiting" ? 0 : settings.timeoutGraceMs);
  return Math.min(timeoutAt, task.leaseUntil ?? Infinity);
}
