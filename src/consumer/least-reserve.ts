import type { Fault } from "../errors.ts";
import { isReady, listBelow } from "../router/allowed-models.ts";
import type { RankedModel } from "../router/rank.ts";
import type { Amount, Cap } from "../workflow/ledger.ts";
import { capOf } from "../workflow/plan.ts";
import type { AcceptedSpec } from "../workflow/validate-spec.ts";
import { fitsRoom, worstCaseOf, type WorstCase } from "./agents/attempt-budget.ts";
import { capOutput } from "./agents/llm-call.ts";
import { LEAST_OUTPUT_TOKENS } from "./agents/llm-ladder.ts";
import { boundKnown, createLlmTask, expectOutputs, routeTask, type LlmTaskToPlan, type PlanModels, type RoutedTask } from "./plan-task.ts";

const NANO = 1_000_000_000;
/** Characters of prompts that are counted before the workflow gets the benefit of the doubt: seconds of computing. */
const MAX_COUNTED_CHARACTERS = 33_554_432;

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
  const nobody = { expected: 0, most: 0 };
  const workflow = { input: spec.input, strategy: spec.strategy, outputOf: () => nobody, defaultMaxTokens: models.settings.compression.defaultMaxTokens };
  const outputOf = expectOutputs(spec.tasks, agents, models);
  let least: LeastReserve | null = null;
  let characters = 0;
  for (const task of spec.tasks) {
    const agent = agents[task.agent]!;
    if (agent.kind !== "llm") continue;
    // The model is chosen for the prompt as it is expected, and the least of it is what is there already.
    const known = createLlmTask({ ...task, context: { mode: "none" } }, agent, workflow);
    const routed = routeTask({ ...known, inputTokens: createLlmTask(task, agent, { ...workflow, outputOf }).inputTokens }, spec.deadlineMs !== undefined, models, now);
    for (const [candidate, worst] of listLeast(routed, known, models, now)) {
      if (fitsRoom(worst, cap)) return null;
      const reserve = { taskId: task.id, model: candidate.model.id, nanoUsd: worst.costNanoUsd, tokens: worst.inputTokens + worst.outputTokens, outputTokens: worst.outputTokens };
      if (least === null || isLess(reserve, least, cap)) least = reserve;
    }
    characters += known.texts.reduce((sum, text) => sum + text.length, 0);
    if (characters > MAX_COUNTED_CHARACTERS) return null;
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
  return `not one language-model task fits it: the least is the task "${taskId}" on ${model} with ${outputTokens} tokens of output, for which $${nanoUsd / NANO} and ${tokens} tokens must be held; raise the budget`;
}
