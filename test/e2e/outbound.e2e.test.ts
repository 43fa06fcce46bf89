import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import { GOOD, HOSTILE } from "../config/outbound-urls.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { type FakeLlm, startFakeLlm } from "../fixtures/fake-llm.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, eventually, type WeftClient } from "./weft-client.ts";

let agents: FakeAgents;
let llm: FakeLlm;
let folder: string;
let worker: LocalWorker;
let client: WeftClient;

const PRICE = { inputPerMillionUsd: 1, outputPerMillionUsd: 2 };
const tiersOf = (baseUrl: string) => ({
  providers: [{ id: "p", kind: "openai-compatible", baseUrl }],
  models: ["weak", "base", "strong"].map((tier) => ({ id: tier, provider: "p", tier, price: PRICE, contextWindow: 10_000, maxOutputTokens: 1_000, capabilities: [] })),
  tiers: { weak: ["weak"], base: ["base"], strong: ["strong"] },
});
const TASK = { id: "a", agent: "scout", input: { prompt: "Hi" } };

beforeAll(async () => {
  agents = await startFakeAgents();
  llm = await startFakeLlm();
  folder = await mkdtemp(join(tmpdir(), "weft-outbound-"));
  const open = await startWorker({ persistTo: folder });
  const operator = createWeftClient(open);
  await operator.putAgent("near", { kind: "http", url: `${agents.origin}/echo` });
  expect((await operator.call("PUT", "/v1/tiers", { body: tiersOf(llm.baseUrl) })).status).toBe(200);
  expect((await operator.run({ tasks: [{ id: "a", agent: "near" }, TASK].map((task, index) => ({ ...task, id: `t${index}` })) })).status).toBe("completed");
  await operator.putAgent("gate", { kind: "http", url: `${agents.origin}/status/202`, mode: "callback" });
  // Waits for a callback that the second server takes: everything after it runs there, with a webhook that was allowed when it was posted.
  const tasks = [{ id: "gate", agent: "gate" }, { id: "http", agent: "near", dependsOn: ["gate"] }, { ...TASK, id: "llm", model: "weak", dependsOn: ["gate"] }];
  await operator.create({ id: "later", webhook: { url: `${agents.origin}/echo` }, onFailure: "continue", tasks });
  await eventually(async () => expect((await operator.get("later")).tasks!["gate"]!.status).toBe("waiting"));
  const { callback } = JSON.parse(agents.calls.find(({ taskId }) => taskId === "gate")!.text) as { callback: { token: string } };
  await open.stop();
  agents.reset();
  llm.reset();
  worker = await startWorker({ persistTo: folder, vars: { ALLOW_PRIVATE_ORIGINS: "", CORS_ORIGINS: "https://app.example.com" } });
  client = createWeftClient(worker);
  expect((await client.call("POST", `/v1/callbacks/${callback.token}`, { key: null, body: { output: null } })).status).toBe(202);
}, 120_000);

afterAll(async () => {
  await worker.stop();
  await Promise.all([agents.close(), llm.close()]);
  await rm(folder, { recursive: true, force: true });
});

describe("a server that allows public origins only", () => {
  test("refuses every hostile URL as an agent's, a webhook's and a provider's, and takes the good ones", { timeout: 60_000 }, async () => {
    const ask = async (url: string) => {
      const answers = await Promise.all([
        client.call("PUT", "/v1/agents/x", { body: { kind: "http", url } }),
        // Refused for its agent as well, so that good ones start nothing.
        client.call("POST", "/v1/workflows", { body: { tasks: [{ id: "a", agent: "nobody" }], webhook: { url } } }),
        client.call("PUT", "/v1/tiers", { body: { ...tiersOf(url), tiers: { weak: [], base: [], strong: [] } } }),
      ]);
      return answers.map(({ body }) => (body.errors ?? []).map(({ path }) => path).filter((path) => /url$/i.test(path)));
    };
    for (const url of Object.values(HOSTILE).flat()) expect([url, await ask(url)]).toEqual([url, [["/url"], ["/webhook/url"], ["/providers/0/baseUrl"]]]);
    for (const url of GOOD) expect([url, await ask(url)]).toEqual([url, [[], [], []]]);
  });

  test("calls none that was stored when more was allowed: not the agent, not the provider, not the webhook", { timeout: 60_000 }, async () => {
    const fresh = await client.run({ onFailure: "continue", tasks: [{ id: "http", agent: "near", retry: { maxAttempts: 1 } }, { ...TASK, id: "llm", retry: { maxAttempts: 1 } }] });
    for (const id of [fresh.id, "later"]) {
      const { status, tasks } = await client.finish(id);
      expect(status).toBe("failed");
      expect(tasks!["http"]!.error).toMatchObject({ code: "agent_rejected", message: expect.stringContaining("was not called") });
      expect(tasks!["llm"]!.error).toMatchObject({ code: "provider_rejected", message: expect.stringContaining("use https") });
    }
    const chat = await client.call<{ error: { code: string } }>("POST", "/v1/chat/completions", { body: { model: "weak", messages: [{ role: "user", content: "Hi" }] } });
    expect([chat.status, chat.body.error.code]).toEqual([502, "provider_rejected"]);
    await eventually(() => expect(worker.logs()).toMatch(/"event":"webhook.sent".*"workflowId":"later".*"result":"give_up"/));
    expect([agents.calls, llm.calls]).toEqual([[], []]);
  });
});

test("pages of the origin that is configured may call, and no other", async () => {
  const ask = (origin: string, method: string, headers: Record<string, string> = {}) => fetch(`${worker.origin}/v1/models`, { method, headers: { origin, ...headers } });
  const preflight = { "access-control-request-method": "POST", "access-control-request-headers": "authorization" };
  const allowed = await ask("https://app.example.com", "OPTIONS", preflight);
  expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([204, "https://app.example.com"]);
  const answered = await ask("https://app.example.com", "GET", { authorization: `Bearer ${worker.rootKey}` });
  expect([answered.status, answered.headers.get("access-control-allow-origin"), answered.headers.get("vary")]).toEqual([200, "https://app.example.com", expect.stringContaining("Origin")]);
  const refused = await ask("https://evil.example.com", "OPTIONS", preflight);
  expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, null]);
});
