import type { ModelPrice } from "../config/tiers.ts";

/** Tokens of one call: `inputTokens` includes the cached and the cache-written ones, `outputTokens` the reasoning. */
export interface TokenCounts {
  inputTokens: number;
  cachedTokens: number;
  cacheWriteTokens: number;
  outputTokens: number;
  reasoningTokens: number;
}

/** What tokens cost in one call: the list's prices, or those of the step that its input reaches. */
type TokenPrices = Omit<ModelPrice, "longContext" | "date" | "source">;

/** A price keeps nine decimals of a dollar per million tokens, in integers of 1e-15 USD per token. */
const UNITS_PER_USD_PER_MILLION = 1e9;
const UNITS_PER_NANO_USD = 1_000_000n;

/**
 * What a call costs, in integer nano-dollars (1e-9 USD), rounded up once.
 * Computed in big integers: floats would round a sum of exact prices the wrong way.
 * A share larger than its whole (more cached than input tokens) is counted up to the whole.
 */
export function priceCall(usage: TokenCounts, price: ModelPrice): number {
  const prices = pricesAt(price, usage.inputTokens);
  const cached = Math.min(usage.cachedTokens, usage.inputTokens);
  const written = Math.min(usage.cacheWriteTokens, usage.inputTokens - cached);
  const reasoning = Math.min(usage.reasoningTokens, usage.outputTokens);
  return roundUp(
    cost(usage.inputTokens - cached - written, prices.inputPerMillionUsd) +
      cost(cached, prices.cachedInputPerMillionUsd ?? prices.inputPerMillionUsd) +
      cost(written, prices.cacheWritePerMillionUsd ?? prices.inputPerMillionUsd) +
      cost(usage.outputTokens - reasoning, prices.outputPerMillionUsd) +
      cost(reasoning, prices.reasoningPerMillionUsd ?? prices.outputPerMillionUsd),
  );
}

/**
 * The most that a call can cost whose input has at most `inputTokens` and whose output, reasoning included, at most `outputTokens`:
 * whatever of it is cached, written to a cache or reasoning. In integer nano-dollars, never below `priceCall` within these bounds.
 */
export function priceWorstCase(inputTokens: number, outputTokens: number, price: ModelPrice): number {
  const reached = (price.longContext ?? []).filter((step) => inputTokens > step.aboveInputTokens);
  const units = [price, ...reached].map((prices) => cost(inputTokens, highestInput(prices)) + cost(outputTokens, Math.max(prices.outputPerMillionUsd, prices.reasoningPerMillionUsd ?? 0)));
  return roundUp(units.reduce((most, sum) => (sum > most ? sum : most)));
}

/** What a call without caches and reasoning costs, in whole nano-dollars: floating point, good enough to compare, not to bill. */
export function expectCostNanoUsd(inputTokens: number, outputTokens: number, price: ModelPrice): number {
  const { inputPerMillionUsd, outputPerMillionUsd } = pricesAt(price, inputTokens);
  return Math.ceil(inputTokens * inputPerMillionUsd * 1_000 + outputTokens * outputPerMillionUsd * 1_000);
}

/** Whether nothing that a call could use costs anything. */
export function isFreePrice(price: ModelPrice): boolean {
  return [price, ...(price.longContext ?? [])].every((prices) => highestInput(prices) === 0 && prices.outputPerMillionUsd === 0 && (prices.reasoningPerMillionUsd ?? 0) === 0);
}

/** Providers with long-context prices bill the whole call at the step that its input reaches, not only what is above. */
function pricesAt(price: ModelPrice, inputTokens: number): TokenPrices {
  return price.longContext?.findLast((step) => inputTokens > step.aboveInputTokens) ?? price;
}

function highestInput(prices: TokenPrices): number {
  return Math.max(prices.inputPerMillionUsd, prices.cachedInputPerMillionUsd ?? 0, prices.cacheWritePerMillionUsd ?? 0);
}

function cost(tokens: number, perMillionUsd: number): bigint {
  return BigInt(tokens) * BigInt(Math.round(perMillionUsd * UNITS_PER_USD_PER_MILLION));
}

function roundUp(units: bigint): number {
  return Number((units + UNITS_PER_NANO_USD - 1n) / UNITS_PER_NANO_USD);
}
