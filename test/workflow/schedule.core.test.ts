import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_CARRIED_BYTES } from "../../src/workflow/carried.ts";
import { CoreRun, QUEUED, START, type TaskOptions } from "./core-run.ts";

describe("eager scheduling", () => {
  test("starts a task as soon as its own dependencies are done", () => {
    const flow = new CoreRun({ fast: {}, slow: {}, next: { after: ["fast"] }, join: { after: ["slow", "next"] } });
    flow.complete("fast");
    expect(flow.live).toEqual(["slow", "next"]);
    flow.complete("next");
    expect(flow.live).toEqual(["slow"]);
    flow.complete("slow");
    expect(flow.live).toEqual(["join"]);
  });
});

describe("wave scheduling", () => {
  test("starts a wave when all tasks of the one before are final", () => {
    const flow = new CoreRun({ fast: {}, slow: {}, next: { after: ["fast"] } }, { scheduling: "wave" });
    flow.complete("fast");
    expect(flow.live).toEqual(["slow"]);
    flow.complete("slow");
    expect(flow.live).toEqual(["next"]);
  });

  test("passes over waves that have nothing to run", () => {
    const flow = new CoreRun({ a: { when: false }, b: { after: ["a"], when: false }, c: { after: ["b"] } }, { scheduling: "wave" });
    expect(flow.live).toEqual(["c"]);
  });

  test("waits for a task between two attempts", () => {
    const flow = new CoreRun({ a: {}, b: {}, c: { after: ["b"] } }, { scheduling: "wave" });
    flow.fail("a", { retryable: true });
    flow.complete("b");
    expect(flow.live).toEqual([]);
    flow.wait(500);
    expect(flow.live).toEqual(["a"]);
  });
});

describe("slots", () => {
  test("are never more than maxConcurrency, and are filled as they become free", () => {
    const flow = new CoreRun({ a: {}, b: {}, c: {} }, { maxConcurrency: 2 });
    expect(flow.live).toEqual(["a", "b"]);
    flow.complete("a");
    expect(flow.live).toEqual(["b", "c"]);
  });

  test("go to the most urgent first, among equals to the first that was ready", () => {
    const ranks: Record<string, TaskOptions> = { low: { rank: 3 }, normal: {}, urgent: { rank: 0 }, high: { rank: 1 }, second: {} };
    const flow = new CoreRun(ranks, { maxConcurrency: 1 });
    while (flow.status === "running") flow.complete(flow.live[0]!);
    expect(flow.started).toEqual(["urgent", "high", "normal", "second", "low"]);
  });

  test("are free while a task waits for its retry", () => {
    const flow = new CoreRun({ a: {}, b: {} }, { maxConcurrency: 1 });
    flow.fail("a", { retryable: true });
    expect(flow.live).toEqual(["b"]);
    flow.wait(500);
    expect(flow.live).toEqual(["b"]);
    flow.complete("b");
    expect(flow.live).toEqual(["a"]);
  });
});

describe("what attempts carry of their dependencies' outputs", () => {
  const HALF = MAX_CARRIED_BYTES / 2;
  const fanOf = (width: number, options: TaskOptions = {}): Record<string, TaskOptions> => ({ root: {}, ...Object.fromEntries(Array.from({ length: width }, (_, index) => [`t${index}`, { after: ["root"], ...options }])) });

  test("is bounded together: the next starts when one is over", () => {
    const flow = new CoreRun(fanOf(3), { maxConcurrency: 10 });
    flow.finish("root", HALF);
    expect(flow.live).toEqual(["t0", "t1"]);
    flow.refs("lose", "t0");
    expect(flow.live).toEqual(["t1", "t2"]);
    flow.complete("t1", "t2", "t0");
    expect(flow.status).toBe("completed");
  });

  test("by one byte more is too much for two", () => {
    const flow = new CoreRun(fanOf(2), { maxConcurrency: 10 });
    flow.finish("root", HALF + 1);
    expect(flow.live).toEqual(["t0"]);
  });

  test("is as much as it must for one that is alone", () => {
    const flow = new CoreRun(fanOf(2), { maxConcurrency: 10 });
    flow.finish("root", MAX_CARRIED_BYTES + 1);
    expect(flow.live).toEqual(["t0"]);
    flow.fail("t0", { retryable: true });
    expect(flow.live).toEqual(["t1"]);
  });

  test("does not count for little outputs, for transforms, and for agents that took a task and will call back", () => {
    const little = new CoreRun(fanOf(50), { maxConcurrency: 50 });
    little.finish("root", 16_383);
    expect(little.live).toHaveLength(50);
    const transforms = new CoreRun(fanOf(9, { kind: "transform" }), { maxConcurrency: 50 });
    transforms.finish("root", HALF);
    expect(transforms.live).toHaveLength(9);
    const waiting = new CoreRun(fanOf(3), { maxConcurrency: 50 });
    waiting.finish("root", HALF);
    waiting.report("t0", { status: "waiting" });
    expect(waiting.live).toEqual(["t0", "t1", "t2"]);
  });

  test("does not let lesser tasks go before an urgent one that waits for room", () => {
    const flow = new CoreRun({ a: {}, b: {}, heavy: { after: ["a"] }, urgent: { after: ["a"], rank: 0 }, light: { after: ["b"] } }, { maxConcurrency: 10 });
    flow.finish("a", MAX_CARRIED_BYTES);
    flow.complete("b");
    expect(flow.live).toEqual(["urgent"]);
    flow.complete("urgent");
    expect(flow.live).toEqual(["heavy", "light"]);
  });
});

describe("dispatch", () => {
  test("has the object call a ready set that fits as a whole", () => {
    const flow = new CoreRun({ a: {}, b: {}, c: {}, d: { after: ["a"] }, e: { after: ["a"] } }, { settings: { objectMax: 4 } });
    expect(flow.dispatches.map(({ channel }) => channel)).toEqual(["object", "object", "object"]);
    flow.complete("a");
    expect(flow.dispatches.slice(3).map(({ channel }) => channel)).toEqual(["object", "object"]);
  });

  test("frees the object's calls when they end", () => {
    const flow = new CoreRun({ a: {}, b: { after: ["a"] }, c: {} }, { settings: { objectMax: 2 }, maxConcurrency: 2 });
    expect(flow.run.index.counts.inObject).toBe(2);
    flow.complete("a");
    expect(flow.dispatches.at(-1)).toEqual({ task: 1, attempt: 1, channel: "object" });
    flow.refs("lose", "b");
    expect(flow.run.index.counts.inObject).toBe(2);
  });

  test("gives a queued attempt longer to be claimed after each loss, up to five minutes", () => {
    const flow = new CoreRun({ a: {} }, { settings: QUEUED });
    const leasesMs: number[] = [];
    for (let loss = 0; loss <= 6; loss += 1) {
      leasesMs.push(flow.task("a").leaseUntil! - flow.now);
      flow.refs("lose", "a");
      flow.wait((flow.task("a").retryAt ?? flow.now) - flow.now);
    }
    expect(leasesMs).toEqual([15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
    expect(flow.dispatches[0]).toEqual({ task: 0, attempt: 1, channel: "queue" });
  });

  test("of a claimed attempt wakes the workflow at the lease's end, or at the timeout if that is earlier", () => {
    const flow = new CoreRun({ long: {}, short: { timeoutMs: 1_000 } }, { settings: QUEUED });
    expect(flow.refs("claim", "long").wakeBy).toBe(START + 10_000);
    expect(flow.refs("claim", "short").wakeBy).toBe(START + 6_000);
  });
});

test("whatever ends in whatever order, every task runs once its dependencies are done, and the workflow ends", () => {
  const graphs = fc.array(fc.array(fc.nat(20), { maxLength: 3 }), { minLength: 1, maxLength: 20 });
  const options = fc.record({ maxConcurrency: fc.integer({ min: 1, max: 5 }), scheduling: fc.constantFrom("eager" as const, "wave" as const) });
  fc.assert(
    fc.property(graphs, options, fc.infiniteStream(fc.nat(4)), (lists, settings, choices) => {
      const tasks = Object.fromEntries(lists.map((list, task) => [`t${task}`, { after: [...new Set(list.filter((other) => other < task).map((other) => `t${other}`))] }]));
      const flow = new CoreRun(tasks, settings);
      for (const choice of choices) {
        if (flow.status !== "running") break;
        const { live } = flow;
        expect(live.length).toBeGreaterThan(0);
        expect(live.length).toBeLessThanOrEqual(settings.maxConcurrency);
        flow.complete(live[choice % live.length]!);
      }
      expect(flow.status).toBe("completed");
      const place = new Map(flow.started.map((name, order) => [name, order]));
      expect(place.size).toBe(lists.length);
      for (const [name, { after }] of Object.entries(tasks)) for (const dependency of after) expect(place.get(dependency)).toBeLessThan(place.get(name)!);
    }),
    { numRuns: 200, seed: 7 },
  );
});
