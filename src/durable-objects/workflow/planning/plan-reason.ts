import { forecast } from "../../../optimizer/forecast.ts";
import { hasDrifted, type Outlook } from "../../../workflow/outlook.ts";
import { isFinalWorkflow, type Run } from "../../../workflow/run.ts";
import type { Step } from "../../../workflow/step.ts";

export type PlanReason = "budget" | "schedule";

/** Share of the budget that must be spent since the last plan before the forecast asks for another. */
const SPENT_SHARE = 0.05;

/** Why the tasks that have not started should be planned anew after this step; null: the plan stands. `plannedAtNanoUsd`: what was spent at the last one. */
export function findPlanReason({ run, outlook }: { run: Run; outlook: Outlook | null }, step: Step, plannedAtNanoUsd: number): PlanReason | null {
  if (outlook === null || isFinalWorkflow(run.state.status) || run.state.isFailing) return null;
  if (outlook.openExpected.nanoUsd > 0 && hasDrifted(outlook, step.touched, run.tasks)) return "schedule";
  const cap = run.ledger.cap.nanoUsd;
  const { spent } = run.ledger.workflow;
  if (cap === null || step.entries.length === 0 || spent.nanoUsd - plannedAtNanoUsd < cap * SPENT_SHARE) return null;
  return forecast({ ...outlook, spent }).nanoUsd > cap ? "budget" : null;
}
