import type { IndexEntry } from "../../../api/ports/tenant-port.ts";
import type { WorkflowSummary } from "../../../api/ports/workflow-port.ts";
import { isFinalWorkflow } from "../../../workflow/run.ts";
import type { ListPosition } from "../../../api/http/list-position.ts";
import { describeSpending } from "../../workflow/describe-budget.ts";
import type { TenantAccountStore } from "./tenant-account-store.ts";
import type { TenantHistoryStore } from "./tenant-history-store.ts";
import type { TenantStatsStore } from "./tenant-stats-store.ts";

/** How long a removed workflow is remembered: far longer than a report can be under way. */
const REMOVED_MEMORY_MS = 86_400_000;

/** From the oldest on, by the index over the time: an index over those that ended would cost each of them a row. Exported for the test that holds it to that. */
export const ENDED_BEFORE = "SELECT id FROM workflows WHERE created_at < ? AND is_final = 1 AND heard_at < ? ORDER BY created_at, id LIMIT ?";

export interface WorkflowQuery {
  status: string | null;
  name: string | null;
  metadata: Record<string, string>;
  limit: number;
  after: ListPosition | null;
}

/** Where an entry's other news go. */
interface Told {
  stats: Pick<TenantStatsStore, "takeWorkflow" | "forgetWorkflow">;
  account: Pick<TenantAccountStore, "takeSpend" | "close" | "forget">;
  history: Pick<TenantHistoryStore, "takeEnding" | "forgetWorkflow">;
}

/**
 * The index of a tenant's workflows: the SQL of the tables `workflows`, `workflow_metadata` and `removed_workflows`. Every method that writes
 * belongs in a transaction. Times are Unix milliseconds.
 */
export class WorkflowIndexStore {
  readonly #sql: SqlStorage;
  readonly #told: Told;

  constructor(sql: SqlStorage, told: Told) {
    this.#sql = sql;
    this.#told = told;
  }

  /** Newest first. Filters are led by an index: of the metadata when there are any, else of the name, the status or the time. */
  list(query: WorkflowQuery): WorkflowSummary[] {
    const { sql, parameters } = buildListQuery(query);
    return this.#sql.exec(sql, ...parameters).toArray().map((row) => readEntry(String(row["summary"])));
  }

  /** Keeps the newest of all entries of a workflow, whatever order they come in. An id that was used again after a removal is a newer workflow. */
  put({ summary, version, cells, spend, ending }: IndexEntry, now: number): void {
    const { id, name, status, metadata } = summary;
    const createdAt = Date.parse(summary.createdAt);
    const known = this.#sql
      .exec(
        `SELECT r.created_at AS removed, w.created_at, w.version, w.summary
         FROM (SELECT ? AS id) AS asked LEFT JOIN removed_workflows r ON r.id = asked.id LEFT JOIN workflows w ON w.id = asked.id`, id,
      )
      .one();
    if (known["removed"] !== null && createdAt <= Number(known["removed"])) return;
    // Sums have revisions of their own: an entry that is too old for the index may still be the first to tell them.
    if (cells !== undefined) this.#told.stats.takeWorkflow({ id, createdAt }, cells);
    if (spend !== undefined) this.#told.account.takeSpend({ id, createdAt }, spend, now);
    if (ending !== undefined) this.#told.history.takeEnding({ id, createdAt }, ending, now);
    const knownCreatedAt = known["created_at"] === null ? -1 : Number(known["created_at"]);
    if (knownCreatedAt > createdAt || (knownCreatedAt === createdAt && Number(known["version"]) > version)) return;
    if (known["summary"] !== null && knownCreatedAt < createdAt) this.#deleteMetadata(JSON.parse(String(known["summary"])) as WorkflowSummary);
    const isFinal = isFinalWorkflow(status) ? 1 : 0;
    if (knownCreatedAt === createdAt) {
      // Without what never changes: the indexes over it would be written anew.
      this.#sql.exec("UPDATE workflows SET version = ?, status = ?, is_final = ?, heard_at = ?, summary = ? WHERE id = ?", version, status, isFinal, now, JSON.stringify(summary), id);
      return;
    }
    for (const [key, value] of Object.entries(metadata)) this.#sql.exec("INSERT OR IGNORE INTO workflow_metadata VALUES (?, ?, ?, ?)", key, value, createdAt, id);
    this.#sql.exec(
      `INSERT INTO workflows (id, created_at, version, status, name, is_final, heard_at, summary) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at, version = excluded.version, status = excluded.status, name = excluded.name,
         is_final = excluded.is_final, heard_at = excluded.heard_at, summary = excluded.summary`,
      id, createdAt, version, status, name, isFinal, now, JSON.stringify(summary),
    );
  }

  remove(id: string, now: number): void {
    this.#forgetRemoved(now - REMOVED_MEMORY_MS);
    const [known] = this.#sql.exec("SELECT summary FROM workflows WHERE id = ?", id).toArray();
    // One that was never heard of may still be reported late: nothing of before now is let in any more.
    const summary = known === undefined ? null : (JSON.parse(String(known["summary"])) as WorkflowSummary);
    const createdAt = summary === null ? now : Date.parse(summary.createdAt);
    this.#sql.exec("INSERT OR REPLACE INTO removed_workflows VALUES (?, ?, ?)", id, createdAt, now);
    if (summary === null) return;
    this.#told.account.close({ id, createdAt }, now);
    this.#deleteMetadata(summary);
    this.#sql.exec("DELETE FROM workflows WHERE id = ?", id);
  }

  /** What a removed workflow had told of its calls is kept as long: one that is let in again goes on from there. */
  #forgetRemoved(before: number): void {
    const rows = this.#sql.exec("SELECT id, created_at FROM removed_workflows WHERE removed_at < ?", before).toArray();
    for (const row of rows) {
      const [id, createdAt] = [String(row["id"]), Number(row["created_at"])];
      this.#told.stats.forgetWorkflow(id, createdAt);
      this.#told.history.forgetWorkflow(id, createdAt);
      this.#told.account.forget({ id, createdAt });
    }
    this.#sql.exec("DELETE FROM removed_workflows WHERE removed_at < ?", before);
  }

  readmit(id: string): void {
    this.#sql.exec("DELETE FROM removed_workflows WHERE id = ?", id);
  }

  /**
   * Ids of open workflows that were not heard of since `before`, the longest silent first; then of ended ones that should be gone by now: made and
   * last heard of before `endedBefore`, of which there are mostly none. They count as heard of now, so that the next call comes to others.
   */
  takeStale({ before, endedBefore, limit }: { before: number; endedBefore: number; limit: number }, now: number): string[] {
    const open = this.#sql.exec("SELECT id FROM workflows WHERE is_final = 0 AND heard_at < ? ORDER BY heard_at LIMIT ?", before, limit).toArray();
    const ended = this.#sql.exec(ENDED_BEFORE, endedBefore, endedBefore, limit - open.length).toArray();
    const ids = [...open, ...ended].map((row) => String(row["id"]));
    for (const id of ids) this.#sql.exec("UPDATE workflows SET heard_at = ? WHERE id = ?", now, id);
    return ids;
  }

  /** Ids of all workflows whose objects may hold anything: a removed one keeps its first answer for a day. In the order of ids. */
  listIds(after: string, limit: number): string[] {
    const rows = this.#sql.exec("SELECT id FROM workflows WHERE id > ? UNION SELECT id FROM removed_workflows WHERE id > ? ORDER BY id LIMIT ?", after, after, limit).toArray();
    return rows.map((row) => String(row["id"]));
  }

  /** Forgets a workflow whose object is empty, where the tenant itself is removed. */
  drop(id: string): void {
    this.#sql.exec("DELETE FROM workflows WHERE id = ?", id);
    this.#sql.exec("DELETE FROM removed_workflows WHERE id = ?", id);
  }

  #deleteMetadata({ id, createdAt, metadata }: WorkflowSummary): void {
    for (const [key, value] of Object.entries(metadata)) {
      this.#sql.exec("DELETE FROM workflow_metadata WHERE key = ? AND value = ? AND created_at = ? AND id = ?", key, value, Date.parse(createdAt), id);
    }
  }
}

/** The first filter of metadata leads through its table, which is in the list's order; the others are looked up for each row. Exported for the test that holds it to the indexes. */
export function buildListQuery({ status, name, metadata, limit, after }: WorkflowQuery): { sql: string; parameters: (string | number)[] } {
  const [lead, ...others] = Object.entries(metadata);
  const order = lead === undefined ? "w" : "m";
  // CROSS JOIN keeps SQLite from turning the order of the tables round.
  const from = lead === undefined ? "workflows w" : "workflow_metadata m CROSS JOIN workflows w ON w.id = m.id";
  const conditions: string[] = [];
  const parameters: (string | number)[] = [];
  const require = (condition: string, ...values: (string | number)[]) => {
    conditions.push(condition);
    parameters.push(...values);
  };
  if (lead !== undefined) require("m.key = ? AND m.value = ?", ...lead);
  if (name !== null) require("w.name = ?", name);
  // Names are told apart better than statuses: the plus sign leaves the status out of the choice of an index.
  if (status !== null) require(name === null ? "w.status = ?" : "+w.status = ?", status);
  if (after !== null) require(`(${order}.created_at, ${order}.id) < (?, ?)`, after.createdAt, after.id);
  for (const entry of others) require(`EXISTS (SELECT 1 FROM workflow_metadata o WHERE o.key = ? AND o.value = ? AND o.created_at = w.created_at AND o.id = w.id)`, ...entry);
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  return { sql: `SELECT w.summary FROM ${from} ${where} ORDER BY ${order}.created_at DESC, ${order}.id DESC LIMIT ?`, parameters: [...parameters, limit] };
}

/** An entry from before budgets were part of it shows what was spent, one from before results were shows none. */
function readEntry(json: string): WorkflowSummary {
  const entry = JSON.parse(json) as Omit<WorkflowSummary, "budget" | "result"> & Partial<Pick<WorkflowSummary, "budget" | "result">>;
  const { budget = describeSpending(entry.usage), result = null, ...rest } = entry;
  return { ...rest, budget, result };
}
