import { describe, expect, test } from "vitest";
import { ENDPOINTS } from "../../src/api/create-api.ts";
import { createTestApi, fakeId, ROOT_KEY } from "./fake-ports.ts";

const routes = ENDPOINTS.map(({ method, path, access, body, exists }) => ({
  method,
  path: path.replace(":id", "wf_none").replace(":keyId", "key_none").replace(":task", "a").replace(":name", "nobody").replace(":token", btoa("default:wf_none:secret")),
  access,
  hasBody: body !== undefined,
  exists,
}));
const locked = routes.filter(({ access }) => access !== "public");

describe("without a key", () => {
  test.each(locked)("$method $path answers 401", async ({ method, path }) => {
    const { ask, world } = createTestApi();
    for (const authorization of ["", "Bearer", `Basic ${ROOT_KEY}`, `Bearer ${ROOT_KEY}x`, `Bearer ${ROOT_KEY} x`, ROOT_KEY]) {
      const response = await ask(method, path, method === "GET" ? undefined : "{", { authorization });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
    }
    expect(world.calls).toEqual([]);
  });

  test.each(["/nothing", "/v1/nothing", "/", "/v1/workflows/"])("the unknown route %s answers 401 too, so that nobody learns which there are", async (path) => {
    const { ask } = createTestApi();
    expect((await ask("GET", path, undefined, { authorization: "" })).status).toBe(401);
    expect((await ask("GET", path)).status).toBe(404);
  });

  test.each(["/healthz", "/openapi.json", "/docs"])("%s answers", async (path) => {
    expect((await createTestApi({ rootKey: null }).ask("GET", path, undefined, { authorization: "" })).status).toBe(200);
  });
});

describe("with no root key configured", () => {
  test.each(locked)("$method $path answers 503 and says what to set", async ({ method, path }) => {
    for (const rootKey of [null, ""]) {
      const { ask, world } = createTestApi({ rootKey });
      const response = await ask(method, path, undefined, { authorization: "Bearer " });
      expect(response.status).toBe(503);
      expect(await response.text()).toContain("ROOT_KEY");
      expect(world.calls).toEqual([]);
    }
  });
});

test("another method of a path that needs no key is told without one", async () => {
  const { ask } = createTestApi();
  for (const [method, path, allowed] of [["POST", "/healthz", "GET, HEAD"], ["DELETE", "/openapi.json", "GET, HEAD"], ["GET", "/v1/callbacks/x", "POST"]] as const) {
    const response = await ask(method, path, undefined, { authorization: "" });
    expect([response.status, response.headers.get("allow")]).toEqual([404, allowed]);
  }
});

test("a slash too many at the end of a path is told", async () => {
  const { ask } = createTestApi();
  expect(await (await ask("GET", "/v1/workflows/")).json()).toMatchObject({ status: 404, detail: expect.stringContaining("leave out the slash at its end") });
  expect(await (await ask("GET", "/v1/nothing/")).json()).toMatchObject({ status: 404, detail: expect.stringContaining("/openapi.json") });
});

describe("order of checks", () => {
  const withObject = routes.filter(({ exists, hasBody }) => exists !== undefined && hasBody);

  test.each(withObject)("$method $path of an unknown object is 404 before 413, 400 and 422", async ({ method, path }) => {
    const { ask } = createTestApi();
    for (const body of ["x".repeat(1_048_577), "{", `{"nonsense":1}`, `{"from":7}`]) expect((await ask(method, path, body)).status).toBe(404);
  });

  const withQuery = ["/v1/workflows/wf_none?wait=-1", "/v1/workflows/wf_none/tasks?limit=0", "/v1/workflows/wf_none/events?limit=2000", "/v1/workflows/wf_none/ledger?limit=x", "/v1/workflows/wf_none/socket"];
  test.each(withQuery)("GET %s of an unknown object is 404 before 422 and 426", async (path) => {
    expect((await createTestApi().ask("GET", path)).status).toBe(404);
  });

  test("a body that is too large is 413 before 400, and one that is no JSON 400 before 422", async () => {
    const { ask } = createTestApi();
    expect((await ask("POST", "/v1/workflows", `{${" ".repeat(4_194_304)}`)).status).toBe(413);
    expect((await ask("POST", "/v1/workflows", `{"tasks":`)).status).toBe(400);
    expect((await ask("POST", "/v1/workflows")).status).toBe(400);
    expect((await ask("POST", "/v1/workflows", `{"tasks":[]}`)).status).toBe(422);
  });

  test("X-Tenant of the root key names the tenant it acts as; an unknown one is 404, after the key", async () => {
    const { ask } = createTestApi();
    expect((await ask("GET", "/v1/agents", undefined, { "x-tenant": "default" })).status).toBe(200);
    for (const nobody of ["acme", "", "A", "a:b", "default:x"]) expect((await ask("GET", "/v1/agents", undefined, { "x-tenant": nobody })).status, nobody).toBe(404);
    expect((await ask("GET", "/v1/agents", undefined, { "x-tenant": "acme", authorization: "Bearer x" })).status).toBe(401);
    await ask("POST", "/v1/tenants", { id: "acme" });
    expect((await ask("GET", "/v1/agents", undefined, { "x-tenant": "acme" })).status).toBe(200);
  });

  test.each(["a".repeat(65), "a.b", "a%2Fb", "%20", "a:b"])("an id that no workflow can have (%s) is 404 without asking an object", async (id) => {
    const { ask, world } = createTestApi();
    expect((await ask("GET", `/v1/workflows/${id}`)).status).toBe(404);
    expect((await ask("POST", `/v1/workflows/${id}/cancel`, "{")).status).toBe(404);
    expect(world.calls).toEqual([]);
  });
});

describe("every answer", () => {
  test.each(routes)("of $method $path has an id, is neither sniffed, framed nor told of to other sites, and asks for https next time", async ({ method, path }) => {
    const { app, ask, world } = createTestApi();
    const response = await ask(method, path);
    expect(response.headers.get("request-id")).toMatch(/^req_random\d+$/);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("strict-transport-security")).toMatch(/^max-age=\d+$/);
    expect(response.headers.get("x-frame-options")).toBe("DENY");
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    expect(response.headers.get("content-security-policy")).toMatch(/^default-src 'none';.*frame-ancestors 'none'$/);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    for (const name of ["server", "x-powered-by"]) expect(response.headers.get(name)).toBeNull();
    expect(world.log).toHaveLength(1);
    expect(world.log[0]).toMatchObject({ event: "request.answered", requestId: response.headers.get("request-id"), method, status: response.status });
    const plain = await app.request(`http://weft.test${path}`, { method });
    expect(plain.headers.get("strict-transport-security")).toBeNull();
  });

  test.each([["client-1", "client-1"], ["a".repeat(128), "a".repeat(128)]])("takes a sane Request-Id over (%s)", async (sent, answered) => {
    expect((await createTestApi().ask("GET", "/healthz", undefined, { "request-id": sent })).headers.get("request-id")).toBe(answered);
  });

  test.each(["a b", `x"y`, "a".repeat(129), "{}"])("makes one of its own for %s", async (sent) => {
    expect((await createTestApi().ask("GET", "/healthz", undefined, { "request-id": sent })).headers.get("request-id")).toBe(`req_${fakeId(1)}`);
  });

  test("logs the pattern of its route, never the path: a callback's token and stream tokens stay out", async () => {
    const { ask, world } = createTestApi();
    await ask("POST", `/v1/callbacks/${btoa("default:wf_none:sesame")}`, {});
    await ask("GET", "/v1/workflows/wf_none/events?token=sesame");
    await ask("GET", "/v1/workflows/key.sesame");
    const lines = JSON.stringify(world.log);
    expect(lines).not.toContain("sesame");
    expect(lines).not.toContain(btoa("default:wf_none:sesame"));
    expect(world.log.map((event) => ("route" in event ? event.route : null))).toEqual(["/v1/callbacks/:token", "/v1/workflows/:id/events", "/v1/workflows/:id"]);
    expect(world.log.map((event) => ("workflowId" in event ? event.workflowId : null))).toEqual([null, "wf_none", null]);
  });
});

describe("failures", () => {
  test("an exception is a 500 that shows nothing of it, and one line in the log", async () => {
    const { ask, world } = createTestApi();
    world.override = { read: async () => Promise.reject(new Error("the disk is on fire")) };
    const response = await ask("GET", "/v1/workflows/wf_1");
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).not.toContain("fire");
    expect(text).toContain(response.headers.get("request-id"));
    expect(world.log).toContainEqual(expect.objectContaining({ event: "request.failed", message: "the disk is on fire", workflowId: "wf_1" }));
  });

  test("an object with more requests than it can queue is a 429 that says when to come back", async () => {
    const { ask, world } = createTestApi();
    world.override = { read: async () => Promise.reject(Object.assign(new Error("overloaded"), { overloaded: true })) };
    const response = await ask("GET", "/v1/workflows/wf_1");
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("1");
  });

  test("paths of OpenAI's API answer in its shape", async () => {
    const { ask } = createTestApi();
    for (const [method, path] of [["PUT", "/v1/chat/completions"], ["GET", "/v1/models/m"], ["POST", "/v1/embeddings"], ["POST", "/v1/responses"], ["POST", "/v1/realtime/sessions"], ["GET", "/v1/conversations/c"]] as const) {
      const response = await ask(method, path, method === "GET" ? undefined : "{}");
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({ error: { message: expect.any(String), type: "invalid_request_error", param: null, code: "unknown_url" } });
      expect(await (await ask(method, path, undefined, { authorization: "" })).json()).toMatchObject({ error: { code: "invalid_api_key" } });
    }
  });

  test("another method of a known path is an unknown route, and told is which methods there are", async () => {
    const { ask } = createTestApi();
    for (const method of ["PATCH", "OPTIONS", "DELETE"]) {
      const response = await ask(method, "/v1/workflows");
      expect([response.status, response.headers.get("allow")]).toEqual([404, "POST, GET, HEAD"]);
      expect(await response.json()).toMatchObject({ detail: `There is no ${method} /v1/workflows; it takes POST, GET, HEAD.` });
    }
    expect((await ask("PUT", "/v1/tenants/acme/keys/key_1")).headers.get("allow")).toBe("DELETE");
    expect((await ask("GET", "/v1/chat/completions")).headers.get("allow")).toBe("POST");
    expect((await ask("GET", "/v1/nothing")).headers.get("allow")).toBeNull();
    const head = await ask("HEAD", "/v1/agents");
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
  });
});
