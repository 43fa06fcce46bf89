import { describe, expect, test } from "vitest";
import { formatKey, hashKey, tenantOfKey } from "../../../src/api/auth/key-format.ts";
import { createKeyCheck, KEY_FRESH_MS } from "../../../src/api/auth/key-check.ts";
import type { KeyReplica } from "../../../src/api/ports/key-port.ts";
import { createKnownTenants } from "../../../src/api/caches/known-tenants.ts";
import { RequestRefused } from "../../../src/api/http/problem.ts";
import type { LogEvent } from "../../../src/log.ts";

const random = (n: number): string => String(n).padStart(32, "0");
const keyOf = (n: number, tenant = "acme"): string => formatKey(tenant, random(n));

/** Sources as they are for one isolate: a replica, the directory and the tenants' objects. */
function createSources() {
  const state = {
    now: 1_000_000,
    replicas: new Map<string, KeyReplica>(),
    /** What the tenants' objects know. */
    keys: new Map<string, KeyReplica>(),
    tenants: new Set(["acme"]),
    calls: [] as string[],
    noted: [] as string[],
    log: [] as LogEvent[],
    fail: null as string | null,
  };
  const ask = async (name: string): Promise<void> => {
    state.calls.push(name);
    if (state.fail !== null && name.startsWith(state.fail)) throw new Error(`${name} is away`);
  };
  const background: Promise<void>[] = [];
  const tenants = createKnownTenants({
    now: () => state.now,
    directory: () => ({
      hasTenant: async (id) => {
        await ask(`directory ${id}`);
        return state.tenants.has(id);
      },
    }),
  });
  const check = createKeyCheck(
    {
      now: () => state.now,
      readKeyReplica: async (hash) => {
        await ask("replica");
        return state.replicas.get(hash) ?? null;
      },
      tenant: (tenant) => ({
        findKey: async (hash) => {
          await ask(`object ${tenant}`);
          return state.keys.get(hash) ?? null;
        },
        noteKeyUse: async (id, at) => {
          await ask("note");
          state.noted.push(`${id} ${at - 1_000_000}`);
          return [...state.keys.values()].some((grant) => grant.id === id);
        },
      }),
      keepAlive: (work) => void background.push(work),
      log: (event) => void state.log.push(event),
    },
    tenants,
  );
  const add = async (key: string, where: "both" | "object" | "replica" = "both"): Promise<string> => {
    const [hash, grant] = [await hashKey(key), { tenant: tenantOfKey(key)!, id: `key_${key.slice(-4)}`, scopes: ["gateway" as const] }];
    if (where !== "replica") state.keys.set(hash, grant);
    if (where !== "object") state.replicas.set(hash, grant);
    return hash;
  };
  return { state, check, add, background };
}

describe("what is no key", () => {
  test.each(["", "x", "wk_", "wk_acme", `wk__${random(1)}`, `wk_Acme_${random(1)}`, `wk_a--b_${random(1)}`, `wk_-a_${random(1)}`, `wk_${"a".repeat(33)}_${random(1)}`, `wk_acme_${random(1)}0`, `wk_acme_${"_".repeat(32)}`, ` wk_acme_${random(1)}`, `wk_acme_${random(1)}\n`])("is refused without asking anybody: %j", async (key) => {
    const { state, check } = createSources();
    expect(await check.read(key)).toBeNull();
    expect(state.calls).toEqual([]);
  });

  test.each(["a", "acme", "a-b-c", "a".repeat(32)])("a key of %s names its tenant", (tenant) => {
    expect(tenantOfKey(formatKey(tenant, random(7)))).toBe(tenant);
  });
});

describe("a key in force", () => {
  test("is read from its replica once in ten seconds, whatever it is used for", async () => {
    const { state, check, add } = createSources();
    await add(keyOf(1));
    for (let time = 0; time < 5; time += 1) expect(await check.read(keyOf(1))).toMatchObject({ tenant: "acme", id: "key_0001", scopes: ["gateway"] });
    expect(state.calls.filter((name) => name !== "note")).toEqual(["replica"]);
    state.now += KEY_FRESH_MS;
    await check.read(keyOf(1));
    expect(state.calls.filter((name) => name !== "note")).toEqual(["replica", "replica"]);
  });

  test("that no replica knows yet is found in its tenant's object", async () => {
    const { state, check, add } = createSources();
    await add(keyOf(1), "object");
    expect(await check.read(keyOf(1))).toMatchObject({ id: "key_0001" });
    expect(state.calls.slice(0, 3)).toEqual(["replica", "directory acme", "object acme"]);
  });

  test("that is revoked elsewhere stops here ten seconds after its replica is gone", async () => {
    const { state, check, add } = createSources();
    const hash = await add(keyOf(1));
    await check.read(keyOf(1));
    state.replicas.delete(hash);
    state.keys.delete(hash);
    state.now += KEY_FRESH_MS - 1;
    expect(await check.read(keyOf(1))).not.toBeNull();
    state.now += 1;
    expect(await check.read(keyOf(1))).toBeNull();
  });

  test.each(["key_0001", "acme"])("stops here at once when %s is ended here, even while a replica still knows it", async (ended) => {
    const { state, check, add } = createSources();
    await add(keyOf(1));
    await add(keyOf(2, "other"));
    state.tenants.add("other");
    await check.read(keyOf(1));
    const underway = check.read(keyOf(1));
    check.end(ended);
    await underway;
    expect(await check.read(keyOf(1))).toBeNull();
    state.now += KEY_FRESH_MS;
    expect(await check.read(keyOf(1))).toBeNull();
    expect(await check.read(keyOf(2, "other"))).not.toBeNull();
  });

  test("goes on for those who come while it is read again, but not for ever", async () => {
    const { state, check, add } = createSources();
    const hash = await add(keyOf(1));
    await check.read(keyOf(1));
    state.replicas.delete(hash);
    state.keys.delete(hash);
    state.now += KEY_FRESH_MS;
    const [first, second] = [check.read(keyOf(1)), check.read(keyOf(1))];
    expect([await first, (await second)?.id]).toEqual([null, "key_0001"]);
    expect(await check.read(keyOf(1))).toBeNull();
  });

  test("is looked for in its tenant's object when its replica cannot be read", async () => {
    const { state, check, add } = createSources();
    const hash = await add(keyOf(1));
    state.fail = "replica";
    expect(await check.read(keyOf(1))).toMatchObject({ id: "key_0001" });
    expect(state.log).toMatchObject([{ event: "key.read_failed" }]);
    state.keys.delete(hash);
    state.now += KEY_FRESH_MS;
    expect(await check.read(keyOf(1))).toBeNull();
  });

  test("is read again by the next request when nothing could be read", async () => {
    const { state, check, add } = createSources();
    const hash = await add(keyOf(1));
    await check.read(keyOf(1));
    state.now += 10_000;
    state.fail = "";
    await expect(check.read(keyOf(1))).rejects.toThrow("away");
    state.fail = null;
    state.replicas.delete(hash);
    state.keys.delete(hash);
    expect(await check.read(keyOf(1))).toBeNull();
  });

  test("is not believed any longer when nothing can be read", async () => {
    const { state, check, add } = createSources();
    await add(keyOf(1));
    await check.read(keyOf(1));
    state.now += KEY_FRESH_MS;
    state.fail = "";
    await expect(check.read(keyOf(1))).rejects.toThrow("away");
    state.fail = null;
    expect(await check.read(keyOf(1))).not.toBeNull();
  });

  test("that is revoked elsewhere stops here within forty seconds of use, even if its replica never goes", async () => {
    const { state, check, add, background } = createSources();
    const hash = await add(keyOf(1));
    await check.read(keyOf(1));
    state.keys.delete(hash);
    state.now += 30_000;
    expect(await check.read(keyOf(1))).not.toBeNull();
    await Promise.all(background);
    for (let minute = 0; minute < 5; minute += 1) {
      expect(await check.read(keyOf(1))).toBeNull();
      state.now += 60_000;
    }
  });

  test("of a tenant that was removed here is none, but one of a later tenant of its id is", async () => {
    const { state, check, add } = createSources();
    await add(keyOf(1));
    check.end("acme");
    expect(await check.read(keyOf(1))).toBeNull();
    state.now += 300_000;
    await add(keyOf(2));
    expect(await check.read(keyOf(2))).not.toBeNull();
  });

  test("is noted as used at most twice a minute, and a failure to note it lets it in all the same", async () => {
    const { state, check, add, background } = createSources();
    await add(keyOf(1));
    for (const passed of [0, 5_000, 20_000, 4_999, 1, 30_000]) {
      state.now += passed;
      await check.read(keyOf(1));
    }
    expect(state.noted).toEqual(["key_0001 0", "key_0001 30000", "key_0001 60000"]);
    state.fail = "note";
    state.now += 60_000;
    expect(await check.read(keyOf(1))).not.toBeNull();
    await Promise.all(background);
    expect(state.log).toMatchObject([{ event: "key.note_failed" }]);
  });
});

describe("the key behind a stream token", () => {
  test("is asked for in its tenant's object, twice a minute at most", async () => {
    const { state, check, add } = createSources();
    const hash = await add(keyOf(1));
    const { id } = state.keys.get(hash)!;
    for (const passed of [0, 1, 29_998]) {
      state.now += passed;
      expect(await check.isInForce(id, "acme")).toBe(true);
    }
    expect(state.calls).toEqual(["note"]);
    state.keys.delete(hash);
    expect(await check.isInForce(id, "acme")).toBe(true);
    state.now += 1;
    expect(await check.isInForce(id, "acme")).toBe(false);
    expect(await check.isInForce(id, "acme")).toBe(false);
    expect(state.calls).toEqual(["note", "note"]);
  });

  test.each(["key_0001", "acme"])("is out of force at once when %s is ended here, even while that is asked", async (ended) => {
    const { state, check, add } = createSources();
    await add(keyOf(1));
    const underway = check.isInForce("key_0001", "acme");
    check.end(ended);
    await underway;
    expect(await check.isInForce("key_0001", "acme")).toBe(false);
    expect(state.calls).toEqual(["note"]);
  });

  test("is believed where its tenant's object cannot be asked, until the next time", async () => {
    const { state, check } = createSources();
    state.fail = "note";
    expect(await check.isInForce("key_0001", "acme")).toBe(true);
    expect(state.log).toMatchObject([{ event: "key.note_failed" }]);
    state.fail = null;
    expect(await check.isInForce("key_0001", "acme")).toBe(false);
  });

  test("says nothing of other keys of its tenant, nor of those that are not known here", async () => {
    const { state, check, add } = createSources();
    await add(keyOf(1));
    await add(keyOf(2));
    expect(await check.isInForce("key_0003", "acme")).toBe(false);
    expect(await check.isInForce("key_0001", "acme")).toBe(true);
    expect(await check.read(keyOf(2))).not.toBeNull();
    expect(state.log).toEqual([]);
  });
});

describe("keys that nobody made", () => {
  test("of a tenant that is not there never reach an object of that name", async () => {
    const { state, check } = createSources();
    expect(await check.read(keyOf(1, "nobody"))).toBeNull();
    expect(state.calls).toEqual(["replica", "directory nobody"]);
  });

  test("are asked for once in ten seconds each", async () => {
    const { state, check } = createSources();
    for (let time = 0; time < 5; time += 1) expect(await check.read(keyOf(1))).toBeNull();
    expect(state.calls).toEqual(["replica", "directory acme", "object acme"]);
    state.now += KEY_FRESH_MS;
    await check.read(keyOf(1));
    expect(state.calls).toHaveLength(6);
  });

  /** How many of that many guesses were refused for their number. */
  async function flood(check: ReturnType<typeof createSources>["check"], count: number, keyAt: (n: number) => string): Promise<number> {
    let refused = 0;
    for (let n = 0; n < count; n += 1) {
      const answer = await check.read(keyAt(n)).catch((error: unknown) => error);
      if (answer instanceof RequestRefused) {
        expect(answer.problem.problem).toBe("rate_limited");
        refused += 1;
      }
    }
    return refused;
  }

  test("in a flood reach a tenant's object no more than a hundred times at once and twenty times a second, and other tenants' keys go on", async () => {
    const { state, check, add } = createSources();
    state.tenants.add("other");
    await add(keyOf(9, "other"), "object");
    await add(keyOf(8));
    expect(await flood(check, 300, (n) => keyOf(1_000 + n))).toBe(200);
    expect(state.calls.filter((name) => name === "object acme")).toHaveLength(100);
    expect(await check.read(keyOf(9, "other"))).not.toBeNull();
    expect(await check.read(keyOf(8))).not.toBeNull();
    state.now += 1_000;
    expect(await flood(check, 50, (n) => keyOf(2_000 + n))).toBe(30);
  });

  test("in a flood of made-up tenants reach the directory no more often, and no tenant that this isolate knows waits for that", async () => {
    const { state, check, add } = createSources();
    await add(keyOf(1), "object");
    await check.read(keyOf(1));
    expect(await flood(check, 300, (n) => keyOf(n, `made-up-${n}`))).toBe(201);
    expect(state.calls.filter((name) => name.startsWith("directory made-up"))).toHaveLength(99);
    expect(state.calls.filter((name) => name.startsWith("object made-up"))).toEqual([]);
    await add(keyOf(2), "object");
    expect(await check.read(keyOf(2))).not.toBeNull();
  });

  test("in a flood displace no key that works", async () => {
    const { state, check, add } = createSources();
    await add(keyOf(1));
    await check.read(keyOf(1));
    await flood(check, 6_000, (n) => {
      state.now += n % 10 === 0 ? 1 : 0;
      return keyOf(10 + n);
    });
    state.calls.length = 0;
    expect(await check.read(keyOf(1))).not.toBeNull();
    expect(state.calls).toEqual([]);
  });
});

describe("the tenants that an isolate knows", () => {
  test("are asked for again after ten seconds, the operator's own never, and one that was not there is asked for each time", async () => {
    let [asked, now] = [0, 0];
    const there = new Set(["acme"]);
    const tenants = createKnownTenants({
      now: () => now,
      directory: () => ({
        hasTenant: async (id) => {
          asked += 1;
          return there.has(id);
        },
      }),
    });
    expect([await tenants.has("default"), await tenants.has("acme"), await tenants.has("acme"), await tenants.has("new")]).toEqual([true, true, true, false]);
    expect(asked).toBe(2);
    there.add("new");
    expect(await tenants.has("new")).toBe(true);
    there.delete("acme");
    now += 9_999;
    expect(await tenants.has("acme")).toBe(true);
    now += 1;
    expect(await tenants.has("acme")).toBe(false);
    tenants.forget("new");
    there.delete("new");
    expect(await tenants.has("new")).toBe(false);
  });
});
