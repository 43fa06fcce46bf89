import { WorkflowId } from "../../workflow/spec/spec.ts";
import { callerOf, type Api, type ApiContext } from "../endpoint.ts";
import { refuse } from "../http/problem.ts";
import type { WorkflowPort } from "../ports/workflow-port.ts";

/** The id in the path. One that no workflow can have is answered without asking an object. */
export function workflowIdOf(context: ApiContext): string {
  const id = WorkflowId.safeParse(context.req.param("id"));
  if (!id.success) refuse("not_found", "There is no workflow of this id.");
  return id.data;
}

/** The object of the workflow in the path, as the caller's tenant sees it: another tenant's is another object. */
export function workflowOf(context: ApiContext, api: Api): WorkflowPort {
  return api.deps.workflow(callerOf(context).tenant, workflowIdOf(context));
}

export function workflowExists(context: ApiContext, api: Api): Promise<boolean> {
  return workflowOf(context, api).exists();
}
