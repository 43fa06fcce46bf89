import type { WorkflowEnding } from "../../../api/ports/stats-port.ts";
import { learnHistory, nameHistory, type AgentHistory, type HistoryCell, type HistoryKey } from "../../../optimizer/agent-history.ts";
import { STATS_HOUR_MS } from "../../../optimizer/call-stats.ts";
import { forecastError, type ForecastAccuracy } from "../../../optimizer/forecast.ts";

/** Cells kept of a tenant: some for each agent that it may have. Those that were not learnt from for longest go. */
export const MAX_HISTORY_CELLS = 10_000;

type StoredEnding = Omit<WorkflowEnding, "revision">;

/** What a tenant's workflows came to when they ended: the SQL of its object's tables about that. Every method belongs in a transaction. */
export class TenantHistoryStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Learns from the end of a workflow. It may be told again, and in any order, after it went on. */
  takeEnding({ id, createdAt }: { id: string; createdAt: number }, { revision, ...ending }: WorkflowEnding, now: number): void {
    const [row] = this.#sql.exec("SELECT revision, json FROM workflow_endings WHERE id = ? AND created_at = ?", id, createdAt).toArray();
    if (row !== undefined && Number(row["revision"]) >= revision) return;
    const before = row === undefined ? null : (JSON.parse(String(row["json"])) as StoredEnding);
    this.#sql.exec("INSERT OR REPLACE INTO workflow_endings VALUES (?, ?, ?, ?)", id, createdAt, revision, JSON.stringify(ending));
    const toldBefore = new Map((before?.history ?? []).map((cell) => [nameHistory(cell), cell.history]));
    for (const cell of ending.history) this.#learn(cell, toldBefore.get(nameHistory(cell)) ?? null, now);
    if (before !== null) this.#addErrors(before, -1);
    this.#addErrors(ending, 1);
  }

  /** Forgets what a removed workflow had told, and those that had its id before. What was learnt from it stays. */
  forgetWorkflow(id: string, createdAt: number): void {
    this.#sql.exec("DELETE FROM workflow_endings WHERE id = ? AND created_at <= ?", id, createdAt);
  }

  readHistory(keys: readonly HistoryKey[]): HistoryCell[] {
    const rows = this.#sql.exec(
      "SELECT h.agent, h.task_type, h.sums FROM json_each(?) k CROSS JOIN agent_history h ON h.agent = k.value ->> 'agent' AND h.task_type = k.value ->> 'taskType'",
      JSON.stringify(keys),
    );
    return rows.toArray().map((row) => ({ agent: String(row["agent"]), taskType: String(row["task_type"]), history: JSON.parse(String(row["sums"])) as AgentHistory }));
  }

  /** From the hour on that `since` lies in. */
  readAccuracy(since: number): ForecastAccuracy {
    const [row] = this.#sql.exec("SELECT sum(workflows) AS workflows, sum(cost_error) AS cost, sum(tokens_error) AS tokens FROM forecast_accuracy WHERE hour > ?", since - STATS_HOUR_MS).toArray();
    return { workflows: Number(row?.["workflows"] ?? 0), costError: Number(row?.["cost"] ?? 0), tokensError: Number(row?.["tokens"] ?? 0) };
  }

  #learn({ agent, taskType, history }: HistoryCell, before: AgentHistory | null, now: number): void {
    const [known] = this.readHistory([{ agent, taskType }]);
    const learnt = learnHistory(known?.history ?? null, history, before);
    this.#sql.exec("INSERT OR REPLACE INTO agent_history VALUES (?, ?, ?, ?)", agent, taskType, now, JSON.stringify(learnt));
    if (known !== undefined) return;
    const excess = Number(this.#sql.exec("SELECT count(*) AS count FROM agent_history").one()["count"]) - MAX_HISTORY_CELLS;
    if (excess <= 0) return;
    const oldest = this.#sql.exec("SELECT agent, task_type FROM agent_history ORDER BY learnt_at LIMIT ?", excess).toArray();
    for (const row of oldest) this.#sql.exec("DELETE FROM agent_history WHERE agent = ? AND task_type = ?", row["agent"], row["task_type"]);
  }

  #addErrors({ at, forecast }: StoredEnding, sign: 1 | -1): void {
    if (forecast === null) return;
    const { expected, used } = forecast;
    this.#sql.exec(
      `INSERT INTO forecast_accuracy VALUES (?, ?, ?, ?)
       ON CONFLICT (hour) DO UPDATE SET workflows = workflows + excluded.workflows, cost_error = cost_error + excluded.cost_error, tokens_error = tokens_error + excluded.tokens_error`,
      Math.floor(at / STATS_HOUR_MS) * STATS_HOUR_MS, sign, sign * forecastError(expected.nanoUsd, used.nanoUsd), sign * forecastError(expected.tokens, used.tokens),
    );
  }
}
