import type { TenantPort } from "../../api/ports/tenant-port.ts";
import type { RunInput } from "../../workflow/transition.ts";
import type { TenantLink } from "./outbox/tenant-link.ts";
import type { WorkflowSession } from "./workflow-session.ts";

interface ForgettingObject {
  /** The workflow that lives here now; null when there is none. */
  session: () => WorkflowSession | null;
  apply: (input: RunInput) => void;
  tenant: (tenant: string) => Pick<TenantPort, "removeWorkflow" | "readmitWorkflow">;
  link: Pick<TenantLink, "flushNews" | "indexAgain">;
  /** Deletes all data. */
  empty: () => Promise<void>;
}

/** Deletes an ended workflow's data, once the tenant knows of its calls. False, and nothing is deleted, when it was retried meanwhile. */
export async function forgetEnded(ended: WorkflowSession, object: ForgettingObject): Promise<boolean> {
  const { tenant: tenantId, workflowId } = ended.identity;
  const tenant = object.tenant(tenantId);
  /** It may have been read again meanwhile; null when somebody else deleted it, though another may live here by now. */
  const findIt = (): WorkflowSession | null => {
    const session = object.session();
    return session?.run.state.createdAt === ended.run.state.createdAt ? session : null;
  };
  // Nobody can correct a forgotten workflow's ledger: what is still out counts in full.
  if (ended.isFinal && ended.hasOpenBooks) object.apply({ type: "closeBooks" });
  await object.link.flushNews(ended);
  const told = findIt();
  if (told === null) return true;
  if (!told.isFinal) return false;
  await tenant.removeWorkflow(workflowId);
  const unlisted = findIt();
  if (unlisted === null) return true;
  if (unlisted.isFinal) {
    await object.empty();
    return true;
  }
  await tenant.readmitWorkflow(workflowId);
  await object.link.indexAgain();
  return false;
}
