import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { DEFAULT_TIERS } from "../../src/config/default-tiers.ts";
import { DocumentCache, MAX_REFRESHES_PER_SECOND, type DocumentCacheDeps } from "../../src/config/document-cache.ts";
import type { StoredTiers, TierDocument } from "../../src/config/tiers.ts";

type CacheDeps = DocumentCacheDeps<TierDocument>;

const FRESH_MS = 10_000;
const version = (number: number): StoredTiers => ({ version: number, document: DEFAULT_TIERS });

function createCache(changes: Partial<CacheDeps> = {}) {
  let now = 1_000_000;
  const sleep = vi.fn(async (ms: number) => void (now += ms));
  const readReplica = vi.fn<CacheDeps["readReplica"]>(changes.readReplica ?? (async () => version(1)));
  const readOrigin = vi.fn<CacheDeps["readOrigin"]>(changes.readOrigin ?? (async () => version(2)));
  const writeReplica = vi.fn<CacheDeps["writeReplica"]>(changes.writeReplica ?? (async () => undefined));
  const cache = new DocumentCache<TierDocument>({ now: () => now, sleep, readReplica, readOrigin, writeReplica });
  return { cache, sleep, readReplica, readOrigin, writeReplica, pass: (ms: number) => void (now += ms) };
}

describe("an isolate's copy", () => {
  test("is read from the replica once while it is fresh, and again afterwards", async () => {
    const { cache, readReplica, readOrigin, pass } = createCache();
    expect((await cache.read()).version).toBe(1);
    pass(FRESH_MS - 1);
    await cache.read();
    expect(readReplica).toHaveBeenCalledTimes(1);
    pass(1);
    readReplica.mockResolvedValue(version(3));
    expect((await cache.read()).version).toBe(3);
    expect(readOrigin).not.toHaveBeenCalled();
  });

  test("comes from the object when there is no replica", async () => {
    const { cache, readOrigin } = createCache({ readReplica: async () => null });
    expect((await cache.read()).version).toBe(2);
    expect(readOrigin).toHaveBeenCalledTimes(1);
  });

  test("stays when it cannot be read again: stale models are better than none", async () => {
    const { cache, readReplica, pass } = createCache();
    await cache.read();
    pass(FRESH_MS);
    readReplica.mockRejectedValue(new Error("KV is away"));
    expect((await cache.read()).version).toBe(1);
    readReplica.mockResolvedValue(version(4));
    expect((await cache.read()).version).toBe(4);
  });

  test("that never was comes from the object when the replica cannot be read", async () => {
    const { cache } = createCache({ readReplica: () => Promise.reject(new Error("KV is away")) });
    expect((await cache.read()).version).toBe(2);
  });

  test("that never was cannot be made up: when nothing can be read, the error is passed on", async () => {
    const { cache } = createCache({ readReplica: () => Promise.reject(new Error("KV is away")), readOrigin: () => Promise.reject(new Error("the object is away")) });
    await expect(cache.read()).rejects.toThrow("the object is away");
  });

  test("never goes back to an older document that a replica still holds", async () => {
    const { cache, pass } = createCache();
    await cache.publish(version(5));
    pass(FRESH_MS);
    expect((await cache.read()).version).toBe(5);
  });
});

describe("a copy that nothing has confirmed for two minutes", () => {
  test("yields to the object's when its replica is older: its versions may have begun anew", async () => {
    const { cache, readOrigin, pass } = createCache();
    readOrigin.mockResolvedValue(version(1));
    await cache.publish(version(5));
    pass(120_000);
    expect((await cache.read()).version).toBe(5);
    pass(120_001);
    expect((await cache.read()).version).toBe(1);
  });

  test("yields however often it was read meanwhile", async () => {
    const { cache, readOrigin, pass } = createCache();
    readOrigin.mockResolvedValue(version(1));
    await cache.publish(version(5));
    for (let passed = 0; passed <= 120_000; passed += FRESH_MS) {
      pass(FRESH_MS);
      await cache.read();
    }
    expect((await cache.read()).version).toBe(1);
  });

  test("stays when the object has no other: a replica may be later than it says", async () => {
    const { cache, readOrigin, pass } = createCache();
    readOrigin.mockResolvedValue(version(5));
    await cache.publish(version(5));
    readOrigin.mockClear();
    for (let passed = 0; passed < 240_000; passed += FRESH_MS) {
      pass(FRESH_MS);
      expect((await cache.read()).version).toBe(5);
    }
    expect(readOrigin).toHaveBeenCalledTimes(1);
  });

  test("yields although the request that was reading it again has not ended, or never will", async () => {
    const { cache, readReplica, pass } = createCache();
    await cache.publish(version(5));
    pass(120_001);
    readReplica.mockReturnValueOnce(new Promise(() => undefined));
    void cache.read();
    await cache.publish(version(1));
    expect((await cache.read()).version).toBe(2);
  });

  test("yields to what is published under the same name, too", async () => {
    const { cache, writeReplica, pass } = createCache();
    await cache.publish(version(5));
    pass(120_001);
    writeReplica.mockRejectedValueOnce(new Error("one write a second"));
    await cache.publish(version(1));
    expect((await cache.read()).version).not.toBe(5);
    expect(writeReplica.mock.calls.map(([stored]) => stored.version)).toEqual([5, 1, 2]);
  });
});

describe("a published document", () => {
  test("is seen by the next read here, and replicated", async () => {
    const { cache, readReplica, writeReplica } = createCache();
    await cache.read();
    await cache.publish(version(7));
    expect((await cache.read()).version).toBe(7);
    expect(readReplica).toHaveBeenCalledTimes(1);
    expect(writeReplica).toHaveBeenCalledExactlyOnceWith(version(7));
  });

  test("is replicated although another was within the same second, which the store refuses", async () => {
    const { cache, readOrigin, writeReplica } = createCache();
    await cache.publish(version(7));
    writeReplica.mockRejectedValueOnce(new Error("one write a second"));
    readOrigin.mockResolvedValue(version(8));
    await cache.publish(version(8));
    expect(writeReplica.mock.calls.map(([stored]) => stored.version)).toEqual([7, 8, 8]);
  });

  test("does not go over a newer one that another isolate wrote while it waited", async () => {
    const { cache, readOrigin, writeReplica } = createCache();
    writeReplica.mockRejectedValueOnce(new Error("one write a second"));
    readOrigin.mockResolvedValue(version(9));
    await cache.publish(version(8));
    expect(writeReplica.mock.calls.map(([stored]) => stored.version)).toEqual([8, 9]);
    expect((await cache.read()).version).toBe(9);
  });

  test("does not go over a newer one that another isolate wrote just before it", async () => {
    const { cache, readOrigin, writeReplica } = createCache();
    readOrigin.mockResolvedValue(version(9));
    await cache.publish(version(8));
    expect(writeReplica.mock.calls.map(([stored]) => stored.version)).toEqual([8, 9]);
    expect((await cache.read()).version).toBe(9);
  });

  test("gives way to that newer one although the store takes no second write within the same second", async () => {
    const { cache, readOrigin, writeReplica } = createCache();
    readOrigin.mockResolvedValue(version(9));
    writeReplica.mockResolvedValueOnce(undefined).mockRejectedValueOnce(new Error("one write a second"));
    await cache.publish(version(8));
    expect(writeReplica.mock.calls.map(([stored]) => stored.version)).toEqual([8, 9, 9]);
  });

  test("does not go over a newer one of this isolate that overtook it", async () => {
    const { cache, readOrigin, writeReplica } = createCache();
    readOrigin.mockResolvedValue(version(8));
    await cache.publish(version(8));
    await cache.publish(version(7));
    expect(writeReplica.mock.calls.at(-1)).toEqual([version(8)]);
    expect((await cache.read()).version).toBe(8);
  });

  test("is written once more where an older one of this isolate landed behind it, also after a refusal", async () => {
    const { cache, readOrigin, writeReplica } = createCache({ readReplica: async () => null, readOrigin: async () => version(1) });
    const landed: number[] = [];
    const older = Promise.withResolvers<void>();
    writeReplica.mockImplementation(async ({ version: written }) => void landed.push(written));
    writeReplica.mockImplementationOnce(async () => older.promise.then(() => void landed.push(1)));
    const refreshed = cache.refresh();
    await expect.poll(() => writeReplica.mock.calls.length).toBe(1);
    readOrigin.mockResolvedValue(version(2));
    await cache.publish(version(2));
    writeReplica.mockRejectedValueOnce(new Error("one write a second"));
    older.resolve();
    await refreshed;
    expect(landed).toEqual([2, 1, 2]);
  });

  test("is replicated though the object cannot be asked afterwards whether there is a newer one", async () => {
    const { cache, writeReplica } = createCache({ readOrigin: () => Promise.reject(new Error("the object is away")) });
    await cache.publish(version(7));
    expect(writeReplica).toHaveBeenCalledExactlyOnceWith(version(7));
  });

  test("is not written again when the next one has been written meanwhile", async () => {
    const { cache, sleep, writeReplica } = createCache();
    writeReplica.mockRejectedValueOnce(new Error("one write a second"));
    sleep.mockImplementationOnce(async () => {
      await cache.publish(version(8));
      return undefined;
    });
    await cache.publish(version(7));
    expect(writeReplica.mock.calls.map(([stored]) => stored.version)).toEqual([7, 8]);
  });

  test("is seen here even if it cannot be replicated for seconds, and the caller hears of that", async () => {
    const { cache } = createCache({ writeReplica: () => Promise.reject(new Error("KV is away")) });
    await expect(cache.publish(version(7))).rejects.toThrow("KV is away");
    expect((await cache.read()).version).toBe(7);
  });
});

describe("what the copy does not know", () => {
  test("is asked of the object, and replicated if it is newer", async () => {
    const { cache, readOrigin, writeReplica } = createCache();
    await cache.read();
    expect((await cache.refresh()).version).toBe(2);
    expect((await cache.read()).version).toBe(2);
    readOrigin.mockClear();
    await cache.refresh();
    expect(readOrigin).toHaveBeenCalledTimes(1);
    expect(writeReplica).toHaveBeenCalledExactlyOnceWith(version(2));
  });

  test("is known although it cannot be replicated", async () => {
    const { cache } = createCache({ writeReplica: () => Promise.reject(new Error("one write a second")) });
    expect((await cache.refresh()).version).toBe(2);
  });

  test(`is asked for at most ${MAX_REFRESHES_PER_SECOND} times a second, so that made-up names wear no object out`, async () => {
    const { cache, readOrigin, pass } = createCache({ readOrigin: async () => version(1) });
    await cache.read();
    for (let asked = 0; asked <= MAX_REFRESHES_PER_SECOND; asked += 1) await cache.refresh();
    expect(readOrigin).toHaveBeenCalledTimes(MAX_REFRESHES_PER_SECOND);
    pass(1_000);
    await cache.refresh();
    expect(readOrigin).toHaveBeenCalledTimes(MAX_REFRESHES_PER_SECOND + 1);
  });
});

describe("isolates that write and read at once", () => {
  const ISOLATES = 3;

  /** Isolates with one object and one replica between them, whose calls end in any order. */
  function openIsolates(scheduler: fc.Scheduler, refusals: boolean[]) {
    let now = 1_000_000;
    const world = { origin: 0, replica: null as number | null };
    const isolates = Array.from({ length: ISOLATES }, () => new DocumentCache<TierDocument>({
      now: () => now,
      sleep: (ms) => scheduler.schedule(Promise.resolve(ms), "sleep"),
      readReplica: async () => {
        const read = world.replica;
        await scheduler.schedule(Promise.resolve(), "readReplica");
        return read === null ? null : version(read);
      },
      readOrigin: async () => {
        await scheduler.schedule(Promise.resolve(), "ask");
        const read = world.origin;
        await scheduler.schedule(Promise.resolve(), "answer");
        return version(read);
      },
      writeReplica: async ({ version: written }) => {
        await scheduler.schedule(Promise.resolve(), "writeReplica");
        if (refusals.pop() === true) throw new Error("one write a second");
        world.replica = written;
      },
    }));
    return { world, isolates, pass: (ms: number) => void (now += ms) };
  }

  test("have all the newest document in the end, and each never an older one than it put itself", async () => {
    const operation = fc.record({ kind: fc.constantFrom("put", "read", "refresh"), isolate: fc.nat(ISOLATES - 1) });
    // Five tries of one write are not all refused.
    const refusals = fc.array(fc.boolean(), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(operation, { minLength: 1, maxLength: 10 }), refusals, async (scheduler, operations, refused) => {
        const { world, isolates, pass } = openIsolates(scheduler, [...refused]);
        const work = operations.map(async ({ kind, isolate }) => {
          const cache = isolates[isolate]!;
          await scheduler.schedule(Promise.resolve(), kind);
          if (kind === "read") return void (await cache.read());
          if (kind === "refresh") return void (await cache.refresh());
          const put = (world.origin += 1);
          const published = cache.publish(version(put));
          expect((await cache.read()).version).toBeGreaterThanOrEqual(put);
          await published;
        });
        await scheduler.waitFor(Promise.all(work));
        pass(120_001);
        for (const cache of isolates) expect((await scheduler.waitFor(cache.read())).version).toBe(world.origin);
      }),
      { numRuns: 500 },
    );
  });
});
