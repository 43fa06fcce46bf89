import type { WaitingReserve } from "./budget-state.ts";
import { closeCalls, isBlockedFor, record } from "./budget.ts";
import { failExhausted } from "./exhausted.ts";
import type { Amount, Cap } from "./amount.ts";
import { accountOfDay, findRoom, judgeReserve, listOpen, missingLease, release, reserve } from "./ledger.ts";
import { callRefOf, nameCall, type CallRef } from "./reservations.ts";
import { dayOf } from "./utc-day.ts";
import type { LeaseAnswer, ReserveAnswer, ReserveRequest } from "./reserve-port.ts";
import { isLiveAttempt, type Run } from "../run.ts";
import { failTask } from "../settle-task.ts";
import { offerTask, wakeAt, type Step } from "../step.ts";

/** How long a tenant without a budget is taken to have none. */
const UNLIMITED_MS = 30_000;
/** When a tenant whose budget others hold, or that could not be reached, is asked again. */
const ASK_AGAIN_MS = 1_000;
/** When a question counts as lost: many times what a tenant takes that first asks others to give back. */
const LOST_MS = 15_000;
const NO_ROOM: Cap = { nanoUsd: 0, tokens: 0 };
const NOT_ANSWERED = { answeredFor: null, mayGrow: false };

/** Takes requests of live attempts; they are answered at the end of the step, or wait. */
export function takeReserves(step: Step, requests: readonly ReserveRequest[]): void {
  const { run } = step;
  for (const request of requests) {
    closeCalls(step, request, request.bills, request.call);
    if (!isLiveAttempt(run, request) || isPast(run, request)) {
      step.replies.push({ ref: callRefOf(request), answer: { kind: "gone" } });
      continue;
    }
    dropEarlier(step, request);
    run.waiting.requests.set(nameCall(request), { ref: callRefOf(request), need: { nanoUsd: request.nanoUsd, tokens: request.tokens }, answeredFor: null, mayGrow: false });
  }
}

/** A request that came once more after its refusal waits for nobody; granted, it would keep from the attempt what the attempt waits for now. */
function dropEarlier(step: Step, request: CallRef): void {
  const { requests } = step.run.waiting;
  for (const [name, { ref }] of requests) {
    if (ref.task !== request.task || ref.attempt !== request.attempt || ref.call >= request.call) continue;
    requests.delete(name);
    step.replies.push({ ref, answer: { kind: "gone" } });
  }
}

/** A repetition that comes when the attempt has gone on to a later call: what it would hold nobody would settle. */
function isPast(run: Run, request: CallRef): boolean {
  const isLater = (other: CallRef): boolean => other.task === request.task && other.attempt === request.attempt && other.call > request.call;
  return run.ledger.settled.has(nameCall(request)) || listOpen(run.ledger, request).some(isLater) || [...run.waiting.requests.values()].some(({ ref }) => isLater(ref));
}

/** Answers the requests that can be answered now, the most urgent first. O(waiting), which are at most `maxConcurrency`. */
export function answerReserves(step: Step): void {
  const { run } = step;
  const { requests, tasks } = run.waiting;
  for (const waiting of byUrgency(run, requests.values())) {
    const answer = isLiveAttempt(run, waiting.ref) ? answerReserve(step, waiting) : ({ kind: "gone" } as const);
    if (answer === null) continue;
    requests.delete(nameCall(waiting.ref));
    step.replies.push({ ref: waiting.ref, answer });
  }
  for (const waiting of byUrgency(run, tasks.values())) {
    const { task } = waiting.ref;
    const isOver = run.tasks[task]!.status !== "pending" || run.state.isFailing;
    waiting.need = findTaskNeed(run, task);
    const verdict = isOver ? null : judgeTask(step, waiting);
    if (verdict === "waits") continue;
    tasks.delete(task);
    if (verdict === null || verdict === "fits") offerTask(step, task);
    else failTask(step, task, failExhausted(waiting.need, verdict));
  }
}

function answerReserve(step: Step, waiting: WaitingReserve): ReserveAnswer | null {
  const verdict = judge(step, waiting);
  if (verdict === "waits") return null;
  if (verdict === "fits") {
    hold(step, waiting.ref, waiting.need);
    return { kind: "granted" };
  }
  return { kind: "refused", room: verdict };
}

/**
 * Before a task starts whose agent prices its own work, all that is left of the task's budget is held (a task without one holds nothing).
 * True: it may start. False: it waits for what others hold, or has failed because it can never have it.
 */
export function holdTaskBudget(step: Step, task: number): boolean {
  const { run } = step;
  if (!run.ledger.taskCaps.has(task) || run.plan.tasks[task]!.kind !== "http") return true;
  const need = findTaskNeed(run, task);
  const waiting: WaitingReserve = { ref: { task, attempt: run.tasks[task]!.attempt + 1, call: 0 }, need, answeredFor: null, mayGrow: false };
  const verdict = judgeTask(step, waiting);
  if (verdict === "waits") {
    run.waiting.tasks.set(task, waiting);
    return false;
  }
  if (verdict === "fits") {
    hold(step, waiting.ref, need);
    return true;
  }
  failTask(step, task, failExhausted(need, verdict));
  return false;
}

/** What is left of a task's budget: it changes with the bills of its earlier attempts. */
function findTaskNeed({ ledger }: Run, task: number): Amount {
  const cap = ledger.taskCaps.get(task) ?? NO_ROOM;
  const spent = ledger.tasks.get(task)?.spent ?? { nanoUsd: 0, tokens: 0 };
  return { nanoUsd: Math.max(0, (cap.nanoUsd ?? 0) - spent.nanoUsd), tokens: Math.max(0, (cap.tokens ?? 0) - spent.tokens) };
}

function judgeTask(step: Step, waiting: WaitingReserve): "fits" | "waits" | Cap {
  const { taskCaps, tasks } = step.run.ledger;
  const { task } = waiting.ref;
  const cap = taskCaps.get(task);
  const isUsedUp = (cap?.nanoUsd != null && waiting.need.nanoUsd === 0 && (tasks.get(task)?.spent.nanoUsd ?? 0) > 0) || (cap?.tokens != null && waiting.need.tokens === 0);
  return isUsedUp ? NO_ROOM : judge(step, waiting);
}

/** Whether the request fits now, has to wait, or what would fit at most. */
function judge(step: Step, { ref, need, answeredFor, mayGrow }: WaitingReserve): "fits" | "waits" | Cap {
  const { run, now } = step;
  const { ledger, waiting } = run;
  const held = listOpen(ledger, ref).find(({ call }) => call === ref.call);
  if (held !== undefined && need.nanoUsd <= held.nanoUsd && need.tokens <= held.tokens) return "fits";
  if (isBlockedFor(run, ref.task)) return NO_ROOM;
  const verdict = judgeReserve(ledger, ref, need);
  if (verdict === "never") return findRoom(ledger, ref.task);
  if (verdict === "waits") return "waits";
  const day = dayOf(now);
  if (need.nanoUsd === 0 || now < waiting.unlimitedUntil || missingLease(ledger, ref, day, need) === 0) return "fits";
  if (answeredFor !== day || mayGrow) return "waits";
  const { spentNanoUsd, leasedNanoUsd } = accountOfDay(ledger, day);
  const most = Math.max(0, (leasedNanoUsd ?? 0) - spentNanoUsd);
  if (need.nanoUsd <= most) return "waits";
  const room = findRoom(ledger, ref.task);
  return { ...room, nanoUsd: Math.min(room.nanoUsd ?? Infinity, most) };
}

function hold(step: Step, ref: CallRef, need: Amount): void {
  const { ledger } = step.run;
  const day = dayOf(step.now);
  const held = listOpen(ledger, ref).find(({ call }) => call === ref.call);
  // More than is held already counts to today, whose budget was judged.
  if (held !== undefined && held.day !== day && need.nanoUsd > held.nanoUsd) record(step, release(ledger, ref)!, { nanoUsd: 0, tokens: 0 });
  const entry = reserve(ledger, ref, need, day);
  if (entry !== null) record(step, entry, need);
}

/** Asks the tenant for what the waiting requests lack, one question at a time: for the most urgent of those that it has not refused. */
export function askForLease(step: Step): void {
  const { run, now } = step;
  const { waiting, ledger, state } = run;
  if (waiting.asked !== null && waiting.asked.lostAt <= now) waiting.asked = null;
  if (waiting.requests.size + waiting.tasks.size === 0) return;
  // An object that dies with its question, and has nothing else to wake for, is woken to ask it again.
  if (waiting.asked !== null) return wakeAt(step, waiting.asked.lostAt);
  if (now < waiting.unlimitedUntil) return;
  const day = dayOf(now);
  const lacking = byUrgency(run, listWaiting(run)).filter((one) => lacksLease(run, one, day));
  const first = lacking.find(({ answeredFor, mayGrow }) => answeredFor !== day || (mayGrow && now >= waiting.askAgainAt));
  if (first === undefined) return wakeAt(step, nextAskAt(run));
  const { spentNanoUsd, reservedNanoUsd, leasedNanoUsd } = accountOfDay(ledger, day);
  const used = spentNanoUsd + reservedNanoUsd;
  const needed = (leasedNanoUsd ?? 0) + missingLease(ledger, first.ref, day, first.need);
  const all = lacking.reduce((sum, { need }) => sum + need.nanoUsd, used);
  const most = ledger.cap.nanoUsd === null ? Infinity : ledger.cap.nanoUsd - ledger.workflow.spent.nanoUsd + spentNanoUsd;
  // If the answer is lost, the day is still known as one whose lease is to be told of.
  if (leasedNanoUsd === null) setLease(step, day, 0);
  state.budget.revision += 1;
  step.isStateTouched = true;
  waiting.asked = { revision: state.budget.revision, neededNanoUsd: needed, requestNanoUsd: first.need.nanoUsd, lostAt: now + LOST_MS };
  wakeAt(step, waiting.asked.lostAt);
  step.leaseRequest = { day, neededNanoUsd: needed, wantedNanoUsd: Math.max(needed, Math.min(most, Math.max(all, used + step.abilities.leaseChunkNanoUsd))), revision: state.budget.revision };
}

/** Whether nothing but the tenant's budget keeps a request from being granted. Where something else does, an earlier refusal says nothing any more. */
function lacksLease({ ledger }: Run, waiting: WaitingReserve, day: number): boolean {
  const { ref, need } = waiting;
  const isLacking = need.nanoUsd > 0 && judgeReserve(ledger, ref, need) === "fits" && missingLease(ledger, ref, day, need) > 0;
  if (!isLacking) Object.assign(waiting, NOT_ANSWERED);
  return isLacking;
}

/**
 * Takes the tenant's answer. What it could not give to the request that it was asked for, it could not give to a larger one either;
 * of others it was not asked. If the tenant was told something after the question, what it granted may be given back already, and
 * it is asked again.
 */
export function takeLease(step: Step, day: number, revision: number, answer: LeaseAnswer): void {
  const { run, now } = step;
  const { waiting, state } = run;
  const { asked } = waiting;
  if (asked?.revision !== revision) return;
  waiting.asked = null;
  if (state.budget.revision !== revision) return;
  waiting.askAgainAt = now + ASK_AGAIN_MS;
  if (answer.kind === "leased") setLease(step, day, answer.leasedNanoUsd);
  if (answer.kind === "unlimited") {
    waiting.unlimitedUntil = now + UNLIMITED_MS;
    setLease(step, day, null);
  }
  const isRefused = answer.kind === "failed" || (answer.kind === "leased" && answer.leasedNanoUsd < asked.neededNanoUsd);
  const mayGrow = answer.kind === "failed" || (answer.kind === "leased" && answer.mayGrow);
  for (const request of listWaiting(run)) {
    if (answer.kind === "unlimited") Object.assign(request, NOT_ANSWERED);
    else if (isRefused && request.need.nanoUsd >= asked.requestNanoUsd) Object.assign(request, { answeredFor: day, mayGrow });
  }
}

/**
 * Gives back what is leased and neither spent nor held. The tenant is told so under a new revision: an answer that is under way does
 * not know of it. Whoever waits for the workflow's own calls to make room in what was leased has to ask again.
 */
export function trimLeases(step: Step): void {
  const { ledger, state } = step.run;
  state.budget.revision += 1;
  step.isStateTouched = true;
  for (const [day, account] of ledger.days) {
    const used = account.spentNanoUsd + account.reservedNanoUsd;
    if (account.leasedNanoUsd === null || account.leasedNanoUsd <= used) continue;
    setLease(step, day, used);
    for (const waiting of listWaiting(step.run)) Object.assign(waiting, NOT_ANSWERED);
  }
}

/** When the tenant is to be asked again; Infinity when nobody waits for that. */
export function nextAskAt(run: Run): number {
  const { waiting } = run;
  const all = listWaiting(run);
  if (waiting.asked !== null) return all.length > 0 ? waiting.asked.lostAt : Infinity;
  return all.some(({ answeredFor, mayGrow }) => answeredFor !== null && mayGrow) ? waiting.askAgainAt : Infinity;
}

function listWaiting({ waiting }: Run): WaitingReserve[] {
  return [...waiting.requests.values(), ...waiting.tasks.values()];
}

function setLease(step: Step, day: number, leasedNanoUsd: number | null): void {
  const { leases } = step.run.state.budget;
  accountOfDay(step.run.ledger, day).leasedNanoUsd = leasedNanoUsd;
  if (leasedNanoUsd === null) delete leases[String(day)];
  else leases[String(day)] = leasedNanoUsd;
  step.isStateTouched = true;
}

function byUrgency(run: Run, waiting: Iterable<WaitingReserve>): WaitingReserve[] {
  return [...waiting].sort((left, right) => run.plan.tasks[left.ref.task]!.rank - run.plan.tasks[right.ref.task]!.rank);
}
