/** Times the whole routing decision, from the request to the model and those who take over. Prints; asserts nothing. */
import { Settings } from "../src/config/settings.ts";
import type { ModelEntry, TierDocument } from "../src/config/tiers.ts";
import type { MetricsSnapshot, ModelMetrics } from "../src/router/metrics/model-metrics.ts";
import { createEngineRegistry } from "../src/router/registry.ts";
import { routeRequest, type RouteContext, type RouteRequest } from "../src/router/route-request.ts";

const NOW = Date.UTC(2026, 0, 1);
const WARM_UP_CALLS = 20_000;
const MEASURED_CALLS = 20_000;

const PROMPT = "Review the diff of src/router/rank.ts and src/router/metrics/circuit.ts for faults, and list them by severity with the place of each.";

const REQUEST: RouteRequest = { taskType: null, prompt: PROMPT, contextTokens: 12_000, files: 2, failureRate: 0.1, maxOutputTokens: 1_024, needs: ["streaming"] };

/** Prints p50 and p99 of a decision among 10 and 100 models: in one tier, where all are ranked, and spread over three. */
export async function benchRouting(): Promise<void> {
  console.log("models  where      strategy   p50 µs  p99 µs");
  for (const count of [10, 100]) {
    for (const isSpread of [true, false]) {
      for (const strategy of ["cheapest", "balanced"] as const) {
        const context = createContext(count, isSpread);
        const { p50, p99 } = measure(() => routeRequest({ ...REQUEST, strategy }, context));
        const columns = [String(count).padStart(6), (isSpread ? "all tiers" : "one tier").padEnd(9), strategy.padEnd(9), p50.toFixed(1).padStart(7), p99.toFixed(1).padStart(6)];
        console.log(columns.join("  "));
      }
    }
  }
}

function createContext(count: number, isSpread: boolean): RouteContext {
  const tiers = ["weak", "base", "strong"] as const;
  const models = Array.from({ length: count }, (_, index): ModelEntry => ({
    id: `model-${index}`,
    provider: `provider-${index % 6}`,
    tier: isSpread ? tiers[index % 3]! : "base",
    price: { inputPerMillionUsd: 0.1 + ((index * 7) % 13), outputPerMillionUsd: 0.5 + ((index * 11) % 29) },
    contextWindow: 128_000,
    maxOutputTokens: 8_192,
    capabilities: ["tools", "json", "streaming"],
    quality: 3 + (index % 7),
  }));
  const document: TierDocument = {
    providers: Array.from({ length: 6 }, (_, index) => ({ id: `provider-${index}`, kind: "openai-compatible", baseUrl: "https://models.example/v1", secretName: `KEY_${index}` })),
    models,
    tiers: { weak: [], base: [], strong: [] },
  };
  for (const model of models) document.tiers[model.tier].push(model.id);
  const registry = createEngineRegistry(() => "set");
  for (const provider of document.providers) registry.register(provider, () => Promise.reject(new Error("not called")));
  const { routing, classification, quality } = Settings.parse({});
  return { document, metrics: createSnapshot(models), settings: routing, classification, priorCalls: quality.priorCalls, isConfigured: registry.isConfigured, now: NOW };
}

function createSnapshot(models: readonly ModelEntry[]): MetricsSnapshot {
  const metrics = models.map((model, index): [string, ModelMetrics] => [
    model.id,
    {
      calls: 1_000,
      successRate: 0.99,
      latencyMs: { p50: 900 + ((index * 37) % 900), p99: 6_000 },
      timeToFirstTokenMs: { p50: 200 + ((index * 53) % 700) },
      tokensPerSecond: 30 + ((index * 17) % 120),
      costPer1kTokensUsd: 0.004,
      quality: 0.9 + (index % 10) / 100,
      circuit: { state: index % 20 === 19 ? "open" : "closed", openUntil: index % 20 === 19 ? NOW + 5_000 : null },
      updatedAt: NOW,
    },
  ]);
  return { at: NOW, models: Object.fromEntries(metrics) };
}

function measure(decide: () => unknown): { p50: number; p99: number } {
  for (let call = 0; call < WARM_UP_CALLS; call += 1) decide();
  const durationsUs = new Float64Array(MEASURED_CALLS);
  for (let call = 0; call < MEASURED_CALLS; call += 1) {
    const startedAt = performance.now();
    decide();
    durationsUs[call] = (performance.now() - startedAt) * 1_000;
  }
  durationsUs.sort();
  return { p50: durationsUs[Math.floor(MEASURED_CALLS / 2)]!, p99: durationsUs[Math.floor(MEASURED_CALLS * 0.99)]! };
}

if (import.meta.main) await benchRouting();
