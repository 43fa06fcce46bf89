import type { ModelEntry, ProviderEntry } from "../config/tiers.ts";
import type { LanguageModel, ReadSecret } from "./language-model.ts";

/** Builds the callable model of one provider's entry. Loads the provider's package on first use. */
export type Engine = (model: ModelEntry) => Promise<LanguageModel>;

/** The variable that names the Cloudflare account when a workers-ai provider's options do not. */
export const ACCOUNT_ID_NAME = "CLOUDFLARE_ACCOUNT_ID";

export interface RegisteredProvider {
  provider: ProviderEntry;
  status: "configured" | "unconfigured";
  /** Names of secrets and variables that are not set. */
  missing: string[];
}

export interface EngineRegistry {
  /** Adds an engine under its provider's id; false, and nothing changes, when the id is taken. */
  register(provider: ProviderEntry, engine: Engine): boolean;
  /** The engine of a configured provider; null when it is unknown or a secret is missing. */
  get(providerId: string): Engine | null;
  /** In the order of registration, the unconfigured ones included. */
  list(): RegisteredProvider[];
  unregister(providerId: string): boolean;
  isConfigured(providerId: string): boolean;
}

/** What must be set in the environment before a provider can be called. */
export function requiredNames(provider: ProviderEntry): string[] {
  const names = provider.secretName === undefined ? [] : [provider.secretName];
  const needsAccount = provider.kind === "workers-ai" && provider.baseUrl === undefined && provider.options?.accountId === undefined;
  return needsAccount ? [...names, ACCOUNT_ID_NAME] : names;
}

/** Keeps the engines by provider id. Secrets are asked each time: one that was set later counts from then on. */
export function createEngineRegistry(secrets: ReadSecret): EngineRegistry {
  const entries = new Map<string, { provider: ProviderEntry; engine: Engine }>();
  const missingOf = (provider: ProviderEntry) => requiredNames(provider).filter((name) => !secrets(name));
  const configured = (providerId: string) => {
    const entry = entries.get(providerId);
    return entry !== undefined && missingOf(entry.provider).length === 0 ? entry : null;
  };
  return {
    register(provider, engine) {
      if (entries.has(provider.id)) return false;
      entries.set(provider.id, { provider, engine });
      return true;
    },
    get: (providerId) => configured(providerId)?.engine ?? null,
    list: () =>
      [...entries.values()].map(({ provider }) => {
        const missing = missingOf(provider);
        return { provider, status: missing.length === 0 ? "configured" : "unconfigured", missing };
      }),
    unregister: (providerId) => entries.delete(providerId),
    isConfigured: (providerId) => configured(providerId) !== null,
  };
}
