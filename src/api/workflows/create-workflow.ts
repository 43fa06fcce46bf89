import { pickOwnBudgets } from "../../config/budget-settings.ts";
import { limitsTasks } from "../../config/tenant-record.ts";
import { isProblem } from "../../errors.ts";
import type { AgentDefinition } from "../../workflow/spec/agent.ts";
import type { TaskOutlook } from "../../workflow/outlook.ts";
import type { WorkflowSpec } from "../../workflow/spec/spec.ts";
import { answerJson } from "../http/answer-json.ts";
import { callerOf, type Api, type ApiContext } from "../endpoint.ts";
import { deriveWorkflowId, MAX_GENERATIONS, type Idempotency } from "../http/idempotency.ts";
import { orderedId } from "../http/ordered-id.ts";
import { RequestRefused, refuse } from "../http/problem.ts";
import { OPERATOR_TENANT } from "../stored-tiers.ts";
import type { CreateAnswer, ReadOptions, WorkflowPort, WorkflowView } from "../ports/workflow-port.ts";
import { claimKey } from "./claim-key.ts";

/** What a new workflow is made of. */
export interface NewWorkflow {
  spec: WorkflowSpec;
  agents: Record<string, AgentDefinition>;
  rerunOf: { workflowId: string; tasks: readonly string[] } | null;
  plannedModels?: Record<string, string>;
  outlook?: TaskOutlook[];
}

/** Creates the workflow, or answers a repetition of the request that did. One round trip, but for keys that were used before yesterday or come with an id of the client's own. `asked`: null for the workflow as it was made. */
export async function createWorkflow(context: ApiContext, api: Api, made: NewWorkflow, idempotency: Idempotency | null, asked: ReadOptions | null): Promise<Response> {
  const { id } = made.spec;
  const { tenant } = callerOf(context);
  // Where it cannot be read, the workflow hears of limits from the tenant's object when it tells that it has begun.
  const [allowance, ownBudgets] = await Promise.all([api.deps.allowances.read(tenant).catch(() => null), readOwnBudgets(tenant, api)]);
  const limits = allowance?.limits;
  const create = (workflowId: string, port: WorkflowPort) =>
    port.create({
      tenant,
      workflowId,
      ...made,
      ...(limits === undefined ? {} : { isLimited: limitsTasks(limits) }),
      origin: readOrigin(context, api),
      requestId: context.var.requestId,
      idempotency,
      ...(ownBudgets === null ? {} : { ownBudgets }),
      ...(asked === null ? {} : { answer: asked }),
    });
  if (idempotency === null || id !== undefined) {
    const workflowId = id ?? orderedId("wf_", api.deps.now(), api.deps.randomId());
    const port = api.deps.workflow(tenant, workflowId);
    const release = idempotency === null ? null : await claimKey(context, api, idempotency, workflowId);
    const askedAt = api.deps.now();
    try {
      const answer = await create(workflowId, port).catch((error: unknown) => {
        // Under an id that was made here it can be no other's.
        if (id !== undefined || asked === null || asked.waitMs === 0) throw error;
        return waitOn(api.deps.workflow(tenant, workflowId), { ...asked, waitMs: Math.max(0, askedAt + asked.waitMs - api.deps.now()) }, error);
      });
      return (await answerCreated(workflowId, answer, port, asked)) ?? refuse("conflict", `The id ${workflowId} is taken, by a request whose Idempotency-Key is over.`);
    } catch (error) {
      // Only what was answered with success is kept. Of anything else it is not known what came of it.
      if (error instanceof RequestRefused) await release?.();
      throw error;
    }
  }
  return tryGenerations(context, api, idempotency.key, create, asked);
}

/** A request that waits in an object is broken off when that is reset, as each deployment does; the workflow goes on. Throws `error` where it was not stored. */
async function waitOn(port: WorkflowPort, asked: ReadOptions, error: unknown): Promise<CreateAnswer> {
  const workflow = await port.read(asked);
  if (isProblem(workflow)) throw error;
  return { kind: "created", workflow };
}

async function readOwnBudgets(tenant: string, api: Api): Promise<ReturnType<typeof pickOwnBudgets>> {
  if (tenant === OPERATOR_TENANT) return null;
  const [own, operators] = await Promise.all([api.deps.settings.read(tenant), api.deps.settings.read(OPERATOR_TENANT)]);
  return pickOwnBudgets(own.budgets, operators.budgets);
}

/** The answer of an earlier request with this key and body, if there is one: it is given again even when the request would be refused by now. */
export async function findReplay(context: ApiContext, api: Api, id: string | null, idempotency: Idempotency, asked: ReadOptions | null): Promise<Response | null> {
  const find = async (_workflowId: string, port: WorkflowPort): Promise<CreateAnswer> => {
    const found = await port.findAnswer(idempotency);
    return found.kind === "unknown" ? { problem: "not_found", detail: "" } : found;
  };
  try {
    if (id === null) return await tryGenerations(context, api, idempotency.key, find, asked);
    const port = api.deps.workflow(callerOf(context).tenant, id);
    return await answerCreated(id, await find(id, port), port, asked);
  } catch (error) {
    if (error instanceof RequestRefused) return null;
    throw error;
  }
}

async function tryGenerations(context: ApiContext, api: Api, key: string, ask: (workflowId: string, port: WorkflowPort) => Promise<CreateAnswer>, asked: ReadOptions | null): Promise<Response> {
  for (let generation = 0; generation < MAX_GENERATIONS; generation += 1) {
    const workflowId = await deriveWorkflowId(context, key, generation);
    const port = api.deps.workflow(callerOf(context).tenant, workflowId);
    const response = await answerCreated(workflowId, await ask(workflowId, port), port, asked);
    if (response !== null) return response;
  }
  refuse("conflict", "This Idempotency-Key was used too often: use another.");
}

/** The answer to the client; null when the key's record is over. Throws refusals. */
async function answerCreated(workflowId: string, answer: CreateAnswer, port: WorkflowPort, asked: ReadOptions | null): Promise<Response | null> {
  if ("problem" in answer) throw new RequestRefused(answer);
  const location = `/v1/workflows/${workflowId}`;
  switch (answer.kind) {
    case "created":
      return answerJson(201, answer.workflow, { location });
    case "replayed": {
      const headers = { location, "idempotent-replay": "true" };
      // Who waits wants the end, not the beginning; of one that was deleted the beginning is all there is.
      const workflow = asked === null ? null : await port.read(asked);
      if (workflow !== null && !isProblem(workflow) && isSame(workflow, answer.body)) return answerJson(201, workflow, headers);
      return new Response(answer.body, { status: 201, headers: { "content-type": "application/json", ...headers } });
    }
    case "expired":
      return null;
  }
}

/** Whether this is the workflow that the first answer tells of, and not a later one with its id. */
function isSame({ createdAt }: WorkflowView, firstAnswer: string): boolean {
  return (JSON.parse(firstAnswer) as Pick<WorkflowView, "createdAt">).createdAt === createdAt;
}

/** Where callbacks of this workflow reach the service: a variable that is empty counts as not set. */
function readOrigin(context: ApiContext, api: Api): string {
  const { publicUrl } = api.deps;
  return publicUrl === null || publicUrl === "" ? new URL(context.req.url).origin : publicUrl.replace(/\/+$/, "");
}
