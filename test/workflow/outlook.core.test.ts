import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LedgerEntry } from "../../src/workflow/budget/ledger.ts";
import { hasDrifted, noteSpending, noteTasks, openOutlook, replaceExpected, type TaskOutlook } from "../../src/workflow/outlook.ts";
import { createTaskState, type TaskState, type TaskStatus } from "../../src/workflow/run.ts";

const foreseen = (expected: number): TaskOutlook => ({ weight: expected, expectedNanoUsd: expected, expectedTokens: expected });
const state = (status: TaskStatus): TaskState => ({ ...createTaskState(), status });
const amount = (value: number) => ({ nanoUsd: value, tokens: value });
const bill = (task: number, value: number): LedgerEntry => ({ kind: "settle", task, attempt: 1, call: 0, day: 0, reserved: amount(0), spent: amount(value), isLate: false, expiresAt: null });

describe("the outlook of a workflow", () => {
  test("counts a task as open until it ends, and then what it spent against what was expected", () => {
    const states = [state("pending"), state("pending")];
    const outlook = openOutlook([foreseen(100), foreseen(50)], states, new Map());
    noteSpending(outlook, [bill(0, 120)]);
    expect(outlook).toMatchObject({ openWeight: 150, openExpected: amount(150), doneExpected: amount(0), doneSpent: amount(0) });
    states[0] = state("completed");
    noteTasks(outlook, [0], states);
    expect(outlook).toMatchObject({ openWeight: 50, openExpected: amount(50), doneExpected: amount(100), doneSpent: amount(120) });
  });

  test("learns nothing from a task that was skipped, until it turns out to have spent something after all", () => {
    const states = [state("skipped"), state("pending")];
    const outlook = openOutlook([foreseen(100), foreseen(50)], states, new Map());
    expect(outlook).toMatchObject({ openWeight: 50, openExpected: amount(50), doneExpected: amount(0), doneSpent: amount(0) });
    noteSpending(outlook, [bill(0, 30)]);
    expect(outlook).toMatchObject({ doneExpected: amount(100), doneSpent: amount(30) });
    noteSpending(outlook, [bill(0, -30)]);
    expect(outlook).toMatchObject({ doneExpected: amount(0), doneSpent: amount(0) });
  });

  test("takes over what a new plan expects of open tasks only", () => {
    const outlook = openOutlook([foreseen(100), foreseen(50)], [state("completed"), state("pending")], new Map([[0, amount(90)]]));
    replaceExpected(outlook, new Map([[0, { expectedNanoUsd: 1, expectedTokens: 1 }], [1, { expectedNanoUsd: 20, expectedTokens: 20 }]]));
    expect(outlook).toMatchObject({ openExpected: amount(20), doneExpected: amount(100), openWeight: 50 });
  });

  test("kept up to date step by step is what is built from what is stored", () => {
    const steps = fc.array(fc.tuple(fc.nat(3), fc.constantFrom<TaskStatus>("pending", "running", "completed", "failed", "skipped"), fc.integer({ min: 0, max: 50 })), { maxLength: 40 });
    fc.assert(
      fc.property(steps, (all) => {
        const tasks = [foreseen(10), foreseen(20), foreseen(0), foreseen(40)];
        const states = tasks.map(() => state("pending"));
        const spent = new Map(tasks.map((_, task) => [task, amount(0)]));
        const outlook = openOutlook(tasks, states, new Map());
        for (const [task, status, value] of all) {
          states[task] = state(status);
          spent.set(task, amount(spent.get(task)!.tokens + value));
          noteSpending(outlook, [bill(task, value)]);
          noteTasks(outlook, [task], states);
        }
        expect(outlook).toEqual(openOutlook(tasks, states, spent));
      }),
    );
  });
});

describe("a task that takes longer than foreseen", () => {
  const WAVES = [[0, 1, 2], [3, 4], [5]];
  const plan = (expectedMs: number | undefined): TaskOutlook[] => WAVES.flat().map(() => ({ ...foreseen(1), ...(expectedMs === undefined ? {} : { expectedMs }) }));
  const hasDriftedAfter = (tookMs: number, expectedMs: number | undefined): boolean => {
    const states = WAVES.flat().map(() => ({ ...state("completed"), startedAt: 1_000, finishedAt: 1_000 + tookMs }));
    return hasDrifted(openOutlook(plan(expectedMs), states, new Map(), WAVES), [0], states);
  };

  // Three waves of 10 s each: a fifth of the whole is 6 s.
  test.each([[16_000, false], [16_001, true], [1_000, false]])("of %i ms in a workflow of 30 s moves the plan: %s", (tookMs, expected) => {
    expect(hasDriftedAfter(tookMs, 10_000)).toBe(expected);
  });

  test("moves nothing where nothing was planned, or by less than a second", () => {
    expect(hasDriftedAfter(2_000, undefined)).toBe(false);
    expect(hasDriftedAfter(1_100, 100)).toBe(false);
    expect(hasDriftedAfter(2_000, 100)).toBe(true);
  });
});
