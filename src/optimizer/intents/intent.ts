/** What a step is for. The order is the order of ties: of two equally likely intents the earlier one wins. */
export const INTENTS = [
  "extract",
  "summarize",
  "generate",
  "validate",
  "send",
  "transform",
  "conditional",
  "aggregate",
  "filter",
  "enrich",
] as const;

export type Intent = (typeof INTENTS)[number];

/** One reading of a step; `confidence` is the estimated chance, 0–1, that it is the right one. */
export interface IntentGuess {
  intent: Intent;
  confidence: number;
}

/** The best reading and the others worth knowing, best first. Confidences add up to at most 1. */
export interface IntentRanking extends IntentGuess {
  alternatives: IntentGuess[];
  /** False where the text holds no known word and the intent is only the default. */
  known: boolean;
}

/** Points for intents, as the word lists state them; negative ones speak against. */
export type Evidence = Partial<Record<Intent, number>>;

/** Points per intent while they are added up. */
export type Scores = Record<Intent, number>;

export function emptyScores(): Scores {
  return { extract: 0, summarize: 0, generate: 0, validate: 0, send: 0, transform: 0, conditional: 0, aggregate: 0, filter: 0, enrich: 0 };
}

export function addEvidence(scores: Scores, evidence: Evidence, factor = 1): void {
  for (const intent in evidence) scores[intent as Intent] += (evidence[intent as Intent] ?? 0) * factor;
}
