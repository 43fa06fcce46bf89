import { createIntentCache, type IntentCache } from "./intents/intent-cache.ts";
import { classifyByPatterns } from "./intents/classify-by-patterns.ts";
import type { IntentGuess, IntentRanking } from "./intents/intent.ts";
import { type IntentQuestion, readIntentAnswer, writeIntentQuestion } from "./intents/intent-question.ts";
import { excerptStep } from "./intents/reading.ts";

/** Steps per question: a weak model keeps count of so many, and a lost answer costs no more than these. */
export const MAX_BATCH_STEPS = 20;

/** Questions under way at once: one below the six connections that an invocation may have open. */
export const MAX_CONCURRENT_BATCHES = 5;

/** Under this confidence a step goes to the model: the patterns are wrong there about one time in four (docs/quality.md). */
export const DEFAULT_INTENT_THRESHOLD = 0.6;

export interface IntentStep {
  id: string;
  text: string;
}

export interface IntentItem {
  id: string;
  intent: IntentGuess["intent"];
  confidence: number;
  alternatives: IntentGuess[];
  method: "pattern" | "model" | "fallback";
}

export interface ClassifyIntentsDeps {
  /** 0–1; steps that the patterns place below it are asked of the model. */
  threshold: number;
  /** Asks the weakest configured model and gives its answer as text. May throw; absent where there is no model. */
  ask?: (question: IntentQuestion) => Promise<string>;
  /** Keeps the model's answers by the step's excerpt. Without it, only equal steps of this call are asked once. */
  cache?: IntentCache;
  /** Told of each batch that failed, with what was thrown or what was wrong with the answer. */
  onFault?: (fault: unknown) => void;
}

/**
 * The intent of each step, in the order given: by patterns; of the unsure ones by the model.
 * A step that the model did not answer (no model, a fault, a missing or wrong item) keeps the patterns' guess with its
 * low confidence, and is `generate` by fallback where the patterns know no word of it. A failing `ask` does not make it reject.
 */
export async function classifyIntents(steps: readonly IntentStep[], deps: ClassifyIntentsDeps): Promise<{ items: IntentItem[] }> {
  const ranked = steps.map((step) => ({ step, excerpt: excerptStep(step.text), ranking: classifyByPatterns(step.text) }));
  const unsure = ranked.filter(({ ranking }) => ranking.confidence < deps.threshold);
  const answers = deps.ask === undefined ? new Map<string, IntentGuess>() : await askInBatches([...new Set(unsure.map(({ excerpt }) => excerpt))], deps.ask, deps);
  return {
    items: ranked.map(({ step, excerpt, ranking }) => {
      const answer = ranking.confidence < deps.threshold ? answers.get(excerpt) : undefined;
      return answer === undefined ? settleByPatterns(step.id, ranking) : settleByModel(step.id, answer, ranking);
    }),
  };
}

function settleByPatterns(id: string, ranking: IntentRanking): IntentItem {
  return { id, intent: ranking.intent, confidence: ranking.confidence, alternatives: ranking.alternatives, method: ranking.known ? "pattern" : "fallback" };
}

/** The patterns' readings stay as alternatives, scaled to the chance that the model left over. */
function settleByModel(id: string, answer: IntentGuess, ranking: IntentRanking): IntentItem {
  const rest = Math.max(0, 1 - answer.confidence);
  const others = (ranking.known ? [{ intent: ranking.intent, confidence: ranking.confidence }, ...ranking.alternatives] : []).filter((guess) => guess.intent !== answer.intent);
  const alternatives = others.map((guess) => ({ intent: guess.intent, confidence: Math.round(guess.confidence * rest * 1_000) / 1_000 })).filter((guess) => guess.confidence > 0);
  return { id, intent: answer.intent, confidence: answer.confidence, alternatives, method: "model" };
}

async function askInBatches(excerpts: string[], ask: NonNullable<ClassifyIntentsDeps["ask"]>, deps: ClassifyIntentsDeps): Promise<Map<string, IntentGuess>> {
  const cache = deps.cache ?? createIntentCache(excerpts.length);
  const answers = new Map<string, IntentGuess>();
  const open: string[] = [];
  for (const excerpt of excerpts) {
    const known = cache.get(excerpt);
    if (known === undefined) open.push(excerpt);
    else answers.set(excerpt, known);
  }
  const batches: string[][] = [];
  for (let start = 0; start < open.length; start += MAX_BATCH_STEPS) batches.push(open.slice(start, start + MAX_BATCH_STEPS));

  const askNext = async (): Promise<void> => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      for (const [excerpt, guess] of await askBatch(batch, ask, deps.onFault)) {
        answers.set(excerpt, guess);
        cache.set(excerpt, guess);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT_BATCHES, batches.length) }, askNext));
  return answers;
}

async function askBatch(excerpts: string[], ask: NonNullable<ClassifyIntentsDeps["ask"]>, onFault: ClassifyIntentsDeps["onFault"]): Promise<Map<string, IntentGuess>> {
  const question = writeIntentQuestion(excerpts);
  let answer: ReturnType<typeof readIntentAnswer>;
  try {
    answer = readIntentAnswer(await ask(question), question);
  } catch (thrown) {
    answer = { guesses: new Map(), fault: thrown };
  }
  if (answer.fault !== undefined) onFault?.(answer.fault);
  return answer.guesses;
}
