import type { ModelEntry } from "../../config/tiers.ts";
import type { CallRecord } from "../../consumer/work-order.ts";
import { priceCall, priceWorstCase, type TokenCounts } from "../../optimizer/price.ts";

/** Tokens as a provider counted them; null where it did not say. */
export interface ReportedCounts extends Omit<TokenCounts, "inputTokens" | "outputTokens"> {
  inputTokens: number | null;
  outputTokens: number | null;
}

/** What stands in for counts that the provider did not report. */
export interface EstimatedCounts {
  inputTokens: number;
  outputTokens: number;
}

/** Reads the `usage` of a chat completion, of OpenAI and of those that add to it: DeepSeek's cache hits, OpenRouter's cache writes. */
export function readUsage(usage: unknown): ReportedCounts {
  const record = recordOf(usage);
  const input = recordOf(record["prompt_tokens_details"]);
  const output = recordOf(record["completion_tokens_details"]);
  const inputTokens = tokens(record["prompt_tokens"]);
  const completion = tokens(record["completion_tokens"]);
  const total = tokens(record["total_tokens"]);
  // Some count reasoning in the total only, and bill it.
  const uncounted = total === null || inputTokens === null || completion === null ? 0 : Math.max(0, total - inputTokens - completion);
  return {
    inputTokens,
    outputTokens: completion === null ? null : completion + uncounted,
    cachedTokens: tokens(input["cached_tokens"]) ?? tokens(record["prompt_cache_hit_tokens"]) ?? 0,
    cacheWriteTokens: tokens(input["cache_write_tokens"]) ?? 0,
    reasoningTokens: tokens(output["reasoning_tokens"]) ?? 0,
  };
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

/** A count as a provider sent it: integers from 0 on are believed, anything else is no count. */
function tokens(count: unknown): number | null {
  return typeof count === "number" && Number.isSafeInteger(count) && count >= 0 ? count : null;
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
