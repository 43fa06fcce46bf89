import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeAccuracy, forecast, forecastError, type Progress } from "../../src/optimizer/forecast.ts";

const use = (amount: number) => ({ nanoUsd: amount, tokens: amount });
const progress = (spent: number, doneExpected: number, doneSpent: number, openExpected: number): Progress => ({ spent: use(spent), doneExpected: use(doneExpected), doneSpent: use(doneSpent), openExpected: use(openExpected) });
const foresee = (...numbers: Parameters<typeof progress>): number => forecast(progress(...numbers)).nanoUsd;

describe("the forecast at completion", () => {
  it.each<[string, Parameters<typeof progress>, number]>([
    ["is the plan's before anything ran", [0, 0, 0, 1_000], 1_000],
    ["is the plan's while it proves right", [400, 400, 400, 600], 1_000],
    ["is what was spent once nothing is open", [730, 1_000, 730, 0], 730],
    ["does not count twice what open tasks have spent", [450, 400, 400, 600], 1_000],
    ["is what was spent where open tasks spent more than was expected", [1_400, 400, 400, 600], 1_400],
    ["of a free workflow is nothing", [0, 0, 0, 0], 0],
    ["of tasks that nothing was expected of is what they spent", [50, 0, 50, 0], 50],
  ])("%s", (_name, numbers, expected) => {
    expect(foresee(...numbers)).toBe(expected);
  });

  it("believes what it saw the more, the more it saw: tasks that cost double", () => {
    const after = (done: number) => foresee(2 * done, done, 2 * done, 1_000 - done);
    expect(after(10)).toBeLessThan(1_150);
    expect(after(100)).toBe(200 + 900 * 1.5);
    expect(after(900)).toBeGreaterThan(1_980);
    expect(after(1_000)).toBe(2_000);
  });

  it("is whole and never below what is spent", () => {
    const amount = fc.integer({ min: 0, max: 1e12 });
    fc.assert(
      fc.property(amount, amount, amount, amount, (onOpen, doneExpected, doneSpent, openExpected) => {
        const spent = doneSpent + onOpen;
        const now = foresee(spent, doneExpected, doneSpent, openExpected);
        expect(Number.isInteger(now)).toBe(true);
        expect(now).toBeGreaterThanOrEqual(spent);
      }),
    );
  });
});

describe("the accuracy of forecasts", () => {
  it.each([
    [100, 100, 0],
    [100, 50, 0.5],
    [50, 100, 0.5],
    [0, 100, 1],
    [0, 0, 0],
  ])("%d expected and %d used is an error of %d", (expected, used, error) => {
    expect(forecastError(expected, used)).toBe(error);
  });

  it("is the mean over workflows, and unknown without any", () => {
    expect(describeAccuracy({ workflows: 4, costError: 1, tokensError: 0.5 })).toEqual({ workflows: 4, meanErrorPercent: 25, meanTokensErrorPercent: 12.5 });
    expect(describeAccuracy({ workflows: 0, costError: 0, tokensError: 0 })).toEqual({ workflows: 0, meanErrorPercent: null, meanTokensErrorPercent: null });
  });
});
