import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { WorkflowView } from "../../src/api/ports/workflow-port.ts";
import type { LoggedEvent } from "../../src/workflow/events.ts";
import { type AgentCall, type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, eventually, putHttpAgents, typesOf, type WeftClient } from "./weft-client.ts";

const SIGNING_KEY = "a plain text of which the bytes are the key";

let agents: FakeAgents;
let worker: LocalWorker;
let client: WeftClient;

beforeAll(async () => {
  agents = await startFakeAgents();
  worker = await startWorker({ vars: { AGENT_DEFAULT__SIGNING: SIGNING_KEY } });
  client = createWeftClient(worker);
  await putHttpAgents(client, agents.origin, {
    echo: "/echo",
    slow: "/slow?ms=500",
    flaky: "/flaky?failures=2",
    busy: "/status/503?retryAfter=1",
    down: "/status/503",
    rejecting: "/status/400",
    silent: "/hang",
    cutting: "/cut",
    shapeless: "/bad-shape",
    "until-retried": "/until-retried",
  });
  await putHttpAgents(
    client,
    agents.origin,
    {
      caller: "/callback?delayMs=50",
      "late-caller": "/callback?delayMs=600",
      "early-caller": "/callback?early=1",
      "eager-caller": "/callback?times=2",
      "failing-caller": "/callback?error=boom",
      "stumbling-caller": "/callback?error=boom&retryable=1",
      "quiet-caller": "/status/202",
    },
    "callback",
  );
});

afterAll(async () => {
  await worker.stop();
  await agents.close();
});

const callsOf = (id: string, taskId?: string): AgentCall[] => agents.calls.filter((call) => call.workflowId === id && (taskId === undefined || call.taskId === taskId));
const quickRetry = { initialMs: 20, jitter: false };
const eventOf = <Type extends LoggedEvent["type"]>(events: readonly LoggedEvent[], type: Type) => events.find((event): event is Extract<LoggedEvent, { type: Type }> => event.type === type)!;

describe.concurrent("a call", () => {
  test("carries what its agent needs, signed with the agent's secret, and tells nobody the agent's headers", async () => {
    await client.putAgent("signed", { kind: "http", url: `${agents.origin}/echo`, headers: { "X-Api-Key": "hidden-value" }, secretName: "AGENT_DEFAULT__SIGNING" });
    expect((await client.call("GET", "/v1/agents/signed")).text).not.toContain("hidden-value");
    const { id } = await client.run({ tasks: [{ id: "a", agent: "echo", input: 1 }, { id: "b", agent: "signed", dependsOn: ["a"], input: { n: "${tasks.a.output}" } }] });
    const [call] = callsOf(id, "b");
    expect(call!.headers).toMatchObject({ "x-api-key": "hidden-value", "x-attempt": "1", "idempotency-key": `${id}.b` });
    const sent = new Webhook(new TextEncoder().encode(SIGNING_KEY), { format: "raw" }).verify(call!.text, call!.headers as Record<string, string>);
    expect(sent).toMatchObject({ workflowId: id, taskId: "b", attempt: 1, agent: "signed", input: { n: 1 }, dependencies: { a: 1 }, deadline: expect.stringMatching(/^\d{4}-.*Z$/) });
  });

  test("names the end of the workflow as its deadline where an attempt's own time would last longer", async () => {
    const { id, startedAt } = await client.run({ deadlineMs: 30_000, tasks: [{ id: "a", agent: "echo" }, { id: "b", agent: "echo", timeoutMs: 1_000 }] });
    const lastsMs = (taskId: string) => Date.parse((JSON.parse(callsOf(id, taskId)[0]!.text) as { deadline: string }).deadline) - Date.parse(startedAt!);
    expect(lastsMs("a")).toBe(30_000);
    expect(lastsMs("b")).toBeLessThan(30_000);
  });

  test("goes to the agent as it was when the workflow was created", async () => {
    await client.putAgent("moving", { kind: "http", url: `${agents.origin}/echo` });
    const { id } = await client.create({ startAt: new Date(Date.now() + 500).toISOString(), tasks: [{ id: "a", agent: "moving" }] });
    await client.putAgent("moving", { kind: "http", url: `${agents.origin}/status/400` });
    expect((await client.call("DELETE", "/v1/agents/moving")).status).toBe(204);
    expect(await client.finish(id)).toMatchObject({ status: "completed" });
    expect((await client.call("POST", "/v1/workflows", { body: { tasks: [{ id: "a", agent: "moving" }] } })).status).toBe(422);
  });
});

describe.concurrent("a failed attempt", () => {
  test("that may pass is repeated with the same idempotency key until it does", async () => {
    const workflow = await client.run({ tasks: [{ id: "a", agent: "flaky", input: 5, retry: quickRetry }] });
    expect(workflow).toMatchObject({ status: "completed", tasks: { a: { attempt: 3, output: 5, error: null } } });
    const calls = callsOf(workflow.id);
    expect(calls.map((call) => call.headers["x-attempt"])).toEqual(["1", "2", "3"]);
    expect(new Set(calls.map((call) => call.idempotencyKey))).toEqual(new Set([`${workflow.id}.a`]));
    expect(typesOf(await client.events(workflow.id), "a").filter((type) => type === "task.retrying")).toHaveLength(2);
  });

  test("is not repeated more often than allowed", async () => {
    const workflow = await client.run({ tasks: [{ id: "a", agent: "down", retry: { ...quickRetry, maxAttempts: 2 } }] });
    expect(workflow).toMatchObject({ status: "failed", error: { code: "agent_unavailable", taskId: "a" }, tasks: { a: { status: "failed", attempt: 2 } } });
    expect(callsOf(workflow.id)).toHaveLength(2);
  });

  test.each([
    ["a 4xx", "rejecting", "agent_rejected"],
    ["an answer of another shape", "shapeless", "agent_bad_response"],
  ])("by %s fails the task at once", async (_name, agent, code) => {
    const workflow = await client.run({ tasks: [{ id: "a", agent, retry: quickRetry }] });
    expect(workflow).toMatchObject({ status: "failed", tasks: { a: { attempt: 1, error: { code, retryable: false } } } });
    expect(callsOf(workflow.id)).toHaveLength(1);
  });

  test("by a broken connection is transient", async () => {
    const workflow = await client.run({ tasks: [{ id: "a", agent: "cutting", retry: { ...quickRetry, maxAttempts: 2 } }] });
    expect(workflow).toMatchObject({ status: "failed", tasks: { a: { attempt: 2, error: { code: "agent_unavailable" } } } });
  });

  test("ends after timeoutMs, and is repeated", async () => {
    const workflow = await client.run({ tasks: [{ id: "a", agent: "silent", timeoutMs: 200, retry: { ...quickRetry, maxAttempts: 2 } }] });
    expect(workflow).toMatchObject({ status: "failed", tasks: { a: { attempt: 2, error: { code: "timeout", retryable: true } } } });
    expect(callsOf(workflow.id)).toHaveLength(2);
    const events = await client.events(workflow.id);
    expect(Date.parse(eventOf(events, "task.retrying").at) - Date.parse(eventOf(events, "task.started").at)).toBeGreaterThanOrEqual(200);
  });

  test("waits as long as Retry-After asks for, however short the task's own wait", async () => {
    const workflow = await client.run({ tasks: [{ id: "a", agent: "busy", retry: { maxAttempts: 2, initialMs: 1 } }] });
    const retrying = eventOf(await client.events(workflow.id), "task.retrying");
    expect(Date.parse(retrying.data.nextAt) - Date.parse(retrying.at)).toBeGreaterThanOrEqual(1_000);
    const [first, second] = callsOf(workflow.id);
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(1_000);
  });
});

describe.concurrent("after a task failed for good", () => {
  test("with onFailure fail nothing new starts, and running tasks finish", async () => {
    const workflow = await client.run({
      tasks: [
        { id: "bad", agent: "rejecting" },
        { id: "running", agent: "slow", input: 1 },
        { id: "after_bad", agent: "echo", dependsOn: ["bad"] },
        { id: "after_running", agent: "echo", dependsOn: ["running"] },
      ],
    });
    expect(workflow).toMatchObject({
      status: "failed",
      error: { code: "agent_rejected", taskId: "bad" },
      tasks: { running: { status: "completed", output: 1 }, after_bad: { status: "skipped", error: { code: "not_started" } }, after_running: { status: "skipped", error: { code: "not_started" } } },
    });
    expect(callsOf(workflow.id).map((call) => call.taskId).sort()).toEqual(["bad", "running"]);
  });

  test("with onFailure continue only what depends on it is skipped, however far below", async () => {
    const workflow = await client.run({
      onFailure: "continue",
      tasks: [
        { id: "bad", agent: "rejecting" },
        { id: "good", agent: "echo" },
        { id: "below", agent: "echo", dependsOn: ["bad"] },
        { id: "deeper", agent: "echo", dependsOn: ["below", "good"] },
        { id: "beside", agent: "echo", dependsOn: ["good"] },
      ],
    });
    expect(workflow).toMatchObject({
      status: "failed",
      progress: { total: 5, completed: 2, failed: 1, skipped: 2, percent: 100 },
      tasks: { below: { status: "skipped", error: { code: "dependency_failed" } }, deeper: { status: "skipped", error: { code: "dependency_failed" } }, beside: { status: "completed" } },
    });
  });

  test("a retry by hand runs it and what was skipped for it, under a new idempotency key, and nothing else again", async () => {
    const { id } = await client.run({
      tasks: [
        { id: "before", agent: "echo", input: "kept" },
        { id: "bad", agent: "until-retried", dependsOn: ["before"], input: "${tasks.before.output}" },
        { id: "after", agent: "echo", dependsOn: ["bad"], input: "${tasks.bad.output} and done" },
      ],
    });
    expect(await client.get(id)).toMatchObject({ status: "failed", tasks: { after: { status: "skipped" } } });
    expect((await client.call("POST", `/v1/workflows/${id}/tasks/before/retry`)).status).toBe(409);
    expect(await client.call("POST", `/v1/workflows/${id}/tasks/bad/retry`)).toMatchObject({ status: 202, body: { status: "running" } });

    expect(await client.finish(id)).toMatchObject({ status: "completed", error: null, tasks: { bad: { attempt: 2 } }, result: { after: "kept and done" } });
    expect(callsOf(id).map((call) => call.idempotencyKey)).toEqual([`${id}.before`, `${id}.bad`, `${id}.bad.r1`, `${id}.after`]);
    const types = typesOf(await client.events(id));
    expect(types).toContain("workflow.resumed");
    expect(types.filter((type) => type === "workflow.failed" || type === "workflow.completed")).toEqual(["workflow.failed", "workflow.completed"]);
  });

  test("a rerun takes over what was completed, and calls only the rest", async () => {
    const tasks = [
      { id: "before", agent: "echo", input: "kept" },
      { id: "bad", agent: "rejecting", dependsOn: ["before"] },
      { id: "after", agent: "echo", dependsOn: ["before"], input: "${tasks.before.output}!" },
    ];
    const { id } = await client.run({ onFailure: "continue", tasks });
    const rerun = async (body: object) => {
      const answer = await client.call<WorkflowView>("POST", `/v1/workflows/${id}/rerun`, { body });
      expect(answer.status, answer.text).toBe(201);
      return client.finish(answer.body.id);
    };
    const rest = await rerun({});
    expect(rest).toMatchObject({ status: "failed", tasks: { before: { status: "completed", output: "kept" }, after: { status: "completed", output: "kept!" } } });
    expect(callsOf(rest.id).map((call) => call.taskId)).toEqual(["bad"]);
    expect(eventOf(await client.events(rest.id), "task.completed").data).toMatchObject({ reused: true });

    const from = await rerun({ from: ["after"] });
    expect(from.tasks).toMatchObject({ before: { output: "kept" }, after: { status: "completed", output: "kept!" } });
    expect(callsOf(from.id).map((call) => call.taskId).sort()).toEqual(["after", "bad"]);
    expect((await client.call("POST", `/v1/workflows/${id}/rerun`, { body: { from: ["nobody"] } })).body.errors).toMatchObject([{ path: "/from/0" }]);
  });

  test("a rerun is answered again by its Idempotency-Key when its source runs again, and after both were deleted", async () => {
    const { id } = await client.run({ onFailure: "continue", tasks: [{ id: "kept", agent: "echo", input: 1 }, { id: "bad", agent: "rejecting" }] });
    const rerun = (body: object = {}) => client.call<WorkflowView>("POST", `/v1/workflows/${id}/rerun`, { body, headers: { "idempotency-key": "again" } });
    const first = await rerun();
    expect([first.status, first.headers.get("idempotent-replay")]).toEqual([201, null]);
    const expectReplay = async () => {
      const again = await rerun();
      expect([again.status, again.headers.get("idempotent-replay"), again.text]).toEqual([201, "true", first.text]);
    };
    await expectReplay();
    expect((await client.call("POST", `/v1/workflows/${id}/tasks/bad/retry`)).status).toBe(202);
    await expectReplay();
    for (const gone of [id, first.body.id]) {
      await client.finish(gone);
      expect((await client.call("DELETE", `/v1/workflows/${gone}`)).status).toBe(204);
      await expectReplay();
    }
    // Another request than that one finds no workflow to run again.
    expect((await rerun({ from: ["bad"] })).status).toBe(404);
    expect((await client.call("POST", `/v1/workflows/${id}/rerun`, { headers: { "idempotency-key": "other" } })).status).toBe(404);
    expect(callsOf(first.body.id).map(({ taskId }) => taskId)).toEqual(["bad"]);
  });

  test("a rerun of a running workflow is refused", async () => {
    const { id } = await client.create({ tasks: [{ id: "a", agent: "slow" }] });
    expect((await client.call("POST", `/v1/workflows/${id}/rerun`)).status).toBe(409);
  });
});

describe.concurrent("an agent that calls back", () => {
  const post = (token: string, body: unknown) => client.call("POST", `/v1/callbacks/${token}`, { key: null, body });
  /** Starts a task whose agent took it and says nothing; answers its callback. */
  const startQuiet = async (): Promise<{ id: string; callback: { url: string; token: string } }> => {
    const { id } = await client.create({ tasks: [{ id: "a", agent: "quiet-caller" }] });
    await eventually(async () => expect((await client.get(id)).tasks!["a"]!.status).toBe("waiting"));
    return { id, callback: (JSON.parse(callsOf(id)[0]!.text) as { callback: { url: string; token: string } }).callback };
  };

  test("completes its task, which waits meanwhile", async () => {
    const workflow = await client.run({ tasks: [{ id: "a", agent: "caller", input: { n: 1 } }, { id: "b", agent: "echo", dependsOn: ["a"], input: "${tasks.a.output.n}" }] });
    expect(workflow).toMatchObject({ status: "completed", tasks: { a: { output: { n: 1 } }, b: { output: 1 } } });
    expect(typesOf(await client.events(workflow.id), "a")).toEqual(["task.queued", "task.started", "task.waiting", "task.completed"]);
  });

  test("may do so before it has answered 202", async () => {
    const workflow = await client.run({ tasks: [{ id: "a", agent: "early-caller", input: "soon" }] });
    expect(workflow).toMatchObject({ status: "completed", tasks: { a: { output: "soon", attempt: 1 } } });
    expect(typesOf(await client.events(workflow.id)).filter((type) => type === "task.completed")).toHaveLength(1);
  });

  test("can use its token once", async () => {
    const { id } = await client.run({ tasks: [{ id: "a", agent: "eager-caller" }] });
    await eventually(() => expect(agents.callbackAnswers.filter((answer) => answer.workflowId === id).map((answer) => answer.status)).toEqual([202, 404]));
  });

  test("does not use its token up with a body of another shape", async () => {
    const { id, callback } = await startQuiet();
    expect(callback.url).toBe(`${worker.origin}/v1/callbacks/${callback.token}`);
    for (const body of [{}, { outptu: 1 }, { error: "boom" }, { output: 1, error: { message: "both" } }, []]) {
      expect((await post(callback.token, body)).status, JSON.stringify(body)).toBe(422);
    }
    expect((await post(callback.token, "{not json")).status).toBe(400);
    expect((await post(callback.token, { output: "at last", usage: { inputTokens: 10, outputTokens: 2, costUsd: 0.000_001_5 } })).status).toBe(202);
    expect(await client.finish(id)).toMatchObject({ status: "completed", result: { a: "at last" }, usage: { inputTokens: 10, outputTokens: 2, costUsd: 0.000_001_5 } });
    expect((await post(callback.token, { output: "again" })).status).toBe(404);
  });

  test("may report an error: retried when it says so, else the task's end", async () => {
    const [failing, stumbling] = await Promise.all([
      client.run({ tasks: [{ id: "a", agent: "failing-caller", retry: quickRetry }] }),
      client.run({ tasks: [{ id: "a", agent: "stumbling-caller", retry: { ...quickRetry, maxAttempts: 2 } }] }),
    ]);
    expect(failing).toMatchObject({ status: "failed", tasks: { a: { attempt: 1, error: { code: "agent_rejected", message: expect.stringContaining("boom") } } } });
    expect(stumbling).toMatchObject({ status: "failed", tasks: { a: { attempt: 2, error: { code: "agent_unavailable" } } } });
  });

  test("that never does times out", async () => {
    const workflow = await client.run({ tasks: [{ id: "a", agent: "quiet-caller", timeoutMs: 300, retry: { maxAttempts: 1 } }] });
    expect(workflow).toMatchObject({ status: "failed", tasks: { a: { error: { code: "timeout" } } } });
  });

  test("changes nothing after a cancel, but what it cost is written down", async () => {
    const { id, callback } = await startQuiet();
    expect(await client.call("POST", `/v1/workflows/${id}/cancel`)).toMatchObject({ status: 202, body: { status: "cancelled" } });
    const before = await client.events(id);
    expect((await post(callback.token, { output: "too late", usage: { inputTokens: 7, costUsd: 0.5 } })).status).toBe(404);
    expect(await client.get(id)).toMatchObject({ status: "cancelled", tasks: { a: { status: "cancelled", output: null } } });
    const after = await client.events(id);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(typesOf(after.slice(before.length))).toEqual(["budget.settled"]);
    expect(await client.ledger(id)).toMatchObject([{ taskId: "a", attempt: 1, inputTokens: 7, costUsd: 0.5, late: true }]);
  });
});
