import type { ModelEntry } from "../../config/tiers.ts";
import type { CallRecord } from "../../consumer/work-order.ts";
import { priceCall, priceWorstCase, type TokenCounts } from "../../optimizer/price.ts";
import { readUsage } from "../../router/wire-usage.ts";

/** What stands in for counts that the provider did not report. */
export interface EstimatedCounts {
  inputTokens: number;
  outputTokens: number;
}

/** What the lines of all calls have in common. */
interface PricedCall {
  /** What the provider reported, if anything. */
  usage: unknown;
  model: ModelEntry;
  baseline: ModelEntry | null;
  at: number;
}

/** The ledger's line of a call that was answered: priced by what the provider counted, or else by the estimates. */
export function recordUsage(call: PricedCall & { estimated: EstimatedCounts }): CallRecord {
  const reported = readUsage(call.usage);
  const inputTokens = reported.inputTokens ?? call.estimated.inputTokens;
  const outputTokens = reported.outputTokens ?? call.estimated.outputTokens;
  const counts: TokenCounts = { ...reported, inputTokens, outputTokens };
  return recordCall(call, counts, reported.inputTokens === null || reported.outputTokens === null, ({ price }) => priceCall(counts, price));
}

/**
 * The line of a call whose answer did not come to its end: the most that it can have come to, since the provider may have gone on unseen. What it
 * counted until then is no more than the least.
 */
export function recordBroken(call: PricedCall & { most: EstimatedCounts }): CallRecord {
  const reported = readUsage(call.usage);
  const inputTokens = reported.inputTokens ?? call.most.inputTokens;
  const outputTokens = Math.max(call.most.outputTokens, reported.outputTokens ?? 0);
  return recordCall(call, { inputTokens, outputTokens, cachedTokens: 0 }, true, ({ price }) => priceWorstCase(inputTokens, outputTokens, price));
}

function recordCall({ model, baseline, at }: PricedCall, { inputTokens, outputTokens, cachedTokens }: Pick<TokenCounts, "inputTokens" | "outputTokens" | "cachedTokens">, estimated: boolean, priceAt: (model: ModelEntry) => number): CallRecord {
  return { at, provider: model.provider, model: model.id, inputTokens, outputTokens, cachedTokens, costNanoUsd: priceAt(model), estimated, baselineNanoUsd: baseline === null ? 0 : priceAt(baseline) };
}
