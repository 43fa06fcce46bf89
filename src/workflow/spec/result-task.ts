import type { FaultList } from "../faults/fault-list.ts";
import type { ShapedTask, SpecHead } from "./spec-shape.ts";
import { TaskSpec, type ResultAgent } from "./spec.ts";

/** Id of the task that makes the workflow's result: no posted task can have it. */
export const RESULT_TASK_ID = "$result";

/**
 * A result that an agent makes is one more task, which depends on all that nobody else depends on: it is tried again, paid for and shown
 * like the others. Answers the head with an expression in its place.
 */
export function addResultTask(head: SpecHead, result: ResultAgent, tasks: readonly (ShapedTask | null)[]): { head: SpecHead; tasks: (ShapedTask | null)[] } {
  const named = new Set(tasks.flatMap((shaped) => shaped?.task.dependsOn ?? []));
  const last = tasks.flatMap((shaped) => (shaped === null || shaped.broken.has("id") || named.has(shaped.task.id) ? [] : [shaped.task.id]));
  const { agent, input, schema } = result;
  // The id is none that the schema takes, so it comes after the rest was parsed.
  const task: TaskSpec = { ...TaskSpec.parse({ id: "result", agent, input, dependsOn: last, ...(schema === undefined ? {} : { output: { schema } }) }), id: RESULT_TASK_ID };
  // What is wrong with a dependency was reported with it.
  const isUnsure = tasks.some((shaped) => shaped === null || shaped.broken.size > 0);
  const shaped: ShapedTask = { task, broken: new Set(isUnsure ? ["dependsOn"] : []) };
  return { head: { ...head, result: `tasks["${RESULT_TASK_ID}"].output` }, tasks: [...tasks, shaped] };
}

/** Reports the faults of that task, which is the `position`-th, where its fields were posted. */
export function reportAsResult(faults: FaultList, position: number): FaultList {
  const own = `/tasks/${position}/`;
  return {
    add: (path, message) => {
      if (!path.startsWith(own)) return faults.add(path, message);
      const field = path.slice(own.length);
      const place = field.replace(/^output(\/schema)?/, "schema");
      faults.add(/^(agent|input|schema)/.test(place) ? `/result/${place}` : "/result", message);
    },
    finish: faults.finish,
  };
}
