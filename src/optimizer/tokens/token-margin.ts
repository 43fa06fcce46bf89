/** A provider that counts more than this many times our estimate counts something else than the text (images, tools): no margin covers that. */
export const MAX_TOKEN_MARGIN = 3;
/** Smaller prompts say little: what a provider adds for each message outweighs their text. */
export const MIN_LEARNT_TOKENS = 200;
/** What is left after a call of the margin that nothing confirmed: half after 34 calls. */
const KEPT_SHARE = 0.98;

/** How far a text may differ from those that its model's margin was learnt from. */
const SECURE_FACTOR = 1.1;

/** How far a model's tokens have lain above the estimate, and how fast that is forgotten: the largest ratio of late, 1 at least. */
export function nextTokenMargin(margin: number, estimatedTokens: number, reportedTokens: number): number {
  if (estimatedTokens < MIN_LEARNT_TOKENS) return margin;
  const faded = 1 + (margin - 1) * KEPT_SHARE;
  return Math.min(MAX_TOKEN_MARGIN, Math.max(faded, reportedTokens / estimatedTokens));
}

/** The margins of the models that this isolate has called. A new isolate learns them anew: they are a correction, not a record. */
export class TokenMargins {
  readonly #margins = new Map<string, number>();

  /** Learns from a call whose input tokens the provider reported. */
  learn(modelId: string, estimatedTokens: number, reportedTokens: number): void {
    this.#margins.set(modelId, nextTokenMargin(this.#margins.get(modelId) ?? 1, estimatedTokens, reportedTokens));
  }

  /** Input tokens to reckon with where the provider reports none; never below the estimate. */
  correct(modelId: string, estimatedTokens: number): number {
    return Math.ceil(estimatedTokens * (this.#margins.get(modelId) ?? 1));
  }

  /** Input tokens to reserve: the bound of what is sent, or what the model has counted above our estimates of late, whichever is more; never below `correct`. */
  secure(modelId: string, boundTokens: number, estimatedTokens: number): number {
    const margin = this.#margins.get(modelId) ?? 1;
    return Math.max(boundTokens, Math.ceil(estimatedTokens * margin * (margin === 1 ? 1 : SECURE_FACTOR)));
  }
}
