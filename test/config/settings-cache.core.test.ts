import { expect, test } from "vitest";
import { DocumentCache, type StoredDocument } from "../../src/config/document-cache.ts";
import { createSettingsCache, MAX_TENANTS } from "../../src/config/settings-cache.ts";
import type { SettingsLayer } from "../../src/config/settings-layers.ts";
import { readSettings } from "../../src/config/settings.ts";

function openCache() {
  const clock = { now: 1_000_000 };
  let stored: StoredDocument<SettingsLayer> = { version: 0, document: {} };
  const cache = createSettingsCache({
    base: readSettings(undefined),
    operator: "default",
    openLayer: () => new DocumentCache<SettingsLayer>({ now: () => clock.now, sleep: async () => undefined, readReplica: async () => stored, readOrigin: async () => stored, writeReplica: async (newest) => void (stored = newest) }),
  });
  return { clock, cache };
}

test("settings are fresh once they were read, and until a read would ask for them again", async () => {
  const { clock, cache } = openCache();
  expect(cache.isFresh()).toBe(false);
  await cache.read("default");
  expect(cache.isFresh()).toBe(true);
  clock.now += 10_000;
  expect(cache.isFresh()).toBe(false);
});

test("settings that were stored here are not taken for those that were read before", async () => {
  const { cache } = openCache();
  await cache.read("default");
  await cache.publish("default", { version: 1, document: { dispatch: { leaseMs: 12_345 } } });
  expect(cache.isFresh()).toBe(false);
  await cache.read("default");
  expect(cache.isFresh()).toBe(true);
  expect(cache.peek().dispatch.leaseMs).toBe(12_345);
});

test(`settings of ${MAX_TENANTS} tenants are held, the operator's among them; of more, those that were asked for longest ago are read again`, async () => {
  const opened: string[] = [];
  const layer: StoredDocument<SettingsLayer> = { version: 1, document: {} };
  const cache = createSettingsCache({
    base: readSettings(undefined),
    operator: "default",
    openLayer: (tenant) => {
      opened.push(tenant);
      return new DocumentCache<SettingsLayer>({ now: () => 1_000_000, sleep: async () => undefined, readReplica: async () => layer, readOrigin: async () => layer, writeReplica: async () => undefined });
    },
  });
  const others = MAX_TENANTS - 1;
  for (let index = 0; index < others; index += 1) await cache.read(`t${index}`);
  await cache.read("t0");
  expect(opened).toHaveLength(MAX_TENANTS);
  await cache.read("one more");
  await cache.read("t0");
  expect(opened).toHaveLength(MAX_TENANTS + 1);
  await cache.read("t1");
  expect(opened.slice(-2)).toEqual(["one more", "t1"]);
});
