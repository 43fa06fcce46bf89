import { describe, expect, test } from "vitest";
import { Settings } from "../../src/config/settings.ts";
import type { Strategy } from "../../src/config/routing-settings.ts";
import type { ModelEntry, TierDocument } from "../../src/config/tiers.ts";
import type { CircuitState, MetricsSnapshot } from "../../src/router/metrics/model-metrics.ts";
import { routeCall } from "../../src/router/route-call.ts";
import type { RouteRequest } from "../../src/router/route-request.ts";

const NOW = 1_000_000;
const SETTINGS = Settings.parse({});
const { exploreShare } = SETTINGS.routing;

function modelOf(id: string, price: number, changes: Partial<ModelEntry> = {}): ModelEntry {
  return { id, provider: "p", tier: "weak", price: { inputPerMillionUsd: price, outputPerMillionUsd: price }, contextWindow: 100_000, maxOutputTokens: 1_000, capabilities: [], quality: 5, ...changes };
}

interface World {
  models: ModelEntry[];
  /** Tokens per second, of those that were measured. */
  speeds?: Record<string, number>;
  circuit?: CircuitState;
  settings?: object;
}

/** The model of a call whose random number is this share of the way to the explored share; below 1 it tries one out. */
function choose(share: number, { models, speeds = {}, circuit = "closed", settings = {} }: World, request: Partial<RouteRequest> = {}) {
  const openUntil = circuit === "closed" ? null : NOW - 1;
  const measured = Object.entries(speeds).map(([id, tokensPerSecond]) => [id, { calls: 100, successRate: 1, latencyMs: null, timeToFirstTokenMs: { p50: 500 }, tokensPerSecond, costPer1kTokensUsd: null, quality: null, circuit: { state: id === "slow" ? circuit : "closed", openUntil }, updatedAt: NOW }]);
  const metrics: MetricsSnapshot = { at: NOW, models: Object.fromEntries(measured) };
  const document: TierDocument = { providers: [{ id: "p", kind: "openai-compatible", baseUrl: "https://p.example/v1" }], models, tiers: { weak: models.map(({ id }) => id), base: [], strong: [] } };
  const decision = routeCall({ taskType: "general", contextTokens: 500, files: 0, failureRate: 0, tier: "weak", maxOutputTokens: 500, needs: [], explore: share * exploreShare, ...request }, { document, metrics, settings: Settings.parse(settings), isConfigured: () => true, now: NOW });
  if ("failure" in decision) throw new Error(decision.failure.message);
  return decision;
}

const idOf = (...args: Parameters<typeof choose>): string => choose(...args).chosen.model.id;

/** The slow one is what price and stated quality speak for. */
const SLOWED: World = { models: [modelOf("slow", 1), modelOf("quick", 1)], speeds: { slow: 2, quick: 100 } };

describe("a model that only measurements speak against", () => {
  test("gets a small share of the calls, and says why; the best takes over when it fails", () => {
    expect(idOf(1, SLOWED)).toBe("quick");
    for (const share of [0, 0.5, 0.999]) expect(idOf(share, SLOWED)).toBe("slow");
    expect(choose(0, SLOWED)).toMatchObject({ chosen: { reason: expect.stringContaining("tried now and then") }, fallbacks: [{ model: { id: "quick" } }] });
  });

  test("shares them with others of its kind, and with none that is dearer or stated to be worse", () => {
    const models = [modelOf("quick", 1), modelOf("twin", 1), modelOf("slow", 1), modelOf("dear", 3), modelOf("poor", 1, { quality: 2 })];
    const speeds = { quick: 100, twin: 5, slow: 2, dear: 5, poor: 5 };
    expect([0, 0.49, 0.51, 0.99].map((share) => idOf(share, { models, speeds }))).toEqual(["twin", "twin", "slow", "slow"]);
    for (const strategy of ["cheapest", "fastest", "quality"] as Strategy[]) expect(idOf(0.99, { models: [modelOf("quick", 1), modelOf("dear", 3)], speeds }, { strategy })).toBe("quick");
  });

  test.each<[string, World, Partial<RouteRequest>]>([
    ["no random number is given", SLOWED, { explore: null }],
    ["its circuit is half-open: the probe finds out", { ...SLOWED, circuit: "half-open" }, {}],
    ["the settings say so", { ...SLOWED, settings: { routing: { exploreShare: 0 } } }, {}],
    ["orchestration is off", { ...SLOWED, settings: { orchestration: { enabled: false, defaultModel: "quick" } } }, {}],
    ["the plan of the workflow has another", SLOWED, { plannedModel: "quick" }],
    ["the best costs nothing and it does not", { models: [modelOf("slow", 1), modelOf("quick", 0)], speeds: { slow: 2, quick: 100 } }, {}],
  ])("gets none when %s", (_, world, request) => {
    expect(idOf(0, world, request)).toBe("quick");
  });

  test("where nothing was measured against anybody, the first is never left", () => {
    expect(idOf(0, { models: [modelOf("first", 1), modelOf("second", 2)] })).toBe("first");
  });
});
