import { describe, expect, test } from "vitest";
import { explainFailure } from "./explain.ts";
import { generateScenario } from "./generate.ts";
import { simulate } from "./simulate.ts";

const SEEDS = 2_000;
const SEEDS_A_TEST = 500;

describe("whatever the network loses, repeats, delays and reorders, and whenever the object dies", () => {
  for (let first = 1; first <= SEEDS; first += SEEDS_A_TEST) {
    const last = first + SEEDS_A_TEST - 1;
    test(`everything that must always hold does, at every step: seeds ${first} to ${last}`, { timeout: 120_000 }, () => {
      for (let seed = first; seed <= last; seed += 1) {
        if (simulate(generateScenario(seed)).failure !== null) throw new Error(explainFailure(seed));
      }
    });
  }

  test("a seed always gives the same run, so that a failure can be replayed", () => {
    for (let seed = 1; seed <= 100; seed += 1) {
      const first = simulate(generateScenario(seed));
      const second = simulate(generateScenario(seed));
      expect(second.fingerprint, `seed ${seed}`).toBe(first.fingerprint);
      expect(second.steps, `seed ${seed}`).toBe(first.steps);
    }
  });
});
