import type { LlmDeps } from "./agents/llm.ts";
import { streamAnswer } from "./agents/llm-stream.ts";

/** Time of one question: what asks has its own answer without it. */
const QUESTION_TIMEOUT_MS = 30_000;
/** Longest answer to a question: a batch of twenty short items in JSON. */
const MAX_ANSWER_TOKENS = 2_048;

/** Asks a question outside any workflow. Rejects when there is no answer. */
export type AskModel = (question: { system: string; prompt: string }) => Promise<string>;

/** The first configured model of the weakest tier that has one; null while only the embedded engine is configured, since that is no judge of words. */
export function openWeakestModel({ document, isConfigured, engine }: Pick<LlmDeps, "document" | "isConfigured" | "engine">): AskModel | null {
  const ids = [...document.tiers.weak, ...document.tiers.base, ...document.tiers.strong];
  for (const id of ids) {
    const model = document.models.find((entry) => entry.id === id);
    const provider = document.providers.find((entry) => entry.id === model?.provider);
    if (model === undefined || provider === undefined || provider.kind === "offline" || !isConfigured(provider.id)) continue;
    return async ({ system, prompt }) => {
      const callable = await engine(provider, model);
      const messages = [{ role: "system" as const, content: system }, { role: "user" as const, content: [{ type: "text" as const, text: prompt }] }];
      const options = { prompt: messages, maxOutputTokens: Math.min(MAX_ANSWER_TOKENS, model.maxOutputTokens), temperature: 0 };
      const answer = await streamAnswer(callable, options, AbortSignal.timeout(QUESTION_TIMEOUT_MS));
      if (answer.failed !== null) throw new Error(`${provider.id} (${model.id}) gave no answer`);
      return answer.text;
    };
  }
  return null;
}
