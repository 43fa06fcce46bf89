import { planWorkflow } from "../consumer/plan-workflow.ts";
import type { AcceptedSpec } from "../workflow/validate-spec.ts";
import type { Api } from "./endpoint.ts";

/** Most tasks of a workflow that is planned at its creation: a few milliseconds of computing. Larger ones choose per task. */
export const MAX_PLANNED_TASKS = 200;

/** Models that suit a new workflow as a whole better than its tasks alone, by task id. Never fails: without a plan each task takes what is best for it. */
export async function planModels(tenant: string, api: Api, accepted: AcceptedSpec): Promise<Record<string, string>> {
  if (!canGain(accepted)) return {};
  try {
    return planWorkflow(accepted, await api.deps.loadModels(tenant), api.deps.now()).deviations;
  } catch (error) {
    api.deps.log({ event: "plan.failed", message: String(error) });
    return {};
  }
}

/** In a chain nothing has slack, so there is nothing to gain but with a deadline. */
function canGain({ spec, graph, agents }: AcceptedSpec): boolean {
  const mayGain = spec.deadlineMs !== undefined || graph.waves.length < graph.size;
  return mayGain && graph.size <= MAX_PLANNED_TASKS && Object.values(agents).some(({ kind }) => kind === "llm");
}
