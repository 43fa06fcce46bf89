import { describe, expect, test } from "vitest";
import { ENDPOINTS } from "../../../src/api/create-api.ts";
import { readCorsPolicy } from "../../../src/api/http/cors.ts";
import { createTestApi } from "../fake-ports.ts";

const APP = "https://app.example.com";
const OTHER = "https://other.example.com";

function askFrom(origin: string | null, corsOrigins: string | null, method = "GET", path = "/v1/agents", more: Record<string, string> = {}) {
  const headers = { ...(origin === null ? {} : { origin }), ...more };
  return createTestApi({ corsOrigins }).ask(method, path, undefined, headers);
}

function preflight(origin: string, corsOrigins: string | null, more: Record<string, string> = {}) {
  return askFrom(origin, corsOrigins, "OPTIONS", "/v1/workflows", { authorization: "", "access-control-request-method": "POST", ...more });
}

describe("the variable", () => {
  test.each([
    [null, [], []],
    ["", [], []],
    [" , ", [], []],
    ["https://app.example.com", ["https://app.example.com"], []],
    [" https://a.example , http://localhost:3000 ", ["https://a.example", "http://localhost:3000"], []],
    ["https://a.example:8443", ["https://a.example:8443"], []],
    ["https://a.example/", [], ["https://a.example/"]],
    ["https://A.example", [], ["https://A.example"]],
    ["https://a.example:443", [], ["https://a.example:443"]],
    ["https://user@a.example", [], ["https://user@a.example"]],
    ["a.example, null, https://*.example.com", [], ["a.example", "null", "https://*.example.com"]],
    ["*, https://a.example", ["https://a.example"], ["*"]],
  ])("%j allows %j and finds %j malformed", (variable, allowed, malformed) => {
    const policy = readCorsPolicy(variable);
    expect([...policy.allowed]).toEqual(allowed);
    expect(policy.malformed).toEqual(malformed);
  });

  test("a malformed entry is warned of in the log, once", async () => {
    const { ask, world } = createTestApi({ corsOrigins: "app.example.com" });
    for (let count = 0; count < 3; count += 1) await ask("GET", "/healthz");
    const warnings = world.log.filter(({ event }) => event === "configuration.warned");
    expect(warnings).toEqual([expect.objectContaining({ message: expect.stringContaining('"app.example.com"') })]);
  });
});

describe("with nothing configured", () => {
  test.each(ENDPOINTS.map(({ method, path }) => ({ method, path })))("$method $path allows no origin", async ({ method, path }) => {
    const response = await askFrom(APP, null, method, path);
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
    expect(response.headers.get("vary")).toBeNull();
  });

  test("a preflight is an unknown route, as every other OPTIONS", async () => {
    const response = await preflight(APP, null);
    expect(response.status).toBe(401);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("with origins configured", () => {
  test("an allowed one may read the answer and its headers, without credentials", async () => {
    const { headers } = await askFrom(APP, `${APP},https://b.example`);
    expect(headers.get("access-control-allow-origin")).toBe(APP);
    expect(headers.get("access-control-allow-credentials")).toBeNull();
    expect(headers.get("vary")).toBe("Origin");
    const exposed = headers.get("access-control-expose-headers")!.toLowerCase().split(", ");
    expect(exposed).toEqual(expect.arrayContaining(["request-id", "retry-after", "location", "etag", "idempotent-replay", "x-cost-usd", "x-model", "x-provider", "x-tier", "x-fallbacks"]));
  });

  test.each([
    ["the route does not exist", "GET", "/v1/nothing", {}, 404],
    ["there is no key", "GET", "/v1/agents", { authorization: "" }, 401],
    ["the body is wrong", "POST", "/v1/workflows", {}, 400],
    ["OpenAI's shape is spoken", "POST", "/v1/embeddings", {}, 404],
  ])("errors can be read as well: %s", async (_case, method, path, more, status) => {
    const response = await askFrom(APP, APP, method, path, more);
    expect(response.status).toBe(status);
    expect(response.headers.get("access-control-allow-origin")).toBe(APP);
  });

  test.each([OTHER, "null", `${APP}.evil.example`, "https://app.example.com:8443", "http://app.example.com", `${APP}/`, "HTTPS://APP.EXAMPLE.COM", ""])("any other (%s) may not, and a cache is told that the answer differs", async (origin) => {
    const response = await askFrom(origin, APP);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("vary")).toBe("Origin");
    expect((await preflight(origin, APP)).status).toBe(401);
  });

  test("a request of no page is answered as ever", async () => {
    const response = await askFrom(null, APP);
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("vary")).toBe("Origin");
  });

  test("a preflight is answered without a key, for every method and header that the endpoints have", async () => {
    const response = await preflight(APP, APP, { "access-control-request-headers": "authorization,x-stainless-lang,x-evil" });
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    expect(response.headers.get("access-control-allow-origin")).toBe(APP);
    const methods = response.headers.get("access-control-allow-methods")!.split(", ");
    expect(methods).toEqual(expect.arrayContaining([...new Set(ENDPOINTS.map(({ method }) => method))]));
    const headers = response.headers.get("access-control-allow-headers")!.split(", ");
    expect(headers).toEqual(expect.arrayContaining(["authorization", "content-type", "idempotency-key", "x-tenant", "x-lock-token", "if-match", "last-event-id", "x-stainless-lang"]));
    expect(headers).not.toContain("x-evil");
    expect(Number(response.headers.get("access-control-max-age"))).toBeGreaterThan(0);
  });

  test("OPTIONS without what makes it a preflight is an unknown route", async () => {
    expect((await askFrom(APP, APP, "OPTIONS", "/v1/workflows")).status).toBe(404);
    expect((await askFrom(APP, APP, "OPTIONS", "/v1/workflows", { authorization: "" })).status).toBe(401);
  });
});

describe("with * configured", () => {
  test("every origin may call, none with credentials", async () => {
    for (const origin of [APP, OTHER, "null"]) {
      const { headers } = await askFrom(origin, "*");
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("access-control-allow-credentials")).toBeNull();
      expect(headers.get("vary")).toBeNull();
      expect((await preflight(origin, "*")).status).toBe(204);
    }
  });
});
