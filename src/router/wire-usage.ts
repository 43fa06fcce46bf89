import type { TokenCounts } from "../optimizer/price.ts";

/** Tokens as a provider counted them; null where it did not say. */
export interface ReportedCounts extends Omit<TokenCounts, "inputTokens" | "outputTokens"> {
  inputTokens: number | null;
  outputTokens: number | null;
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

/** A count as a provider sent it: integers from 0 on are believed, anything else is no count. */
function tokens(count: unknown): number | null {
  return typeof count === "number" && Number.isSafeInteger(count) && count >= 0 ? count : null;
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
