import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LocalWorker, startLocalWorker } from "../../scripts/local-worker.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import { type FakeLlm, startFakeLlm } from "../fixtures/fake-llm.ts";
import { type HostileAgents, startHostileAgents } from "../fixtures/hostile-agents.ts";
import { createWeftClient, eventually, type WeftClient } from "./weft-client.ts";

/** Every secret that this run sets, by what it is. No part of one stands in another. */
const SECRETS: Record<string, string> = {
  COMPATIBLE_KEY: "sk-5f2a9c71e0b84d",
  CLAUDE_KEY: "sk-ant-8d1e6f20a7",
  PLAIN_KEY: "correct horse stap",
  AGENT_DEFAULT__SIGN: "agent-signing-key-6b1f8e",
  WEBHOOK_DEFAULT__HOOK: `whsec_${Buffer.from("webhook-signing-key-32-bytes-long").toString("base64")}`,
  AGENT_ACME__SIGN: "acme-signing-key-90fe31",
};
const HEADERS = { authorization: "Bearer agent-header-token-77aa10", "x-api-key": "agent-header-key-c0ffee42" };

/** Everything that came out of the worker, with what was asked. */
const answers: { asked: string; text: string }[] = [];
let llm: FakeLlm;
let agents: HostileAgents;
let worker: LocalWorker;
let client: WeftClient;
const realFetch = globalThis.fetch;

beforeAll(async () => {
  llm = await startFakeLlm();
  agents = await startHostileAgents(gzipSync(Buffer.alloc(100_000_000)));
  worker = await startLocalWorker({ vars: { ...SECRETS }, logLevel: "log" });
  globalThis.fetch = async (input, init) => {
    const response = await realFetch(input, init);
    const asked = `${init?.method ?? "GET"} ${String(input)}`;
    if (!String(input).startsWith(worker.origin)) return response;
    const text = await response.clone().text();
    answers.push({ asked, text: `${response.status} ${JSON.stringify([...response.headers])} ${text}` });
    return response;
  };
  client = createWeftClient(worker);
});

afterAll(async () => {
  globalThis.fetch = realFetch;
  await worker.stop();
  await Promise.all([llm.close(), agents.close()]);
});

const PRICE = { inputPerMillionUsd: 1, outputPerMillionUsd: 2 };

function tiersOf(baseUrl: string): TierDocument {
  const model = (id: string, provider: string, tier: "weak" | "base" | "strong" = "weak") => ({ id, provider, tier, price: PRICE, contextWindow: 100_000, maxOutputTokens: 4_096, capabilities: ["json" as const] });
  return {
    providers: [
      { id: "compatible", kind: "openai-compatible", baseUrl, secretName: "COMPATIBLE_KEY" },
      { id: "claude", kind: "anthropic", baseUrl, secretName: "CLAUDE_KEY" },
      { id: "plain", kind: "openai-compatible", baseUrl, secretName: "PLAIN_KEY" },
      // Set nowhere: what is missing is named, and no more.
      { id: "unset", kind: "openai", secretName: "UNSET_KEY" },
    ],
    models: [model("compatible", "compatible"), model("claude", "claude"), model("plain", "plain"), model("unset", "unset"), model("base", "plain", "base"), model("strong", "claude", "strong")],
    tiers: { weak: ["compatible", "claude", "plain", "unset"], base: ["base"], strong: ["strong"] },
  };
}

const KEYS = { compatible: SECRETS["COMPATIBLE_KEY"]!, claude: SECRETS["CLAUDE_KEY"]!, plain: SECRETS["PLAIN_KEY"]! };
const HOSTILE_PATHS = ["/status/400", "/status/401", "/status/500", "/status/204", "/shape", "/redirect", "/garbage", "/gzip-bomb", "/endless"];
const nameOf = (path: string) => `agent${path.replaceAll(/[^a-z0-9]+/g, "-")}`;

/** Workflows whose agents and providers say everything that they were sent. Answers their ids. */
async function runHostileWorkflows(): Promise<string[]> {
  for (const path of HOSTILE_PATHS) await client.putAgent(nameOf(path), { kind: "http", url: `${agents.origin}${path}`, headers: HEADERS, secretName: "AGENT_DEFAULT__SIGN" });
  await client.putAgent("calls-back", { kind: "http", url: `${agents.origin}/callback`, headers: HEADERS, secretName: "AGENT_DEFAULT__SIGN", mode: "callback" });
  const retry = { maxAttempts: 2, initialMs: 10, jitter: false };
  const http = await client.create({
    onFailure: "continue",
    webhook: { url: `${agents.origin}/status/500`, secretName: "WEBHOOK_DEFAULT__HOOK", events: ["workflow.failed", "task.failed"] },
    tasks: [...HOSTILE_PATHS.map(nameOf), "calls-back"].map((agent) => ({ id: agent, agent, retry, timeoutMs: 20_000 })),
  });
  for (const [model, key] of Object.entries(KEYS)) {
    for (const status of [400, 401, 429, 500]) llm.injectFault(model, { kind: "status", status, message: `the key ${key} is not good: ${key}` });
  }
  const llmTasks = Object.keys(KEYS).flatMap((model) => [0, 1, 2].map((index) => ({ id: `${model}${index}`, agent: "scout", model, input: { prompt: "Hi" }, retry })));
  const models = await client.create({ onFailure: "continue", maxConcurrency: 1, tasks: [...llmTasks, { id: "unset", agent: "scout", model: "unset", input: { prompt: "Hi" } }] });
  return Promise.all([http.id, models.id].map(async (id) => (await client.finish(id)).id));
}

async function askGateway(): Promise<void> {
  for (const [model, key] of Object.entries(KEYS)) {
    for (const stream of [false, true]) {
      for (const status of [400, 401, 403, 404, 422, 429, 500, 503]) {
        llm.injectFault(model, { kind: "status", status, message: `the key ${key} is not good` });
        await client.call("POST", "/v1/chat/completions", { body: { model, stream, messages: [{ role: "user", content: "Hi" }] } });
      }
      // In one piece, as long as the fake provider's pieces are: what a model says over several is not put together.
      llm.answerWith({ text: key }, model);
      await client.call("POST", "/v1/chat/completions", { body: { model, stream, messages: [{ role: "user", content: "Hi" }] } });
    }
  }
}

/** Reads all that can be read of workflows and settings. */
async function readEverything(ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const { tasks } = await client.get(id);
    for (const task of Object.keys(tasks ?? {})) await client.call("GET", `/v1/workflows/${id}/tasks/${task}`);
    for (const part of ["tasks", "events", "ledger"]) await client.call("GET", `/v1/workflows/${id}/${part}`);
    await client.stream(id);
  }
  const paths = ["workflows", "agents", "agents/calls-back", "agents?q=key", "tiers", "config", "config/schema", "config/versions", "stats", "metrics/models", "optimizations", "models", "ledger", "tenants", "tenants/default", "tenants/acme", "tenants/acme/keys"];
  for (const path of [...paths.map((path) => `/v1/${path}`), "/openapi.json", "/docs", "/healthz"]) await client.call("GET", path);
}

/** The frames of a workflow's socket, until the server ends it. */
function readSocket(id: string, token: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${worker.origin.replace("http", "ws")}/v1/workflows/${id}/socket?token=${token}`);
    socket.addEventListener("message", ({ data }) => answers.push({ asked: `SOCKET ${worker.origin}/v1/workflows/${id}/socket`, text: String(data) }));
    socket.addEventListener("close", () => resolve());
    socket.addEventListener("error", () => reject(new Error("the socket was refused")));
  });
}

/** Requests that are wrong in ways that would make a careless answer repeat them, or what they name. */
async function askWrongly(): Promise<void> {
  const wrong = worker.rootKey.slice(0, -1);
  for (const key of [wrong, `${worker.rootKey}x`, SECRETS["COMPATIBLE_KEY"]!, null]) await client.call("GET", "/v1/agents", { key });
  const agent = { kind: "http", url: `${agents.origin}/status/400` };
  for (const secretName of ["ROOT_KEY", "COMPATIBLE_KEY", "AGENT_ACME__SIGN", "WEBHOOK_DEFAULT__HOOK", "PUBLIC_URL"]) {
    const refused = await client.call("PUT", "/v1/agents/thief", { body: { ...agent, secretName } });
    expect([refused.status, refused.body.errors?.[0]?.path]).toEqual([422, "/secretName"]);
  }
  for (const secretName of ["ROOT_KEY", "AGENT_DEFAULT__SIGN", "WEBHOOK_ACME__HOOK", "COMPATIBLE_KEY"]) {
    const refused = await client.call("POST", "/v1/workflows", { body: { tasks: [{ id: "a", agent: "scout", input: { prompt: "x" } }], webhook: { url: `${agents.origin}/`, secretName } } });
    expect([refused.status, refused.body.errors?.[0]?.path]).toEqual([422, "/webhook/secretName"]);
  }
  for (const secretName of ["ROOT_KEY", "AGENT_DEFAULT__SIGN", "WEBHOOK_DEFAULT__HOOK"]) {
    const document = tiersOf(llm.baseUrl);
    document.providers[0]!.secretName = secretName;
    expect((await client.call("PUT", "/v1/tiers", { body: document })).body.errors?.[0]?.path).toBe("/providers/0/secretName");
  }
  for (const value of [`${HEADERS.authorization}\n`, "x".repeat(9_000), 5]) await client.call("PUT", "/v1/agents/wrong", { body: { ...agent, headers: { authorization: value, host: HEADERS.authorization } } });
  for (const expression of ["env.ROOT_KEY", "workflow.secrets", "workflow.input.ROOT_KEY"]) await client.call("PUT", "/v1/agents/cel", { body: { kind: "transform", expression } });
}

describe("a run in which everybody tells what they were sent", { timeout: 180_000 }, () => {
  let ids: string[];
  let tenantKey: string;
  let streamToken: string;

  beforeAll(async () => {
    const tiers = await client.call("PUT", "/v1/tiers", { body: tiersOf(llm.baseUrl) });
    expect(tiers.status, tiers.text).toBe(200);
    await client.call("POST", "/v1/tenants", { body: { id: "acme" } });
    tenantKey = (await client.call<{ key: string }>("POST", "/v1/tenants/acme/keys", { body: {} })).body.key;
    ids = await runHostileWorkflows();
    streamToken = (await client.call<{ token: string }>("POST", `/v1/workflows/${ids[0]}/stream-token`)).body.token;
    await client.call("GET", `/v1/workflows/${ids[0]}/events?token=${streamToken}`, { key: null });
    await client.call("GET", `/v1/workflows/${ids[1]}/events?token=${streamToken}`, { key: null });
    await readSocket(ids[0]!, streamToken);
    for (const path of ["/v1/agents", "/v1/workflows", "/v1/tiers", "/v1/tenants"]) await client.call("GET", path, { key: tenantKey });
    await askGateway();
    await askWrongly();
    await readEverything(ids);
  }, 180_000);

  test("brings every credential to where it belongs", async () => {
    expect([...agents.seen]).toEqual(expect.arrayContaining([HEADERS.authorization, HEADERS["x-api-key"], expect.stringMatching(/^v1,/)]));
    expect(agents.callbacks).toEqual([202]);
    expect(new Set(llm.calls.map(({ headers }) => headers.authorization ?? headers["x-api-key"]))).toEqual(new Set([`Bearer ${KEYS.compatible}`, KEYS.claude, `Bearer ${KEYS.plain}`]));
    const { tasks } = await client.get(ids[0]!);
    expect(Object.values(tasks!).every(({ status }) => status === "failed")).toBe(true);
    expect(tasks![nameOf("/status/400")]!.error!.message).toContain("•••");
  });

  test("shows none in any answer, event or frame, but the key and the token to whoever makes them", () => {
    const secrets = [...Object.values(SECRETS), ...Object.values(SECRETS).map((secret) => JSON.stringify(secret).slice(1, -1)), worker.rootKey, ...agents.seen, ...Object.values(HEADERS).map((value) => value.replace("Bearer ", ""))];
    expect(secrets.length).toBeGreaterThan(15);
    expect(answers.length).toBeGreaterThan(120);
    expect(answers.filter(({ asked }) => asked.startsWith("SOCKET")).length).toBeGreaterThan(20);
    for (const { asked, text } of answers) for (const secret of secrets) expect(text.includes(secret) ? `${asked} shows ${secret}: ${text.slice(0, 2_000)}` : null).toBeNull();
    expect(answers.filter(({ text }) => text.includes(tenantKey)).map(({ asked }) => new URL(asked.split(" ")[1]!).pathname)).toEqual(["/v1/tenants/acme/keys"]);
    expect(answers.filter(({ text }) => text.includes(streamToken)).map(({ asked }) => new URL(asked.split(" ")[1]!).pathname)).toEqual([`/v1/workflows/${ids[0]}/stream-token`]);
  });

  test("shows none in any line of the log", async () => {
    // The development server writes a line with the address of each request by itself; the worker's own are JSON, or errors.
    const lines = () => worker.logs().split("\n").filter((line) => !/\[wrangler:info\]/.test(line));
    await eventually(() => expect(lines().filter((line) => line.includes('"event":"request.answered"')).length).toBeGreaterThan(100));
    expect(lines().join("\n")).toContain("/v1/callbacks/:token");
    const secrets = [...Object.values(SECRETS), worker.rootKey, tenantKey, streamToken, ...agents.seen, ...Object.values(HEADERS).map((value) => value.replace("Bearer ", ""))];
    for (const secret of secrets) expect(lines().filter((line) => line.includes(secret))).toEqual([]);
  });

  test("ends bodies that never end, or are larger than they look, without harm", async () => {
    const { tasks } = await client.get(ids[0]!);
    for (const path of ["/gzip-bomb", "/endless"]) expect(tasks![nameOf(path)]!.error).toMatchObject({ code: "agent_bad_response", message: expect.stringContaining("more than 1048576 bytes") });
    expect((await client.call("GET", "/healthz")).status).toBe(200);
  });
});
