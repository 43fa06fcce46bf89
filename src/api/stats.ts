import { z } from "zod";
import { NANO_USD_PER_USD } from "../nano-usd.ts";
import { addSums, createSums, STATS_HOUR_MS, type CallSums } from "../optimizer/call-stats.ts";
import { describeAccuracy, type ForecastAccuracy } from "../optimizer/forecast.ts";
import { recommendTiers } from "../optimizer/recommend.ts";
import { TierName } from "../workflow/spec/agent.ts";
import { callerOf, type Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { readQuery } from "./http/read-request.ts";
import type { PeriodSums } from "./ports/stats-port.ts";

const StatsQuery = z.object({
  since: z.iso.datetime({ offset: true, error: "must be an ISO 8601 time, like 2026-01-31T00:00:00Z" }).nullable().default(null).describe("Start of the period, rounded down to the whole hour; without it, everything"),
});

const AnsweredStats = z.object({
  since: z.string().nullable().describe("Start of the period as it was counted"),
  routes: z.int().describe("Attempts of tasks and requests to the gateway for which a model was chosen"),
  tierDistribution: z.record(TierName, z.int()).describe("Routes by the tier that was asked last"),
  calls: z.int().describe("Calls in the ledger"),
  tokens: z.object({ inputTokens: z.int(), outputTokens: z.int(), cachedTokens: z.int() }),
  costUsd: z.number(),
  baselineUsd: z.number().describe("The same tokens on the baseline model"),
  savedPercent: z.number(),
  failures: z.int().describe("Routes that gave no answer"),
  fallbacks: z.int(),
  escalations: z.int(),
  contextTokensSaved: z.int(),
  forecast: z.object({
    workflows: z.int().describe("Workflows that completed and had been foreseen"),
    meanErrorPercent: z.number().nullable().describe("How far their cost lay from what was foreseen, on average: in percent of the larger of the two"),
    meanTokensErrorPercent: z.number().nullable(),
  }),
  recommendations: z.array(
    z.object({ taskType: z.string(), tier: TierName, recommendedTier: TierName, answers: z.int(), missRate: z.number(), reason: z.string() }),
  ).describe("Types of tasks that would better go to a higher tier at once"),
});

export const STATS_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/v1/stats",
    tag: "Configuration",
    summary: "What the tenant's calls come to in a period, and what they would have cost on the baseline model",
    access: "config:read",
    query: StatsQuery,
    answers: { 200: { description: "The sums", schema: AnsweredStats } },
    handle: async (context, api) => {
      const { since } = readQuery(context, StatsQuery);
      const from = since === null ? null : Math.floor(Date.parse(since) / STATS_HOUR_MS) * STATS_HOUR_MS;
      await api.deps.gateway.flush(callerOf(context).tenant);
      const tenant = api.deps.tenant(callerOf(context).tenant);
      const [cells, accuracy] = await Promise.all([tenant.readStats(from ?? 0), tenant.readForecastAccuracy(from ?? 0)]);
      return answerJson(200, describe(from, cells, accuracy));
    },
  },
];

function describe(since: number | null, cells: readonly PeriodSums[], accuracy: ForecastAccuracy): z.infer<typeof AnsweredStats> {
  const total = createSums();
  const tierDistribution = { weak: 0, base: 0, strong: 0 };
  for (const { tier, sums } of cells) {
    addSums(total, sums);
    const name = TierName.safeParse(tier).data;
    if (name !== undefined) tierDistribution[name] += sums.routes;
  }
  const { routes, calls, inputTokens, outputTokens, cachedTokens, failures, fallbacks, escalations, contextTokensSaved } = total;
  return {
    since: since === null ? null : new Date(since).toISOString(),
    routes,
    tierDistribution,
    calls,
    tokens: { inputTokens, outputTokens, cachedTokens },
    costUsd: total.costNanoUsd / NANO_USD_PER_USD,
    baselineUsd: total.baselineNanoUsd / NANO_USD_PER_USD,
    savedPercent: savedPercent(total),
    failures,
    fallbacks,
    escalations,
    contextTokensSaved,
    forecast: describeAccuracy(accuracy),
    recommendations: recommendTiers(cells),
  };
}

function savedPercent({ costNanoUsd, baselineNanoUsd }: CallSums): number {
  return baselineNanoUsd === 0 ? 0 : Math.round((1 - costNanoUsd / baselineNanoUsd) * 1_000) / 10;
}
