import { expect, test } from "vitest";
import { sweepStale, type SweepDeps } from "../../src/consumer/sweep-stale.ts";

const NOW = 10_000_000;

function createDeps(changes: Partial<SweepDeps>): { deps: SweepDeps; asked: number[][]; woken: string[]; log: unknown[] } {
  const asked: number[][] = [];
  const woken: string[] = [];
  const log: unknown[] = [];
  const deps: SweepDeps = {
    listStale: async (before, limit) => {
      asked.push([before, limit]);
      return [];
    },
    wake: async (workflowId) => void woken.push(workflowId),
    recoverLeases: async () => undefined,
    now: NOW,
    log: (event) => void log.push(event),
    ...changes,
  };
  return { deps, asked, woken, log };
}

test("asks for what was silent for ten minutes, and for no more than an invocation may call", async () => {
  const { deps, asked } = createDeps({});
  await sweepStale(deps);
  expect(asked).toEqual([[NOW - 600_000, 500]]);
});

test("wakes each once, a few side by side", async () => {
  const ids = Array.from({ length: 120 }, (_, index) => `w${index}`);
  let [running, most] = [0, 0];
  const woken: string[] = [];
  const { deps } = createDeps({
    listStale: async () => ids,
    wake: async (workflowId) => {
      woken.push(workflowId);
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running -= 1;
    },
  });
  await sweepStale(deps);
  expect(woken).toEqual(ids);
  expect(most).toBe(25);
});

test("one that cannot be woken is logged and holds up no other", async () => {
  const woken: string[] = [];
  const { deps, log } = createDeps({
    listStale: async () => ["a", "bad", "c"],
    wake: async (workflowId) => (workflowId === "bad" ? Promise.reject(new Error("overloaded")) : void woken.push(workflowId)),
  });
  await sweepStale(deps);
  expect(woken).toEqual(["a", "c"]);
  expect(log).toEqual([{ event: "sweep.failed", workflowId: "bad", message: "Error: overloaded" }]);
});

test("leases of vanished workflows are recovered, and a failure to do so holds up nobody", async () => {
  const woken: string[] = [];
  const { deps, log } = createDeps({ listStale: async () => ["a"], wake: async (workflowId) => void woken.push(workflowId), recoverLeases: () => Promise.reject(new Error("away")) });
  await sweepStale(deps);
  expect(woken).toEqual(["a"]);
  expect(log).toEqual([{ event: "sweep.failed", message: "Error: away" }]);
});
