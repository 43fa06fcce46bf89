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
/** What a step did to tasks, beside its events in one row: whoever wants one of its outputs parses all of it. */
const MAX_CHANGES_CHARS = 16_384;

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

/** An output as JSON text, and its bytes. */
export interface NewOutput {
  json: string;
  bytes: number;
}

/** What one step leaves behind, beside documents and books. */
export interface StepRecord {
  firstSeq: number;
  events: readonly WorkflowEvent[];
  /** Tasks that changed. */
  touched: ReadonlySet<number>;
  /** Of all tasks. */
  states: readonly TaskState[];
  details: ReadonlyMap<number, TaskDetail>;
  /** Of tasks that ended with the step. */
  outputs: ReadonlyMap<number, NewOutput>;
}

/** What the row of a small step says of a task; the state without what is as at first. */
type TaskChange = [task: number, state: Partial<TaskState>, output?: Json];

/** The SQL of a workflow object, and the only place of it. Every method is synchronous; `transaction` makes several one. */
export class WorkflowStore {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  /** The schema's version, as far as this memory knows it. */
  #version: number | null = null;
  /** What was posted, where it is little: it is read with every attempt. */
  #specs: readonly TaskSpec[] | null = null;
  /** By task: the step's row that holds its output. Others are in the table of outputs. */
  readonly #outputRows = new Map<number, number>();
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
    this.#outputRows.clear();
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
    this.#outputRows.clear();
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

  /** States of all tasks; one that has not changed yet is in its first state. Finds also where their outputs are, which is asked for later. O(tasks + events). */
  readTaskStates(size: number): TaskState[] {
    const states = Array.from({ length: size }, createTaskState);
    const asOf = new Map<number, number>();
    for (const row of this.#sql.exec("SELECT task, state, as_of FROM task_states")) {
      const task = Number(row["task"]);
      states[task] = JSON.parse(String(row["state"])) as TaskState;
      asOf.set(task, Number(row["as_of"]));
    }
    this.#outputRows.clear();
    for (const row of this.#sql.exec("SELECT first_seq, changes FROM events WHERE changes IS NOT NULL ORDER BY first_seq")) {
      const firstSeq = Number(row["first_seq"]);
      for (const change of parseChanges(row)) {
        const [task, state] = change;
        if (change.length === 3) this.#outputRows.set(task, firstSeq);
        if (firstSeq > (asOf.get(task) ?? 0)) states[task] = { ...createTaskState(), ...state };
      }
    }
    return states;
  }

  /** Keeps what a step did: in one row, where it is little. */
  saveStep(step: StepRecord): void {
    if (this.#saveInOneRow(step)) return;
    const { firstSeq, events, touched, states, details, outputs } = step;
    this.appendEvents(firstSeq, events);
    for (const [task, { json, bytes }] of outputs) this.writeOutput(task, json, bytes);
    if (touched.size > 0) this.writeTaskStates(touched, states, details, firstSeq + events.length - 1);
  }

  #saveInOneRow({ firstSeq, events, touched, states, details, outputs }: StepRecord): boolean {
    if (events.length === 0 || events.length > MAX_EVENTS_PER_ROW || details.size > 0) return false;
    const changes = Array.from(touched, (task) => {
      const output = outputs.get(task);
      return `[${task},${packState(states[task]!)}${output === undefined ? "" : `,${output.json}`}]`;
    }).join(",");
    const items = JSON.stringify(events);
    if (changes.length > MAX_CHANGES_CHARS || items.length > MAX_PARAMETER_CHARS) return false;
    this.#sql.exec("INSERT INTO events VALUES (?, ?, ?, ?)", firstSeq, events.length, items, touched.size === 0 ? null : `[${changes}]`);
    for (const task of outputs.keys()) this.#outputRows.set(task, firstSeq);
    return true;
  }

  /** `asOf`: the newest event by then. */
  writeTaskStates(tasks: ReadonlySet<number>, states: readonly TaskState[], details: ReadonlyMap<number, TaskDetail>, asOf: number): void {
    const rows = [...tasks].map((task) => [task, states[task]!.status, states[task]!, details.get(task) ?? null, asOf] as const);
    insertRows(
      this.#sql,
      `INSERT INTO task_states SELECT value ->> 0, value ->> 1, value -> 2, nullif(value -> 3, 'null'), value ->> 4 FROM json_each(?) WHERE true
       ON CONFLICT (task) DO UPDATE SET status = excluded.status, state = excluded.state, detail = coalesce(excluded.detail, detail), as_of = excluded.as_of`,
      rows,
    );
  }

  writeOutput(task: number, json: string, bytes: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?)", task, bytes, json);
  }

  readOutputJson(task: number): string | null {
    const firstSeq = this.#outputRows.get(task);
    if (firstSeq !== undefined) return this.#readOutputsOfSteps([firstSeq]).get(task) ?? null;
    const [row] = this.#sql.exec("SELECT json FROM outputs WHERE task = ?", task).toArray();
    return row === undefined ? null : String(row["json"]);
  }

  /** JSON texts of several outputs, by task; maybe others too, that stand beside them. */
  readOutputJsons(tasks: readonly number[]): Map<number, string> {
    const steps = new Set(tasks.flatMap((task) => this.#outputRows.get(task) ?? []));
    const found = steps.size === 0 ? new Map<number, string>() : this.#readOutputsOfSteps([...steps]);
    const others = tasks.filter((task) => !this.#outputRows.has(task));
    if (others.length === 0) return found;
    const rows = this.#sql.exec("SELECT task, json FROM outputs WHERE task IN (SELECT value FROM json_each(?))", JSON.stringify(others));
    for (const row of rows) found.set(Number(row["task"]), String(row["json"]));
    return found;
  }

  #readOutputsOfSteps(firstSeqs: readonly number[]): Map<number, string> {
    const rows = this.#sql.exec("SELECT changes FROM events WHERE first_seq IN (SELECT value FROM json_each(?))", JSON.stringify(firstSeqs)).toArray();
    const changes = rows.flatMap(parseChanges);
    return new Map(changes.flatMap((change) => (change.length === 3 ? [[change[0], JSON.stringify(change[2])] as const] : [])));
  }

  /** Of those of the tasks that have one. */
  readDetails(tasks: readonly number[]): Map<number, TaskDetail> {
    const rows = this.#sql.exec("SELECT task, detail FROM task_states WHERE detail IS NOT NULL AND task IN (SELECT value FROM json_each(?))", JSON.stringify(tasks)).toArray();
    return new Map(rows.map((row) => [Number(row["task"]), JSON.parse(String(row["detail"])) as TaskDetail]));
  }

  /** The seq of the newest event; 0 before the first. */
  readLastSeq(): number {
    const [row] = this.#sql.exec("SELECT first_seq + count - 1 AS last FROM events ORDER BY first_seq DESC LIMIT 1").toArray();
    return row === undefined ? 0 : Number(row["last"]);
  }

  appendEvents(firstSeq: number, events: readonly WorkflowEvent[]): void {
    let first = firstSeq;
    for (const items of cutRows(events, MAX_EVENTS_PER_ROW)) {
      this.#sql.exec("INSERT INTO events VALUES (?, ?, ?, NULL)", first, items.length, `[${items.join(",")}]`);
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
    this.#outputRows.clear();
  }
}

function isLowSurrogate(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code <= 0xdfff;
}

const FIRST_STATE: Readonly<Record<string, unknown>> = { ...createTaskState() };

/** The state as JSON, without what is as at first. */
function packState(state: TaskState): string {
  return JSON.stringify(Object.fromEntries(Object.entries(state).filter(([name, value]) => value !== FIRST_STATE[name])));
}

function parseChanges(row: Record<string, SqlStorageValue>): TaskChange[] {
  return JSON.parse(String(row["changes"])) as TaskChange[];
}
