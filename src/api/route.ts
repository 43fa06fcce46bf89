import { z } from "zod";
import { Strategy } from "../config/routing-settings.ts";
import { ModelCapability } from "../config/tiers.ts";
import type { Models } from "../consumer/load-models.ts";
import type { Fault } from "../errors.ts";
import { NANO_USD_PER_USD } from "../nano-usd.ts";
import { INTENTS } from "../optimizer/intents/intent.ts";
import { estimateTokens } from "../optimizer/tokens/tokens.ts";
import { countFiles } from "../router/count-files.ts";
import type { Exclusion, RankedModel } from "../router/rank.ts";
import { routeCall } from "../router/route-call.ts";
import { findTaskType, type RouteChoice, type RouteRefusal, type RouteRequest } from "../router/route-request.ts";
import { TaskType, TierName } from "../workflow/spec/agent.ts";
import { callerOf, type Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { refuseFaults, RequestRefused } from "./http/problem.ts";
import { readOptions } from "./http/read-request.ts";

/** Least answer that is worth a call (contract: the smallest output cap of a budget). */
const MIN_OUTPUT_TOKENS = 64;

const RouteBody = z.strictObject({
  type: TaskType.nullish(),
  prompt: z.string().nullish(),
  contextTokens: z.int().min(0).max(1_000_000_000).nullish(),
  files: z.int().min(0).max(1_000_000_000).nullish(),
  failures: z.number().min(0).max(1).nullish(),
  intent: z.enum(INTENTS).nullish(),
  strategy: Strategy.nullish(),
  tier: TierName.nullish(),
  maxOutputTokens: z.int().min(1).max(1_000_000).nullish(),
  needs: z.array(ModelCapability).max(ModelCapability.options.length).nullish(),
  budget: z.strictObject({ maxUsd: z.number().min(0).max(1_000_000).nullish(), maxTokens: z.int().min(0).max(1_000_000_000_000).nullish() }).nullish(),
});
type RouteBody = z.infer<typeof RouteBody>;

const RouteAnswer = z.object({
  complexity: z.object({ score: z.int(), factors: z.object({ context: z.number(), type: z.number(), files: z.number(), failures: z.number() }) }),
  tier: TierName,
  model: z.string(),
  provider: z.string(),
  reason: z.string(),
  candidates: z.array(z.object({ model: z.string(), provider: z.string(), tier: TierName, score: z.number().nullable(), expectedUsd: z.number(), chosen: z.boolean(), reason: z.string() })),
  fallbacks: z.array(z.string()),
});
type RouteAnswer = z.infer<typeof RouteAnswer>;

export const ROUTE_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/v1/route",
    tag: "Routing",
    summary: "Which model a task would go to, and why; calls no model",
    access: "gateway",
    body: { schema: RouteBody, isOptional: true },
    answers: { 200: { description: "The choice", schema: RouteAnswer } },
    handle: async (context, api) => {
      const { options } = await readOptions(context, RouteBody);
      const models = await api.deps.loadModels(callerOf(context).tenant);
      const decision = routeCall(readRequest(options, models), { ...models, now: api.deps.now() });
      return "failure" in decision ? refuseRoute(decision) : answerJson(200, viewChoice(decision));
    },
  },
];

function readRequest(body: RouteBody, { settings, failureRate }: Models): RouteRequest {
  const prompt = body.prompt ?? null;
  const contextTokens = body.contextTokens ?? (prompt === null ? 0 : estimateTokens(prompt));
  const taskType = findTaskType({ taskType: body.type ?? null, prompt, intent: body.intent }, settings.classification);
  return {
    taskType: body.type ?? null,
    prompt,
    intent: body.intent,
    contextTokens,
    files: body.files ?? (prompt === null ? 0 : countFiles(prompt)),
    failureRate: body.failures ?? failureRate(taskType),
    strategy: body.strategy,
    tier: body.tier,
    maxOutputTokens: capByBudget(body, contextTokens),
    needs: body.needs ?? [],
    budgetLeftNanoUsd: body.budget?.maxUsd == null ? null : Math.floor(body.budget.maxUsd * NANO_USD_PER_USD),
  };
}

/** A token budget leaves its rest to the answer. */
function capByBudget({ budget, maxOutputTokens }: RouteBody, contextTokens: number): number | null {
  if (budget?.maxTokens == null) return maxOutputTokens ?? null;
  const left = budget.maxTokens - contextTokens;
  const least = Math.min(MIN_OUTPUT_TOKENS, maxOutputTokens ?? MIN_OUTPUT_TOKENS);
  if (left < least) {
    refuseFaults([{ path: "/budget/maxTokens", message: `leaves ${Math.max(0, left)} tokens for an answer after ${contextTokens} of context; at least ${least} are needed` }]);
  }
  return Math.min(left, maxOutputTokens ?? left);
}

/** The part of the body that a model could not do. */
const PATH_OF_EXCLUSION: Partial<Record<Exclusion, string>> = { capability: "/needs", context: "/contextTokens", budget: "/budget/maxUsd" };

/** A request that no configured model could take is the client's to change; a model that is missing is the operator's, and one that rests comes back. */
function refuseRoute({ failure, candidates, retryAfterMs }: RouteRefusal): never {
  const paths = new Set(candidates.flatMap(({ excludedBy }) => (excludedBy === null ? [] : (PATH_OF_EXCLUSION[excludedBy] ?? []))));
  if (retryAfterMs === null && paths.size > 0) refuseFaults([...paths].map((path): Fault => ({ path, message: failure.message })));
  throw new RequestRefused(retryAfterMs === null ? { problem: "not_configured", detail: failure.message } : { problem: "unavailable", detail: failure.message, retryAfterMs });
}

function viewChoice({ complexity, tier, chosen, reason, candidates, fallbacks }: RouteChoice): RouteAnswer {
  const viewCandidate = (candidate: RankedModel): RouteAnswer["candidates"][number] => ({
    model: candidate.model.id,
    provider: candidate.provider.id,
    tier: candidate.tier,
    score: candidate.score === null ? null : Math.round(candidate.score * 1_000) / 1_000,
    expectedUsd: candidate.expectedNanoUsd / NANO_USD_PER_USD,
    chosen: candidate === chosen,
    reason: candidate.reason,
  });
  return {
    complexity,
    tier,
    model: chosen.model.id,
    provider: chosen.provider.id,
    reason,
    candidates: candidates.map(viewCandidate),
    fallbacks: fallbacks.map(({ model }) => model.id),
  };
}
