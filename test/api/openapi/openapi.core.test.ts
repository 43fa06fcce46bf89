import { describe, expect, test } from "vitest";
import { ENDPOINTS } from "../../../src/api/create-api.ts";
import { describeApi, type OpenApi } from "../../../src/api/openapi/openapi.ts";
import { createTestApi } from "../fake-ports.ts";

const document = describeApi(ENDPOINTS);

function collectReferences(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => (key === "$ref" && typeof child === "string" ? [child] : collectReferences(child)));
}

describe("the OpenAPI document", () => {
  test("is served, and lists every route that is served and no other", async () => {
    const { app, ask } = createTestApi();
    const served = (await (await ask("GET", "/openapi.json")).json()) as OpenApi;
    expect(served.openapi).toBe("3.1.0");
    const listed = Object.entries(served.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    expect(listed.sort()).toEqual(app.routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`).sort());
  });

  test("has a different id for every operation", () => {
    const ids = Object.values(document.paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain("postWorkflowsIdTasksTaskRetry");
  });

  test("refers to nothing that is not in it", () => {
    for (const reference of collectReferences(document)) {
      expect(reference).toMatch(/^#\/components\/schemas\//);
      expect(Object.keys(document.components.schemas)).toContain(reference.replace("#/components/schemas/", ""));
    }
  });

  test("says what each operation needs: its path's parameters, its scope, its limits", () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const { parameters } of Object.values(methods)) {
        expect(parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name)).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      }
    }
    const events = document.paths["/v1/workflows/{id}/events"]!["get"]!;
    expect(events.security).toEqual([{ key: ["workflows:read"] }, { streamToken: [] }]);
    expect(events.parameters.find(({ name }) => name === "limit")?.schema).toMatchObject({ type: "integer", minimum: 1, maximum: 1_000, default: 1_000 });
    expect(document.paths["/v1/callbacks/{token}"]!["post"]!.security).toEqual([]);
    expect(document.paths["/v1/workflows"]!["post"]!.requestBody?.content["application/json"]?.schema).toEqual({ $ref: "#/components/schemas/WorkflowSpec" });
    expect(document.components.schemas["WorkflowSpec"]).toMatchObject({ type: "object", required: ["tasks"], additionalProperties: false });
  });
});

describe("the page", () => {
  test("needs no script, loads nothing and says so to the browser", async () => {
    const response = await createTestApi().ask("GET", "/docs");
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    const html = await response.text();
    expect(html).not.toMatch(/<script|src=|https?:\/\/(?!json-schema)/);
    for (const endpoint of ENDPOINTS) expect(html).toContain(`${endpoint.method} ${endpoint.path.replaceAll(/:(\w+)/g, "{$1}")}`);
  });
});
