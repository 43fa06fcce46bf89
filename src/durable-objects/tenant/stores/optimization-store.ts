import type { StoredDecision } from "../../../consumer/run-reoptimization.ts";
import type { OptimizationDecision } from "../../../optimizer/reoptimization/reoptimize.ts";

/** Decisions kept: a few weeks of them where something changes at every run. */
export const MAX_DECISIONS = 1_000;

/** The re-optimizer's decisions: the SQL of the operator's object about them. */
export class OptimizationStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  add(decision: OptimizationDecision): number {
    const id = Number(this.#sql.exec("INSERT INTO optimizations (at, json) VALUES (?, ?) RETURNING id", decision.at, JSON.stringify(decision)).one()["id"]);
    this.#sql.exec("DELETE FROM optimizations WHERE id <= ?", id - MAX_DECISIONS);
    return id;
  }

  /** Newest first. */
  list(limit: number, before: number | null): StoredDecision[] {
    const rows = this.#sql.exec("SELECT id, json FROM optimizations WHERE id < ? ORDER BY id DESC LIMIT ?", before ?? Number.MAX_SAFE_INTEGER, limit).toArray();
    return rows.map((row) => ({ ...(JSON.parse(String(row["json"])) as OptimizationDecision), id: Number(row["id"]) }));
  }
}
