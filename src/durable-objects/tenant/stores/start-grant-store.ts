import type { Holder } from "../../../workflow/budget/tenant-account.ts";
import type { StartBucket, StartGrant } from "../../../workflow/starts/start-permits.ts";

/** What a workflow was granted, as of the newest that it asked or told. */
export interface StoredGrant extends StartGrant {
  revision: number;
}

/** The SQL of who of a tenant's workflows may start how many tasks. There is a row for those only that have something running, or may start something. */
export class StartGrantStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  read({ id, createdAt }: Holder): StoredGrant | null {
    const [row] = this.#sql.exec("SELECT up_to, ended, revision FROM start_grants WHERE holder = ? AND created_at = ?", id, createdAt).toArray();
    return row === undefined ? null : { upTo: Number(row["up_to"]), ended: Number(row["ended"]), revision: Number(row["revision"]) };
  }

  write({ id, createdAt }: Holder, { upTo, ended, revision }: StoredGrant, now: number): void {
    if (upTo <= ended) return this.delete({ id, createdAt });
    this.#sql.exec("INSERT OR REPLACE INTO start_grants VALUES (?, ?, ?, ?, ?, ?)", id, createdAt, upTo, ended, revision, now);
  }

  delete({ id, createdAt }: Holder): void {
    this.#sql.exec("DELETE FROM start_grants WHERE holder = ? AND created_at = ?", id, createdAt);
  }

  /** Of all workflows together. */
  countRunning(): number {
    return Number(this.#sql.exec("SELECT coalesce(sum(up_to - ended), 0) AS running FROM start_grants").one()["running"]);
  }

  /** Those that were not heard of since `before`, the longest silent first. They count as heard of by that. */
  takeSilent(before: number, limit: number, now: number): Holder[] {
    const rows = this.#sql.exec("SELECT holder, created_at FROM start_grants WHERE touched_at < ? ORDER BY touched_at LIMIT ?", before, limit).toArray();
    return rows.map((row) => {
      const holder = { id: String(row["holder"]), createdAt: Number(row["created_at"]) };
      this.#sql.exec("UPDATE start_grants SET touched_at = ? WHERE holder = ? AND created_at = ?", now, holder.id, holder.createdAt);
      return holder;
    });
  }

  readBucket(): StartBucket | null {
    const [row] = this.#sql.exec("SELECT left_over, at FROM start_bucket").toArray();
    return row === undefined ? null : { left: Number(row["left_over"]), at: Number(row["at"]) };
  }

  writeBucket(bucket: StartBucket | null): void {
    if (bucket === null) this.#sql.exec("DELETE FROM start_bucket");
    else this.#sql.exec("INSERT OR REPLACE INTO start_bucket VALUES (1, ?, ?)", bucket.left, bucket.at);
  }

  /** Without limits nobody asks, so nothing is known. */
  clear(): void {
    this.#sql.exec("DELETE FROM start_grants");
    this.#sql.exec("DELETE FROM start_bucket");
  }
}
