import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { WorkflowView } from "../../src/api/ports/workflow-port.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { type LoopbackServer, readRequestText, startLoopbackServer } from "../fixtures/loopback-server.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, eventually, type PostedSpec, putHttpAgents, typesOf, type WeftClient } from "./weft-client.ts";

const WEBHOOK_SECRET = `whsec_${Buffer.from("a key of the tests, 32 bytes long").toString("base64")}`;

interface Delivery {
  headers: Record<string, string>;
  text: string;
}

let agents: FakeAgents;
let worker: LocalWorker;
let client: WeftClient;
let receiver: LoopbackServer;
/** By path, in the order of arrival. The first delivery to `/failing-once` is answered 500. */
const deliveries = new Map<string, Delivery[]>();

beforeAll(async () => {
  agents = await startFakeAgents();
  receiver = await startLoopbackServer(async (request, response) => {
    const path = request.url ?? "";
    const received = deliveries.get(path) ?? [];
    deliveries.set(path, received);
    received.push({ headers: request.headers as Record<string, string>, text: await readRequestText(request) });
    response.writeHead(path === "/failing-once" && received.length === 1 ? 500 : 204).end();
  });
  worker = await startWorker({ vars: { WEBHOOK_DEFAULT__X: WEBHOOK_SECRET } });
  client = createWeftClient(worker);
  await putHttpAgents(client, agents.origin, { echo: "/echo", slow: "/slow?ms=400", never: "/hang", rejecting: "/status/400" });
});

afterAll(async () => {
  await worker.stop();
  await Promise.all([agents.close(), receiver.close()]);
});

const calledTasks = (id: string): string[] => agents.calls.filter((call) => call.workflowId === id).map((call) => call.taskId);
const command = (id: string, name: string) => client.call<{ status: string; detail?: string }>("POST", `/v1/workflows/${id}/${name}`);
const startOf = (id: string, taskId: string) => eventually(() => expect(calledTasks(id)).toContain(taskId));

// All at once: most of their time is waiting, the retried webhook's ten seconds above all.
describe.concurrent("a workflow", () => {
  const verified = ({ text, headers }: Delivery) => new Webhook(WEBHOOK_SECRET).verify(text, headers);

  test("tells a webhook again after a 500, with the same id", async () => {
    const { id } = await client.run({ webhook: { url: `${receiver.origin}/failing-once`, secretName: "WEBHOOK_DEFAULT__X" }, tasks: [{ id: "a", agent: "echo" }] });
    await eventually(() => expect(deliveries.get("/failing-once")).toHaveLength(2), 30_000);
    const [first, second] = deliveries.get("/failing-once")!;
    expect(second!.headers["webhook-id"]).toBe(first!.headers["webhook-id"]);
    expect(verified(second!)).toMatchObject({ data: { id } });
  });

  test("tells a webhook its end, signed", async () => {
    const { id } = await client.run({ name: "told", webhook: { url: `${receiver.origin}/plain`, secretName: "WEBHOOK_DEFAULT__X" }, tasks: [{ id: "a", agent: "echo" }] });
    await eventually(() => expect(deliveries.get("/plain")).toHaveLength(1));
    const [delivery] = deliveries.get("/plain")!;
    expect(verified(delivery!)).toEqual({ type: "workflow.completed", timestamp: expect.any(String), data: { id, name: "told", status: "completed" } });
    expect(() => new Webhook(Buffer.from("another key").toString("base64")).verify(delivery!.text, delivery!.headers)).toThrow();
  });

  test("tells a webhook the events that were asked for and no others", async () => {
    const { id } = await client.run({ webhook: { url: `${receiver.origin}/chosen`, events: ["workflow.started", "task.failed", "workflow.failed"] }, tasks: [{ id: "a", agent: "rejecting" }, { id: "b", agent: "echo", dependsOn: ["a"] }] });
    await eventually(() => expect(deliveries.get("/chosen")).toHaveLength(3));
    const told = deliveries.get("/chosen")!.map((delivery) => JSON.parse(delivery.text) as { type: string; data: { id: string } });
    expect(told.map((event) => event.type).sort()).toEqual(["task.failed", "workflow.failed", "workflow.started"]);
    expect(told.every((event) => event.data.id === id)).toBe(true);
    expect(new Set(deliveries.get("/chosen")!.map((delivery) => delivery.headers["webhook-id"])).size).toBe(3);
  });

  test("is waited for by ?wait=, which answers as soon as it is final, or else after that time", async () => {
    const [quick, endless] = await Promise.all([client.create({ tasks: [{ id: "a", agent: "slow" }] }), client.create({ tasks: [{ id: "a", agent: "never" }] })]);
    const startedAt = performance.now();
    expect((await client.get(quick.id, "?wait=30000")).status).toBe("completed");
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    expect((await client.get(endless.id, "?wait=100")).status).toBe("running");
    expect((await client.call("GET", `/v1/workflows/${quick.id}?wait=60001`)).status).toBe(422);
    await command(endless.id, "cancel");
    expect(await client.get(quick.id, "?tasks=none")).not.toHaveProperty("tasks");
  });

  test("is made and waited for in one request", async () => {
    const post = (query: string, agent: string) => client.call<WorkflowView>("POST", `/v1/workflows${query}`, { body: { tasks: [{ id: "a", agent: "echo", input: 7 }, { id: "b", agent, dependsOn: ["a"] }] } });
    const quick = await post("?wait=30000", "slow");
    expect(quick).toMatchObject({ status: 201, body: { status: "completed", tasks: { a: { output: 7 }, b: { status: "completed" } } } });
    expect(quick.headers.get("location")).toBe(`/v1/workflows/${quick.body.id}`);
    expect(await client.get(quick.body.id)).toEqual(quick.body);
    const endless = await post("?wait=300&tasks=none", "never");
    expect(endless).toMatchObject({ status: 201, body: { status: "running", progress: { completed: 1, running: 1 } } });
    await command(endless.body.id, "cancel");
    const again = await client.call<WorkflowView>("POST", `/v1/workflows/${endless.body.id}/rerun?wait=300`);
    expect(again).toMatchObject({ status: 201, body: { status: "running", tasks: { a: { status: "completed" }, b: { status: "running" } } } });
    await command(again.body.id, "cancel");
  });

  test("goes on when its creator hangs up, and a repetition of the request is answered its end", async () => {
    const creator = new AbortController();
    const body = JSON.stringify({ id: "left-alone", tasks: [{ id: "a", agent: "slow" }, { id: "b", agent: "slow", dependsOn: ["a"] }] });
    const headers = { authorization: `Bearer ${worker.rootKey}`, "content-type": "application/json", "idempotency-key": "left-alone" };
    const left = fetch(`${client.origin}/v1/workflows?wait=30000`, { method: "POST", headers, body, signal: creator.signal }).catch(() => "left");
    await startOf("left-alone", "a");
    creator.abort();
    expect(await left).toBe("left");
    await startOf("left-alone", "b");
    const again = await client.call<WorkflowView>("POST", "/v1/workflows?wait=30000", { body, headers: { "idempotency-key": "left-alone" } });
    expect(again).toMatchObject({ status: 201, body: { status: "completed", tasks: { a: { attempt: 1 }, b: { attempt: 1 } } } });
    expect(again.headers.get("idempotent-replay")).toBe("true");
    expect(calledTasks("left-alone")).toEqual(["a", "b"]);
  });

  test("that is paused finishes what runs and starts nothing new until it is resumed", async () => {
    const { id } = await client.create({ tasks: [{ id: "a", agent: "slow" }, { id: "b", agent: "echo", dependsOn: ["a"] }] });
    await startOf(id, "a");
    expect(await command(id, "pause")).toMatchObject({ status: 202, body: { status: "paused" } });
    expect(await command(id, "pause")).toMatchObject({ status: 202, body: { status: "paused" } });
    await eventually(async () => expect((await client.get(id)).tasks!["a"]!.status).toBe("completed"));
    expect(await client.get(id, "?wait=200")).toMatchObject({ status: "paused", tasks: { b: { status: "pending" } } });
    expect(calledTasks(id)).toEqual(["a"]);

    expect(await command(id, "resume")).toMatchObject({ status: 202, body: { status: "running" } });
    expect(await client.finish(id)).toMatchObject({ status: "completed" });
    expect(calledTasks(id)).toEqual(["a", "b"]);
    expect(typesOf(await client.events(id)).filter((type) => /paused|resumed/.test(type))).toEqual(["workflow.paused", "workflow.resumed"]);
    for (const name of ["pause", "resume", "cancel"]) expect((await command(id, name)).status, name).toBe(409);
  });

  test("that is cancelled abandons what runs; a result that comes later changes nothing", async () => {
    const { id } = await client.create({ tasks: [{ id: "a", agent: "slow" }, { id: "b", agent: "echo", dependsOn: ["a"] }] });
    await startOf(id, "a");
    expect(await command(id, "cancel")).toMatchObject({ status: 202, body: { status: "cancelled" } });
    expect(await command(id, "cancel")).toMatchObject({ status: 202, body: { status: "cancelled" } });
    const cancelled = await client.get(id);
    expect(cancelled).toMatchObject({ status: "cancelled", tasks: { a: { status: "cancelled" }, b: { status: "cancelled" } }, progress: { percent: 100, running: 0 } });
    const events = await client.events(id);
    expect(events.at(-1)!.type).toBe("workflow.cancelled");

    // Another task of the same agent, begun later, is over: so is the call that was abandoned.
    await client.run({ tasks: [{ id: "a", agent: "slow" }] });
    expect(await client.get(id)).toEqual(cancelled);
    expect(await client.events(id)).toEqual(events);
    expect(calledTasks(id)).toEqual(["a"]);
  });

  test("with startAt is scheduled until then", async () => {
    const startAt = new Date(Date.now() + 800).toISOString();
    const created = await client.create({ startAt, tasks: [{ id: "a", agent: "echo" }] });
    expect(created).toMatchObject({ status: "scheduled", startedAt: null });
    const workflow = await client.finish(created.id);
    expect(workflow.status).toBe("completed");
    expect(Date.parse(workflow.startedAt!)).toBeGreaterThanOrEqual(Date.parse(startAt));
    expect(agents.calls.find((call) => call.workflowId === workflow.id)!.at).toBeGreaterThanOrEqual(Date.parse(startAt));
  });

  test("fails at its deadline, with everything open cancelled", async () => {
    const workflow = await client.run({ deadlineMs: 300, tasks: [{ id: "done", agent: "echo" }, { id: "a", agent: "never", dependsOn: ["done"] }, { id: "b", agent: "echo", dependsOn: ["a"] }] });
    expect(workflow).toMatchObject({ status: "failed", error: { code: "deadline_exceeded" }, tasks: { done: { status: "completed" }, a: { status: "cancelled" }, b: { status: "cancelled" } } });
    expect(Date.parse(workflow.finishedAt!) - Date.parse(workflow.startedAt!)).toBeGreaterThanOrEqual(300);
  });

  test("with one slot starts its tasks by priority, then in their order", async () => {
    const priorities = ["low", "normal", "high", "urgent", "low", "normal", "high", "urgent"] as const;
    const workflow = await client.run({ maxConcurrency: 1, tasks: priorities.map((priority, index) => ({ id: `${priority}_${index}`, agent: "echo", priority })) });
    expect(calledTasks(workflow.id)).toEqual(["urgent_3", "urgent_7", "high_2", "high_6", "normal_1", "normal_5", "low_0", "low_4"]);
  });

  test("never has more live attempts than maxConcurrency", async () => {
    const { id } = await client.create({ maxConcurrency: 2, tasks: Array.from({ length: 4 }, (_, index) => ({ id: `t_${index}`, agent: "slow" })) });
    await client.finish(id);
    let live = 0;
    const peaks = (await client.events(id)).map((event) => (live += event.type === "task.queued" ? 1 : event.type === "task.completed" ? -1 : 0));
    expect(Math.max(...peaks)).toBe(2);
  });

  test("skips a task whose when is false, which counts as done; one that gives no boolean fails", async () => {
    const tasks: PostedSpec["tasks"] = [
      { id: "ask", agent: "echo", input: { go: false, how: "maybe" } },
      { id: "skipped", agent: "echo", dependsOn: ["ask"], when: "tasks.ask.output.go" },
      { id: "after", agent: "echo", dependsOn: ["skipped"], when: "tasks.skipped.status == 'skipped'", input: { was: "${tasks.skipped.output}" } },
    ];
    const workflow = await client.run({ tasks });
    expect(workflow).toMatchObject({ status: "completed", tasks: { skipped: { status: "skipped", output: null, error: null }, after: { status: "completed", output: { was: null } } }, progress: { completed: 2, skipped: 1, percent: 100 } });
    const broken = await client.run({ tasks: [tasks[0]!, { id: "b", agent: "echo", dependsOn: ["ask"], when: "tasks.ask.output.how" }] });
    expect(broken).toMatchObject({ status: "failed", tasks: { b: { status: "failed", error: { code: "expression_failed" } } } });
  });

  test.each(["eager", "wave"] as const)("with %s scheduling starts a task when its turn comes", async (scheduling) => {
    const { id } = await client.run({
      scheduling,
      tasks: [
        { id: "quick", agent: "echo" },
        { id: "slow", agent: "slow" },
        { id: "after_quick", agent: "echo", dependsOn: ["quick"] },
      ],
    });
    const events = await client.events(id);
    const at = (type: string, taskId: string) => events.find((event) => event.type === type && event.taskId === taskId)!.seq;
    const isBarrierKept = at("task.queued", "after_quick") > at("task.completed", "slow");
    expect(isBarrierKept).toBe(scheduling === "wave");
  });

  test("has as result what its expression gives, else the outputs of its last tasks", async () => {
    const tasks: PostedSpec["tasks"] = [{ id: "a", agent: "echo", input: [1, 2] }, { id: "b", agent: "echo", dependsOn: ["a"], input: "${tasks.a.output[1]}" }, { id: "c", agent: "echo", input: "c" }];
    expect((await client.run({ tasks })).result).toEqual({ b: 2, c: "c" });
    expect((await client.run({ input: { factor: 10 }, tasks, result: "tasks.b.output * workflow.input.factor" })).result).toBe(20);
  });

  test("has as result what an agent makes of all that was done", async () => {
    const tasks: PostedSpec["tasks"] = [{ id: "a", agent: "echo", input: 1 }, { id: "b", agent: "echo", dependsOn: ["a"], input: 2 }, { id: "c", agent: "echo", input: 3 }];
    const workflow = await client.run({ tasks, result: { agent: "echo", input: { sum: "${tasks.a.output + tasks.b.output + tasks.c.output}" } } });
    expect(workflow).toMatchObject({ status: "completed", result: { sum: 6 }, tasks: { $result: { status: "completed", output: { sum: 6 } } } });
  });

  test("shows one task whole, also one too large for the workflow's own answer", async () => {
    const large = "x".repeat(20_000);
    const { id, tasks } = await client.run({ tasks: [{ id: "a", agent: "echo", input: large }] });
    expect(tasks!["a"]).toMatchObject({ output: null, outputBytes: 20_002 });
    expect((await client.call<{ output: string }>("GET", `/v1/workflows/${id}/tasks/a`)).body.output).toBe(large);
    expect((await client.call("GET", `/v1/workflows/${id}/tasks/b`)).status).toBe(404);
    expect((await client.call<{ items: { id: string }[] }>("GET", `/v1/workflows/${id}/tasks?status=completed`)).body.items).toMatchObject([{ id: "a" }]);
  });
});
