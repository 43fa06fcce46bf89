import { describe, expect, test } from "vitest";
import { Settings } from "../../src/config/settings.ts";
import type { ModelMetrics } from "../../src/router/metrics/model-metrics.ts";
import { createTestApi } from "./fake-ports.ts";

const DEFAULTS = Settings.parse({});

describe("/v1/config", () => {
  test("GET answers all settings by group, and the version as ETag", async () => {
    const { ask } = createTestApi();
    const response = await ask("GET", "/v1/config");
    expect(response.headers.get("etag")).toBe('"0"');
    expect(await response.json()).toEqual(DEFAULTS);
  });

  test("PATCH merges, answers what holds now, publishes it, and makes a version with author and changes", async () => {
    const { ask, world } = createTestApi();
    const response = await ask("PATCH", "/v1/config", { routing: { maxEscalations: 1 }, retention: { days: 7 } });
    expect(response.status).toBe(200);
    expect(response.headers.get("etag")).toBe('"1"');
    const settings = (await response.json()) as Settings;
    expect(settings).toEqual({ ...DEFAULTS, routing: { ...DEFAULTS.routing, maxEscalations: 1 }, retention: { days: 7 } });
    expect(await (await ask("GET", "/v1/config")).json()).toEqual(settings);
    expect(world.publishedSettings).toEqual({ version: 1, document: { routing: { maxEscalations: 1 }, retention: { days: 7 } } });
    expect(await (await ask("GET", "/v1/config/versions")).json()).toEqual({
      items: [
        {
          version: 1,
          at: new Date(world.now).toISOString(),
          author: "root",
          changes: [{ path: "routing.maxEscalations", before: DEFAULTS.routing.maxEscalations, after: 1 }, { path: "retention.days", before: DEFAULTS.retention.days, after: 7 }],
        },
      ],
      nextCursor: null,
    });
  });

  test("what GET answered can be sent back as it is, and changes nothing that holds", async () => {
    const { ask } = createTestApi();
    const settings: unknown = await (await ask("GET", "/v1/config")).json();
    expect(await (await ask("PATCH", "/v1/config", settings)).json()).toEqual(settings);
  });

  test.each([
    [{ routing: { nope: 1 }, nope: {} }, 422, ["/routing/nope", "/nope"]],
    [{ routing: { maxEscalations: "2" } }, 422, ["/routing/maxEscalations"]],
    [[], 422, [""]],
  ])("PATCH %j is refused with its paths, and nothing is stored", async (body, status, paths) => {
    const { ask, world } = createTestApi();
    const response = await ask("PATCH", "/v1/config", body);
    expect(response.status).toBe(status);
    const { errors } = (await response.json()) as { errors: { path: string }[] };
    expect(errors.map(({ path }) => path)).toEqual(expect.arrayContaining(paths));
    expect(world.settings).toEqual([]);
    expect(world.publishedSettings).toBeNull();
  });

  test.each(["", "{"])("a body that is missing or no JSON (%j) is 400, and nothing is stored", async (body) => {
    const { ask, world } = createTestApi();
    for (const [method, path] of [["PATCH", "/v1/config"], ["POST", "/v1/config/rollback"]] as const) {
      expect((await ask(method, path, body === "" ? undefined : body)).status).toBe(400);
    }
    expect(world.settings).toEqual([]);
  });

  test("a rollback is a new version with the settings of an old one; 0 is none of its own", async () => {
    const { ask } = createTestApi();
    for (const maxFallbacks of [1, 2, 3]) await ask("PATCH", "/v1/config", { routing: { maxFallbacks } });
    const rolled = await ask("POST", "/v1/config/rollback", { version: 1 });
    expect(rolled.headers.get("etag")).toBe('"4"');
    expect(((await rolled.json()) as Settings).routing.maxFallbacks).toBe(1);
    expect(await (await ask("POST", "/v1/config/rollback", { version: 0 })).json()).toEqual(DEFAULTS);
    expect((await ask("POST", "/v1/config/rollback", { version: 99 })).status).toBe(404);
    for (const body of [{}, { version: -1 }, { version: "1" }, { version: 1, more: 1 }]) expect((await ask("POST", "/v1/config/rollback", body)).status).toBe(422);
  });

  test("the versions are paged, newest first", async () => {
    const { ask } = createTestApi();
    for (const maxFallbacks of [1, 2, 3, 4, 5]) await ask("PATCH", "/v1/config", { routing: { maxFallbacks } });
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const page = (await (await ask("GET", `/v1/config/versions?limit=2${cursor === null ? "" : `&cursor=${cursor}`}`)).json()) as { items: { version: number }[]; nextCursor: string | null };
      seen.push(...page.items.map(({ version }) => version));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual([5, 4, 3, 2, 1]);
    expect(await (await ask("GET", "/v1/config/versions?limit=5")).json()).toMatchObject({ nextCursor: null });
    for (const query of ["limit=0", "limit=201", "cursor=x"]) expect((await ask("GET", `/v1/config/versions?${query}`)).status).toBe(422);
  });

  test("the schema describes every key and says what is the operator's", async () => {
    const { ask } = createTestApi();
    const schema = (await (await ask("GET", "/v1/config/schema")).json()) as Record<string, unknown>;
    expect(schema).toMatchObject({ type: "object", properties: { routing: { properties: { maxEscalations: { type: "integer", maximum: 2, description: expect.any(String) } } } } });
    expect(schema["x-operator-only"]).toEqual(expect.arrayContaining(["dispatch", "retention"]));
  });

  test("a key of the operator's own tenant may not change them, and hears of that before anything of its body", async () => {
    const { ask, world } = createTestApi();
    const { key } = (await (await ask("POST", "/v1/tenants/default/keys", { scopes: ["config:write"] })).json()) as { key: string };
    for (const body of [`{"quality":{}}`, "{", "", `{"quality":7}`, "x".repeat(1_048_577)]) {
      expect((await ask("PATCH", "/v1/config", body, { authorization: `Bearer ${key}` })).status).toBe(403);
    }
    expect(world.settings).toEqual([]);
  });

  test("without a key nothing is answered", async () => {
    const { app } = createTestApi();
    for (const [method, path] of [["GET", "/v1/config"], ["PATCH", "/v1/config"], ["GET", "/v1/config/schema"], ["GET", "/v1/config/versions"], ["POST", "/v1/config/rollback"], ["GET", "/v1/metrics/models"]] as const) {
      expect((await app.request(`https://weft.test${path}`, { method })).status).toBe(401);
    }
  });
});

describe("workflows", () => {
  const create = async (settings: unknown, spec: object) => {
    const { ask, world } = createTestApi();
    await ask("PATCH", "/v1/config", settings);
    const response = await ask("POST", "/v1/workflows", { id: "w", ...spec });
    return { response, spec: world.workflows.get("default:w")?.request.spec };
  };
  const task = { id: "a", agent: "scout", input: { prompt: "List it." } };

  test("take what they leave out from the settings", async () => {
    const { spec } = await create({ orchestration: { maxConcurrency: 9, taskTimeoutMs: 1_234, maxAttempts: 7, retryInitialMs: 1, retryMaxMs: 2 } }, { tasks: [task, { ...task, id: "b", timeoutMs: 5, retry: { maxAttempts: 1 } }], maxConcurrency: null });
    expect(spec).toMatchObject({
      maxConcurrency: 9,
      tasks: [
        { timeoutMs: 1_234, retry: { maxAttempts: 7, initialMs: 1, factor: 2, maxMs: 2, jitter: true } },
        { timeoutMs: 5, retry: { maxAttempts: 1, initialMs: 1, maxMs: 2 } },
      ],
    });
  });

  test("are refused as ever where their shape is wrong", async () => {
    for (const spec of [{ tasks: [5] }, { tasks: { a: 1 } }, { tasks: [{ ...task, retry: 3 }] }, { tasks: [{ ...task, timeoutMs: "1" }] }]) {
      expect((await create({ orchestration: { maxConcurrency: 9 } }, spec)).response.status).toBe(422);
    }
  });
});

describe("GET /v1/metrics/models", () => {
  test("answers every model of the document in its order, null where nothing was measured", async () => {
    const { ask, world } = createTestApi();
    const measured: ModelMetrics = {
      calls: 12, successRate: 11 / 12, latencyMs: { p50: 812.34567, p99: 4_000.1 }, timeToFirstTokenMs: { p50: 99.96 }, tokensPerSecond: 55.5555, costPer1kTokensUsd: 0.0021234567899, quality: 0.9,
      circuit: { state: "open", openUntil: world.now + 1_000 }, updatedAt: world.now,
    };
    world.metrics.set("anthropic", { at: world.now, models: { "claude-haiku-4": measured, removed: measured } });
    const response = await ask("GET", "/v1/metrics/models");
    expect(response.status).toBe(200);
    const { items } = (await response.json()) as { items: { model: string }[] };
    expect(items[0]).toEqual({
      model: "claude-haiku-4", provider: "anthropic", tier: "weak", calls: 12, successRate: 0.9167, latencyMs: { p50: 812.3, p99: 4_000.1 }, timeToFirstTokenMs: { p50: 100 }, tokensPerSecond: 55.6,
      costPer1kTokensUsd: 0.002123457, quality: 0.9, circuit: "open", updatedAt: new Date(world.now).toISOString(),
    });
    expect(items.find(({ model }) => model === "gpt-5-pro")).toMatchObject({ calls: 0, successRate: null, latencyMs: null, timeToFirstTokenMs: null, circuit: "closed", updatedAt: null });
    expect(items.map(({ model }) => model)).not.toContain("removed");
  });

  test("shows a tenant's key how the models do, and nothing of how much the tenants use them, pay or have refused", async () => {
    const { ask, world } = createTestApi();
    const measured: ModelMetrics = {
      calls: 12, successRate: 0.5, latencyMs: { p50: 812, p99: 4_000 }, timeToFirstTokenMs: { p50: 100 }, tokensPerSecond: 55, costPer1kTokensUsd: 0.002, quality: 0.9,
      circuit: { state: "open", openUntil: world.now + 1_000 }, updatedAt: world.now,
    };
    world.metrics.set("anthropic", { at: world.now, models: { "claude-haiku-4": measured } });
    await ask("POST", "/v1/tenants", { id: "acme" });
    const { key } = (await (await ask("POST", "/v1/tenants/acme/keys")).json()) as { key: string };
    const read = async (headers: Record<string, string>) => ((await (await ask("GET", "/v1/metrics/models", undefined, headers)).json()) as { items: object[] }).items;
    const [seen, unused] = await read({ authorization: `Bearer ${key}` });
    expect(seen).toMatchObject({ successRate: 0.5, latencyMs: { p50: 812, p99: 4_000 }, tokensPerSecond: 55, circuit: "open", calls: null, costPer1kTokensUsd: null, quality: null });
    expect(unused).toMatchObject({ calls: null, costPer1kTokensUsd: null, quality: null });
    expect((await read({ "x-tenant": "acme" }))[0]).toMatchObject({ calls: 12, costPer1kTokensUsd: 0.002, quality: 0.9 });
  });

  test("answers what it can when one provider's object does not answer", async () => {
    const away = { readSnapshot: () => Promise.reject(new Error("overloaded")), readEvidence: async () => [] };
    const { ask, world } = createTestApi({ metrics: () => away });
    const { items } = (await (await ask("GET", "/v1/metrics/models")).json()) as { items: object[] };
    expect(items.length).toBeGreaterThan(5);
    expect(world.log).toContainEqual({ event: "metrics.failed", message: "Error: overloaded" });
  });
});
