import { expect, test } from "vitest";
import { readUsage } from "../../src/router/wire-usage.ts";

const NOTHING = { inputTokens: null, outputTokens: null, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };

test.each([
  ["OpenAI's", { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, prompt_tokens_details: { cached_tokens: 4 }, completion_tokens_details: { reasoning_tokens: 2 } }, { ...NOTHING, inputTokens: 10, outputTokens: 5, cachedTokens: 4, reasoningTokens: 2 }],
  ["one that counts reasoning in the total only", { prompt_tokens: 10, completion_tokens: 5, total_tokens: 115 }, { ...NOTHING, inputTokens: 10, outputTokens: 105 }],
  ["DeepSeek's cache hits", { prompt_tokens: 10, completion_tokens: 5, prompt_cache_hit_tokens: 8 }, { ...NOTHING, inputTokens: 10, outputTokens: 5, cachedTokens: 8 }],
  ["OpenRouter's cache writes", { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 6 } }, { ...NOTHING, inputTokens: 10, outputTokens: 5, cacheWriteTokens: 6 }],
  ["none", null, NOTHING],
  ["nonsense", { prompt_tokens: -1, completion_tokens: "5", total_tokens: 1.5, prompt_tokens_details: 7 }, NOTHING],
])("the usage of %s is read", (_, usage, counts) => {
  expect(readUsage(usage)).toEqual(counts);
});
