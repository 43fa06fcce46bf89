import type { TierName } from "../workflow/spec/agent.ts";
import { isEmbedded } from "./find-model.ts";
import type { RankedModel } from "./rank.ts";
import { routeCall, type CallContext } from "./route-call.ts";
import { TIERS_BELOW, type RouteRequest } from "./route-request.ts";

/** Whether a call may be given to tiers below its own: where neither task nor agent names a tier or a model, and calls are routed at all. */
export function mayGoBelow(request: Pick<RouteRequest, "model" | "tier">, { settings }: Pick<CallContext, "settings">): boolean {
  return request.model == null && request.tier == null && settings.orchestration.enabled;
}

/** The models of the tiers below that can take the call now, the higher tier first. The embedded engine stands in for nobody. */
export function listBelow(request: RouteRequest, tier: TierName, context: CallContext): RankedModel[] {
  if (!mayGoBelow(request, context)) return [];
  return TIERS_BELOW[tier].flatMap((below) => {
    const decision = routeCall({ ...request, tier: below, plannedModel: null }, context);
    return "failure" in decision ? [] : decision.candidates.filter((candidate) => candidate.tier === below && isReady(candidate));
  });
}

/** Whether a model can take the call now, and others need not wait for it to prove itself. */
export function isReady(candidate: RankedModel): boolean {
  return candidate.excludedBy === null && !candidate.needsProbe && !isEmbedded(candidate);
}
