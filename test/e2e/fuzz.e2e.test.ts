import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { Page, WorkflowSummary } from "../../src/api/ports/workflow-port.ts";
import { FUZZED_ENDPOINTS, fuzzEndpoint, judgeAnswer, type FuzzedRequest } from "../fuzz/fuzz-request.ts";
import type { FuzzNames } from "../fuzz/valid-bodies.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, eventually, type WeftClient } from "./weft-client.ts";

/** Requests to each endpoint. The core's test sends many more; here the objects, the queues and the runtime are real. */
const RUNS = Number(process.env["FUZZ_RUNS"] ?? 12);
const HANG_MS = 30_000;

let agents: FakeAgents;
let worker: LocalWorker;
let client: WeftClient;
let names: FuzzNames;

beforeAll(async () => {
  agents = await startFakeAgents();
  worker = await startWorker();
  client = createWeftClient(worker);
  await client.putAgent("http", { kind: "http", url: `${agents.origin}/echo` });
  await client.putAgent("cel", { kind: "transform", expression: "input" });
  await client.run({ id: "wf_there", tasks: [{ id: "a", agent: "cel", input: { x: 1 } }, { id: "constructor", agent: "cel" }] });
  await client.call("POST", "/v1/tenants", { body: { id: "acme" } });
  const key = await client.call<{ id: string }>("POST", "/v1/tenants/acme/keys", { body: {} });
  names = {
    workflows: ["wf_there", "wf_none"],
    agents: ["http", "cel", "scout", "planner"],
    models: ["offline", "auto", "tier:weak"],
    tokens: ["default:wf_there:secret1", "default:wf_none:secret1", "a:b"].map((token) => btoa(token).replaceAll("=", "")),
    tenants: ["acme", "none"],
    keys: [key.body.id, "key_none"],
  };
});

afterAll(async () => {
  await worker.stop();
  await agents.close();
});

async function send({ method, path, headers, body }: FuzzedRequest): Promise<{ status: number; headers: Headers; text: string }> {
  const all = { authorization: `Bearer ${worker.rootKey}`, ...headers, ...(body?.contentType == null ? {} : { "content-type": body.contentType }) };
  const response = await fetch(`${worker.origin}${path}`, { method, headers: all, body: body?.bytes ?? null, redirect: "manual", signal: AbortSignal.timeout(HANG_MS) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** What would change how everything after it is answered comes last. */
const CHANGES_ALL = /^(PUT \/v1\/tiers|PATCH \/v1\/config|POST \/v1\/config\/rollback|POST \/v1\/optimizations\/run)$/;
const endpoints = FUZZED_ENDPOINTS.map((endpoint) => [endpoint.method, endpoint.path, endpoint] as const);
const isLast = ([method, path]: (typeof endpoints)[number]): boolean => CHANGES_ALL.test(`${method} ${path}`);

describe("whatever is sent to a running server", () => {
  const fuzz = async (_method: string, _path: string, endpoint: (typeof FUZZED_ENDPOINTS)[number]): Promise<void> => {
    await fc.assert(
      fc.asyncProperty(fuzzEndpoint(endpoint, names), async (request) => {
        const { status, headers, text } = await send(request);
        const verdict = judgeAnswer(request, status, headers, text);
        const body = request.body === null ? null : new TextDecoder().decode(request.body.bytes).slice(0, 2_000);
        expect(verdict === null ? null : [verdict, request.method, request.path, body, text.slice(0, 500), worker.logs().slice(-2_000)]).toBeNull();
      }),
      { numRuns: RUNS },
    );
  };

  test.each(endpoints.filter((endpoint) => !isLast(endpoint)))("to %s %s is answered as the contract says, and never with a 5xx", { timeout: RUNS * HANG_MS }, fuzz);

  test("every workflow that was taken ends, unless it waits for somebody", async () => {
    await eventually(async () => {
      for (const status of ["pending", "running"]) {
        const { items } = (await client.call<Page<WorkflowSummary>>("GET", `/v1/workflows?status=${status}&limit=200`)).body;
        for (const { id } of items) {
          const { status: now, tasks } = await client.get(id);
          if (["pending", "running"].includes(now)) expect(Object.values(tasks!).map((task) => task.status), id).toContain("waiting");
        }
      }
    }, 60_000);
  });

  test.each(endpoints.filter(isLast))("to %s %s is answered as the contract says, and never with a 5xx", { timeout: RUNS * HANG_MS }, fuzz);

  test("leaves no failure in the log", () => {
    expect(worker.logs().split("\n").filter((line) => /"event":"\w+\.failed"|Uncaught|exception/i.test(line))).toEqual([]);
  });
});
