import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Settings } from "../../src/config/settings.ts";
import type { ModelEntry, TierDocument } from "../../src/config/tiers.ts";
import { TokenMargins } from "../../src/optimizer/tokens/token-margin.ts";
import { registerDocument } from "../../src/router/engines/load-engine.ts";
import type { Fetch } from "../../src/router/language-model.ts";
import { createTestApi, ROOT_KEY } from "../api/fake-ports.ts";
import { chunk, completion, DONE, stream } from "../api/gateway/chat-world.ts";
import { FUZZED_ENDPOINTS, fuzzEndpoint, judgeAnswer } from "./fuzz-request.ts";
import type { FuzzNames } from "./valid-bodies.ts";

/** Requests to each endpoint. More with `FUZZ_RUNS=2000`. */
const RUNS = Number(process.env["FUZZ_RUNS"] ?? 100);
/** Far longer than any answer takes on a busy machine; what takes longer hangs. */
const HANG_MS = 10_000;

const PRICE = { inputPerMillionUsd: 1, outputPerMillionUsd: 2 };
const model = (id: string, provider: string, tier: ModelEntry["tier"]): ModelEntry => ({ id, provider, tier, price: PRICE, contextWindow: 8_000, maxOutputTokens: 1_000, capabilities: ["tools", "json", "vision"] });
const DOCUMENT: TierDocument = {
  providers: [{ id: "open", kind: "openai-compatible", baseUrl: "https://open.example/v1" }, { id: "offline", kind: "offline" }],
  models: [model("one", "open", "weak"), model("offline", "offline", "weak"), model("two", "open", "base"), model("three", "open", "strong")],
  tiers: { weak: ["one", "offline"], base: ["two"], strong: ["three"] },
};

/** An API whose models answer, with a workflow and agents of each kind. */
async function createFuzzedApi() {
  const fetch: Fetch = async (_url, init) => (String(init?.body).includes('"stream":true') ? stream([chunk({ content: "an answer" }, "stop"), DONE]) : completion("an answer"));
  const registry = registerDocument(DOCUMENT, { secrets: () => undefined, fetch });
  const test = createTestApi({
    tiers: { read: async () => ({ version: 1, document: DOCUMENT }), refresh: async () => ({ version: 1, document: DOCUMENT }), publish: async () => undefined },
    loadModels: async () => ({
      document: DOCUMENT, isConfigured: registry.isConfigured, engine: (provider, entry) => registry.get(provider.id)!(entry), settings: Settings.parse({}), metrics: null,
      health: { observe: () => undefined, acquireProbe: async () => true, acquireRate: async () => true }, failureRate: () => 0, margins: new TokenMargins(),
    }),
    gateway: { fetch, secret: () => undefined, keepAlive: () => undefined, enter: () => undefined, flush: async () => undefined },
  });
  await test.ask("PUT", "/v1/agents/http", { kind: "http", url: "https://agents.example.com/run", mode: "callback" });
  await test.ask("PUT", "/v1/agents/cel", { kind: "transform", expression: "input" });
  const created = await test.ask("POST", "/v1/workflows", { id: "wf_there", tasks: [{ id: "a", agent: "cel" }] });
  expect(created.status).toBe(201);
  await test.ask("POST", "/v1/tenants", { id: "acme" });
  const key = (await (await test.ask("POST", "/v1/tenants/acme/keys", {})).json()) as { id: string };
  return { ...test, names: { ...NAMES, keys: [key.id, "key_none"] } };
}

const NAMES: Omit<FuzzNames, "keys"> = {
  workflows: ["wf_there", "wf_none"],
  agents: ["http", "cel", "scout", "planner"],
  models: ["one", "offline", "two", "three", "auto", "tier:weak"],
  tokens: ["default:wf_there:secret1", "default:wf_none:secret1", "a:b"].map((token) => btoa(token).replaceAll("=", "")),
  tenants: ["acme", "none"],
};

/** Answers with 101 only. */
const UNREACHED = new Set(["GET /v1/workflows/:id/socket"]);

describe("whatever is sent", () => {
  test.each(FUZZED_ENDPOINTS.map((endpoint) => [endpoint.method, endpoint.path, endpoint] as const))("to %s %s is answered as the contract says, and never with a 5xx", { timeout: RUNS * 400 + HANG_MS }, async (_method, _path, endpoint) => {
    const { app, world, names } = await createFuzzedApi();
    const statuses = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(fuzzEndpoint(endpoint, names), async (request) => {
        const headers = { authorization: `Bearer ${ROOT_KEY}`, ...request.headers, ...(request.body?.contentType == null ? {} : { "content-type": request.body.contentType }) };
        const signal = AbortSignal.timeout(HANG_MS);
        const hang = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(new Error("no answer"))));
        world.log.length = 0;
        const answered = (async () => {
          const response = await app.request(`https://weft.test${request.path}`, { method: request.method, headers, body: request.body?.bytes ?? null });
          return { status: response.status, headers: response.headers, text: await response.text() };
        })();
        const { status, headers: answerHeaders, text } = await Promise.race([answered, hang]);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        const verdict = judgeAnswer(request, status, answerHeaders, text);
        const failure = world.log.find(({ event }) => event === "request.failed");
        expect(verdict === null ? null : [verdict, request.body === null ? null : new TextDecoder().decode(request.body.bytes).slice(0, 2_000), text.slice(0, 500), failure]).toBeNull();
      }),
      { numRuns: RUNS, interruptAfterTimeLimit: RUNS * 400, markInterruptAsFailure: true },
    );
    // Were nothing right, all that comes after the first checks would be untested.
    expect([...statuses.keys()].some((status) => status < 300) || UNREACHED.has(`${endpoint.method} ${endpoint.path}`), JSON.stringify([...statuses])).toBe(true);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});
