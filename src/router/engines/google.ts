import { createGoogle } from "@ai-sdk/google";
import type { LanguageModel } from "../language-model.ts";
import type { EngineSettings } from "./engine-settings.ts";

/** A Gemini model of Google's Generative Language API. */
export function buildGoogleModel({ provider, upstreamModel, apiKey, fetch }: EngineSettings): LanguageModel {
  return createGoogle({ baseURL: provider.baseUrl, apiKey: apiKey ?? "", fetch })(upstreamModel);
}
