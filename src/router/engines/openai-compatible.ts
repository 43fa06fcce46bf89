import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModel, ProviderUsage } from "../language-model.ts";
import { readUsage } from "../wire-usage.ts";
import type { EngineSettings } from "./engine-settings.ts";

/** A model behind any server with OpenAI's Chat Completions at `baseUrl`: Ollama, vLLM, OpenRouter, Groq and the like. */
export function buildOpenAiCompatibleModel({ provider, upstreamModel, apiKey, fetch }: EngineSettings): LanguageModel {
  const { baseUrl, id, options } = provider;
  if (baseUrl === undefined) throw new Error(`the provider ${id} has no baseUrl`);
  return createOpenAICompatible({
    name: id,
    baseURL: baseUrl,
    apiKey: apiKey ?? undefined,
    fetch,
    // Without it such servers stream no token counts, and a call would have to be estimated.
    includeUsage: true,
    supportsStructuredOutputs: options?.structuredOutputs ?? false,
    convertUsage,
  })(upstreamModel);
}

/** The package takes a count that is missing for 0, and knows nothing of cache hits in DeepSeek's words or of reasoning that only the total counts. */
function convertUsage(usage: unknown): ProviderUsage {
  const { inputTokens, outputTokens, cachedTokens, cacheWriteTokens, reasoningTokens } = readUsage(usage);
  return {
    inputTokens: { total: inputTokens ?? undefined, noCache: inputTokens === null ? undefined : Math.max(0, inputTokens - cachedTokens - cacheWriteTokens), cacheRead: cachedTokens, cacheWrite: cacheWriteTokens },
    outputTokens: { total: outputTokens ?? undefined, text: outputTokens === null ? undefined : Math.max(0, outputTokens - reasoningTokens), reasoning: reasoningTokens },
  };
}
