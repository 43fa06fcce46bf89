import type { ProviderEntry } from "../../config/tiers.ts";
import type { Fetch, ReadSecret } from "../language-model.ts";

/** What a provider's file is given to build one model. `apiKey` is null when the provider needs none. */
export interface EngineSettings {
  provider: ProviderEntry;
  /** The provider's own name of the model. */
  upstreamModel: string;
  apiKey: string | null;
  secrets: ReadSecret;
  fetch: Fetch;
}
