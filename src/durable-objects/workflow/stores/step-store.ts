import type { ContextSize, Route } from "../../../consumer/work-order.ts";
import type { Json } from "../../../errors.ts";
import type { LoggedEvent, WorkflowEvent } from "../../../workflow/events.ts";
import { createTaskState, type TaskState } from "../../../workflow/run.ts";
import { cutRows, insertRows, MAX_PARAMETER_CHARS } from "../../storage/insert-rows.ts";
import type { SideTables } from "../../storage/side-tables.ts";

/** Events in one row: what a page's first row is read for in vain stays small. */
const MAX_EVENTS_PER_ROW = 400;
/** What a step did to tasks, beside its events in one row: whoever wants one of its outputs parses all of it. */
export const MAX_CHANGES_CHARS = 16_384;

/** Of an attempt's report: what views show beside the state. */
export interface TaskDetail {
  route: Route | null;
  context: ContextSize | null;
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

/** What the steps of a workflow left: its log of events, the states of its tasks and their outputs. Every method is synchronous. */
export class StepStore {
  readonly #sql: SqlStorage;
  readonly #side: SideTables;
  /** By task: the step's row that holds its output. Others are in the table of outputs. */
  readonly #outputRows = new Map<number, number>();
  /** Outputs of the newest step, by task: the last ones are asked for at once, as the workflow's result. */
  #newest: ReadonlyMap<number, NewOutput> = new Map();

  constructor(sql: SqlStorage, side: SideTables) {
    this.#sql = sql;
    this.#side = side;
  }

  /** Forgets where outputs are: the workflow that lived here is gone. */
  forget(): void {
    this.#outputRows.clear();
    this.#newest = new Map();
  }

  /** States of all tasks; one that has not changed yet is in its first state. Finds also where their outputs are, which is asked for later. O(tasks + events). */
  readTaskStates(size: number): TaskState[] {
    const states = Array.from({ length: size }, createTaskState);
    const asOf = new Map<number, number>();
    let isAnyUnmeasured = false;
    for (const row of this.#side.run("SELECT task, state, as_of FROM task_states")) {
      const task = Number(row["task"]);
      const state = JSON.parse(String(row["state"])) as Partial<TaskState>;
      isAnyUnmeasured ||= state.outputBytes === undefined;
      states[task] = { ...createTaskState(), ...state };
      asOf.set(task, Number(row["as_of"]));
    }
    if (isAnyUnmeasured) this.#measureOutputs(states);
    this.forget();
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

  /** States from before they said how long outputs are. */
  #measureOutputs(states: readonly TaskState[]): void {
    for (const row of this.#side.run("SELECT task, bytes FROM outputs")) states[Number(row["task"])]!.outputBytes = Number(row["bytes"]);
  }

  /** Keeps what a step did: in one row, where it is little. */
  saveStep(step: StepRecord): void {
    if (this.saveInOneRow(step)) return;
    const { firstSeq, events, touched, states, details, outputs } = step;
    this.appendEvents(firstSeq, events);
    for (const [task, { json, bytes }] of outputs) this.writeOutput(task, json, bytes);
    if (touched.size > 0) this.writeTaskStates(touched, states, details, firstSeq + events.length - 1);
  }

  /** Saves a small step in one statement; false, and nothing is saved, when it is none. */
  saveInOneRow({ firstSeq, events, touched, states, details, outputs }: StepRecord): boolean {
    // Left out of the row it would be lost, and written beside it would be found by nobody.
    for (const task of outputs.keys()) if (!touched.has(task)) throw new Error(`there is an output of task ${task}, which did not change`);
    if (events.length === 0 && touched.size === 0) return true;
    if (events.length === 0 || events.length > MAX_EVENTS_PER_ROW || details.size > 0) return false;
    // Looked at before they are put together: a step of many large outputs would take as much of the object's memory again.
    let outputChars = 0;
    for (const { json } of outputs.values()) outputChars += json.length;
    if (outputChars > MAX_CHANGES_CHARS) return false;
    const changes = Array.from(touched, (task) => {
      const output = outputs.get(task);
      return `[${task},${packState(states[task]!)}${output === undefined ? "" : `,${output.json}`}]`;
    }).join(",");
    const items = JSON.stringify(events);
    if (changes.length > MAX_CHANGES_CHARS || items.length > MAX_PARAMETER_CHARS) return false;
    this.#sql.exec("INSERT INTO events VALUES (?, ?, ?, ?)", firstSeq, events.length, items, touched.size === 0 ? null : `[${changes}]`);
    for (const task of outputs.keys()) this.#outputRows.set(task, firstSeq);
    this.#newest = outputs;
    return true;
  }

  /** `asOf`: the newest event by then. */
  writeTaskStates(tasks: ReadonlySet<number>, states: readonly TaskState[], details: ReadonlyMap<number, TaskDetail>, asOf: number): void {
    const rows = [...tasks].map((task) => [task, states[task]!.status, states[task]!, details.get(task) ?? null, asOf] as const);
    insertRows(
      this.#side.add,
      `INSERT INTO task_states SELECT value ->> 0, value ->> 1, value -> 2, nullif(value -> 3, 'null'), value ->> 4 FROM json_each(?) WHERE true
       ON CONFLICT (task) DO UPDATE SET status = excluded.status, state = excluded.state, detail = coalesce(excluded.detail, detail), as_of = excluded.as_of`,
      rows,
    );
  }

  writeOutput(task: number, json: string, bytes: number): void {
    this.#side.add("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?)", task, bytes, json);
    // What is known of an earlier one is over.
    this.#outputRows.delete(task);
    if (this.#newest.has(task)) this.#newest = new Map();
  }

  readOutputJson(task: number): string | null {
    const firstSeq = this.#outputRows.get(task);
    if (firstSeq !== undefined && this.#newest.has(task)) return this.#newest.get(task)!.json;
    if (firstSeq !== undefined) return this.#readOutputsOfSteps([firstSeq]).get(task) ?? null;
    const [row] = this.#side.run("SELECT json FROM outputs WHERE task = ?", task);
    return row === undefined ? null : String(row["json"]);
  }

  /** JSON texts of several outputs, by task; maybe others too, that stand beside them. */
  readOutputJsons(tasks: readonly number[]): Map<number, string> {
    const asked = tasks.filter((task) => !this.#newest.has(task));
    const steps = new Set(asked.flatMap((task) => this.#outputRows.get(task) ?? []));
    const found = steps.size === 0 ? new Map<number, string>() : this.#readOutputsOfSteps([...steps]);
    for (const [task, { json }] of this.#newest) found.set(task, json);
    const others = asked.filter((task) => !this.#outputRows.has(task));
    if (others.length === 0) return found;
    const rows = this.#side.run("SELECT task, json FROM outputs WHERE task IN (SELECT value FROM json_each(?))", JSON.stringify(others));
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
    const rows = this.#side.run("SELECT task, detail FROM task_states WHERE detail IS NOT NULL AND task IN (SELECT value FROM json_each(?))", JSON.stringify(tasks));
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
}

const FIRST_STATE: Readonly<Record<string, unknown>> = { ...createTaskState() };

/** The state as JSON, without what is as at first. */
function packState(state: TaskState): string {
  return JSON.stringify(Object.fromEntries(Object.entries(state).filter(([name, value]) => value !== FIRST_STATE[name])));
}

function parseChanges(row: Record<string, SqlStorageValue>): TaskChange[] {
  return JSON.parse(String(row["changes"])) as TaskChange[];
}
