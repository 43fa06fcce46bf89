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
import { cutRows, insertRows, insertTexts, MAX_PARAMETER_CHARS } from "./insert-rows.ts";
import { migrate, readVersion } from "./migrate.ts";
import { WebhookStore } from "./webhook-store.ts";
import { WORKFLOW_MIGRATIONS } from "./workflow-migrations.ts";

/** Specs kept in memory, as JSON: small beside what one attempt takes. */
const MAX_KEPT_SPEC_CHARS = 65_536;
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

/** The SQL of a workflow object, and the only place of it. Every method is synchronous; `transaction` makes several one. */
export class WorkflowStore {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  /** The schema's version, as far as this memory knows it. */
  #version: number | null = null;
  /** What was posted, where it is little: it is read with every attempt. */
  #specs: readonly TaskSpec[] | null = null;
  readonly stats: CallStatsStore;
  readonly calls: CallStore;
  readonly webhooks: WebhookStore;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
    this.stats = new CallStatsStore(storage.sql);
    this.calls = new CallStore(storage.sql);
    this.webhooks = new WebhookStore(storage.sql);
  }

  transaction<Result>(work: () => Result): Result {
    try {
      return this.#storage.transactionSync(work);
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** Whether anything was ever stored here. */
  hasSchema(): boolean {
    this.#version ??= readVersion(this.#sql);
    return this.#version > 0;
  }

  migrate(): void {
    this.#version ??= readVersion(this.#sql);
    if (this.#version === WORKFLOW_MIGRATIONS.length) return;
    migrate(this.#sql, WORKFLOW_MIGRATIONS, this.#version);
    this.#version = WORKFLOW_MIGRATIONS.length;
  }

  /** Removes everything, the alarm too: as if the object had never been used. */
  async clear(): Promise<void> {
    this.#forget();
    await this.#storage.deleteAlarm();
    await this.#storage.deleteAll();
    this.#forget();
  }

  #forget(): void {
    this.#version = null;
    this.#specs = null;
  }

  read<Name extends keyof Documents>(name: Name): Documents[Name] | null {
    const [row] = this.#sql.exec("SELECT json FROM documents WHERE name = ?", name).toArray();
    return row === undefined ? null : (JSON.parse(String(row["json"])) as Documents[Name]);
  }

  /** Bytes of a document's JSON; 0 when there is none. */
  measure(name: keyof Documents): number {
    const [row] = this.#sql.exec("SELECT octet_length(json) AS bytes FROM documents WHERE name = ?", name).toArray();
    return Number(row?.["bytes"] ?? 0);
  }

  write<Name extends keyof Documents>(name: Name, value: Documents[Name]): void {
    this.#sql.exec("INSERT OR REPLACE INTO documents VALUES (?, ?)", name, JSON.stringify(value));
  }

  writeAll(documents: Partial<Documents>): void {
    insertTexts(this.#sql, "documents", Object.entries(documents).map(([name, value]) => [name, JSON.stringify(value)]));
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
    insertTexts(this.#sql, "agents", Object.entries(agents).map(([name, agent]) => [name, JSON.stringify(agent)]));
  }

  readAgents(): Record<string, AgentDefinition> {
    const rows = this.#sql.exec("SELECT name, json FROM agents").toArray();
    return Object.fromEntries(rows.map((row) => [String(row["name"]), JSON.parse(String(row["json"])) as AgentDefinition]));
  }

  addTasks(tasks: readonly TaskSpec[]): void {
    const rows = tasks.map((task, index): [number, string] => [index, JSON.stringify(task)]);
    insertTexts(this.#sql, "tasks", rows);
    this.#keepSpecs(tasks, rows.reduce((sum, [, json]) => sum + json.length, 0));
  }

  #keepSpecs(specs: readonly TaskSpec[], characters: number): void {
    this.#specs = characters <= MAX_KEPT_SPEC_CHARS ? specs : null;
  }

  readTaskSpec(task: number): TaskSpec {
    return this.#specs?.[task] ?? JSON.parse(String(this.#sql.exec("SELECT json FROM tasks WHERE task = ?", task).one()["json"])) as TaskSpec;
  }

  readTaskSpecs(): readonly TaskSpec[] {
    if (this.#specs !== null) return this.#specs;
    const texts = this.#sql.exec("SELECT json FROM tasks ORDER BY task").toArray().map((row) => String(row["json"]));
    const specs = texts.map((json) => JSON.parse(json) as TaskSpec);
    this.#keepSpecs(specs, texts.reduce((sum, { length }) => sum + length, 0));
    return specs;
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
    insertRows(
      this.#sql,
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

  /** Removes everything but the idempotency record and its answer. */
  removeAllButAnswer(): void {
    for (const table of ["agents", "tasks", "task_states", "outputs", "events", "calls", "reservations", "callbacks", "webhooks", "call_stats"]) this.#sql.exec(`DELETE FROM ${table}`);
    this.#sql.exec("DELETE FROM documents WHERE name <> 'idempotency' AND name NOT LIKE 'answer:%'");
    this.#specs = null;
  }
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
