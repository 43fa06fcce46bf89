import { z } from "zod";

/** What a key can be good for (contract). */
export const SCOPES = ["workflows:read", "workflows:write", "agents:write", "gateway", "config:read", "config:write"] as const;

export const Scope = z.enum(SCOPES);
export type Scope = z.infer<typeof Scope>;

/** Of a new key that asks for none: it can use everything, and change no settings. */
export const DEFAULT_SCOPES: readonly Scope[] = SCOPES.filter((scope) => scope !== "config:write");

/** For the OpenAPI document. */
export const SCOPE_MEANINGS: Readonly<Record<Scope, string>> = {
  "workflows:read": "GET of workflows, jobs, messages, state, agents, templates, schedules, ledger",
  "workflows:write": "their POST, PUT, DELETE, decisions, signals, locks",
  "agents:write": "PUT and DELETE of agents and templates",
  gateway: "chat, models, route, context, intents",
  "config:read": "config, tiers, metrics, stats, optimizations",
  "config:write": "the tenant's own settings",
};
