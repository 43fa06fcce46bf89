import { describe, expect, test } from "vitest";
import { readSettings, Settings } from "../../src/config/settings.ts";

describe("settings", () => {
  test.each([undefined, "", "{}", '{"dispatch":{}}', '{"retention":{}}'])("%j gives the defaults", (variable) => {
    expect(readSettings(variable)).toEqual(Settings.parse({}));
  });

  test("are merged over the defaults, group by group", () => {
    const { dispatch, retention } = readSettings('{"dispatch":{"llm":"direct","leaseMs":3001},"retention":{"days":7}}');
    expect(dispatch).toEqual({ ...Settings.parse({}).dispatch, llm: "direct", leaseMs: 3_001 });
    expect(retention).toEqual({ days: 7 });
  });

  test("fit together by default: a lease outlives two renewals that fail, and a timeout reported late is still heard", () => {
    const { dispatch } = Settings.parse({});
    expect(dispatch.leaseMs).toBeGreaterThan(2 * dispatch.renewEveryMs);
    expect(dispatch.timeoutGraceMs).toBeGreaterThan(0);
    expect(dispatch.objectMax).toBeLessThanOrEqual(4);
  });

  test.each([
    ["an unknown group", { routes: {} }, "routes"],
    ["an unknown key", { dispatch: { lease: 5 } }, "lease"],
    ["a fraction", { dispatch: { leaseMs: 100.5 } }, "leaseMs"],
    ["too little", { dispatch: { claimLeaseMs: 99 } }, "claimLeaseMs"],
    ["too much", { dispatch: { objectMax: 5 } }, "objectMax"],
    ["a lease that ends before it is renewed", { dispatch: { leaseMs: 2_000 } }, "longer than renewEveryMs"],
    ["a smallest allocation above the largest", { budgets: { minTaskTokens: 501, maxTaskTokens: 500 } }, "minTaskTokens"],
    ["warnings out of order", { budgets: { warningThresholds: [80, 50] } }, "warningThresholds"],
    ["a warning above all of the budget", { budgets: { warningThresholds: [101] } }, "warningThresholds"],
    ["a lease of nothing", { budgets: { leaseChunkUsd: 0 } }, "leaseChunkUsd"],
    ["another word", { dispatch: { llm: "inline" } }, "llm"],
    ["a text", { retention: { days: "30" } }, "days"],
    ["no retention at all", { retention: { days: 0 } }, "days"],
    ["a list", [], "SETTINGS"],
    ["null", null, "SETTINGS"],
  ])("with %s are refused, and the error names it", (_name, settings, word) => {
    const read = () => readSettings(JSON.stringify(settings));
    expect(read).toThrow(/^the variable SETTINGS is invalid/);
    expect(read).toThrow(word);
  });

  test("that are no JSON are refused by the variable's name", () => {
    expect(() => readSettings("{dispatch}")).toThrow(/^the variable SETTINGS is invalid: it is no JSON/);
  });
});
