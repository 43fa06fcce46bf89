import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { NO_ALLOWANCE, type TenantRecord } from "../../../../src/config/tenant-record.ts";
import { TenantStore } from "../../../../src/durable-objects/tenant/stores/tenant-store.ts";

const RECORD: TenantRecord = { id: "kept", createdAt: 1, state: "active", changedAt: 1, ...NO_ALLOWANCE };

test("a record that is kept in memory is forgotten with the transaction that wrote it, and with the tables that held it", async () => {
  await runInDurableObject(env.TENANT.getByName("kept"), async (_object, { storage }) => {
    const store = new TenantStore(storage, "kept");
    expect(store.record.find()).toBeNull();
    const writeAndFail = (): never => {
      store.record.write(RECORD);
      expect(store.record.find()).toEqual(RECORD);
      throw new Error("rolled back");
    };
    expect(() => store.transaction(writeAndFail)).toThrow("rolled back");
    expect(store.record.find()).toBeNull();
    store.record.write(RECORD);
    store.record.write({ ...RECORD, state: "removing" });
    expect(store.record.find()?.state).toBe("removing");
    await storage.deleteAll();
    store.migrate();
    expect(store.record.find()).toBeNull();
  });
});
