import type { WaitingReserve } from "../../src/workflow/budget/budget-state.ts";
import { ORPHAN_GRACE_MS } from "../../src/workflow/budget/budget.ts";
import type { Amount, Cap } from "../../src/workflow/budget/amount.ts";
import type { Ledger, LedgerEntry } from "../../src/workflow/budget/ledger.ts";
import { nameCall, type CallRef } from "../../src/workflow/budget/reservations.ts";
import { dayOf } from "../../src/workflow/budget/utc-day.ts";
import { isFinalTask, isFinalWorkflow, isLiveAttempt, type Run } from "../../src/workflow/run.ts";
import type { Step } from "../../src/workflow/step.ts";
import type { RunInput } from "../../src/workflow/transition.ts";
import type { Before } from "./check-step.ts";
import type { Scenario } from "./scenario.ts";
import type { TenantBudget } from "./tenant-budget.ts";
import { mustHold } from "./violation.ts";

const UNITS = ["nanoUsd", "tokens"] as const;

/** What every step must do to the money, and must not do. */
export class BookChecks {
  readonly #scenario: Scenario;
  readonly #allowsOverrun: boolean;
  readonly #account: TenantBudget;
  /** What the tenant could have leased at most, by its answers since a request began to wait, by day. */
  readonly #answers = new Map<string, { day: number; most: number }[]>();

  constructor(scenario: Scenario, account: TenantBudget) {
    this.#scenario = scenario;
    this.#allowsOverrun = scenario.budget?.allowsOverrun ?? false;
    this.#account = account;
  }

  check(before: Before, input: RunInput, step: Step): void {
    const { run } = step;
    if (!this.#allowsOverrun) this.#checkCaps(run);
    this.#checkHolders(step);
    checkBills(input, step);
    if (input.type === "lease") this.#noteAnswer(before, run, input.day, input.revision);
    this.#checkReplies(before, input, step);
    this.#checkFailures(before, input, step);
    this.#checkWaiting(step);
    this.#checkOrder(before, step);
    checkTaskBudgets(step);
    checkBlocked(input, step);
    const unclaimed = step.entries.find((entry) => entry.kind === "orphan" && before.tasks[entry.task]!.status === "queued");
    mustHold(unclaimed === undefined, "an attempt that nobody was given bills nothing", () => JSON.stringify(unclaimed));
    if (!this.#allowsOverrun) mustHold(!run.state.budget.isBlocked, "nothing is blocked where calls bill what they may", () => "");
  }

  #checkCaps({ ledger, plan }: Run): void {
    for (const unit of UNITS) {
      const { spent, reserved } = ledger.workflow;
      mustHold(spent[unit] + reserved[unit] <= (ledger.cap[unit] ?? Infinity), "spent + reserved is within the workflow's cap at every instant", () => `${spent[unit]} + ${reserved[unit]} ${unit} of ${ledger.cap[unit]}`);
      for (const [task, account] of ledger.tasks) {
        const cap = ledger.taskCaps.get(task)![unit];
        mustHold(account.spent[unit] + account.reserved[unit] <= (cap ?? Infinity), "spent + reserved is within the task's cap at every instant", () => `${plan.tasks[task]!.id}: ${account.spent[unit]} + ${account.reserved[unit]} ${unit} of ${cap}`);
      }
    }
  }

  /** Money is held for attempts that live, and for a while after their end for those that were not heard of. */
  #checkHolders({ run, now }: Step): void {
    for (const reservation of [...run.ledger.open.values()].flat()) {
      const isLive = isLiveAttempt(run, reservation);
      mustHold(!run.ledger.settled.has(nameCall(reservation)), "nothing is held for a call that is billed", () => JSON.stringify(reservation));
      const { expiresAt } = reservation;
      mustHold(isLive === (expiresAt === null), "what is held for a living attempt has no end, and for any other it has", () => JSON.stringify(reservation));
      const { leaseMs, checkMs } = this.#scenario.settings;
      mustHold(expiresAt === null || expiresAt - now <= Math.max(leaseMs, checkMs) + ORPHAN_GRACE_MS + this.#backJumpMs(), "what is held ends a lease and half a minute after its attempt", () => `${JSON.stringify(reservation)} at ${now}`);
    }
  }

  /** How far the clock may have been set back since a reservation was given its end. */
  #backJumpMs(): number {
    return this.#scenario.clockJumps.reduce((sum, { byMs }) => sum + Math.max(0, -byMs), 0);
  }

  #noteAnswer(before: Before, run: Run, day: number, revision: number): void {
    const most = this.#account.mostByRevision.get(revision);
    if (most === undefined) return;
    for (const name of [...before.waiting.requests.keys(), ...[...before.waiting.tasks].map(String)]) this.#answers.set(name, [...(this.#answers.get(name) ?? []), { day, most }]);
    for (const name of this.#answers.keys()) if (!before.waiting.requests.has(name) && !before.waiting.tasks.has(Number(name)) && !run.waiting.requests.has(name)) this.#answers.delete(name);
  }

  #checkReplies(before: Before, input: RunInput, step: Step): void {
    const { run } = step;
    for (const { ref, answer } of step.replies) {
      const name = nameCall(ref);
      const asked = input.type === "reserve" ? input.requests.find((request) => nameCall(request) === name) : undefined;
      const need = asked ?? before.waiting.requests.get(name)?.need;
      const held = findOpen(run.ledger, ref);
      if (answer.kind === "granted") mustHold(need !== undefined && held?.nanoUsd === need.nanoUsd && held.tokens === need.tokens, "what is granted is held", () => `${name}: ${JSON.stringify([need, held])}`);
      if (step.entries.some((entry) => entry.kind === "reserve" && nameCall(entry) === name)) this.#checkLease(step, ref);
      if (answer.kind === "refused") this.#checkRefusal(step, name, ref.task, need!, answer.room);
      const hasGoneOn = isPast(run, ref) || (input.type === "reserve" && input.requests.some((request) => request.task === ref.task && request.attempt === ref.attempt && request.call > ref.call));
      if (answer.kind === "gone") mustHold(!isLiveAttempt(run, ref) || hasGoneOn, "only an attempt that is over, or has gone on, is told so", () => name);
      if (answer.kind !== "granted") this.#answers.delete(name);
    }
  }

  /** What is held and spent of a day is within what was leased for it. */
  #checkLease({ run, now }: Step, ref: CallRef): void {
    const { day, nanoUsd } = findOpen(run.ledger, ref)!;
    const account = run.ledger.days.get(day)!;
    const isLeased = nanoUsd === 0 || now < run.waiting.unlimitedUntil || account.spentNanoUsd + account.reservedNanoUsd <= (account.leasedNanoUsd ?? 0);
    mustHold(isLeased || day !== dayOf(now) || this.#allowsOverrun, "nothing is granted beyond what is leased", () => `${nameCall(ref)}: ${JSON.stringify(account)}`);
  }

  /** A refusal is true: even with all else released the need does not fit, and the tenant has no more. */
  #checkRefusal({ run, now }: Step, name: string, task: number, need: Amount, room: Cap): void {
    if (isBlocked(run, task)) return;
    const isTold = UNITS.some((unit) => need[unit] > (room[unit] ?? Infinity));
    mustHold(isTold, "a refusal tells a room that the need does not fit", () => `${name}: ${JSON.stringify([need, room])}`);
    if (!fitsAlone(run.ledger, task, need)) return;
    const day = dayOf(now);
    const total = (run.ledger.days.get(day)?.spentNanoUsd ?? 0) + need.nanoUsd;
    const isShort = (this.#answers.get(name) ?? []).some((answer) => answer.day === day && answer.most < total);
    mustHold(isShort, "only what the tenant could not give is refused for its sake", () => `${name}: ${total} of ${JSON.stringify(this.#answers.get(name) ?? [])} on ${day}`);
  }

  /** Tasks that the core itself fails for want of budget: agents that price their own work. */
  #checkFailures(before: Before, input: RunInput, step: Step): void {
    const { run } = step;
    for (const id of step.touched) {
      const { status, failure } = run.tasks[id]!;
      const isNew = status === "failed" && before.tasks[id]!.status !== "failed" && failure?.code === "budget_exhausted";
      const isReported = input.type === "report" && input.reports.some((report) => report.task === id && report.result?.status === "failed" && report.result.failure === failure);
      if (!isNew || isReported) continue;
      const { neededUsd, neededTokens } = failure.details as { neededUsd: number; neededTokens: number };
      const need = { nanoUsd: Math.round(neededUsd * 1e9), tokens: neededTokens };
      const cap = run.ledger.taskCaps.get(id)!;
      mustHold(isLeftOf(run.ledger, id, need), "a task that prices its own work asks for what is left of its budget", () => `${run.plan.tasks[id]!.id}: ${JSON.stringify([need, cap])}`);
      const isUsedUp = UNITS.some((unit) => cap[unit] !== null && (run.ledger.tasks.get(id)?.spent[unit] ?? 0) >= cap[unit]!);
      if (!isUsedUp) this.#checkRefusal(step, String(id), id, need, { nanoUsd: -1, tokens: null });
      this.#answers.delete(String(id));
    }
  }

  /** Nobody is kept waiting for what could be had, or for what nothing will bring. */
  #checkWaiting(step: Step): void {
    const { run } = step;
    for (const waiting of run.waiting.requests.values()) {
      mustHold(isLiveAttempt(run, waiting.ref), "only living attempts wait for an answer", () => nameCall(waiting.ref));
      mustHold(!isPast(run, waiting.ref), "an attempt waits for what it asked for last alone", () => nameCall(waiting.ref));
      this.#checkWaits(step, waiting);
    }
    if (isFinalWorkflow(run.state.status) || run.state.isFailing) return;
    for (const [id, waiting] of run.waiting.tasks) if (!isFinalTask(run.tasks[id]!.status)) this.#checkWaits(step, waiting);
  }

  #checkWaits({ run, now }: Step, { ref, need, answeredFor, mayGrow }: WaitingReserve): void {
    const { ledger, waiting } = run;
    const name = nameCall(ref);
    mustHold(fitsAlone(ledger, ref.task, need) && !isBlocked(run, ref.task), "what can never fit is not kept waiting", () => name);
    if (!fitsNow(ledger, ref, need)) return;
    const account = ledger.days.get(dayOf(now)) ?? { spentNanoUsd: 0, reservedNanoUsd: 0, leasedNanoUsd: null };
    const left = (account.leasedNanoUsd ?? 0) - account.spentNanoUsd;
    mustHold(need.nanoUsd > left - account.reservedNanoUsd && now >= waiting.unlimitedUntil, "what fits is not kept waiting", () => `${name}: ${JSON.stringify([need, account])}`);
    const isComing = waiting.asked !== null || (mayGrow && waiting.askAgainAt < Infinity) || (answeredFor !== null && need.nanoUsd <= left);
    mustHold(isComing, "who waits for the tenant's budget has asked for it, or waits for a call of the workflow", () => `${name}: ${JSON.stringify([need, account, waiting.asked])}`);
  }

  /** Most urgent first: whoever was granted something in this step left no more urgent one without what it could have had. */
  #checkOrder(before: Before, { run, entries, now }: Step): void {
    if (now >= run.waiting.unlimitedUntil) return;
    const rankOf = (task: number): number => run.plan.tasks[task]!.rank;
    for (const { ref, need } of run.waiting.requests.values()) {
      if (!before.waiting.requests.has(nameCall(ref))) continue;
      const lesser = entries.filter((entry) => entry.kind === "reserve" && before.waiting.requests.has(nameCall(entry)) && rankOf(entry.task) > rankOf(ref.task));
      if (lesser.length > 0) mustHold(!fitsNow(run.ledger, ref, need, lesser), "the most urgent call is granted first", () => `${nameCall(ref)} waits`);
    }
  }
}

/** What is told of an attempt's calls is in the books at once, whoever tells it and when: its bills, and that other calls billed nothing. */
function checkBills(input: RunInput, { run, entries }: Step): void {
  const told = input.type === "report" ? input.reports.filter(({ result }) => result?.status !== "waiting") : input.type === "reserve" ? input.requests : [];
  for (const { task, attempt, bills = [] } of told) {
    for (const { call } of bills) mustHold(run.ledger.settled.has(nameCall({ task, attempt, call })), "what is told of is billed", () => nameCall({ task, attempt, call }));
    const assumed = (run.ledger.assumed.get(task) ?? []).filter((one) => one.attempt === attempt && input.type === "report");
    mustHold(assumed.length === 0, "a report leaves nothing to be assumed", () => JSON.stringify(assumed));
  }
  if (input.type !== "reserve") return;
  const isFreed = input.requests.some(({ task, attempt, call }) => entries.some((entry) => entry.kind === "release" && entry.task === task && entry.attempt === attempt && entry.call >= call));
  mustHold(!isFreed, "asking for a call frees only calls before it", () => JSON.stringify(entries));
}

/** A task that prices its own work starts with all that is left of its budget. */
function checkTaskBudgets({ run, dispatches }: Step): void {
  for (const ref of dispatches) {
    if (run.plan.tasks[ref.task]!.kind !== "http" || !run.ledger.taskCaps.has(ref.task)) continue;
    const held = findOpen(run.ledger, { ...ref, call: 0 });
    mustHold(held !== undefined && isLeftOf(run.ledger, ref.task, held), "a task that prices its own work starts with what is left of its budget", () => `${run.plan.tasks[ref.task]!.id}: ${JSON.stringify(held)}`);
  }
}

/** Once a provider ignored the cap that it was sent, no cap can hold. */
function checkBlocked(input: RunInput, { run, entries }: Step): void {
  const reports = input.type === "report" ? input.reports : input.type === "reserve" ? input.requests : [];
  for (const { task, attempt, bills = [] } of reports) {
    for (const bill of bills) {
      const entry = entries.find((one) => one.kind === "settle" && one.task === task && one.attempt === attempt && one.call === bill.call);
      const isOver = bill.isOverCap === true && entry !== undefined && bill.nanoUsd > 0 - entry.reserved.nanoUsd && entry.reserved.nanoUsd < 0;
      const { cap, taskCaps, days } = run.ledger;
      const isCapped = cap.nanoUsd !== null || cap.tokens !== null || taskCaps.has(task) || [...days.values()].some(({ leasedNanoUsd }) => (leasedNanoUsd ?? 0) > 0);
      mustHold(!isOver || !isCapped || isBlocked(run, task), "nothing more is reserved once a cap was ignored", () => JSON.stringify(bill));
    }
  }
}

function isBlocked({ state: { budget } }: Run, task: number): boolean {
  return budget.isBlocked || (budget.blockedTasks ?? []).includes(task);
}

/** Whether an amount is what is left of a task's budget. */
function isLeftOf({ taskCaps, tasks }: Ledger, task: number, amount: Amount): boolean {
  const cap = taskCaps.get(task)!;
  return UNITS.every((unit) => amount[unit] === Math.max(0, (cap[unit] ?? 0) - (tasks.get(task)?.spent[unit] ?? 0)));
}

function findOpen(ledger: Ledger, ref: CallRef) {
  return ledger.open.get(ref.task)?.find(({ attempt, call }) => attempt === ref.attempt && call === ref.call);
}

function isPast(run: Run, { task, attempt, call }: CallRef): boolean {
  const others = [...[...run.waiting.requests.values()].map((waiting) => waiting.ref), ...[...run.ledger.open.values()].flat()];
  return run.ledger.settled.has(nameCall({ task, attempt, call })) || others.some((other) => other.task === task && other.attempt === attempt && other.call > call);
}

/** Whether a need fits once all else is released. */
function fitsAlone(ledger: Ledger, task: number, need: Amount): boolean {
  return accountsOf(ledger, task).every(({ spent, cap }) => UNITS.every((unit) => need[unit] === 0 || spent[unit] + need[unit] <= (cap[unit] ?? Infinity)));
}

/** Whether a need fits beside what is held, but for `without`. */
function fitsNow(ledger: Ledger, ref: CallRef, need: Amount, without: readonly LedgerEntry[] = []): boolean {
  const held = findOpen(ledger, ref);
  return accountsOf(ledger, ref.task).every(({ spent, reserved, cap, isTask }) =>
    UNITS.every((unit) => {
      const freed = without.reduce((sum, entry) => sum + (isTask && entry.task !== ref.task ? 0 : entry.reserved[unit]), 0);
      return need[unit] === 0 || spent[unit] + reserved[unit] - (held?.[unit] ?? 0) - freed + need[unit] <= (cap[unit] ?? Infinity);
    }),
  );
}

function accountsOf({ workflow, cap, tasks, taskCaps }: Ledger, task: number): { spent: Amount; reserved: Amount; cap: Cap; isTask: boolean }[] {
  const own = tasks.get(task);
  const ownCap = taskCaps.get(task);
  const nothing = { nanoUsd: 0, tokens: 0 };
  return [{ ...workflow, cap, isTask: false }, ...(ownCap === undefined ? [] : [{ spent: own?.spent ?? nothing, reserved: own?.reserved ?? nothing, cap: ownCap, isTask: true }])];
}
