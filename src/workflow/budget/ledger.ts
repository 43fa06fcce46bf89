import type { AttemptRef } from "../../consumer/work-order.ts";
import type { Amount, Cap } from "./amount.ts";
import { addReservation, callRefOf, findReservation, nameCall, takeReservation, type CallRef, type Reservation, type Reservations } from "./reservations.ts";

/** What a call did bill. `isOverCap`: more output than the cap that was sent, or far more input than was sent, so caps cannot hold this provider. */
export interface Bill extends Amount {
  call: number;
  isOverCap?: boolean;
}

/**
 * One change of the books; the sum of all entries is the balance. `assume`: no report came, so the call is settled in full;
 * a report that comes after that replaces this bill (`correct`), or says that there was none (`retract`: it is to be removed).
 * `orphan` moves nothing: it says from when on the call cannot bill any more.
 */
export interface LedgerEntry extends CallRef {
  kind: "reserve" | "resize" | "settle" | "release" | "orphan" | "assume" | "correct" | "retract";
  day: number;
  reserved: Amount;
  spent: Amount;
  /** Of a call's bill: its attempt was not the live one any more. */
  isLate: boolean;
  /** Of `orphan`. */
  expiresAt: number | null;
}

interface Account {
  spent: Amount;
  reserved: Amount;
}

/** What one UTC day has cost, and how much of the tenant's budget the workflow may spend on it; null: nothing was leased. */
export interface DayAccount {
  spentNanoUsd: number;
  reservedNanoUsd: number;
  leasedNanoUsd: number | null;
}

/** The books of one workflow in memory. Everything but `leases` follows from the stored calls and reservations. */
export interface Ledger {
  cap: Cap;
  taskCaps: ReadonlyMap<number, Cap>;
  workflow: Account;
  /** Of tasks with a cap of their own. */
  tasks: Map<number, Account>;
  days: Map<number, DayAccount>;
  /** Reservations that hold money, and those settled in full for want of a report, by task. */
  open: Reservations;
  assumed: Reservations;
  /** Names of the calls whose bill is in the books. */
  settled: Set<string>;
}

/** What is stored of a workflow's calls: enough to rebuild the books. Bills that were assumed are also among `bills`. */
export interface StoredBooks {
  bills: readonly (CallRef & Amount & { day: number })[];
  open: readonly Reservation[];
  assumed: readonly Reservation[];
  leases: Readonly<Record<string, number>>;
}

/** The books of a workflow that has made no call. */
export const EMPTY_BOOKS: Omit<StoredBooks, "leases"> = { bills: [], open: [], assumed: [] };

const NOTHING: Amount = { nanoUsd: 0, tokens: 0 };

export function openLedger(cap: Cap, taskCaps: ReadonlyMap<number, Cap>, books: StoredBooks): Ledger {
  const ledger: Ledger = { cap, taskCaps, workflow: createAccount(), tasks: new Map(), days: new Map(), open: new Map(), assumed: new Map(), settled: new Set() };
  for (const [day, leased] of Object.entries(books.leases)) accountOfDay(ledger, Number(day)).leasedNanoUsd = leased;
  for (const bill of books.bills) {
    ledger.settled.add(nameCall(bill));
    move(ledger, bill.task, bill.day, NOTHING, bill);
  }
  for (const reservation of books.open) {
    addReservation(ledger.open, { ...reservation });
    move(ledger, reservation.task, reservation.day, reservation, NOTHING);
  }
  for (const reservation of books.assumed) addReservation(ledger.assumed, { ...reservation });
  return ledger;
}

/** What each task has spent. */
export function sumByTask(bills: StoredBooks["bills"]): Map<number, Amount> {
  const sums = new Map<number, Amount>();
  for (const { task, nanoUsd, tokens } of bills) {
    const sum = sums.get(task) ?? { nanoUsd: 0, tokens: 0 };
    sums.set(task, { nanoUsd: sum.nanoUsd + nanoUsd, tokens: sum.tokens + tokens });
  }
  return sums;
}

/** Whether `need` may be held now, could be once all other reservations are released, or not at all. */
export function judgeReserve(ledger: Ledger, { task, attempt, call }: CallRef, need: Amount): "fits" | "waits" | "never" {
  const held = findReservation(ledger.open, { task, attempt, call }) ?? NOTHING;
  let verdict: "fits" | "waits" = "fits";
  for (const { account, cap } of accountsOf(ledger, task)) {
    for (const unit of ["nanoUsd", "tokens"] as const) {
      const most = cap[unit];
      // What takes nothing of a cap fits it, also one that an overrun has passed.
      if (most === null || need[unit] === 0) continue;
      if (account.spent[unit] + need[unit] > most) return "never";
      if (account.spent[unit] + account.reserved[unit] - held[unit] + need[unit] > most) verdict = "waits";
    }
  }
  return verdict;
}

/** What a call of the task could hold at most, once all other reservations are released; null where nothing binds. */
export function findRoom(ledger: Ledger, task: number): Cap {
  const room: Cap = { nanoUsd: null, tokens: null };
  for (const { account, cap } of accountsOf(ledger, task)) {
    for (const unit of ["nanoUsd", "tokens"] as const) {
      const most = cap[unit];
      if (most !== null) room[unit] = Math.min(room[unit] ?? Infinity, Math.max(0, most - account.spent[unit]));
    }
  }
  return room;
}

/** Holds an amount for a call, or changes what is held. The caller has judged that it fits. A repetition changes nothing and gives null. */
export function reserve(ledger: Ledger, ref: CallRef, need: Amount, day: number): LedgerEntry | null {
  const known = findReservation(ledger.open, ref);
  if (known === undefined) {
    addReservation(ledger.open, { ...callRefOf(ref), nanoUsd: need.nanoUsd, tokens: need.tokens, day, expiresAt: null });
    return enter(ledger, "reserve", ref, day, need, NOTHING);
  }
  const change = { nanoUsd: need.nanoUsd - known.nanoUsd, tokens: need.tokens - known.tokens };
  if (change.nanoUsd === 0 && change.tokens === 0) return null;
  known.nanoUsd = need.nanoUsd;
  known.tokens = need.tokens;
  return enter(ledger, "resize", ref, known.day, change, NOTHING);
}

/** Enters a call's bill, whether something was held for it, its full amount was assumed, or nothing is known of it. Null when it is in the books already. */
export function settle(ledger: Ledger, ref: CallRef, bill: Amount, today: number, isLate: boolean): LedgerEntry | null {
  const assumed = takeReservation(ledger.assumed, ref);
  if (assumed !== null) {
    const change = { nanoUsd: bill.nanoUsd - assumed.nanoUsd, tokens: bill.tokens - assumed.tokens };
    return { ...enter(ledger, "correct", ref, assumed.day, NOTHING, change), isLate: true };
  }
  const name = nameCall(ref);
  if (ledger.settled.has(name)) return null;
  ledger.settled.add(name);
  const held = takeReservation(ledger.open, ref);
  return { ...enter(ledger, "settle", ref, held?.day ?? today, negate(held ?? NOTHING), bill), isLate };
}

/** Frees what is held for a call that billed nothing. */
export function release(ledger: Ledger, ref: CallRef): LedgerEntry | null {
  const held = takeReservation(ledger.open, ref);
  return held === null ? null : enter(ledger, "release", ref, held.day, negate(held), NOTHING);
}

/** Takes back what a call was taken to have billed: it billed nothing. */
export function retract(ledger: Ledger, ref: CallRef): LedgerEntry | null {
  const assumed = takeReservation(ledger.assumed, ref);
  if (assumed === null) return null;
  ledger.settled.delete(nameCall(ref));
  return { ...enter(ledger, "retract", ref, assumed.day, NOTHING, negate(assumed)), isLate: true };
}

/** The reservations of an attempt. */
export function listOpen(ledger: Ledger, { task, attempt }: AttemptRef): readonly Reservation[] {
  return (ledger.open.get(task) ?? []).filter((reservation) => reservation.attempt === attempt);
}

/** What is held for an attempt's calls, and what they were taken to have billed. */
export function listHeld(ledger: Ledger, ref: AttemptRef): readonly Reservation[] {
  return [...listOpen(ledger, ref), ...(ledger.assumed.get(ref.task) ?? []).filter(({ attempt }) => attempt === ref.attempt)];
}

/** What was held for a call until its bill, or in place of it. */
export function findHeld(ledger: Ledger, ref: CallRef): Reservation | undefined {
  return findReservation(ledger.open, ref) ?? findReservation(ledger.assumed, ref);
}

/** Whether more is spent and held than a cap over the task allows. */
export function isOverspent(ledger: Ledger, task: number): boolean {
  return [...accountsOf(ledger, task)].some(({ account: { spent, reserved }, cap }) => spent.nanoUsd + reserved.nanoUsd > (cap.nanoUsd ?? Infinity) || spent.tokens + reserved.tokens > (cap.tokens ?? Infinity));
}

/** Notes until when the calls of an attempt that ended without a report may still bill. */
export function orphan(ledger: Ledger, ref: AttemptRef, expiresAt: number): LedgerEntry[] {
  return listOpen(ledger, ref).flatMap((reservation) => {
    if (reservation.expiresAt !== null) return [];
    reservation.expiresAt = expiresAt;
    return [{ ...enter(ledger, "orphan", reservation, reservation.day, NOTHING, NOTHING), expiresAt }];
  });
}

/** Settles in full what nobody reported in time, one entry after the other; `now` = Infinity settles all. O(open reservations). */
export function* assumeExpired(ledger: Ledger, now: number): Generator<LedgerEntry> {
  const due = [...ledger.open.values()].flat().filter(({ expiresAt }) => now === Infinity || (expiresAt !== null && expiresAt <= now));
  for (const reservation of due) {
    takeReservation(ledger.open, reservation);
    addReservation(ledger.assumed, reservation);
    ledger.settled.add(nameCall(reservation));
    yield enter(ledger, "assume", reservation, reservation.day, negate(reservation), reservation);
  }
}

/** When the next reservation without a living attempt is settled in full; Infinity when there is none. O(open reservations). */
export function nextExpiryAt(ledger: Ledger): number {
  let at = Infinity;
  for (const reservations of ledger.open.values()) for (const { expiresAt } of reservations) at = Math.min(at, expiresAt ?? Infinity);
  return at;
}

/** The day's account, made when there is none. */
export function accountOfDay(ledger: Ledger, day: number): DayAccount {
  const account = ledger.days.get(day) ?? { spentNanoUsd: 0, reservedNanoUsd: 0, leasedNanoUsd: null };
  ledger.days.set(day, account);
  return account;
}

/** How much more of the tenant's budget has to be leased before `need` fits a day; 0 when it fits. */
export function missingLease(ledger: Ledger, ref: CallRef, day: number, need: Amount): number {
  const held = findReservation(ledger.open, ref);
  const { spentNanoUsd, reservedNanoUsd, leasedNanoUsd } = accountOfDay(ledger, day);
  return Math.max(0, spentNanoUsd + reservedNanoUsd - (held?.day === day ? held.nanoUsd : 0) + need.nanoUsd - (leasedNanoUsd ?? 0));
}

function* accountsOf(ledger: Ledger, task: number): Generator<{ account: Account; cap: Cap }> {
  yield { account: ledger.workflow, cap: ledger.cap };
  const cap = ledger.taskCaps.get(task);
  if (cap !== undefined) yield { account: accountOfTask(ledger, task), cap };
}

function accountOfTask(ledger: Ledger, task: number): Account {
  const account = ledger.tasks.get(task) ?? createAccount();
  ledger.tasks.set(task, account);
  return account;
}

function createAccount(): Account {
  return { spent: { ...NOTHING }, reserved: { ...NOTHING } };
}

function enter(ledger: Ledger, kind: LedgerEntry["kind"], ref: CallRef, day: number, reserved: Amount, spent: Amount): LedgerEntry {
  move(ledger, ref.task, day, reserved, spent);
  return { kind, ...callRefOf(ref), day, reserved: amountOf(reserved), spent: amountOf(spent), isLate: false, expiresAt: null };
}

function move(ledger: Ledger, task: number, day: number, reserved: Amount, spent: Amount): void {
  const accounts = ledger.taskCaps.has(task) ? [ledger.workflow, accountOfTask(ledger, task)] : [ledger.workflow];
  for (const account of accounts) {
    for (const unit of ["nanoUsd", "tokens"] as const) {
      account.reserved[unit] += reserved[unit];
      account.spent[unit] += spent[unit];
    }
  }
  const daily = accountOfDay(ledger, day);
  daily.reservedNanoUsd += reserved.nanoUsd;
  daily.spentNanoUsd += spent.nanoUsd;
}

function amountOf({ nanoUsd, tokens }: Amount): Amount {
  return { nanoUsd, tokens };
}

function negate({ nanoUsd, tokens }: Amount): Amount {
  return { nanoUsd: 0 - nanoUsd, tokens: 0 - tokens };
}
