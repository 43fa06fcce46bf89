import { afterAll, describe, expect, test } from "vitest";
import { BUDGET_MUTANTS } from "./budget-mutants.ts";
import { generateScenario } from "./generate.ts";
import { loadMutant, MUTANTS, type Mutant } from "./mutants.ts";
import type { Scenario } from "./scenario.ts";
import { simulate } from "./simulate.ts";

/** A quarter of what every test run tries: a fault that needs more could pass unseen. */
const MAX_SEEDS = 500;

const caught: { core: string; seeds: number; "broken rule": string }[] = [];

/** Twice that where only scenarios with budgets can show a fault: less than half have them. */
const MAX_BUDGET_SEEDS = 1_000;

async function catchMutant(mutant: Mutant, maxSeeds: number, isUsed: (scenario: Scenario) => boolean): Promise<boolean> {
  const core = await loadMutant(mutant);
  for (let seed = 1; seed <= maxSeeds; seed += 1) {
    const scenario = generateScenario(seed);
    if (!isUsed(scenario)) continue;
    const { failure } = simulate(scenario, core);
    if (failure === null) continue;
    caught.push({ core: mutant.name, seeds: seed, "broken rule": failure.rule });
    return true;
  }
  return false;
}

describe("the simulation fails for a core that", () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))("%s", { timeout: 60_000 }, async (_name, mutant) => {
    expect(await catchMutant(mutant, MAX_SEEDS, () => true), `${MAX_SEEDS} seeds pass`).toBe(true);
  });

  test.each(BUDGET_MUTANTS.map((mutant) => [mutant.name, mutant] as const))("%s", { timeout: 60_000 }, async (_name, mutant) => {
    expect(await catchMutant(mutant, MAX_BUDGET_SEEDS, ({ budget }) => budget !== null), `${MAX_BUDGET_SEEDS} seeds pass`).toBe(true);
  });

  afterAll(() => console.table(caught));
});

test("a mutant whose text the core has no more, or has twice, is refused", async () => {
  const edit = { file: "schedule.ts", from: "a text that is nowhere", to: "" };
  await expect(loadMutant({ name: "stale", edits: [edit] })).rejects.toThrow("0 times");
  await expect(loadMutant({ name: "ambiguous", edits: [{ ...edit, from: "export function" }] })).rejects.toThrow(/[2-9] times/);
});
