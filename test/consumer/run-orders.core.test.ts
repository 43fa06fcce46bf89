import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ORDERS_PER_EXECUTOR, runOrders, splitOrders } from "../../src/consumer/run-orders.ts";
import type { Outcome, Report } from "../../src/consumer/work-order.ts";
import { completed, createOrder } from "./work-order-fixture.ts";

const orders = (count: number) => Array.from({ length: count }, (_, task) => createOrder(task));
const after = (ms: number, task: number): Promise<Outcome> => new Promise((resolve) => setTimeout(() => resolve(completed(task)), ms));
const tasksOf = (reports: readonly Report[]): number[] => reports.map(({ task }) => task);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("orders of one executor", () => {
  test("run side by side, and outcomes that come together come back together", async () => {
    const onReports = vi.fn(async () => undefined);
    const done = runOrders(orders(5), ({ task }) => after(10, task), onReports);
    await vi.advanceTimersByTimeAsync(20);
    expect(await done).toEqual(orders(5).map(({ task }) => ({ task, attempt: 1, outcome: completed(task) })));
    expect(onReports).not.toHaveBeenCalled();
  });

  test("pass early outcomes on while one hangs, and give the last ones back", async () => {
    const passed: number[][] = [];
    const done = runOrders(orders(4), ({ task }) => after([10, 10, 50, 5_000][task]!, task), async (reports) => void passed.push(tasksOf(reports)));
    await vi.advanceTimersByTimeAsync(100);
    expect(passed).toEqual([[0, 1], [2]]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(tasksOf(await done)).toEqual([3]);
  });

  test("lose nothing when an outcome cannot be passed on: it comes back with the rest", async () => {
    let calls = 0;
    const passed: number[] = [];
    const onReports = async (reports: Report[]) => {
      calls += 1;
      if (calls === 1) throw new Error("the object was reset");
      passed.push(...tasksOf(reports));
    };
    const done = runOrders(orders(4), ({ task }) => after([10, 50, 100, 5_000][task]!, task), onReports);
    await vi.advanceTimersByTimeAsync(6_000);
    const returned = tasksOf(await done);
    expect([...passed, ...returned].sort()).toEqual([0, 1, 2, 3]);
  });

  test("do not wait for a slow report with the calls, but with the answer", async () => {
    const finished: number[] = [];
    const done = runOrders(orders(2), async ({ task }) => {
      const outcome = await after(task === 0 ? 10 : 20, task);
      finished.push(task);
      return outcome;
    }, () => new Promise((resolve) => setTimeout(resolve, 1_000)));
    let isDone = false;
    void done.then(() => (isDone = true));
    await vi.advanceTimersByTimeAsync(30);
    expect([finished, isDone]).toEqual([[0, 1], false]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(tasksOf(await done)).toEqual([1]);
  });

  test("report every order exactly once, whatever the times and failures", async () => {
    const order = fc.record({ ms: fc.nat(60), fails: fc.boolean(), reportMs: fc.nat(20) });
    await fc.assert(fc.asyncProperty(fc.array(order, { minLength: 1, maxLength: 8 }), async (plan) => {
      const passed: number[] = [];
      let calls = 0;
      const onReports = async (reports: Report[]) => {
        const { fails, reportMs } = plan[calls % plan.length]!;
        calls += 1;
        await new Promise((resolve) => setTimeout(resolve, reportMs));
        if (fails) throw new Error("lost");
        passed.push(...tasksOf(reports));
      };
      const done = runOrders(orders(plan.length), ({ task }) => after(plan[task]!.ms, task), onReports);
      await vi.advanceTimersByTimeAsync(2_000);
      expect([...passed, ...tasksOf(await done)].sort((a, b) => a - b)).toEqual(plan.map((_entry, task) => task));
    }), { numRuns: 100 });
  });
});

test("orders are cut into what one executor takes, in order, none left out", () => {
  for (const [count, sizes] of [[0, []], [1, [1]], [ORDERS_PER_EXECUTOR, [ORDERS_PER_EXECUTOR]], [ORDERS_PER_EXECUTOR + 1, [ORDERS_PER_EXECUTOR, 1]], [3 * ORDERS_PER_EXECUTOR, [5, 5, 5]]] as const) {
    const parts = splitOrders(orders(count));
    expect(parts.map((part) => part.length)).toEqual(sizes);
    expect(parts.flat().map(({ task }) => task)).toEqual(orders(count).map(({ task }) => task));
  }
});
