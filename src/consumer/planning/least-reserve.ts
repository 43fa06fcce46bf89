import type { Fault } from "../../errors.ts";
import { NANO_USD_PER_USD } from "../../nano-usd.ts";
import { isReady, listBelow } from "../../router/allowed-models.ts";
import type { RankedModel } from "../../router/rank.ts";
import type { Amount, Cap } from "../../workflow/budget/amount.ts";
import { capOf } from "../../workflow/plan.ts";
import type { AcceptedSpec } from "../../workflow/spec/validate-spec.ts";
import { fitsRoom, worstCaseOf, type WorstCase } from "../agents/attempt-budget.ts";
import { capOutput } from "../agents/llm-call.ts";
import { LEAST_OUTPUT_TOKENS } from "../agents/llm-ladder.ts";
import { boundKnown, expectOutputs, TaskRouter, type LlmTaskToPlan, type PlanModels, type RoutedTask } from "./plan-task.ts";

interface LeastReserve extends Amount {
  taskId: string;
  model: string;
  outputTokens: number;
}

/**
 * Refuses a budget in which not one language-model task could ever run: not on the cheapest model that it may have, with the shortest
 * answer and nothing of its dependencies' outputs. One task that fits is enough, wherever it stands in the graph. Stops at the first.
 */
export function checkBudget(accepted: AcceptedSpec, models: PlanModels, now: number): Fault | null {
  const { spec, agents } = accepted;
  if (spec.budget === undefined) return null;
  const cap = capOf(spec.budget);
  const nothing = { expected: 0, most: 0 };
  // The model is chosen for the prompt as it is expected, and the least of it is what is there already.
  const router = new TaskRouter(spec, expectOutputs(spec.tasks, agents, models), models, now);
  const bare = new TaskRouter(spec, () => nothing, models, now);
  let least: LeastReserve | null = null;
  for (const task of spec.tasks) {
    const agent = agents[task.agent]!;
    if (agent.kind !== "llm") continue;
    const { task: known } = bare.route({ ...task, context: { mode: "none" } }, agent);
    for (const [candidate, worst] of listLeast(router.route(task, agent), known, models, now)) {
      if (fitsRoom(worst, cap)) return null;
      const reserve = { taskId: task.id, model: candidate.model.id, nanoUsd: worst.costNanoUsd, tokens: worst.inputTokens + worst.outputTokens, outputTokens: worst.outputTokens };
      if (least === null || isLess(reserve, least, cap)) least = reserve;
    }
    // More would take seconds: whether it runs, the ledger says.
    if (!router.isExact || !bare.isExact) return null;
  }
  return least === null ? null : { path: "/budget", message: describe(least) };
}

/** What a task would be held for at least, on each model that it may have. Empty where no model can be called: then money is not what is wrong. */
function listLeast({ request, choice }: RoutedTask, known: LlmTaskToPlan, { document, metrics, settings, isConfigured }: PlanModels, now: number): [RankedModel, WorstCase][] {
  if (choice === null) return [];
  const chain = [choice.chosen, ...choice.fallbacks];
  const others = request.model != null ? [] : [...choice.candidates.filter((candidate) => candidate.tier === choice.tier && isReady(candidate)), ...listBelow(request, choice.tier, { document, metrics, settings, isConfigured, now })];
  return [...new Set([...chain, ...others])].map((candidate) => {
    const { model, provider } = candidate;
    const input = boundKnown(known, provider.kind, model.capabilities.includes("json"));
    return [candidate, worstCaseOf(input, Math.min(LEAST_OUTPUT_TOKENS, capOutput(known, model)), model)];
  });
}

/** Where money is short the cheaper one is the least, else the shorter one. */
function isLess(left: Amount, right: Amount, cap: Cap): boolean {
  const isMoneyShort = cap.nanoUsd !== null && right.nanoUsd > cap.nanoUsd;
  return isMoneyShort ? left.nanoUsd < right.nanoUsd : left.tokens < right.tokens && left.nanoUsd <= (cap.nanoUsd ?? Infinity);
}

function describe({ taskId, model, nanoUsd, tokens, outputTokens }: LeastReserve): string {
  return `not one language-model task fits it: the least is the task "${taskId}" on ${model} with ${outputTokens} tokens of output, for which $${nanoUsd / NANO_USD_PER_USD} and ${tokens} tokens must be held; raise the budget`;
}
