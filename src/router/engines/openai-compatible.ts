import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModel } from "../language-model.ts";
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
  })(upstreamModel);
}
