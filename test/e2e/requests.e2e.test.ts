import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { Page, WorkflowSummary, WorkflowView } from "../../src/api/ports/workflow-port.ts";
import type { Fault, Json } from "../../src/errors.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, eventually, putHttpAgents, type WeftClient } from "./weft-client.ts";

let agents: FakeAgents;
let worker: LocalWorker;
let client: WeftClient;

beforeAll(async () => {
  agents = await startFakeAgents();
  worker = await startWorker();
  client = createWeftClient(worker);
  await putHttpAgents(client, agents.origin, { echo: "/echo", slow: "/slow?ms=400", never: "/hang" });
});

afterAll(async () => {
  await worker.stop();
  await agents.close();
});

/** Posts a workflow that must be refused as wrong; answers its faults. */
async function faultsOf(body: unknown): Promise<Fault[]> {
  const answer = await client.call("POST", "/v1/workflows", { body });
  expect(answer.status, answer.text).toBe(422);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.body).toMatchObject({ status: 422, type: expect.any(String), title: expect.any(String), detail: expect.any(String) });
  return answer.body.errors ?? [];
}

describe.concurrent("what cannot run is refused", () => {
  const echo = (id: string, more: Record<string, unknown> = {}) => ({ id, agent: "echo", ...more });

  test("a cycle, with its path", async () => {
    const faults = await faultsOf({ tasks: [echo("a", { dependsOn: ["b"] }), echo("b", { dependsOn: ["a"] })] });
    expect(faults).toHaveLength(1);
    expect(faults[0]!.path).toBe("/tasks/0/dependsOn/0");
    expect(faults[0]!.message).toContain("a → b → a");
  });

  test.each<[string, Json, string, RegExp]>([
    ["an unknown agent", { tasks: [{ id: "a", agent: "nobody" }] }, "/tasks/0/agent", /nobody/],
    ["an unknown dependency", { tasks: [{ id: "a", agent: "echo", dependsOn: ["b"] }] }, "/tasks/0/dependsOn/0", /"b"/],
    ["an unknown model", { tasks: [{ id: "a", agent: "scout", input: { prompt: "go" }, model: "no-such-model" }] }, "/tasks/0/model", /no-such-model/],
    ["an expression that does not compile", { tasks: [{ id: "a", agent: "echo", when: "1 +" }] }, "/tasks/0/when", /./],
    ["a template that does not compile", { tasks: [{ id: "a", agent: "echo", input: { deep: ["x ${1 +} y"] } }] }, "/tasks/0/input/deep/0", /./],
    ["an unknown name in an expression", { tasks: [{ id: "a", agent: "echo", input: "${secrets.key}" }] }, "/tasks/0/input", /secrets/],
    ["a task that is no dependency in an expression", { tasks: [{ id: "a", agent: "echo" }, { id: "b", agent: "echo", when: "tasks.a.output == 1" }] }, "/tasks/1/when", /dependsOn/],
    ["a duplicate id", { tasks: [{ id: "a", agent: "echo" }, { id: "a", agent: "echo" }] }, "/tasks/1/id", /"a"/],
    ["no tasks", { tasks: [] }, "/tasks", /./],
    ["an unknown key", { tasks: [{ id: "a", agent: "echo", retries: 3 }] }, "/tasks/0/retries", /./],
    ["a field that does not exist yet", { goal: "do it", tasks: [{ id: "a", agent: "echo" }] }, "/goal", /not available yet/],
    ["a field of a task that does not exist yet", { tasks: [{ id: "a", agent: "echo", forEach: "[1]" }] }, "/tasks/0/forEach", /not available yet/],
    ["a way to fail that does not exist yet", { onFailure: "compensate", tasks: [{ id: "a", agent: "echo" }] }, "/onFailure", /not available yet/],
    ["a webhook to nowhere public", { webhook: { url: "ftp://example.com" }, tasks: [{ id: "a", agent: "echo" }] }, "/webhook/url", /./],
    ["a secret of somebody else", { webhook: { url: "https://example.com", secretName: "ROOT_KEY" }, tasks: [{ id: "a", agent: "echo" }] }, "/webhook/secretName", /WEBHOOK_/],
  ])("%s", async (_name, body, path, message) => {
    const faults = await faultsOf(body);
    expect(faults.map((fault) => fault.path)).toEqual([path]);
    expect(faults[0]!.message).toMatch(message);
  });

  test("several faults at once, each with its place", async () => {
    const faults = await faultsOf({
      maxConcurrency: 0,
      speed: "fast",
      tasks: [echo("a", { when: "nope(" }), { id: "b c", agent: "echo" }, { id: "c", agent: "nobody", dependsOn: ["zz"] }, echo("d", { approval: { prompt: "?" } })],
    });
    expect(faults.map((fault) => fault.path).sort()).toEqual(["/maxConcurrency", "/speed", "/tasks/0/when", "/tasks/1/id", "/tasks/2/agent", "/tasks/2/dependsOn/0", "/tasks/3/approval"]);
  });

  test("a body of 5 MiB is too large, one of just under 4 MiB is taken", async () => {
    const tooLarge = JSON.stringify({ input: "x".repeat(5 * 1_048_576), tasks: [] });
    expect(await client.call("POST", "/v1/workflows", { body: tooLarge })).toMatchObject({ status: 413, body: { status: 413 } });
    const tasks = ["a", "b", "c", "d"].map((id) => echo(id, { input: "x".repeat(1_048_000) }));
    const taken = await client.call<WorkflowView>("POST", "/v1/workflows", { body: { startAt: "2999-01-01T00:00:00Z", tasks } });
    expect(taken.status).toBe(201);
    expect((await client.call("POST", `/v1/workflows/${taken.body.id}/cancel`)).status).toBe(202);
  });

  test("what is not JSON is 400, and no body neither", async () => {
    for (const body of ["{", "", "tasks: []"]) expect(await client.call("POST", "/v1/workflows", { body }), JSON.stringify(body)).toMatchObject({ status: 400, body: { status: 400 } });
  });
});

describe.concurrent("who may ask for what", () => {
  test("without a key, or with a wrong one, nothing is told: 401 also for routes that do not exist", async () => {
    for (const key of [null, "wrong", ""]) {
      for (const path of ["/v1/workflows", "/v1/workflows/wf_none", "/v1/nothing"]) {
        const answer = await client.call("GET", path, { key });
        expect(answer, `${path} with ${key}`).toMatchObject({ status: 401, body: { status: 401 } });
      }
    }
  });

  test("an unknown workflow is 404 before its body is looked at", async () => {
    for (const path of ["cancel", "pause", "rerun", "tasks/a/retry"]) {
      expect(await client.call("POST", `/v1/workflows/wf_none/${path}`, { body: "{not json" }), path).toMatchObject({ status: 404, body: { status: 404 } });
    }
    for (const path of ["", "/events", "/tasks", "/tasks/a", "/ledger"]) expect((await client.call("GET", `/v1/workflows/wf_none${path}`)).status, path).toBe(404);
    expect((await client.call("DELETE", "/v1/workflows/wf_none")).status).toBe(404);
    expect((await client.call("POST", "/v1/callbacks/none", { key: null, body: { output: 1 } })).status).toBe(404);
  });

  test("an unknown tenant is 404, the operator's own is not", async () => {
    expect((await client.call("GET", "/v1/workflows", { headers: { "x-tenant": "nobody" } })).status).toBe(404);
    expect((await client.call("GET", "/v1/workflows", { headers: { "x-tenant": "default" } })).status).toBe(200);
  });

  test("a wrong key is told before a body is read, and a body over 1 MiB is too large elsewhere", async () => {
    const large = JSON.stringify({ description: "x".repeat(1_200_000) });
    expect((await client.call("POST", "/v1/workflows", { key: "wrong", body: large })).status).toBe(401);
    expect((await client.call("PUT", "/v1/agents/large", { body: large })).status).toBe(413);
  });

  test("health and documents need no key; routes of OpenAI that are lacking answer in its shape", async () => {
    for (const path of ["/healthz", "/openapi.json", "/docs"]) expect((await client.call("GET", path, { key: null })).status, path).toBe(200);
    expect(await client.call("POST", "/v1/embeddings", { body: {} })).toMatchObject({ status: 404, body: { error: { message: expect.any(String), type: "invalid_request_error" } } });
  });

  test("every answer carries a Request-Id: the client's own, or a new one", async () => {
    expect((await client.call("GET", "/v1/workflows", { headers: { "request-id": "mine-42" } })).headers.get("request-id")).toBe("mine-42");
    const ids = await Promise.all(["/v1/workflows", "/v1/nothing", "/healthz"].map(async (path) => (await client.call("GET", path, { key: null })).headers.get("request-id")));
    expect(new Set(ids).size).toBe(3);
    expect(ids).not.toContain(null);
  });
});

describe.concurrent("the list", () => {
  const label = `list-${Math.random().toString(36).slice(2)}`;
  const list = async (query: string) => (await client.call<Page<WorkflowSummary>>("GET", `/v1/workflows?${query}`)).body;
  const listIds = async (query: string) => (await list(query)).items.map((item) => item.id);

  test("shows newest first, page by page, and filters by status, name and metadata", async () => {
    const make = (team: string, agent: string) => client.create({ name: label, metadata: { label, team }, tasks: [{ id: "a", agent }] });
    const created: WorkflowView[] = [];
    for (const [team, agent] of [["red", "echo"], ["blue", "echo"], ["red", "echo"], ["blue", "never"], ["red", "never"]] as const) created.push(await make(team, agent));
    const ids = created.map((workflow) => workflow.id);
    await Promise.all(ids.slice(0, 3).map((id) => client.finish(id)));
    await eventually(async () => expect(await listIds(`name=${label}`)).toEqual(ids.toReversed()));

    const pages: string[][] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: Page<WorkflowSummary> = await list(`name=${label}&limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
      pages.push(page.items.map((item) => item.id));
      cursor = page.nextCursor;
    }
    expect(pages).toEqual([[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]);

    expect(await listIds(`name=${label}&status=completed`)).toEqual([ids[2], ids[1], ids[0]]);
    expect(await listIds(`metadata.label=${label}&metadata.team=blue`)).toEqual([ids[3], ids[1]]);
    expect(await listIds(`metadata.label=${label}&metadata.team=red&status=running`)).toEqual([ids[4]]);
    expect(await listIds(`metadata.label=${label}&metadata.team=green`)).toEqual([]);
    const [first] = (await list(`name=${label}&limit=1`)).items;
    expect(first).not.toHaveProperty("tasks");
    expect(first).not.toHaveProperty("waves");
    expect(first!.budget).toEqual((await client.get(first!.id)).budget);
    expect(await listIds(`name=${label}&status=compensated`)).toEqual([]);
    expect((await client.call("GET", "/v1/workflows?limit=201")).status).toBe(422);
    expect((await client.call("GET", "/v1/workflows?status=sleeping")).body.errors).toMatchObject([{ path: "?status" }]);
    await Promise.all(ids.slice(3).map((id) => client.call("POST", `/v1/workflows/${id}/cancel`)));
  });

  test("has a finished workflow as finished as soon as whoever waited for it is told", async () => {
    const { id } = await client.run({ metadata: { only: `${label}-x` }, tasks: [{ id: "a", agent: "echo" }] });
    expect((await list(`metadata.only=${label}-x`)).items).toMatchObject([{ id, status: "completed", progress: { percent: 100 } }]);
  });
});

describe.concurrent("a request that is repeated", () => {
  const post = (key: string, body: string) => client.call<WorkflowView>("POST", "/v1/workflows", { body, headers: { "idempotency-key": key } });
  const body = (n: number) => JSON.stringify({ tasks: [{ id: "a", agent: "echo", input: { n } }] });

  test("with the same Idempotency-Key and body gets the first answer again, with another body 409", async () => {
    const first = await post("repeat-1", body(1));
    expect(first.status).toBe(201);
    expect(first.headers.get("idempotent-replay")).toBeNull();
    expect(first.headers.get("location")).toBe(`/v1/workflows/${first.body.id}`);
    await client.finish(first.body.id);

    const again = await post("repeat-1", body(1));
    expect(again.status).toBe(201);
    expect(again.headers.get("idempotent-replay")).toBe("true");
    expect(again.text).toBe(first.text);
    expect((await post("repeat-1", body(2))).status).toBe(409);
    expect((await post("repeat-2", body(1))).body.id).not.toBe(first.body.id);
  });

  test("is known by its key also where bodies have ids of their own; one that is refused leaves the key free", async () => {
    const own = (id: string) => JSON.stringify({ id, tasks: [{ id: "a", agent: "echo" }] });
    const statuses = async (...requests: [string, string][]) => {
      const found: string[] = [];
      for (const [key, sent] of requests) {
        const { status, headers } = await post(key, sent);
        found.push(`${status}${headers.has("idempotent-replay") ? " replay" : ""}`);
      }
      return found;
    };
    expect(await statuses(["own-1", own("own-a")], ["own-1", own("own-a")], ["own-1", own("own-b")], ["own-1", body(4)], ["own-2", own("own-b")])).toEqual(["201", "201 replay", "409", "409", "201"]);
    expect(await statuses(["own-3", body(5)], ["own-3", own("own-c")], ["own-4", own("own-a")], ["own-4", own("own-c")])).toEqual(["201", "409", "409", "201"]);
    const answers = await Promise.all(Array.from({ length: 8 }, () => post("own-5", own("own-d"))));
    expect(answers.map(({ status, headers }) => [status, headers.has("idempotent-replay")]).sort()).toEqual([[201, false], ...answers.slice(1).map(() => [201, true])]);
  });

  test("at the same time makes one workflow", async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => post("at-once", body(3))));
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 201));
    expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers.get("idempotent-replay") === null)).toHaveLength(1);
    const { id } = await client.finish(answers[0]!.body.id);
    expect(agents.calls.filter((call) => call.workflowId === id)).toHaveLength(1);
  });

  test("is answered still after its workflow was deleted", async () => {
    const first = await post("deleted", body(4));
    await client.finish(first.body.id);
    expect((await client.call("DELETE", `/v1/workflows/${first.body.id}`)).status).toBe(204);
    expect(await post("deleted", body(4))).toMatchObject({ status: 201, text: first.text });
    expect((await client.call("GET", `/v1/workflows/${first.body.id}`)).status).toBe(404);
  });

  test("with a client's own id is 409 when the id is taken", async () => {
    const spec = { id: "my-own-id", tasks: [{ id: "a", agent: "echo" }] };
    expect((await client.create(spec)).id).toBe("my-own-id");
    expect((await client.call("POST", "/v1/workflows", { body: spec })).status).toBe(409);
  });
});

test("deleting is refused while a workflow runs, and then removes all of it", async () => {
  const { id } = await client.create({ name: "to-be-deleted", tasks: [{ id: "a", agent: "slow" }] });
  expect((await client.call("DELETE", `/v1/workflows/${id}`)).status).toBe(409);
  await client.finish(id);
  expect((await client.call("DELETE", `/v1/workflows/${id}`)).status).toBe(204);
  for (const path of ["", "/events", "/tasks/a", "/ledger"]) expect((await client.call("GET", `/v1/workflows/${id}${path}`)).status).toBe(404);
  expect((await client.call<Page<WorkflowSummary>>("GET", "/v1/workflows?name=to-be-deleted")).body.items).toEqual([]);
  expect((await client.call("DELETE", `/v1/workflows/${id}`)).status).toBe(404);
});
