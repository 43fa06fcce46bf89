import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ExecutorPort } from "../../src/consumer/attempt-port.ts";
import { AttemptRunner } from "../../src/consumer/attempt-runner.ts";
import { ORDERS_PER_EXECUTOR } from "../../src/consumer/run-orders.ts";
import type { AttemptRef, Report, WorkOrder } from "../../src/consumer/work-order.ts";
import type { LogEvent } from "../../src/log.ts";
import { completed, createOrder } from "./work-order-fixture.ts";

const RENEW_EVERY_MS = 3_000;

interface Recorded {
  renewals: { name: string; tasks: number[] }[];
  reports: { name: string; tasks: number[] }[];
  runs: number[];
  log: string[];
}

function createRunner(run: ExecutorPort["run"], verbs: { report?: () => Promise<void>; renew?: () => Promise<void> } = {}): { runner: AttemptRunner; seen: Recorded } {
  const seen: Recorded = { renewals: [], reports: [], runs: [], log: [] };
  const runner = new AttemptRunner({
    executor: () => ({
      run: (orders, onReports) => {
        seen.runs.push(orders.length);
        return run(orders, onReports);
      },
    }),
    workflow: (tenant, workflowId) => ({
      renew: async (refs: AttemptRef[]) => {
        seen.renewals.push({ name: `${tenant}:${workflowId}`, tasks: refs.map(({ task }) => task) });
        await verbs.renew?.();
        return refs;
      },
      report: async (reports: Report[]) => {
        seen.reports.push({ name: `${tenant}:${workflowId}`, tasks: reports.map(({ task }) => task) });
        await verbs.report?.();
      },
    }),
    renewEveryMs: RENEW_EVERY_MS,
    log: (event: LogEvent) => void seen.log.push(event.event),
  });
  return { runner, seen };
}

const reportsOf = (orders: readonly WorkOrder[]): Report[] => orders.map(({ task, attempt }) => ({ task, attempt, outcome: completed(task) }));
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const ordersOf = (count: number, changes: Partial<WorkOrder> = {}): WorkOrder[] => Array.from({ length: count }, (_, task) => createOrder(task, changes));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a runner", () => {
  test("gives each executor what it takes, reports early and last outcomes, and stops its timer at the end", async () => {
    const { runner, seen } = createRunner(async (orders, onReports) => {
      await onReports(reportsOf(orders.slice(0, 1)));
      return reportsOf(orders.slice(1));
    });
    await runner.run(ordersOf(ORDERS_PER_EXECUTOR + 1));
    expect(seen.runs).toEqual([ORDERS_PER_EXECUTOR, 1]);
    expect(seen.reports.flatMap(({ tasks }) => tasks).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(seen.reports.every(({ tasks }) => tasks.length > 0)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("renews all attempts of a workflow in one call, also of several batches, as long as they run", async () => {
    const { runner, seen } = createRunner(async (orders) => after(orders[0]!.workflowId === "wf_2" ? 4_000 : 10_000).then(() => reportsOf(orders)));
    const done = [
      runner.run(ordersOf(2)),
      runner.run([createOrder(7)]),
      runner.run(ordersOf(1, { workflowId: "wf_2", tenant: "acme" })),
    ];
    await vi.advanceTimersByTimeAsync(RENEW_EVERY_MS);
    expect(seen.renewals).toEqual([{ name: "default:wf_1", tasks: [0, 1, 7] }, { name: "acme:wf_2", tasks: [0] }]);
    await vi.advanceTimersByTimeAsync(RENEW_EVERY_MS);
    expect(seen.renewals.slice(2)).toEqual([{ name: "default:wf_1", tasks: [0, 1, 7] }]);
    await vi.advanceTimersByTimeAsync(10_000);
    await Promise.all(done);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("goes on when a renewal fails", async () => {
    const { runner, seen } = createRunner((orders) => after(7_000).then(() => reportsOf(orders)), { renew: () => Promise.reject(new Error("reset")) });
    const done = runner.run(ordersOf(1));
    await vi.advanceTimersByTimeAsync(7_000);
    await done;
    expect(seen.log).toEqual(["renewal.failed", "renewal.failed"]);
    expect(seen.reports).toHaveLength(1);
  });

  test("reports again until it is heard, and keeps the lease meanwhile", async () => {
    let failures = 3;
    const { runner, seen } = createRunner(async (orders) => reportsOf(orders), { report: () => ((failures -= 1) >= 0 ? Promise.reject(new Error("reset")) : Promise.resolve()) });
    const done = runner.run(ordersOf(1));
    await vi.advanceTimersByTimeAsync(5_000);
    await done;
    expect(seen.reports).toEqual(Array.from({ length: 4 }, () => ({ name: "default:wf_1", tasks: [0] })));
  });

  test("gives up after its last try: the lease brings the attempt back", async () => {
    const { runner, seen } = createRunner(async (orders) => reportsOf(orders), { report: () => Promise.reject(new Error("gone")) });
    const done = runner.run(ordersOf(1));
    await vi.advanceTimersByTimeAsync(20_000);
    await done;
    expect(seen.reports).toHaveLength(5);
    expect(seen.renewals.length).toBeGreaterThan(0);
    const renewals = seen.renewals.length;
    await vi.advanceTimersByTimeAsync(20_000);
    expect([seen.renewals.length, vi.getTimerCount()]).toEqual([renewals, 0]);
  });

  test("an executor that dies takes only its own orders with it", async () => {
    const { runner, seen } = createRunner(async (orders) => {
      if (orders[0]!.task === 0) throw new Error("the invocation was cut off");
      await after(10_000);
      return reportsOf(orders);
    });
    const done = runner.run(ordersOf(ORDERS_PER_EXECUTOR + 2));
    await vi.advanceTimersByTimeAsync(10_000);
    await done;
    expect(seen.log).toEqual(["executor.failed"]);
    expect(seen.reports).toEqual([{ name: "default:wf_1", tasks: [5, 6] }]);
  });

  test("does not renew attempts whose executor died: they would hang until their timeout", async () => {
    const { runner, seen } = createRunner(async (orders) => {
      if (orders[0]!.task === 0) throw new Error("the invocation was cut off");
      await after(10_000);
      return reportsOf(orders);
    });
    const done = runner.run(ordersOf(ORDERS_PER_EXECUTOR + 2));
    await vi.advanceTimersByTimeAsync(10_000);
    await done;
    expect(seen.renewals.flatMap(({ tasks }) => tasks).filter((task) => task < ORDERS_PER_EXECUTOR)).toEqual([]);
  });
});
