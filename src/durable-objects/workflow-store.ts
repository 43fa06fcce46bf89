import type { ObjectBudgetSettings } from "../config/budget-settings.ts";
import type { ContextSize, Route } from "../consumer/work-order.ts";
import type { Json } from "../errors.ts";
import type { AgentDefinition, TaskType } from "../workflow/agent.ts";
import type { LoggedEvent, WorkflowEvent } from "../workflow/events.ts";
import type { TaskOutlook } from "../workflow/outlook.ts";
import { createTaskState, type RunState, type TaskState } from "../workflow/run.ts";
import type { TaskSpec, WorkflowSpec } from "../workflow/spec.ts";
import { CallStatsStore } from "./call-stats-store.ts";
import { CallStore } from "./call-store.ts";
import { migrate, readVersion } from "./migrate.ts";
import { WORKFLOW_MIGRATIONS } from "./workflow-migrations.ts";

/** Longest text in one bound parameter: SQLite in a Durable Object takes values up to 2 MB, and a character has up to three bytes. */
const MAX_PARAMETER_CHARS = 500_000;
/** Events in one row: what a page's first row is read for in vain stays small. */
const MAX_EVENTS_PER_ROW = 400;

/** What is fixed when a workflow is created, without its tasks and input. */
export interface Identity {
  tenant: string;
  workflowId: string;
  origin: string;
  requestId: string;
  spec: Omit<WorkflowSpec, "tasks" | "input">;
  ownBudgets?: Partial<ObjectBudgetSettings>;
}

export interface Totals {
  inputTokens: number;
  outputTokens: number;
  costNanoUsd: number;
  baselineNanoUsd: number;
}

/** Of an attempt's report: what views show beside the state. */
export interface TaskDetail {
  route: Route | null;
  context: ContextSize | null;
}

export interface IdempotencyRecord {
  key: string;
  bodyHash: string;
  createdAt: number;
  /** When a repetition was last told that the record is over: it found the next id then, and must find it again for a day. */
  expiredAt?: number;
  /** The first answer's body; kept in parts, since it may be over the size of a row. */
  parts: number;
}

export interface Documents {
  identity: Identity;
  input: Json;
  state: RunState;
  totals: Totals;
  plannedModels: Record<string, string>;
  outlook: TaskOutlook[];
  result: Json;
  idempotency: IdempotencyRecord;
}

export interface StoredTask {
  task: number;
  state: TaskState;
  detail: TaskDetail | null;
  outputBytes: number | null;
}

export interface WebhookRow {
  id: number;
  type: string;
  at: number;
  status: string;
  attempts: number;
  nextAt: number;
}

/** The SQL of a workflow object, and the only place of it. Every method is synchronous; `transaction` makes several one. */
export class WorkflowStore {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  readonly stats: CallStatsStore;
  readonly calls: CallStore;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
    this.stats = new CallStatsStore(storage.sql);
    this.calls = new CallStore(storage.sql);
  }

  transaction<Result>(work: () => Result): Result {
    return this.#storage.transactionSync(work);
  }

  /** Whether anything was ever stored here. */
  hasSchema(): boolean {
    return readVersion(this.#sql) > 0;
  }

  migrate(): void {
    migrate(this.#sql, WORKFLOW_MIGRATIONS);
  }

  read<Name extends keyof Documents>(name: Name): Documents[Name] | null {
    const [row] = this.#sql.exec("SELECT json FROM documents WHERE name = ?", name).toArray();
    return row === undefined ? null : (JSON.parse(String(row["json"])) as Documents[Name]);
  }

  write<Name extends keyof Documents>(name: Name, value: Documents[Name]): void {
    this.#sql.exec("INSERT OR REPLACE INTO documents VALUES (?, ?)", name, JSON.stringify(value));
  }

  writeAnswer(body: string): number {
    let part = 0;
    for (let start = 0, end = 0; start < body.length; start = end, part += 1) {
      end = Math.min(start + MAX_PARAMETER_CHARS, body.length);
      // The halves of a surrogate pair stay together: alone they have no UTF-8.
      if (end < body.length && isLowSurrogate(body, end)) end -= 1;
      this.#sql.exec("INSERT OR REPLACE INTO documents VALUES (?, ?)", `answer:${part}`, body.slice(start, end));
    }
    return part;
  }

  readAnswer(parts: number): string {
    const names = Array.from({ length: parts }, (_, part) => `answer:${part}`);
    return names.map((name) => String(this.#sql.exec("SELECT json FROM documents WHERE name = ?", name).one()["json"])).join("");
  }

  addAgents(agents: Record<string, AgentDefinition>): void {
    for (const [name, agent] of Object.entries(agents)) this.#sql.exec("INSERT INTO agents VALUES (?, ?)", name, JSON.stringify(agent));
  }

  readAgents(): Record<string, AgentDefinition> {
    const rows = this.#sql.exec("SELECT name, json FROM agents").toArray();
    return Object.fromEntries(rows.map((row) => [String(row["name"]), JSON.parse(String(row["json"])) as AgentDefinition]));
  }

  addTasks(tasks: readonly TaskSpec[]): void {
    const rows = tasks.map((task, index) => [index, task] as const);
    this.#insertRows("INSERT INTO tasks SELECT value ->> 0, value -> 1 FROM json_each(?)", rows);
  }

  readTaskSpec(task: number): TaskSpec {
    return JSON.parse(String(this.#sql.exec("SELECT json FROM tasks WHERE task = ?", task).one()["json"])) as TaskSpec;
  }

  readTaskSpecs(): TaskSpec[] {
    return this.#sql.exec("SELECT json FROM tasks ORDER BY task").toArray().map((row) => JSON.parse(String(row["json"])) as TaskSpec);
  }

  /** The type that each task's spec names, if any. */
  readTaskTypes(): (TaskType | undefined)[] {
    const rows = this.#sql.exec("SELECT json ->> 'type' AS type FROM tasks ORDER BY task").toArray();
    return rows.map((row) => (row["type"] === null ? undefined : (row["type"] as TaskType)));
  }

  /** States of all tasks; one that has not changed yet is in its first state. */
  readTaskStates(size: number): TaskState[] {
    const states = Array.from({ length: size }, createTaskState);
    for (const row of this.#sql.exec("SELECT task, state FROM task_states")) states[Number(row["task"])] = JSON.parse(String(row["state"])) as TaskState;
    return states;
  }

  writeTaskStates(tasks: ReadonlySet<number>, states: readonly TaskState[], details: ReadonlyMap<number, TaskDetail>): void {
    const rows = [...tasks].map((task) => [task, states[task]!.status, states[task]!, details.get(task) ?? null] as const);
    this.#insertRows(
      `INSERT INTO task_states SELECT value ->> 0, value ->> 1, value -> 2, nullif(value -> 3, 'null') FROM json_each(?) WHERE true
       ON CONFLICT (task) DO UPDATE SET status = excluded.status, state = excluded.state, detail = coalesce(excluded.detail, detail)`,
      rows,
    );
  }

  writeOutput(task: number, json: string, bytes: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?)", task, bytes, json);
  }

  readOutputJson(task: number): string | null {
    const [row] = this.#sql.exec("SELECT json FROM outputs WHERE task = ?", task).toArray();
    return row === undefined ? null : String(row["json"]);
  }

  readOutputBytes(task: number): number {
    const [row] = this.#sql.exec("SELECT bytes FROM outputs WHERE task = ?", task).toArray();
    return row === undefined ? 0 : Number(row["bytes"]);
  }

  /** JSON texts of several outputs, by task. */
  readOutputJsons(tasks: readonly number[]): Map<number, string> {
    const rows = this.#sql.exec("SELECT task, json FROM outputs WHERE task IN (SELECT value FROM json_each(?))", JSON.stringify(tasks)).toArray();
    return new Map(rows.map((row) => [Number(row["task"]), String(row["json"])]));
  }

  /** What is stored of these tasks, in their order, without outputs; the first state of those that never changed. */
  readStoredTasks(tasks: readonly number[]): StoredTask[] {
    const rows = this.#sql.exec(
      `SELECT s.task, s.state, s.detail, o.bytes FROM task_states s LEFT JOIN outputs o ON o.task = s.task
       WHERE s.task IN (SELECT value FROM json_each(?))`,
      JSON.stringify(tasks),
    );
    const stored = new Map(rows.toArray().map((row) => [Number(row["task"]), mapStoredTask(row)]));
    return tasks.map((task) => stored.get(task) ?? { task, state: createTaskState(), detail: null, outputBytes: null });
  }

  /** The seq of the newest event; 0 before the first. */
  readLastSeq(): number {
    const [row] = this.#sql.exec("SELECT first_seq + count - 1 AS last FROM events ORDER BY first_seq DESC LIMIT 1").toArray();
    return row === undefined ? 0 : Number(row["last"]);
  }

  appendEvents(firstSeq: number, events: readonly WorkflowEvent[]): void {
    let first = firstSeq;
    for (const items of cutRows(events, MAX_EVENTS_PER_ROW)) {
      this.#sql.exec("INSERT INTO events VALUES (?, ?, ?)", first, items.length, `[${items.join(",")}]`);
      first += items.length;
    }
  }

  readEvents(after: number, limit: number): LoggedEvent[] {
    const from = "(SELECT coalesce(max(first_seq), 0) FROM events WHERE first_seq <= ?)";
    const found: LoggedEvent[] = [];
    for (const row of this.#sql.exec(`SELECT first_seq, items FROM events WHERE first_seq >= ${from} ORDER BY first_seq`, after + 1)) {
      const firstSeq = Number(row["first_seq"]);
      (JSON.parse(String(row["items"])) as WorkflowEvent[]).forEach((event, index) => {
        if (firstSeq + index > after && found.length < limit) found.push({ seq: firstSeq + index, ...event });
      });
      if (found.length >= limit) break;
    }
    return found;
  }

  addCallback(hash: string, task: number, attempt: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO callbacks VALUES (?, ?, ?)", hash, task, attempt);
  }

  findCallback(hash: string): { task: number; attempt: number } | null {
    const [row] = this.#sql.exec("SELECT task, attempt FROM callbacks WHERE hash = ?", hash).toArray();
    return row === undefined ? null : { task: Number(row["task"]), attempt: Number(row["attempt"]) };
  }

  /** `seq`: of the event, which makes the webhook's id. A number of the table's own would come again once its row is gone, and receivers would drop the event as a repeat. */
  addWebhook(seq: number, type: string, at: number, status: string): void {
    this.#sql.exec("INSERT INTO webhooks (id, type, at, status, attempts, next_at) VALUES (?, ?, ?, ?, 0, ?)", seq, type, at, status, at);
  }

  readDueWebhooks(now: number, limit: number): WebhookRow[] {
    const rows = this.#sql.exec("SELECT id, type, at, status, attempts, next_at FROM webhooks WHERE next_at <= ? ORDER BY id LIMIT ?", now, limit).toArray();
    return rows.map((row) => ({ id: Number(row["id"]), type: String(row["type"]), at: Number(row["at"]), status: String(row["status"]), attempts: Number(row["attempts"]), nextAt: Number(row["next_at"]) }));
  }

  /** When the next webhook is due; Infinity without any. */
  readNextWebhookAt(): number {
    const at = this.#sql.exec("SELECT min(next_at) AS at FROM webhooks").one()["at"];
    return at === null ? Infinity : Number(at);
  }

  postponeWebhook(id: number, attempts: number, nextAt: number): void {
    this.#sql.exec("UPDATE webhooks SET attempts = ?, next_at = ? WHERE id = ?", attempts, nextAt, id);
  }

  removeWebhook(id: number): void {
    this.#sql.exec("DELETE FROM webhooks WHERE id = ?", id);
  }

  /** Removes everything but the idempotency record and its answer. */
  removeAllButAnswer(): void {
    for (const table of ["agents", "tasks", "task_states", "outputs", "events", "calls", "reservations", "callbacks", "webhooks", "call_stats"]) this.#sql.exec(`DELETE FROM ${table}`);
    this.#sql.exec("DELETE FROM documents WHERE name <> 'idempotency' AND name NOT LIKE 'answer:%'");
  }

  /** One statement for many rows, passed as a JSON array: far cheaper than a statement a row. */
  #insertRows(statement: string, rows: readonly (readonly unknown[])[]): void {
    for (const part of cutRows(rows, Infinity)) this.#sql.exec(statement, `[${part.join(",")}]`);
  }
}

/** The items as JSON texts, in parts that fit one parameter and have at most `maxItems`. */
function cutRows(items: readonly unknown[], maxItems: number): string[][] {
  const parts: string[][] = [];
  let length = Infinity;
  for (const item of items) {
    const json = JSON.stringify(item);
    if (length + json.length > MAX_PARAMETER_CHARS || parts.at(-1)!.length >= maxItems) {
      parts.push([]);
      length = 0;
    }
    parts.at(-1)!.push(json);
    length += json.length + 1;
  }
  return parts;
}

function isLowSurrogate(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code <= 0xdfff;
}

function mapStoredTask(row: Record<string, SqlStorageValue>): StoredTask {
  return {
    task: Number(row["task"]),
    state: JSON.parse(String(row["state"])) as TaskState,
    detail: row["detail"] === null ? null : (JSON.parse(String(row["detail"])) as TaskDetail),
    outputBytes: row["bytes"] === null ? null : Number(row["bytes"]),
  };
}
