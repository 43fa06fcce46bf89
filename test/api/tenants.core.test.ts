import { describe, expect, test } from "vitest";
import { MAX_BUDGET_USD, NO_LIMITS } from "../../src/config/tenant-record.ts";
import { createTestApi, type FakeWorld } from "./fake-ports.ts";

const NO_SPEND = { usd: 0, reservedUsd: 0, periodStart: null };

interface CreatedKey {
  id: string;
  key: string;
  scopes: string[];
}

async function openAcme(): Promise<ReturnType<typeof createTestApi>> {
  const api = createTestApi();
  expect((await api.ask("POST", "/v1/tenants", { id: "acme" })).status).toBe(201);
  return api;
}

async function makeKey({ ask }: Pick<ReturnType<typeof createTestApi>, "ask">, tenant = "acme", body: unknown = {}): Promise<CreatedKey> {
  const response = await ask("POST", `/v1/tenants/${tenant}/keys`, body);
  expect(response.status).toBe(201);
  return (await response.json()) as CreatedKey;
}

const bearer = (key: string, headers: Record<string, string> = {}) => ({ authorization: `Bearer ${key}`, ...headers });

describe("a tenant", () => {
  test("is made, read and listed with what was asked for, newest first, the operator's own last", async () => {
    const { ask } = createTestApi();
    const made = await ask("POST", "/v1/tenants", { id: "acme-eu", budget: { maxUsd: 12.5, period: "month" }, limits: { tasksPerSecond: 2.5, concurrentTasks: 4, requestsPerMinute: null } });
    expect(made.status).toBe(201);
    expect(made.headers.get("location")).toBe("/v1/tenants/acme-eu");
    const tenant = { id: "acme-eu", createdAt: "2026-11-01T00:00:00.000Z", budget: { maxUsd: 12.5, period: "month" }, limits: { tasksPerSecond: 2.5, concurrentTasks: 4, requestsPerMinute: null }, spend: NO_SPEND };
    expect(await made.json()).toEqual(tenant);
    expect(await (await ask("GET", "/v1/tenants/acme-eu")).json()).toEqual(tenant);
    const operator = { id: "default", createdAt: null, budget: null, limits: NO_LIMITS, spend: NO_SPEND };
    expect(await (await ask("GET", "/v1/tenants")).json()).toEqual({ items: [tenant, operator], nextCursor: null });
    const page = (await (await ask("GET", "/v1/tenants?limit=1")).json()) as { items: unknown[]; nextCursor: string };
    expect(page.items).toEqual([tenant]);
    expect(await (await ask("GET", `/v1/tenants?limit=1&cursor=${page.nextCursor}`)).json()).toEqual({ items: [operator], nextCursor: null });
  });

  test("that is there already is 409", async () => {
    const { ask } = await openAcme();
    for (const id of ["acme", "default"]) expect((await ask("POST", "/v1/tenants", { id })).status).toBe(409);
  });

  test.each<[unknown, string[]]>([
    [{}, ["/id"]],
    [{ id: "Acme" }, ["/id"]],
    [{ id: "a--b" }, ["/id"]],
    [{ id: "a".repeat(33) }, ["/id"]],
    [{ id: "a", name: "A" }, ["/name"]],
    [{ id: "a", budget: { maxUsd: 5 } }, ["/budget/period"]],
    [{ id: "a", budget: { maxUsd: MAX_BUDGET_USD + 1, period: "week" } }, ["/budget/maxUsd", "/budget/period"]],
    [{ id: "a", limits: { concurrentTasks: 1.5, requestsPerMinute: 0, tasksPerSecond: -1, speed: 3 } }, ["/limits/tasksPerSecond", "/limits/concurrentTasks", "/limits/requestsPerMinute", "/limits/speed"]],
  ])("as %j is refused at %j", async (body, paths) => {
    const response = await createTestApi().ask("POST", "/v1/tenants", body);
    expect(response.status).toBe(422);
    expect(((await response.json()) as { errors: { path: string }[] }).errors.map(({ path }) => path)).toEqual(paths);
  });

  test("is made once for a repeated request, with the first answer again; another body is 409", async () => {
    const { ask } = createTestApi();
    const send = (body: string) => ask("POST", "/v1/tenants", body, { "idempotency-key": "k" });
    const first = await send(`{"id":"acme"}`);
    const again = await send(`{"id":"acme"}`);
    expect([first.status, again.status, await again.text()]).toEqual([201, 201, await first.text()]);
    expect([first.headers.get("idempotent-replay"), again.headers.get("idempotent-replay")]).toEqual([null, "true"]);
    expect((await send(`{"id":"acme" }`)).status).toBe(409);
    expect((await ask("POST", "/v1/tenants", { id: "b" }, { "idempotency-key": "x".repeat(256) })).status).toBe(422);
  });

  test("is changed key by key, and null takes away", async () => {
    const { ask } = await openAcme();
    const patch = async (body: unknown) => (await ask("PATCH", "/v1/tenants/acme", body)).json();
    expect(await patch({ budget: { maxUsd: 1, period: "day" }, limits: { concurrentTasks: 2 } })).toMatchObject({ budget: { maxUsd: 1, period: "day" }, limits: { ...NO_LIMITS, concurrentTasks: 2 } });
    expect(await patch({ budget: { maxUsd: 3 }, limits: { tasksPerSecond: 9 } })).toMatchObject({ budget: { maxUsd: 3, period: "day" }, limits: { ...NO_LIMITS, concurrentTasks: 2, tasksPerSecond: 9 } });
    expect(await patch({ budget: null, limits: { concurrentTasks: null } })).toMatchObject({ budget: null, limits: { ...NO_LIMITS, tasksPerSecond: 9 } });
    const refused = await ask("PATCH", "/v1/tenants/acme", { id: "other", limits: { concurrentTasks: 0 } });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ errors: [{ path: "/limits/concurrentTasks" }, { path: "/id" }] });
    expect((await ask("PATCH", "/v1/tenants/default", { budget: { maxUsd: 100, period: "total" } })).status).toBe(200);
  });

  test("that is unknown is 404 before its body is looked at", async () => {
    const { ask } = createTestApi();
    for (const id of ["nobody", "No", "a--b", "default%3Ax"]) {
      for (const [method, path] of [["GET", ""], ["PATCH", ""], ["DELETE", ""], ["GET", "/keys"], ["GET", "/keys?limit=0"], ["POST", "/keys"], ["DELETE", "/keys/key_1"]] as const) {
        expect((await ask(method, `/v1/tenants/${id}${path}`, method === "GET" ? undefined : "{")).status, `${method} ${id}${path}`).toBe(404);
      }
    }
  });

  test("that is removed is gone at once, with its keys, and the operator's own stays", async () => {
    const api = await openAcme();
    const { key } = await makeKey(api);
    expect((await api.ask("GET", "/v1/agents", undefined, bearer(key))).status).toBe(200);
    expect((await api.ask("GET", "/v1/agents", undefined, { "x-tenant": "acme" })).status).toBe(200);
    expect((await api.ask("DELETE", "/v1/tenants/acme")).status).toBe(204);
    expect((await api.ask("GET", "/v1/agents", undefined, bearer(key))).status).toBe(401);
    expect((await api.ask("GET", "/v1/agents", undefined, { "x-tenant": "acme" })).status).toBe(404);
    for (const method of ["GET", "DELETE"]) expect((await api.ask(method, "/v1/tenants/acme")).status).toBe(404);
    expect((await api.ask("POST", "/v1/tenants", { id: "acme" })).status).toBe(409);
    expect((await api.ask("DELETE", "/v1/tenants/default")).status).toBe(409);
  });
});

describe("a key", () => {
  test("is shown once, names its tenant, and nothing of it but its hash is kept", async () => {
    const api = await openAcme();
    const { id, key, scopes } = await makeKey(api, "acme", { name: "ci" });
    expect(key).toMatch(/^wk_acme_[A-Za-z0-9]{32}$/);
    expect(scopes).toEqual(["workflows:read", "workflows:write", "agents:write", "gateway", "config:read"]);
    const listed = (await (await api.ask("GET", "/v1/tenants/acme/keys")).json()) as { items: unknown[] };
    expect(listed).toEqual({ items: [{ id, name: "ci", scopes, createdAt: expect.any(String), lastUsedAt: null }], nextCursor: null });
    const stored = JSON.stringify([[...api.world.directory.tenants], [...api.world.directory.replicas], api.world.log, listed]);
    expect(stored).not.toContain(key.slice("wk_acme_".length));
  });

  test("has the scopes that were asked for, and is made without a body too", async () => {
    const api = await openAcme();
    expect((await makeKey(api, "acme", { scopes: ["config:write", "gateway"] })).scopes).toEqual(["gateway", "config:write"]);
    const bare = await api.ask("POST", "/v1/tenants/acme/keys");
    expect(bare.status).toBe(201);
    expect((await makeKey(api, "default", { name: null, scopes: null })).key).toMatch(/^wk_default_/);
  });

  test.each<[unknown, Record<string, string>, string[]]>([
    [{ scopes: [] }, {}, ["/scopes"]],
    [{ scopes: ["gateway", "gateway"] }, {}, ["/scopes"]],
    [{ scopes: ["root"], name: "" }, {}, ["/name", "/scopes/0"]],
    [{ name: "x".repeat(201) }, {}, ["/name"]],
    [{ expiresAt: "tomorrow" }, {}, ["/expiresAt"]],
    [{}, { "idempotency-key": "k" }, [""]],
  ])("as %j is refused", async (body, headers, paths) => {
    const { ask, world } = await openAcme();
    const response = await ask("POST", "/v1/tenants/acme/keys", body, headers);
    expect(response.status).toBe(422);
    expect(((await response.json()) as { errors: { path: string }[] }).errors.map(({ path }) => path)).toEqual(paths);
    expect(world.directory.replicas.size).toBe(0);
  });

  test("acts for its own tenant, whatever X-Tenant says", async () => {
    const api = await openAcme();
    const { key } = await makeKey(api);
    for (const tenant of ["default", "nobody"]) {
      expect((await api.ask("PUT", `/v1/agents/from-${tenant}`, { kind: "transform", expression: "1" }, bearer(key, { "x-tenant": tenant }))).status).toBe(201);
    }
    expect([...api.world.agents.keys()]).toEqual([]);
    expect([...api.world.others.get("acme")!.agents.keys()]).toEqual(["from-default", "from-nobody"]);
    const workflow = await api.ask("POST", "/v1/workflows", { tasks: [{ id: "a", agent: "from-nobody" }] }, bearer(key));
    expect(workflow.status).toBe(201);
    expect([...api.world.workflows.keys()]).toEqual([expect.stringMatching(/^acme:wf_/)]);
  });

  test("is revoked at once here, and unknown to whoever revokes it again", async () => {
    const api = await openAcme();
    const [{ id, key }, other] = [await makeKey(api), await makeKey(api)];
    expect((await api.ask("GET", "/v1/agents", undefined, bearer(key))).status).toBe(200);
    expect((await api.ask("DELETE", `/v1/tenants/default/keys/${id}`)).status).toBe(404);
    expect((await api.ask("DELETE", `/v1/tenants/acme/keys/${id}`)).status).toBe(204);
    expect((await api.ask("GET", "/v1/agents", undefined, bearer(key))).status).toBe(401);
    expect((await api.ask("DELETE", `/v1/tenants/acme/keys/${id}`)).status).toBe(404);
    expect((await api.ask("GET", "/v1/agents", undefined, bearer(other.key))).status).toBe(200);
  });

  test("with config:write changes the settings of its own tenant and signs for it, but none that hold for all, and none of the operator's", async () => {
    const api = await openAcme();
    const scopes = { scopes: ["config:read", "config:write"] };
    const [acme, operator] = [await makeKey(api, "acme", scopes), await makeKey(api, "default", scopes)];
    expect((await api.ask("PATCH", "/v1/config", { routing: { maxFallbacks: 1 } }, bearer(acme.key))).status).toBe(200);
    const settingsOf = (world: FakeWorld) => world.settings.map(({ author, layer }) => ({ author, layer }));
    expect(settingsOf(api.world.others.get("acme")!)).toEqual([{ author: acme.id, layer: { routing: { maxFallbacks: 1 } } }]);
    expect(settingsOf(api.world)).toEqual([]);
    expect((await api.ask("PATCH", "/v1/config", { retention: { days: 1 } }, bearer(acme.key))).status).toBe(422);
    expect((await api.ask("PATCH", "/v1/config", { routing: { maxFallbacks: 1 } }, bearer(operator.key))).status).toBe(403);
  });

  test("of a tenant registers agents with secrets of that tenant's names only", async () => {
    const api = createTestApi();
    await api.ask("POST", "/v1/tenants", { id: "acme-eu" });
    const { key } = await makeKey(api, "acme-eu");
    const put = (secretName: string) => api.ask("PUT", "/v1/agents/signed", { kind: "http", url: "https://agent.example/run", secretName }, bearer(key));
    expect((await put("AGENT_ACME_EU__X")).status).toBe(201);
    for (const name of ["AGENT_DEFAULT__X", "AGENT_ACME__EU__X", "ROOT_KEY", "OPENAI_API_KEY"]) {
      const refused = await put(name);
      expect(refused.status, name).toBe(422);
      expect(await refused.json()).toMatchObject({ errors: [{ path: "/secretName" }] });
    }
  });

  test("is no way to a stream token of another tenant's workflow, nor is its own token one", async () => {
    const api = await openAcme();
    const { key } = await makeKey(api);
    await api.ask("POST", "/v1/workflows", { id: "w", tasks: [{ id: "a", agent: "scout", input: { prompt: "go" } }] });
    expect((await api.ask("POST", "/v1/workflows/w/stream-token", undefined, bearer(key))).status).toBe(404);
    await api.ask("POST", "/v1/workflows", { id: "mine", tasks: [{ id: "a", agent: "scout", input: { prompt: "go" } }] }, bearer(key));
    const { token } = (await (await api.ask("POST", "/v1/workflows/mine/stream-token", undefined, bearer(key))).json()) as { token: string };
    expect((await api.ask("GET", `/v1/workflows/mine/events?token=${token}`, undefined, { authorization: "" })).status).toBe(200);
    expect((await api.ask("GET", `/v1/workflows/w/events?token=${token}`, undefined, { authorization: "" })).status).toBe(401);
  });
});
