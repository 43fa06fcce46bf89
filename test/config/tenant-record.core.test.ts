import { describe, expect, test } from "vitest";
import type { Json } from "../../src/errors.ts";
import { AllowanceInput, MAX_BUDGET_USD, NO_ALLOWANCE, NO_LIMITS, patchAllowance, periodStart, readAllowance, showAllowance, TenantId, type Allowance } from "../../src/config/tenant-record.ts";

describe("a tenant's id", () => {
  test.each(["a", "acme", "acme-eu", "a-b-c", "0", "7-up", "a".repeat(32)])("may be %s", (id) => {
    expect(TenantId.safeParse(id).success).toBe(true);
  });

  test.each(["", "-a", "a-", "a--b", "A", "a_b", "a.b", "a b", "ä", "a:b", "a\n", "a".repeat(33)])("may not be %j", (id) => {
    expect(TenantId.safeParse(id).success).toBe(false);
  });
});

describe("budget and limits", () => {
  test("are kept in nano-dollars and shown as they were sent", () => {
    const sent = { budget: { maxUsd: 0.1, period: "day" as const }, limits: { tasksPerSecond: 0.5 } };
    const stored = readAllowance(AllowanceInput.parse(sent));
    expect(stored).toEqual({ budget: { maxNanoUsd: 100_000_000, period: "day" }, limits: { ...NO_LIMITS, tasksPerSecond: 0.5 } });
    expect(showAllowance(stored)).toEqual({ budget: sent.budget, limits: { ...NO_LIMITS, tasksPerSecond: 0.5 } });
  });

  test("the largest budget is an exact integer of nano-dollars", () => {
    const { budget } = readAllowance({ budget: { maxUsd: MAX_BUDGET_USD, period: "total" } });
    expect(Number.isSafeInteger(budget!.maxNanoUsd)).toBe(true);
  });

  const BOTH: Allowance = { budget: { maxNanoUsd: 5e9, period: "month" }, limits: { tasksPerSecond: 10, concurrentTasks: 4, requestsPerMinute: null } };
  test.each<[string, Json, Allowance]>([
    ["nothing changes nothing", {}, BOTH],
    ["null removes the budget", { budget: null }, { ...BOTH, budget: null }],
    ["null removes all limits", { limits: null }, { ...BOTH, limits: NO_LIMITS }],
    ["null removes one limit", { limits: { tasksPerSecond: null } }, { ...BOTH, limits: { ...BOTH.limits, tasksPerSecond: null } }],
    ["a part of the budget is merged", { budget: { maxUsd: 7 } }, { ...BOTH, budget: { maxNanoUsd: 7e9, period: "month" } }],
    ["a limit is added to the others", { limits: { requestsPerMinute: 60 } }, { ...BOTH, limits: { ...BOTH.limits, requestsPerMinute: 60 } }],
  ])("patched: %s", (_name, patch, expected) => {
    expect(patchAllowance(BOTH, patch)).toEqual(expected);
  });

  test.each<[Json, string[]]>([
    [[], [""]],
    [{ budget: { maxUsd: 5 } }, ["/budget/period"]],
    [{ budget: { maxUsd: -1, period: "week" } }, ["/budget/maxUsd", "/budget/period"]],
    [{ budget: { maxUsd: MAX_BUDGET_USD + 1, period: "day" } }, ["/budget/maxUsd"]],
    [{ budget: 5, limits: "none" }, ["/budget", "/limits"]],
    [{ limits: { concurrentTasks: 0, requestsPerMinute: 1.5, tasksPerSecond: 0 } }, ["/limits/tasksPerSecond", "/limits/concurrentTasks", "/limits/requestsPerMinute"]],
    [{ limits: { tasksPerMinute: 5 }, name: "x" }, ["/limits/tasksPerMinute", "/name"]],
    [JSON.parse(`{"__proto__": {"x": 1}}`) as Json, ["/__proto__"]],
  ])("of nothing patched with %j is refused at %j", (patch, paths) => {
    const patched = patchAllowance(NO_ALLOWANCE, patch);
    expect("faults" in patched ? patched.faults.map(({ path }) => path) : null).toEqual(paths);
  });

  test("periods begin at midnight in UTC, those without a beginning never", () => {
    const now = Date.parse("2026-03-09T23:59:59.999Z");
    expect(periodStart({ maxNanoUsd: 1, period: "day" }, now)).toBe(Date.parse("2026-03-09T00:00:00.000Z"));
    expect(periodStart({ maxNanoUsd: 1, period: "month" }, now)).toBe(Date.parse("2026-03-01T00:00:00.000Z"));
    expect([periodStart({ maxNanoUsd: 1, period: "total" }, now), periodStart(null, now)]).toEqual([null, null]);
  });
});
