import type { LoggedEvent } from "../../src/workflow/events.ts";
import { isFinalTask, isFinalWorkflow, isLiveTask, type Run, type TaskStatus, type WorkflowStatus } from "../../src/workflow/run.ts";
import { mustHold } from "./violation.ts";

interface TaskStory {
  status: TaskStatus;
  attempt: number;
  completions: number;
}

const RULE = "the event log tells one consistent story";

/** The workflow as somebody sees it who reads nothing but its events. */
export class EventStory {
  #seq = 0;
  #status: WorkflowStatus = "pending";
  #statusBeforePause: WorkflowStatus = "pending";
  readonly #places: Map<string, number>;
  readonly #tasks: TaskStory[];

  constructor(taskIds: readonly string[]) {
    this.#places = new Map(taskIds.map((id, place) => [id, place]));
    this.#tasks = taskIds.map(() => ({ status: "pending", attempt: 0, completions: 0 }));
  }

  read(event: LoggedEvent): void {
    mustHold(event.seq === this.#seq + 1, "seq has no gaps and no repeats", () => `${event.seq} after ${this.#seq}`);
    mustHold((event.type === "workflow.created") === (event.seq === 1) && (event.type === "workflow.planned") === (event.seq === 2), RULE, () => `${event.type} as number ${event.seq}`);
    this.#seq = event.seq;
    const isAllowedAtEnd = event.type.startsWith("budget.") || (event.type === "workflow.resumed" && event.data.taskId !== undefined);
    if (isFinalWorkflow(this.#status)) mustHold(isAllowedAtEnd, "after the final event there are none but late bills, unless a task is retried", () => event.type);
    if (event.type.startsWith("task.")) this.#readTaskEvent(event);
    else this.#readWorkflowEvent(event);
  }

  /** A manual retry opens tasks again: the log names the retried one, the others follow from the graph. */
  reopen(tasks: readonly number[]): void {
    for (const task of tasks) this.#tasks[task]!.status = "pending";
  }

  /** Compares the story with the truth. A lost attempt has no event; its repetition is seen when it is queued. */
  checkAgainst(run: Run): void {
    const truth = run.state.status;
    const isScheduled = truth === "scheduled" && this.#status === "pending";
    mustHold(isScheduled || truth === this.#status, RULE, () => `workflow: told ${this.#status}, is ${truth}`);
    run.tasks.forEach((task, id) => {
      const told = this.#tasks[id]!;
      const isLost = task.status === "pending" && isLiveTask(told.status) && task.losses > 0;
      mustHold(task.attempt === told.attempt && (isLost || task.status === told.status), RULE, () => `${run.plan.tasks[id]!.id}: told ${told.status} ${told.attempt}, is ${task.status} ${task.attempt}`);
    });
  }

  #readWorkflowEvent(event: LoggedEvent): void {
    const was = this.#status;
    const isOneOf = (...statuses: WorkflowStatus[]): void => mustHold(statuses.includes(was), RULE, () => `${event.type} while ${was}`);
    switch (event.type) {
      case "workflow.started":
        isOneOf("pending");
        this.#status = "running";
        return;
      case "workflow.paused":
        isOneOf("pending", "running");
        this.#statusBeforePause = was;
        this.#status = "paused";
        return;
      case "workflow.resumed":
        if (event.data.taskId === undefined) isOneOf("paused");
        else isOneOf("running", "failed");
        this.#status = event.data.taskId === undefined ? this.#statusBeforePause : "running";
        return;
      case "workflow.completed":
        mustHold(this.#tasks.every(({ status }) => status === "completed" || status === "skipped"), RULE, () => "completed with tasks that are not");
        this.#status = "completed";
        return;
      case "workflow.failed":
        this.#status = "failed";
        return;
      case "workflow.cancelled":
        this.#status = "cancelled";
        return;
    }
  }

  #readTaskEvent(event: LoggedEvent): void {
    const task = this.#tasks[this.#places.get(event.taskId ?? "") ?? -1];
    const { attempt } = event.data as { attempt: number };
    mustHold(task !== undefined, RULE, () => `${event.type} of ${event.taskId}`);
    const told = task!;
    const becomes = (status: TaskStatus, ...from: TaskStatus[]): void => {
      const isNext = attempt === told.attempt && from.includes(told.status);
      mustHold(isNext, RULE, () => `${event.taskId}: ${event.type} ${attempt} while ${told.status} ${told.attempt}`);
      told.status = status;
    };
    switch (event.type) {
      case "task.queued":
        mustHold(attempt === told.attempt + 1 && !isFinalTask(told.status) && this.#status === "running", RULE, () => `${event.taskId}: queued ${attempt} while ${told.status} ${told.attempt}`);
        told.attempt = attempt;
        told.status = "queued";
        return;
      case "task.started":
        return becomes("running", "queued");
      case "task.waiting":
        return becomes("waiting", "running");
      case "task.retrying":
        return becomes("pending", "queued", "running", "waiting");
      case "task.completed":
        told.completions += 1;
        mustHold(told.completions === 1, "no task completes twice", () => event.taskId ?? "");
        return event.data.reused === true ? becomes("completed", "pending") : becomes("completed", "running", "waiting");
      case "task.failed":
        return becomes("failed", "pending", "queued", "running", "waiting");
      case "task.skipped":
        return becomes("skipped", "pending", "queued", "running", "waiting");
      case "task.cancelled":
        return becomes("cancelled", "pending", "queued", "running", "waiting");
    }
  }
}
