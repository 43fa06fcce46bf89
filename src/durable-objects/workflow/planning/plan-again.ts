import { planWorkflow } from "../../../consumer/planning/plan-workflow.ts";
import type { LoadModels } from "../../../consumer/load-models.ts";
import { forecast } from "../../../optimizer/forecast.ts";
import type { NewPlan } from "./workflow-planning.ts";
import type { WorkflowSession } from "../workflow-session.ts";

/** Most open tasks that are planned anew: what a step would wait for is a few milliseconds. */
const MAX_PLANNED_AGAIN = 200;

/** A plan for the tasks that have not started, for the money that is left; null where there are none, or too many. */
export async function planAgain(session: WorkflowSession, loadModels: LoadModels, now: number): Promise<NewPlan | null> {
  const { run, store, identity, agents } = session;
  const tasks = run.tasks.flatMap((state, task) => (state.status === "pending" && state.attempt === 0 && run.plan.tasks[task]!.kind === "llm" ? [task] : []));
  if (tasks.length === 0 || tasks.length > MAX_PLANNED_AGAIN) return null;
  const models = await loadModels(identity.tenant);
  const { spent, reserved } = run.ledger.workflow;
  const cap = run.ledger.cap.nanoUsd;
  const { deadlineAt } = run.state;
  const spec = { ...identity.spec, tasks: [...store.readTaskSpecs()], input: store.read("input"), ...(deadlineAt === null ? {} : { deadlineMs: Math.max(1, deadlineAt - now) }) };
  const plan = planWorkflow({ spec, graph: run.plan.graph, agents }, models, now, {
    budgetLeftNanoUsd: cap === null ? null : Math.floor(Math.max(0, cap - spent.nanoUsd - reserved.nanoUsd) / findCorrection(session)),
    only: new Set(tasks.map((task) => run.plan.tasks[task]!.id)),
  });
  return { plan, tasks };
}

/** How many times what the plan expects of open tasks they are going to cost, by those that have ended; 1 at least. */
function findCorrection({ run, outlook }: WorkflowSession): number {
  if (outlook === null || outlook.openExpected.nanoUsd === 0) return 1;
  const open = forecast({ ...outlook, spent: run.ledger.workflow.spent }).nanoUsd - outlook.doneSpent.nanoUsd;
  return Math.max(1, open / outlook.openExpected.nanoUsd);
}
