import type { WorkflowCell } from "../../../api/ports/stats-port.ts";
import { addSums, mergeCells, type CallSums, type StatsCell } from "../../../optimizer/call-stats.ts";
import type { SideTables } from "../../storage/side-tables.ts";

/** A workflow's own sums of its calls, as the tenant is told them. The SQL of the table `call_stats` of a workflow object. */
export class CallStatsStore {
  readonly #tables: SideTables;
  /** Whether there is nothing that the tenant was not told, as far as this memory knows for sure. */
  #isAllSent = false;

  constructor(tables: SideTables) {
    this.#tables = tables;
  }

  add(cells: readonly StatsCell[]): void {
    this.#isAllSent = false;
    for (const { hour, tier, taskType, sums } of mergeCells(cells)) {
      const [row] = this.#tables.run("SELECT revision, sums FROM call_stats WHERE hour = ? AND tier = ? AND task_type = ?", hour, tier, taskType);
      if (row !== undefined) addSums(sums, JSON.parse(String(row["sums"])) as CallSums);
      const revision = Number(row?.["revision"] ?? 0) + 1;
      this.#tables.add(
        `INSERT INTO call_stats VALUES (?, ?, ?, ?, 0, ?)
         ON CONFLICT (hour, tier, task_type) DO UPDATE SET revision = excluded.revision, sums = excluded.sums`,
        hour, tier, taskType, revision, JSON.stringify(sums),
      );
    }
  }

  /** What the tenant was not told yet. */
  readUnsent(): WorkflowCell[] {
    if (this.#isAllSent) return [];
    const rows = this.#tables.run("SELECT hour, tier, task_type, revision, sums FROM call_stats WHERE sent_revision < revision ORDER BY hour");
    this.#isAllSent = rows.length === 0;
    return rows.map((row) => ({
      hour: Number(row["hour"]),
      tier: String(row["tier"]),
      taskType: String(row["task_type"]),
      revision: Number(row["revision"]),
      sums: JSON.parse(String(row["sums"])) as CallSums,
    }));
  }

  markSent(cells: readonly WorkflowCell[]): void {
    for (const { hour, tier, taskType, revision } of cells) {
      this.#tables.run("UPDATE call_stats SET sent_revision = ? WHERE hour = ? AND tier = ? AND task_type = ? AND sent_revision < ?", revision, hour, tier, taskType, revision);
    }
  }
}
