import type { TenantStatus } from "../../../api/ports/directory-port.ts";
import { OPERATOR_TENANT } from "../../../api/stored-tiers.ts";
import type { ListPosition } from "../../../api/http/list-position.ts";

/**
 * `creating`: its object may not know yet. `ending`: it is out of the directory, and its object may not know yet. `removing`: its object is
 * about it. Only an `active` one is there for anybody.
 */
export type DirectoryState = "creating" | "active" | "ending" | "removing";

export interface DirectoryRow extends ListPosition {
  state: DirectoryState;
  /** When its removal began. */
  removingAt: number | null;
}

/** All tenants but the operator's own: the SQL of the tables `tenants` and `tenant_answers` of the operator's object. Times are Unix milliseconds. */
export class DirectoryStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  find(id: string): DirectoryRow | null {
    const [row] = this.#sql.exec("SELECT id, created_at, state, removing_at FROM tenants WHERE id = ?", id).toArray();
    return row === undefined ? null : readRow(row);
  }

  put({ id, createdAt, state, removingAt }: DirectoryRow): void {
    this.#sql.exec(
      `INSERT INTO tenants VALUES (?, ?, ?, ?, 0)
       ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at, state = excluded.state, removing_at = excluded.removing_at`,
      id, createdAt, state, removingAt,
    );
  }

  forget(id: string, removingAt: number): void {
    this.#sql.exec("DELETE FROM tenants WHERE id = ? AND removing_at = ?", id, removingAt);
  }

  /** Newest first, the operator's own last. */
  list(limit: number, after: ListPosition | null): ListPosition[] {
    const { createdAt, id } = after ?? { createdAt: Number.MAX_SAFE_INTEGER, id: "" };
    return this.#sql
      .exec(
        `SELECT id, created_at FROM (SELECT id, created_at FROM tenants WHERE state = 'active' UNION ALL SELECT ?, 0)
         WHERE (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?`,
        OPERATOR_TENANT, createdAt, id, limit,
      )
      .toArray()
      .map((row) => ({ id: String(row["id"]), createdAt: Number(row["created_at"]) }));
  }

  /** Those taken longest ago; they count as taken now. */
  take(isActive: boolean, limit: number, now: number): DirectoryRow[] {
    const states = isActive ? "state = 'active'" : "state IN ('ending', 'removing')";
    const rows = this.#sql.exec(`SELECT id, created_at, state, removing_at FROM tenants WHERE ${states} ORDER BY swept_at, id LIMIT ?`, limit).toArray().map(readRow);
    for (const { id } of rows) this.#sql.exec("UPDATE tenants SET swept_at = ? WHERE id = ?", now, id);
    return rows;
  }

  /** What the first request with an `Idempotency-Key` was answered since then. */
  findAnswer(key: string, since: number): { bodyHash: string; answer: TenantStatus } | null {
    const [row] = this.#sql.exec("SELECT body_hash, answer FROM tenant_answers WHERE key = ? AND at > ?", key, since).toArray();
    return row === undefined ? null : { bodyHash: String(row["body_hash"]), answer: JSON.parse(String(row["answer"])) as TenantStatus };
  }

  /** Forgets those of before `since`. */
  addAnswer({ key, bodyHash }: { key: string; bodyHash: string }, answer: TenantStatus, now: number, since: number): void {
    this.#sql.exec("DELETE FROM tenant_answers WHERE at <= ?", since);
    this.#sql.exec("INSERT OR REPLACE INTO tenant_answers VALUES (?, ?, ?, ?)", key, bodyHash, now, JSON.stringify(answer));
  }
}

function readRow(row: Record<string, SqlStorageValue>): DirectoryRow {
  return {
    id: String(row["id"]),
    createdAt: Number(row["created_at"]),
    state: String(row["state"]) as DirectoryState,
    removingAt: row["removing_at"] === null ? null : Number(row["removing_at"]),
  };
}
