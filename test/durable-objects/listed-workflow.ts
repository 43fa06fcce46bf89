import { env } from "cloudflare:workers";
import type { TenantPort } from "../../src/api/ports/tenant-port.ts";
import type { WorkflowSummary } from "../../src/api/ports/workflow-port.ts";
import { idOf, TENANT, type Workflow } from "./open-workflow.ts";

/** Its status in the tenant's list; null when it is not listed. */
export async function listedStatus(workflow: Workflow): Promise<string | null> {
  return (await findListed(workflow))?.status ?? null;
}

/** What the tenant's list shows of it. */
export async function findListed(workflow: Workflow): Promise<WorkflowSummary | undefined> {
  const tenant = env.TENANT.getByName(TENANT) as unknown as TenantPort;
  const page = await tenant.listWorkflows({ status: null, name: null, metadata: {}, limit: 200, cursor: null });
  if ("problem" in page) throw new Error(page.detail);
  return page.items.find(({ id }) => id === idOf(workflow));
}
