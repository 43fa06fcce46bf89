import { describe, expect, test } from "vitest";
import { canRetryTask } from "../../src/workflow/commands.ts";
import { CoreRun, START } from "./core-run.ts";

describe("pause", () => {
  test("lets live attempts finish and starts nothing", () => {
    const flow = new CoreRun({ a: {}, b: { after: ["a"] } });
    flow.apply({ type: "pause" });
    flow.complete("a");
    expect(flow.statuses).toEqual({ a: "completed", b: "pending" });
    flow.apply({ type: "resume" });
    expect(flow.live).toEqual(["b"]);
  });

  test("does not keep a workflow from ending with its last attempt", () => {
    const flow = new CoreRun({ a: {} });
    flow.apply({ type: "pause" });
    flow.complete("a");
    expect(flow.status).toBe("completed");
  });

  test("twice is once, and resume without a pause is nothing", () => {
    const flow = new CoreRun({ a: {} });
    expect(flow.apply({ type: "resume" }).events).toEqual([]);
    flow.apply({ type: "pause" });
    expect(flow.apply({ type: "pause" }).events).toEqual([]);
  });

  test("holds back a retry whose time comes meanwhile", () => {
    const flow = new CoreRun({ a: {} });
    flow.fail("a", { retryable: true });
    flow.apply({ type: "pause" });
    flow.wait(10_000);
    expect(flow.live).toEqual([]);
    flow.apply({ type: "resume" });
    expect(flow.live).toEqual(["a"]);
  });

  test("lets the deadline run on", () => {
    const flow = new CoreRun({ a: {} }, { deadlineMs: 1_000 });
    flow.apply({ type: "pause" });
    flow.wait(1_000);
    expect(flow.status).toBe("failed");
  });

  test("of a scheduled workflow holds it beyond startAt; resume starts it then, and not before", () => {
    const flow = new CoreRun({ a: {} }, { startAt: START + 1_000 });
    flow.apply({ type: "pause" });
    flow.apply({ type: "resume" });
    expect(flow.status).toBe("scheduled");
    expect(flow.last.wakeBy).toBe(START + 1_000);
    flow.apply({ type: "pause" });
    flow.wait(5_000);
    expect(flow.status).toBe("paused");
    flow.apply({ type: "resume" });
    expect(flow.live).toEqual(["a"]);
  });
});

describe("cancel", () => {
  test("cancels what is open, keeps what is final, and hears nothing after", () => {
    const flow = new CoreRun({ a: {}, b: {}, c: { after: ["b"] } });
    flow.complete("a");
    flow.apply({ type: "cancel" });
    expect(flow.statuses).toEqual({ a: "completed", b: "cancelled", c: "cancelled" });
    expect(flow.status).toBe("cancelled");
    flow.complete("b");
    expect(flow.last).toMatchObject({ events: [], accepted: [] });
    expect(flow.task("b").status).toBe("cancelled");
  });

  test.each([["scheduled", { startAt: START + 1_000 }, "scheduled"] as const, ["paused", {}, "paused"] as const])("ends a %s workflow", (_name, options, before) => {
    const flow = new CoreRun({ a: {} }, options);
    if (before === "paused") flow.apply({ type: "pause" });
    expect(flow.status).toBe(before);
    flow.apply({ type: "cancel" });
    expect(flow.status).toBe("cancelled");
    expect(flow.eventTypes().at(-1)).toBe("workflow.cancelled");
  });
});

describe("a manual retry", () => {
  test("starts the task anew: failures and losses count from zero, attempt numbers go on", () => {
    const flow = new CoreRun({ a: { retry: { maxAttempts: 1 } } });
    flow.refs("lose", "a");
    flow.fail("a", { retryable: true });
    expect(flow.status).toBe("failed");
    flow.retry("a");
    expect(flow.task("a")).toMatchObject({ status: "running", attempt: 3, failures: 0, losses: 0, manualRetries: 1, failure: null });
    expect(flow.run.state).toMatchObject({ status: "running", error: null, finishedAt: null, isFailing: false });
    flow.complete("a");
    expect(flow.status).toBe("completed");
  });

  test("gives the workflow its whole deadline again", () => {
    const flow = new CoreRun({ a: {} }, { deadlineMs: 1_000 });
    flow.now += 500;
    flow.fail("a");
    flow.now += 10_000;
    flow.retry("a");
    expect(flow.run.state.deadlineAt).toBe(flow.now + 1_000);
    expect(flow.last.wakeBy).toBeLessThanOrEqual(flow.now + 1_000);
  });

  test("opens what was skipped because of it, and only that", () => {
    const flow = new CoreRun({ a: {}, b: {}, underA: { after: ["a"] }, underB: { after: ["b"] }, underBoth: { after: ["a", "b"] }, deepA: { after: ["underA"] } }, { onFailure: "continue" });
    flow.fail("a");
    flow.fail("b");
    flow.retry("a");
    expect(flow.statuses).toEqual({
      a: "running",
      b: "failed",
      underA: "pending",
      underB: "skipped:dependency_failed",
      underBoth: "skipped:dependency_failed",
      deepA: "pending",
    });
  });

  test("opens what was never started because the workflow failed, unless another failed task is above it", () => {
    const flow = new CoreRun({ a: {}, b: {}, underA: { after: ["a"] }, underB: { after: ["b"] }, apart: { rank: 3 } }, { maxConcurrency: 2 });
    flow.fail("a");
    flow.fail("b");
    expect(flow.statuses["apart"]).toBe("skipped:not_started");
    flow.retry("a");
    expect(flow.statuses).toEqual({ a: "running", b: "failed", underA: "pending", underB: "skipped:not_started", apart: "running" });
  });

  test("opens what a deadline cut short", () => {
    const flow = new CoreRun({ a: {}, b: {} }, { onFailure: "continue", deadlineMs: 1_000 });
    flow.fail("a");
    flow.wait(1_000);
    expect(flow.statuses).toEqual({ a: "failed", b: "cancelled" });
    flow.retry("a");
    expect(flow.live).toEqual(["a", "b"]);
  });

  test("keeps a skip by when, and does not ask a when again that was true", () => {
    const flow = new CoreRun({ skipped: { when: false }, a: { after: ["skipped"], when: true } });
    flow.fail("a");
    flow.retry("a");
    expect(flow.statuses).toEqual({ skipped: "skipped:when", a: "running" });
  });

  test("in a failing run closes what another failed task blocks, so that the workflow can end", () => {
    const flow = new CoreRun({ a: {}, b: {}, slow: {}, underB: { after: ["b"] }, deepB: { after: ["underB"] } });
    flow.fail("a");
    flow.fail("b");
    flow.retry("a");
    expect(flow.statuses).toMatchObject({ underB: "skipped:not_started", deepB: "skipped:not_started" });
    flow.complete("a", "slow");
    expect(flow.status).toBe("failed");
    flow.retry("b");
    flow.complete("b", "underB", "deepB");
    expect(flow.status).toBe("completed");
  });

  test("brings back an earlier wave without touching live attempts of a later one", () => {
    const flow = new CoreRun({ a: {}, b: {}, c: { after: ["b"] }, d: { after: ["b"] } }, { scheduling: "wave", onFailure: "continue", maxConcurrency: 2 });
    flow.fail("a");
    flow.complete("b");
    expect(flow.live).toEqual(["c", "d"]);
    flow.retry("a");
    expect(flow.live).toEqual(["c", "d"]);
    flow.complete("c");
    expect(flow.live).toEqual(["a", "d"]);
  });

  test.each([
    ["a completed task", (flow: CoreRun) => flow.complete("a")],
    ["a live task", () => undefined],
    ["a failed task of a paused workflow", (flow: CoreRun) => {
      flow.fail("a");
      flow.apply({ type: "pause" });
    }],
    ["a failed task of a cancelled workflow", (flow: CoreRun) => {
      flow.fail("a");
      flow.apply({ type: "cancel" });
    }],
  ])("of %s does nothing", (_name, prepare) => {
    const flow = new CoreRun({ a: {}, b: {} }, { onFailure: "continue" });
    prepare(flow);
    const before = flow.statuses;
    expect(canRetryTask(flow.run, flow.id("a"))).toBe(false);
    expect(flow.retry("a").events).toEqual([]);
    expect(flow.statuses).toEqual(before);
  });
});
