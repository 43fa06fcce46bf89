import type { Fault } from "../../errors.ts";
import { nameHistory } from "../../optimizer/agent-history.ts";
import type { HistoryByName } from "../../optimizer/allocation.ts";
import { callsModels, foreseeWorkflow, listHistoryKeys, type Foreseen } from "../../consumer/planning/foresee-workflow.ts";
import { checkBudget } from "../../consumer/planning/least-reserve.ts";
import type { AcceptedSpec } from "../../workflow/spec/validate-spec.ts";
import type { Api } from "../endpoint.ts";

/**
 * What is foreseen of a new workflow, or why its budget cannot be. `reused`: tasks whose outputs are there already, by id. What is foreseen is
 * advice: when it cannot be found out, each task takes what is best for it, and the budget binds all the same.
 */
export async function foreseeNew(tenant: string, api: Api, accepted: AcceptedSpec, reused: ReadonlySet<string> = new Set()): Promise<Partial<Foreseen> | { faults: Fault[] }> {
  if (!callsModels(accepted.agents)) return {};
  try {
    const [models, history] = await Promise.all([api.deps.loadModels(tenant), readHistory(tenant, api, accepted)]);
    const now = api.deps.now();
    const fault = reused.size > 0 ? null : checkBudget(accepted, models, now);
    return fault === null ? foreseeWorkflow(accepted, models, { history, reused, now }) : { faults: [fault] };
  } catch (error) {
    api.deps.log({ event: "plan.failed", message: String(error) });
    return {};
  }
}

/** What the tenant's agents have come to, as far as the workflow's shares depend on it. Without it they are as without a history. */
export async function readHistory(tenant: string, api: Api, accepted: AcceptedSpec): Promise<HistoryByName> {
  const keys = listHistoryKeys(accepted);
  if (keys.length === 0) return new Map();
  try {
    const cells = await api.deps.tenant(tenant).readHistory(keys);
    return new Map(cells.map((cell) => [nameHistory(cell), cell.history]));
  } catch (error) {
    api.deps.log({ event: "plan.failed", message: String(error) });
    return new Map();
  }
}
