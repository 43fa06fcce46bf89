import type { ObjectBudgetSettings } from "../../../config/budget-settings.ts";
import type { Json } from "../../../errors.ts";
import type { TaskOutlook } from "../../../workflow/outlook.ts";
import type { RunState } from "../../../workflow/run.ts";
import type { AgentDefinition, TaskType } from "../../../workflow/spec/agent.ts";
import type { TaskSpec, WorkflowSpec } from "../../../workflow/spec/spec.ts";
import { insertTexts, MAX_PARAMETER_CHARS } from "../../storage/insert-rows.ts";
import { migrate, readVersion } from "../../storage/migrate.ts";
import { SideTables } from "../../storage/side-tables.ts";
import { CallStatsStore } from "./call-stats-store.ts";
import { CallStore } from "./call-store.ts";
import { StepStore } from "./step-store.ts";
import { WebhookStore } from "./webhook-store.ts";
import { NEW_WORKFLOW_SCHEMA, WORKFLOW_MIGRATIONS } from "./workflow-migrations.ts";

/** Agents and tasks that are kept in memory and stored as documents, as JSON: small beside what one attempt takes. */
const MAX_KEPT_SPEC_CHARS = 65_536;
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

export interface IdempotencyRecord {
  key: string;
  bodyHash: string;
  createdAt: number;
  /** When a repetition was last told that the record is over: it found the next id then, and must find it again for a day. */
  expiredAt?: number;
  /** The first answer's body; kept in parts, since it may be over the size of a row. */
  parts: number;
  /** The key stands for a workflow with an id of the client's own, which has the answer. */
  madeId?: string;
}

export interface Documents {
  identity: Identity;
  input: Json;
  /** Where they are little. */
  agents: Record<string, AgentDefinition>;
  tasks: readonly TaskSpec[];
  /** Of a workflow from before there were budgets and limits of tasks without these. */
  state: Omit<RunState, "budget" | "isLimited"> & Partial<RunState>;
  totals: Totals;
  plannedModels: Record<string, string>;
  outlook: TaskOutlook[];
  result: Json;
  idempotency: IdempotencyRecord;
}

/** The SQL of a workflow object, and the only place of it. Every method is synchronous; `transaction` makes several one. */
export class WorkflowStore {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  /** The schema's version, as far as this memory knows it. */
  #version: number | null = null;
  /** What was posted, where it is little: it is read with every attempt. Null where it is not, undefined where this memory does not know. */
  #specs: readonly TaskSpec[] | null | undefined = undefined;
  /** Tables that are made when they are needed. */
  readonly #side: SideTables;
  readonly steps: StepStore;
  readonly stats: CallStatsStore;
  readonly calls: CallStore;
  readonly webhooks: WebhookStore;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
    this.#side = new SideTables(storage.sql, NEW_WORKFLOW_SCHEMA.side);
    this.steps = new StepStore(storage.sql, this.#side);
    this.stats = new CallStatsStore(this.#side);
    this.calls = new CallStore(this.#side);
    this.webhooks = new WebhookStore(this.#side);
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

  /** Brings the schema up to date, whole or not at all: one that was cut off in the middle could never be brought further. Of a new object inside its first transaction. */
  migrate(): void {
    if (!this.hasSchema()) {
      this.#sql.exec(NEW_WORKFLOW_SCHEMA.main);
      this.#version = NEW_WORKFLOW_SCHEMA.version;
    }
    if (this.#version === WORKFLOW_MIGRATIONS.length) return;
    this.transaction(() => {
      this.#side.make();
      migrate(this.#sql, WORKFLOW_MIGRATIONS, this.#version!);
    });
    this.#version = WORKFLOW_MIGRATIONS.length;
  }

  /** Removes everything, the alarm too: as if the object had never been used. */
  async clear(): Promise<void> {
    // Begun together: whoever comes between them would find a workflow that is about to go, or make one that goes with it.
    const cleared = Promise.all([this.#storage.deleteAlarm(), this.#storage.deleteAll()]);
    this.#forget();
    this.steps.forget();
    await cleared;
  }

  #forget(): void {
    this.#version = null;
    this.#side.forget();
    this.#specs = undefined;
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
    insertTexts((statement, ...parameters) => this.#sql.exec(statement, ...parameters), "documents", Object.entries(documents).map(([name, value]) => [name, JSON.stringify(value)]));
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

  /** What is fixed of a new workflow: a few documents, where its agents and tasks are little. */
  addNew(documents: Partial<Documents>, agents: Record<string, AgentDefinition>, tasks: readonly TaskSpec[]): void {
    const agentRows = Object.entries(agents).map(([name, agent]): [string, string] => [name, JSON.stringify(agent)]);
    const taskRows = tasks.map((task, index): [number, string] => [index, JSON.stringify(task)]);
    const isLittle = [...agentRows, ...taskRows].reduce((sum, [, json]) => sum + json.length, 0) <= MAX_KEPT_SPEC_CHARS;
    this.writeAll(isLittle ? { ...documents, agents, tasks } : documents);
    if (!isLittle) {
      insertTexts(this.#side.add, "agents", agentRows);
      insertTexts(this.#side.add, "tasks", taskRows);
    }
    this.#specs = isLittle ? tasks : null;
    this.steps.forget();
  }

  readAgents(): Record<string, AgentDefinition> {
    const little = this.read("agents");
    if (little !== null) return little;
    const rows = this.#side.run("SELECT name, json FROM agents");
    return Object.fromEntries(rows.map((row) => [String(row["name"]), JSON.parse(String(row["json"])) as AgentDefinition]));
  }

  readTaskSpec(task: number): TaskSpec {
    return this.#readLittleSpecs()?.[task] ?? readSpec(this.#side.run("SELECT json FROM tasks WHERE task = ?", task)[0]);
  }

  readTaskSpecs(): readonly TaskSpec[] {
    return this.#readLittleSpecs() ?? this.#side.run("SELECT json FROM tasks ORDER BY task").map(readSpec);
  }

  /** The type that each task's spec names, if any. */
  readTaskTypes(): (TaskType | undefined)[] {
    const little = this.#readLittleSpecs();
    if (little !== null) return little.map(({ type }) => type);
    const rows = this.#side.run("SELECT json ->> 'type' AS type FROM tasks ORDER BY task");
    return rows.map((row) => (row["type"] === null ? undefined : (row["type"] as TaskType)));
  }

  /** Null where they are not little, and read one by one. */
  #readLittleSpecs(): readonly TaskSpec[] | null {
    if (this.#specs === undefined) this.#specs = this.read("tasks");
    return this.#specs;
  }

  addCallback(hash: string, task: number, attempt: number): void {
    this.#side.add("INSERT OR REPLACE INTO callbacks VALUES (?, ?, ?)", hash, task, attempt);
  }

  findCallback(hash: string): { task: number; attempt: number } | null {
    const [row] = this.#side.run("SELECT task, attempt FROM callbacks WHERE hash = ?", hash);
    return row === undefined ? null : { task: Number(row["task"]), attempt: Number(row["attempt"]) };
  }

  /** Removes everything but the idempotency record and its answer. */
  removeAllButAnswer(): void {
    for (const table of ["agents", "tasks", "task_states", "outputs", "calls", "reservations", "callbacks", "webhooks", "call_stats"]) this.#side.run(`DELETE FROM ${table}`);
    this.#sql.exec("DELETE FROM events");
    this.#sql.exec("DELETE FROM documents WHERE name <> 'idempotency' AND name NOT LIKE 'answer:%'");
    this.#specs = undefined;
    this.steps.forget();
  }
}

function isLowSurrogate(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code <= 0xdfff;
}

function readSpec(row: Record<string, SqlStorageValue> | undefined): TaskSpec {
  return JSON.parse(String(row!["json"])) as TaskSpec;
}
