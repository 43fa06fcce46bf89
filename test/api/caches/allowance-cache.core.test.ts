import { describe, expect, test } from "vitest";
import { createAllowanceCache } from "../../../src/api/caches/allowance-cache.ts";
import { NO_LIMITS, type Allowance } from "../../../src/config/tenant-record.ts";

const budgetOf = (maxNanoUsd: number): Allowance => ({ budget: { maxNanoUsd, period: "day" }, limits: NO_LIMITS });

function createWorld() {
  const world = { now: 0, isDown: false, max: 1, asked: [] as string[], faults: 0, work: [] as Promise<void>[] };
  const cache = createAllowanceCache({
    now: () => world.now,
    readOrigin: async (tenant) => {
      world.asked.push(tenant);
      if (world.isDown) throw new Error("away");
      return budgetOf(world.max);
    },
    keepAlive: (work) => void world.work.push(work),
    onFault: () => void (world.faults += 1),
  });
  return Object.assign(world, { cache });
}

describe("what a tenant may do", () => {
  test("is asked once, and then for each tenant by itself", async () => {
    const { cache, asked } = createWorld();
    for (const tenant of ["a", "a", "b", "a"]) expect(await cache.read(tenant)).toEqual(budgetOf(1));
    expect(asked).toEqual(["a", "b"]);
  });

  test("is read again after ten seconds while the copy still serves, by one request", async () => {
    const world = createWorld();
    await world.cache.read("a");
    world.now = 10_000;
    world.max = 2;
    expect(await Promise.all([world.cache.read("a"), world.cache.read("a")])).toEqual([budgetOf(1), budgetOf(1)]);
    expect(world.asked).toHaveLength(2);
    await Promise.all(world.work);
    expect(await world.cache.read("a")).toEqual(budgetOf(2));
  });

  test("is waited for where the copy is too old to bind", async () => {
    const world = createWorld();
    await world.cache.read("a");
    world.now = 50_000;
    world.max = 2;
    expect(await world.cache.read("a")).toEqual(budgetOf(2));
  });

  test("serves on for a while when the tenant's object cannot be reached, and then is unknown", async () => {
    const world = createWorld();
    await world.cache.read("a");
    world.isDown = true;
    world.now = 20_000;
    expect(await world.cache.read("a")).toEqual(budgetOf(1));
    await Promise.all(world.work);
    expect(await world.cache.read("a")).toEqual(budgetOf(1));
    expect([world.faults, world.asked.length]).toEqual([1, 3]);
    world.now = 50_000;
    await expect(world.cache.read("a")).rejects.toThrow("away");
  });

  test("that was read while it was changed here is read again", async () => {
    const { cache, asked } = createWorld();
    const reading = cache.read("a");
    cache.forget("a");
    await reading;
    await cache.read("a");
    expect(asked).toHaveLength(2);
  });

  test("is asked anew after a change that was made here", async () => {
    const { cache, asked } = createWorld();
    await cache.read("a");
    cache.forget("a");
    await cache.read("a");
    expect(asked).toHaveLength(2);
  });
});
