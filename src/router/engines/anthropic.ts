import { createAnthropic } from "@ai-sdk/anthropic";
import type { CallOptions, Fetch, LanguageModel } from "../language-model.ts";
import type { EngineSettings } from "./engine-settings.ts";

/** Least that a model may be given to think with (Anthropic's API). */
const LEAST_THINKING_TOKENS = 1_024;
/** What of the cap is kept for the answer itself. */
const ANSWER_SHARE = 0.25;

/** A model of Anthropic's Messages API, or of a server that speaks it at `baseUrl`. */
export function buildAnthropicModel({ provider, upstreamModel, apiKey, fetch }: EngineSettings): LanguageModel {
  const build = (guarded: Fetch): LanguageModel => createAnthropic({ baseURL: provider.baseUrl, apiKey: apiKey ?? "", fetch: guarded })(upstreamModel);
  const model = build(fetch);
  const modelFor = ({ reasoning, maxOutputTokens }: CallOptions): LanguageModel => (reasoning === undefined || maxOutputTokens === undefined ? model : build(holdCap(fetch, maxOutputTokens)));
  return {
    specificationVersion: model.specificationVersion,
    provider: model.provider,
    modelId: model.modelId,
    supportedUrls: model.supportedUrls,
    doGenerate: (options) => modelFor(options).doGenerate(options),
    doStream: (options) => modelFor(options).doStream(options),
  };
}

/** The package adds what a model may think to the output cap, up to tens of thousands of tokens that nobody asked for or holds a budget for: thinking counts to the cap. */
function holdCap(fetch: Fetch, cap: number): Fetch {
  return (input, init) => {
    if (typeof init?.body !== "string") return fetch(input, init);
    const body = JSON.parse(init.body) as { max_tokens: number; thinking?: { budget_tokens?: number } };
    if (!(body.max_tokens > cap)) return fetch(input, init);
    body.max_tokens = cap;
    const budgetTokens = Math.min(body.thinking?.budget_tokens ?? 0, Math.floor(cap * (1 - ANSWER_SHARE)));
    if (budgetTokens < LEAST_THINKING_TOKENS) delete body.thinking;
    else body.thinking = { ...body.thinking, budget_tokens: budgetTokens };
    return fetch(input, { ...init, body: JSON.stringify(body) });
  };
}
