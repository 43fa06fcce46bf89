import { createAnthropic } from "@ai-sdk/anthropic";
import type { LanguageModel } from "../language-model.ts";
import type { EngineSettings } from "./engine-settings.ts";

/** A model of Anthropic's Messages API, or of a server that speaks it at `baseUrl`. */
export function buildAnthropicModel({ provider, upstreamModel, apiKey, fetch }: EngineSettings): LanguageModel {
  return createAnthropic({ baseURL: provider.baseUrl, apiKey: apiKey ?? "", fetch })(upstreamModel);
}
