import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Settings } from "../../../src/config/settings.ts";
import { foldEvidence, MAX_KINDS_PER_STEP, readEvidence, type EvidenceState } from "../../../src/optimizer/reoptimization/evidence.ts";
import { MAX_DRIFT } from "../../../src/optimizer/reoptimization/move-thresholds.ts";
import { evidenceSince, isSameConfig, reoptimize, TIERS, type OptimizationDecision, type RoutingConfig } from "../../../src/optimizer/reoptimization/reoptimize.ts";
import type { CallObservation } from "../../../src/router/metrics/model-metrics.ts";
import type { TierName } from "../../../src/workflow/spec/agent.ts";

const RUN_EVERY_MS = 900_000;
const { routing } = Settings.parse({});

/** How a model of the test's world behaves. Time and cost scatter around their means. */
interface Behaviour {
  latencyMs: number;
  costNanoUsd: number;
  success?: number;
  /** Share of good answers; null: nobody checks. */
  quality?: number | null;
}

const GOOD: Behaviour = { latencyMs: 1_000, costNanoUsd: 1_000_000 };

/** Models in tiers, calls that are spread over them by their order, and a re-optimizer that comes by every quarter of an hour. */
function createWorld(tiers: RoutingConfig["tiers"], behaviours: Record<string, Behaviour>, options: { seed?: number; callsPerRun?: number; settings?: Partial<typeof routing> } = {}) {
  const settings = { ...routing, ...options.settings };
  const random = createRandom(options.seed ?? 1);
  const world = {
    now: Date.UTC(2026, 10, 1),
    config: { tiers, thresholds: { weakMaxScore: 3, baseMaxScore: 7 } } as RoutingConfig,
    history: [] as OptimizationDecision[],
    behaviours,
    evidence: {} as EvidenceState,
    run: (): OptimizationDecision => {
      const calls = options.callsPerRun ?? 600;
      const times = Array.from({ length: calls }, (_, call) => world.now + Math.floor((call / calls) * RUN_EVERY_MS));
      const seen = times.flatMap((at) => TIERS.flatMap((tier) => (tiers[tier].length > 0 ? [observe(tier, at)] : [])));
      world.now += RUN_EVERY_MS;
      world.evidence = foldEvidence(world.evidence, seen, world.now, settings.reoptimizeWindowMs);
      const since = evidenceSince(world.config, world.history, settings, world.now);
      const decision = reoptimize({ config: world.config, history: world.history, evidence: readEvidence(world.evidence, { since, now: world.now, windowMs: settings.reoptimizeWindowMs }), settings, now: world.now });
      if (decision.kind !== "none") world.history = [decision, ...world.history];
      world.config = decision.after;
      return decision;
    },
  };
  const observe = (tier: TierName, at: number): CallObservation => {
    const order = world.config.tiers[tier];
    // The first has half of the calls, each further one half of the rest.
    let place = 0;
    while (place < order.length - 1 && random() < 0.5) place += 1;
    const model = order[place]!;
    const { latencyMs, costNanoUsd, success = 1, quality = null } = world.behaviours[model]!;
    const scatter = () => 0.5 + random();
    return {
      at, tenant: "default", model, provider: "p", tier, taskType: random() < 0.5 ? "general" : "formatting", isSuccess: random() < success, isHealthFailure: false, retryAfterMs: null,
      latencyMs: latencyMs * scatter(), timeToFirstTokenMs: null, inputTokens: 1, outputTokens: 1, costNanoUsd: Math.round(costNanoUsd * scatter()), baselineNanoUsd: 0,
      quality: quality === null ? null : random() < quality ? 1 : 0,
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

const ONE_TIER = (models: string[]): RoutingConfig["tiers"] => ({ weak: [], base: models, strong: [] });

describe("reoptimize", () => {
  it("moves a model that turned slow and dear back within two runs, and forward again within two of its recovery, however long it was sick", () => {
    const world = createWorld(ONE_TIER(["a", "b", "c"]), { a: { latencyMs: 800, costNanoUsd: 700_000 }, b: GOOD, c: { latencyMs: 2_000, costNanoUsd: 3_000_000 } });
    for (let runs = 0; runs < 8; runs += 1) world.run();
    expect(world.config.tiers.base).toEqual(["a", "b", "c"]);

    world.behaviours["a"] = { latencyMs: 9_000, costNanoUsd: 9_000_000, success: 0.9 };
    const decisions = [world.run(), world.run()];
    expect(world.config.tiers.base).toEqual(["b", "c", "a"]);
    expect(decisions.flatMap(({ reasons }) => reasons).join()).toContain("Tier base: b moves from place 2 to 1");

    for (let runs = 0; runs < 8; runs += 1) world.run();
    world.behaviours["a"] = { latencyMs: 800, costNanoUsd: 700_000 };
    world.run();
    world.run();
    expect(world.config.tiers.base).toEqual(["a", "b", "c"]);
  });

  it("undoes by itself a change that made answers worse, and does not make it again within a day", () => {
    // Cheap and quick, but what it gives is wanted less and less once it stands first.
    const world = createWorld(ONE_TIER(["solid", "tempting"]), { solid: { ...GOOD, quality: 0.95 }, tempting: { latencyMs: 200, costNanoUsd: 10_000, quality: 0.95 } });
    expect(world.run().after.tiers.base).toEqual(["tempting", "solid"]);
    world.behaviours["tempting"] = { latencyMs: 200, costNanoUsd: 10_000, quality: 0.5 };
    const decision = world.run();
    expect(decision).toMatchObject({ kind: "rollback", after: { tiers: { base: ["solid", "tempting"] } } });
    expect(decision.reasons[0]).toContain("the quality of checked answers fell");
    for (let runs = 0; runs < 90; runs += 1) world.run();
    expect(world.config.tiers.base).toEqual(["solid", "tempting"]);
    expect(world.history).toHaveLength(2);
  });

  it("undoes a change after which fewer calls are answered", () => {
    const world = createWorld(ONE_TIER(["solid", "tempting"]), { solid: GOOD, tempting: { latencyMs: 200, costNanoUsd: 10_000 } });
    world.run();
    world.behaviours["tempting"] = { latencyMs: 200, costNanoUsd: 10_000, success: 0.6 };
    expect(world.run()).toMatchObject({ kind: "rollback", reasons: [expect.stringContaining("the share of calls that were answered fell")] });
  });

  it("leaves a change alone that somebody else has changed since, and counts from what holds now", () => {
    const world = createWorld(ONE_TIER(["a", "b"]), { a: { ...GOOD, quality: 0.9 }, b: { latencyMs: 100, costNanoUsd: 1, quality: 0.9 } });
    expect(world.run().kind).toBe("change");
    world.config = { tiers: ONE_TIER(["b", "a"]), thresholds: { weakMaxScore: 4, baseMaxScore: 8 } };
    world.behaviours["b"] = { latencyMs: 100, costNanoUsd: 1, quality: 0.2 };
    expect(world.run()).toMatchObject({ kind: expect.not.stringMatching("rollback"), anchor: { weakMaxScore: 4, baseMaxScore: 8 } });
  });

  it("judges nobody by few calls", () => {
    const world = createWorld(ONE_TIER(["a", "b"]), { a: { latencyMs: 50_000, costNanoUsd: 1e9 }, b: GOOD }, { callsPerRun: 40, settings: { reoptimizeMinSamples: 100 } });
    expect(world.run()).toMatchObject({ kind: "none", reasons: [expect.stringContaining("Only 40 calls")] });
  });

  it("does not blame a model for the harder tasks that it was given", () => {
    const observe = (model: string, taskType: string, latencyMs: number, index: number): CallObservation => ({
      at: 1_000 + index, tenant: "t", model, provider: "p", tier: "base", taskType, isSuccess: true, isHealthFailure: false, retryAfterMs: null, latencyMs: latencyMs + (index % 7),
      timeToFirstTokenMs: null, inputTokens: 1, outputTokens: 1, costNanoUsd: 1_000 * latencyMs, baselineNanoUsd: 0, quality: null,
    });
    // The first is the quicker one at both kinds, and yet the slower one on average.
    const calls = Array.from({ length: 100 }, (_, index) => [observe("first", "hard", 9_000, index), ...(index < 10 ? [observe("first", "easy", 900, index), observe("second", "hard", 10_000, index)] : []), observe("second", "easy", 1_000, index)]).flat();
    const config: RoutingConfig = { tiers: ONE_TIER(["first", "second"]), thresholds: { weakMaxScore: 3, baseMaxScore: 7 } };
    expect(reoptimize({ config, history: [], evidence: readEvidence(foldEvidence({}, calls, 2_000, 3_600_000), { since: 0, now: 2_000, windowMs: 3_600_000 }), settings: routing, now: 2_000 }).kind).toBe("none");
  });

  it("never flaps between equals under noise, over fifty runs", () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const world = createWorld(ONE_TIER(["a", "b", "c"]), { a: GOOD, b: GOOD, c: { ...GOOD, latencyMs: 1_030 } }, { seed, callsPerRun: 150 });
      for (let runs = 0; runs < 50; runs += 1) world.run();
      expect(world.history).toEqual([]);
    }
  });

  it("changes boundedly: the same models, none moved further than allowed, thresholds a step at a time and near the operator's", () => {
    const behaviour = fc.record({ latencyMs: fc.integer({ min: 1, max: 60_000 }), costNanoUsd: fc.integer({ min: 0, max: 1_000_000_000 }), success: fc.double({ min: 0, max: 1, noNaN: true }), quality: fc.option(fc.double({ min: 0, max: 1, noNaN: true })) });
    const names = ["a", "b", "c", "d", "e"];
    fc.assert(fc.property(fc.array(fc.array(behaviour, { minLength: 15, maxLength: 15 }), { minLength: 6, maxLength: 6 }), fc.integer({ min: 1, max: 3 }), (phases, maxMoves) => {
      const tiers = { weak: names.map((name) => `weak-${name}`), base: names.map((name) => `base-${name}`), strong: names.map((name) => `strong-${name}`) };
      const world = createWorld(tiers, {}, { callsPerRun: 60, settings: { reoptimizeMaxMoves: maxMoves, reoptimizeMinSamples: 3 } });
      for (const behaviours of phases) {
        TIERS.forEach((tier, index) => tiers[tier].forEach((model, place) => (world.behaviours[model] = behaviours[index * 5 + place]!)));
        const { kind, before, after, anchor } = world.run();
        for (const tier of TIERS) {
          expect(after.tiers[tier].toSorted()).toEqual(tiers[tier].toSorted());
          if (kind === "change") after.tiers[tier].forEach((model, place) => expect(Math.abs(place - before.tiers[tier].indexOf(model))).toBeLessThanOrEqual(maxMoves));
        }
        expect(anchor).toEqual({ weakMaxScore: 3, baseMaxScore: 7 });
        for (const name of ["weakMaxScore", "baseMaxScore"] as const) {
          if (kind === "change") expect(Math.abs(after.thresholds[name] - before.thresholds[name])).toBeLessThanOrEqual(routing.reoptimizeMaxThresholdStep);
          expect(Math.abs(after.thresholds[name] - anchor[name])).toBeLessThanOrEqual(MAX_DRIFT);
        }
        expect(after.thresholds.weakMaxScore).toBeLessThanOrEqual(after.thresholds.baseMaxScore);
        expect(isSameConfig(before, after)).toBe(kind === "none");
      }
    }), { numRuns: 25 });
  });

  describe("thresholds", () => {
    const TWO_TIERS = { weak: ["w"], base: ["b"], strong: [] };
    const thresholdsAfter = (behaviours: Record<string, Behaviour>, runs: number) => {
      const world = createWorld(TWO_TIERS, behaviours);
      for (let run = 0; run < runs; run += 1) world.run();
      return world.config.thresholds.weakMaxScore;
    };

    it("send less to a tier whose answers miss more often, as far as they may go", () => {
      expect(thresholdsAfter({ w: { ...GOOD, quality: 0.6 }, b: { ...GOOD, quality: 0.95 } }, 1)).toBe(2);
      expect(thresholdsAfter({ w: { ...GOOD, quality: 0.6 }, b: { ...GOOD, quality: 0.95 } }, 9)).toBe(3 - MAX_DRIFT);
    });

    it("send more to a tier that is as good and cheaper", () => {
      expect(thresholdsAfter({ w: { latencyMs: 1_000, costNanoUsd: 100_000, quality: 0.95 }, b: { ...GOOD, quality: 0.95 } }, 1)).toBe(4);
      expect(thresholdsAfter({ w: { latencyMs: 1_000, costNanoUsd: 100_000, quality: 0.95 }, b: { ...GOOD, quality: 0.95 } }, 9)).toBe(3 + MAX_DRIFT);
    });

    it("stay where nobody checked the answers, where the cheaper tier is not cheaper, and where they may not move", () => {
      expect(thresholdsAfter({ w: { latencyMs: 1_000, costNanoUsd: 100_000 }, b: GOOD }, 5)).toBe(3);
      expect(thresholdsAfter({ w: { ...GOOD, quality: 0.95 }, b: { ...GOOD, quality: 0.95 } }, 5)).toBe(3);
      const world = createWorld(TWO_TIERS, { w: { ...GOOD, quality: 0.1 }, b: { ...GOOD, quality: 0.9 } }, { settings: { reoptimizeMaxThresholdStep: 0 } });
      expect(world.run().kind).toBe("none");
    });
  });
});

describe("evidence", () => {
  const read = (state: EvidenceState, since = 0) => readEvidence(state, { since, now: 1_000_000, windowMs: 600_000 });
  const call = (changes: Partial<CallObservation>): CallObservation => ({
    at: 1_000_000, tenant: "t", model: "m", provider: "p", tier: "weak", taskType: null, isSuccess: true, isHealthFailure: false, retryAfterMs: null, latencyMs: 3, timeToFirstTokenMs: null,
    inputTokens: 1, outputTokens: 1, costNanoUsd: 2, baselineNanoUsd: 0, quality: null, ...changes,
  });

  it("adds up by task type, tier and model, and forgets what is older than the window", () => {
    const first = foldEvidence({}, [call({}), call({ quality: 0.5, isSuccess: false }), call({ tier: "base" }), call({ taskType: "general" })], 1_000_000, 600_000);
    expect(read(first)).toEqual([
      { taskType: "", tier: "weak", model: "m", part: 0, calls: 2, successes: 1, checks: 1, quality: 0.5, latencyMs: 6, latencySquares: 18, costNanoUsd: 4, costSquares: 8 },
      expect.objectContaining({ taskType: "", tier: "base", calls: 1 }),
      expect.objectContaining({ taskType: "general", tier: "weak", calls: 1 }),
    ]);
    expect(read(first, 1_000_001)).toEqual([]);
    expect(read(foldEvidence(first, [], 1_700_000, 600_000))).toEqual([]);
    expect(read(foldEvidence({}, [call({ at: 300_000 }), call({ at: 9_000_000 })], 1_000_000, 600_000))).toHaveLength(1);
  });

  it("is told apart by parts of the window, the newest first", () => {
    const state = foldEvidence({}, [call({ at: 995_000 }), call({ at: 860_000 }), call({ at: 840_000 }), call({ at: 420_000 })], 1_000_000, 600_000);
    expect(read(state).map(({ part, calls }) => [part, calls])).toEqual([[0, 2], [1, 1], [3, 1]]);
  });

  it("leaves out calls that prove nothing of the model: no client can make one look bad by wrong requests or by leaving", () => {
    expect(read(foldEvidence({}, [call({}), call({ isSuccess: false, isInconclusive: true })], 1_000_000, 600_000))).toMatchObject([{ calls: 1, successes: 1 }]);
  });

  it("is bounded in steps and in kinds", () => {
    let state: EvidenceState = {};
    for (let at = 0; at < 3_000_000; at += 5_000) state = foldEvidence(state, [call({ at })], at, 600_000);
    expect(Object.keys(state).length).toBeLessThanOrEqual(61);
    const many = Array.from({ length: MAX_KINDS_PER_STEP + 5 }, (_, index) => call({ model: `m${index}` }));
    expect(read(foldEvidence({}, many, 1_000_000, 600_000))).toHaveLength(MAX_KINDS_PER_STEP);
  });
});
