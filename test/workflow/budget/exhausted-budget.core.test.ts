import { describe, expect, test } from "vitest";
import { failExhausted } from "../../../src/workflow/budget/exhausted.ts";
import { createRandom } from "../../simulation/random.ts";
import { CoreRun } from "../core-run.ts";

const NAMES = Array.from({ length: 100 }, (_, number) => `t${number}`);
const RESERVE = 10;

interface Course {
  capNanoUsd: number;
  /** What a call may be reserved at, the preferred model first. */
  ladder: number[];
  /** What a call bills of what was reserved for it. */
  billOf?: (reserved: number, random: number) => number;
  seed?: number;
}

/** A hundred equal tasks, fifty at once, whose executors go down the ladder when they are refused. Calls end in a random order. */
function runHundred({ capNanoUsd, ladder, billOf = (reserved) => reserved, seed = 1 }: Course): CoreRun {
  const random = createRandom(seed);
  const run = new CoreRun(Object.fromEntries(NAMES.map((name) => [name, { kind: "llm" as const }])), { cap: { nanoUsd: capNanoUsd, tokens: null }, onFailure: "continue", maxConcurrency: 50 });
  /** What each live task has asked for last. */
  const asked = new Map<string, number>();
  const ask = (name: string, nanoUsd: number): void => {
    asked.set(name, nanoUsd);
    run.reserve(name, { nanoUsd });
    const { spent, reserved } = run.books;
    expect(spent.nanoUsd + reserved.nanoUsd).toBeLessThanOrEqual(capNanoUsd);
  };
  while (run.status === "running") {
    for (const name of run.live) if (!asked.has(name)) ask(name, ladder[0]!);
    const answered = run.live.filter((name) => run.answer(name) !== "waits");
    if (answered.length === 0) throw new Error(`all of ${run.live.length} live tasks wait for ever`);
    const name = random.pick(answered);
    const answer = run.answer(name);
    const amount = asked.get(name)!;
    if (answer === "waits" || answer.kind === "gone") throw new Error("a live attempt is gone");
    if (answer.kind === "granted") {
      run.bill(name, [{ call: 0, nanoUsd: billOf(amount, random.next()), tokens: 0 }]);
      continue;
    }
    const next = ladder.find((smaller) => smaller < amount && smaller <= answer.room.nanoUsd!);
    if (next !== undefined) ask(name, next);
    else run.report(name, { status: "failed", failure: failExhausted({ nanoUsd: ladder.at(-1)!, tokens: 0 }, answer.room), retryAfterMs: null });
  }
  return run;
}

function count(run: CoreRun): { completed: number; exhausted: number } {
  const statuses = NAMES.map((name) => run.task(name));
  return { completed: statuses.filter(({ status }) => status === "completed").length, exhausted: statuses.filter(({ failure }) => failure?.code === "budget_exhausted").length };
}

describe("of a hundred equal tasks", () => {
  test.each([
    [60 * RESERVE, 60],
    [60 * RESERVE + RESERVE - 1, 60],
    [RESERVE, 1],
    [100 * RESERVE, 100],
  ])("with a cap of %i for calls at 10 just %i run, the rest fail with budget_exhausted, and none waits for ever", (capNanoUsd, completed) => {
    const run = runHundred({ capNanoUsd, ladder: [RESERVE] });
    expect(count(run)).toEqual({ completed, exhausted: 100 - completed });
    expect(run.books).toEqual({ spent: { nanoUsd: completed * RESERVE, tokens: 0 }, reserved: { nanoUsd: 0, tokens: 0 } });
    expect(run.status).toBe(completed === 100 ? "completed" : "failed");
  });

  test("more run where a cheaper model is allowed for what is left", () => {
    const run = runHundred({ capNanoUsd: 60 * RESERVE + RESERVE - 1, ladder: [RESERVE, 4] });
    expect(count(run)).toEqual({ completed: 62, exhausted: 38 });
    expect(run.books.spent.nanoUsd).toBe(60 * RESERVE + 2 * 4);
  });

  test("as many run as can when calls bill less than was held for them, whatever the order in which they end", () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const run = runHundred({ capNanoUsd: 60 * RESERVE, ladder: [RESERVE], billOf: (reserved, random) => Math.ceil(reserved * random), seed });
      const { completed, exhausted } = count(run);
      expect(completed + exhausted).toBe(100);
      expect(completed).toBeGreaterThan(60);
      expect(exhausted === 0 || 60 * RESERVE - run.books.spent.nanoUsd < RESERVE, "tasks failed though another call fitted").toBe(true);
    }
  });
});
