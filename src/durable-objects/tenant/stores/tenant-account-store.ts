import type { TenantBudget } from "../../../config/tenant-record.ts";
import { closeShare, settleShare, takeSpend, type AccountBook, type AccountEntry, type DaySpend, type DaySums, type Holder } from "../../../workflow/budget/tenant-account.ts";

/** A share that is not spent. */
export interface OpenShare {
  holder: Holder;
  day: number;
}

/** The SQL of a tenant's budget account. Every method belongs in a transaction. */
export class TenantAccountStore {
  readonly #sql: SqlStorage;
  readonly #readBudget: () => TenantBudget | null;

  constructor(sql: SqlStorage, readBudget: () => TenantBudget | null) {
    this.#sql = sql;
    this.#readBudget = readBudget;
  }

  /** The account as of `now` (Unix ms). */
  open(now: number): AccountBook {
    return {
      readBudget: this.#readBudget,
      readEntry: (holder, day) => this.#readEntry(holder, day),
      writeEntry: ({ id, createdAt }, day, { leasedNanoUsd, spentNanoUsd, toldRevision, askedRevision, expiresAt }) => {
        this.#sql.exec("INSERT OR REPLACE INTO budget_entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", id, createdAt, day, leasedNanoUsd, spentNanoUsd, toldRevision, askedRevision, expiresAt, now);
      },
      deleteEntry: ({ id, createdAt }, day) => void this.#sql.exec("DELETE FROM budget_entries WHERE holder = ? AND created_at = ? AND day = ?", id, createdAt, day),
      addToDay: (day, { heldNanoUsd, spentNanoUsd }) => {
        this.#sql.exec("INSERT INTO budget_days VALUES (?, ?, ?) ON CONFLICT (day) DO UPDATE SET held = held + excluded.held, spent = spent + excluded.spent", day, heldNanoUsd, spentNanoUsd);
      },
      sumDays: (firstDay, lastDay) => this.#sumDays(firstDay, lastDay),
    };
  }

  takeSpend(holder: Holder, spend: readonly DaySpend[], now: number): void {
    const book = this.open(now);
    for (const told of spend) takeSpend(book, holder, told);
  }

  /** Takes back what a workflow that is gone, or was removed, had not spent. What it told is kept until it is forgotten: it may be let in again. */
  close(holder: Holder, now: number): void {
    const book = this.open(now);
    for (const day of this.#listDays(holder)) closeShare(book, holder, day);
  }

  /** Enters calls of the gateway at their cost, in the place of what was reserved for them. Each id once. */
  settleCalls(calls: readonly { id: string; day: number; costNanoUsd: number }[], now: number): void {
    const book = this.open(now);
    const reserved = this.#listReservedDays(calls.map(({ id }) => id));
    const unreserved = new Map<number, number>();
    for (const { id, day, costNanoUsd } of calls) {
      const [reservedDay, ...others] = reserved.get(id) ?? [];
      if (reservedDay === undefined) unreserved.set(day, (unreserved.get(day) ?? 0) + costNanoUsd);
      else settleShare(book, { id, createdAt: 0 }, reservedDay, costNanoUsd);
      for (const other of others) settleShare(book, { id, createdAt: 0 }, other, 0);
    }
    for (const [day, costNanoUsd] of unreserved) book.addToDay(day, { heldNanoUsd: costNanoUsd, spentNanoUsd: costNanoUsd });
  }

  /** Days on which something was reserved for calls of the gateway, by their ids. */
  #listReservedDays(ids: readonly string[]): Map<string, number[]> {
    const days = new Map<string, number[]>();
    const rows = this.#sql.exec("SELECT holder, day FROM budget_entries WHERE created_at = 0 AND holder IN (SELECT value FROM json_each(?)) ORDER BY holder, day", JSON.stringify(ids));
    for (const row of rows) days.set(String(row["holder"]), [...(days.get(String(row["holder"])) ?? []), Number(row["day"])]);
    return days;
  }

  #listDays({ id, createdAt }: Holder): number[] {
    return this.#sql.exec("SELECT day FROM budget_entries WHERE holder = ? AND created_at = ?", id, createdAt).toArray().map((row) => Number(row["day"]));
  }

  /** Workflows that hold what they have not spent on these days, those that hold most first. Of the one that asks, what it has left of other days than `day` counts. */
  listLargestShares(days: { firstDay: number; lastDay: number }, asker: Holder, day: number, limit: number): OpenShare[] {
    const rows = this.#sql.exec(
      `SELECT holder, created_at, max(day) AS day FROM budget_entries WHERE leased > spent AND expires_at IS NULL AND day BETWEEN ? AND ? AND NOT (holder = ? AND created_at = ? AND day = ?)
       GROUP BY holder, created_at ORDER BY sum(leased - spent) DESC LIMIT ?`,
      days.firstDay, days.lastDay, asker.id, asker.createdAt, day, limit,
    );
    return rows.toArray().map(readShare);
  }

  /** Workflows that hold what they have not spent, and were not heard of since `before`, the longest silent first. */
  listSilentShares(before: number, limit: number): OpenShare[] {
    const rows = this.#sql.exec(
      `SELECT holder, created_at, max(day) AS day FROM budget_entries WHERE leased > spent AND expires_at IS NULL AND touched_at < ?
       GROUP BY holder, created_at ORDER BY min(touched_at) LIMIT ?`,
      before, limit,
    );
    return rows.toArray().map(readShare);
  }

  /** Reservations whose calls can bill no more. */
  listExpired(now: number, limit: number): OpenShare[] {
    return this.#sql.exec("SELECT holder, created_at, day FROM budget_entries WHERE expires_at <= ? ORDER BY expires_at LIMIT ?", now, limit).toArray().map(readShare);
  }

  /** They count as heard of now, so that the next look comes to others. */
  touch({ id, createdAt }: Holder, now: number): void {
    this.#sql.exec("UPDATE budget_entries SET touched_at = ? WHERE holder = ? AND created_at = ?", now, id, createdAt);
  }

  /** Forgets what a holder and those that had its id before told; what they spent stays in the sums. */
  forget({ id, createdAt }: Holder): void {
    this.#sql.exec("DELETE FROM budget_entries WHERE holder = ? AND created_at BETWEEN 1 AND ?", id, createdAt);
  }

  /** Forgets calls of the gateway that nobody settled. */
  forgetCalls(before: number): void {
    this.#sql.exec("DELETE FROM budget_entries WHERE created_at = 0 AND touched_at < ? AND expires_at IS NULL", before);
  }

  #readEntry({ id, createdAt }: Holder, day: number): AccountEntry | null {
    const [row] = this.#sql.exec("SELECT leased, spent, told_revision, asked_revision, expires_at FROM budget_entries WHERE holder = ? AND created_at = ? AND day = ?", id, createdAt, day).toArray();
    if (row === undefined) return null;
    return {
      leasedNanoUsd: Number(row["leased"]),
      spentNanoUsd: Number(row["spent"]),
      toldRevision: Number(row["told_revision"]),
      askedRevision: Number(row["asked_revision"]),
      expiresAt: row["expires_at"] === null ? null : Number(row["expires_at"]),
    };
  }

  #sumDays(firstDay: number, lastDay: number): DaySums {
    const row = this.#sql.exec("SELECT coalesce(sum(held), 0) AS held, coalesce(sum(spent), 0) AS spent FROM budget_days WHERE day BETWEEN ? AND ?", firstDay, lastDay).one();
    return { heldNanoUsd: Number(row["held"]), spentNanoUsd: Number(row["spent"]) };
  }
}

function readShare(row: Record<string, SqlStorageValue>): OpenShare {
  return { holder: { id: String(row["holder"]), createdAt: Number(row["created_at"]) }, day: Number(row["day"]) };
}
