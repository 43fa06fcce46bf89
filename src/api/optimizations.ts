import { z } from "zod";
import { DEFAULT_TIERS } from "../config/default-tiers.ts";
import { runReoptimization, type ReoptimizationDeps } from "../consumer/run-reoptimization.ts";
import { NANO_USD_PER_USD } from "../nano-usd.ts";
import type { OptimizationDecision } from "../optimizer/reoptimization/reoptimize.ts";
import { TierName } from "../workflow/spec/agent.ts";
import { callerOf, type Api, type Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { valueOf } from "./http/problem.ts";
import { NUMBER_CURSOR, PAGE_QUERY, readOptions, readQuery } from "./http/read-request.ts";
import { OPERATOR_TENANT } from "./stored-tiers.ts";

const RunBody = z.strictObject({ dryRun: z.boolean().nullish() });
const ListQuery = z.object({ ...PAGE_QUERY, cursor: NUMBER_CURSOR });

const AnsweredConfig = z.object({ tiers: z.record(TierName, z.array(z.string())), weakMaxScore: z.int(), baseMaxScore: z.int() });
const AnsweredJudgement = z.object({
  model: z.string(),
  calls: z.int(),
  successRate: z.number(),
  quality: z.number().nullable().describe("Share of checked answers that passed"),
  meanLatencyMs: z.number(),
  meanCostUsd: z.number(),
  penalty: z.number().describe("Cost, time and misses of a usable answer; 1 is the tier's average, less is better"),
});
const AnsweredDecision = z.object({
  id: z.int().nullable().describe("Null for what was not stored"),
  at: z.string(),
  kind: z.enum(["change", "rollback", "none"]),
  before: AnsweredConfig,
  after: AnsweredConfig,
  evidence: z.record(TierName, z.array(AnsweredJudgement)).nullable(),
  reasons: z.array(z.string()),
});

export const OPTIMIZATION_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/v1/optimizations",
    tag: "Configuration",
    summary: "What was changed in the order of the tiers and the thresholds from what was measured, newest first; the figures are for the operator only",
    access: "config:read",
    query: ListQuery,
    answers: { 200: { description: "A page", schema: z.object({ items: z.array(AnsweredDecision), nextCursor: z.string().nullable() }) } },
    handle: async (context, api) => {
      const { limit, cursor } = readQuery(context, ListQuery);
      const found = await api.deps.tenant(OPERATOR_TENANT).listOptimizations({ limit: limit + 1, before: cursor === null ? null : Number(cursor) });
      const items = found.slice(0, limit);
      const { isRoot } = callerOf(context);
      // The figures and the reasons sum up all tenants.
      const shown = items.map((decision) => ({ ...describe(decision.id, decision), ...(isRoot ? {} : { evidence: null, reasons: [] }) }));
      return answerJson(200, { items: shown, nextCursor: found.length > limit ? String(items.at(-1)!.id) : null });
    },
  },
  {
    method: "POST",
    path: "/v1/optimizations/run",
    tag: "Configuration",
    summary: "Decide now, instead of at the next quarter of an hour; a dry run changes nothing",
    access: "root",
    body: { schema: RunBody, isOptional: true },
    answers: { 200: { description: "The decision; of kind none when nothing is to be changed", schema: AnsweredDecision } },
    handle: async (context, api) => {
      const { options } = await readOptions(context, RunBody);
      const { id, decision } = valueOf(await runReoptimization(reoptimizationDeps(api.deps), { dryRun: options.dryRun ?? false }));
      return answerJson(200, describe(id, decision));
    },
  },
];

/** What the clock does, unless it was switched off. Never throws: whatever else the clock starts must go on. */
export async function reoptimizeOnSchedule(deps: Api["deps"]): Promise<void> {
  try {
    const { routing } = await deps.settings.read(OPERATOR_TENANT);
    const run = routing.reoptimizeEnabled ? await runReoptimization(reoptimizationDeps(deps), { dryRun: false }) : null;
    if (run !== null && "problem" in run) deps.log({ event: "reoptimization.failed", message: run.detail });
  } catch (error) {
    deps.log({ event: "reoptimization.failed", message: String(error) });
  }
}

/** What a run needs, of what the API has. */
function reoptimizationDeps(deps: Api["deps"]): ReoptimizationDeps {
  return {
    operator: deps.tenant(OPERATOR_TENANT),
    defaultTiers: DEFAULT_TIERS,
    baseSettings: deps.baseSettings,
    evidence: deps.evidence,
    publishTiers: (stored) => deps.tiers.publish(stored),
    publishSettings: (stored) => deps.settings.publish(OPERATOR_TENANT, stored),
    now: deps.now,
    log: deps.log,
  };
}

function describe(id: number | null, { at, kind, before, after, evidence, reasons }: OptimizationDecision): z.infer<typeof AnsweredDecision> {
  const judged = (tier: TierName) => evidence[tier].map(({ meanCostNanoUsd, error: _error, ...judgement }) => ({ ...judgement, meanCostUsd: meanCostNanoUsd / NANO_USD_PER_USD }));
  return {
    id,
    at: new Date(at).toISOString(),
    kind,
    before: { tiers: before.tiers, ...before.thresholds },
    after: { tiers: after.tiers, ...after.thresholds },
    evidence: { weak: judged("weak"), base: judged("base"), strong: judged("strong") },
    reasons,
  };
}
