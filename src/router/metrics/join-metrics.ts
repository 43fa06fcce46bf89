import type { CircuitReports } from "./metrics-fold.ts";
import type { MetricsSnapshot, ModelMetrics } from "./model-metrics.ts";

/** What is known of one provider's models, from two sources of different age. */
export interface ProviderHealth {
  /** As replicated; null when it never was. */
  replica: MetricsSnapshot | null;
  /** The circuits as told directly. A model that is absent was closed. */
  circuits: CircuitReports;
  /** When they were told (Unix ms); -Infinity when never. */
  heardAt: number;
}

const CLOSED: ModelMetrics["circuit"] = { state: "closed", openUntil: null };

/** The metrics of all providers as one, each circuit by the newer source. Null while nothing is known of any model. */
export function joinMetrics(providers: readonly ProviderHealth[]): MetricsSnapshot | null {
  const models: Record<string, ModelMetrics> = {};
  let at = 0;
  for (const { replica, circuits, heardAt } of providers) {
    const isHeardLater = heardAt > (replica?.at ?? -Infinity);
    if (replica !== null) {
      at = Math.max(at, replica.at);
      for (const [model, metrics] of Object.entries(replica.models)) models[model] = isHeardLater ? { ...metrics, circuit: circuits[model] ?? CLOSED } : metrics;
    }
    if (!isHeardLater) continue;
    for (const [model, circuit] of Object.entries(circuits)) {
      models[model] ??= { calls: 0, successRate: null, latencyMs: null, timeToFirstTokenMs: null, tokensPerSecond: null, costPer1kTokensUsd: null, quality: null, circuit, updatedAt: heardAt };
      at = Math.max(at, heardAt);
    }
  }
  return at === 0 ? null : { at, models };
}
