import { expect, test } from "vitest";
import { MAX_TENANTS, MAX_WOKEN, sweepStale, type SweepDeps } from "../../src/consumer/sweep-stale.ts";

const DAY_MS = 86_400_000;
const NOW = 10 * DAY_MS;

interface World {
  deps: SweepDeps;
  /** `tenant: before limit`, in order. */
  asked: string[];
  endedBefore: Set<number>;
  woken: string[];
  recovered: string[];
  forgotten: string[];
  log: unknown[];
}

/** `stale`: by tenant, how many workflows of it were silent; each is told of once. */
function createWorld(stale: Record<string, number>, changes: Partial<SweepDeps> = {}): World {
  const left = new Map(Object.entries(stale));
  const world: Omit<World, "deps"> = { asked: [], endedBefore: new Set(), woken: [], recovered: [], forgotten: [], log: [] };
  const deps: SweepDeps = {
    directory: {
      takeTenants: async (limit) => ({ active: Object.keys(stale).slice(0, limit), removing: [] }),
      forgetTenant: async (id, since) => void world.forgotten.push(`${id} ${since}`),
    },
    tenant: (id) => ({
      listStale: async (before, endedBefore, limit) => {
        world.endedBefore.add(endedBefore);
        world.asked.push(`${id}: ${before} ${limit}`);
        const count = Math.min(limit, left.get(id)!);
        left.set(id, left.get(id)! - count);
        return Array.from({ length: count }, (_, index) => `w${left.get(id)! + index}`);
      },
      recoverLeases: async () => void world.recovered.push(id),
      endTenant: async () => ({ isDone: false }),
    }),
    wake: async (tenant, workflowId) => void world.woken.push(`${tenant}:${workflowId}`),
    readRetentionMs: async () => DAY_MS,
    now: NOW,
    log: (event) => void world.log.push(event),
    ...changes,
  };
  return { deps, ...world };
}

function count(woken: readonly string[], tenant: string): number {
  return woken.filter((name) => name.startsWith(`${tenant}:`)).length;
}

test("asks every tenant for what was silent for ten minutes, each for the same share, and has it recover leases", async () => {
  const { deps, asked, woken, recovered } = createWorld({ default: 0, acme: 2, other: 1 });
  await sweepStale(deps);
  const share = Math.floor(MAX_WOKEN / 3);
  expect(asked).toEqual(["default", "acme", "other"].map((id) => `${id}: ${NOW - 600_000} ${share}`));
  expect(woken.sort()).toEqual(["acme:w0", "acme:w1", "other:w0"]);
  expect(recovered).toEqual(["default", "acme", "other"]);
});

test("has what should be gone woken an hour after it should, and wakes what is silent also where nobody can say how long things are kept", async () => {
  const well = createWorld({ default: 1 });
  await sweepStale(well.deps);
  expect([...well.endedBefore]).toEqual([NOW - DAY_MS - 3_600_000]);
  const unsure = createWorld({ default: 1 }, { readRetentionMs: () => Promise.reject(new Error("away")) });
  await sweepStale(unsure.deps);
  expect([...unsure.endedBefore]).toEqual([0]);
  expect(unsure.woken).toEqual(["default:w0"]);
  expect(unsure.log).toEqual([{ event: "sweep.failed", message: "Error: away" }]);
});

test("one tenant with very many takes no turn from another, and what the others do not need goes to it", async () => {
  const { deps, woken } = createWorld({ default: 3, flood: 10_000, other: 100 });
  await sweepStale(deps);
  expect([count(woken, "default"), count(woken, "other")]).toEqual([3, 100]);
  expect(woken).toHaveLength(MAX_WOKEN);
  expect(new Set(woken).size).toBe(woken.length);
});

test("makes fewer calls than an invocation may, however many tenants are behind", async () => {
  const tenants = Object.fromEntries(Array.from({ length: 2 * MAX_TENANTS }, (_, index) => [`t${index}`, 1_000]));
  const { deps, asked, woken, recovered } = createWorld(tenants);
  await sweepStale(deps);
  expect(woken.length).toBeLessThanOrEqual(MAX_WOKEN);
  expect(woken.length).toBeGreaterThan(MAX_WOKEN - MAX_TENANTS);
  expect(asked.length + woken.length + recovered.length).toBeLessThan(900);
});

test("wakes each once, a few side by side", async () => {
  let [running, most] = [0, 0];
  const woken: string[] = [];
  const { deps } = createWorld(
    { default: 120 },
    {
      wake: async (_tenant, workflowId) => {
        woken.push(workflowId);
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running -= 1;
      },
    },
  );
  await sweepStale(deps);
  expect(new Set(woken).size).toBe(120);
  expect(woken).toHaveLength(120);
  expect(most).toBe(25);
});

test("a tenant that does not answer, and a workflow that cannot be woken, are logged and hold up no other", async () => {
  const woken: string[] = [];
  const { deps, log } = createWorld(
    {},
    {
      directory: { takeTenants: async () => ({ active: ["broken", "well"], removing: [] }), forgetTenant: async () => undefined },
      tenant: (id) => ({
        listStale: async () => (id === "broken" ? Promise.reject(new Error("gone")) : ["a", "bad", "c"]),
        recoverLeases: async () => (id === "broken" ? Promise.reject(new Error("away")) : undefined),
        endTenant: async () => ({ isDone: true }),
      }),
      wake: async (_tenant, workflowId) => (workflowId === "bad" ? Promise.reject(new Error("overloaded")) : void woken.push(workflowId)),
    },
  );
  await sweepStale(deps);
  expect(woken).toEqual(["a", "c"]);
  expect(log).toEqual([
    { event: "sweep.failed", tenant: "broken", message: "Error: away" },
    { event: "sweep.failed", tenant: "broken", message: "Error: gone" },
    { event: "sweep.failed", tenant: "well", workflowId: "bad", message: "Error: overloaded" },
  ]);
});

test("goes on with removals, and frees the id of a tenant of which nothing is left", async () => {
  const asked: string[] = [];
  const { deps, forgotten, log } = createWorld({});
  deps.directory.takeTenants = async () => ({ active: [], removing: [{ id: "gone", since: 1 }, { id: "broken", since: 2 }, { id: "leaving", since: 3 }] });
  deps.tenant = (id) => ({
    listStale: async () => [],
    recoverLeases: async () => undefined,
    endTenant: async (since) => {
      asked.push(`${id} ${since}`);
      if (id === "broken") throw new Error("not now");
      return { isDone: id === "gone" };
    },
  });
  await sweepStale(deps);
  expect(asked).toEqual(["gone 1", "broken 2", "leaving 3"]);
  expect(forgotten).toEqual(["gone 1"]);
  expect(log).toEqual([{ event: "tenant.removal_failed", tenant: "broken", message: "Error: not now" }]);
});

test("never throws: what else the clock starts goes on", async () => {
  const { deps, log } = createWorld({});
  deps.directory.takeTenants = () => Promise.reject(new Error("no directory"));
  await sweepStale(deps);
  expect(log).toEqual([{ event: "sweep.failed", message: "Error: no directory" }]);
});
