import type { LanguageModel } from "../language-model.ts";
import { ACCOUNT_ID_NAME } from "../registry.ts";
import type { EngineSettings } from "./engine-settings.ts";
import { buildOpenAiCompatibleModel } from "./openai-compatible.ts";

/** A Workers AI model over REST: the binding would stop local work without an account. */
export function buildWorkersAiModel(settings: EngineSettings): LanguageModel {
  return buildOpenAiCompatibleModel({ ...settings, provider: { ...settings.provider, baseUrl: settings.provider.baseUrl ?? accountUrl(settings) } });
}

function accountUrl({ provider, secrets }: EngineSettings): string {
  const accountId = provider.options?.accountId ?? secrets(ACCOUNT_ID_NAME);
  if (!accountId) throw new Error(`the provider ${provider.id} has no account id`);
  return `https://api.cloudflare.com/client/v4/accounts/${encodeURIComponent(accountId)}/ai/v1`;
}
