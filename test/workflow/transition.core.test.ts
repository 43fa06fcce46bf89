import { describe, expect, test } from "vitest";
import { MAX_LOSSES } from "../../src/workflow/attempts.ts";
import { CoreRun, QUEUED, START } from "./core-run.ts";

describe("a workflow", () => {
  test("runs from its creation to its end, and its events say so", () => {
    const flow = new CoreRun({ a: {}, b: { after: ["a"] } });
    flow.complete("a", "b");
    expect(flow.eventTypes()).toEqual([
      "workflow.created",
      "workflow.planned",
      "workflow.started",
      "task.queued",
      "task.started",
      "task.completed",
      "task.queued",
      "task.started",
      "task.completed",
      "workflow.completed",
    ]);
  });

  test("hears nothing after its end but a manual retry", () => {
    const flow = new CoreRun({ a: {} });
    flow.complete("a");
    for (const type of ["pause", "resume", "cancel", "tick"] as const) expect(flow.apply({ type }).events).toEqual([]);
    expect(flow.status).toBe("completed");
  });

  test("fails with its result, though every task completed", () => {
    const flow = new CoreRun({ a: {} }, { isResultBroken: true });
    flow.complete("a");
    expect(flow.run.state).toMatchObject({ status: "failed", error: { code: "expression_failed" } });
  });

  test("waits for startAt, counts its deadline from then, and starts at once if startAt is past", () => {
    const flow = new CoreRun({ a: {} }, { startAt: START + 5_000, deadlineMs: 1_000 });
    expect(flow.status).toBe("scheduled");
    expect(flow.last.wakeBy).toBe(START + 5_000);
    flow.wait(4_999);
    expect(flow.live).toEqual([]);
    flow.wait(1);
    expect(flow.live).toEqual(["a"]);
    expect(flow.run.state.deadlineAt).toBe(START + 6_000);
    expect(new CoreRun({ a: {} }, { startAt: START }).live).toEqual(["a"]);
  });

  test("at its deadline cancels everything open and fails", () => {
    const flow = new CoreRun({ a: {}, b: {}, c: { after: ["b"] } }, { deadlineMs: 1_000 });
    flow.complete("a");
    flow.wait(999);
    expect(flow.status).toBe("running");
    flow.wait(1);
    expect(flow.statuses).toEqual({ a: "completed", b: "cancelled", c: "cancelled" });
    expect(flow.run.state).toMatchObject({ status: "failed", error: { code: "deadline_exceeded" } });
    expect(flow.task("c").failure).toMatchObject({ code: "deadline_exceeded" });
  });

  test("takes over reused outputs without an attempt, whatever their order", () => {
    const flow = new CoreRun({ a: {}, b: { after: ["a"] }, c: { after: ["b"] } }, { reused: ["b", "a"] });
    expect(flow.statuses).toEqual({ a: "completed", b: "completed", c: "running" });
    expect(flow.task("a").attempt).toBe(0);
    expect(flow.events.filter(({ type }) => type === "task.completed").map(({ data }) => data)).toEqual([
      { attempt: 0, outputBytes: 2, reused: true },
      { attempt: 0, outputBytes: 2, reused: true },
    ]);
  });
});

describe("after a task failed for good", () => {
  const diamond = { a: {}, left: { after: ["a"] }, right: { after: ["a"] }, join: { after: ["left", "right"] }, tail: { after: ["join"] } };

  test("with fail: nothing new starts, live attempts finish, the rest was never started", () => {
    const flow = new CoreRun(diamond);
    flow.complete("a");
    flow.fail("left");
    expect(flow.status).toBe("running");
    flow.complete("right");
    expect(flow.statuses).toEqual({ a: "completed", left: "failed", right: "completed", join: "skipped:not_started", tail: "skipped:not_started" });
    expect(flow.run.state).toMatchObject({ status: "failed", error: { code: "agent_rejected", taskId: "left" } });
  });

  test("with fail: a task between two attempts fails with its last failure", () => {
    const flow = new CoreRun({ a: {}, b: {} });
    flow.fail("a", { code: "agent_unavailable", retryable: true });
    flow.fail("b");
    expect(flow.statuses).toEqual({ a: "failed", b: "failed" });
    expect(flow.task("a").failure).toMatchObject({ code: "agent_unavailable" });
  });

  test("with fail: a live attempt that fails later is not retried", () => {
    const flow = new CoreRun({ a: {}, b: {} });
    flow.fail("a");
    flow.fail("b", { retryable: true });
    expect(flow.status).toBe("failed");
    expect(flow.run.state.error).toMatchObject({ taskId: "a" });
  });

  test("with continue: all that depends on it is skipped, the rest runs, and the workflow fails at the end", () => {
    const flow = new CoreRun({ ...diamond, apart: { after: ["a"] } }, { onFailure: "continue" });
    flow.complete("a");
    flow.fail("left");
    expect(flow.statuses).toMatchObject({ join: "skipped:dependency_failed", tail: "skipped:dependency_failed", right: "running", apart: "running" });
    flow.complete("right", "apart");
    expect(flow.status).toBe("failed");
    expect(flow.run.state.error).toMatchObject({ taskId: "left" });
  });

  test.each(["fail", "continue"] as const)("with %s: a when that breaks fails its task before any attempt", (onFailure) => {
    const flow = new CoreRun({ a: { when: "broken" }, b: { after: ["a"] } }, { onFailure });
    expect(flow.task("a")).toMatchObject({ status: "failed", attempt: 0, failure: { code: "expression_failed" } });
    expect(flow.status).toBe("failed");
    expect(flow.dispatches).toEqual([]);
  });
});

describe("a skip by when", () => {
  test("counts as done: its dependents run, and the workflow completes", () => {
    const flow = new CoreRun({ a: { when: false }, b: { after: ["a"] } });
    expect(flow.statuses).toEqual({ a: "skipped:when", b: "running" });
    flow.complete("b");
    expect(flow.status).toBe("completed");
  });

  test("of every task ends the workflow at once", () => {
    const flow = new CoreRun({ a: { when: false }, b: { after: ["a"], when: false } });
    expect(flow.status).toBe("completed");
    expect(flow.eventTypes()).not.toContain("task.queued");
  });
});

describe("an attempt", () => {
  test("is granted to the first claim only", () => {
    const flow = new CoreRun({ a: {} }, { settings: QUEUED });
    expect(flow.statuses).toEqual({ a: "queued" });
    expect(flow.refs("claim", "a").accepted).toEqual([{ task: 0, attempt: 1 }]);
    expect(flow.refs("claim", "a").accepted).toEqual([]);
    expect(flow.statuses).toEqual({ a: "running" });
  });

  test("counts once in a batch that names it twice", () => {
    const flow = new CoreRun({ a: {} }, { settings: QUEUED });
    expect(flow.refs("claim", "a", "a").accepted).toHaveLength(1);
    const report = { task: 0, attempt: 1, result: { status: "completed", outputBytes: 2 } } as const;
    expect(flow.apply({ type: "report", reports: [report, report] }).accepted).toHaveLength(1);
    expect(flow.eventTypes("a").filter((type) => type === "task.completed")).toHaveLength(1);
  });

  test.each([["claim"], ["renew"], ["lose"], ["deadLetter"]] as const)("that was replaced is not heard: %s", (type) => {
    const flow = new CoreRun({ a: {} }, { settings: QUEUED });
    flow.refs("lose", "a");
    expect(flow.task("a").attempt).toBe(2);
    const step = flow.apply({ type, refs: [{ task: 0, attempt: 1 }] });
    expect(step).toMatchObject({ accepted: [], events: [], dispatches: [] });
    expect(step.touched.size).toBe(0);
    expect(flow.report("a", { status: "completed", outputBytes: 2 }, 1).accepted).toEqual([]);
    expect(flow.statuses).toEqual({ a: "queued" });
  });

  test("of a task that does not exist is not heard", () => {
    const flow = new CoreRun({ a: {} });
    for (const task of [-1, 1, 0.5]) expect(flow.apply({ type: "claim", refs: [{ task, attempt: 1 }] }).accepted).toEqual([]);
  });

  test("lost by the runtime is repeated: the first time at once, then with growing pauses, and not as a failure", () => {
    const flow = new CoreRun({ a: { retry: { maxAttempts: 1 } } });
    const pausesMs: number[] = [];
    for (let loss = 1; loss <= MAX_LOSSES; loss += 1) {
      flow.refs("lose", "a");
      pausesMs.push((flow.task("a").retryAt ?? flow.now) - flow.now);
      flow.wait(pausesMs.at(-1)!);
      expect(flow.statuses).toEqual({ a: "running" });
    }
    expect(pausesMs).toEqual([0, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
    expect(flow.task("a")).toMatchObject({ attempt: MAX_LOSSES + 1, failures: 0, losses: MAX_LOSSES });
    flow.refs("lose", "a");
    expect(flow.task("a")).toMatchObject({ status: "failed", failure: { code: "attempts_exhausted" } });
  });

  test("whose message ended in the dead-letter queue failed visibly, and is retried as the policy says", () => {
    const flow = new CoreRun({ a: { retry: { maxAttempts: 2 } } }, { settings: QUEUED });
    flow.refs("deadLetter", "a");
    expect(flow.task("a")).toMatchObject({ status: "pending", failures: 1, failure: { code: "agent_unavailable" } });
    flow.wait(500);
    flow.refs("deadLetter", "a");
    expect(flow.task("a")).toMatchObject({ status: "failed", attempt: 2 });
  });

  test("that was claimed is not failed by a copy of its message in the dead-letter queue", () => {
    const flow = new CoreRun({ a: {} }, { settings: QUEUED });
    flow.refs("claim", "a");
    expect(flow.refs("deadLetter", "a").accepted).toEqual([]);
    expect(flow.statuses).toEqual({ a: "running" });
  });
});

describe("a callback agent", () => {
  test("leaves its task waiting, without a lease, in its slot, until it calls back", () => {
    const flow = new CoreRun({ a: {}, b: {} }, { settings: QUEUED, maxConcurrency: 1 });
    flow.refs("claim", "a");
    flow.report("a", { status: "waiting" });
    expect(flow.task("a")).toMatchObject({ status: "waiting", leaseUntil: null, timeoutAt: START + 60_000 });
    expect(flow.refs("lose", "a").accepted).toEqual([]);
    expect(flow.live).toEqual(["a"]);
    flow.complete("a");
    expect(flow.statuses).toEqual({ a: "completed", b: "queued" });
  });

  test("may call back before it said 202: that then changes nothing", () => {
    const flow = new CoreRun({ a: {} });
    flow.complete("a");
    expect(flow.report("a", { status: "waiting" }).accepted).toEqual([]);
    expect(flow.statuses).toEqual({ a: "completed" });
  });

  test("is heard once, and its 202 too", () => {
    const flow = new CoreRun({ a: {}, b: {} });
    flow.report("a", { status: "waiting" });
    expect(flow.report("a", { status: "waiting" })).toMatchObject({ accepted: [], events: [] });
    flow.complete("a");
    flow.complete("a");
    expect(flow.eventTypes("a")).toEqual(["task.queued", "task.started", "task.waiting", "task.completed"]);
  });

  test("that never calls back times out on the dot, and is tried again", () => {
    const flow = new CoreRun({ a: { timeoutMs: 1_000 } });
    flow.report("a", { status: "waiting" });
    flow.wait(999);
    expect(flow.statuses).toEqual({ a: "waiting" });
    flow.wait(1);
    expect(flow.task("a")).toMatchObject({ status: "pending", failures: 1, failure: { code: "timeout" } });
  });
});
