import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { DocumentCache, type StoredDocument } from "../../src/config/document-cache.ts";
import { editLayer, type SettingsEdit } from "../../src/config/edit-settings.ts";
import { createSettingsCache } from "../../src/config/settings-cache.ts";
import { layerSettings, listChanges, patchSettings, type SettingsLayer } from "../../src/config/settings-layers.ts";
import { OPERATOR_PATHS, Settings } from "../../src/config/settings.ts";

const DEFAULTS = Settings.parse({});

interface JsonSchema {
  description?: string;
  default?: unknown;
  properties?: Record<string, JsonSchema>;
}

function listKeys(schema: JsonSchema, path: string): [string, JsonSchema][] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]): [string, JsonSchema][] => {
    const childPath = path === "" ? key : `${path}.${key}`;
    return child.properties === undefined ? [[childPath, child]] : [[childPath, child], ...listKeys(child, childPath)];
  });
}

function patch(body: unknown, { layer = {}, isOperator = true, below = DEFAULTS }: { layer?: SettingsLayer; isOperator?: boolean; below?: Settings } = {}) {
  return patchSettings(below, layer, body, isOperator);
}

function faultPaths(result: ReturnType<typeof patchSettings>): string[] {
  return "faults" in result ? result.faults.map(({ path }) => path).sort() : [];
}

describe("every setting", () => {
  const keys = listKeys(z.toJSONSchema(Settings, { io: "input" }) as JsonSchema, "");

  test.each(keys)("%s has a description and a default", (_path, schema) => {
    expect(schema.description).toMatch(/\w{3}/);
    expect(schema).toHaveProperty("default");
  });

  test("is in one of the groups", () => {
    expect(Object.keys(DEFAULTS)).toEqual(["orchestration", "budgets", "compression", "routing", "classification", "quality", "dispatch", "retention"]);
  });

  test("that only the operator may change is there", () => {
    const paths = new Set(keys.map(([path]) => path));
    for (const path of OPERATOR_PATHS) expect(paths).toContain(path);
    expect(OPERATOR_PATHS).toEqual(expect.arrayContaining(["dispatch", "retention", "routing.circuitWindowMs", "routing.metricsHalfLifeMs", "routing.rateBurstShare", "routing.reoptimizeEnabled"]));
    expect(OPERATOR_PATHS).not.toContain("routing.strategy");
  });
});

describe("a patch", () => {
  test("is merged key by key into what was set before", () => {
    expect(patch({ routing: { maxEscalations: 1, typePoints: { general: 3 } } }, { layer: { routing: { strategy: "quality", typePoints: { planning: 4 } }, quality: {} } })).toMatchObject({
      layer: { routing: { strategy: "quality", maxEscalations: 1, typePoints: { planning: 4, general: 3 } }, quality: {} },
      settings: { routing: { strategy: "quality", maxEscalations: 1, maxFallbacks: DEFAULTS.routing.maxFallbacks } },
    });
  });

  test("takes a key back to the layer below with null", () => {
    const below = layerSettings(DEFAULTS, { routing: { strategy: "fastest" } });
    expect(patch({ routing: { strategy: null } }, { layer: { routing: { strategy: "quality" } }, below })).toMatchObject({ layer: { routing: {} }, settings: { routing: { strategy: "fastest" } } });
    expect(patch({ routing: null }, { layer: { routing: { strategy: "quality" } }, below })).toMatchObject({ layer: {}, settings: { routing: { strategy: "fastest" } } });
  });

  test.each<[string, unknown, string[]]>([
    ["an unknown group and key", { routes: {}, routing: { maxEscalation: 1, strategy: "best" } }, ["/routes", "/routing/maxEscalation", "/routing/strategy"]],
    ["an unknown key that is taken back", { routing: { maxEscalation: null } }, ["/routing/maxEscalation"]],
    ["a wrong type", { routing: { maxFallbacks: "4" }, orchestration: [] }, ["/orchestration", "/routing/maxFallbacks"]],
    ["too much and too little", { routing: { maxEscalations: 3, costWeight: -0.1 } }, ["/routing/costWeight", "/routing/maxEscalations"]],
    ["weights that are all 0", { routing: { costWeight: 0, latencyWeight: 0, qualityWeight: 0 } }, ["/routing/costWeight"]],
    ["thresholds that cross", { routing: { weakMaxScore: 8 } }, ["/routing/weakMaxScore"]],
    ["contexts that cross", { routing: { mediumContextTokens: 64_001 } }, ["/routing/mediumContextTokens"]],
    ["cooldowns that cross", { routing: { circuitCooldownMs: 300_001 } }, ["/routing/circuitCooldownMs"]],
    ["waits that cross", { orchestration: { retryInitialMs: 30_001 } }, ["/orchestration/retryInitialMs"]],
    ["a lease that ends before it is renewed", { dispatch: { leaseMs: 2_000 } }, ["/dispatch/leaseMs"]],
    ["a prototype", JSON.parse('{"__proto__":{"a":1},"routing":{"__proto__":{"strategy":"quality"}}}'), ["/__proto__", "/routing/__proto__"]],
    ["no object", [], [""]],
    ["null", null, [""]],
  ])("with %s is refused, each fault at its path", (_name, body, paths) => {
    expect(faultPaths(patch(body))).toEqual(paths);
  });

  test("of a tenant may not touch what holds for all, not even to take it back", () => {
    const body = { dispatch: { llm: "direct" }, retention: null, routing: { circuitProbes: 1, strategy: "quality" } };
    expect(faultPaths(patch(body, { isOperator: false }))).toEqual(["/dispatch", "/retention", "/routing/circuitProbes"]);
    expect(patch(body)).toHaveProperty("settings");
  });
});

describe("layers", () => {
  test("lie over each other: defaults, deployment, operator, tenant", () => {
    const deployment = layerSettings(DEFAULTS, { routing: { strategy: "cheapest", maxFallbacks: 1, maxEscalations: 0 } });
    const operator = layerSettings(deployment, { routing: { strategy: "fastest", maxFallbacks: 2 } });
    expect(layerSettings(operator, { routing: { strategy: "quality" } }).routing).toEqual({ ...DEFAULTS.routing, strategy: "quality", maxFallbacks: 2, maxEscalations: 0 });
  });

  test("lose what no longer fits, and nothing else", () => {
    const stored = { routing: { strategy: "quality", gone: 1, maxFallbacks: 99, weakMaxScore: 9 }, gone: { a: 1 }, retention: 5 };
    expect(layerSettings(DEFAULTS, stored as SettingsLayer)).toEqual({ ...DEFAULTS, routing: { ...DEFAULTS.routing, strategy: "quality" } });
  });

  test("that were stored by another release can still be changed", () => {
    expect(patch({ routing: { maxFallbacks: 3 } }, { layer: { routing: { gone: 1 } } })).toMatchObject({ layer: { routing: { maxFallbacks: 3 } } });
  });

  test("differ by the keys that are set, also to what holds anyway", () => {
    const { maxEscalations, maxFallbacks } = DEFAULTS.routing;
    const after: SettingsLayer = { routing: { maxEscalations: 0, maxFallbacks, typePoints: { general: 3 } }, orchestration: { defaultModel: "m" } };
    const changes = listChanges(DEFAULTS, {}, after);
    expect(changes).toHaveLength(4);
    expect(changes).toEqual(
      expect.arrayContaining([
        { path: "orchestration.defaultModel", before: null, after: "m" },
        { path: "routing.typePoints.general", before: null, after: 3 },
        { path: "routing.maxEscalations", before: maxEscalations, after: 0 },
        { path: "routing.maxFallbacks", before: maxFallbacks, after: maxFallbacks },
      ]),
    );
    expect(listChanges(DEFAULTS, after, after)).toEqual([]);
    expect(listChanges(DEFAULTS, after, {})).toContainEqual({ path: "routing.typePoints.general", before: 3, after: null });
  });
});

describe("an edit", () => {
  const request = (edit: SettingsEdit["edit"]): SettingsEdit => ({ edit, below: DEFAULTS, author: "root", isOperator: true });
  const rollback = (version: number) => request({ kind: "rollback", version });

  test("that changes nothing makes no version; one that only pins what holds anyway does, and says so", () => {
    const { maxFallbacks } = DEFAULTS.routing;
    expect(editLayer({ routing: { maxFallbacks: 3 } }, request({ kind: "patch", patch: { routing: { maxFallbacks: 3 } } }), () => null)).toBeNull();
    expect(editLayer({}, request({ kind: "patch", patch: { routing: { maxFallbacks } } }), () => null)).toMatchObject({ changes: [{ path: "routing.maxFallbacks", before: maxFallbacks, after: maxFallbacks }] });
  });

  test("takes a kept version back, and refuses one that is not", () => {
    expect(editLayer({ routing: { maxFallbacks: 3 } }, rollback(1), () => ({}))).toEqual({ layer: {}, changes: [{ path: "routing.maxFallbacks", before: 3, after: DEFAULTS.routing.maxFallbacks }] });
    expect(editLayer({}, rollback(7), () => null)).toMatchObject({ problem: "not_found" });
  });
});

describe("an isolate's settings", () => {
  function createCache(stored: Record<string, StoredDocument<SettingsLayer>>) {
    let now = 0;
    const readReplica = vi.fn(async (tenant: string) => {
      const found = stored[tenant];
      if (found === undefined) throw new Error("KV is away");
      return found;
    });
    const openLayer = (tenant: string) =>
      new DocumentCache<SettingsLayer>({ now: () => now, sleep: async () => undefined, readReplica: () => readReplica(tenant), readOrigin: () => readReplica(tenant), writeReplica: async (written) => void (stored[tenant] = written) });
    return { cache: createSettingsCache({ base: DEFAULTS, operator: "default", openLayer }), readReplica, pass: (ms: number) => void (now += ms) };
  }

  test("of a tenant lie over the operator's; each layer is read once while it is fresh, and laid over once", async () => {
    const { cache, readReplica } = createCache({ default: { version: 1, document: { routing: { maxFallbacks: 1, maxEscalations: 0 } } }, acme: { version: 1, document: { routing: { maxFallbacks: 2 } } } });
    expect((await cache.read("acme")).routing).toMatchObject({ maxFallbacks: 2, maxEscalations: 0 });
    expect((await cache.read("default")).routing).toMatchObject({ maxFallbacks: 1, maxEscalations: 0 });
    expect(await cache.read("acme")).toBe(await cache.read("acme"));
    expect(readReplica).toHaveBeenCalledTimes(2);
  });

  test("change at once where they are published, for the tenants above too, and elsewhere when the copy is no longer fresh", async () => {
    const stored: Record<string, StoredDocument<SettingsLayer>> = { default: { version: 0, document: {} }, acme: { version: 0, document: {} } };
    const here = createCache(stored);
    const there = createCache(stored);
    expect(here.cache.peek()).toEqual(DEFAULTS);
    await Promise.all([here.cache.read("acme"), there.cache.read("acme")]);
    await here.cache.publish("default", { version: 1, document: { routing: { maxFallbacks: 1 } } });
    expect((await here.cache.read("acme")).routing.maxFallbacks).toBe(1);
    expect(here.cache.peek().routing.maxFallbacks).toBe(1);
    expect((await there.cache.read("acme")).routing.maxFallbacks).toBe(DEFAULTS.routing.maxFallbacks);
    there.pass(10_000);
    expect((await there.cache.read("acme")).routing.maxFallbacks).toBe(1);
  });

  test("are those of the layers that can be read", async () => {
    expect(await createCache({}).cache.read("acme")).toEqual(DEFAULTS);
    const { cache } = createCache({ default: { version: 1, document: { routing: { maxFallbacks: 1 } } } });
    expect((await cache.read("acme")).routing.maxFallbacks).toBe(1);
  });
});
