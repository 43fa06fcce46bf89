import { callerOf, type Api, type ApiContext } from "../endpoint.ts";
import { deriveWorkflowId, MAX_GENERATIONS, type Idempotency } from "../http/idempotency.ts";
import { refuse, refuseProblem } from "../http/problem.ts";
import { KEY_IS_TAKEN } from "../ports/idempotency-record.ts";

/** How long a claim may stand without its workflow: until then its request may be under way. */
const UNDER_WAY_MS = 60_000;

/**
 * Makes a key stand for a workflow with an id of the client's own. The workflow keeps the key, but only the object that the key leads to can tell that
 * it was used with another body, which names another workflow. Refuses where it was. Gives what takes the claim back when nothing comes of it.
 */
export async function claimKey(context: ApiContext, api: Api, { key, bodyHash }: Idempotency, workflowId: string): Promise<() => Promise<void>> {
  const { tenant } = callerOf(context);
  for (let generation = 0; generation < MAX_GENERATIONS; generation += 1) {
    const keeperId = await deriveWorkflowId(context, key, generation);
    const keeper = api.deps.workflow(tenant, keeperId);
    const claim = { tenant, keeperId, key, bodyHash, workflowId, instead: null };
    let answer = await keeper.claimKey(claim);
    if ("kind" in answer && answer.kind === "held") {
      const found = await api.deps.workflow(tenant, answer.workflowId).findAnswer({ key, bodyHash: answer.bodyHash });
      if (found.kind !== "replayed" && answer.forMs >= UNDER_WAY_MS) answer = await keeper.claimKey({ ...claim, instead: answer.bodyHash });
    }
    if ("problem" in answer) refuseProblem(answer);
    if (answer.kind === "held") refuseProblem(KEY_IS_TAKEN);
    if (answer.kind === "claimed") return () => keeper.releaseKey({ key, bodyHash });
  }
  refuse("conflict", "This Idempotency-Key was used too often: use another.");
}
