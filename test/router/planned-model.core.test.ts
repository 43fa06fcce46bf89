import { describe, expect, test } from "vitest";
import { Settings } from "../../src/config/settings.ts";
import type { ModelEntry, TierDocument } from "../../src/config/tiers.ts";
import type { CircuitState, MetricsSnapshot } from "../../src/router/metrics/model-metrics.ts";
import { routeRequest, type RouteRequest } from "../../src/router/route-request.ts";

const NOW = 1_000_000;
const { routing, classification, quality } = Settings.parse({});

function modelOf(id: string, tier: "weak" | "base", price: number): ModelEntry {
  return { id, provider: "p", tier, price: { inputPerMillionUsd: price, outputPerMillionUsd: price }, contextWindow: id === "small" ? 100 : 10_000, maxOutputTokens: 1_000, capabilities: [], quality: 5 };
}

const DOCUMENT: TierDocument = {
  providers: [{ id: "p", kind: "openai-compatible", baseUrl: "https://p.example/v1" }],
  models: [modelOf("best", "weak", 1), modelOf("other", "weak", 2), modelOf("small", "weak", 3), modelOf("higher", "base", 9)],
  tiers: { weak: ["best", "other", "small"], base: ["higher"], strong: [] },
};

function route(plannedModel: string, request: Partial<RouteRequest> = {}, circuit: CircuitState = "closed") {
  const openUntil = circuit === "open" ? NOW + 1_000 : circuit === "half-open" ? NOW - 1 : null;
  const metrics: MetricsSnapshot = { at: NOW, models: { other: { calls: 1, successRate: 1, latencyMs: null, timeToFirstTokenMs: null, tokensPerSecond: null, costPer1kTokensUsd: null, quality: null, circuit: { state: circuit, openUntil }, updatedAt: NOW } } };
  const decision = routeRequest({ taskType: "formatting", contextTokens: 500, files: 0, failureRate: 0, strategy: "cheapest", maxOutputTokens: 100, needs: [], plannedModel, ...request }, { document: DOCUMENT, metrics, settings: routing, classification, priorCalls: quality.priorCalls, isConfigured: () => true, now: NOW });
  if ("failure" in decision) throw new Error(decision.failure.message);
  return decision;
}

describe("a model that the workflow's plan has for a call", () => {
  test("is taken instead of the best for the call alone, which takes over first, and says so", () => {
    const { chosen, fallbacks, reason } = route("other");
    expect([chosen.model.id, fallbacks.map(({ model }) => model.id), reason]).toEqual(["other", ["best", "higher"], expect.stringContaining("other is what the workflow as a whole does best with")]);
  });

  test.each([
    ["it is resting", "other", {}, "open"],
    ["it is only being tried again", "other", {}, "half-open"],
    ["the call is too large for it", "small", {}, "closed"],
    ["it is of a higher tier", "higher", {}, "closed"],
    ["it is gone", "nobody", {}, "closed"],
    ["the task pins a model", "other", { model: "best" }, "closed"],
  ] as const)("is left aside when %s", (_case, planned, request, circuit) => {
    expect(route(planned, request, circuit).chosen.model.id).toBe("best");
  });

  test("of a tier below is taken too, where the call names no tier: a plan that keeps to a budget has it", () => {
    const strong = { taskType: "planning", files: 20, contextTokens: 500, failureRate: 1 } as const;
    expect(route("nobody", strong).chosen.model.id).toBe("higher");
    const { chosen, tier, fallbacks, reason } = route("other", strong);
    expect([chosen.model.id, tier, fallbacks.map(({ model }) => model.id), reason]).toEqual(["other", "weak", ["higher"], expect.stringContaining("budget")]);
    expect(route("other", { ...strong, tier: "base" }).chosen.model.id).toBe("higher");
    expect(route("other", strong, "open").chosen.model.id).toBe("higher");
  });
});
