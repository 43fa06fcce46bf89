import { z } from "zod";
import { isProblem } from "../errors.ts";
import { graphOf } from "../workflow/graph.ts";
import { TaskId } from "../workflow/spec/spec.ts";
import { callerOf, type Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { hashRequest, readIdempotencyKey } from "./http/idempotency.ts";
import { refuseFaults, refuseProblem, valueOf } from "./http/problem.ts";
import { readOptions, readQuery } from "./http/read-request.ts";
import { AnsweredStatus, AnsweredWorkflow } from "./openapi/workflow-schemas.ts";
import { createWorkflow, findReplay } from "./workflows/create-workflow.ts";
import { foreseeNew } from "./workflows/foresee.ts";
import { askedOf, ReadQuery } from "./workflows/read-query.ts";
import { workflowExists, workflowIdOf, workflowOf } from "./workflows/workflow-path.ts";

const NoOptions = z.strictObject({});
const CancelOptions = z.strictObject({ compensate: z.boolean().nullish() });
const RerunOptions = z.strictObject({ from: z.array(TaskId).min(1).max(5_000).nullish() });

const ACCEPTED = { 202: { description: "Taken", schema: AnsweredStatus } };

/** Pause, resume: a command without options. */
function commandEndpoint(command: "pause" | "resume", summary: string): Endpoint {
  return {
    method: "POST",
    path: `/v1/workflows/:id/${command}`,
    tag: "Workflows",
    summary,
    access: "workflows:write",
    body: { schema: NoOptions, isOptional: true },
    answers: ACCEPTED,
    exists: workflowExists,
    handle: async (context, api) => {
      await readOptions(context, NoOptions);
      return answerJson(202, valueOf(await workflowOf(context, api).command(command)));
    },
  };
}

export const WORKFLOW_COMMAND_ENDPOINTS: readonly Endpoint[] = [
  commandEndpoint("pause", "Start nothing new; running attempts finish"),
  commandEndpoint("resume", "Go on after a pause"),
  {
    method: "POST",
    path: "/v1/workflows/:id/cancel",
    tag: "Workflows",
    summary: "Abandon what runs; late results cost but change nothing",
    access: "workflows:write",
    body: { schema: CancelOptions, isOptional: true },
    answers: ACCEPTED,
    exists: workflowExists,
    handle: async (context, api) => {
      const { options } = await readOptions(context, CancelOptions);
      if (options.compensate === true) refuseFaults([{ path: "/compensate", message: "is not available yet: leave it out" }]);
      return answerJson(202, valueOf(await workflowOf(context, api).command("cancel")));
    },
  },
  {
    method: "POST",
    path: "/v1/workflows/:id/tasks/:task/retry",
    tag: "Workflows",
    summary: "Run a failed task again, and the dependents that were skipped for it",
    access: "workflows:write",
    body: { schema: NoOptions, isOptional: true },
    answers: ACCEPTED,
    exists: workflowExists,
    handle: async (context, api) => {
      await readOptions(context, NoOptions);
      return answerJson(202, valueOf(await workflowOf(context, api).retryTask(context.req.param("task") ?? "")));
    },
  },
  {
    method: "POST",
    path: "/v1/workflows/:id/rerun",
    tag: "Workflows",
    summary: "A new workflow from this one's checkpoint; without `from`, all that was not completed runs again",
    access: "workflows:write",
    extraParameters: [{ name: "Idempotency-Key", in: "header", description: "Makes a repetition answer what the first request made" }],
    query: ReadQuery,
    body: { schema: RerunOptions, isOptional: true },
    answers: { 201: { description: "The new workflow; with `wait`, once it is final or that many milliseconds later", schema: AnsweredWorkflow } },
    exists: workflowExists,
    handle: async (context, api) => {
      const { options, bytes } = await readOptions(context, RerunOptions);
      const asked = askedOf(readQuery(context, ReadQuery));
      const idempotency = await hashRequest(readIdempotencyKey(context), bytes);
      const checkpoint = await workflowOf(context, api).readCheckpoint(options.from ?? null);
      // What was answered once is answered again, also when its source runs again or is gone, or its budget would be refused by now.
      const replay = async () => (idempotency === null ? null : findReplay(context, api, null, idempotency, asked));
      if (isProblem(checkpoint)) return (await replay()) ?? refuseProblem(checkpoint);
      const { spec, agents, reusable } = checkpoint;
      const rerunOf = { workflowId: workflowIdOf(context), tasks: reusable };
      const foreseen = await foreseeNew(callerOf(context).tenant, api, { spec, agents, graph: graphOf(spec.tasks) }, new Set(reusable));
      if ("faults" in foreseen) return (await replay()) ?? refuseFaults(foreseen.faults);
      return createWorkflow(context, api, { spec: { ...spec, id: undefined }, agents, rerunOf, ...foreseen }, idempotency, asked);
    },
  },
];
