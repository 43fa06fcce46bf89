import { isDone, type Run, type TaskState } from "../../src/workflow/run.ts";
import type { Scenario } from "./scenario.ts";
import { mustHold } from "./violation.ts";

/** What an ended workflow must look like, by the contract's words on failures and skips. */
export function checkEnd(scenario: Scenario, run: Run): void {
  const { state, tasks, plan } = run;
  const isCutShort = state.status === "cancelled" || state.error?.code === "deadline_exceeded";
  const hasFailed = tasks.some((task) => task.status === "failed");
  const isStoppedByFailure = plan.onFailure === "fail";
  mustHold((state.status === "failed") === (state.error !== null), "a failed workflow, and only that, has an error", () => `${state.status}: ${JSON.stringify(state.error)}`);
  mustHold(state.finishedAt !== null, "a final workflow has its end", () => state.status);
  if (state.status === "completed") mustHold(tasks.every(isDone), "a completed workflow did everything", () => describe(run));
  if (state.status === "failed" && !isCutShort) mustHold(hasFailed || scenario.isResultBroken, "a workflow fails for a failed task or its result", () => describe(run));

  tasks.forEach((task, id) => {
    const name = plan.tasks[id]!.id;
    const dependencies = plan.graph.dependencies[id]!.map((dependency) => tasks[dependency]!);
    if (task.status === "skipped") checkSkip(scenario, id, task, dependencies, name);
    if (task.status === "cancelled") mustHold(isCutShort || wasCutShort(run), "tasks are cancelled by a cancel or a deadline only", () => name);
    if (task.status === "skipped" && task.skip === "dependency_failed") mustHold(!isStoppedByFailure, "only with continue a failure skips the dependents", () => name);
    if (task.status === "skipped" && task.skip === "not_started") mustHold(isStoppedByFailure && hasFailed, "only with fail a failure stops the rest", () => name);
    if (state.status !== "failed" || isCutShort || isStoppedByFailure || wasCutShort(run)) return;
    const isRun = task.status === "completed" || task.status === "failed" || task.skip === "when";
    mustHold(isRun || !dependencies.every(isDone), "with continue, everything that a failure does not touch runs", () => `${name} is ${task.status}`);
  });
}

function checkSkip(scenario: Scenario, id: number, task: TaskState, dependencies: readonly TaskState[], name: string): void {
  if (task.skip === "when") mustHold(scenario.tasks[id]!.when === false && dependencies.every(isDone), "a task is skipped by its when only if that is false", () => name);
  if (task.skip === "dependency_failed") mustHold(dependencies.some((other) => other.status === "failed" || other.status === "cancelled" || (other.status === "skipped" && other.skip !== "when")), "a skip has a failed dependency as its reason", () => name);
}

/** A deadline may have cut the workflow short before it was retried by hand: what could not run again then stays cancelled. */
function wasCutShort(run: Run): boolean {
  return run.plan.deadlineMs !== null && run.tasks.some((task) => task.manualRetries > 0);
}

function describe(run: Run): string {
  return run.tasks.map((task, id) => `${run.plan.tasks[id]!.id} ${task.status}`).join(", ");
}
