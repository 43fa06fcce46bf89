import type { ModelPrice } from "../config/tiers.ts";

/** Tokens of one call: `inputTokens` includes the cached and the cache-written ones, `outputTokens` the reasoning. */
export interface TokenCounts {
  inputTokens: number;
  cachedTokens: number;
  cacheWriteTokens: number;
  outputTokens: number;
  reasoningTokens: number;
}

/** A price keeps nine decimals of a dollar per million tokens, in integers of 1e-15 USD per token. */
const UNITS_PER_USD_PER_MILLION = 1e9;
const UNITS_PER_NANO_USD = 1_000_000n;

/**
 * What a call costs, in integer nano-dollars (1e-9 USD), rounded up once.
 * Computed in big integers: floats would round a sum of exact prices the wrong way.
 * A share larger than its whole (more cached than input tokens) is counted up to the whole.
 */
export function priceCall(usage: TokenCounts, price: ModelPrice): number {
  const cached = Math.min(usage.cachedTokens, usage.inputTokens);
  const written = Math.min(usage.cacheWriteTokens, usage.inputTokens - cached);
  const reasoning = Math.min(usage.reasoningTokens, usage.outputTokens);
  const units =
    cost(usage.inputTokens - cached - written, price.inputPerMillionUsd) +
    cost(cached, price.cachedInputPerMillionUsd ?? price.inputPerMillionUsd) +
    cost(written, price.cacheWritePerMillionUsd ?? price.inputPerMillionUsd) +
    cost(usage.outputTokens - reasoning, price.outputPerMillionUsd) +
    cost(reasoning, price.reasoningPerMillionUsd ?? price.outputPerMillionUsd);
  return Number((units + UNITS_PER_NANO_USD - 1n) / UNITS_PER_NANO_USD);
}

function cost(tokens: number, perMillionUsd: number): bigint {
  return BigInt(tokens) * BigInt(Math.round(perMillionUsd * UNITS_PER_USD_PER_MILLION));
}
