import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ENDPOINTS } from "../../src/api/create-api.ts";
import { DEFAULT_TIERS } from "../../src/config/default-tiers.ts";
import { createTestApi } from "./fake-ports.ts";

/** What can be left out of each body, by the schemas that the bodies are checked with. */
const optional = ENDPOINTS.flatMap(({ method, path, body }) => {
  if (body === undefined) return [];
  const { properties = {}, required = [], anyOf, oneOf } = z.toJSONSchema(body.schema, { io: "input", unrepresentable: "any" });
  const kinds = (anyOf ?? oneOf ?? [{ properties, required }]) as { properties?: Record<string, unknown>; required?: string[] }[];
  return kinds.flatMap((kind) => Object.keys(kind.properties ?? {}).flatMap((name) => (kind.required?.includes(name) === true ? [] : [{ method, path, name, kind: kindOf(kind.properties?.["kind"]) }])));
});

function kindOf(schema: unknown): string | undefined {
  return (schema as { const?: string } | undefined)?.const;
}

describe("null stands for a field that is left out", () => {
  test("of every body that has one", () => {
    expect(new Set(optional.map(({ method, path }) => `${method} ${path}`)).size).toBeGreaterThan(10);
  });

  test.each(optional)("$name of $method $path ($kind)", async ({ method, path, name, kind }) => {
    const { ask, world } = createTestApi();
    await ask("POST", "/v1/tenants", { id: "acme" });
    await ask("POST", "/v1/workflows", { id: "w", tasks: [{ id: "a", agent: "scout", input: { prompt: "List it." } }] });
    world.override = { acceptCallback: async () => ({ accepted: true }), awaitsCallback: async () => true };
    const address = path.replace("tenants/:id", "tenants/acme").replace(":id", "w").replace(":name", "x").replace(":task", "a").replace(":token", btoa("default:w:secret"));
    const response = await ask(method, address, { ...(kind === undefined ? {} : { kind }), [name]: null });
    const { errors = [], error } = (await response.json()) as { errors?: { path: string; message: string }[]; error?: { param: string | null } };
    expect(errors.filter((fault) => fault.path === `/${name}` && fault.message !== "is required")).toEqual([]);
    expect(error?.param).not.toBe(name);
  });

  test("also within providers, models and prices", async () => {
    const { ask } = createTestApi();
    const document = {
      ...DEFAULT_TIERS,
      providers: DEFAULT_TIERS.providers.map((provider) => ({ baseUrl: null, secretName: null, options: null, ...provider })),
      models: DEFAULT_TIERS.models.map((model) => ({ upstreamModel: null, quality: null, limits: null, ...model, price: { cacheWritePerMillionUsd: null, longContext: null, ...model.price } })),
    };
    const response = await ask("PUT", "/v1/tiers", document);
    expect(await response.json()).toEqual({ version: 1, ...DEFAULT_TIERS });
  });
});
