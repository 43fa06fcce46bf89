import type { ModelEntry } from "../../config/tiers.ts";
import type { CallCandidate } from "../../consumer/agents/call-with-fallback.ts";
import type { TierName } from "../../workflow/spec/agent.ts";
import { ANSWER_HEADERS } from "../http/answer-headers.ts";

/** Which model answered, and which failed before it. */
export function describeRoute({ model, provider, tier }: CallCandidate, failedModels: readonly string[]): Record<string, string> {
  return { "x-model": encodeName(model.id), "x-provider": provider.id, "x-tier": tier, "x-fallbacks": failedModels.map(encodeName).join(",") };
}

/** Names of models may have letters that no header takes: those are percent-encoded. */
function encodeName(id: string): string {
  return id.toWellFormed().replaceAll(/[^\x20-\x7e]/gu, encodeURIComponent);
}

/**
 * The headers of answers of one kind, by the model that gave them; for `new Response`, which copies them. They are kept for each model: the
 * platform copies headers for a small part of what it takes to make them, and they are a good part of what an answer costs.
 */
export function createRouteHeaders(contentType: string): (candidate: CallCandidate, failedModels: readonly string[]) => Headers {
  const known = new WeakMap<ModelEntry, { tier: TierName; headers: Headers }>();
  const make = (candidate: CallCandidate, failedModels: readonly string[]): Headers => new Headers({ ...ANSWER_HEADERS, "content-type": contentType, ...describeRoute(candidate, failedModels) });
  return (candidate, failedModels) => {
    if (failedModels.length > 0) return make(candidate, failedModels);
    const { model, tier } = candidate;
    const kept = known.get(model);
    if (kept?.tier === tier) return kept.headers;
    const headers = make(candidate, []);
    known.set(model, { tier, headers });
    return headers;
  };
}
