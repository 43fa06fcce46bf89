import { z } from "zod";
import type { ModelEntry } from "../config/tiers.ts";
import type { MetricsSnapshot, ModelMetrics } from "../router/metrics/model-metrics.ts";
import { TierName } from "../workflow/spec/agent.ts";
import { callerOf, type Api, type Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";

const AnsweredMetrics = z.object({
  model: z.string(),
  provider: z.string(),
  tier: TierName,
  calls: z.int().nullable().describe("All that were ever made; every other figure counts less with age. Null for all but the operator, as are cost and quality: they sum up all tenants"),
  successRate: z.number().nullable(),
  latencyMs: z.object({ p50: z.number(), p99: z.number() }).nullable(),
  timeToFirstTokenMs: z.object({ p50: z.number() }).nullable(),
  tokensPerSecond: z.number().nullable(),
  costPer1kTokensUsd: z.number().nullable(),
  quality: z.number().nullable().describe("Share of checked answers that passed, 0–1"),
  circuit: z.enum(["closed", "open", "half-open"]),
  updatedAt: z.string().nullable(),
});
type AnsweredMetrics = z.infer<typeof AnsweredMetrics>;

export const METRICS_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/v1/metrics/models",
    tag: "Configuration",
    summary: "What was measured of each model of the tiers document, in its order; null where nothing was, and for what only the operator sees",
    access: "config:read",
    answers: { 200: { description: "The models", schema: z.object({ items: z.array(AnsweredMetrics) }) } },
    handle: async (context, api) => {
      const { isRoot } = callerOf(context);
      const { document } = await api.deps.tiers.read();
      const snapshots = await readSnapshots(api, new Set(document.models.map(({ provider }) => provider)));
      return answerJson(200, { items: document.models.map((model) => ({ ...describe(model, snapshots.get(model.provider)?.models[model.id]), ...(isRoot ? {} : OF_ALL_TENANTS) })) });
    },
  },
];

/** What sums up the work of all tenants: what they ask for and what becomes of it. The rest tells how a provider's models do, by which every tenant's calls are routed. */
const OF_ALL_TENANTS = { calls: null, costPer1kTokensUsd: null, quality: null };

/** By provider; one whose object does not answer is missing, which says as much as no measurement. */
async function readSnapshots(api: Api, providers: ReadonlySet<string>): Promise<Map<string, MetricsSnapshot>> {
  const snapshots = new Map<string, MetricsSnapshot>();
  const read = async (provider: string): Promise<void> => {
    try {
      snapshots.set(provider, await api.deps.metrics(provider).readSnapshot());
    } catch (error) {
      api.deps.log({ event: "metrics.failed", message: String(error) });
    }
  };
  await Promise.all([...providers].map(read));
  return snapshots;
}

function describe({ id, provider, tier }: ModelEntry, metrics: ModelMetrics | undefined): AnsweredMetrics {
  return {
    model: id,
    provider,
    tier,
    calls: metrics?.calls ?? 0,
    successRate: round(metrics?.successRate, 4),
    latencyMs: metrics?.latencyMs == null ? null : { p50: round(metrics.latencyMs.p50, 1), p99: round(metrics.latencyMs.p99, 1) },
    timeToFirstTokenMs: metrics?.timeToFirstTokenMs == null ? null : { p50: round(metrics.timeToFirstTokenMs.p50, 1) },
    tokensPerSecond: round(metrics?.tokensPerSecond, 1),
    costPer1kTokensUsd: round(metrics?.costPer1kTokensUsd, 9),
    quality: round(metrics?.quality, 4),
    circuit: metrics?.circuit.state ?? "closed",
    updatedAt: metrics === undefined ? null : new Date(metrics.updatedAt).toISOString(),
  };
}

function round(value: number, decimals: number): number;
function round(value: number | null | undefined, decimals: number): number | null;
function round(value: number | null | undefined, decimals: number): number | null {
  return value == null ? null : Math.round(value * 10 ** decimals) / 10 ** decimals;
}
