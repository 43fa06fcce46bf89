/** How many tokens a language model counts for `text`: an estimate, right on average, either way for a single text. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / 4);
}
