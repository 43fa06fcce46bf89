import { describe, expect, test } from "vitest";
import { dayOf } from "../../../src/workflow/budget/utc-day.ts";
import { nextWakeAt } from "../../../src/workflow/timers.ts";
import { CoreRun, START, type RunOptions } from "../core-run.ts";

const GRANTED = { kind: "granted" };
const DAY_MS = 86_400_000;
const today = dayOf(START);

function sideBySide(names: string[], options: RunOptions = {}): CoreRun {
  return new CoreRun(Object.fromEntries(names.map((name) => [name, { kind: "llm" as const, timeoutMs: 10 * DAY_MS }])), { tenant: null, ...options });
}

function leased(leasedNanoUsd: number, mayGrow = false) {
  return { kind: "leased", leasedNanoUsd, mayGrow } as const;
}

describe("of a tenant's budget", () => {
  test("nothing is asked for calls that cost nothing", () => {
    const run = sideBySide(["a"]);
    expect(run.reserve("a", { tokens: 1_000 })).toEqual(GRANTED);
    expect(run.questions).toEqual([]);
  });

  test("a share is leased before a call is granted", () => {
    const run = sideBySide(["a"]);
    expect(run.reserve("a", { nanoUsd: 30 })).toBe("waits");
    expect(run.questions).toEqual([{ day: today, neededNanoUsd: 30, wantedNanoUsd: 30, revision: 1 }]);
    run.answerLease(leased(30));
    expect(run.answer("a")).toEqual(GRANTED);
    expect(run.run.state.budget.leases).toEqual({ [today]: 30 });
  });

  test("more is asked for than is needed at once, up to the workflow's own cap", () => {
    const chunk = { leaseChunkNanoUsd: 1_000 };
    const free = sideBySide(["a"], chunk);
    free.reserve("a", { nanoUsd: 30 });
    expect(free.questions[0]).toMatchObject({ neededNanoUsd: 30, wantedNanoUsd: 1_000 });
    const capped = sideBySide(["a"], { ...chunk, cap: { nanoUsd: 200, tokens: null } });
    capped.reserve("a", { nanoUsd: 30 });
    expect(capped.questions[0]).toMatchObject({ neededNanoUsd: 30, wantedNanoUsd: 200 });
  });

  test("the day is known from the question on, so that a lease whose answer is lost can be given back; without a budget it is not leased", () => {
    const run = sideBySide(["a"]);
    run.reserve("a", { nanoUsd: 30 });
    expect(run.run.state.budget.leases).toEqual({ [today]: 0 });
    run.answerLease({ kind: "unlimited" });
    expect(run.run.state.budget.leases).toEqual({});
    expect(run.run.ledger.days.get(today)?.leasedNanoUsd).toBe(null);
  });

  test("what is leased serves calls without another question, and what they did not spend serves others", () => {
    const run = sideBySide(["a", "b", "c"]);
    run.reserve("a", { nanoUsd: 30 });
    run.answerLease(leased(100));
    expect(run.reserve("b", { nanoUsd: 70 })).toEqual(GRANTED);
    run.bill("a", [{ call: 0, nanoUsd: 10, tokens: 0 }]);
    expect(run.reserve("c", { nanoUsd: 20 })).toEqual(GRANTED);
    expect(run.questions).toHaveLength(1);
  });

  test("without one, nothing is asked for half a minute", () => {
    const run = sideBySide(["a", "b", "c"]);
    run.reserve("a", { nanoUsd: 30 });
    run.answerLease({ kind: "unlimited" });
    expect(run.answer("a")).toEqual(GRANTED);
    run.now += 29_999;
    expect(run.reserve("b", { nanoUsd: 30 })).toEqual(GRANTED);
    expect(run.questions).toHaveLength(1);
    run.now += 1;
    expect(run.reserve("c", { nanoUsd: 30 })).toBe("waits");
    expect(run.questions[1]).toMatchObject({ neededNanoUsd: 90 });
  });

  test("what is refused tells the room that is left", () => {
    const run = sideBySide(["a"]);
    run.reserve("a", { nanoUsd: 30 });
    run.answerLease(leased(20));
    expect(run.answer("a")).toEqual({ kind: "refused", room: { nanoUsd: 20, tokens: null } });
    expect(run.reserve("a", { nanoUsd: 20 })).toEqual(GRANTED);
  });

  test("what does not fit waits for the workflow's own calls that could make room in its share", () => {
    const run = sideBySide(["a", "b"]);
    run.reserve("a", { nanoUsd: 30 });
    run.answerLease(leased(40));
    expect(run.reserve("b", { nanoUsd: 30 })).toBe("waits");
    run.answerLease(leased(40));
    expect(run.answer("b")).toBe("waits");
    run.bill("a", [{ call: 0, nanoUsd: 10, tokens: 0 }]);
    expect(run.answer("b")).toEqual(GRANTED);
  });

  test("an answer says nothing of requests that came after the question", () => {
    const run = sideBySide(["a", "b"]);
    run.reserve("a", { nanoUsd: 30 });
    run.reserve("b", { nanoUsd: 30 });
    expect(run.questions).toHaveLength(1);
    run.answerLease(leased(30));
    expect(run.answer("a")).toEqual(GRANTED);
    expect(run.answer("b")).toBe("waits");
    expect(run.questions[1]).toMatchObject({ neededNanoUsd: 60 });
    run.answerLease(leased(60));
    expect(run.answer("b")).toEqual(GRANTED);
  });

  test("a refusal of one request refuses larger ones, but a smaller one is asked for", () => {
    const run = sideBySide(["a", "large", "small"]);
    run.reserve("a", { nanoUsd: 30 });
    run.reserve("large", { nanoUsd: 40 });
    run.reserve("small", { nanoUsd: 10 });
    run.answerLease(leased(5, false));
    expect(run.answer("a")).toMatchObject({ kind: "refused" });
    expect(run.answer("large")).toMatchObject({ kind: "refused" });
    expect(run.answer("small")).toBe("waits");
    expect(run.questions[1]).toMatchObject({ neededNanoUsd: 10 });
  });

  test.each([
    ["others may give back what they do not spend", leased(0, true)],
    ["the tenant could not be reached", { kind: "failed" } as const],
  ])("a request waits and is asked for again, after a while, when %s", (_name, answer) => {
    const run = sideBySide(["a"]);
    run.reserve("a", { nanoUsd: 30 });
    run.answerLease(answer);
    expect(run.answer("a")).toBe("waits");
    run.wait(999);
    expect(run.questions).toHaveLength(1);
    run.wait(1);
    expect(run.questions).toHaveLength(2);
    run.answerLease(leased(30));
    expect(run.answer("a")).toEqual(GRANTED);
  });

  test("a question without an answer is asked again after a while, and its answer does not count any more", () => {
    const run = sideBySide(["a"]);
    expect(run.reserve("a", { nanoUsd: 30 })).toBe("waits");
    expect(run.last.wakeBy).toBe(run.now + 15_000);
    run.wait(14_999);
    expect(run.questions).toHaveLength(1);
    run.wait(1);
    expect(run.questions).toHaveLength(2);
    run.answerLease(leased(30), run.questions[0]);
    expect(run.answer("a")).toBe("waits");
    run.answerLease(leased(30));
    expect(run.answer("a")).toEqual(GRANTED);
  });

  test("the alarm is not kept busy by a request that waits for something else than the tenant", () => {
    const run = sideBySide(["a", "b"], { cap: { nanoUsd: 100, tokens: null } });
    run.reserve("a", { nanoUsd: 60 });
    run.reserve("b", { nanoUsd: 60 });
    run.answerLease({ kind: "failed" });
    run.wait(1_000);
    run.answerLease(leased(60, true));
    expect(run.answer("a")).toEqual(GRANTED);
    run.wait(1_000);
    expect(nextWakeAt(run.run, 0)).toBeGreaterThan(run.now);
  });

  test("another day is asked for when the day changed while a request waited", () => {
    const run = sideBySide(["a", "b"]);
    run.reserve("a", { nanoUsd: 30 });
    run.answerLease(leased(30));
    run.reserve("b", { nanoUsd: 30 });
    run.answerLease(leased(30));
    expect(run.answer("b")).toBe("waits");
    run.now += DAY_MS;
    run.bill("a", [{ call: 0, nanoUsd: 30, tokens: 0 }]);
    expect(run.questions.at(-1)).toMatchObject({ day: today + 1, neededNanoUsd: 30 });
    run.answerLease(leased(30));
    expect(run.answer("b")).toEqual(GRANTED);
    expect(run.run.state.budget.leases).toEqual({ [today]: 30, [today + 1]: 30 });
  });

  test("an answer that comes on the day after is for the day that was asked about", () => {
    const run = sideBySide(["a"]);
    run.reserve("a", { nanoUsd: 30 });
    const question = run.questions.at(-1)!;
    run.now += DAY_MS;
    run.answerLease(leased(30), question);
    expect(run.answer("a")).toBe("waits");
    expect(run.questions.at(-1)).toMatchObject({ day: today + 1 });
  });

  test("a bill counts to the day on which it was reserved", () => {
    const run = sideBySide(["a"]);
    run.reserve("a", { nanoUsd: 30 });
    run.answerLease(leased(30));
    run.now += DAY_MS;
    run.bill("a", [{ call: 0, nanoUsd: 20, tokens: 0 }]);
    expect(run.run.ledger.days.get(today)).toMatchObject({ spentNanoUsd: 20, reservedNanoUsd: 0 });
  });

  test("a call that holds something of yesterday and needs more holds all of it of today", () => {
    const run = sideBySide(["a"]);
    run.reserve("a", { nanoUsd: 30 });
    run.answerLease(leased(30));
    run.now += DAY_MS;
    expect(run.reserve("a", { nanoUsd: 30 })).toEqual(GRANTED);
    expect(run.reserve("a", { nanoUsd: 40 })).toBe("waits");
    expect(run.questions.at(-1)).toMatchObject({ day: today + 1, neededNanoUsd: 40 });
    run.answerLease(leased(40));
    expect(run.run.ledger.days.get(today)).toMatchObject({ spentNanoUsd: 0, reservedNanoUsd: 0 });
    expect(run.run.ledger.days.get(today + 1)).toMatchObject({ reservedNanoUsd: 40, leasedNanoUsd: 40 });
    expect(run.books.reserved.nanoUsd).toBe(40);
  });

  test("what is neither spent nor held is given back, under a new revision", () => {
    const run = sideBySide(["a", "b"]);
    run.reserve("a", { nanoUsd: 30 });
    run.answerLease(leased(100));
    run.reserve("b", { nanoUsd: 20 });
    run.bill("a", [{ call: 0, nanoUsd: 10, tokens: 0 }]);
    run.apply({ type: "trim" });
    expect(run.run.state.budget).toMatchObject({ leases: { [today]: 30 }, revision: 2 });
    expect(run.last.isStateTouched).toBe(true);
  });

  test("who waits for the workflow's own calls asks again when what they would leave is given back", () => {
    const run = sideBySide(["a", "b"]);
    run.reserve("a", { nanoUsd: 50 });
    run.answerLease(leased(97));
    run.reserve("b", { nanoUsd: 50 });
    run.answerLease(leased(97));
    expect(run.answer("b")).toBe("waits");
    run.apply({ type: "trim" });
    expect(run.questions.at(-1)).toMatchObject({ neededNanoUsd: 100 });
    run.answerLease(leased(50, true));
    run.bill("a", [{ call: 0, nanoUsd: 22, tokens: 0 }]);
    expect(run.answer("b")).toBe("waits");
    run.wait(1_000);
    run.answerLease(leased(72));
    expect(run.answer("b")).toEqual(GRANTED);
  });

  test("an answer that is older than what the tenant was told does not count, and it is asked again", () => {
    const run = sideBySide(["a"]);
    run.reserve("a", { nanoUsd: 30 });
    run.apply({ type: "trim" });
    run.answerLease(leased(30));
    expect(run.answer("a")).toBe("waits");
    expect(run.questions).toMatchObject([{ revision: 1 }, { revision: 3 }]);
    run.answerLease(leased(30));
    expect(run.answer("a")).toEqual(GRANTED);
  });

  test.each([0, 99])("an answer to no question (revision %i) changes nothing", (revision) => {
    const run = sideBySide(["a"]);
    run.reserve("a", { nanoUsd: 30 });
    run.apply({ type: "lease", day: today, revision, answer: leased(1_000) });
    expect(run.answer("a")).toBe("waits");
    expect(run.run.state.budget.leases).toEqual({ [today]: 0 });
  });

  test("a repeated answer counts once", () => {
    const run = sideBySide(["a"]);
    run.reserve("a", { nanoUsd: 30 });
    run.answerLease(leased(30));
    run.apply({ type: "trim" });
    run.answerLease(leased(1_000));
    expect(run.run.state.budget.leases).toEqual({ [today]: 30 });
  });
});
