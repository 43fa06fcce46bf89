import type { ModelEntry, ProviderEntry, TierDocument } from "../../config/tiers.ts";
import type { LanguageModel } from "../../router/language-model.ts";
import type { Outcome, WorkOrder } from "../work-order.ts";

export interface LlmDeps {
  document: TierDocument;
  /** Builds the callable model; may throw, which fails the attempt. */
  engine: (provider: ProviderEntry, model: ModelEntry) => Promise<LanguageModel>;
  isConfigured: (providerId: string) => boolean;
  /** Unix time in ms. */
  now: () => number;
  /** Aborted when the attempt's time is over or its result no longer wanted. */
  signal: AbortSignal;
  /** Hears the answer's text as it arrives. */
  onDelta?: (text: string) => void;
}

/** One call of a language model for one attempt. */
export async function runLlmAttempt(order: WorkOrder, deps: LlmDeps): Promise<Outcome> {
  throw new Error(`not there yet: ${order.taskId} ${deps.now()}`);
}
