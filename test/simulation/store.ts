import type { LoggedEvent, WorkflowEvent } from "../../src/workflow/events.ts";
import { createTaskState, type RunState, type TaskState } from "../../src/workflow/run.ts";
import type { Step } from "../../src/workflow/step.ts";
import { BookRows } from "../workflow/budget/book-rows.ts";

/** What outlives the object's memory: JSON, as a database would keep it. */
export class Store {
  #state: string | null = null;
  readonly #tasks: (string | null)[];
  /** Parsed rows, for the checks alone. */
  readonly parsed: TaskState[];
  events: LoggedEvent[] = [];
  readonly books = new BookRows();
  armedAt = Infinity;

  constructor(size: number) {
    this.#tasks = Array.from({ length: size }, () => null);
    this.parsed = Array.from({ length: size }, createTaskState);
  }

  get isCreated(): boolean {
    return this.#state !== null;
  }

  readState(): RunState {
    return JSON.parse(this.#state ?? "null") as RunState;
  }

  readTasks(): TaskState[] {
    return this.#tasks.map((json) => (json === null ? createTaskState() : (JSON.parse(json) as TaskState)));
  }

  readLastSeq(): number {
    return this.events.at(-1)?.seq ?? 0;
  }

  saveState(state: RunState): void {
    this.#state = JSON.stringify(state);
  }

  /** One transaction: all that the steps touched, or (the caller died before) nothing. Answers the new events as stored. */
  save(steps: readonly Step[], firstSeq: number, armedAt: number): LoggedEvent[] {
    const { run } = steps[0]!;
    if (steps.some((step) => step.isStateTouched)) this.saveState(run.state);
    for (const step of steps) {
      for (const entry of step.entries) this.books.enter(entry);
      for (const id of step.touched) {
        const json = JSON.stringify(run.tasks[id]!);
        this.#tasks[id] = json;
        this.parsed[id] = JSON.parse(json) as TaskState;
      }
    }
    const events = steps.flatMap((step) => step.events).map((event: WorkflowEvent, place) => ({ seq: firstSeq + place, ...event }));
    this.events.push(...events);
    this.armedAt = armedAt;
    return events;
  }
}
