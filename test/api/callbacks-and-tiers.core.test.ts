import { describe, expect, test } from "vitest";
import { encodeBase64Url } from "../../src/api/http/base64url.ts";
import { createTestApi } from "./fake-ports.ts";

const SPEC = { id: "w", tasks: [{ id: "a", agent: "scout", input: { prompt: "List it." } }] };

function tokenOf(text: string): string {
  return encodeBase64Url(new TextEncoder().encode(text));
}

describe("POST /v1/callbacks/{token}", () => {
  async function createOne() {
    const made = createTestApi();
    await made.ask("POST", "/v1/workflows", SPEC);
    const call = (token: string, body?: string) => made.app.request(`https://weft.test/v1/callbacks/${token}`, { method: "POST", ...(body === undefined ? {} : { body }) });
    return { ...made, call };
  }

  test("needs no key; the token leads to its workflow, which gets the secret part and the body", async () => {
    const { call, world } = await createOne();
    const response = await call(tokenOf("default:w:s3cret"), `{"output":1}`);
    expect(response.status).toBe(202);
    expect(world.callbacks).toEqual([{ secret: "s3cret", body: { output: 1 } }]);
  });

  test("works without a root key, so that running workflows can end", async () => {
    const { app, world } = createTestApi({ rootKey: null });
    world.override = { acceptCallback: async () => ({ accepted: true }) };
    expect((await app.request(`/v1/callbacks/${tokenOf("default:w:s")}`, { method: "POST", body: "{}" })).status).toBe(202);
  });

  test.each(["default:none:s", "acme:w:s"])("of an unknown workflow (%s) is 404, whatever the body", async (text) => {
    const { call } = await createOne();
    for (const body of [`{"output":1}`, "{", undefined, "x".repeat(1_048_577)]) expect((await call(tokenOf(text), body)).status).toBe(404);
  });

  test("that is unknown to its workflow, or was used, is 404, whatever the body", async () => {
    const { call } = await createOne();
    for (const body of ["{", undefined, "x".repeat(1_048_577)]) expect((await call(tokenOf("default:w:used"), body)).status).toBe(404);
  });

  test.each([
    "nonsense", "%00", tokenOf("default:w"), tokenOf("default:w:s:x"), tokenOf("default:w:"), tokenOf(":w:s"), tokenOf("DEFAULT:w:s"), tokenOf("default:../w:s"), tokenOf(`default:w:${"x".repeat(257)}`), tokenOf("default:w:s3cret").replace(/.$/, "B"),
  ])("the token %s is 404 without asking an object", async (token) => {
    const { call, world } = await createOne();
    world.calls.length = 0;
    expect((await call(token, "{}")).status).toBe(404);
    expect(world.calls).toEqual([]);
  });

  test.each([["{", 400], [undefined, 400], ["x".repeat(1_048_577), 413]])("a body that cannot be read does not reach the object (%#)", async (body, status) => {
    const { call, world } = await createOne();
    expect((await call(tokenOf("default:w:s"), body)).status).toBe(status);
    expect(world.callbacks).toEqual([]);
  });

  test("what the object refuses is answered with its faults", async () => {
    const { call, world } = await createOne();
    world.override = { acceptCallback: async () => ({ problem: "invalid", detail: "no", errors: [{ path: "/output", message: "is missing" }] }) };
    const response = await call(tokenOf("default:w:s"), "{}");
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ errors: [{ path: "/output", message: "is missing" }] });
  });
});

describe("/v1/tiers", () => {
  const model = { id: "m", provider: "p", tier: "weak", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 2 }, contextWindow: 1_000, maxOutputTokens: 100, capabilities: [] };
  const document = { providers: [{ id: "p", kind: "offline" }], models: [model], tiers: { weak: ["m"], base: ["m"], strong: ["m"] } };

  test("GET answers the built-in document as version 0, then what was put, with its version", async () => {
    const { ask, world } = createTestApi();
    expect(await (await ask("GET", "/v1/tiers")).json()).toMatchObject({ version: 0, tiers: { weak: expect.any(Array) } });
    const put = await ask("PUT", "/v1/tiers", document);
    expect(put.status).toBe(200);
    expect(await put.json()).toEqual({ version: 1, ...document });
    expect(await (await ask("GET", "/v1/tiers")).json()).toEqual({ version: 1, ...document });
    expect(world.published).toEqual({ version: 1, document });
  });

  test("what GET answers can be put back as it is", async () => {
    const { ask } = createTestApi();
    const builtIn = (await (await ask("GET", "/v1/tiers")).json()) as object;
    expect(await (await ask("PUT", "/v1/tiers", builtIn)).json()).toEqual({ ...builtIn, version: 1 });
    expect((await ask("PUT", "/v1/tiers", { ...builtIn, version: null })).status).toBe(200);
    const refused = await ask("PUT", "/v1/tiers", { ...builtIn, version: "1" });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ errors: [{ path: "/version" }] });
  });

  test("a document with any fault is refused as a whole", async () => {
    const { ask, world } = createTestApi();
    const response = await ask("PUT", "/v1/tiers", { ...document, providers: [{ id: "p", kind: "openai", baseUrl: "http://10.0.0.1", secretName: "ROOT_KEY" }], extra: 1 });
    expect(response.status).toBe(422);
    const { errors } = (await response.json()) as { errors: { path: string }[] };
    expect(errors.map(({ path }) => path)).toEqual(expect.arrayContaining(["/extra", "/providers/0/secretName"]));
    expect(world.tiers).toEqual([]);
    expect(world.published).toBeNull();
    expect((await ask("PUT", "/v1/tiers")).status).toBe(400);
  });
});
