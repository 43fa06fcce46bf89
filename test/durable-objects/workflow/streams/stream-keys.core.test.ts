import { expect, test } from "vitest";
import { KEY_CHECK_MS, StreamKeys } from "../../../../src/durable-objects/workflow/streams/stream-keys.ts";

function createKeys() {
  const world = { now: 1_000, asked: [] as string[], revoked: new Set<string>(), isAway: false, faults: 0 };
  const keys = new StreamKeys({
    now: () => world.now,
    isInForce: async (keyId) => {
      world.asked.push(keyId);
      if (world.isAway) throw new Error("the tenant's object is away");
      return !world.revoked.has(keyId);
    },
    onFault: () => (world.faults += 1),
  });
  return { world, keys };
}

test("a key is asked about twice a minute at most, by all of its streams together", async () => {
  const { world, keys } = createKeys();
  expect(await Promise.all([keys.isInForce("key_1"), keys.isInForce("key_1"), keys.isInForce("key_2")])).toEqual([true, true, true]);
  world.revoked.add("key_1");
  world.now += KEY_CHECK_MS - 1;
  expect(await keys.isInForce("key_1")).toBe(true);
  world.now += 1;
  expect(await keys.isInForce("key_1")).toBe(false);
  expect(world.asked).toEqual(["key_1", "key_2", "key_1"]);
});

test("a tenant's object that cannot be asked ends no stream, and is asked again by what is shown next", async () => {
  const { world, keys } = createKeys();
  world.isAway = true;
  expect(await keys.isInForce("key_1")).toBe(true);
  world.isAway = false;
  world.revoked.add("key_1");
  expect(await keys.isInForce("key_1")).toBe(false);
  expect([world.asked.length, world.faults]).toEqual([2, 1]);
});
