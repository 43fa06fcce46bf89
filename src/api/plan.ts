import { z } from "zod";
import { allotTokens } from "../consumer/planning/foresee-workflow.ts";
import { checkBudget } from "../consumer/planning/least-reserve.ts";
import { planWorkflow, type PlannedTask, type WorkflowPlan } from "../consumer/planning/plan-workflow.ts";
import { NANO_USD_PER_USD } from "../nano-usd.ts";
import { capOf } from "../workflow/plan.ts";
import { WorkflowSpec, type Budget } from "../workflow/spec/spec.ts";
import { callerOf, type Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { refuseFaults } from "./http/problem.ts";
import { MAX_WORKFLOW_BODY_BYTES, readJson } from "./http/read-request.ts";
import { checkWorkflow } from "./workflows/check-workflow.ts";
import { readHistory } from "./workflows/foresee.ts";

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
      tokenBudget: z.int().nullable().describe("What is allotted to the task of the workflow's maxTokens, if those before it use theirs; null without one"),
      expectedUsd: z.number(),
      expectedTokens: z.int(),
      expectedMs: z.int(),
      worstUsd: z.number().describe("One call with its output cap used up, its input counted from above; of an HTTP agent, its task's budget"),
      worstTokens: z.int(),
      reason: z.string().nullable(),
    }),
  ),
  totals: z.object({ expectedUsd: z.number(), worstUsd: z.number(), expectedMs: z.int(), expectedTokens: z.int(), worstTokens: z.int() }),
  fits: z.boolean().describe("Whether the worst case fits the budgets, of the workflow and of each task, in dollars and tokens"),
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
      const now = api.deps.now();
      const fault = checkBudget(checked, models, now);
      if (fault !== null) refuseFaults([fault]);
      const history = await readHistory(callerOf(context).tenant, api, checked);
      const plan = planWorkflow(checked, models, now, { budgetLeftNanoUsd: capOf(checked.spec.budget).nanoUsd });
      return answerJson(200, describe(plan, allotTokens(checked, models, history), checked.spec));
    },
  },
];

function describe(plan: WorkflowPlan, tokens: Record<string, number> | null, spec: WorkflowSpec): AnsweredPlan {
  const describeTask = (id: string, { expectedNanoUsd, worstNanoUsd, ...task }: PlannedTask) => ({ ...task, tokenBudget: tokens?.[id] ?? null, expectedUsd: expectedNanoUsd / NANO_USD_PER_USD, worstUsd: worstNanoUsd / NANO_USD_PER_USD });
  const { expectedNanoUsd, expectedTokens, worstNanoUsd, worstTokens, expectedMs } = plan;
  return {
    waves: plan.waves,
    criticalPath: plan.criticalPath,
    tasks: Object.fromEntries(Object.entries(plan.tasks).map(([id, task]) => [id, describeTask(id, task)])),
    totals: { expectedUsd: expectedNanoUsd / NANO_USD_PER_USD, worstUsd: worstNanoUsd / NANO_USD_PER_USD, expectedMs, expectedTokens, worstTokens },
    fits: fits(spec.budget, plan) && spec.tasks.every(({ id, budget }) => fits(budget, plan.tasks[id]!)),
  };
}

function fits(budget: Budget | undefined, { worstNanoUsd, worstTokens }: Pick<PlannedTask, "worstNanoUsd" | "worstTokens">): boolean {
  const { nanoUsd, tokens } = capOf(budget);
  return worstNanoUsd <= (nanoUsd ?? Infinity) && worstTokens <= (tokens ?? Infinity);
}
