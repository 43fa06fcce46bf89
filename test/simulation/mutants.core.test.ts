import { afterAll, describe, expect, test } from "vitest";
import { BUDGET_MUTANTS } from "./budget-mutants.ts";
import { generateScenario } from "./generate.ts";
import { loadMutant, MUTANTS, type Mutant } from "./mutants.ts";
import type { Scenario } from "./scenario.ts";
import { simulate } from "./simulate.ts";

/** A quarter of what every test run tries: a fault that needs more could pass unseen. */
const MAX_SEEDS = 500;
/** Twice that where only scenarios with budgets can show a fault: less than half have them. */
const MAX_BUDGET_SEEDS = 1_000;

/** Small ones first: they cost a hundredth of the large ones, and show most faults. */
const scenarios = Array.from({ length: MAX_BUDGET_SEEDS }, (_, index) => generateScenario(index + 1)).toSorted((left, right) => left.tasks.length - right.tasks.length);
const withinSeeds = scenarios.filter(({ seed }) => seed <= MAX_SEEDS);
const withBudget = scenarios.filter(({ budget }) => budget !== null);

const caught: { core: string; seed: number; scenarios: number; "broken rule": string }[] = [];

async function catchMutant(mutant: Mutant, among: readonly Scenario[]): Promise<boolean> {
  const core = await loadMutant(mutant);
  for (const [index, scenario] of among.entries()) {
    const { failure } = simulate(scenario, core);
    if (failure === null) continue;
    caught.push({ core: mutant.name, seed: scenario.seed, scenarios: index + 1, "broken rule": failure.rule });
    return true;
  }
  return false;
}

describe("the simulation fails for a core that", () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))("%s", { timeout: 60_000 }, async (_name, mutant) => {
    expect(await catchMutant(mutant, withinSeeds), `${MAX_SEEDS} seeds pass`).toBe(true);
  });

  test.each(BUDGET_MUTANTS.map((mutant) => [mutant.name, mutant] as const))("%s", { timeout: 60_000 }, async (_name, mutant) => {
    expect(await catchMutant(mutant, withBudget), `${MAX_BUDGET_SEEDS} seeds pass`).toBe(true);
  });

  afterAll(() => console.table(caught));
});

test("a mutant whose text the core has no more, or has twice, is refused", async () => {
  const edit = { file: "schedule.ts", from: "a text that is nowhere", to: "" };
  await expect(loadMutant({ name: "stale", edits: [edit] })).rejects.toThrow("0 times");
  await expect(loadMutant({ name: "ambiguous", edits: [{ ...edit, from: "export function" }] })).rejects.toThrow(/[2-9] times/);
});
