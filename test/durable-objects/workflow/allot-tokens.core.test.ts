import { describe, expect, test } from "vitest";
import { allotTokens } from "../../../src/durable-objects/workflow/work-orders.ts";
import { noteTasks, openOutlook } from "../../../src/workflow/outlook.ts";
import { CoreRun } from "../../workflow/core-run.ts";

const SETTINGS = { minTaskTokens: 10, maxTaskTokens: 100_000, overageThreshold: 0 };

/** Tasks of equal weight that share 12,000 tokens. */
function share(names: string[]) {
  const run = new CoreRun(Object.fromEntries(names.map((name) => [name, { kind: "llm" as const }])), { cap: { nanoUsd: null, tokens: 12_000 }, maxConcurrency: 10 });
  const outlook = openOutlook(names.map(() => ({ weight: 1_000, expectedNanoUsd: 0, expectedTokens: 0 })), run.run.tasks, new Map());
  const allot = (name: string): number | null => {
    noteTasks(outlook, names.keys(), run.run.tasks);
    return allotTokens({ run: run.run, outlook }, run.id(name), SETTINGS);
  };
  return { run, allot };
}

describe("what is allotted to equal tasks that run side by side", () => {
  test("is the same for each that holds all of its own", () => {
    const { run, allot } = share(["a", "b", "c", "d"]);
    for (const name of ["a", "b", "c", "d"]) {
      expect(allot(name)).toBe(3_000);
      run.reserve(name, { tokens: 3_000 });
    }
  });

  test("flows to those that start later as far as others hold or used less", () => {
    const { run, allot } = share(["a", "b", "c"]);
    run.reserve("a", { tokens: 1_000 });
    expect(allot("b")).toBe(5_500);
    run.reserve("b", { tokens: 5_500 });
    run.bill("a", [{ call: 0, nanoUsd: 0, tokens: 500 }]);
    expect(allot("c")).toBe(6_000);
  });

  test("is for another attempt what it was, beside what the task itself holds", () => {
    const { run, allot } = share(["a", "b"]);
    run.reserve("a", { tokens: 2_000 });
    expect(allot("a")).toBe(5_000);
  });
});
