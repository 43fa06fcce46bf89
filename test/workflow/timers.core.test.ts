import { describe, expect, test } from "vitest";
import { nextWakeAt } from "../../src/workflow/timers.ts";
import { CoreRun, QUEUED, START } from "./core-run.ts";

const GRACE_MS = 5_000;
const nextOf = (flow: CoreRun): number => nextWakeAt(flow.run, GRACE_MS) - START;

describe("a lease", () => {
  test("that runs out unclaimed loses the attempt, which is sent again", () => {
    const flow = new CoreRun({ a: {} }, { settings: QUEUED });
    expect(nextOf(flow)).toBe(15_000);
    flow.wait(14_999);
    expect(flow.task("a").attempt).toBe(1);
    flow.wait(1);
    expect(flow.task("a")).toMatchObject({ status: "queued", attempt: 2, losses: 1, failures: 0 });
  });

  test("lives as long as it is renewed, and only so long", () => {
    const flow = new CoreRun({ a: {} }, { settings: QUEUED });
    flow.refs("claim", "a");
    for (let beat = 0; beat < 10; beat += 1) {
      flow.now += 4_000;
      expect(flow.refs("renew", "a").accepted).toHaveLength(1);
      flow.wait(0);
      expect(flow.statuses).toEqual({ a: "running" });
    }
    flow.wait(9_999);
    expect(flow.task("a").attempt).toBe(1);
    flow.wait(1);
    expect(flow.task("a")).toMatchObject({ status: "queued", attempt: 2 });
  });

  test("of a call of the object's own only wakes it: the attempt lives on", () => {
    const flow = new CoreRun({ a: {} });
    expect(nextOf(flow)).toBe(3_000);
    expect(flow.wait(3_000).wakeBy).toBe(START + 6_000);
    expect(flow.task("a")).toMatchObject({ status: "running", attempt: 1, losses: 0 });
  });
});

describe("a timeout", () => {
  test("is given time to be reported by whoever runs the attempt", () => {
    const flow = new CoreRun({ a: { timeoutMs: 1_000 } });
    flow.wait(1_000 + GRACE_MS - 1);
    expect(flow.statuses).toEqual({ a: "running" });
    flow.wait(1);
    expect(flow.task("a")).toMatchObject({ status: "pending", failures: 1, failure: { code: "timeout", retryable: true } });
  });

  test("counts from the claim, not from the queue", () => {
    const flow = new CoreRun({ a: { timeoutMs: 1_000 } }, { settings: QUEUED });
    flow.now += 14_000;
    flow.refs("claim", "a");
    expect(flow.task("a").timeoutAt).toBe(START + 15_000);
  });

  test("is stronger than a lease that ends in the same instant: the attempt failed, it was not lost", () => {
    const flow = new CoreRun({ a: { timeoutMs: 5_000 } }, { settings: QUEUED });
    flow.refs("claim", "a");
    flow.wait(10_000);
    expect(flow.task("a")).toMatchObject({ failures: 1, losses: 0 });
  });
});

describe("the next alarm", () => {
  test.each([
    ["a running workflow without anything timed", (flow: CoreRun) => flow.complete("a"), Infinity],
    ["a retry", (flow: CoreRun) => flow.fail("a", { retryable: true }), 500],
    ["a waiting callback", (flow: CoreRun) => void flow.report("a", { status: "waiting" }), 60_000],
    ["a final workflow", (flow: CoreRun) => void flow.apply({ type: "cancel" }), Infinity],
  ])("of %s", (_name, prepare, expected) => {
    const flow = new CoreRun({ a: {} });
    prepare(flow);
    expect(nextOf(flow)).toBe(expected);
  });

  test("is the earliest of all that is timed", () => {
    const flow = new CoreRun({ a: {}, b: {} }, { settings: QUEUED, deadlineMs: 12_000 });
    expect(nextOf(flow)).toBe(12_000);
    flow.refs("claim", "a");
    expect(nextOf(flow)).toBe(10_000);
  });

  test("stands at the start while a workflow is scheduled, and nowhere while that is paused", () => {
    const flow = new CoreRun({ a: {} }, { startAt: START + 7_000 });
    expect(nextOf(flow)).toBe(7_000);
    flow.apply({ type: "pause" });
    expect(nextOf(flow)).toBe(Infinity);
  });

  test("that comes early or twice does nothing but arm itself again", () => {
    const flow = new CoreRun({ a: {} }, { settings: QUEUED });
    for (const _ of [1, 2]) {
      const step = flow.wait(100);
      expect(step).toMatchObject({ events: [], dispatches: [], wakeBy: START + 15_000 });
      expect(step.touched.size).toBe(0);
    }
  });

  test("that comes after the clock went back does nothing either", () => {
    const flow = new CoreRun({ a: {} }, { settings: QUEUED });
    expect(flow.wait(-60_000)).toMatchObject({ events: [], wakeBy: START + 15_000 });
  });
});
