import { Validator, type Schema } from "@cfworker/json-schema";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { OpenApi } from "../../src/api/openapi/openapi.ts";
import type { Json } from "../../src/errors.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, putHttpAgents, type CallOptions, type WeftClient } from "./weft-client.ts";

let agents: FakeAgents;
let worker: LocalWorker;
let client: WeftClient;
let document: OpenApi;

beforeAll(async () => {
  agents = await startFakeAgents();
  worker = await startWorker();
  client = createWeftClient(worker);
  document = (await client.call<OpenApi>("GET", "/openapi.json", { key: null })).body;
  await putHttpAgents(client, agents.origin, { echo: "/echo", "until-retried": "/until-retried" });
});

afterAll(async () => {
  await worker.stop();
  await agents.close();
});

/** A schema whose objects hold nothing but what it names, where it leaves that open. */
function close(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(close);
  if (typeof schema !== "object" || schema === null) return schema;
  const closed = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, close(value)]));
  return closed["type"] === "object" && "properties" in closed && !("additionalProperties" in closed) ? { ...closed, additionalProperties: false } : closed;
}

/** What an answer has that the document does not say; null when all is as it says. */
function findDifference(method: string, path: string, answer: { status: number; headers: Headers; text: string; body: unknown }): string | null {
  const described = document.paths[path]?.[method.toLowerCase()]?.responses[String(answer.status)];
  if (described === undefined) return `the status ${answer.status}`;
  const mediaType = (answer.headers.get("content-type") ?? "").split(";")[0]!;
  if (answer.text === "") return described.content === undefined ? null : "no content";
  const content = described.content?.[mediaType];
  if (content === undefined) return `the media type ${mediaType}`;
  const schema = { ...(close(content.schema) as object), components: close(document.components) } as Schema;
  const { valid, errors } = new Validator(schema, "2020-12", false).validate(answer.body);
  return valid ? null : errors.map(({ instanceLocation, error }) => `${instanceLocation} ${error}`).join("; ");
}

test("every answer is what the OpenAPI document says of its route and status, with no field that it does not name", async () => {
  const differences: string[] = [];
  const ask = async (method: string, path: string, values: readonly string[] = [], options: CallOptions & { query?: string } = {}): Promise<Record<string, Json>> => {
    const given = [...values];
    const answer = await client.call<Record<string, Json>>(method, `${path.replaceAll(/\{\w+\}/g, () => given.shift()!)}${options.query ?? ""}`, options);
    const difference = findDifference(method, path, answer);
    if (difference !== null) differences.push(`${method} ${path} ${answer.status}: ${difference}`);
    return answer.body;
  };
  const post = (path: string, body: unknown, ...values: string[]) => ask("POST", path, values, { body });
  const get = (path: string, ...values: string[]) => ask("GET", path, values);

  const tasks = [{ id: "llm", agent: "scout", input: { prompt: "Summarize: rivers." } }, { id: "http", agent: "echo", dependsOn: ["llm"] }, { id: "bad", agent: "until-retried" }];
  const id = String((await post("/v1/workflows", { name: "n", metadata: { a: "b" }, budget: { maxUsd: 1 }, onFailure: "continue", tasks }))["id"]);
  await client.finish(id);
  for (const path of ["", "/tasks", "/ledger", "/events", "/socket"]) await get(`/v1/workflows/{id}${path}`, id);
  await ask("GET", "/v1/workflows/{id}", [id], { query: "?tasks=none" });
  for (const task of ["llm", "http", "bad", "none"]) await get("/v1/workflows/{id}/tasks/{task}", id, task);
  for (const path of ["/v1/workflows", "/v1/agents", "/v1/config", "/v1/config/schema", "/v1/config/versions", "/v1/tiers", "/v1/stats", "/v1/ledger", "/v1/optimizations", "/v1/metrics/models", "/v1/models", "/v1/tenants", "/openapi.json", "/healthz"]) await get(path);
  await ask("GET", "/v1/agents", [], { query: "?q=code" });
  await ask("GET", "/v1/workflows", [], { query: "?limit=0" });
  await ask("GET", "/v1/workflows", [], { key: null });
  for (const name of ["echo", "scout", "none"]) await get("/v1/agents/{name}", name);
  for (const agent of [{ kind: "llm" }, { kind: "transform", expression: "1" }, { kind: "http", url: agents.origin, headers: { a: "b" } }, {}]) await ask("PUT", "/v1/agents/{name}", ["made"], { body: agent });
  for (let time = 0; time < 2; time += 1) await ask("DELETE", "/v1/agents/{name}", ["made"]);

  await post("/v1/workflows", "{");
  await post("/v1/workflows", {});
  await post("/v1/workflows/plan", { tasks: tasks.slice(0, 2) });
  await post("/v1/route", { prompt: "Plan a trip." });
  await post("/v1/context/reduce", { text: "Rivers carry water. ".repeat(50), maxTokens: 50 });
  await post("/v1/context/split", { text: "Rivers carry water. ".repeat(50), maxTokens: 50 });
  await post("/v1/intents", { steps: [{ id: "1", text: "Send it" }] });
  await post("/v1/optimizations/run", { dryRun: true });
  await post("/v1/chat/completions", {});
  await post("/v1/callbacks/{token}", { output: 1 }, "unknown");
  await ask("PATCH", "/v1/config", [], { body: { routing: { maxEscalations: 1 } } });
  await get("/v1/config/versions");
  for (const version of [0, 77]) await post("/v1/config/rollback", { version });
  await ask("PUT", "/v1/tiers", [], { body: (await client.call<object>("GET", "/v1/tiers")).body });
  await ask("PUT", "/v1/tiers", [], { body: {} });

  for (let time = 0; time < 2; time += 1) await post("/v1/tenants", { id: "described", budget: { maxUsd: 1, period: "day" } });
  await ask("PATCH", "/v1/tenants/{id}", ["described"], { body: { limits: { concurrentTasks: 5 } } });
  const key = await post("/v1/tenants/{id}/keys", {}, "described");
  await get("/v1/tenants/{id}/keys", "described");
  await ask("DELETE", "/v1/tenants/{id}/keys/{keyId}", ["described", String(key["id"])]);
  await get("/v1/tenants/{id}", "described");
  await ask("DELETE", "/v1/tenants/{id}", ["described"]);

  await post("/v1/workflows/{id}/rerun", {}, id);
  await post("/v1/workflows/{id}/stream-token", {}, id);
  const waiting = await client.create({ startAt: new Date(Date.now() + 3_600_000).toISOString(), tasks: [{ id: "a", agent: "echo" }] });
  for (const command of ["pause", "resume", "cancel"]) for (const workflowId of [waiting.id, id]) await post(`/v1/workflows/{id}/${command}`, {}, workflowId);
  for (const task of ["bad", "http"]) await post("/v1/workflows/{id}/tasks/{task}/retry", {}, id, task);
  await client.finish(id);
  for (let time = 0; time < 2; time += 1) await ask("DELETE", "/v1/workflows/{id}", [id]);
  expect(differences).toEqual([]);
});
