import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitBudget, type QualityOption } from "../../../src/optimizer/planning/fit-budget.ts";

const option = (costNanoUsd: number, quality: number): QualityOption => ({ costNanoUsd, quality });
const costOf = (options: readonly (readonly QualityOption[])[], choice: readonly number[]): number => choice.reduce((sum, at, task) => sum + options[task]![at]!.costNanoUsd, 0);

describe("fitting a budget", () => {
  it.each<[string, QualityOption[][], number[], number, number[]]>([
    ["changes nothing that fits", [[option(10, 9), option(1, 2)]], [0], 10, [0]],
    ["takes the cheaper option where it does not", [[option(10, 9), option(1, 2)]], [0], 9, [1]],
    ["takes what saves most for the quality it costs", [[option(10, 9), option(5, 8)], [option(10, 9), option(4, 4)]], [0, 0], 16, [1, 0]],
    ["goes on to the next where that is not enough", [[option(10, 9), option(5, 8)], [option(10, 9), option(4, 4)]], [0, 0], 10, [1, 1]],
    ["goes down step by step", [[option(10, 9), option(6, 8), option(1, 5)]], [0], 6, [1]],
    ["passes over an option that is worth little", [[option(10, 9), option(9, 5), option(2, 4)]], [0], 9, [2]],
    ["takes what is cheaper and no worse before all else", [[option(10, 5), option(9, 7)], [option(10, 9), option(1, 8)]], [0, 0], 19, [1, 0]],
    ["leaves a task with one option alone", [[option(10, 9)], [option(10, 9), option(1, 1)]], [0, 0], 5, [0, 1]],
    ["takes the cheapest of all where nothing fits", [[option(10, 9), option(5, 8), option(2, 1)], [option(10, 9)]], [0, 0], 3, [2, 0]],
    ["never takes what is dearer", [[option(10, 5), option(20, 9)]], [0], 3, [0]],
  ])("%s", (_name, options, choice, budget, expected) => {
    expect(fitBudget(options, choice, budget)).toEqual(expected);
  });

  const options = fc.array(fc.array(fc.record({ costNanoUsd: fc.nat(1_000), quality: fc.nat(10) }), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 12 });

  it("fits whenever the cheapest options do, changes nothing when it need not, and never makes a task dearer", () => {
    fc.assert(
      fc.property(options, fc.nat(8_000), (all, budget) => {
        const choice = all.map(() => 0);
        const fitted = fitBudget(all, choice, budget);
        const cheapest = all.reduce((sum, own) => sum + Math.min(...own.map(({ costNanoUsd }) => costNanoUsd)), 0);
        if (cheapest <= budget) expect(costOf(all, fitted)).toBeLessThanOrEqual(budget);
        else expect(costOf(all, fitted)).toBe(cheapest);
        if (costOf(all, choice) <= budget) expect(fitted).toEqual(choice);
        fitted.forEach((at, task) => expect(all[task]![at]!.costNanoUsd).toBeLessThanOrEqual(all[task]![0]!.costNanoUsd));
      }),
      { numRuns: 500 },
    );
  });

  it("changes no more tasks for a larger budget", () => {
    fc.assert(
      fc.property(options, fc.nat(8_000), fc.nat(2_000), (all, budget, more) => {
        const choice = all.map(() => 0);
        const changes = (fitted: readonly number[]) => fitted.filter((at) => at !== 0).length;
        expect(changes(fitBudget(all, choice, budget + more))).toBeLessThanOrEqual(changes(fitBudget(all, choice, budget)));
      }),
    );
  });
});
