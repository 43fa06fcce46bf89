import { chooseChannel } from "./dispatch.ts";
import { measureCarried, mayCarry, takeUp } from "./carried.ts";
import { putFirst, takeFirst } from "./fifo.ts";
import { countStartsLeft } from "./starts/ask-starts.ts";
import { closeCalls } from "./budget/budget.ts";
import { holdTaskBudget } from "./budget/reserve.ts";
import { countSlots } from "./run.ts";
import { completeTask, failTask, skipTask } from "./settle-task.ts";
import { emit, offerTask, touch, wakeAt, type Step } from "./step.ts";

/** The first step of a workflow: announces it, takes over reused outputs, and starts it now or at `startAt`. */
export function startRun(step: Step, reused: readonly { task: number; outputBytes: number }[]): void {
  const { plan, state } = step.run;
  step.isStateTouched = true;
  emit(step, "workflow.created", { name: plan.name });
  emit(step, "workflow.planned", { waves: plan.graph.waves.length, tasks: plan.graph.size });
  for (const { task, outputBytes } of reused) completeTask(step, task, outputBytes, true);
  if (plan.startAt !== null && plan.startAt > step.now) {
    state.status = "scheduled";
    wakeAt(step, plan.startAt);
  } else {
    beginRun(step);
  }
}

/** Moves a scheduled or resumed workflow to `running`; the deadline counts from its first start. */
export function beginRun(step: Step): void {
  const { plan, state } = step.run;
  step.isStateTouched = true;
  state.status = "running";
  if (state.startedAt !== null) return;
  state.startedAt = step.now;
  emit(step, "workflow.started", {});
  if (plan.deadlineMs !== null) {
    state.deadlineAt = step.now + plan.deadlineMs;
    wakeAt(step, state.deadlineAt);
  }
}

/** Conditions evaluated in one step; the rest follows in the next, which an alarm brings at once. At the cost limit of an expression they take most of the time that a step has. */
const MAX_WHENS_PER_STEP = 256;

/** Starts ready tasks while there are slots, most urgent first. Costs O(tasks started or skipped). */
export function scheduleReady(step: Step): void {
  const { run } = step;
  const picked = pickReady(step);
  // Counted before the set: each of its own calls would count twice, as made and as ready.
  const { inObject } = run.index.counts;
  for (const task of picked) {
    if (run.state.isFailing) putBack(step, task);
    else dispatchTask(step, task, picked.length, inObject);
  }
}

function pickReady(step: Step): number[] {
  const { plan, state, tasks } = step.run;
  const picked: number[] = [];
  let evaluations = 0;
  let pickedBytes = 0;
  const startsLeft = countStartsLeft(step.run);
  while (state.status === "running" && !state.isFailing && countSlots(step.run) + picked.length < plan.maxConcurrency && picked.length < startsLeft) {
    if (evaluations === MAX_WHENS_PER_STEP) {
      wakeAt(step, step.now);
      break;
    }
    const task = takeReady(step);
    if (task === undefined) break;
    const candidate = tasks[task]!;
    if (candidate.status !== "pending" || candidate.retryAt !== null) continue;
    const carried = measureCarried(plan, tasks, task);
    if (!mayCarry(step.run, carried, pickedBytes)) {
      putFirst(step.run.index.ready[plan.tasks[task]!.rank]!, task);
      break;
    }
    const isAsked = plan.tasks[task]!.hasWhen && candidate.attempt === 0;
    if (isAsked) evaluations += 1;
    const verdict = isAsked ? step.abilities.evaluateWhen(task) : true;
    if (verdict === true) {
      if (!holdTaskBudget(step, task)) continue;
      picked.push(task);
      pickedBytes += carried;
    } else if (verdict === false) skipTask(step, task, "when", null);
    else failTask(step, task, verdict);
  }
  return picked;
}

/** Another task of the same step failed for good, so this one does not start; what was held for it is free again. */
function putBack(step: Step, task: number): void {
  closeCalls(step, { task, attempt: step.run.tasks[task]!.attempt + 1 }, [], Infinity);
  offerTask(step, task);
}

function takeReady(step: Step): number | undefined {
  for (const fifo of step.run.index.ready) {
    const task = takeFirst(fifo);
    if (task !== undefined) return task;
  }
  return undefined;
}

function dispatchTask(step: Step, task: number, readySize: number, inObject: number): void {
  const { run, now, abilities } = step;
  const plan = run.plan.tasks[task]!;
  const state = touch(step, task);
  const channel = chooseChannel(plan.kind, readySize, inObject, abilities.settings);
  state.attempt += 1;
  state.channel = channel;
  run.index.live.add(task);
  takeUp(run.index, task, measureCarried(run.plan, run.tasks, task));
  run.index.counts.started += 1;
  emit(step, "task.queued", { attempt: state.attempt }, task);
  if (channel === "queue") {
    state.status = "queued";
    state.leaseUntil = now + claimLeaseMs(abilities.settings.claimLeaseMs, state.losses);
    wakeAt(step, state.leaseUntil);
  } else {
    markStarted(step, task);
    if (channel === "object") run.index.counts.inObject += 1;
  }
  step.dispatches.push({ task, attempt: state.attempt, channel });
}

/** Marks an attempt as running from now on. A call that the object itself waits for dies with it; its lease is only there to wake the object, which then knows. */
export function markStarted(step: Step, task: number): void {
  const { now, abilities, run } = step;
  const state = touch(step, task);
  state.status = "running";
  state.startedAt ??= now;
  state.timeoutAt = now + run.plan.tasks[task]!.timeoutMs;
  state.leaseUntil = now + (state.channel === "queue" ? abilities.settings.leaseMs : abilities.settings.checkMs);
  wakeAt(step, Math.min(state.leaseUntil, state.timeoutAt + abilities.settings.timeoutGraceMs));
  emit(step, "task.started", { attempt: state.attempt }, task);
}

/** Longest wait for a queue message, so that a backlog of the queue is not taken for lost messages. */
const MAX_CLAIM_LEASE_MS = 300_000;

function claimLeaseMs(firstMs: number, losses: number): number {
  return Math.min(firstMs * 2 ** losses, Math.max(firstMs, MAX_CLAIM_LEASE_MS));
}
