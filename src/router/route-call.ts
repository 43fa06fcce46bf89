import type { Settings } from "../config/settings.ts";
import { findModel, isEmbedded, listTier } from "./find-model.ts";
import { routeRequest, type RouteContext, type RouteDecision, type RouteRequest } from "./route-request.ts";

export interface CallContext extends Omit<RouteContext, "settings" | "classification" | "priorCalls"> {
  settings: Pick<Settings, "orchestration" | "classification" | "quality" | "routing">;
}

/**
 * Routes a call by the settings as a whole. While orchestration is off, what pins no model goes to the default one, and nobody
 * takes over from it.
 */
export function routeCall(request: RouteRequest, context: CallContext): RouteDecision {
  const { orchestration, classification, quality, routing } = context.settings;
  const routeContext: RouteContext = { ...context, settings: routing, classification, priorCalls: quality.priorCalls };
  if (orchestration.enabled || request.model != null) return routeRequest(request, routeContext);
  const model = orchestration.defaultModel ?? findDefaultModel(context);
  const alone: RouteRequest = { ...request, explore: null };
  const decision = routeRequest(model === null ? { ...alone, tier: "base" } : { ...alone, model, tier: null }, routeContext);
  if ("failure" in decision) return model !== null && findModel(context.document, model) === null ? { ...decision, failure: { ...decision.failure, message: `orchestration.defaultModel is ${model}, which is not in the tiers document: add it there or name another.` } } : decision;
  return { ...decision, fallbacks: [], reason: `Orchestration is off: ${decision.chosen.model.id} is the default model.` };
}

/** The first of the base tier that can be called; the embedded engine only where there is no other. */
function findDefaultModel({ document, isConfigured }: CallContext): string | null {
  const callable = listTier(document, "base").filter(({ provider }) => isConfigured(provider.id));
  return (callable.find((member) => !isEmbedded(member)) ?? callable[0])?.model.id ?? null;
}
