import type { ProviderEntry } from "../../config/tiers.ts";
import type { ReadSecret } from "../language-model.ts";
import { ACCOUNT_ID_NAME } from "../registry.ts";

/** The base URL of a Cloudflare account's models. Throws when nothing names the account. */
export function accountUrl({ id, options }: ProviderEntry, secrets: ReadSecret): string {
  const accountId = options?.accountId ?? secrets(ACCOUNT_ID_NAME);
  if (!accountId) throw new Error(`the provider ${id} has no account id`);
  return `https://api.cloudflare.com/client/v4/accounts/${encodeURIComponent(accountId)}/ai/v1`;
}
