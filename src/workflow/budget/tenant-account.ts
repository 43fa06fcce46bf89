import type { TenantBudget } from "../../config/tenant-record.ts";
import { DAY_MS } from "./utc-day.ts";

/*
 * A tenant's budget and who may spend how much of it. Workflows lease a share before they spend and tell what they spent; calls of
 * the gateway reserve theirs one by one. Whatever is lost, late or repeated, what is held never falls below what holders may spend.
 *
 * Money is in integer nano-dollars. Days are UTC days: Unix ms / 86,400,000, rounded down.
 */

/** Who holds a share: a workflow, or a request to the gateway (`createdAt` 0). An id that is used again is another holder. */
export interface Holder {
  id: string;
  /** Unix ms. */
  createdAt: number;
}

/** What a holder tells of one day: totals, never changes. Of two the one with the higher revision is right. */
export interface DaySpend {
  day: number;
  spentNanoUsd: number;
  /** What it may spend, of which `spentNanoUsd` is spent. */
  leasedNanoUsd: number;
  revision: number;
}

/** A share of one day. What it holds of the budget is the larger of the two amounts. */
export interface AccountEntry {
  leasedNanoUsd: number;
  spentNanoUsd: number;
  /** Of the newest that the holder told. */
  toldRevision: number;
  /** Of the newest lease that it asked for: what was told up to then may not lower the lease. */
  askedRevision: number;
  /** When it is settled in full if nobody settles it (Unix ms); null for workflows, which are asked. */
  expiresAt: number | null;
}

export interface DaySums {
  heldNanoUsd: number;
  spentNanoUsd: number;
}

/** Where entries are kept, with the sums of each day. */
export interface AccountBook {
  readBudget: () => TenantBudget | null;
  readEntry: (holder: Holder, day: number) => AccountEntry | null;
  writeEntry: (holder: Holder, day: number, entry: AccountEntry) => void;
  deleteEntry: (holder: Holder, day: number) => void;
  addToDay: (day: number, change: DaySums) => void;
  /** Sums over days, both ends included. */
  sumDays: (firstDay: number, lastDay: number) => DaySums;
}

export interface ShareRequest {
  holder: Holder;
  day: number;
  /** The least total for that day that helps. */
  neededNanoUsd: number;
  /** The total that is wanted. */
  wantedNanoUsd: number;
  /** Numbers what the holder asks and tells: later ones are higher. It counts on the answer only if it told nothing since. */
  revision: number;
  /** When the share is settled in full if nobody settles it (Unix ms): of a call of the gateway. Null for a workflow. */
  expiresAt: number | null;
}

export type ShareAnswer =
  /** The tenant has no budget. */
  | { kind: "unlimited" }
  /**
   * `leasedNanoUsd`: the total that the holder has now, never less than before. `mayGrow`: what is needed did not fit, and would if
   * others gave back what they have not spent. `mostNanoUsd`: the largest total that it could have had.
   */
  | { kind: "leased"; leasedNanoUsd: number; mayGrow: boolean; mostNanoUsd: number };

const LAST_DAY = Number.MAX_SAFE_INTEGER;
const NO_ENTRY: AccountEntry = { leasedNanoUsd: 0, spentNanoUsd: 0, toldRevision: 0, askedRevision: 0, expiresAt: null };

/** The days that share a budget with `day`, both ends included. */
export function daysOfPeriod(period: TenantBudget["period"], day: number): { firstDay: number; lastDay: number } {
  switch (period) {
    case "day":
      return { firstDay: day, lastDay: day };
    case "month": {
      const date = new Date(day * DAY_MS);
      const startOfMonth = (months: number): number => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1) / DAY_MS;
      return { firstDay: startOfMonth(0), lastDay: startOfMonth(1) - 1 };
    }
    case "total":
      return { firstDay: 0, lastDay: LAST_DAY };
  }
}

export function heldOf({ leasedNanoUsd, spentNanoUsd }: AccountEntry): number {
  return Math.max(leasedNanoUsd, spentNanoUsd);
}

/**
 * Leases what is wanted as far as it fits the budget of the day's period: at least what is needed, and of what is wanted beyond that
 * at most half of the room, so that the next to ask finds some. What can never fit is given what is left: it may find something
 * smaller to do with it.
 */
export function leaseShare(book: AccountBook, request: ShareRequest): ShareAnswer {
  const budget = book.readBudget();
  if (budget === null) return { kind: "unlimited" };
  const { holder, day, neededNanoUsd, wantedNanoUsd, revision, expiresAt } = request;
  const known = book.readEntry(holder, day);
  const entry = known ?? NO_ENTRY;
  const held = heldOf(entry);
  const { firstDay, lastDay } = daysOfPeriod(budget.period, day);
  const sums = book.sumDays(firstDay, lastDay);
  const room = Math.max(0, budget.maxNanoUsd - sums.heldNanoUsd);
  const most = held + room;
  // The holder told something after it asked: it does not count on the answer, and may know of a lower lease.
  const isStale = revision < entry.toldRevision;
  const fits = neededNanoUsd <= most;
  const unspentByOthers = sums.heldNanoUsd - sums.spentNanoUsd - (held - entry.spentNanoUsd);
  const mayGrow = !fits && unspentByOthers > 0 && neededNanoUsd <= budget.maxNanoUsd - (sums.spentNanoUsd - entry.spentNanoUsd);
  const least = fits ? Math.max(neededNanoUsd, Math.min(wantedNanoUsd, held + Math.ceil(room / 2))) : mayGrow || expiresAt !== null ? 0 : most;
  const leasedNanoUsd = isStale ? entry.leasedNanoUsd : Math.max(entry.leasedNanoUsd, least);
  const next: AccountEntry = { ...entry, leasedNanoUsd, askedRevision: Math.max(entry.askedRevision, revision), expiresAt };
  // Those who get nothing and were never heard of leave no trace.
  if (known !== null || leasedNanoUsd > 0) change(book, holder, day, entry, next);
  return { kind: "leased", leasedNanoUsd: heldOf(next), mayGrow, mostNanoUsd: most };
}

/** Takes what a holder tells of a day. False for what is older than what is known. */
export function takeSpend(book: AccountBook, holder: Holder, told: DaySpend): boolean {
  const entry = book.readEntry(holder, told.day) ?? NO_ENTRY;
  if (told.revision <= entry.toldRevision) return false;
  // It was told before, or while, the lease was asked for, and the holder may count on that one by now.
  const mayLower = told.revision > entry.askedRevision;
  change(book, holder, told.day, entry, {
    ...entry,
    spentNanoUsd: told.spentNanoUsd,
    leasedNanoUsd: mayLower ? told.leasedNanoUsd : Math.max(entry.leasedNanoUsd, told.leasedNanoUsd),
    toldRevision: told.revision,
  });
  return true;
}

/** Takes back what a holder that is gone had not spent, by what it told. */
export function closeShare(book: AccountBook, holder: Holder, day: number): void {
  const entry = book.readEntry(holder, day);
  if (entry !== null) change(book, holder, day, entry, { ...entry, leasedNanoUsd: 0 });
}

/** Settles a call that was never reported at all that was reserved for it; a settlement that comes later replaces it. */
export function assumeSpent(book: AccountBook, holder: Holder, day: number): void {
  const entry = book.readEntry(holder, day);
  if (entry !== null) change(book, holder, day, entry, { ...entry, spentNanoUsd: heldOf(entry), expiresAt: null });
}

/** Replaces what a call reserved on a day by what it cost. Nothing is kept of it but the day's sums: to be called once. */
export function settleShare(book: AccountBook, holder: Holder, day: number, costNanoUsd: number): void {
  const entry = book.readEntry(holder, day) ?? NO_ENTRY;
  book.addToDay(day, { heldNanoUsd: costNanoUsd - heldOf(entry), spentNanoUsd: costNanoUsd - entry.spentNanoUsd });
  book.deleteEntry(holder, day);
}

function change(book: AccountBook, holder: Holder, day: number, before: AccountEntry, after: AccountEntry): void {
  book.writeEntry(holder, day, after);
  const heldNanoUsd = heldOf(after) - heldOf(before);
  const spentNanoUsd = after.spentNanoUsd - before.spentNanoUsd;
  if (heldNanoUsd !== 0 || spentNanoUsd !== 0) book.addToDay(day, { heldNanoUsd, spentNanoUsd });
}
