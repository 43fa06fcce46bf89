import { createTaskState, type TaskState } from "../../src/workflow/run.ts";

const FIELDS = Object.keys(createTaskState()).filter((field) => field !== "failure") as (keyof TaskState)[];

/** Whether two states of a task are equal in every field. */
export function isSameTask(one: TaskState, other: TaskState): boolean {
  return FIELDS.every((field) => one[field] === other[field]) && (one.failure === other.failure || JSON.stringify(one.failure) === JSON.stringify(other.failure));
}
