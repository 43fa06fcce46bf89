import type { LanguageModel } from "../language-model.ts";
import { accountUrl } from "./account-url.ts";
import type { EngineSettings } from "./engine-settings.ts";
import { buildOpenAiCompatibleModel } from "./openai-compatible.ts";

/** A Workers AI model over REST: the binding would stop local work without an account. */
export function buildWorkersAiModel(settings: EngineSettings): LanguageModel {
  return buildOpenAiCompatibleModel({ ...settings, provider: { ...settings.provider, baseUrl: settings.provider.baseUrl ?? accountUrl(settings.provider, settings.secrets) } });
}
