import type { Scope } from "../../../api/auth/scopes.ts";
import type { ListPosition } from "../../../api/http/list-position.ts";

export interface KeyRow extends ListPosition {
  hash: string;
  name: string | null;
  scopes: Scope[];
  lastUsedAt: number | null;
}

/** A tenant's keys: the SQL of the table `keys`. A revoked one stays until its replica is gone. Times are Unix milliseconds. */
export class KeyStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  add({ id, hash, name, scopes, createdAt }: Omit<KeyRow, "lastUsedAt">): void {
    this.#sql.exec("INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL, 0)", id, hash, name, JSON.stringify(scopes), createdAt);
  }

  count(): number {
    return Number(this.#sql.exec("SELECT count(*) AS count FROM keys WHERE is_revoked = 0").one()["count"]);
  }

  list(limit: number, after: ListPosition | null): KeyRow[] {
    const { createdAt, id } = after ?? { createdAt: Number.MAX_SAFE_INTEGER, id: "" };
    return this.#sql.exec("SELECT * FROM keys WHERE is_revoked = 0 AND (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?", createdAt, id, limit).toArray().map(readRow);
  }

  findByHash(hash: string): KeyRow | null {
    const [row] = this.#sql.exec("SELECT * FROM keys WHERE hash = ? AND is_revoked = 0", hash).toArray();
    return row === undefined ? null : readRow(row);
  }

  isInForce(id: string): boolean {
    return this.#sql.exec("SELECT 1 FROM keys WHERE id = ? AND is_revoked = 0", id).toArray().length > 0;
  }

  /** False when there is none; true also for one that was revoked and is still here. */
  revoke(id: string): boolean {
    return this.#sql.exec("UPDATE keys SET is_revoked = 1 WHERE id = ?", id).rowsWritten > 0;
  }

  revokeAll(): void {
    this.#sql.exec("UPDATE keys SET is_revoked = 1");
  }

  listRevoked(): { id: string; hash: string }[] {
    return this.#sql.exec("SELECT id, hash FROM keys WHERE is_revoked = 1").toArray().map((row) => ({ id: String(row["id"]), hash: String(row["hash"]) }));
  }

  forget(id: string): void {
    this.#sql.exec("DELETE FROM keys WHERE id = ? AND is_revoked = 1", id);
  }

  /** Writes only what is newer by `stepMs`. */
  noteUse(id: string, at: number, stepMs: number): void {
    this.#sql.exec("UPDATE keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= ?)", at, id, at - stepMs);
  }
}

function readRow(row: Record<string, SqlStorageValue>): KeyRow {
  return {
    id: String(row["id"]),
    hash: String(row["hash"]),
    name: row["name"] === null ? null : String(row["name"]),
    scopes: JSON.parse(String(row["scopes"])) as Scope[],
    createdAt: Number(row["created_at"]),
    lastUsedAt: row["last_used_at"] === null ? null : Number(row["last_used_at"]),
  };
}
