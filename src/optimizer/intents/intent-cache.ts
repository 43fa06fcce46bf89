import type { IntentGuess } from "./intent.ts";

/** Answers of models kept at most: with the longest excerpts about 3 MB. */
export const MAX_CACHED_INTENTS = 1_000;

export interface IntentCache {
  get: (text: string) => IntentGuess | undefined;
  set: (text: string, guess: IntentGuess) => void;
}

/** Keeps the `maxEntries` answers used last. */
export function createIntentCache(maxEntries = MAX_CACHED_INTENTS): IntentCache {
  const guesses = new Map<string, IntentGuess>();
  return {
    get(text) {
      const guess = guesses.get(text);
      if (guess === undefined) return undefined;
      guesses.delete(text);
      guesses.set(text, guess);
      return guess;
    },
    set(text, guess) {
      guesses.delete(text);
      guesses.set(text, guess);
      for (const oldest of guesses.keys()) {
        if (guesses.size <= maxEntries) break;
        guesses.delete(oldest);
      }
    },
  };
}
