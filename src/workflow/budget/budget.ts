import type { AttemptRef } from "../../consumer/work-order.ts";
import { NANO_USD_PER_USD } from "../../nano-usd.ts";
import { NO_CAP, type Amount } from "./amount.ts";
import { assumeExpired, findHeld, isOverspent, listHeld, orphan, release, retract, settle, type Bill, type LedgerEntry } from "./ledger.ts";
import type { CallRef } from "./reservations.ts";
import { dayOf } from "./utc-day.ts";
import { isLiveAttempt, type Run } from "../run.ts";
import { emit, wakeAt, type Step } from "../step.ts";

/** How long after the end of its lease an attempt's calls may still bill (contract). */
export const ORPHAN_GRACE_MS = 30_000;

/** Enters an attempt's bills, also of one that is over. Its other calls before the call `before` billed nothing: what they hold, or were taken to have billed, is free. */
export function closeCalls(step: Step, ref: AttemptRef, bills: readonly Bill[], before: number): void {
  const { ledger } = step.run;
  if (bills.length === 0 && !ledger.open.has(ref.task) && !ledger.assumed.has(ref.task)) return;
  const isLate = !isLiveAttempt(step.run, ref);
  for (const bill of bills) {
    const call: CallRef = { task: ref.task, attempt: ref.attempt, call: bill.call };
    const held = findHeld(ledger, call);
    const entry = settle(ledger, call, bill, dayOf(step.now), isLate);
    if (entry === null) continue;
    record(step, entry, bill);
    if (isOverrun(step.run, ref.task, bill, held)) noteOverrun(step, call, bill);
  }
  for (const call of listHeld(ledger, ref)) {
    const entry = call.call < before ? (release(ledger, call) ?? retract(ledger, call)) : null;
    if (entry !== null) record(step, entry, { nanoUsd: 0, tokens: 0 });
  }
  warn(step, ref);
}

/** From the end of an attempt that nobody reported, its calls may bill for a while yet. */
export function orphanCalls(step: Step, ref: AttemptRef, leaseUntil: number | null): void {
  if (!step.run.ledger.open.has(ref.task)) return;
  const expiresAt = Math.max(step.now, leaseUntil ?? 0) + ORPHAN_GRACE_MS;
  for (const entry of orphan(step.run.ledger, ref, expiresAt)) {
    step.entries.push(entry);
    wakeAt(step, expiresAt);
  }
}

/** Settles in full what nobody reported until now; `until` = Infinity: everything that is held. */
export function settleUnreported(step: Step, until: number): void {
  for (const entry of assumeExpired(step.run.ledger, until)) {
    record(step, entry, entry.spent);
    warn(step, entry);
  }
}

/** Notes an entry, and tells what it did: `amount` is what is held or was billed. */
export function record(step: Step, entry: LedgerEntry, amount: Amount): void {
  step.entries.push(entry);
  const type = entry.kind === "reserve" || entry.kind === "resize" ? "budget.reserved" : "budget.settled";
  emit(step, type, describeAmount(step.run, entry, amount), entry.task);
}

/** The data of budget events: an amount, and the workflow's totals after it. */
export function describeAmount(run: Run, { task, attempt }: AttemptRef, { nanoUsd, tokens }: Amount) {
  const { spent, reserved } = run.ledger.workflow;
  return {
    taskId: run.plan.tasks[task]!.id,
    attempt,
    usd: nanoUsd / NANO_USD_PER_USD,
    tokens,
    workflow: { spentUsd: spent.nanoUsd / NANO_USD_PER_USD, reservedUsd: reserved.nanoUsd / NANO_USD_PER_USD, spentTokens: spent.tokens, reservedTokens: reserved.tokens },
  };
}

/** Whether a call billed more than was held for it. Of what was not held, because no cap of its agent's work names it, whether a cap does not allow it. */
function isOverrun({ ledger, plan }: Run, task: number, bill: Bill, held: Amount | undefined): boolean {
  const cap = plan.tasks[task]!.kind === "http" ? (ledger.taskCaps.get(task) ?? NO_CAP) : null;
  const isHeld = (unit: keyof Amount): boolean => held !== undefined && (cap === null || cap[unit] !== null);
  const over = (["nanoUsd", "tokens"] as const).filter((unit) => bill[unit] > (held?.[unit] ?? 0));
  return over.some(isHeld) || (over.length > 0 && isOverspent(ledger, task));
}

/** The estimate was too low, which the next one learns from; but where caps were ignored, none can hold, and nothing more is reserved from the budgets that it passed. */
function noteOverrun(step: Step, ref: CallRef, bill: Bill): void {
  const { ledger, state } = step.run;
  emit(step, "budget.overrun", describeAmount(step.run, ref, bill), ref.task);
  if (bill.isOverCap !== true) return;
  const isLeased = [...ledger.days.values()].some(({ leasedNanoUsd }) => leasedNanoUsd !== null);
  if (ledger.cap.nanoUsd !== null || ledger.cap.tokens !== null || isLeased) state.budget.isBlocked = true;
  else if (ledger.taskCaps.has(ref.task)) state.budget.blockedTasks = [...new Set([...(state.budget.blockedTasks ?? []), ref.task])];
  else return;
  step.isStateTouched = true;
}

/** Whether nothing more is reserved for a task, since caps were ignored. */
export function isBlockedFor({ state }: Run, task: number): boolean {
  return state.budget.isBlocked || (state.budget.blockedTasks?.includes(task) ?? false);
}

/** Warns once at each mark that the spending passes. */
function warn(step: Step, ref: AttemptRef): void {
  const { ledger, state } = step.run;
  const { spent } = ledger.workflow;
  const percent = Math.max(percentOf(spent.nanoUsd, ledger.cap.nanoUsd), percentOf(spent.tokens, ledger.cap.tokens));
  for (const mark of step.abilities.warningThresholds) {
    if (percent < mark || state.budget.warnedPercent >= mark) continue;
    state.budget.warnedPercent = mark;
    step.isStateTouched = true;
    emit(step, "budget.warning", { ...describeAmount(step.run, ref, spent), percent: mark }, ref.task);
  }
}

function percentOf(used: number, cap: number | null): number {
  return cap === null || cap === 0 ? 0 : (used / cap) * 100;
}
