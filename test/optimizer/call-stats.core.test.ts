import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CallRecord } from "../../src/consumer/work-order.ts";
import { addSums, createSums, listCells, mergeCells, STATS_HOUR_MS, subtractSums, type AnsweredRoute, type CallSums } from "../../src/optimizer/call-stats.ts";
import { MIN_ANSWERS, recommendTiers } from "../../src/optimizer/recommend.ts";

const NOON = Date.UTC(2026, 10, 1, 12);

function callOf(changes: Partial<CallRecord> = {}): CallRecord {
  return { at: NOON, provider: "p", model: "m", inputTokens: 100, outputTokens: 10, cachedTokens: 5, costNanoUsd: 7, baselineNanoUsd: 70, estimated: false, ...changes };
}

type CalledRoute = AnsweredRoute & { calls: CallRecord[] };

function routeOf(changes: Partial<CalledRoute> = {}): CalledRoute {
  return { at: NOON, tier: "weak", taskType: "general", calls: [callOf()], failureCode: null, fallbacks: 0, escalatedFrom: [], contextTokensSaved: 0, ...changes };
}

function total(cells: readonly { sums: CallSums }[]): CallSums {
  const sums = createSums();
  for (const cell of cells) addSums(sums, cell.sums);
  return sums;
}

describe("listCells", () => {
  it("counts each call in the hour in which it ended, and the route in its own", () => {
    const cells = listCells(routeOf({ at: NOON + STATS_HOUR_MS, calls: [callOf({ at: NOON + STATS_HOUR_MS - 1 }), callOf({ at: NOON + STATS_HOUR_MS })] }));
    expect(cells.map(({ hour, sums }) => [hour, sums.calls, sums.routes])).toEqual([[NOON, 1, 0], [NOON + STATS_HOUR_MS, 1, 1]]);
  });

  it("counts an escalation at the tier that missed, and the money where the route ended", () => {
    const cells = listCells(routeOf({ tier: "strong", escalatedFrom: ["weak", "base"], calls: [callOf(), callOf(), callOf()] }));
    expect(Object.fromEntries(cells.map(({ tier, sums }) => [tier, [sums.routes, sums.escalations, sums.costNanoUsd]]))).toEqual({ strong: [1, 0, 21], weak: [0, 1, 0], base: [0, 1, 0] });
  });

  it("counts what no router chose as calls, but not as a route", () => {
    expect(total(listCells(routeOf({ tier: null, taskType: null })))).toMatchObject({ routes: 0, calls: 1, costNanoUsd: 7 });
  });

  it("tells an answer that missed from one that never came", () => {
    expect(total(listCells(routeOf({ failureCode: "output_invalid" })))).toMatchObject({ failures: 1, misses: 1 });
    expect(total(listCells(routeOf({ failureCode: "timeout", calls: [] })))).toMatchObject({ routes: 1, failures: 1, misses: 0, calls: 0 });
  });

  it("adds up to the ledger to the nano-dollar, merged or not", () => {
    const calls = fc.array(fc.record({ at: fc.nat({ max: 4 * STATS_HOUR_MS }), costNanoUsd: fc.nat(), baselineNanoUsd: fc.nat(), inputTokens: fc.nat(), outputTokens: fc.nat() }), { maxLength: 4 });
    const routes = fc.array(fc.record({ calls, tier: fc.constantFrom("weak", "strong", null) }), { maxLength: 10 });
    fc.assert(fc.property(routes, (list) => {
      const cells = mergeCells(list.flatMap(({ calls: made, tier }) => listCells(routeOf({ tier, calls: made.map((call) => callOf(call)) }))));
      const ledger = list.flatMap((route) => route.calls);
      for (const name of ["costNanoUsd", "baselineNanoUsd", "inputTokens", "outputTokens"] as const) {
        expect(total(cells)[name]).toBe(ledger.reduce((sum, call) => sum + call[name], 0));
      }
      expect(subtractSums(total(cells), total(cells))).toEqual(createSums());
    }));
  });
});

describe("recommendTiers", () => {
  const cellOf = (tier: string, taskType: string, sums: Partial<CallSums>) => ({ tier, taskType, sums: { ...createSums(), ...sums } });

  it("sends the types whose answers often miss one tier up, the worst first", () => {
    const found = recommendTiers([cellOf("weak", "debugging", { routes: 15, escalations: 5 }), cellOf("base", "planning", { routes: 40, failures: 30, misses: 20, escalations: 10 })]);
    expect(found.map(({ taskType, tier, recommendedTier, answers, missRate }) => [taskType, tier, recommendedTier, answers, missRate])).toEqual([
      ["planning", "base", "strong", 40, 0.75],
      ["debugging", "weak", "base", 20, 0.25],
    ]);
  });

  it.each([
    ["few answers", cellOf("weak", "general", { routes: MIN_ANSWERS - 6, escalations: 5 })],
    ["few misses", cellOf("weak", "general", { routes: 100, escalations: 10 })],
    ["models that were down", cellOf("weak", "general", { routes: 100, failures: 90 })],
    ["the strong tier", cellOf("strong", "general", { routes: 100, failures: 90, misses: 90 })],
    ["what was not routed", cellOf("", "", { routes: 0, escalations: 90 })],
  ])("says nothing of %s", (_case, cell) => {
    expect(recommendTiers([cell])).toEqual([]);
  });
});
