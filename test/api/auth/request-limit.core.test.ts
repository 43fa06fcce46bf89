import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRequestLimit, type RequestCounter } from "../../../src/api/auth/request-limit.ts";
import { NO_ALLOWANCE } from "../../../src/config/tenant-record.ts";
import { createTestApi } from "../fake-ports.ts";

/** Counters as the platform's: so many for each key in a minute by the clock. `offsetMs`: where its minutes begin. */
function createPlatform(clock: { now: number }, offsetMs = 0) {
  const counts = new Map<string, number>();
  const world = { taken: 0, isDown: false };
  const counters = [1, 10, 100, 1_000, 10_000].map((limit): RequestCounter => ({
    limit,
    take: async (key) => {
      if (world.isDown) throw new Error("away");
      world.taken += 1;
      const name = `${limit}/${key}/${Math.floor((clock.now + offsetMs) / 60_000)}`;
      const count = counts.get(name) ?? 0;
      if (count < limit) counts.set(name, count + 1);
      return count < limit;
    },
  }));
  return Object.assign(world, { counters });
}

function createWorld(offsetMs = 0) {
  const clock = { now: 60_000 * 1_000 };
  const faults: unknown[] = [];
  const platform = createPlatform(clock, offsetMs);
  const openIsolate = () => createRequestLimit(platform.counters, { now: () => clock.now, onFault: (error) => void faults.push(error) });
  return { clock, faults, platform, openIsolate };
}

async function countPassed(isolates: readonly ReturnType<typeof createRequestLimit>[], limit: number, requests: number, tenant = "a"): Promise<number> {
  let passed = 0;
  for (let index = 0; index < requests; index += 1) if ((await isolates[index % isolates.length]!.take(tenant, limit)) === null) passed += 1;
  return passed;
}

describe("a limit of requests", () => {
  test.each([1, 9, 10, 37, 100, 1_205, 12_003])("of %i a minute lets so many through, by one isolate or by several", async (limit) => {
    for (const isolates of [1, 3]) {
      const { openIsolate } = createWorld();
      expect(await countPassed(Array.from({ length: isolates }, openIsolate), limit, limit + 50)).toBe(limit);
    }
  });

  test("is for each tenant its own, and begins anew every minute", async () => {
    const { openIsolate, clock } = createWorld();
    const isolate = openIsolate();
    expect([await countPassed([isolate], 5, 9), await countPassed([isolate], 5, 9, "b")]).toEqual([5, 5]);
    clock.now += 60_000;
    expect(await countPassed([isolate], 5, 9)).toBe(5);
  });

  test("that one isolate used up says when the minute ends, and asks the platform nothing more", async () => {
    const { openIsolate, clock, platform } = createWorld();
    const isolate = openIsolate();
    await countPassed([isolate], 5, 5);
    clock.now += 12_345;
    const { taken } = platform;
    expect(await isolate.take("a", 5)).toEqual({ retryAfterMs: 60_000 - 12_345 });
    expect(platform.taken).toBe(taken);
  });

  test("that others used up is not asked about for five seconds, or until the minute ends", async () => {
    const { openIsolate, clock, platform } = createWorld();
    const [mine, other] = [openIsolate(), openIsolate()];
    await countPassed([other], 5, 5);
    expect(await mine.take("a", 5)).toEqual({ retryAfterMs: 5_000 });
    const { taken } = platform;
    expect(await mine.take("a", 5)).toEqual({ retryAfterMs: 5_000 });
    expect(platform.taken).toBe(taken);
    clock.now += 58_000;
    expect(await mine.take("a", 5)).toEqual({ retryAfterMs: 2_000 });
    clock.now += 2_000;
    expect(await mine.take("a", 5)).toBeNull();
  });

  test("holds where the platform's minutes begin elsewhere", async () => {
    const { openIsolate, clock } = createWorld(30_000);
    const isolates = [openIsolate(), openIsolate()];
    expect(await countPassed(isolates, 6, 12)).toBe(6);
    clock.now += 35_000;
    expect(await countPassed(isolates, 6, 12)).toBeLessThanOrEqual(6);
  });

  test("is counted by the isolate alone while the platform does not answer", async () => {
    const { openIsolate, platform, faults } = createWorld();
    platform.isDown = true;
    expect(await countPassed([openIsolate()], 5, 9)).toBe(5);
    expect(faults).toHaveLength(5);
  });

  test("that was changed binds as it is now", async () => {
    const { openIsolate } = createWorld();
    const isolate = openIsolate();
    expect(await countPassed([isolate], 10, 10)).toBe(10);
    expect(await countPassed([isolate], 5, 5)).toBe(0);
    expect(await countPassed([isolate], 15, 10)).toBeLessThanOrEqual(5);
  });

  test("lets never more through than it says, whatever it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 4 }), async (limit, isolates) => {
        const { openIsolate } = createWorld();
        const passed = await Promise.all(Array.from({ length: isolates }, openIsolate).map((isolate) => countPassed([isolate], limit, limit + 10)));
        expect(passed.reduce((sum, count) => sum + count, 0)).toBe(limit);
      }),
      { numRuns: 40 },
    );
  });
});

describe("a tenant with a limit", () => {
  async function createKeyWorld(allowances: Parameters<typeof createTestApi>[0] = {}) {
    const { ask, world } = createTestApi(allowances);
    await ask("POST", "/v1/tenants", { id: "acme" });
    const { key } = (await (await ask("POST", "/v1/tenants/acme/keys", {})).json()) as { key: string };
    return { ask, world, asTenant: (path: string, headers: Record<string, string> = {}) => ask("GET", path, undefined, { authorization: `Bearer ${key}`, ...headers }) };
  }
  const limits = { tasksPerSecond: null, concurrentTasks: null, requestsPerMinute: 2 };

  test("is answered 429 with Retry-After beyond it, in the shape of the path; the operator is not", async () => {
    const { ask, asTenant } = await createKeyWorld({ allowances: { read: async () => ({ budget: null, limits }), forget: () => undefined } });
    const statuses = [await asTenant("/v1/agents"), await asTenant("/v1/nothing"), await asTenant("/v1/agents")].map(({ status }) => status);
    expect(statuses).toEqual([200, 404, 429]);
    const refused = await asTenant("/v1/models");
    expect([refused.status, Number(refused.headers.get("retry-after"))]).toEqual([429, 60]);
    expect(await refused.json()).toEqual({ error: { message: expect.stringContaining("2 requests a minute"), type: "requests", param: null, code: "rate_limit_exceeded" } });
    expect((await ask("GET", "/v1/agents")).status).toBe(200);
    expect((await ask("GET", "/healthz")).status).toBe(200);
  });

  test("or none, whose record cannot be read, is served", async () => {
    const { asTenant } = await createKeyWorld({ allowances: { read: () => Promise.reject(new Error("away")), forget: () => undefined } });
    expect((await asTenant("/v1/agents")).status).toBe(200);
  });

  test("that the operator changes is known to the next request here", async () => {
    const forgotten: string[] = [];
    const { ask } = await createKeyWorld({ allowances: { read: async () => NO_ALLOWANCE, forget: (tenant) => void forgotten.push(tenant) } });
    expect((await ask("PATCH", "/v1/tenants/acme", { limits: { requestsPerMinute: 5 } })).status).toBe(200);
    expect((await ask("DELETE", "/v1/tenants/acme")).status).toBe(204);
    expect(forgotten).toEqual(["acme", "acme"]);
  });
});
