import { describe, expect, it } from "vitest";
import { DEFAULT_TIERS } from "../../src/config/default-tiers.ts";
import { createEvidence, type EvidenceRow } from "../../src/optimizer/reoptimization/evidence.ts";
import { replicateAgain, type ReplicaDeps } from "../../src/api/replicate-again.ts";
import type { StoredDocument } from "../../src/config/document-cache.ts";
import type { SettingsLayer } from "../../src/config/settings-layers.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import type { LogEvent } from "../../src/log.ts";
import { createTestApi } from "./fake-ports.ts";

interface Decision {
  id: number | null;
  kind: string;
  before: { tiers: TierDocument["tiers"]; weakMaxScore: number };
  after: { tiers: TierDocument["tiers"]; weakMaxScore: number };
  evidence: Record<string, { model: string; calls: number; meanCostUsd: number }[]>;
  reasons: string[];
}

function rowOf(tier: "weak" | "base", model: string, latencyMs: number, changes: Partial<EvidenceRow> = {}): EvidenceRow {
  const calls = 100;
  return { taskType: "general", part: 0, tier, model, ...createEvidence(), calls, successes: calls, latencyMs: calls * latencyMs, latencySquares: calls * latencyMs ** 2 * 1.01, costNanoUsd: calls * 1_000, costSquares: calls * 1_000 ** 2 * 1.01, ...changes };
}

/** The first of the base tier is slow, and the weak tier's answers are no worse and cheaper. */
function createSlowWorld() {
  const { ask, world } = createTestApi();
  world.evidence.set("anthropic", [
    rowOf("base", "claude-sonnet-4", 30_000, { checks: 1_000, quality: 950 }),
    rowOf("base", "claude-sonnet-4.5", 1_000),
    rowOf("weak", "claude-haiku-4", 500, { checks: 1_000, quality: 950, costNanoUsd: 10 }),
    rowOf("base", "a-model-that-left", 1),
  ]);
  const run = async (body?: object): Promise<Decision> => (await (await ask("POST", "/v1/optimizations/run", body)).json()) as Decision;
  return { ask, world, run };
}

describe("POST /v1/optimizations/run", () => {
  it("stores and publishes the new order and thresholds, with what they were decided from", async () => {
    const { ask, world, run } = createSlowWorld();
    const decision = await run();
    expect(decision).toMatchObject({ id: 1, kind: "change", before: { weakMaxScore: 3 }, after: { weakMaxScore: 4, tiers: { base: ["claude-sonnet-4.5", "claude-sonnet-4", "claude-sonnet-5.5", "gemini-2.5-pro", "offline"] } } });
    expect(decision.evidence["base"]).toContainEqual(expect.objectContaining({ model: "claude-sonnet-4.5", calls: 100, meanCostUsd: 0.000001 }));
    expect(decision.reasons).toHaveLength(2);
    expect(world.published).toMatchObject({ version: 1, document: { ...DEFAULT_TIERS, tiers: decision.after.tiers } });
    expect(await (await ask("GET", "/v1/tiers")).json()).toMatchObject({ version: 1, tiers: decision.after.tiers });
    expect(await (await ask("GET", "/v1/config")).json()).toMatchObject({ routing: { weakMaxScore: 4, baseMaxScore: 7 } });
    expect(world.settings).toMatchObject([{ author: "reoptimizer", changes: [{ path: "routing.weakMaxScore", before: 3, after: 4 }, { path: "routing.baseMaxScore", before: 7, after: 7 }] }]);
    expect(await (await ask("GET", "/v1/optimizations")).json()).toEqual({ items: [decision], nextCursor: null });
  });

  it("writes nothing in a dry run, and nothing where nothing is to be changed", async () => {
    const { ask, world, run } = createSlowWorld();
    expect(await run({ dryRun: true })).toMatchObject({ id: null, kind: "change" });
    world.evidence.clear();
    expect(await run({})).toMatchObject({ id: null, kind: "none", reasons: [expect.stringContaining("Only 0 calls")] });
    expect([world.tiers, world.settings, world.optimizations, world.published, world.publishedSettings]).toEqual([[], [], [], null, null]);
    expect(world.calls).not.toContain("tenant.applyOptimization");
    expect(await (await ask("GET", "/v1/optimizations")).json()).toEqual({ items: [], nextCursor: null });
  });

  it("keeps what it knows of the other providers when one does not answer", async () => {
    const { world } = createSlowWorld();
    const evidence = (provider: string) => ({ readEvidence: async () => (provider === "google" ? Promise.reject(new Error("down")) : (world.evidence.get(provider) ?? [])) });
    const { ask } = createTestApi({ evidence }, world);
    expect(await (await ask("POST", "/v1/optimizations/run", {})).json()).toMatchObject({ kind: "change" });
    expect(world.log).toContainEqual({ event: "metrics.failed", message: "Error: down" });
  });

  it("is 409 when the documents changed while it decided", async () => {
    const { world } = createSlowWorld();
    const evidence = (provider: string) => ({
      readEvidence: async () => {
        if (provider === "anthropic") world.tiers.push(JSON.stringify(DEFAULT_TIERS));
        return world.evidence.get(provider) ?? [];
      },
    });
    const { ask } = createTestApi({ evidence }, world);
    expect((await ask("POST", "/v1/optimizations/run", {})).status).toBe(409);
    expect(world.optimizations).toEqual([]);
  });

  it("replicates the settings although the tiers cannot be, and says in the log what it changed", async () => {
    const { world } = createSlowWorld();
    const tiers = { read: async () => ({ version: 0, document: DEFAULT_TIERS }), refresh: async () => ({ version: 0, document: DEFAULT_TIERS }), publish: () => Promise.reject(new Error("KV is away")) };
    const { ask } = createTestApi({ tiers }, world);
    expect((await ask("POST", "/v1/optimizations/run", {})).status).toBe(500);
    expect(world.publishedSettings).toMatchObject({ version: 1, document: { routing: { weakMaxScore: 4 } } });
    expect(world.log).toContainEqual(expect.objectContaining({ event: "routing.reoptimized", id: 1 }));
    expect(world.log).toContainEqual(expect.objectContaining({ event: "request.failed", message: "KV is away" }));
  });

  it("refuses what it does not know", async () => {
    const { ask } = createTestApi();
    expect((await ask("POST", "/v1/optimizations/run", { dry: true })).status).toBe(422);
    expect((await ask("GET", "/v1/optimizations?cursor=x")).status).toBe(422);
  });
});

it("GET /v1/optimizations pages from the newest on", async () => {
  const { ask, world, run } = createSlowWorld();
  const { id: _id, ...rest } = await run();
  for (let index = 0; index < 2; index += 1) world.optimizations.push({ ...world.optimizations[0]!, id: index + 2 });
  const first = (await (await ask("GET", "/v1/optimizations?limit=2")).json()) as { items: Decision[]; nextCursor: string };
  expect([first.items.map(({ id }) => id), first.nextCursor]).toEqual([[3, 2], "2"]);
  expect(await (await ask("GET", `/v1/optimizations?limit=2&cursor=${first.nextCursor}`)).json()).toEqual({ items: [{ id: 1, ...rest }], nextCursor: null });
  expect(await (await ask("GET", "/v1/optimizations?limit=3")).json()).toMatchObject({ nextCursor: null });
});

describe("the replicas of the operator's documents", () => {
  const createDeps = (stored: { tiers: { version: number; json: string } | null; settings: StoredDocument<SettingsLayer> }) => {
    const [published, log]: [unknown[], LogEvent[]] = [[], []];
    const deps: ReplicaDeps = {
      tenant: () => ({ readTiers: async () => stored.tiers, readSettings: async () => stored.settings }),
      tiers: { publish: async (tiers) => void published.push(tiers) },
      settings: { publish: async (tenant, settings) => void published.push([tenant, settings]) },
      log: (event) => void log.push(event),
    };
    return { deps, published, log };
  };
  const settings = { version: 3, document: { routing: { weakMaxScore: 4 } } };

  it("are written anew from what the objects have, in case a write was lost", async () => {
    const { deps, published, log } = createDeps({ tiers: { version: 2, json: JSON.stringify(DEFAULT_TIERS) }, settings });
    await replicateAgain(deps);
    expect(published).toHaveLength(2);
    expect(published).toEqual(expect.arrayContaining([{ version: 2, document: DEFAULT_TIERS }, ["default", settings]]));
    expect(log).toEqual([]);
  });

  it("are not written where nothing was ever put, and one that cannot be written keeps back no other", async () => {
    const nothing = createDeps({ tiers: null, settings: { version: 0, document: {} } });
    await replicateAgain(nothing.deps);
    expect(nothing.published).toEqual([]);
    const { deps, published, log } = createDeps({ tiers: { version: 2, json: "{}" }, settings });
    await replicateAgain({ ...deps, tiers: { publish: () => Promise.reject(new Error("KV is away")) } });
    expect(published).toEqual([["default", settings]]);
    expect(log).toEqual([{ event: "replication.failed", message: "Error: KV is away" }]);
  });
});
