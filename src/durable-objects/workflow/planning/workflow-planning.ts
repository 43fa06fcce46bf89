import type { PlannedTask, WorkflowPlan } from "../../../consumer/planning/plan-workflow.ts";
import { sumByTask } from "../../../workflow/budget/ledger.ts";
import { noteSpending, noteTasks, openOutlook, replaceExpected, type Outlook, type TaskOutlook } from "../../../workflow/outlook.ts";
import type { Run } from "../../../workflow/run.ts";
import type { Step } from "../../../workflow/step.ts";
import type { WorkflowStore } from "../stores/workflow-store.ts";
import type { WorkflowParts } from "../workflow-parts.ts";
import { findPlanReason, type PlanReason } from "./plan-reason.ts";

/** A plan of tasks that have not started, with their numbers. */
export interface NewPlan {
  plan: Pick<WorkflowPlan, "tasks" | "deviations">;
  tasks: readonly number[];
}

/** What was planned and foreseen of a workflow, and how it comes out. */
export class WorkflowPlanning {
  /** Null where no task calls a model. */
  readonly outlook: Outlook | null;
  readonly #store: WorkflowStore;
  readonly #run: Run;
  #models: ReadonlyMap<string, string>;
  /** What was spent when the tasks were planned last. */
  #plannedAtNanoUsd = 0;

  constructor(store: WorkflowStore, run: Run, { plannedModels, outlook, books }: Pick<WorkflowParts, "plannedModels" | "outlook" | "books">) {
    this.#store = store;
    this.#run = run;
    this.#models = new Map(Object.entries(plannedModels));
    this.outlook = outlook === null ? null : openOutlook(outlook, run.tasks, sumByTask(books.bills), run.plan.graph.waves);
  }

  /** By task id: models that the plan chose, where they are not what is best for the task alone. */
  get models(): ReadonlyMap<string, string> {
    return this.#models;
  }

  /** Follows a step. Why tasks that have not started should be planned anew after it; null: the plan stands. */
  follow(step: Step): PlanReason | null {
    if (this.outlook === null) return null;
    noteSpending(this.outlook, step.entries);
    noteTasks(this.outlook, step.touched, step.run.tasks);
    return findPlanReason({ run: this.#run, outlook: this.outlook }, step, this.#plannedAtNanoUsd);
  }

  /** Takes over a new plan, which `save` stores. */
  take({ plan, tasks }: NewPlan): void {
    this.#plannedAtNanoUsd = this.#run.ledger.workflow.spent.nanoUsd;
    const planned = new Map(tasks.map((task) => [this.#run.plan.tasks[task]!.id, task]));
    const kept = [...this.#models].filter(([id]) => !planned.has(id));
    this.#models = new Map([...kept, ...Object.entries(plan.deviations)]);
    if (this.outlook === null) return;
    replaceExpected(this.outlook, new Map([...planned].map(([id, task]) => [task, pickExpected(plan.tasks[id]!)])));
  }

  save(): void {
    this.#store.write("plannedModels", Object.fromEntries(this.#models));
    if (this.outlook !== null) this.#store.write("outlook", [...this.outlook.tasks]);
  }
}

function pickExpected({ expectedNanoUsd, expectedTokens, expectedMs }: PlannedTask): Omit<TaskOutlook, "weight"> {
  return { expectedNanoUsd, expectedTokens, expectedMs };
}
