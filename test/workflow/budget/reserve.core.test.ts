import { describe, expect, test } from "vitest";
import { ORPHAN_GRACE_MS } from "../../../src/workflow/budget/budget.ts";
import { restoreRun } from "../../../src/workflow/run.ts";
import { CoreRun, QUEUED } from "../core-run.ts";

const GRANTED = { kind: "granted" };
const GONE = { kind: "gone" };

function refused(nanoUsd: number | null, tokens: number | null = null) {
  return { kind: "refused", room: { nanoUsd, tokens } };
}

/** So many LLM tasks side by side, all of them running. */
function sideBySide(names: string[], cap: { nanoUsd: number | null; tokens: number | null }, options: object = {}): CoreRun {
  return new CoreRun(Object.fromEntries(names.map((name) => [name, { kind: "llm" as const }])), { cap, ...options });
}

describe("a reserve", () => {
  test.each([
    ["fits exactly", { nanoUsd: 100 }, GRANTED],
    ["is refused with the room when it can never fit", { nanoUsd: 101 }, refused(100, 1_000)],
    ["of tokens fits exactly", { tokens: 1_000 }, GRANTED],
    ["of tokens is refused when they can never fit", { tokens: 1_001 }, refused(100, 1_000)],
    ["of nothing fits", {}, GRANTED],
  ])("%s", (_name, need, answer) => {
    expect(sideBySide(["a"], { nanoUsd: 100, tokens: 1_000 }).reserve("a", need)).toEqual(answer);
  });

  test("is granted whatever it is when nothing caps it", () => {
    expect(sideBySide(["a"], { nanoUsd: null, tokens: null }).reserve("a", { nanoUsd: 1e15, tokens: 1e12 })).toEqual(GRANTED);
  });

  test("waits while what others hold could make room, and is granted when it does", () => {
    const run = sideBySide(["a", "b"], { nanoUsd: 100, tokens: null });
    run.reserve("a", { nanoUsd: 60 });
    expect(run.reserve("b", { nanoUsd: 60 })).toBe("waits");
    run.bill("a", [{ call: 0, nanoUsd: 40, tokens: 0 }]);
    expect(run.answer("b")).toEqual(GRANTED);
    expect(run.books).toEqual({ spent: { nanoUsd: 40, tokens: 0 }, reserved: { nanoUsd: 60, tokens: 0 } });
  });

  test("that waits is refused once what others spent leaves no room for it", () => {
    const run = sideBySide(["a", "b"], { nanoUsd: 100, tokens: null });
    run.reserve("a", { nanoUsd: 60 });
    run.reserve("b", { nanoUsd: 60 });
    run.bill("a", [{ call: 0, nanoUsd: 41, tokens: 0 }]);
    expect(run.answer("b")).toEqual(refused(59));
  });

  test("that waits is answered as gone when its attempt ends", () => {
    const run = sideBySide(["a", "b"], { nanoUsd: 100, tokens: null });
    run.reserve("a", { nanoUsd: 60 });
    run.reserve("b", { nanoUsd: 60 });
    run.refs("lose", "b");
    expect(run.answer("b", { attempt: 1 })).toEqual(GONE);
    expect(run.run.waiting.requests.size).toBe(0);
  });

  test("that waits is answered as gone when the workflow is cancelled", () => {
    const run = sideBySide(["a", "b"], { nanoUsd: 100, tokens: null });
    run.reserve("a", { nanoUsd: 60 });
    run.reserve("b", { nanoUsd: 60 });
    run.apply({ type: "cancel" });
    expect(run.answer("b")).toEqual(GONE);
  });

  test.each([
    ["of an attempt that is over", 1],
    ["of an attempt that was never made", 3],
  ])("%s is gone, and holds nothing", (_name, attempt) => {
    const run = sideBySide(["a"], { nanoUsd: 100, tokens: null });
    run.refs("lose", "a");
    expect(run.reserve("a", { nanoUsd: 10 }, { attempt })).toEqual(GONE);
    expect(run.entries).toEqual([]);
  });

  test("is answered the most urgent first, whoever asked first", () => {
    const run = new CoreRun({ a: { kind: "llm" }, low: { kind: "llm", rank: 3 }, urgent: { kind: "llm", rank: 0 } }, { cap: { nanoUsd: 100, tokens: null } });
    run.reserve("a", { nanoUsd: 100 });
    run.reserve("low", { nanoUsd: 60 });
    run.reserve("urgent", { nanoUsd: 60 });
    run.bill("a", [{ call: 0, nanoUsd: 20, tokens: 0 }]);
    expect(run.answer("urgent")).toEqual(GRANTED);
    expect(run.answer("low")).toBe("waits");
  });

  test("may pass a more urgent one that needs more than there is", () => {
    const run = new CoreRun({ a: { kind: "llm" }, low: { kind: "llm", rank: 3 }, urgent: { kind: "llm", rank: 0 } }, { cap: { nanoUsd: 100, tokens: null } });
    run.reserve("a", { nanoUsd: 80 });
    run.reserve("urgent", { nanoUsd: 60 });
    expect(run.reserve("low", { nanoUsd: 20 })).toEqual(GRANTED);
  });

  test("asked again is granted again and held once", () => {
    const run = sideBySide(["a"], { nanoUsd: 100, tokens: null });
    run.reserve("a", { nanoUsd: 60 });
    expect(run.reserve("a", { nanoUsd: 60 })).toEqual(GRANTED);
    expect(run.books.reserved.nanoUsd).toBe(60);
    expect(run.entries).toHaveLength(1);
  });

  test.each([
    ["less", 40],
    ["more", 90],
  ])("asked again for %s holds just that", (_name, nanoUsd) => {
    const run = sideBySide(["a"], { nanoUsd: 100, tokens: null });
    run.reserve("a", { nanoUsd: 60 });
    expect(run.reserve("a", { nanoUsd })).toEqual(GRANTED);
    expect(run.books.reserved.nanoUsd).toBe(nanoUsd);
  });

  test("for the next call settles the bills before it, and frees calls that billed nothing", () => {
    const run = sideBySide(["a"], { nanoUsd: 100, tokens: null });
    run.reserve("a", { nanoUsd: 60 });
    run.reserve("a", { nanoUsd: 60 }, { call: 1 });
    expect(run.reserve("a", { nanoUsd: 60 }, { call: 2, bills: [{ call: 1, nanoUsd: 40, tokens: 7 }] })).toEqual(GRANTED);
    expect(run.books).toEqual({ spent: { nanoUsd: 40, tokens: 7 }, reserved: { nanoUsd: 60, tokens: 0 } });
  });

  test.each([
    ["that was billed", [{ call: 0, nanoUsd: 10, tokens: 0 }]],
    ["that billed nothing", []],
  ])("repeated late, for a call %s, holds nothing and frees nothing", (_name, bills) => {
    const run = sideBySide(["a"], { nanoUsd: 100, tokens: null });
    run.reserve("a", { nanoUsd: 30 });
    run.reserve("a", { nanoUsd: 30 }, { call: 1, bills });
    expect(run.reserve("a", { nanoUsd: 30 })).toEqual(GONE);
    expect(run.books.reserved.nanoUsd).toBe(30);
  });

  test("that came once more after its refusal, and waits, is dropped when the attempt asks for what is next", () => {
    const run = sideBySide(["a", "b"], { nanoUsd: 100, tokens: null });
    run.reserve("b", { nanoUsd: 90 });
    expect(run.reserve("a", { nanoUsd: 80 })).toBe("waits");
    expect(run.reserve("a", { nanoUsd: 60 }, { call: 1 })).toBe("waits");
    expect(run.answer("a")).toEqual(GONE);
    run.bill("b", []);
    expect(run.answer("a", { call: 1 })).toEqual(GRANTED);
    expect(run.books.reserved.nanoUsd).toBe(60);
  });

  test("of an attempt that is over still enters the bills that it brings", () => {
    const run = sideBySide(["a"], { nanoUsd: 100, tokens: null });
    run.reserve("a", { nanoUsd: 60 });
    run.refs("lose", "a");
    expect(run.reserve("a", { nanoUsd: 60 }, { call: 1, attempt: 1, bills: [{ call: 0, nanoUsd: 25, tokens: 0 }] })).toEqual(GONE);
    expect(run.books).toEqual({ spent: { nanoUsd: 25, tokens: 0 }, reserved: { nanoUsd: 0, tokens: 0 } });
  });
});

describe("a task's own cap", () => {
  test("binds its calls, beside the workflow's", () => {
    const run = new CoreRun({ a: { kind: "llm", cap: { nanoUsd: 50, tokens: null } }, b: { kind: "llm" } }, { cap: { nanoUsd: 100, tokens: null } });
    expect(run.reserve("a", { nanoUsd: 51 })).toEqual(refused(50));
    expect(run.reserve("b", { nanoUsd: 51 })).toEqual(GRANTED);
    expect(run.reserve("a", { nanoUsd: 50 })).toBe("waits");
  });

  test("counts all of its attempts", () => {
    const run = new CoreRun({ a: { kind: "llm", cap: { nanoUsd: 50, tokens: null } } }, { cap: { nanoUsd: 100, tokens: null } });
    run.reserve("a", { nanoUsd: 40 });
    run.apply({ type: "report", reports: [{ task: 0, attempt: 1, result: { status: "failed", failure: { code: "agent_unavailable", message: "503", retryable: true }, retryAfterMs: null }, bills: [{ call: 0, nanoUsd: 30, tokens: 0 }] }] });
    run.wait(500);
    expect(run.reserve("a", { nanoUsd: 30 })).toEqual(refused(20));
  });
});

describe("an http task with a budget of its own", () => {
  const cap = { nanoUsd: 60, tokens: 500 };

  test("holds it before it starts", () => {
    const run = new CoreRun({ a: { cap } }, { cap: { nanoUsd: 100, tokens: null } });
    expect(run.books.reserved).toEqual({ nanoUsd: 60, tokens: 500 });
    expect(run.live).toEqual(["a"]);
  });

  test("waits for it, takes up a slot meanwhile, and starts when it is free", () => {
    const run = new CoreRun({ a: { cap }, b: { cap }, c: {} }, { cap: { nanoUsd: 100, tokens: null }, maxConcurrency: 2 });
    expect(run.live).toEqual(["a"]);
    run.bill("a", [{ call: 0, nanoUsd: 40, tokens: 10 }]);
    expect(run.live).toEqual(["b", "c"]);
    expect(run.books).toEqual({ spent: { nanoUsd: 40, tokens: 10 }, reserved: { nanoUsd: 60, tokens: 500 } });
  });

  test("fails when it can never have it", () => {
    const run = new CoreRun({ a: { cap }, b: { cap } }, { cap: { nanoUsd: 100, tokens: null }, onFailure: "continue" });
    run.bill("a", [{ call: 0, nanoUsd: 41, tokens: 10 }]);
    expect(run.statuses).toEqual({ a: "completed", b: "failed" });
    expect(run.task("b").failure).toMatchObject({ code: "budget_exhausted", details: { neededUsd: 60e-9, remainingUsd: 59e-9 } });
    expect(run.status).toBe("failed");
  });

  test("that only caps tokens does not use up dollars", () => {
    const run = new CoreRun({ a: { cap: { nanoUsd: null, tokens: 500 } } }, { cap: { nanoUsd: 100, tokens: 600 } });
    expect(run.books.reserved).toEqual({ nanoUsd: 0, tokens: 500 });
  });

  test.each([
    ["what it caps, within that, and what it does not cap", null, { nanoUsd: 60, tokens: 10 }, false],
    ["more than it caps", null, { nanoUsd: 61, tokens: 0 }, true],
    ["all that the workflow has of what it does not cap", 10, { nanoUsd: 40, tokens: 10 }, false],
    ["more than the workflow has of what it does not cap", 10, { nanoUsd: 40, tokens: 11 }, true],
  ])("that caps dollars alone and reports %s: %o tokens, %o, overrun %o", (_, tokens, bill, isOverrun) => {
    const run = new CoreRun({ a: { cap: { nanoUsd: 60, tokens: null } } }, { cap: { nanoUsd: 100, tokens } });
    run.bill("a", [{ call: 0, ...bill }]);
    expect(run.eventTypes("a").includes("budget.overrun")).toBe(isOverrun);
  });

  test("keeps it while it waits for a callback", () => {
    const run = new CoreRun({ a: { cap, timeoutMs: 600_000 } }, { cap: { nanoUsd: 100, tokens: null } });
    run.report("a", { status: "waiting" });
    run.wait(300_000);
    expect(run.books).toEqual({ spent: { nanoUsd: 0, tokens: 0 }, reserved: { nanoUsd: 60, tokens: 500 } });
    run.bill("a", [{ call: 0, nanoUsd: 10, tokens: 0 }]);
    expect(run.books).toEqual({ spent: { nanoUsd: 10, tokens: 0 }, reserved: { nanoUsd: 0, tokens: 0 } });
  });

  test("gives it back when nobody claimed the attempt", () => {
    const run = new CoreRun({ a: { cap } }, { cap: { nanoUsd: 100, tokens: null }, settings: QUEUED });
    run.wait(15_000);
    expect(run.task("a")).toMatchObject({ status: "queued", attempt: 2 });
    expect(run.books).toEqual({ spent: { nanoUsd: 0, tokens: 0 }, reserved: { nanoUsd: 60, tokens: 500 } });
  });

  test("asks only for what an attempt before it has left, once that is known", () => {
    const run = new CoreRun({ a: { cap } }, { cap: { nanoUsd: 100, tokens: null } });
    run.refs("lose", "a");
    expect(run.live).toEqual([]);
    run.bill("a", [{ call: 0, nanoUsd: 15, tokens: 100 }], 1);
    expect(run.live).toEqual(["a"]);
    expect(run.books.reserved).toEqual({ nanoUsd: 45, tokens: 400 });
  });

  test("fails when an attempt that nobody reported has to be taken to have used it up", () => {
    const run = new CoreRun({ a: { cap } }, { cap: { nanoUsd: 100, tokens: null } });
    run.refs("lose", "a");
    run.wait(3_000 + ORPHAN_GRACE_MS);
    expect(run.task("a").failure?.code).toBe("budget_exhausted");
  });

  test("is started once when a task is retried by hand while it waits", () => {
    const run = new CoreRun({ a: { cap }, b: { cap }, c: {} }, { cap: { nanoUsd: 100, tokens: null }, onFailure: "continue" });
    run.fail("c");
    run.retry("c");
    run.bill("a", []);
    expect(run.started).toEqual(["a", "c", "c", "b"]);
    expect(run.task("b").attempt).toBe(1);
  });

  test("waits anew after the object was restored, and is started once", () => {
    const run = new CoreRun({ a: { cap }, b: { cap } }, { cap: { nanoUsd: 100, tokens: null } });
    const { plan, state, tasks } = run.run;
    const open = [...run.run.ledger.open.values()].flat();
    Object.assign(run.run, restoreRun(plan, state, tasks, { bills: [], open, assumed: [] }));
    run.run.waiting.unlimitedUntil = Infinity;
    run.wait(0);
    expect(run.live).toEqual(["a"]);
    run.bill("a", []);
    expect(run.live).toEqual(["b"]);
  });

  test("is put back, and its budget with it, when another task of the same step fails the workflow", () => {
    const run = new CoreRun({ first: {}, live: {}, a: { after: ["first"], cap }, b: { after: ["first"], when: "broken" } }, { cap: { nanoUsd: 100, tokens: null } });
    run.complete("first");
    expect(run.last.entries.map(({ kind, task }) => [kind, task])).toEqual([
      ["reserve", run.id("a")],
      ["release", run.id("a")],
    ]);
    expect(run.statuses).toMatchObject({ a: "pending", b: "failed" });
  });
});
