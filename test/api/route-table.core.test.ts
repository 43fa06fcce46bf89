import { describe, expect, test } from "vitest";
import type { Scope } from "../../src/api/auth/scopes.ts";
import { ENDPOINTS } from "../../src/api/create-api.ts";
import { describeApi, type OpenApi, type Operation } from "../../src/api/openapi/openapi.ts";
import { findBreaches, listRoutes, makeCredentials, type Ask, type Examples, type RouteCase } from "../fixtures/route-table.ts";
import { createTestApi, ROOT_KEY } from "./fake-ports.ts";

const EXAMPLES: Examples = {
  "/v1/workflows/{id}": "wf-of-first",
  "/v1/workflows/{id}/tasks/{task}": "a",
  "/v1/agents/{name}": "private",
  "/v1/tenants/{id}": "other",
  "/v1/tenants/{id}/keys/{keyId}": "key_none",
  "/v1/callbacks/{token}": "none",
};

/** The API with two tenants, the operator's own the first, and what the examples name. */
async function openWorld() {
  const { ask, world } = createTestApi();
  await ask("PUT", "/v1/agents/private", { kind: "transform", expression: "1" });
  expect((await ask("POST", "/v1/workflows", { id: "wf-of-first", tasks: [{ id: "a", agent: "private" }] })).status).toBe(201);
  expect((await ask("POST", "/v1/tenants", { id: "other" })).status).toBe(201);
  const makeKey = async (tenant: string, scopes: readonly Scope[]) => ((await (await ask("POST", `/v1/tenants/${tenant}/keys`, { scopes })).json()) as { key: string }).key;
  const askWith: Ask = async (method, path, key, headers = {}) => ask(method, path, method === "GET" || method === "DELETE" ? undefined : "{", { ...headers, authorization: key === null ? "" : `Bearer ${key}` });
  const credentials = await makeCredentials(ROOT_KEY, { first: "default", other: "other" }, makeKey);
  const wrong = ["wrong", `wk_default_${"a".repeat(32)}`, `wk_nobody_${"a".repeat(32)}`, credentials.first.slice(0, -1), `${ROOT_KEY}x`];
  return { credentials: { ...credentials, wrong }, askWith, world };
}

test("every route × {no key, wrong key, missing scope, other tenant} is {401, 401, 403, 404}, and right keys come in", async () => {
  const { credentials, askWith } = await openWorld();
  const routes = listRoutes(describeApi(ENDPOINTS), EXAMPLES);
  expect(routes.length).toBe(ENDPOINTS.length);
  expect(routes.filter(({ isOfTenant }) => isOfTenant).length).toBeGreaterThan(10);
  expect(await findBreaches(routes, credentials, askWith)).toEqual([]);
});

/** Which scope opens what (contract), said apart from the endpoints; the first that fits holds. */
const ACCESS: readonly (readonly [RegExp, RouteCase["access"]])[] = [
  [/^GET \/(healthz|docs|openapi\.json)$|^POST \/v1\/callbacks\/\{token\}$/, "public"],
  [/^\w+ \/v1\/tenants\b/, "root"],
  [/^PUT \/v1\/tiers$|^POST \/v1\/(optimizations\/run|config\/rollback)$/, "root"],
  [/^GET \/v1\/(config|tiers|metrics|stats|optimizations)\b/, "config:read"],
  [/^PATCH \/v1\/config$/, "config:write"],
  [/^(PUT|DELETE) \/v1\/(agents|templates)\//, "agents:write"],
  [/^(GET|POST) \/v1\/(chat|models|route|context|intents)\b/, "gateway"],
  // It makes nothing but another way of reading.
  [/^POST \/v1\/workflows\/\{id\}\/stream-token$/, "workflows:read"],
  [/^GET \/v1\/(workflows|jobs|agents|templates|schedules|ledger)\b/, "workflows:read"],
  [/^(POST|PUT|DELETE) \/v1\/(workflows|jobs|schedules)\b/, "workflows:write"],
];

test("every route needs the scope that the contract names for it", () => {
  const routes = listRoutes(describeApi(ENDPOINTS), EXAMPLES).map(({ name, access }) => [name, access]);
  expect(routes).toEqual(routes.map(([name = ""]) => [name, ACCESS.find(([pattern]) => pattern.test(name))?.[1]]));
});

describe("a new route cannot be forgotten", () => {
  const documentOf = (path: string, security: Operation["security"], method = "get"): OpenApi => {
    const document = describeApi([]);
    return { ...document, paths: { [path]: { [method]: { operationId: "x", tags: [], summary: "", security, parameters: [], responses: {} } } } };
  };

  test.each([
    ["no access at all", []],
    ["an unknown scope", [{ key: ["everything"] }]],
    ["several scopes", [{ key: ["gateway", "config:read"] }]],
    ["no scope", [{ key: [] }]],
    ["a stream token alone", [{ streamToken: [] }]],
  ])("one that states %s fails the table", (_name, security) => {
    expect(() => listRoutes(documentOf("/v1/new", security), EXAMPLES)).toThrow("who may use it");
  });

  test("one with a parameter that has no example fails the table", () => {
    expect(() => listRoutes(documentOf("/v1/new/{id}", [{ key: ["gateway"] }]), EXAMPLES)).toThrow("/v1/new/{id}");
    expect(() => listRoutes(documentOf("/v1/workflows/{id}/new/{part}", [{ key: ["gateway"] }]), EXAMPLES)).toThrow("/v1/workflows/{id}/new/{part}");
  });

  test("one that lets another tenant, or a key without its scope, in is a breach", async () => {
    const { credentials } = await openWorld();
    const routes = listRoutes(documentOf("/v1/workflows/{id}", [{ key: ["workflows:read"] }]), EXAMPLES);
    const breaches = await findBreaches(routes, credentials, async (_method, _path, key) => ({ status: key === null ? 401 : 200 }));
    expect(breaches.join("\n")).toMatch(/all scopes but workflows:read: 200/);
    expect(breaches.join("\n")).toMatch(/another tenant's key: 200/);
  });

  test("one that finds nothing for the tenant that it belongs to is a breach: its example would prove nothing", async () => {
    const { credentials } = await openWorld();
    const routes = listRoutes(documentOf("/v1/workflows/{id}", [{ key: ["workflows:read"] }]), EXAMPLES);
    expect(await findBreaches(routes, credentials, async () => ({ status: 404 }))).toContain("GET /v1/workflows/{id} with only workflows:read: 404");
  });
});
