import { createOpenAI } from "@ai-sdk/openai";
import type { LanguageModel } from "../language-model.ts";
import type { EngineSettings } from "./engine-settings.ts";

/** A model of OpenAI: the Responses API at OpenAI itself, Chat Completions at any other `baseUrl`, unless the options say otherwise. */
export function buildOpenAiModel({ provider, upstreamModel, apiKey, fetch }: EngineSettings): LanguageModel {
  const openai = createOpenAI({ baseURL: provider.baseUrl, apiKey: apiKey ?? "", fetch });
  const api = provider.options?.api ?? (provider.baseUrl === undefined ? "responses" : "chat");
  return api === "responses" ? openai.responses(upstreamModel) : openai.chat(upstreamModel);
}
