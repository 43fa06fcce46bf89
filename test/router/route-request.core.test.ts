import { describe, expect, test } from "vitest";
import { DEFAULT_TIERS } from "../../src/config/default-tiers.ts";
import { Settings } from "../../src/config/settings.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import { findBaselineModel } from "../../src/router/find-model.ts";
import type { ModelMetrics } from "../../src/router/metrics/model-metrics.ts";
import { routeCall, type CallContext } from "../../src/router/route-call.ts";
import { routeRequest, type RouteContext, type RouteRequest } from "../../src/router/route-request.ts";

const NOW = 1_000_000;
const DEFAULTS = Settings.parse({});
const REQUEST: RouteRequest = { taskType: "general", contextTokens: 100, files: 0, failureRate: 0, strategy: "quality", maxOutputTokens: 1_000, needs: [] };

/** Two models in the lower tiers, one in the highest, the embedded engine in all. */
const DOCUMENT: TierDocument = {
  providers: [
    { id: "one", kind: "openai-compatible", baseUrl: "https://one.example", secretName: "ONE_KEY" },
    { id: "two", kind: "openai-compatible", baseUrl: "https://two.example", secretName: "TWO_KEY" },
    { id: "offline", kind: "offline" },
  ],
  models: [
    ["weak-1", "one", "weak", 4], ["weak-2", "two", "weak", 5], ["base-1", "one", "base", 7], ["base-2", "two", "base", 6], ["strong-1", "one", "strong", 9], ["offline", "offline", "weak", 1],
  ].map(([id, provider, tier, quality]) => ({
    id: id as string,
    provider: provider as string,
    tier: tier as "weak",
    price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
    contextWindow: id === "offline" ? 1_000_000 : 10_000,
    maxOutputTokens: 2_000,
    capabilities: ["json"],
    quality: quality as number,
  })),
  tiers: { weak: ["offline", "weak-1", "weak-2"], base: ["base-1", "base-2", "offline"], strong: ["strong-1", "offline"] },
};

const ALL = ["one", "two", "offline"];

function context(configured: string[] = ALL, changes: Partial<RouteContext> = {}): RouteContext {
  return { document: DOCUMENT, metrics: null, settings: DEFAULTS.routing, classification: DEFAULTS.classification, priorCalls: DEFAULTS.quality.priorCalls, isConfigured: (id) => configured.includes(id), now: NOW, ...changes };
}

function resting(...ids: string[]): RouteContext["metrics"] {
  const open: ModelMetrics = { calls: 9, successRate: 0, latencyMs: null, timeToFirstTokenMs: null, tokensPerSecond: null, costPer1kTokensUsd: null, quality: null, circuit: { state: "open", openUntil: NOW + 5_000 }, updatedAt: NOW };
  return { at: NOW, models: Object.fromEntries(ids.map((id) => [id, open])) };
}

function choose(request: Partial<RouteRequest>, configured?: string[], changes?: Partial<RouteContext>) {
  return routeRequest({ ...REQUEST, ...request }, context(configured, changes));
}

/** `tier model → fallbacks`, or the failure's message. */
function routeOf(...args: Parameters<typeof choose>): string {
  const decision = choose(...args);
  if ("failure" in decision) return decision.failure.message;
  return `${decision.tier} ${decision.chosen.model.id} → ${decision.fallbacks.map(({ model }) => model.id).join(" ")}`.trim();
}

describe("routeRequest", () => {
  test.each<[string, Partial<RouteRequest>, string[], string]>([
    ["the tier of the score, the best of it, then the rest in its order, then the tier above", {}, ALL, "weak weak-2 → weak-1 base-1 base-2"],
    ["a harder type goes higher", { taskType: "planning" }, ALL, "base base-1 → base-2 strong-1"],
    ["a type of 4 points goes to strong, with nobody above", { taskType: "security_review" }, ALL, "strong strong-1 →"],
    ["failures raise the tier", { taskType: "general", contextTokens: 7_999, failureRate: 1 }, ALL, "base base-1 → base-2 strong-1"],
    ["a tier that is asked for beats the score", { tier: "weak", taskType: "security_review" }, ALL, "weak weak-2 → weak-1 base-1 base-2"],
    ["unconfigured models are passed over", {}, ["one", "offline"], "weak weak-1 → base-1"],
    ["the embedded engine where nothing else of the tier is configured", { tier: "strong" }, ["two", "offline"], "strong offline →"],
    ["the embedded engine alone", {}, ["offline"], "weak offline →"],
    ["without the embedded engine the tier above takes over", { tier: "strong" }, ["two"], "No model of tier strong can be called: set ONE_KEY for strong-1, or register the provider offline for offline."],
    ["no model with the capability: the tier above cannot help either", { needs: ["vision"] }, ALL, "No model of tier weak can take this call: weak-1 has no vision; weak-2 has no vision; base-1 has no vision; base-2 has no vision."],
    ["a context that is too large is not for the embedded engine, however much it holds", { contextTokens: 20_000, tier: "strong" }, ALL, "No model of tier strong can take this call: strong-1 has a context window of 10000 tokens, too small for 21000."],
  ])("%s", (_, request, configured, expected) => {
    expect(routeOf(request, configured)).toBe(expected);
  });

  test("a tier whose models rest is left for the one above, never for the embedded engine", () => {
    expect(routeOf({}, ALL, { metrics: resting("weak-1", "weak-2") })).toBe("base base-1 → base-2");
    expect(choose({}, ALL, { metrics: resting("weak-1", "weak-2") })).toMatchObject({ reason: "Complexity 2 (general) goes to tier weak; no model of it can take the call, and base-1 of tier base has the highest quality." });
  });

  test("when all rest the call may be made again once the first has rested", () => {
    const decision = choose({ tier: "strong" }, ALL, { metrics: resting("strong-1") });
    expect(decision).toMatchObject({ failure: { code: "provider_unavailable", retryable: true, message: expect.stringContaining("strong-1") }, retryAfterMs: 5_000 });
  });

  test("at most so many take over as the settings say", () => {
    expect(routeOf({}, ALL, { settings: { ...DEFAULTS.routing, maxFallbacks: 2 } })).toBe("weak weak-2 → weak-1 base-1");
    expect(routeOf({}, ALL, { settings: { ...DEFAULTS.routing, maxFallbacks: 0 } })).toBe("weak weak-2 →");
  });

  test("the strategy is the request's, else the settings'", () => {
    const settings = { ...DEFAULTS.routing, strategy: "cheapest" as const };
    expect(routeOf({ strategy: null }, ALL, { settings })).toMatch(/^weak weak-1/);
    expect(routeOf({}, ALL, { settings })).toMatch(/^weak weak-2/);
  });

  test("a missing type is read from the prompt, else the settings' default; not read when that is off", () => {
    const typed = (request: Partial<RouteRequest>, classification = DEFAULTS.classification) => choose({ taskType: null, ...request }, ALL, { classification }).taskType;
    expect(typed({ prompt: "Refactor the parser" })).toBe("refactoring");
    expect(typed({ prompt: "Hm" })).toBe("general");
    expect(typed({ prompt: "Hm" }, { ...DEFAULTS.classification, defaultTaskType: "planning" })).toBe("planning");
    expect(typed({ prompt: "Refactor the parser" }, { ...DEFAULTS.classification, inferTaskType: false })).toBe("general");
  });

  test("every candidate of the tier and of the one above says why it was or was not chosen", () => {
    const decision = choose({}, ["one", "offline"]);
    expect(Object.fromEntries(decision.candidates.map(({ model, reason }) => [model.id, reason]))).toEqual({
      "weak-1": "is the only model of the tier that can take the call",
      offline: "does not stand in for the configured models of the tier",
      "weak-2": "is not configured: set TWO_KEY for weak-2",
      "base-1": "is asked when no model of tier weak answers",
      "base-2": "is not configured: set TWO_KEY for base-2",
    });
  });
});

describe("a pinned model", () => {
  test.each<[string, Partial<RouteRequest>, string[], string]>([
    ["is taken whatever else there is, and nobody takes over", { model: "offline" }, ALL, "weak offline →"],
    ["keeps the tier that lists it", { model: "offline", tier: "strong" }, ALL, "strong offline →"],
    ["stays in its own tier otherwise", { model: "strong-1", tier: "weak" }, ALL, "strong strong-1 →"],
    ["is not judged by its limits", { model: "weak-1", contextTokens: 1_000_000, needs: ["vision"] }, ALL, "weak weak-1 →"],
    ["that is unknown fails", { model: "gone" }, ALL, "The model gone is pinned but not in the tiers document: add it there or pin another."],
    ["that is not configured fails and names the secret", { model: "weak-2" }, ["one", "offline"], "The model weak-2 is pinned but cannot be called: set TWO_KEY for weak-2."],
  ])("%s", (_, request, configured, expected) => {
    expect(routeOf(request, configured)).toBe(expected);
  });

  test("is called also while its circuit is open", () => {
    expect(choose({ model: "weak-1" }, ALL, { metrics: resting("weak-1") })).toMatchObject({ chosen: { needsProbe: false, reason: "is pinned" }, reason: "The model weak-1 is pinned." });
  });
});

describe("the default document", () => {
  const routeDefault = (request: Partial<RouteRequest>, configured: string[]) => routeOf({ strategy: null, ...request }, configured, { document: DEFAULT_TIERS });

  test("without any key the embedded engine answers every tier, and says so", () => {
    for (const tier of ["weak", "base", "strong"] as const) expect(routeDefault({ tier }, ["offline"])).toBe(`${tier} offline →`);
    expect(choose({ tier: "weak", strategy: null }, ["offline"], { document: DEFAULT_TIERS })).toMatchObject({ reason: "Tier weak is asked for; no other model of it is configured, so the embedded offline engine answers." });
  });

  test("nothing configured names every secret that would help", () => {
    expect(routeDefault({ tier: "weak" }, [])).toMatch(/set ANTHROPIC_API_KEY for claude-haiku-4.*set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID for llama/);
  });

  test("what costs nothing is preferred", () => {
    expect(routeDefault({ tier: "weak" }, ["anthropic", "google", "offline"])).toMatch(/^weak gemini-2.5-flash → claude-haiku-4 /);
    expect(routeDefault({ tier: "weak" }, ["anthropic", "offline"])).toMatch(/^weak claude-haiku-4/);
  });

  test("the baseline is the strong tier's first model that is no embedded engine, or the one that is named", () => {
    const withStrong = (strong: string[]): TierDocument => ({ ...DEFAULT_TIERS, tiers: { ...DEFAULT_TIERS.tiers, strong } });
    expect(findBaselineModel(DEFAULT_TIERS)?.id).toBe("claude-opus-4");
    expect(findBaselineModel(withStrong(["offline", "gpt-5-pro"]))?.id).toBe("gpt-5-pro");
    expect(findBaselineModel(withStrong(["offline"]))).toBeNull();
    expect(findBaselineModel(DEFAULT_TIERS, "claude-sonnet-4")?.id).toBe("claude-sonnet-4");
    expect(findBaselineModel(DEFAULT_TIERS, "gone")?.id).toBe("claude-opus-4");
  });
});

describe("while orchestration is off", () => {
  const off = (request: Partial<RouteRequest>, defaultModel: string | null, configured = ALL) => {
    const settings = { ...DEFAULTS, orchestration: { ...DEFAULTS.orchestration, enabled: false, defaultModel } };
    const callContext: CallContext = { document: DOCUMENT, metrics: null, settings, isConfigured: (id) => configured.includes(id), now: NOW };
    const decision = routeCall({ ...REQUEST, ...request }, callContext);
    return "failure" in decision ? decision.failure.message : `${decision.tier} ${decision.chosen.model.id} → ${decision.fallbacks.length}: ${decision.reason}`;
  };

  test.each<[string, Partial<RouteRequest>, string | null, string[], string]>([
    ["the default model answers, whatever the task", { taskType: "security_review" }, "weak-1", ALL, "weak weak-1 → 0: Orchestration is off: weak-1 is the default model."],
    ["also where a tier is asked for", { tier: "strong" }, "weak-1", ALL, "weak weak-1 → 0: Orchestration is off: weak-1 is the default model."],
    ["without one the first configured of base", {}, null, ["two", "offline"], "base base-2 → 0: Orchestration is off: base-2 is the default model."],
    ["a pinned model stays", { model: "strong-1" }, "weak-1", ALL, "strong strong-1 → 0: The model strong-1 is pinned."],
    ["one that the document does not know is named as the setting it is", {}, "gone", ALL, "orchestration.defaultModel is gone, which is not in the tiers document: add it there or name another."],
    ["nothing configured says what to set", {}, null, [], "No model of tier base can be called: set ONE_KEY for base-1, or set TWO_KEY for base-2, or register the provider offline for offline."],
  ])("%s", (_, request, defaultModel, configured, expected) => {
    expect(off(request, defaultModel, configured)).toBe(expected);
  });
});
