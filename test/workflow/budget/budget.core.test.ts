import { describe, expect, test } from "vitest";
import { ORPHAN_GRACE_MS } from "../../../src/workflow/budget/budget.ts";
import { failExhausted } from "../../../src/workflow/budget/exhausted.ts";
import type { WorkflowEvent } from "../../../src/workflow/events.ts";
import { nextWakeAt } from "../../../src/workflow/timers.ts";
import { CoreRun, QUEUED, type RunOptions } from "../core-run.ts";

const LEASE_MS = 3_000;
const TRANSIENT = { status: "failed", failure: { code: "agent_unavailable", message: "503", retryable: true }, retryAfterMs: null } as const;

function budgetEvents(run: CoreRun): WorkflowEvent[] {
  return run.events.filter(({ type }) => type.startsWith("budget."));
}

function llm(names: string[], options: RunOptions = {}): CoreRun {
  return new CoreRun(Object.fromEntries(names.map((name) => [name, { kind: "llm" as const }])), { cap: { nanoUsd: 1_000, tokens: 10_000 }, ...options });
}

describe("a report", () => {
  test("settles the calls that billed, frees the others, and tells so with the totals", () => {
    const run = llm(["a"]);
    run.reserve("a", { nanoUsd: 400, tokens: 4_000 });
    run.bill("a", [{ call: 0, nanoUsd: 300, tokens: 2_500 }]);
    expect(budgetEvents(run).map(({ type, data }) => [type, data])).toEqual([
      ["budget.reserved", { taskId: "a", attempt: 1, usd: 400e-9, tokens: 4_000, workflow: { spentUsd: 0, reservedUsd: 400e-9, spentTokens: 0, reservedTokens: 4_000 } }],
      ["budget.settled", { taskId: "a", attempt: 1, usd: 300e-9, tokens: 2_500, workflow: { spentUsd: 300e-9, reservedUsd: 0, spentTokens: 2_500, reservedTokens: 0 } }],
    ]);
  });

  test("that says of no bill frees all that its attempt holds", () => {
    const run = llm(["a"]);
    run.reserve("a", { nanoUsd: 400 });
    run.bill("a", []);
    expect(run.books).toEqual({ spent: { nanoUsd: 0, tokens: 0 }, reserved: { nanoUsd: 0, tokens: 0 } });
  });

  test("that is repeated bills once", () => {
    const run = llm(["a"]);
    run.reserve("a", { nanoUsd: 400 });
    run.bill("a", [{ call: 0, nanoUsd: 300, tokens: 0 }]);
    run.bill("a", [{ call: 0, nanoUsd: 300, tokens: 0 }]);
    expect(run.books.spent.nanoUsd).toBe(300);
    expect(budgetEvents(run)).toHaveLength(2);
  });

  test("of a call for which nothing was held bills all the same", () => {
    const run = llm(["a"]);
    run.bill("a", [{ call: 0, nanoUsd: 300, tokens: 5 }]);
    expect(run.books.spent).toEqual({ nanoUsd: 300, tokens: 5 });
    expect(run.entries[0]).toMatchObject({ kind: "settle", isLate: false });
  });

  test("of an attempt that is over is priced but changes no state", () => {
    const run = llm(["a"]);
    run.reserve("a", { nanoUsd: 400 });
    run.report("a", TRANSIENT);
    run.wait(500);
    run.bill("a", [{ call: 0, nanoUsd: 300, tokens: 0 }], 1);
    expect(run.entries.at(-1)).toMatchObject({ kind: "settle", attempt: 1, isLate: true });
    expect(run.statuses).toEqual({ a: "running" });
  });

  test("that comes after the workflow's end is priced", () => {
    const run = llm(["a"]);
    run.reserve("a", { nanoUsd: 400 });
    run.apply({ type: "cancel" });
    expect(run.books.reserved.nanoUsd).toBe(400);
    run.bill("a", [{ call: 0, nanoUsd: 300, tokens: 0 }]);
    expect(run.books).toEqual({ spent: { nanoUsd: 300, tokens: 0 }, reserved: { nanoUsd: 0, tokens: 0 } });
    expect(run.status).toBe("cancelled");
  });
});

describe("an attempt that ends without a report", () => {
  test("keeps what it holds until its calls can bill no more, which is then settled in full", () => {
    const run = llm(["a", "b"]);
    run.reserve("a", { nanoUsd: 400, tokens: 7 });
    run.refs("lose", "a");
    run.wait(LEASE_MS + ORPHAN_GRACE_MS - 1);
    expect(run.books.reserved).toEqual({ nanoUsd: 400, tokens: 7 });
    run.wait(1);
    expect(run.books).toEqual({ spent: { nanoUsd: 400, tokens: 7 }, reserved: { nanoUsd: 0, tokens: 0 } });
    expect(run.entries.at(-1)).toMatchObject({ kind: "assume", attempt: 1 });
  });

  test.each([
    ["less", 250],
    ["exactly that", 400],
    ["more", 450],
  ])("is corrected by a report that comes after that and says %s", (_name, nanoUsd) => {
    const run = llm(["a"]);
    run.reserve("a", { nanoUsd: 400 });
    run.refs("lose", "a");
    run.wait(LEASE_MS + ORPHAN_GRACE_MS);
    for (const _ of ["once", "again"]) run.bill("a", [{ call: 0, nanoUsd, tokens: 0 }], 1);
    expect(run.books.spent.nanoUsd).toBe(nanoUsd);
    expect(run.entries.filter(({ kind }) => kind === "correct")).toHaveLength(1);
  });

  test("is taken back by a report that comes after that and says of no bill", () => {
    const run = llm(["a"]);
    run.reserve("a", { nanoUsd: 400 });
    run.refs("lose", "a");
    run.wait(LEASE_MS + ORPHAN_GRACE_MS);
    run.bill("a", [], 1);
    expect(run.books.spent.nanoUsd).toBe(0);
    expect(run.entries.at(-1)).toMatchObject({ kind: "retract", spent: { nanoUsd: -400, tokens: 0 } });
  });

  test("frees a call that had waited, for others", () => {
    const run = llm(["a", "b"]);
    run.reserve("a", { nanoUsd: 800 });
    run.reserve("b", { nanoUsd: 400 });
    run.refs("lose", "a");
    run.bill("a", [{ call: 0, nanoUsd: 100, tokens: 0 }], 1);
    expect(run.answer("b")).toEqual({ kind: "granted" });
  });

  test("is settled after the end too, one after the other, each at its time", () => {
    const run = llm(["a", "b"], { settings: { ...QUEUED, leaseMs: 10_000 } });
    run.refs("claim", "a");
    run.now += 5_000;
    run.refs("claim", "b");
    run.reserve("a", { nanoUsd: 100 });
    run.reserve("b", { nanoUsd: 100 });
    run.apply({ type: "cancel" });
    expect(nextWakeAt(run.run, 0)).toBe(run.now + 5_000 + ORPHAN_GRACE_MS);
    const { wakeBy } = run.wait(5_000 + ORPHAN_GRACE_MS);
    expect(run.books.reserved.nanoUsd).toBe(100);
    expect(wakeBy).toBe(run.now + 5_000);
    run.wait(5_000);
    expect(run.books).toEqual({ spent: { nanoUsd: 200, tokens: 0 }, reserved: { nanoUsd: 0, tokens: 0 } });
    expect(nextWakeAt(run.run, 0)).toBe(Infinity);
  });

  test("is told of one by one, each with the totals after it", () => {
    const run = llm(["a", "b"]);
    run.reserve("a", { nanoUsd: 100 });
    run.reserve("b", { nanoUsd: 200 });
    run.apply({ type: "cancel" });
    run.wait(LEASE_MS + ORPHAN_GRACE_MS);
    const totals = run.events.flatMap((event) => (event.type === "budget.settled" ? [event.data.workflow] : []));
    expect(totals).toMatchObject([
      { spentUsd: 100e-9, reservedUsd: 200e-9 },
      { spentUsd: 300e-9, reservedUsd: 0 },
    ]);
  });

  test("is settled at once when the workflow is about to be forgotten", () => {
    const run = llm(["a"]);
    run.reserve("a", { nanoUsd: 100 });
    run.apply({ type: "cancel" });
    run.apply({ type: "closeBooks" });
    expect(run.books).toEqual({ spent: { nanoUsd: 100, tokens: 0 }, reserved: { nanoUsd: 0, tokens: 0 } });
  });
});

describe("budget.warning", () => {
  function warnings(run: CoreRun): number[] {
    return run.events.flatMap((event) => (event.type === "budget.warning" ? [event.data.percent] : []));
  }

  test.each([
    [499, []],
    [500, [50]],
    [799, [50]],
    [800, [50, 80]],
    [949, [50, 80]],
    [950, [50, 80, 95]],
    [1_000, [50, 80, 95]],
  ])("after %i of 1,000 nano-dollars: %j", (nanoUsd, percents) => {
    const run = llm(["a"]);
    run.reserve("a", { nanoUsd });
    expect(warnings(run)).toEqual([]);
    run.bill("a", [{ call: 0, nanoUsd, tokens: 0 }]);
    expect(warnings(run)).toEqual(percents);
  });

  test("goes by whichever of dollars and tokens is nearer to its cap", () => {
    const run = llm(["a"]);
    run.reserve("a", { nanoUsd: 10, tokens: 8_000 });
    run.bill("a", [{ call: 0, nanoUsd: 10, tokens: 8_000 }]);
    expect(warnings(run)).toEqual([50, 80]);
  });

  test("comes once for each mark, also when a correction lowers the spending and it rises again", () => {
    const run = llm(["a", "b"]);
    run.reserve("a", { nanoUsd: 600 });
    run.refs("lose", "a");
    run.wait(LEASE_MS + ORPHAN_GRACE_MS);
    run.bill("a", [{ call: 0, nanoUsd: 100, tokens: 0 }], 1);
    run.reserve("b", { nanoUsd: 500 });
    run.bill("b", [{ call: 0, nanoUsd: 500, tokens: 0 }]);
    expect(warnings(run)).toEqual([50]);
  });
});

describe("a provider that bills more than was held", () => {
  const over = { call: 0, nanoUsd: 500, tokens: 0 };

  function overrun(bill: { isOverCap?: boolean }, options: RunOptions = {}): CoreRun {
    const run = llm(["a", "b"], options);
    run.reserve("a", { nanoUsd: 400 });
    run.bill("a", [{ ...over, ...bill }]);
    return run;
  }

  test("is told of, and its bill counts", () => {
    const run = overrun({});
    expect(run.eventTypes("a")).toContain("budget.overrun");
    expect(run.books.spent.nanoUsd).toBe(500);
    expect(run.reserve("b", { nanoUsd: 1 })).toEqual({ kind: "granted" });
  });

  test("after ignoring the cap that it was sent, ends all reserving of that budget", () => {
    const run = overrun({ isOverCap: true });
    expect(run.reserve("b", { nanoUsd: 1 })).toEqual({ kind: "refused", room: { nanoUsd: 0, tokens: 0 } });
    expect(run.run.state.budget.isBlocked).toBe(true);
  });

  test("leaves alone what is held already", () => {
    const run = llm(["a", "b"]);
    run.reserve("a", { nanoUsd: 400 });
    run.reserve("b", { nanoUsd: 100 });
    run.bill("a", [{ ...over, isOverCap: true }]);
    expect(run.reserve("b", { nanoUsd: 100 })).toEqual({ kind: "granted" });
  });

  test("leaves calls alone that take nothing of the cap that it passed", () => {
    const run = llm(["a", "b"], { cap: { nanoUsd: 400, tokens: 10_000 } });
    run.reserve("a", { nanoUsd: 400 });
    run.bill("a", [over]);
    expect(run.reserve("b", { tokens: 10 })).toEqual({ kind: "granted" });
    expect(run.reserve("b", { nanoUsd: 1, tokens: 10 }, { call: 1 })).toEqual({ kind: "refused", room: { nanoUsd: 0, tokens: 10_000 } });
  });

  const NONE = { nanoUsd: null, tokens: null };
  const refused = { kind: "refused", room: { nanoUsd: 0, tokens: 0 } };

  test("and passed the budget of a task alone, ends all reserving of that task", () => {
    const run = new CoreRun({ a: { kind: "llm", cap: { nanoUsd: 2_000, tokens: null } }, b: { kind: "llm" } }, { cap: NONE });
    run.reserve("a", { nanoUsd: 400 });
    expect(run.reserve("a", { nanoUsd: 1 }, { call: 1, bills: [{ ...over, isOverCap: true }] })).toEqual(refused);
    expect(run.reserve("b", { nanoUsd: 1 })).toEqual({ kind: "granted" });
  });

  test("and passed the tenant's budget alone, ends all reserving of the workflow", () => {
    const run = llm(["a", "b"], { cap: NONE, tenant: { kind: "leased", leasedNanoUsd: 5_000, mayGrow: false } });
    run.reserve("a", { nanoUsd: 400 });
    run.bill("a", [{ ...over, isOverCap: true }]);
    expect(run.reserve("b", { nanoUsd: 1 })).toEqual(refused);
  });

  test("blocks nothing where nothing is capped, and there is nothing to store of it", () => {
    const run = overrun({ isOverCap: true }, { cap: { nanoUsd: null, tokens: null } });
    expect(run.last.isStateTouched).toBe(false);
    expect(run.reserve("b", { nanoUsd: 1 })).toEqual({ kind: "granted" });
  });

  test("is told of also when the call had been settled in full", () => {
    const run = llm(["a"]);
    run.reserve("a", { nanoUsd: 400 });
    run.refs("lose", "a");
    run.wait(LEASE_MS + ORPHAN_GRACE_MS);
    run.bill("a", [over], 1);
    expect(run.eventTypes("a")).toContain("budget.overrun");
  });

  test.each([
    [1_000, false],
    [1_001, true],
  ])("for a call for which nothing was held (%i of 1,000) is told of only where a cap is passed", (nanoUsd, isTold) => {
    const run = llm(["a"]);
    run.bill("a", [{ call: 0, nanoUsd, tokens: 0 }]);
    expect(run.eventTypes("a").includes("budget.overrun")).toBe(isTold);
  });
});

test("a task for whose least need there is no room fails with the figures", () => {
  const run = llm(["a"], { onFailure: "continue" });
  run.report("a", { status: "failed", failure: failExhausted({ nanoUsd: 1_200, tokens: 64 }, { nanoUsd: 1_000, tokens: null }), retryAfterMs: null });
  const exhausted = run.events.find(({ type }) => type === "budget.exhausted");
  expect(exhausted?.data).toMatchObject({ taskId: "a", attempt: 1, usd: 1_200e-9, tokens: 64 });
  expect(run.task("a").failure).toMatchObject({ code: "budget_exhausted", retryable: false, details: { neededUsd: 1_200e-9, neededTokens: 64, remainingUsd: 1_000e-9, remainingTokens: null } });
});
