import { describe, expect, test } from "vitest";
import { createStreamToken, readStreamToken, STREAM_TOKEN_LIFE_MS } from "../../src/api/auth/stream-token.ts";
import { encodeBase64Url } from "../../src/api/http/base64url.ts";
import { createTestApi, ROOT_KEY } from "./fake-ports.ts";

const SPEC = { id: "w", tasks: [{ id: "a", agent: "scout", input: { prompt: "List it." } }] };
const STREAM = { accept: "text/event-stream" };
const SOCKET = { upgrade: "websocket", connection: "upgrade" };

async function createOne() {
  const made = createTestApi();
  await made.ask("POST", "/v1/workflows", SPEC);
  return made;
}

describe("events", () => {
  test.each([
    ["", { after: 0, limit: 1_000 }], ["?after=7", { after: 7, limit: 1_000 }], ["?limit=1", { after: 0, limit: 1 }], ["?cursor=9&limit=1000", { after: 9, limit: 1_000 }],
  ])("a page at events%s is read as asked", async (query, expected) => {
    const { ask, world } = await createOne();
    let asked: unknown;
    world.override = { readEvents: async (options) => ((asked = options), { items: [], nextCursor: null }) };
    expect((await ask("GET", `/v1/workflows/w/events${query}`)).status).toBe(200);
    expect(asked).toEqual(expected);
  });

  test.each(["after=-1", "after=x", "limit=0", "limit=1001", "cursor=abc"])("?%s is refused", async (query) => {
    const { ask } = await createOne();
    expect((await ask("GET", `/v1/workflows/w/events?${query}`)).status).toBe(422);
  });

  test.each([[{}, "", "0"], [{}, "?after=5", "5"], [{ "last-event-id": "9" }, "?after=5", "9"], [{ "last-event-id": "" }, "?after=5", "5"]])("a stream goes on where the client was (%o, %s)", async (headers, query, after) => {
    const { ask, world } = await createOne();
    const response = await ask("GET", `/v1/workflows/w/events${query}`, undefined, { ...STREAM, ...headers, "request-id": "r7" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("request-id")).toBe("r7");
    expect(await response.text()).toBe("id: 1\n\n");
    const [asked] = world.streams;
    expect(new URL(asked!.url).pathname + new URL(asked!.url).search).toBe(`/events?after=${after}`);
    expect(asked!.headers.get("authorization")).toBeNull();
    expect(asked!.headers.get("request-id")).toBe("r7");
  });

  test("a stream of an unknown workflow is 404, a wrong Last-Event-ID 422, and HEAD opens none", async () => {
    const { ask, world } = await createOne();
    expect((await ask("GET", "/v1/workflows/none/events", undefined, STREAM)).status).toBe(404);
    expect((await ask("GET", "/v1/workflows/w/events", undefined, { ...STREAM, "last-event-id": "x" })).status).toBe(422);
    world.streams.length = 0;
    expect((await ask("HEAD", "/v1/workflows/w/events", undefined, STREAM)).status).toBe(200);
    expect(world.streams).toEqual([]);
  });
});

test("a workflow with as many streams as it can serve is a 429 that says when to come back, as its object does", async () => {
  const { ask, world } = await createOne();
  for (const [said, passedOn] of [["5", "5"], ["", "1"], ["soon", "1"]] as const) {
    world.override = { fetch: async () => new Response(null, { status: 429, headers: said === "" ? {} : { "retry-after": said } }) };
    const response = await ask("GET", "/v1/workflows/w/events", undefined, STREAM);
    expect(response.status).toBe(429);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("retry-after")).toBe(passedOn);
  }
});

describe("socket", () => {
  test("an upgrade is handed to the object, anything else is refused", async () => {
    const { ask, world } = await createOne();
    expect((await ask("GET", "/v1/workflows/w/socket?after=3", undefined, SOCKET)).status).toBe(200);
    expect(world.streams[0]!.url).toBe("https://workflow/socket?after=3");
    const refused = await ask("GET", "/v1/workflows/w/socket");
    expect([refused.status, refused.headers.get("upgrade")]).toEqual([426, "websocket"]);
    expect((await ask("GET", "/v1/workflows/w/socket?after=x")).status).toBe(422);
  });
});

describe("stream tokens", () => {
  async function createToken() {
    const made = await createOne();
    await made.ask("POST", "/v1/workflows", { ...SPEC, id: "other" });
    const response = await made.ask("POST", "/v1/workflows/w/stream-token");
    expect(response.status).toBe(200);
    const { token, expiresAt } = (await response.json()) as { token: string; expiresAt: string };
    const open = (path: string, headers: Record<string, string> = STREAM, with_ = token) => made.app.request(`https://weft.test${path}?token=${with_}`, { headers });
    return { ...made, token, expiresAt, open };
  }

  test("open events and socket of their workflow without a key, for five minutes", async () => {
    const { open, world, expiresAt } = await createToken();
    expect(Date.parse(expiresAt)).toBe(world.now + STREAM_TOKEN_LIFE_MS);
    expect((await open("/v1/workflows/w/events")).status).toBe(200);
    expect((await open("/v1/workflows/w/events", {})).status).toBe(200);
    expect((await open("/v1/workflows/w/socket", SOCKET)).status).toBe(200);
    expect(world.streams.map(({ url }) => url).join()).not.toContain("token");
    world.now += STREAM_TOKEN_LIFE_MS - 1;
    expect((await open("/v1/workflows/w/events")).status).toBe(200);
    world.now += 1;
    expect((await open("/v1/workflows/w/events")).status).toBe(401);
  });

  test("open nothing else", async () => {
    const { app, open, token } = await createToken();
    for (const path of ["/v1/workflows/other/events", "/v1/workflows/other/socket", "/v1/workflows/w", "/v1/workflows/w/tasks", "/v1/workflows/w/ledger", "/v1/workflows", "/v1/agents"]) {
      expect((await open(path, { ...STREAM, ...SOCKET })).status).toBe(401);
    }
    expect((await app.request(`https://weft.test/v1/workflows/w/cancel?token=${token}`, { method: "POST" })).status).toBe(401);
    expect((await app.request("https://weft.test/v1/workflows/w/events", { headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
  });

  test("are good in one spelling only", async () => {
    const { open, token } = await createToken();
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const others = [...alphabet].filter((last) => !token.endsWith(last)).map((last) => `${token.slice(0, -1)}${last}`);
    const spellings = [...others, `${token}.`, `${token}.x`, `${token}=`, `.${token}`, token.slice(0, -1), `${token}A`];
    expect(await Promise.all(spellings.map(async (spelling) => (await open("/v1/workflows/w/events", STREAM, spelling)).status))).toEqual(spellings.map(() => 401));
  });

  test("and keys open streams in the name of their key, so that these end with it", async () => {
    const { app, ask, world } = createTestApi();
    await ask("POST", "/v1/tenants", { id: "acme" });
    const made = (await (await ask("POST", "/v1/tenants/acme/keys")).json()) as { id: string; key: string };
    const asTenant = { authorization: `Bearer ${made.key}` };
    await ask("POST", "/v1/workflows", { ...SPEC, id: "w" }, asTenant);
    await app.request("https://weft.test/v1/workflows/w/events", { headers: { ...STREAM, ...asTenant } });
    const { token } = (await (await ask("POST", "/v1/workflows/w/stream-token", undefined, asTenant)).json()) as { token: string };
    await app.request(`https://weft.test/v1/workflows/w/events?token=${token}`, { headers: STREAM });
    await app.request(`https://weft.test/v1/workflows/w/socket?token=${token}`, { headers: SOCKET });
    await ask("GET", "/v1/workflows/w/events", undefined, { ...STREAM, "x-tenant": "acme" });
    expect(world.streams.map(({ headers }) => headers.get("x-key-id"))).toEqual([made.id, made.id, made.id, null]);
  });

  test("of a key that was revoked open nothing any more: no page of events, no stream, no socket", async () => {
    const { app, ask, world } = createTestApi();
    await ask("POST", "/v1/tenants", { id: "acme" });
    const made = (await (await ask("POST", "/v1/tenants/acme/keys")).json()) as { id: string; key: string };
    const asTenant = { authorization: `Bearer ${made.key}` };
    await ask("POST", "/v1/workflows", SPEC, asTenant);
    const { token } = (await (await ask("POST", "/v1/workflows/w/stream-token", undefined, asTenant)).json()) as { token: string };
    const open = () => Promise.all([["events", {}] as const, ["events", STREAM] as const, ["socket", SOCKET] as const].map(([name, headers]) => app.request(`https://weft.test/v1/workflows/w/${name}?token=${token}`, { headers })));
    expect((await open()).map(({ status }) => status)).toEqual([200, 200, 200]);
    await ask("DELETE", `/v1/tenants/acme/keys/${made.id}`);
    world.streams.length = 0;
    const answers = await open();
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401]);
    expect(await answers[0]!.json()).toMatchObject({ detail: expect.stringContaining("revoked") });
    expect(world.streams).toEqual([]);
  });

  test("do not help a wrong key", async () => {
    const { open } = await createToken();
    expect((await open("/v1/workflows/w/events", { authorization: "Bearer nonsense" })).status).toBe(401);
  });

  test("are not made for what is not there", async () => {
    const { ask } = await createOne();
    expect((await ask("POST", "/v1/workflows/none/stream-token")).status).toBe(404);
  });

  test("are good for nothing when a single character is changed, or another root key is set", async () => {
    const claims = { tenant: "default", keyId: null, workflowId: "w", expiresAt: 1_000 };
    const token = await createStreamToken(claims, ROOT_KEY);
    const expected = { rootKey: ROOT_KEY, workflowId: "w", now: 0 };
    expect(await readStreamToken(token, expected)).toMatchObject({ tenant: "default", keyId: null });
    expect(await readStreamToken(token, { ...expected, rootKey: "another" })).toBeNull();
    const [payload, signature] = token.split(".");
    const forged = encodeBase64Url(new TextEncoder().encode(JSON.stringify({ ...claims, expiresAt: 9_999_999 })));
    for (const wrong of ["", ".", "x", `${payload}.`, `.${signature}`, `${payload}`, `${forged}.${signature}`, `${payload}.${signature!.slice(0, -4)}`]) {
      expect(await readStreamToken(wrong, expected)).toBeNull();
    }
    // The last character of a part can hold unused bits, so it is left out here.
    for (let at = 0; at < payload!.length - 1; at += 1) {
      const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
      expect(await readStreamToken(changed, expected)).toBeNull();
    }
  });
});
