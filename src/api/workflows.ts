import { z } from "zod";
import type { Fault } from "../errors.ts";
import { WorkflowSpec } from "../workflow/spec/spec.ts";
import type { AcceptedSpec } from "../workflow/spec/validate-spec.ts";
import { answerJson } from "./http/answer-json.ts";
import { foreseeNew } from "./workflows/foresee.ts";
import { createWorkflow, findReplay, type NewWorkflow } from "./workflows/create-workflow.ts";
import { callerOf, type Api, type ApiContext, type Endpoint } from "./endpoint.ts";
import { hashRequest, readIdempotencyKey } from "./http/idempotency.ts";
import { refuseFaults, valueOf } from "./http/problem.ts";
import { checkQuery, MAX_WORKFLOW_BODY_BYTES, NUMBER_CURSOR, PAGE_QUERY, readJson, readQuery } from "./http/read-request.ts";
import { checkWorkflow, readOwnId } from "./workflows/check-workflow.ts";
import { askedOf, ReadQuery } from "./workflows/read-query.ts";
import { workflowExists, workflowOf } from "./workflows/workflow-path.ts";
import { AnsweredCall, AnsweredSummary, AnsweredTask, AnsweredWorkflow, pageOf, TASK_STATUSES, WORKFLOW_STATUSES } from "./openapi/workflow-schemas.ts";

/** Most `metadata.k=v` filters of one list: each is a lookup per row. */
export const MAX_METADATA_FILTERS = 10;
const METADATA_PREFIX = "metadata.";

/** Statuses of the contract that nothing has before there are sagas can be asked for, and nothing is found. */
const ListQuery = z.object({
  ...PAGE_QUERY,
  status: z.enum([...WORKFLOW_STATUSES, "compensating", "compensated"]).nullable().default(null),
  name: z.string().min(1).max(200).nullable().default(null),
});
const TasksQuery = z.object({ ...PAGE_QUERY, cursor: NUMBER_CURSOR, status: z.enum([...TASK_STATUSES, "compensated"]).nullable().default(null) });
const LedgerQuery = z.object({ ...PAGE_QUERY, cursor: NUMBER_CURSOR });

export const WORKFLOW_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/v1/workflows",
    tag: "Workflows",
    summary: "Create a workflow and start it",
    access: "workflows:write",
    extraParameters: [{ name: "Idempotency-Key", in: "header", description: "Makes a repetition within 24 hours answer what the first request made" }],
    query: ReadQuery,
    body: { schema: WorkflowSpec },
    answers: { 201: { description: "The workflow; with `wait`, once it is final or that many milliseconds later", schema: AnsweredWorkflow } },
    handle: async (context, api) => {
      const { json, bytes } = await readJson(context, MAX_WORKFLOW_BODY_BYTES);
      const read = checkQuery(context, ReadQuery);
      const idempotency = await hashRequest(readIdempotencyKey(context), bytes);
      const checked = await checkWorkflow(context, api, json);
      const made = "faults" in checked ? checked : await prepare(callerOf(context).tenant, api, checked);
      if ("faults" in read) return refuseFaults([...read.faults, ...("faults" in made ? made.faults : [])]);
      const asked = askedOf(read.query);
      if ("faults" in made) {
        const replay = idempotency === null ? null : await findReplay(context, api, readOwnId(json), idempotency, asked);
        return replay ?? refuseFaults(made.faults);
      }
      return createWorkflow(context, api, made, idempotency, asked);
    },
  },
  {
    method: "GET",
    path: "/v1/workflows",
    tag: "Workflows",
    summary: "The tenant's workflows, newest first; filter also with `metadata.<key>=<value>`",
    access: "workflows:read",
    query: ListQuery,
    answers: { 200: { description: "A page", schema: pageOf(AnsweredSummary) } },
    handle: async (context, api) => {
      const metadata = listMetadataFilters(context);
      const excess = metadata.length <= MAX_METADATA_FILTERS ? [] : [{ path: "?metadata", message: `filter by at most ${MAX_METADATA_FILTERS} keys` }];
      const read = checkQuery(context, ListQuery);
      if ("faults" in read || excess.length > 0) return refuseFaults([...("faults" in read ? read.faults : []), ...excess]);
      return answerJson(200, valueOf(await api.deps.tenant(callerOf(context).tenant).listWorkflows({ ...read.query, metadata: Object.fromEntries(metadata) })));
    },
  },
  {
    method: "GET",
    path: "/v1/workflows/:id",
    tag: "Workflows",
    summary: "One workflow; with `wait`, once it is final or that many milliseconds later",
    access: "workflows:read",
    query: ReadQuery,
    answers: { 200: { description: "The workflow", schema: AnsweredWorkflow } },
    exists: workflowExists,
    handle: async (context, api) => {
      const asked = askedOf(readQuery(context, ReadQuery)) ?? { withTasks: true, waitMs: 0 };
      return answerJson(200, valueOf(await workflowOf(context, api).read(asked)));
    },
  },
  {
    method: "DELETE",
    path: "/v1/workflows/:id",
    tag: "Workflows",
    summary: "Remove a final workflow and all of its data",
    access: "workflows:write",
    answers: { 204: { description: "Removed" } },
    handle: async (context, api) => {
      valueOf(await workflowOf(context, api).remove());
      return answerJson(204, undefined);
    },
  },
  {
    method: "GET",
    path: "/v1/workflows/:id/tasks",
    tag: "Workflows",
    summary: "The tasks, in the order of the spec",
    access: "workflows:read",
    query: TasksQuery,
    answers: { 200: { description: "A page", schema: pageOf(AnsweredTask) } },
    exists: workflowExists,
    handle: async (context, api) => {
      const query = readQuery(context, TasksQuery);
      return answerJson(200, valueOf(await workflowOf(context, api).listTasks(query)));
    },
  },
  {
    method: "GET",
    path: "/v1/workflows/:id/tasks/:task",
    tag: "Workflows",
    summary: "One task whole, whatever the size of its output",
    access: "workflows:read",
    answers: { 200: { description: "The task", schema: AnsweredTask } },
    handle: async (context, api) => answerJson(200, valueOf(await workflowOf(context, api).readTask(context.req.param("task") ?? ""))),
  },
  {
    method: "GET",
    path: "/v1/workflows/:id/ledger",
    tag: "Workflows",
    summary: "Every call that was made, with its tokens and cost, newest first",
    access: "workflows:read",
    query: LedgerQuery,
    answers: { 200: { description: "A page", schema: pageOf(AnsweredCall) } },
    exists: workflowExists,
    handle: async (context, api) => {
      const query = readQuery(context, LedgerQuery);
      return answerJson(200, valueOf(await workflowOf(context, api).readLedger(query)));
    },
  },
];

async function prepare(tenant: string, api: Api, accepted: AcceptedSpec): Promise<NewWorkflow | { faults: Fault[] }> {
  const foreseen = await foreseeNew(tenant, api, accepted);
  return "faults" in foreseen ? foreseen : { spec: accepted.spec, agents: accepted.agents, rerunOf: null, ...foreseen };
}

/** What the list is filtered by: keys of the metadata, and their values. */
function listMetadataFilters(context: ApiContext): [string, string][] {
  const parameters = Object.entries(context.req.query());
  return parameters.flatMap(([name, value]): [string, string][] => (name.startsWith(METADATA_PREFIX) ? [[name.slice(METADATA_PREFIX.length), value]] : []));
}
