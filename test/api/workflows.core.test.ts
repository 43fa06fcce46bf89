import { describe, expect, test } from "vitest";
import type { AgentDefinition } from "../../src/workflow/spec/agent.ts";
import { writeCursor } from "../../src/api/http/list-position.ts";
import type { ReadOptions, WorkflowView } from "../../src/api/ports/workflow-port.ts";
import { orderedId } from "../../src/api/http/ordered-id.ts";
import { createTestApi, fakeId } from "./fake-ports.ts";

const SPEC = { name: "notes", tasks: [{ id: "a", agent: "scout", input: { prompt: "List it." } }, { id: "b", agent: "builder", dependsOn: ["a"] }] };

async function faultsOf(response: Response) {
  return ((await response.json()) as { errors?: { path: string; message: string }[] }).errors ?? [];
}

describe("POST /v1/workflows", () => {
  test("creates the workflow with copies of its agents and says where it is", async () => {
    const { ask, world } = createTestApi();
    const response = await ask("POST", "/v1/workflows", SPEC, { "request-id": "r1" });
    expect(response.status).toBe(201);
    const id = orderedId("wf_", world.now, fakeId(1));
    expect(response.headers.get("location")).toBe(`/v1/workflows/${id}`);
    expect(await response.json()).toMatchObject({ id, name: "notes", status: "running" });
    const { request } = world.workflows.get(`default:${id}`)!;
    expect(Object.keys(request.agents).sort()).toEqual(["builder", "scout"]);
    expect(request).toMatchObject({ tenant: "default", origin: "https://weft.test", requestId: "r1", idempotency: null, rerunOf: null });
  });

  test("is one call of an object once the tenant's agents are known here", async () => {
    const { ask, world } = createTestApi();
    await ask("POST", "/v1/workflows", SPEC);
    world.calls.length = 0;
    await ask("POST", "/v1/workflows", SPEC);
    await ask("POST", "/v1/workflows", SPEC, { "idempotency-key": "k" });
    expect(world.calls).toEqual(["workflow.create", "workflow.create"]);
  });

  test("with `wait` or `tasks` has the object answer as they ask, in the same call", async () => {
    const { ask, world } = createTestApi();
    const asked: unknown[] = [];
    for (const query of ["", "?wait=0", "?wait=60000", "?tasks=none", "?wait=5&tasks=none"]) {
      const response = await ask("POST", `/v1/workflows${query}`, SPEC);
      expect(response.status).toBe(201);
      asked.push(world.workflows.get(`default:${response.headers.get("location")!.split("/").at(-1)!}`)!.request.answer);
    }
    expect(asked).toEqual([undefined, undefined, { waitMs: 60_000, withTasks: true }, { waitMs: 0, withTasks: false }, { waitMs: 5, withTasks: false }]);
    expect(world.calls.filter((call) => call.startsWith("workflow."))).toEqual(asked.map(() => "workflow.create"));
  });

  test("whose object is reset while it waits is waited for on, under an id that was made here; where nothing was stored it fails", async () => {
    const { ask, world } = createTestApi();
    const reset = () => Promise.reject(new Error("the object was reset"));
    world.override = { create: reset };
    expect((await ask("POST", "/v1/workflows?wait=30000", SPEC)).status).toBe(500);
    const id = orderedId("wf_", world.now, fakeId(4));
    const view = { id, createdAt: new Date(world.now).toISOString(), status: "completed" };
    const reads: ReadOptions[] = [];
    world.override = {
      create: () => ((world.now += 10_000), reset()),
      read: async (asked) => (reads.push(asked), view as WorkflowView),
    };
    const startedAt = world.now;
    const response = await ask("POST", "/v1/workflows?wait=30000&tasks=none", SPEC);
    expect(response.status).toBe(201);
    expect(await response.json()).toEqual(view);
    expect(response.headers.get("location")).toBe(`/v1/workflows/${orderedId("wf_", startedAt, fakeId(4))}`);
    expect(reads).toEqual([{ waitMs: 20_000, withTasks: false }]);
    // An id of the client's own may be another request's workflow; one that does not wait was not broken off by that.
    expect((await ask("POST", "/v1/workflows?wait=30000", { ...SPEC, id: "own" })).status).toBe(500);
    expect((await ask("POST", "/v1/workflows", SPEC)).status).toBe(500);
    expect(reads).toHaveLength(1);
  });

  test("refuses a bad `wait` together with what is wrong with the body, and creates nothing", async () => {
    const { ask, world } = createTestApi();
    const response = await ask("POST", "/v1/workflows?wait=60001&tasks=some", { tasks: [{ id: "a", agent: "nobody" }] });
    expect(response.status).toBe(422);
    expect((await faultsOf(response)).map(({ path }) => path)).toEqual(["?wait", "?tasks", "/tasks/0/agent"]);
    expect((await ask("POST", "/v1/workflows?wait=1s", SPEC)).status).toBe(422);
    expect(world.workflows.size).toBe(0);
  });

  test("asks the tenant's object before it refuses an agent that it does not know", async () => {
    const { ask, world } = createTestApi();
    await ask("POST", "/v1/workflows", SPEC);
    const agent: AgentDefinition = { kind: "transform", description: "", capabilities: [], expression: "1" };
    world.agents.set("late", { name: "late", agent, createdAt: "", updatedAt: "" });
    expect((await ask("POST", "/v1/workflows", { tasks: [{ id: "a", agent: "late" }] })).status).toBe(201);
    const unknown = await ask("POST", "/v1/workflows", { tasks: [{ id: "a", agent: "nobody" }] });
    expect(unknown.status).toBe(422);
    expect(await faultsOf(unknown)).toEqual([{ path: "/tasks/0/agent", message: expect.stringContaining("nobody") }]);
  });

  test("sees an agent that was put or deleted here at the next request", async () => {
    const { ask } = createTestApi();
    const spec = { tasks: [{ id: "a", agent: "mine" }] };
    await ask("PUT", "/v1/agents/mine", { kind: "transform", expression: "1" });
    expect((await ask("POST", "/v1/workflows", spec)).status).toBe(201);
    await ask("DELETE", "/v1/agents/mine");
    expect((await ask("POST", "/v1/workflows", spec)).status).toBe(422);
  });

  test("believes its copy of the agents for ten seconds", async () => {
    const { ask, world } = createTestApi();
    await ask("POST", "/v1/workflows", SPEC);
    world.calls.length = 0;
    world.now += 9_999;
    await ask("POST", "/v1/workflows", SPEC);
    expect(world.calls).toEqual(["workflow.create"]);
    world.now += 1;
    await ask("POST", "/v1/workflows", SPEC);
    expect(world.calls).toEqual(["workflow.create", "tenant.listAgents", "workflow.create"]);
  });

  test("no name of an object's prototype is an agent", async () => {
    const { ask } = createTestApi();
    for (const agent of ["constructor", "toString", "valueOf"]) expect((await ask("POST", "/v1/workflows", { tasks: [{ id: "a", agent }] })).status).toBe(422);
  });

  test("asks for the tiers as they are before it refuses a model", async () => {
    const { ask, world } = createTestApi();
    const spec = { tasks: [{ id: "a", agent: "scout", model: "new-model", input: { prompt: "List it." } }] };
    expect((await ask("POST", "/v1/workflows", spec)).status).toBe(422);
    const document = { providers: [{ id: "p", kind: "offline" }], models: [{ id: "new-model", provider: "p", tier: "weak", price: { inputPerMillionUsd: 0, outputPerMillionUsd: 0 }, contextWindow: 1_000, maxOutputTokens: 100, capabilities: [] }], tiers: { weak: ["new-model"], base: ["new-model"], strong: ["new-model"] } };
    world.tiers.push(JSON.stringify(document));
    expect((await ask("POST", "/v1/workflows", spec)).status).toBe(201);
    expect(world.published?.version).toBe(1);
  });

  test("answers every fault at once and stores nothing", async () => {
    const { ask, world } = createTestApi();
    const response = await ask("POST", "/v1/workflows", { tasks: [{ id: "a", agent: "scout", dependsOn: ["zz"] }, { id: "a", agent: "nobody" }], colour: 1 });
    expect(response.status).toBe(422);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect((await faultsOf(response)).length).toBeGreaterThanOrEqual(4);
    expect(world.workflows.size).toBe(0);
  });

  test.each([[4_194_304, 201], [4_194_305, 413]])("a body of %i bytes is answered %i", async (size, status) => {
    const head = JSON.stringify({ ...SPEC, tasks: SPEC.tasks }).slice(0, -1);
    const body = `${head}${" ".repeat(size - head.length - 1)}}`;
    expect((await createTestApi().ask("POST", "/v1/workflows", body)).status).toBe(status);
  });

  test("a body nested without end is refused, not recursed into", async () => {
    const { ask } = createTestApi();
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    for (const body of [deep, `{"tasks":[{"id":"a","agent":"scout","input":${deep}}]}`]) expect((await ask("POST", "/v1/workflows", body)).status).toBe(422);
    expect((await ask("POST", "/v1/workflows", JSON.stringify({ ...SPEC, input: "[".repeat(1_000) }))).status).toBe(201);
  });

  test("a client's own id that is taken is 409", async () => {
    const { ask } = createTestApi();
    expect((await ask("POST", "/v1/workflows", { ...SPEC, id: "mine" })).headers.get("location")).toBe("/v1/workflows/mine");
    expect((await ask("POST", "/v1/workflows", { ...SPEC, id: "mine" })).status).toBe(409);
  });

  test.each([["https://hooks.example/", "https://hooks.example"], ["", "https://weft.test"]])("callbacks reach the service at PUBLIC_URL (%s)", async (publicUrl, origin) => {
    const { ask, world } = createTestApi({ publicUrl });
    await ask("POST", "/v1/workflows", { ...SPEC, id: "mine" });
    expect(world.workflows.get("default:mine")!.request.origin).toBe(origin);
  });
});

describe("Idempotency-Key", () => {
  const key = { "idempotency-key": "k1" };

  test("the same key and body give the first answer again; another body is 409", async () => {
    const { ask, world } = createTestApi();
    const first = await ask("POST", "/v1/workflows", SPEC, key);
    const again = await ask("POST", "/v1/workflows", SPEC, key);
    expect(again.status).toBe(201);
    expect(again.headers.get("idempotent-replay")).toBe("true");
    expect(first.headers.get("idempotent-replay")).toBeNull();
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect(await again.text()).toBe(await first.text());
    expect((await ask("POST", "/v1/workflows", `${JSON.stringify(SPEC)} `, key)).status).toBe(409);
    expect(world.workflows.size).toBe(1);
  });

  test("belongs to its path: a rerun with the same key is another workflow", async () => {
    const { ask, world } = createTestApi();
    const first = await ask("POST", "/v1/workflows", SPEC, key);
    const location = first.headers.get("location")!;
    const rerun = await ask("POST", `${location}/rerun`, "", key);
    expect(rerun.status).toBe(201);
    expect(rerun.headers.get("location")).not.toBe(location);
    expect((await ask("POST", `${location}/rerun`, "", key)).headers.get("idempotent-replay")).toBe("true");
    expect(world.workflows.size).toBe(2);
  });

  test("makes a new workflow when its first answer is over a day old, also for the third time", async () => {
    const { ask, world } = createTestApi();
    const locations = new Set<string | null>();
    for (let day = 0; day < 3; day += 1) {
      const made = await ask("POST", "/v1/workflows", SPEC, key);
      expect(made.headers.get("idempotent-replay")).toBeNull();
      locations.add(made.headers.get("location"));
      expect((await ask("POST", "/v1/workflows", SPEC, key)).headers.get("location")).toBe(made.headers.get("location"));
      world.now += 86_400_001;
    }
    expect(locations.size).toBe(3);
  });

  test("is still answered after the workflow was deleted", async () => {
    const { ask } = createTestApi();
    const location = (await ask("POST", "/v1/workflows", SPEC, key)).headers.get("location")!;
    expect((await ask("DELETE", location)).status).toBe(204);
    expect((await ask("GET", location)).status).toBe(404);
    expect((await ask("POST", "/v1/workflows", SPEC, key)).headers.get("idempotent-replay")).toBe("true");
  });

  test("with `wait` is answered with how the workflow stands then; once it was deleted, with the first answer", async () => {
    const { ask, world } = createTestApi();
    const location = (await ask("POST", "/v1/workflows?wait=10", SPEC, key)).headers.get("location")!;
    world.calls.length = 0;
    const again = await ask("POST", "/v1/workflows?wait=10", SPEC, key);
    expect(again).toMatchObject({ status: 201 });
    expect([again.headers.get("idempotent-replay"), again.headers.get("location")]).toEqual(["true", location]);
    expect(world.calls).toEqual(["workflow.create", "workflow.read"]);
    await ask("DELETE", location);
    const late = await ask("POST", "/v1/workflows?wait=10", SPEC, key);
    expect([late.status, late.headers.get("idempotent-replay")]).toEqual([201, "true"]);
    expect(await late.json()).toMatchObject({ status: "running" });
  });

  test("with `wait` is answered with the first answer, too, once another workflow has the id of the one that it made", async () => {
    const { ask, world } = createTestApi();
    const body = { ...SPEC, id: "mine" };
    const made = (await (await ask("POST", "/v1/workflows?wait=10", body, key)).json()) as WorkflowView;
    const known = world.workflows.get("default:mine")!;
    world.override = { read: async () => ({ ...known.view, createdAt: new Date(world.now + 5_000).toISOString(), name: "another" }) };
    const again = await ask("POST", "/v1/workflows?wait=10", body, key);
    expect([again.status, again.headers.get("idempotent-replay")]).toEqual([201, "true"]);
    expect(await again.json()).toEqual(made);
  });

  test("is still answered when the request would be refused by now, its agent being gone", async () => {
    const { ask, world } = createTestApi();
    await ask("PUT", "/v1/agents/mine", { kind: "transform", expression: "1" });
    const spec = { tasks: [{ id: "a", agent: "mine" }] };
    const first = await ask("POST", "/v1/workflows", spec, key);
    const ownKey = { "idempotency-key": "of its own" };
    const own = await ask("POST", "/v1/workflows", { ...spec, id: "own" }, ownKey);
    await ask("DELETE", "/v1/agents/mine");
    expect((await ask("POST", "/v1/workflows", spec, key)).headers.get("location")).toBe(first.headers.get("location"));
    expect((await ask("POST", "/v1/workflows", { ...spec, id: "own" }, ownKey)).headers.get("location")).toBe(own.headers.get("location"));
    expect((await ask("POST", "/v1/workflows", spec, { "idempotency-key": "k2" })).status).toBe(422);
    world.now += 86_400_001;
    expect((await ask("POST", "/v1/workflows", spec, key)).status).toBe(422);
  });

  test("with a client's own id, that id is the object and keeps the key", async () => {
    const { ask, world } = createTestApi();
    const body = { ...SPEC, id: "mine" };
    await ask("POST", "/v1/workflows", body, key);
    expect((await ask("POST", "/v1/workflows", body, key)).headers.get("idempotent-replay")).toBe("true");
    expect((await ask("POST", "/v1/workflows", body, { "idempotency-key": "k2" })).status).toBe(409);
    world.now += 86_400_001;
    expect((await ask("POST", "/v1/workflows", body, key)).status).toBe(409);
  });

  test("stands for one body whatever ids bodies have, for a day", async () => {
    const { ask, world } = createTestApi();
    const post = async (id: string | null, name = "k1") => (await ask("POST", "/v1/workflows", id === null ? SPEC : { ...SPEC, id }, { "idempotency-key": name })).status;
    expect([await post("one"), await post("one"), await post("two"), await post(null), await post("two", "k2")]).toEqual([201, 201, 409, 409, 201]);
    expect([await post(null, "k3"), await post("three", "k3")]).toEqual([201, 409]);
    expect(world.workflows.size).toBe(3);
    world.now += 86_400_001;
    expect([await post("four"), await post("four"), await post(null), await post("five", "k3")]).toEqual([201, 201, 409, 201]);
  });

  test("is not used up by a request with an id of its own that was refused, or never came to its end", async () => {
    const { ask, world } = createTestApi();
    const post = async (id: string) => (await ask("POST", "/v1/workflows", { ...SPEC, id }, key)).status;
    await ask("POST", "/v1/workflows", { ...SPEC, id: "taken" });
    expect([await post("taken"), await post("free")]).toEqual([409, 201]);
    // As a request leaves it that was cut off: its workflow knows nothing of the key.
    const [[keeper, claim]] = [...world.keyClaims] as [[string, { bodyHash: string; workflowId: string; createdAt: number }]];
    world.keyClaims.set(keeper, { ...claim, bodyHash: "another", workflowId: "lost", createdAt: world.now });
    expect(await post("later")).toBe(409);
    world.now += 60_000;
    expect([await post("later"), await post("last")]).toEqual([201, 409]);
  });

  test.each([["x".repeat(255), 201], ["x".repeat(256), 422], ["", 422]])("has 1–255 characters (%#)", async (value, status) => {
    expect((await createTestApi().ask("POST", "/v1/workflows", SPEC, { "idempotency-key": value })).status).toBe(status);
  });
});

describe("reading and commands", () => {
  async function createOne() {
    const made = createTestApi();
    await made.ask("POST", "/v1/workflows", { ...SPEC, id: "w" });
    return made;
  }

  test.each([
    ["GET", "/v1/workflows/w", 200], ["GET", "/v1/workflows/w?wait=60000&tasks=none", 200], ["GET", "/v1/workflows/w?wait=60001", 422], ["GET", "/v1/workflows/w?wait=1e3", 422],
    ["GET", "/v1/workflows/w?tasks=all", 422], ["GET", "/v1/workflows/w/tasks?status=completed", 200], ["GET", "/v1/workflows/w/tasks?status=compensated", 200], ["GET", "/v1/workflows/w/tasks?status=done", 422],
    ["GET", "/v1/workflows/w/tasks/a", 200], ["GET", "/v1/workflows/w/tasks/zz", 404], ["GET", "/v1/workflows/w/ledger?limit=200", 200], ["GET", "/v1/workflows/w/ledger?limit=201", 422],
    ["GET", "/v1/workflows/w/ledger?limit=", 422], ["POST", "/v1/workflows/w/pause", 202], ["POST", "/v1/workflows/w/resume", 202], ["POST", "/v1/workflows/w/tasks/a/retry", 202],
    ["DELETE", "/v1/workflows/w", 204], ["GET", "/v1/workflows/w/nothing", 404],
  ])("%s %s answers %i", async (method, path, status) => {
    const { ask } = await createOne();
    expect((await ask(method, path)).status).toBe(status);
  });

  test.each([[undefined, 202], ["{}", 202], [`{"compensate":false}`, 202], [`{"compensate":null}`, 202], [`{"compensate":true}`, 422], [`{"force":true}`, 422], ["[]", 422], ["{", 400]])("cancel with the body %s answers %i", async (body, status) => {
    const { ask } = await createOne();
    expect((await ask("POST", "/v1/workflows/w/cancel", body)).status).toBe(status);
  });

  test("a rerun takes spec and agents of the checkpoint, a new id, and what may be reused", async () => {
    const { ask, world } = await createOne();
    const response = await ask("POST", "/v1/workflows/w/rerun", { from: ["b"] });
    expect(response.status).toBe(201);
    const id = ((await response.json()) as { id: string }).id;
    const { request } = world.workflows.get(`default:${id}`)!;
    expect(request.rerunOf).toEqual({ workflowId: "w", tasks: ["a"] });
    expect(request.spec.id).toBeUndefined();
    expect((await ask("POST", "/v1/workflows/w/rerun", { from: [] })).status).toBe(422);
  });

  test("the list takes filters of status, name and metadata, and a page", async () => {
    const { ask, world } = await createOne();
    const cursor = writeCursor({ createdAt: 1, id: "wf_a" });
    expect((await ask("GET", `/v1/workflows?status=failed&name=n&metadata.team=a%20b&metadata.x.y=1&limit=3&cursor=${cursor}`)).status).toBe(200);
    expect(world.list).toEqual({ status: "failed", name: "n", metadata: { team: "a b", "x.y": "1" }, limit: 3, cursor });
    await ask("GET", "/v1/workflows");
    expect(world.list).toEqual({ status: null, name: null, metadata: {}, limit: 50, cursor: null });
  });

  test.each(["limit=0", "limit=201", "limit=-1", "limit=1.5", "limit=abc", "status=done", "name=", "cursor=", "cursor=nonsense"])("the list refuses ?%s and names the parameter", async (query) => {
    const { ask } = await createOne();
    const response = await ask("GET", `/v1/workflows?${query}`);
    expect(response.status).toBe(422);
    expect((await faultsOf(response))[0]!.path).toBe(`?${query.split("=")[0]}`);
  });

  test("everything that is wrong with a query of a list is named at once", async () => {
    const { ask } = await createOne();
    const filters = Array.from({ length: 11 }, (_, index) => `metadata.k${index}=x`).join("&");
    expect((await faultsOf(await ask("GET", `/v1/workflows?limit=0&cursor=x&status=done&${filters}`))).map(({ path }) => path).sort()).toEqual(["?cursor", "?limit", "?metadata", "?status"]);
    for (const path of ["/v1/tenants", "/v1/tenants/default/keys", "/v1/ledger"]) {
      expect((await faultsOf(await ask("GET", `${path}?limit=201&cursor=x`))).map(({ path: at }) => at).sort()).toEqual(["?cursor", "?limit"]);
    }
  });

  test("metadata filters are limited to ten", async () => {
    const { ask } = await createOne();
    const filters = (count: number) => Array.from({ length: count }, (_, at) => `metadata.k${at}=v`).join("&");
    expect((await ask("GET", `/v1/workflows?${filters(10)}`)).status).toBe(200);
    expect((await ask("GET", `/v1/workflows?${filters(11)}`)).status).toBe(422);
  });
});
