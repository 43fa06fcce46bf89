import type { GatewayEntry, LedgerPosition, LedgerQuery, PeriodSums, WorkflowCell } from "../../../api/ports/stats-port.ts";
import { addSums, createSums, listCells, mergeCells, STATS_HOUR_MS, subtractSums, type CallSums, type StatsCell } from "../../../optimizer/call-stats.ts";

/** How long a request to the gateway is remembered, and its calls kept: as long as a workflow is by default. */
export const GATEWAY_MEMORY_MS = 30 * 86_400_000;

/** The sums of a tenant's calls: the SQL of its object's tables about them. Every method belongs in a transaction. */
export class TenantStatsStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Takes a workflow's sums so far in: what they grew by since the last time. They may come twice and in any order. */
  takeWorkflow(workflow: { id: string; createdAt: number }, cells: readonly WorkflowCell[]): void {
    const { id, createdAt } = workflow;
    const grown = cells.flatMap(({ revision, sums, ...key }): StatsCell[] => {
      const [row] = this.#sql.exec("SELECT revision, sums FROM workflow_stats WHERE id = ? AND created_at = ? AND hour = ? AND tier = ? AND task_type = ?", id, createdAt, key.hour, key.tier, key.taskType).toArray();
      if (row !== undefined && Number(row["revision"]) >= revision) return [];
      this.#sql.exec("INSERT OR REPLACE INTO workflow_stats VALUES (?, ?, ?, ?, ?, ?, ?)", id, createdAt, key.hour, key.tier, key.taskType, revision, JSON.stringify(sums));
      return [{ ...key, sums: row === undefined ? sums : subtractSums(sums, JSON.parse(String(row["sums"])) as CallSums) }];
    });
    this.#addToTotals(grown);
  }

  /** Forgets what a removed workflow had told, and those that had its id before. What they cost stays in the totals. */
  forgetWorkflow(id: string, createdAt: number): void {
    this.#sql.exec("DELETE FROM workflow_stats WHERE id = ? AND created_at <= ?", id, createdAt);
  }

  /** Gives the entries that are new here. */
  takeGatewayCalls(entries: readonly GatewayEntry[], now: number): GatewayEntry[] {
    this.#sql.exec("DELETE FROM gateway_calls WHERE at < ?", now - GATEWAY_MEMORY_MS);
    // One statement for all: a call of the database for each would cost several times what it writes.
    const rows = this.#sql.exec("INSERT OR IGNORE INTO gateway_calls SELECT value ->> 'id', value ->> 'at', value FROM json_each(?) RETURNING id", JSON.stringify(entries)).toArray();
    const unknownIds = new Set(rows.map((row) => String(row["id"])));
    // An entry that stands in the batch twice counts once too.
    const fresh = entries.filter(({ id }) => unknownIds.delete(id));
    this.#addToTotals(fresh.flatMap((entry) => listCells({ ...entry, escalatedFrom: [], contextTokensSaved: 0 })));
    return fresh;
  }

  listGatewayCalls({ since, from, limit }: LedgerQuery): GatewayEntry[] {
    const rows = this.#sql.exec("SELECT json FROM gateway_calls WHERE at >= ? AND (? IS NULL OR (at, id) <= (?, ?)) ORDER BY at DESC, id DESC LIMIT ?", since, from?.id ?? null, from?.at ?? 0, from?.id ?? "", limit);
    return rows.toArray().map((row) => JSON.parse(String(row["json"])) as GatewayEntry);
  }

  listWorkflowsWithCalls({ since, from, limit }: LedgerQuery): LedgerPosition[] {
    const rows = this.#sql.exec(
      "SELECT DISTINCT created_at, id FROM workflow_stats WHERE hour > ? AND (? IS NULL OR (created_at, id) <= (?, ?)) ORDER BY created_at DESC, id DESC LIMIT ?",
      since - STATS_HOUR_MS, from?.id ?? null, from?.at ?? 0, from?.id ?? "", limit,
    );
    return rows.toArray().map((row) => ({ at: Number(row["created_at"]), id: String(row["id"]) }));
  }

  isGatewayEntryKnown(id: string): boolean {
    return this.#sql.exec("SELECT 1 FROM gateway_calls WHERE id = ?", id).toArray().length > 0;
  }

  /** From the hour on that `since` lies in. */
  readPeriod(since: number): PeriodSums[] {
    const periods = new Map<string, PeriodSums>();
    for (const row of this.#sql.exec("SELECT tier, task_type, sums FROM call_stats WHERE hour > ? ORDER BY tier, task_type", since - STATS_HOUR_MS)) {
      const [tier, taskType] = [String(row["tier"]), String(row["task_type"])];
      const period = periods.get(`${tier}:${taskType}`) ?? { tier, taskType, sums: createSums() };
      addSums(period.sums, JSON.parse(String(row["sums"])) as CallSums);
      periods.set(`${tier}:${taskType}`, period);
    }
    return [...periods.values()];
  }

  #addToTotals(cells: readonly StatsCell[]): void {
    for (const { hour, tier, taskType, sums } of mergeCells(cells)) {
      const [row] = this.#sql.exec("SELECT sums FROM call_stats WHERE hour = ? AND tier = ? AND task_type = ?", hour, tier, taskType).toArray();
      if (row !== undefined) addSums(sums, JSON.parse(String(row["sums"])) as CallSums);
      this.#sql.exec("INSERT OR REPLACE INTO call_stats VALUES (?, ?, ?, ?)", hour, tier, taskType, JSON.stringify(sums));
    }
  }
}
