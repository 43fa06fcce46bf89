import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { Strategy } from "../../src/config/routing-settings.ts";
import { Settings } from "../../src/config/settings.ts";
import type { ModelEntry, ProviderEntry } from "../../src/config/tiers.ts";
import type { TierModel } from "../../src/router/find-model.ts";
import type { MetricsSnapshot, ModelMetrics } from "../../src/router/metrics/model-metrics.ts";
import { expectCostNanoUsd } from "../../src/optimizer/price.ts";
import { expectDurationMs, rankModels, type CallNeeds, type RankContext } from "../../src/router/rank.ts";

const NOW = 1_000_000;
const { routing: SETTINGS } = Settings.parse({});
const NEEDS: CallNeeds = { capabilities: [], inputTokens: 1_000, maxOutputTokens: 1_000, expectedOutputTokens: 500, budgetLeftNanoUsd: null };

function member(id: string, changes: Partial<ModelEntry> = {}, provider: Partial<ProviderEntry> = {}): TierModel {
  const model: ModelEntry = { id, provider: "p", tier: "base", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 2 }, contextWindow: 100_000, maxOutputTokens: 4_000, capabilities: ["tools", "json", "streaming"], quality: 7, ...changes };
  return { model, provider: { id: model.provider, kind: "openai-compatible", baseUrl: "https://p.example", secretName: "KEY", ...provider }, tier: "base" };
}

function measured(changes: Partial<ModelMetrics> = {}): ModelMetrics {
  return { calls: 100, successRate: 1, latencyMs: { p50: 3_000, p99: 9_000 }, timeToFirstTokenMs: { p50: 500 }, tokensPerSecond: 100, costPer1kTokensUsd: null, quality: null, circuit: { state: "closed", openUntil: null }, updatedAt: NOW, ...changes };
}

function rank(members: TierModel[], strategy: Strategy, changes: { needs?: Partial<CallNeeds>; metrics?: MetricsSnapshot["models"]; settings?: Partial<RankContext["settings"]>; isConfigured?: RankContext["isConfigured"] } = {}) {
  const context: RankContext = { metrics: { at: NOW, models: changes.metrics ?? {} }, settings: { ...SETTINGS, preferFreeTier: false, ...changes.settings }, priorCalls: 20, isConfigured: changes.isConfigured ?? (() => true), now: NOW };
  return rankModels(members, { ...NEEDS, ...changes.needs }, strategy, context);
}

function order(...args: Parameters<typeof rank>): string {
  return rank(...args).eligible.map(({ model }) => model.id).join(" ");
}

describe("what is expected of a call", () => {
  test("its cost is that of this call's tokens, not the price of a token", () => {
    const reader = member("reader", { price: { inputPerMillionUsd: 1, outputPerMillionUsd: 20 } });
    const writer = member("writer", { price: { inputPerMillionUsd: 3, outputPerMillionUsd: 4 } });
    expect(expectCostNanoUsd(1_000, 500, reader.model.price)).toBe(1_000 * 1_000 + 500 * 20_000);
    expect(order([reader, writer], "cheapest", { needs: { inputTokens: 50_000, expectedOutputTokens: 100 } })).toBe("reader writer");
    expect(order([reader, writer], "cheapest", { needs: { inputTokens: 100, expectedOutputTokens: 1_000 } })).toBe("writer reader");
  });

  test.each<[string, ModelMetrics | undefined, number]>([
    ["the first token, then the tokens at the measured speed", measured(), 500 + 5_000],
    ["assumed where nothing was measured", undefined, SETTINGS.assumedFirstTokenMs + 500_000 / SETTINGS.assumedTokensPerSecond],
    ["the latency alone of an engine that answers in one piece", measured({ timeToFirstTokenMs: null, tokensPerSecond: null }), 3_000],
    ["with the assumed first token where only the speed is known", measured({ timeToFirstTokenMs: null }), SETTINGS.assumedFirstTokenMs + 5_000],
    ["finite at no speed at all", measured({ tokensPerSecond: 0 }), 500 + 5_000_000],
  ])("its duration is %s", (_, metrics, expected) => {
    expect(expectDurationMs(metrics, 500, SETTINGS)).toBeCloseTo(expected);
  });

  test("its quality is what the entry states, times the share of answers that passed their checks, once there are enough of them", () => {
    const { eligible } = rank([member("a", { quality: 8 }), member("b", { quality: undefined })], "quality", { metrics: { a: measured({ quality: 0.5, calls: 60 }) } });
    expect(Object.fromEntries(eligible.map(({ model, quality }) => [model.id, quality]))).toEqual({ a: 8 * ((20 + 0.5 * 60) / 80), b: SETTINGS.assumedQuality });
  });
});

describe("the strategies", () => {
  const cheap = member("cheap", { price: { inputPerMillionUsd: 0.1, outputPerMillionUsd: 0.2 }, quality: 4 });
  const quick = member("quick", { price: { inputPerMillionUsd: 5, outputPerMillionUsd: 9 }, quality: 5 });
  const good = member("good", { price: { inputPerMillionUsd: 9, outputPerMillionUsd: 20 }, quality: 9 });
  const metrics = { cheap: measured({ tokensPerSecond: 30 }), quick: measured({ tokensPerSecond: 300 }), good: measured({ tokensPerSecond: 50 }) };

  test.each<[Strategy, string]>([
    ["cheapest", "cheap quick good"],
    ["fastest", "quick good cheap"],
    ["quality", "good quick cheap"],
  ])("%s orders %s", (strategy, expected) => {
    expect(order([good, quick, cheap], strategy, { metrics })).toBe(expected);
  });

  test("balanced is half cost, three tenths latency and a fifth quality, each normalised over the candidates", () => {
    const { eligible } = rank([cheap, quick, good], "balanced", { metrics });
    const scores = Object.fromEntries(eligible.map(({ model, score }) => [model.id, score]));
    // The cheapest of all, and the slowest and the least good: all of the cost's weight and nothing else.
    expect(scores["cheap"]).toBeCloseTo(0.5);
    const cost = (nano: number) => (nano - 200_000) / (19_000_000 - 200_000);
    const ms = (tokensPerSecond: number) => 500 + 500_000 / tokensPerSecond;
    const latency = (value: number) => (value - ms(300)) / (ms(30) - ms(300));
    expect(scores["quick"]).toBeCloseTo(1 - (0.5 * cost(5_000_000 + 4_500_000) + 0.2 * (4 / 5)));
    expect(scores["good"]).toBeCloseTo(1 - (0.5 + 0.3 * latency(ms(50))));
  });

  test("its weights are the settings'", () => {
    expect(order([cheap, quick, good], "balanced", { metrics, settings: { costWeight: 0, latencyWeight: 0, qualityWeight: 0.2 } })).toBe(order([cheap, quick, good], "quality", { metrics }));
    expect(order([cheap, quick, good], "balanced", { metrics, settings: { costWeight: 0, latencyWeight: 1, qualityWeight: 0 } })).toBe(order([cheap, quick, good], "fastest", { metrics }));
  });

  test("with preferFreeTier balanced takes what costs nothing first; who asks for speed or quality gets them", () => {
    const free = member("free", { price: { inputPerMillionUsd: 0, outputPerMillionUsd: 0 }, quality: 1 });
    const slow = { ...metrics, free: measured({ tokensPerSecond: 1 }) };
    const prefer = { metrics: slow, settings: { preferFreeTier: true, costWeight: 0 } };
    expect(order([good, free], "balanced", prefer)).toBe("free good");
    expect(order([good, free], "balanced", { ...prefer, settings: { preferFreeTier: false, costWeight: 0 } })).toBe("good free");
    expect(order([good, free], "quality", prefer)).toBe("good free");
    expect(order([good, free], "fastest", prefer)).toBe("good free");
  });

  test("ties go by the tier's order", () => {
    for (const strategy of Strategy.options) expect(order([member("b"), member("a"), member("c")], strategy)).toBe("b a c");
  });
});

describe("a model is left out", () => {
  const offline = member("offline", {}, { kind: "offline", secretName: undefined });

  test.each<[string, TierModel, Parameters<typeof rank>[2], string, RegExp]>([
    ["without its secret", member("x"), { isConfigured: () => false }, "unconfigured", /set KEY for x/],
    ["without a capability", member("x"), { needs: { capabilities: ["json", "vision"] } }, "capability", /no vision/],
    ["when context and cap are more than its window", member("x"), { needs: { inputTokens: 99_001 } }, "context", /100000 tokens, too small for 100001/],
    ["when the worst case is more than the money left", member("x"), { needs: { budgetLeftNanoUsd: 2_999_999 } }, "budget", /may cost \$0.00300 and \$0.00300 is left|may cost/],
    ["while its circuit is open", member("x"), { metrics: { x: measured({ circuit: { state: "open", openUntil: NOW + 2_500 } }) } }, "circuit", /another 3 s/],
  ])("%s", (_, model, changes, excludedBy, reason) => {
    const { eligible, excluded } = rank([model], "balanced", changes);
    expect(eligible).toEqual([]);
    expect(excluded[0]).toMatchObject({ excludedBy, score: null, reason: expect.stringMatching(reason) });
  });

  test.each<[string, Parameters<typeof rank>[2]]>([
    ["a window that is just large enough", { needs: { inputTokens: 99_000 } }],
    ["money that is just enough", { needs: { budgetLeftNanoUsd: 3_000_000 } }],
    ["a circuit whose cooldown is over", { metrics: { x: measured({ circuit: { state: "open", openUntil: NOW } }) } }],
  ])("but not at the limit: %s", (_, changes) => {
    expect(order([member("x")], "balanced", changes)).toBe("x");
  });

  test("when others can write as much as is asked for and it cannot; a cap that none reaches is cut to the longest", () => {
    const short = member("short", { maxOutputTokens: 500 });
    expect(order([short, member("long")], "quality", { needs: { maxOutputTokens: 4_000 } })).toBe("long");
    expect(order([short, member("long")], "quality", { needs: { maxOutputTokens: 9_000 } })).toBe("long");
    expect(order([short], "quality", { needs: { maxOutputTokens: 9_000 } })).toBe("short");
    expect(order([short, member("long")], "quality", { needs: { maxOutputTokens: 9_000 }, isConfigured: () => true })).toBe("long");
  });

  test("when it is the embedded engine and another model is configured, be it resting", () => {
    const metrics = { x: measured({ circuit: { state: "open", openUntil: NOW + 1 } }) };
    expect(rank([offline, member("x")], "cheapest", { metrics }).excluded.map(({ excludedBy }) => excludedBy)).toEqual(["embedded", "circuit"]);
    expect(order([offline, member("x")], "cheapest", { isConfigured: (id) => id === "offline" || id === "p" })).toBe("x");
    expect(order([offline, member("x", { provider: "q" })], "cheapest", { isConfigured: (id) => id === "p" })).toBe("offline");
  });

  test("a half-open model is a candidate that must be probed", () => {
    expect(rank([member("x")], "balanced", { metrics: { x: measured({ circuit: { state: "half-open", openUntil: NOW - 1 } }) } }).eligible[0]).toMatchObject({ needsProbe: true });
    expect(rank([member("x")], "balanced", { metrics: { x: measured() } }).eligible[0]).toMatchObject({ needsProbe: false });
  });
});

describe("for any tier", () => {
  const price = fc.record({ inputPerMillionUsd: fc.integer({ min: 0, max: 20 }), outputPerMillionUsd: fc.integer({ min: 0, max: 80 }) });
  const entry = fc.record({ price, contextWindow: fc.constantFrom(1_500, 8_000, 100_000), maxOutputTokens: fc.constantFrom(500, 4_000), quality: fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined }) });
  const metric = fc.option(
    fc.record({ speed: fc.integer({ min: 1, max: 300 }), first: fc.integer({ min: 0, max: 5_000 }), quality: fc.double({ min: 0, max: 1, noNaN: true }), isOpen: fc.boolean() }),
    { nil: null },
  );
  const tier = fc.array(fc.tuple(entry, metric), { minLength: 1, maxLength: 12 });

  const build = (entries: [Partial<ModelEntry>, { speed: number; first: number; quality: number; isOpen: boolean } | null][]) => {
    const members = entries.map(([changes], index) => member(`m${index}`, changes));
    const metrics = Object.fromEntries(
      entries.flatMap(([, each], index) =>
        each === null ? [] : [[`m${index}`, measured({ tokensPerSecond: each.speed, timeToFirstTokenMs: { p50: each.first }, quality: each.quality, circuit: { state: each.isOpen ? "open" : "closed", openUntil: each.isOpen ? NOW + 1 : null } })]],
      ),
    );
    return { members, metrics };
  };

  test("every model is ranked or left out, once, with a reason; scores are 0–1 and fall", () => {
    fc.assert(
      fc.property(tier, fc.constantFrom(...Strategy.options), (entries, strategy) => {
        const { members, metrics } = build(entries);
        const { eligible, excluded } = rank(members, strategy, { metrics });
        expect([...eligible, ...excluded].map(({ model }) => model.id).sort()).toEqual(members.map(({ model }) => model.id).sort());
        for (const model of [...eligible, ...excluded]) expect(model.reason).not.toBe("");
        eligible.forEach(({ score }, index) => {
          expect(score).toBeGreaterThanOrEqual(-1e-9);
          expect(score).toBeLessThanOrEqual(1);
          if (index > 0) expect(score).toBeLessThanOrEqual(eligible[index - 1]!.score!);
        });
        for (const { model } of eligible) {
          expect(model.contextWindow).toBeGreaterThanOrEqual(NEEDS.inputTokens + 500);
          expect(metrics[model.id]?.circuit.state ?? "closed").toBe("closed");
        }
      }),
    );
  });

  test("the order does not depend on the order of the list, but for ties, which go by it", () => {
    fc.assert(
      fc.property(tier, fc.constantFrom(...Strategy.options), fc.infiniteStream(fc.nat()), (entries, strategy, randoms) => {
        const { members, metrics } = build(entries);
        const shuffled = members.map((each) => ({ each, at: randoms.next().value as number })).sort((left, right) => left.at - right.at).map(({ each }) => each);
        const scores = (list: TierModel[]) => rank(list, strategy, { metrics }).eligible.map(({ score }) => score);
        expect(scores(shuffled)).toEqual(scores(members));
        const ranked = rank(shuffled, strategy, { metrics }).eligible;
        for (let index = 1; index < ranked.length; index += 1) {
          const [before, after] = [ranked[index - 1]!, ranked[index]!];
          const place = (id: string) => shuffled.findIndex(({ model }) => model.id === id);
          if (before.score === after.score) expect(place(before.model.id)).toBeLessThan(place(after.model.id));
        }
      }),
    );
  });
});
