import type { TierName } from "../../workflow/spec/agent.ts";

/** One call of a model as it ended: what metrics, circuits, stats and the re-optimizer learn from. Times in ms, money in integer nano-dollars. */
export interface CallObservation {
  at: number;
  tenant: string;
  model: string;
  provider: string;
  tier: TierName;
  taskType: string | null;
  isSuccess: boolean;
  /** Whether the failure says something about the provider's health; a refused request does not. */
  isHealthFailure: boolean;
  /** It proves nothing of the model either way: the request was wrong, or its caller did not wait. It still cost what it cost. */
  isInconclusive?: boolean;
  retryAfterMs: number | null;
  latencyMs: number;
  timeToFirstTokenMs: number | null;
  inputTokens: number;
  outputTokens: number;
  costNanoUsd: number;
  baselineNanoUsd: number;
  /** 0–1: whether the answer passed its schema and quality check; null when nothing was checked. */
  quality: number | null;
}

export type CircuitState = "closed" | "open" | "half-open";

/** What is known of a model: measured, decayed exponentially. Null where nothing was measured yet. */
export interface ModelMetrics {
  calls: number;
  successRate: number | null;
  latencyMs: { p50: number; p99: number } | null;
  timeToFirstTokenMs: { p50: number } | null;
  tokensPerSecond: number | null;
  costPer1kTokensUsd: number | null;
  /** 0–1. */
  quality: number | null;
  circuit: { state: CircuitState; openUntil: number | null };
  updatedAt: number;
}

/** All models' metrics, as published to KV at most once a second: advice, up to a minute old at the edge. */
export interface MetricsSnapshot {
  at: number;
  models: Record<string, ModelMetrics>;
}
