import type { ModelEntry } from "../../config/tiers.ts";
import type { CallRecord } from "../../consumer/work-order.ts";
import { priceCall, priceWorstCase, type TokenCounts } from "../../optimizer/price.ts";
import { readUsage } from "../../router/wire-usage.ts";

/** What stands in for counts that the provider did not report. */
export interface EstimatedCounts {
  inputTokens: number;
  outputTokens: number;
}

/** The ledger's line of a call that was answered: priced by what the provider counted, or else by the estimates. */
export function recordUsage(call: { usage: unknown; estimated: EstimatedCounts; model: ModelEntry; baseline: ModelEntry | null; at: number }): CallRecord {
  const reported = readUsage(call.usage);
  const inputTokens = reported.inputTokens ?? call.estimated.inputTokens;
  const outputTokens = reported.outputTokens ?? call.estimated.outputTokens;
  const counts: TokenCounts = { ...reported, inputTokens, outputTokens };
  return {
    at: call.at,
    provider: call.model.provider,
    model: call.model.id,
    inputTokens,
    outputTokens,
    cachedTokens: counts.cachedTokens,
    costNanoUsd: priceCall(counts, call.model.price),
    estimated: reported.inputTokens === null || reported.outputTokens === null,
    baselineNanoUsd: call.baseline === null ? 0 : priceCall(counts, call.baseline.price),
  };
}

/**
 * The line of a call whose answer did not come to its end: the most that it can have come to, since the provider may have gone on unseen. What it
 * counted until then is no more than the least.
 */
export function recordBroken(call: { usage: unknown; most: EstimatedCounts; model: ModelEntry; baseline: ModelEntry | null; at: number }): CallRecord {
  const reported = readUsage(call.usage);
  const inputTokens = reported.inputTokens ?? call.most.inputTokens;
  const outputTokens = Math.max(call.most.outputTokens, reported.outputTokens ?? 0);
  const priceAt = ({ price }: ModelEntry): number => priceWorstCase(inputTokens, outputTokens, price);
  return {
    at: call.at,
    provider: call.model.provider,
    model: call.model.id,
    inputTokens,
    outputTokens,
    cachedTokens: 0,
    costNanoUsd: priceAt(call.model),
    estimated: true,
    baselineNanoUsd: call.baseline === null ? 0 : priceAt(call.baseline),
  };
}
