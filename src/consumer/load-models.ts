import type { Settings } from "../config/settings.ts";
import type { ModelEntry, ProviderEntry, TierDocument } from "../config/tiers.ts";
import type { TokenMargins } from "../optimizer/tokens/token-margin.ts";
import type { LanguageModel } from "../router/language-model.ts";
import type { MetricsSnapshot } from "../router/metrics/model-metrics.ts";
import type { TaskType } from "../workflow/spec/agent.ts";
import type { ModelHealth } from "./metrics-port.ts";

/** The models as configured and measured now, and one tenant's settings: all that choosing and calling a model needs. */
export interface Models {
  document: TierDocument;
  isConfigured: (providerId: string) => boolean;
  /** Builds the callable model. May throw, which fails the call. */
  engine: (provider: ProviderEntry, model: ModelEntry) => Promise<LanguageModel>;
  settings: Pick<Settings, "orchestration" | "classification" | "routing" | "quality" | "budgets" | "compression">;
  /** What the models have counted above our estimates. */
  margins: TokenMargins;
  /** Null while nothing is known of any model. */
  metrics: MetricsSnapshot | null;
  health: Pick<ModelHealth, "observe" | "acquireProbe" | "acquireRate">;
  /** From 0 to below 1, for calls that try a model out. Left out: none does. */
  random?: () => number;
  /** Share of the tenant's tasks of a type that failed lately, 0–1. */
  failureRate: (taskType: TaskType) => number;
}

export type LoadModels = (tenant: string) => Promise<Models>;
