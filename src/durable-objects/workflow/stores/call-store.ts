import type { AttemptCall } from "../../../consumer/work-order.ts";
import type { LedgerEntry, StoredBooks } from "../../../workflow/budget/ledger.ts";
import type { CallRef, Reservation } from "../../../workflow/budget/reservations.ts";
import type { SideTables } from "../../storage/side-tables.ts";

/** What stands in the ledger for a call that nobody reported: the most that it can have cost. */
export type WorstCall = Omit<AttemptCall, "at" | "estimated" | "cachedTokens" | "isOverCap">;

export interface StoredCall extends AttemptCall {
  task: number;
  attempt: number;
  /** UTC day whose budget it counts to. */
  day: number;
  isLate: boolean;
}

/** What an entry of the books did to the calls on record. */
export interface CallChange {
  added: AttemptCall | null;
  removed: AttemptCall | null;
}

const UNCHANGED: CallChange = { added: null, removed: null };

/** The calls of a workflow and what is held for those under way. The SQL of the tables `calls` and `reservations`. */
export class CallStore {
  readonly #tables: SideTables;

  constructor(tables: SideTables) {
    this.#tables = tables;
  }

  /** What the books of the workflow are rebuilt from. O(calls). */
  readBooks(): Omit<StoredBooks, "leases"> {
    const rows = this.#tables.run(
      // A call from before there were budgets counts to the day on which it was made.
      "SELECT task, attempt, call, coalesce(json ->> 'day', (json ->> 'at') / 86400000) AS day, json ->> 'costNanoUsd' AS cost, (json ->> 'inputTokens') + (json ->> 'outputTokens') AS tokens FROM calls",
    );
    const bills = rows.map((row) => ({ ...refOf(row), day: Number(row["day"]), nanoUsd: Number(row["cost"]), tokens: Number(row["tokens"]) }));
    const held = this.#tables.run("SELECT task, attempt, call, day, nano_usd, tokens, expires_at, is_assumed FROM reservations");
    const listHeld = (isAssumed: number): Reservation[] => held.filter((row) => row["is_assumed"] === isAssumed).map(reservationOf);
    return { bills, open: listHeld(0), assumed: listHeld(1) };
  }

  /** Keeps what an entry of the books did. `call`: the bill of one that settles; `worst`: what one that reserves stands for. */
  enter(entry: LedgerEntry, call: AttemptCall | null, worst: WorstCall | null, now: number): CallChange {
    switch (entry.kind) {
      case "reserve":
        this.#hold(entry, worst);
        return UNCHANGED;
      case "resize":
        this.#tables.run("UPDATE reservations SET nano_usd = nano_usd + ?, tokens = tokens + ?, json = coalesce(?, json) WHERE task = ? AND attempt = ? AND call = ?", entry.reserved.nanoUsd, entry.reserved.tokens, worst === null ? null : JSON.stringify(worst), ...keyOf(entry));
        return UNCHANGED;
      case "orphan":
        this.#tables.run("UPDATE reservations SET expires_at = ? WHERE task = ? AND attempt = ? AND call = ?", entry.expiresAt, ...keyOf(entry));
        return UNCHANGED;
      case "release":
        this.#free(entry);
        return UNCHANGED;
      case "settle":
        this.#free(entry);
        return { added: this.#add(entry, call!), removed: null };
      case "assume":
        return { added: this.#add(entry, this.#assume(entry, now)), removed: null };
      case "retract":
        this.#free(entry);
        return { removed: this.#removeCall(entry), added: null };
      case "correct":
        this.#free(entry);
        return { removed: this.#readCall(entry), added: this.#add(entry, call!) };
    }
  }

  /** Newest first; `before`: the id of a call that they were made before, null for all. */
  readCalls(before: number | null, limit: number): (StoredCall & { id: number })[] {
    const rows = this.#tables.run("SELECT id, task, attempt, late, json FROM calls WHERE id < ? ORDER BY id DESC LIMIT ?", before ?? Number.MAX_SAFE_INTEGER, limit);
    return rows.map((row) => ({
      ...(JSON.parse(String(row["json"])) as AttemptCall & { day: number }),
      id: Number(row["id"]),
      task: Number(row["task"]),
      attempt: Number(row["attempt"]),
      isLate: row["late"] === 1,
    }));
  }

  /** Calls and tokens, input and output together, of each task that made calls. */
  countByTask(): Map<number, { turns: number; tokens: number }> {
    const rows = this.#tables.run("SELECT task, count(*) AS turns, sum((json ->> 'inputTokens') + (json ->> 'outputTokens')) AS tokens FROM calls GROUP BY task");
    return new Map(rows.map((row) => [Number(row["task"]), { turns: Number(row["turns"]), tokens: Number(row["tokens"]) }]));
  }

  /** Usage of each task that made calls, or of one. */
  readUsage(task: number | null): Map<number, { inputTokens: number; outputTokens: number; costNanoUsd: number }> {
    const rows = this.#tables.run(
      `SELECT task, sum(json ->> 'inputTokens') AS input, sum(json ->> 'outputTokens') AS output, sum(json ->> 'costNanoUsd') AS cost
       FROM calls WHERE ? IS NULL OR task = ? GROUP BY task`, task, task,
    );
    return new Map(rows.map((row) => [Number(row["task"]), { inputTokens: Number(row["input"]), outputTokens: Number(row["output"]), costNanoUsd: Number(row["cost"]) }]));
  }

  #hold(entry: LedgerEntry, worst: WorstCall | null): void {
    this.#tables.add("INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?, NULL, 0, ?)", ...keyOf(entry), entry.day, entry.reserved.nanoUsd, entry.reserved.tokens, JSON.stringify(worst));
  }

  #free(entry: CallRef): void {
    this.#tables.run("DELETE FROM reservations WHERE task = ? AND attempt = ? AND call = ?", ...keyOf(entry));
  }

  /** A correction keeps the line's place in the ledger. */
  #add(entry: LedgerEntry, call: AttemptCall): AttemptCall {
    this.#tables.add(
      `INSERT INTO calls (task, attempt, call, late, json) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (task, attempt, call) DO UPDATE SET late = excluded.late, json = excluded.json`,
      ...keyOf(entry), entry.isLate ? 1 : 0, JSON.stringify({ ...call, day: entry.day }),
    );
    return call;
  }

  #assume(entry: LedgerEntry, now: number): AttemptCall {
    const [row] = this.#tables.run("UPDATE reservations SET is_assumed = 1 WHERE task = ? AND attempt = ? AND call = ? RETURNING json", ...keyOf(entry));
    const worst = JSON.parse(String(row?.["json"])) as WorstCall;
    return { ...worst, at: now, cachedTokens: 0, estimated: true, isOverCap: false };
  }

  #removeCall(entry: CallRef): AttemptCall | null {
    const [row] = this.#tables.run("DELETE FROM calls WHERE task = ? AND attempt = ? AND call = ? RETURNING json", ...keyOf(entry));
    return row === undefined ? null : (JSON.parse(String(row["json"])) as AttemptCall);
  }

  #readCall(entry: CallRef): AttemptCall | null {
    const [row] = this.#tables.run("SELECT json FROM calls WHERE task = ? AND attempt = ? AND call = ?", ...keyOf(entry));
    return row === undefined ? null : (JSON.parse(String(row["json"])) as AttemptCall);
  }
}

function keyOf({ task, attempt, call }: CallRef): [number, number, number] {
  return [task, attempt, call];
}

function refOf(row: Record<string, SqlStorageValue>): CallRef {
  return { task: Number(row["task"]), attempt: Number(row["attempt"]), call: Number(row["call"]) };
}

function reservationOf(row: Record<string, SqlStorageValue>): Reservation {
  return { ...refOf(row), day: Number(row["day"]), nanoUsd: Number(row["nano_usd"]), tokens: Number(row["tokens"]), expiresAt: row["expires_at"] === null ? null : Number(row["expires_at"]) };
}
