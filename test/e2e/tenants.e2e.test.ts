import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import { SCOPES, type Scope } from "../../src/api/auth/scopes.ts";
import type { OpenApi } from "../../src/api/openapi/openapi.ts";
import type { Page, WorkflowSummary, WorkflowView } from "../../src/api/ports/workflow-port.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { findBreaches, listRoutes, makeCredentials, type Examples } from "../fixtures/route-table.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, eventually, putHttpAgents, type WeftClient } from "./weft-client.ts";

const SIGNING_KEY = `whsec_${btoa("the-signing-key-of-acme-eu-32-byt")}`;

let agents: FakeAgents;
let stateFolder: string;
let worker: LocalWorker;
let root: WeftClient;

beforeAll(async () => {
  agents = await startFakeAgents();
  stateFolder = await mkdtemp(join(tmpdir(), "weft-tenants-"));
  worker = await startWorker({ persistTo: stateFolder, vars: { AGENT_ACME_EU__SIGNING: SIGNING_KEY } });
  root = createWeftClient(worker);
});

afterAll(async () => {
  await worker.stop();
  await agents.close();
  await rm(stateFolder, { recursive: true, force: true });
});

interface MadeKey {
  id: string;
  key: string;
}

async function makeKey(tenant: string, scopes?: readonly Scope[]): Promise<MadeKey> {
  const made = await root.call<MadeKey>("POST", `/v1/tenants/${tenant}/keys`, { body: { scopes } });
  expect(made.status, made.text).toBe(201);
  return made.body;
}

/** A new tenant and a client with a key of it. */
async function openTenant(id: string, scopes: readonly Scope[] = SCOPES): Promise<WeftClient> {
  expect((await root.call("POST", "/v1/tenants", { body: { id } })).status).toBe(201);
  return createWeftClient({ origin: worker.origin, rootKey: (await makeKey(id, scopes)).key });
}

async function listIds(client: WeftClient, query = ""): Promise<string[]> {
  return (await client.call<Page<WorkflowSummary>>("GET", `/v1/workflows?limit=200${query}`)).body.items.map(({ id }) => id);
}

test("every route of the served document × {no key, wrong key, missing scope, other tenant} is {401, 401, 403, 404}, and right keys come in", async () => {
  await putHttpAgents(root, agents.origin, { never: "/hang" });
  await root.create({ id: "wf-of-first", tasks: [{ id: "a", agent: "never" }] });
  expect((await root.call("POST", "/v1/tenants", { body: { id: "other" } })).status).toBe(201);
  const examples: Examples = {
    "/v1/workflows/{id}": "wf-of-first",
    "/v1/workflows/{id}/tasks/{task}": "a",
    "/v1/agents/{name}": "never",
    "/v1/tenants/{id}": "other",
    "/v1/tenants/{id}/keys/{keyId}": "key_none",
    "/v1/callbacks/{token}": "none",
  };
  const document = await root.call<OpenApi>("GET", "/openapi.json", { key: null });
  const routes = listRoutes(document.body, examples);
  const credentials = await makeCredentials(worker.rootKey, { first: "default", other: "other" }, async (tenant, scopes) => (await makeKey(tenant, scopes)).key);
  const revoked = await makeKey("default");
  expect((await root.call("DELETE", `/v1/tenants/default/keys/${revoked.id}`)).status).toBe(204);
  const wrong = ["wrong", revoked.key, `wk_default_${"a".repeat(32)}`, `wk_nobody_${"a".repeat(32)}`, credentials.first.slice(0, -1), `${worker.rootKey}x`];
  const breaches = await findBreaches(routes, { ...credentials, wrong }, (method, path, key, headers) =>
    root.call(method, path, { key, headers, ...(method === "GET" || method === "DELETE" ? {} : { body: "{" }) }),
  );
  expect(breaches).toEqual([]);
  expect(routes.length).toBeGreaterThan(40);
});

describe("keys", () => {
  test("work from the moment that they are made until they are revoked, and tell when they were used", async () => {
    const client = await openTenant("keyed");
    const { id, key } = await makeKey("keyed");
    expect((await client.call("GET", "/v1/workflows", { key })).status).toBe(200);
    await eventually(async () => {
      const { items } = (await root.call<Page<{ id: string; lastUsedAt: string | null }>>("GET", "/v1/tenants/keyed/keys")).body;
      expect(items.find((listed) => listed.id === id)?.lastUsedAt).toMatch(/Z$/);
    });
    expect((await root.call("GET", "/v1/tenants/keyed/keys")).text).not.toContain(key.slice(-32));
    expect((await root.call("DELETE", `/v1/tenants/keyed/keys/${id}`)).status).toBe(204);
    expect((await client.call("GET", "/v1/workflows", { key })).status).toBe(401);
    expect((await client.call("GET", "/v1/workflows")).status).toBe(200);
  });

  test("of a tenant sign with its secrets, and can name nobody else's", async () => {
    const client = await openTenant("acme-eu");
    const signed = { kind: "http", url: `${agents.origin}/echo`, secretName: "AGENT_ACME_EU__SIGNING" } as const;
    await client.putAgent("signed", signed);
    expect((await root.call("PUT", "/v1/agents/thief", { body: signed })).status).toBe(422);
    expect((await client.call("PUT", "/v1/agents/thief", { body: { ...signed, secretName: "ROOT_KEY" } })).status).toBe(422);
    const { id, status } = await client.run({ tasks: [{ id: "a", agent: "signed", input: 1 }] });
    expect(status).toBe("completed");
    const call = agents.calls.find(({ workflowId }) => workflowId === id)!;
    expect(() => new Webhook(SIGNING_KEY).verify(call.text, call.headers as Record<string, string>)).not.toThrow();
  });

  test("change the settings of their tenant alone", async () => {
    const client = await openTenant("settled");
    expect((await client.call("PATCH", "/v1/config", { body: { orchestration: { maxAttempts: 1 } } })).status).toBe(200);
    const attemptsOf = async (asked: WeftClient) => (await asked.call<{ orchestration: { maxAttempts: number } }>("GET", "/v1/config")).body.orchestration.maxAttempts;
    expect([await attemptsOf(client), await attemptsOf(root)]).toEqual([1, 3]);
    const operatorOnly = await client.call("PATCH", "/v1/config", { body: { retention: { days: 1 } } });
    expect([operatorOnly.status, operatorOnly.body.errors?.[0]?.path]).toEqual([422, "/retention"]);
    const changedBy = await client.call<Page<{ author: string }>>("GET", "/v1/config/versions");
    expect(changedBy.body.items.map(({ author }) => author)).toEqual([expect.stringMatching(/^key_/)]);
    await putHttpAgents(client, agents.origin, { flaky: "/flaky?failures=1" });
    await putHttpAgents(root, agents.origin, { flaky: "/flaky?failures=1" });
    const spec = { tasks: [{ id: "a", agent: "flaky", retry: { initialMs: 0 } }] };
    expect((await client.run({ tasks: [{ id: "a", agent: "flaky" }] })).status).toBe("failed");
    expect((await root.run(spec)).status).toBe("completed");
  });
});

test("two tenants share no id, list, agent, key of idempotency, statistics or stream", async () => {
  const [red, blue] = [await openTenant("red"), await openTenant("blue")];
  await putHttpAgents(red, agents.origin, { mine: "/echo" });
  await putHttpAgents(blue, agents.origin, { mine: "/slow?ms=1" });
  const names = async (client: WeftClient) => (await client.call<Page<{ name: string; builtin: boolean }>>("GET", "/v1/agents?limit=200")).body.items.filter(({ builtin }) => !builtin).map(({ name }) => name);
  expect([await names(red), await names(blue)]).toEqual([["mine"], ["mine"]]);
  expect((await root.call("GET", "/v1/agents/mine")).status).toBe(404);

  const body = { name: "same", metadata: { team: "x" }, tasks: [{ id: "a", agent: "mine", input: 1 }] };
  const post = (client: WeftClient) => client.call<WorkflowView>("POST", "/v1/workflows", { body, headers: { "idempotency-key": "same" } });
  const [ofRed, ofBlue] = [await post(red), await post(blue)];
  expect([ofRed.status, ofBlue.status, ofBlue.headers.get("idempotent-replay")]).toEqual([201, 201, null]);
  expect(ofBlue.body.id).not.toBe(ofRed.body.id);
  for (const client of [red, blue]) expect((await client.create({ ...body, id: "own-id" })).id).toBe("own-id");
  const ids = { red: [ofRed.body.id, "own-id"], blue: [ofBlue.body.id, "own-id"] };
  for (const id of ids.red) expect((await red.finish(id)).status).toBe("completed");
  for (const id of ids.blue) expect((await blue.finish(id)).status).toBe("completed");
  await eventually(async () => expect([(await listIds(red)).sort(), (await listIds(blue)).sort()]).toEqual([ids.red.sort(), ids.blue.sort()]));
  expect(await listIds(red, "&metadata.team=x&name=same")).toHaveLength(2);
  expect((await listIds(root)).filter((id) => [...ids.red, ...ids.blue].includes(id))).toEqual([]);
  expect(await listIds(root, "&name=same")).toEqual([]);
  const asRed = await root.call<Page<WorkflowSummary>>("GET", "/v1/workflows", { headers: { "x-tenant": "red" } });
  expect(asRed.body.items.map(({ id }) => id).sort()).toEqual(ids.red.sort());

  await red.call("DELETE", "/v1/workflows/own-id");
  expect((await red.call("GET", "/v1/workflows/own-id")).status).toBe(404);
  expect((await blue.get("own-id")).status).toBe("completed");

  const chat = await red.call("POST", "/v1/chat/completions", { body: { model: "auto", messages: [{ role: "user", content: "Summarize: all is well." }] } });
  expect(chat.status, chat.text).toBe(200);
  const routesOf = async (client: WeftClient) => (await client.call<{ routes: number }>("GET", "/v1/stats")).body.routes;
  await eventually(async () => expect(await routesOf(red)).toBe(1));
  expect(await routesOf(blue)).toBe(0);

  const token = await red.call<{ token: string }>("POST", `/v1/workflows/${ofRed.body.id}/stream-token`);
  expect((await red.stream(ofRed.body.id, { key: null, query: `?token=${token.body.token}` })).at(-1)?.event).toBe("workflow.completed");
  expect((await root.call("GET", `/v1/workflows/${ofBlue.body.id}/events?token=${token.body.token}`, { key: null })).status).toBe(401);
});

test("a removed tenant is gone at once, with what it was running, over a kill -9; the others stay", async () => {
  const [leaving, staying] = [await openTenant("leaving"), await openTenant("staying")];
  for (const client of [leaving, staying]) {
    await putHttpAgents(client, agents.origin, { never: "/hang" });
    await client.create({ id: "running", tasks: [{ id: "a", agent: "never" }] });
  }
  const stream = leaving.stream("running");
  expect((await root.call("DELETE", "/v1/tenants/leaving")).status).toBe(204);
  const isGone = async () => {
    expect((await leaving.call("GET", "/v1/workflows/running")).status).toBe(401);
    expect((await root.call("GET", "/v1/workflows/running", { headers: { "x-tenant": "leaving" } })).status).toBe(404);
    expect((await root.call("GET", "/v1/tenants/leaving")).status).toBe(404);
    expect((await root.call("POST", "/v1/tenants", { body: { id: "leaving" } })).status).toBe(409);
    const listed = await root.call<Page<{ id: string }>>("GET", "/v1/tenants?limit=200");
    expect(listed.body.items.map(({ id }) => id)).not.toContain("leaving");
  };
  await isGone();
  // Its streams end once its workflow is emptied.
  expect((await stream).map(({ event }) => event)).not.toContain("workflow.completed");
  await worker.kill("SIGKILL");
  const { port, rootKey } = worker;
  await worker.stop();
  worker = await startWorker({ persistTo: stateFolder, port, vars: { ROOT_KEY: rootKey, AGENT_ACME_EU__SIGNING: SIGNING_KEY } });
  await isGone();
  expect(await staying.get("running")).toMatchObject({ status: "running" });
  expect((await root.call("DELETE", "/v1/tenants/default")).status).toBe(409);
});
