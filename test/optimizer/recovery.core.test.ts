import { describe, expect, it } from "vitest";
import { Settings } from "../../src/config/settings.ts";
import type { ModelEntry, TierDocument } from "../../src/config/tiers.ts";
import { foldEvidence, readEvidence, type EvidenceState } from "../../src/optimizer/reoptimization/evidence.ts";
import { evidenceSince, reoptimize, type OptimizationDecision, type RoutingConfig } from "../../src/optimizer/reoptimization/reoptimize.ts";
import { foldObservations, snapshotMetrics, type MetricsState } from "../../src/router/metrics/metrics-fold.ts";
import type { CallObservation, MetricsSnapshot } from "../../src/router/metrics/model-metrics.ts";
import { routeCall } from "../../src/router/route-call.ts";

const RUN_EVERY_MS = 900_000;
/** Metrics reach the router in pieces. */
const PUBLISH_EVERY_CALLS = 20;
const SETTINGS = Settings.parse({});

interface Behaviour {
  tokensPerSecond: number;
  outputTokens: number;
  success?: number;
}

const QUICK: Behaviour = { tokensPerSecond: 100, outputTokens: 400 };
/** Slow, and it writes so much that an answer costs five times as much. */
const SLOW_AND_DEAR: Behaviour = { tokensPerSecond: 20, outputTokens: 2_000, success: 0.95 };

function modelOf(id: string): ModelEntry {
  return { id, provider: "p", tier: "base", price: { inputPerMillionUsd: 3, outputPerMillionUsd: 15 }, contextWindow: 200_000, maxOutputTokens: 8_000, capabilities: [], quality: 8 };
}

/** The router itself chooses for every call, by what was measured and with the calls that try a model out; the re-optimizer comes by every quarter of an hour. */
function createWorld(behaviours: Record<string, Behaviour>, { seed, callsPerRun }: { seed: number; callsPerRun: number }) {
  const { routing } = SETTINGS;
  const random = createRandom(seed);
  const models = Object.keys(behaviours).map(modelOf);
  const world = {
    now: Date.UTC(2026, 10, 1),
    behaviours,
    config: { tiers: { weak: [], base: models.map(({ id }) => id), strong: [] }, thresholds: { weakMaxScore: 3, baseMaxScore: 7 } } as RoutingConfig,
    history: [] as OptimizationDecision[],
    metrics: {} as MetricsState,
    evidence: {} as EvidenceState,
    snapshot: null as MetricsSnapshot | null,
    order: () => world.config.tiers.base.join(" "),
    /** A quarter of an hour of calls, then a run. Gives the share of calls by model. */
    run: (): Record<string, number> => {
      const asked: Record<string, number> = {};
      let waiting: CallObservation[] = [];
      for (let call = 0; call < callsPerRun; call += 1) {
        world.now += RUN_EVERY_MS / callsPerRun;
        const seen = observe(choose());
        asked[seen.model] = (asked[seen.model] ?? 0) + 1 / callsPerRun;
        waiting.push(seen);
        if (waiting.length < PUBLISH_EVERY_CALLS) continue;
        world.metrics = foldObservations(world.metrics, waiting, world.now, routing);
        world.snapshot = snapshotMetrics(world.metrics, world.now, routing);
        world.evidence = foldEvidence(world.evidence, waiting, world.now, routing.reoptimizeWindowMs);
        waiting = [];
      }
      const since = evidenceSince(world.config, world.history, routing, world.now);
      const evidence = readEvidence(world.evidence, { since, now: world.now, windowMs: routing.reoptimizeWindowMs });
      const decision = reoptimize({ config: world.config, history: world.history, evidence, settings: routing, now: world.now });
      if (decision.kind !== "none") world.history = [decision, ...world.history];
      world.config = decision.after;
      return asked;
    },
  };
  const choose = (): string => {
    const document: TierDocument = { providers: [{ id: "p", kind: "openai-compatible", baseUrl: "https://p.example/v1" }], models, tiers: world.config.tiers };
    const request = { taskType: "general" as const, tier: "base" as const, contextTokens: 1_000, files: 0, failureRate: 0, maxOutputTokens: 4_000, needs: [], explore: random() };
    const decision = routeCall(request, { document, metrics: world.snapshot, settings: SETTINGS, isConfigured: () => true, now: world.now });
    if ("failure" in decision) throw new Error(decision.failure.message);
    return decision.chosen.model.id;
  };
  const observe = (model: string): CallObservation => {
    const { tokensPerSecond, outputTokens, success = 1 } = world.behaviours[model]!;
    const tokens = Math.round(outputTokens * (0.5 + random()));
    const isSuccess = random() < success;
    return {
      at: world.now, tenant: "default", model, provider: "p", tier: "base", taskType: "general", isSuccess, isHealthFailure: !isSuccess, retryAfterMs: null,
      latencyMs: 300 + (1_000 * tokens) / (tokensPerSecond * (0.8 + 0.4 * random())), timeToFirstTokenMs: 300, inputTokens: 1_000, outputTokens: tokens, costNanoUsd: 3_000 * 1_000 + tokens * 15_000, baselineNanoUsd: 0, quality: null,
    };
  };
  return world;
}

function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const SEEDS = [1, 2, 3, 4];

describe("a tier over a provider that breaks down and recovers", () => {
  it.each(SEEDS)("changes its order within two runs, and back within two, however long it was sick; few calls meet the sick model (seed %i)", (seed) => {
    const world = createWorld({ a: QUICK, b: { tokensPerSecond: 70, outputTokens: 500 } }, { seed, callsPerRun: 1_000 });
    for (let runs = 0; runs < 5; runs += 1) world.run();
    expect(world.order()).toBe("a b");

    for (const sickRuns of [2, 12]) {
      world.behaviours["a"] = SLOW_AND_DEAR;
      world.run();
      const shares = world.run();
      expect(world.order()).toBe("b a");
      expect(shares["a"]).toBeLessThan(2 * SETTINGS.routing.exploreShare);
      for (let runs = 2; runs < sickRuns; runs += 1) world.run();
      expect(world.order()).toBe("b a");

      world.behaviours["a"] = QUICK;
      world.run();
      world.run();
      expect(world.order()).toBe("a b");
      for (let runs = 0; runs < 2; runs += 1) world.run();
      expect(world.run()["a"]).toBeGreaterThan(0.9);
    }
    expect(world.history.map(({ kind }) => kind)).toEqual(["change", "change", "change", "change"]);
  });

  it.each(SEEDS)("keeps its order for a day where nothing changes, however it is called (seed %i)", (seed) => {
    const world = createWorld({ a: QUICK, b: { ...QUICK, tokensPerSecond: 97 }, c: { ...QUICK, outputTokens: 410 } }, { seed, callsPerRun: 200 });
    for (let runs = 0; runs < 96; runs += 1) world.run();
    expect(world.history).toEqual([]);
  });
});
