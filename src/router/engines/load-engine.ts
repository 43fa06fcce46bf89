import type { ModelEntry, ProviderEntry, TierDocument } from "../../config/tiers.ts";
import type { Fetch, LanguageModel, ReadSecret } from "../language-model.ts";
import { createEngineRegistry, type Engine, type EngineRegistry } from "../registry.ts";
import type { EngineSettings } from "./engine-settings.ts";
import { guardFetch } from "./upstream-fetch.ts";

export interface EngineDeps {
  secrets: ReadSecret;
  fetch: Fetch;
}

/** Registers an engine for every provider of the document. Nothing is loaded until a model is asked for. */
export function registerDocument(document: TierDocument, deps: EngineDeps): EngineRegistry {
  const registry = createEngineRegistry(deps.secrets);
  for (const provider of document.providers) registry.register(provider, loadEngine(provider, deps));
  return registry;
}

/** The engine of one provider entry. Its package is imported on the first call, so an isolate pays only for what it uses. */
export function loadEngine(provider: ProviderEntry, deps: EngineDeps): Engine {
  return (model) => buildModel(settingsOf(provider, model, deps));
}

function settingsOf(provider: ProviderEntry, model: ModelEntry, { secrets, fetch }: EngineDeps): EngineSettings {
  const apiKey = provider.secretName === undefined ? null : (secrets(provider.secretName) ?? null);
  return { provider, upstreamModel: model.upstreamModel ?? model.id, apiKey, secrets, fetch: guardFetch(fetch, apiKey) };
}

async function buildModel(settings: EngineSettings): Promise<LanguageModel> {
  switch (settings.provider.kind) {
    case "anthropic":
      return (await import("./anthropic.ts")).buildAnthropicModel(settings);
    case "openai":
      return (await import("./openai.ts")).buildOpenAiModel(settings);
    case "google":
      return (await import("./google.ts")).buildGoogleModel(settings);
    case "openai-compatible":
      return (await import("./openai-compatible.ts")).buildOpenAiCompatibleModel(settings);
    case "workers-ai":
      return (await import("./workers-ai.ts")).buildWorkersAiModel(settings);
    case "offline":
      return (await import("./offline.ts")).buildOfflineModel(settings.upstreamModel);
  }
}
