import { NO_ALLOWANCE, type Allowance, type TenantRecord, type TenantState } from "../../../config/tenant-record.ts";

/** What the operator set of a tenant: the SQL of its object's table `tenant`, which has one row at most. */
export class TenantRecordStore {
  readonly #sql: SqlStorage;
  readonly #tenant: string;
  /** The row as it was read last: it is asked for with every entry of the index, and seldom written. */
  #known: { record: TenantRecord | null } | null = null;

  /** `tenant`: the object's name. */
  constructor(sql: SqlStorage, tenant: string) {
    this.#sql = sql;
    this.#tenant = tenant;
  }

  /** The operator's own tenant needs no row to be there. */
  read(): TenantRecord {
    return this.find() ?? { id: this.#tenant, createdAt: null, state: "active", changedAt: 0, ...NO_ALLOWANCE };
  }

  find(): TenantRecord | null {
    this.#known ??= { record: this.#read() };
    return this.#known.record;
  }

  /** To be called where the table may have changed otherwise: it was removed, or a transaction was rolled back. */
  forget(): void {
    this.#known = null;
  }

  #read(): TenantRecord | null {
    const [row] = this.#sql.exec("SELECT id, created_at, state, changed_at, allowance FROM tenant").toArray();
    if (row === undefined) return null;
    return {
      id: String(row["id"]),
      createdAt: row["created_at"] === null ? null : Number(row["created_at"]),
      state: String(row["state"]) as TenantState,
      changedAt: Number(row["changed_at"]),
      ...(JSON.parse(String(row["allowance"])) as Allowance),
    };
  }

  write({ id, createdAt, state, changedAt, budget, limits }: TenantRecord): void {
    this.forget();
    this.#sql.exec("INSERT OR REPLACE INTO tenant VALUES (1, ?, ?, ?, ?, ?)", id, createdAt, state, changedAt, JSON.stringify({ budget, limits }));
  }
}
