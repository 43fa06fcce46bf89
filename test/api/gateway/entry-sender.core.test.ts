import { describe, expect, test } from "vitest";
import { createEntrySender, MAX_BATCH, MAX_WAITING, type EntrySenderDeps } from "../../../src/api/gateway/entry-sender.ts";
import type { GatewayEntry } from "../../../src/api/ports/stats-port.ts";

const entry = (id: string): GatewayEntry => ({ id, at: 0, tier: "weak", taskType: null, calls: [], failureCode: null, fallbacks: 0 });

/** A sender on a clock that stands still until it is told; `sleep` moves it. */
function createWorld(changes: Partial<EntrySenderDeps> = {}) {
  const sent: [string, string[]][] = [];
  const work: Promise<void>[] = [];
  const faults: unknown[] = [];
  const clock = { now: 1_000 };
  const { enter, flush } = createEntrySender({
    now: () => clock.now,
    sleep: async (ms) => void (clock.now += ms),
    send: async (tenant, entries) => void sent.push([tenant, entries.map(({ id }) => id)]),
    keepAlive: (promise) => void work.push(promise),
    onFault: (error) => void faults.push(error),
    ...changes,
  });
  return { enter, flush, sent, faults, clock, settled: () => Promise.all(work), deliveries: () => work.length };
}

describe("what the gateway called", () => {
  test("is sent in one batch for each tenant, a moment later, by one delivery", async () => {
    const { enter, sent, settled, deliveries } = createWorld();
    for (const id of ["1", "2", "3"]) enter("a", entry(id));
    enter("b", entry("4"));
    expect(sent).toEqual([]);
    await settled();
    expect(sent).toEqual([["a", ["1", "2", "3"]], ["b", ["4"]]]);
    expect(deliveries()).toBe(2);
  });

  test("is kept, in order, when the object cannot be reached, and goes with the next", async () => {
    let isDown = true;
    const got: string[] = [];
    const { enter, faults, settled } = createWorld({
      send: async (_, entries) => {
        if (isDown) throw new Error("away");
        got.push(...entries.map(({ id }) => id));
      },
    });
    enter("a", entry("1"));
    await settled();
    expect(faults).toHaveLength(1);
    isDown = false;
    enter("a", entry("2"));
    await settled();
    expect(got).toEqual(["1", "2"]);
  });

  test("is sent at once for who is about to read it, with what a delivery has under way", async () => {
    let release: () => void = () => undefined;
    const got: string[][] = [];
    const { enter, flush, settled } = createWorld({
      send: async (_, entries) => {
        got.push(entries.map(({ id }) => id));
        if (got.length === 1) await new Promise<void>((resolve) => (release = resolve));
      },
    });
    await flush("a");
    enter("a", entry("1"));
    await Promise.resolve();
    enter("a", entry("2"));
    await flush("b");
    expect(got).toEqual([["1"]]);
    await flush("a");
    expect(got).toEqual([["1"], ["1", "2"]]);
    release();
    await settled();
    await flush("a");
    expect(got).toHaveLength(2);
  });

  test("while more of it comes is not waited for without end", async () => {
    const got: string[][] = [];
    const { enter, flush } = createWorld({
      sleep: () => new Promise(() => undefined),
      send: async (_, entries) => {
        got.push(entries.map(({ id }) => id));
        enter("a", entry(`after ${got.length}`));
      },
    });
    enter("a", entry("1"));
    await flush("a");
    expect(got).toEqual([["1"]]);
  });

  test("is read without when it cannot be sent, and waits for the next request", async () => {
    const { enter, flush, faults, settled } = createWorld({ send: () => Promise.reject(new Error("away")) });
    enter("a", entry("1"));
    await flush("a");
    expect(faults).toHaveLength(1);
    await settled();
  });

  test("does not wait for ever on a delivery that died with its request", async () => {
    const { enter, sent, clock, deliveries } = createWorld({ sleep: () => new Promise(() => undefined) });
    enter("a", entry("1"));
    enter("a", entry("2"));
    expect(deliveries()).toBe(1);
    clock.now += 5_000;
    enter("a", entry("3"));
    expect(deliveries()).toBe(2);
    await Promise.resolve();
    expect(sent).toEqual([["a", ["1", "2", "3"]]]);
  });

  test("goes again when the delivery that took it died on the way", async () => {
    const batches: string[][] = [];
    const { enter, clock } = createWorld({
      send: async (_, entries) => {
        batches.push(entries.map(({ id }) => id));
        if (batches.length === 1) await new Promise(() => undefined);
      },
    });
    enter("a", entry("1"));
    await expect.poll(() => batches.length).toBe(1);
    enter("a", entry("2"));
    clock.now += 5_000;
    enter("a", entry("3"));
    await expect.poll(() => batches.length).toBe(2);
    expect(batches).toEqual([["1"], ["1", "2", "3"]]);
  });

  test(`goes ${MAX_BATCH} at a time, and of what waits for an object that cannot be reached the newest ${MAX_WAITING} are kept`, async () => {
    let isDown = true;
    const batches: string[][] = [];
    const { enter, settled, clock } = createWorld({
      send: async (_, entries) => {
        if (isDown) throw new Error("away");
        batches.push(entries.map(({ id }) => id));
      },
    });
    for (let id = 0; id <= MAX_WAITING; id += 1) enter("a", entry(String(id)));
    await settled();
    isDown = false;
    clock.now += 1_000;
    enter("a", entry("last"));
    await settled();
    const got = batches.flat();
    expect(Math.max(...batches.map(({ length }) => length))).toBe(MAX_BATCH);
    expect([got.length, got[0], got.at(-1)]).toEqual([MAX_WAITING, "2", "last"]);
  });
});
