import { z } from "zod";
import { planWorkflow, type PlannedTask, type WorkflowPlan } from "../consumer/plan-workflow.ts";
import { WorkflowSpec } from "../workflow/spec.ts";
import { answerJson } from "./answer-json.ts";
import { checkWorkflow } from "./check-workflow.ts";
import { callerOf, type Endpoint } from "./endpoint.ts";
import { refuseFaults } from "./problem.ts";
import { MAX_WORKFLOW_BODY_BYTES, readJson } from "./read-request.ts";

const NANO = 1_000_000_000;

const AnsweredPlan = z.object({
  waves: z.array(z.array(z.string())),
  criticalPath: z.array(z.string()).describe("The tasks that the expected end depends on, first to last"),
  tasks: z.record(
    z.string(),
    z.object({
      complexity: z.int().nullable(),
      tier: z.string().nullable(),
      model: z.string().nullable().describe("Null for tasks of other agents, and where no model can be called"),
      provider: z.string().nullable(),
      fallbacks: z.array(z.string()),
      tokenBudget: z.int().nullable(),
      expectedUsd: z.number(),
      worstUsd: z.number().describe("One call with its output cap used up"),
      reason: z.string().nullable(),
    }),
  ),
  totals: z.object({ expectedUsd: z.number(), worstUsd: z.number(), expectedMs: z.int() }),
  fits: z.boolean().describe("Whether the worst case fits the budget"),
});
type AnsweredPlan = z.infer<typeof AnsweredPlan>;

export const PLAN_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/v1/workflows/plan",
    tag: "Workflows",
    summary: "What a workflow is expected to do, cost and take; nothing is stored and no model called",
    access: "workflows:write",
    body: { schema: WorkflowSpec },
    answers: { 200: { description: "The plan", schema: AnsweredPlan } },
    handle: async (context, api) => {
      const { json } = await readJson(context, MAX_WORKFLOW_BODY_BYTES);
      const [checked, models] = await Promise.all([checkWorkflow(context, api, json), api.deps.loadModels(callerOf(context).tenant)]);
      if ("faults" in checked) refuseFaults(checked.faults);
      return answerJson(200, describe(planWorkflow(checked, models, api.deps.now())));
    },
  },
];

/** Workflows have no budgets yet: nothing is allotted to a task, and everything fits. */
function describe({ waves, criticalPath, tasks, expectedNanoUsd, worstNanoUsd, expectedMs }: WorkflowPlan): AnsweredPlan {
  const describeTask = ({ expectedNanoUsd: expected, worstNanoUsd: worst, ...task }: PlannedTask) => ({ ...task, tokenBudget: null, expectedUsd: expected / NANO, worstUsd: worst / NANO });
  return {
    waves,
    criticalPath,
    tasks: Object.fromEntries(Object.entries(tasks).map(([id, task]) => [id, describeTask(task)])),
    totals: { expectedUsd: expectedNanoUsd / NANO, worstUsd: worstNanoUsd / NANO, expectedMs },
    fits: true,
  };
}
