import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";
import { WorkflowObject } from "../../../src/durable-objects/workflow-object.ts";
import { WorkflowStore } from "../../../src/durable-objects/workflow/stores/workflow-store.ts";
import { listedStatus } from "../listed-workflow.ts";
import { answer, callsOf, completed, created, DAY_MS, expectEmpty, failed, http, idOf, kill, listen, never, openWorkflow, pass, query, readAlarm, requestOf, sentMessages, start, story, transform, view } from "../open-workflow.ts";

const KEY = { key: "key-1", bodyHash: "hash-1" };
const ONE = [{ id: "a", agent: "one" }];

describe("a creation", () => {
  test("of transform tasks answers the final workflow, with waves, outputs and result", async () => {
    const workflow = openWorkflow();
    const tasks = [
      { id: "a", agent: "pass", input: { n: "${workflow.input.n}" } },
      { id: "b", agent: "pass", dependsOn: ["a"], input: "${tasks.a.output.n + 1}" },
      { id: "c", agent: "one", dependsOn: ["a"], when: "tasks.a.output.n > 100" },
    ];
    const view = await start(workflow, tasks, { spec: { input: { n: 41 }, name: "sum", metadata: { team: "red" } } });
    expect(view).toMatchObject({ id: idOf(workflow), name: "sum", status: "completed", metadata: { team: "red" }, waves: [["a"], ["b", "c"]], result: { b: 42, c: null }, error: null });
    expect(view.progress).toEqual({ total: 3, completed: 2, failed: 0, skipped: 1, running: 0, percent: 100 });
    expect(view.tasks!["b"]).toMatchObject({ status: "completed", output: 42, attempt: 1, wave: 1, agent: "pass" });
    expect(await story(workflow, "c")).toEqual(["skipped 0"]);
    expect(await listedStatus(workflow)).toBe("completed");
  });

  test("with a key is answered again byte for byte, also after an eviction; another body is a conflict", async () => {
    const workflow = openWorkflow();
    const request = requestOf(workflow, [{ id: "a", agent: "llm" }], { idempotency: KEY });
    const first = created(await workflow.create(request));
    await evictDurableObject(workflow);
    await workflow.command("cancel");
    expect(await workflow.create(request)).toEqual({ kind: "replayed", body: JSON.stringify(first) });
    expect(await workflow.findAnswer(KEY)).toEqual({ kind: "replayed", body: JSON.stringify(first) });
    expect(await workflow.create({ ...request, idempotency: { ...KEY, bodyHash: "hash-2" } })).toMatchObject({ problem: "conflict" });
    expect(await workflow.findAnswer({ ...KEY, bodyHash: "hash-2" })).toEqual({ kind: "unknown" });
  });

  test("with a key is over after 24 hours, not a moment before", async () => {
    const workflow = openWorkflow();
    const request = requestOf(workflow, ONE, { idempotency: KEY });
    await workflow.create(request);
    pass(DAY_MS - 5_000);
    expect(await workflow.create(request)).toMatchObject({ kind: "replayed" });
    pass(5_000);
    expect(await workflow.create(request)).toEqual({ kind: "expired" });
    expect(await workflow.findAnswer(KEY)).toEqual({ kind: "expired" });
  });

  test("under an id that is taken is a conflict, with another key and without", async () => {
    const workflow = openWorkflow();
    await start(workflow, ONE, { idempotency: KEY });
    expect(await workflow.create(requestOf(workflow, ONE))).toMatchObject({ problem: "conflict" });
    expect(await workflow.create(requestOf(workflow, ONE, { idempotency: { key: "key-2", bodyHash: "hash-1" } }))).toMatchObject({ problem: "conflict" });
  });

  test("that comes ten times at once happens once", async () => {
    const workflow = openWorkflow();
    const request = requestOf(workflow, [{ id: "a", agent: "llm" }], { idempotency: KEY });
    const answers = await Promise.all(Array.from({ length: 10 }, () => workflow.create(request)));
    expect(answers.map((answered) => ("kind" in answered ? answered.kind : answered.problem))).toEqual(["created", ...Array.from({ length: 9 }, () => "replayed")]);
    expect(await story(workflow, "a")).toEqual(["queued 1"]);
    expect(sentMessages(workflow)).toHaveLength(1);
  });

  test("that is to wait answers the ended workflow, as it was asked for, and a list has it by then", async () => {
    const workflow = openWorkflow();
    const request = requestOf(workflow, [{ id: "a", agent: "web" }], { agents: { web: http(listen(() => answer(7))) } });
    const view = created(await workflow.create({ ...request, answer: { waitMs: 30_000, withTasks: false } }));
    expect(view).toMatchObject({ id: idOf(workflow), status: "completed", result: { a: 7 } });
    expect(view).not.toHaveProperty("tasks");
    expect(await listedStatus(workflow)).toBe("completed");
    const whole = openWorkflow();
    expect(created(await whole.create({ ...requestOf(whole, ONE), answer: { waitMs: 30_000, withTasks: true } })).tasks).toMatchObject({ a: { status: "completed", output: 1 } });
    expect(await listedStatus(whole)).toBe("completed");
  });

  test("that is to wait answers how the workflow stands when the time is over, and keeps nobody else waiting", async () => {
    const workflow = openWorkflow();
    const request = requestOf(workflow, [{ id: "a", agent: "llm" }], { idempotency: KEY, answer: { waitMs: 30_000, withTasks: true } });
    const first = workflow.create(request);
    const again = await workflow.create({ ...request, answer: { waitMs: 0, withTasks: true } });
    expect(again).toMatchObject({ kind: "replayed", body: expect.stringContaining('"status":"running"') });
    await workflow.claim([{ task: 0, attempt: 1 }]);
    await workflow.report([{ task: 0, attempt: 1, outcome: completed("done") }]);
    expect(created(await first)).toMatchObject({ status: "completed", tasks: { a: { output: "done" } } });
    const endless = openWorkflow();
    const view = created(await endless.create({ ...requestOf(endless, [{ id: "a", agent: "llm" }]), answer: { waitMs: 10, withTasks: false } }));
    expect(view).toMatchObject({ status: "running", progress: { total: 1, running: 1 } });
    expect(await endless.create({ ...requestOf(endless, ONE), answer: { waitMs: 10, withTasks: true } })).toMatchObject({ problem: "conflict" });
  });

  test("calls few http agents from the object, with what the contract says, and prices them", async () => {
    const url = listen(({ body }) => answer({ seen: body.dependencies }, { inputTokens: 7, outputTokens: 3, costUsd: 0.000_001 }));
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "one" }, { id: "b", agent: "web", dependsOn: ["a"], input: { n: "${tasks.a.output}" } }], { agents: { one: transform("1"), web: http(url) } });
    const { status, tasks, usage } = await view(workflow, 30_000);
    expect(status).toBe("completed");
    expect(tasks["b"]).toMatchObject({ output: { seen: { a: 1 } }, usage: { inputTokens: 7, outputTokens: 3, costUsd: 0.000_001 } });
    expect(usage).toMatchObject({ inputTokens: 7, outputTokens: 3, costUsd: 0.000_001 });
    const [call, ...more] = callsOf("b", workflow);
    expect(more).toEqual([]);
    expect(call!.body).toMatchObject({ workflowId: idOf(workflow), taskId: "b", attempt: 1, agent: "web", input: { n: 1 }, dependencies: { a: 1 } });
    expect(call!.headers.get("idempotency-key")).toBe(`${idOf(workflow)}.b`);
    expect(call!.headers.get("x-attempt")).toBe("1");
    expect(await workflow.readLedger({ limit: 10, cursor: null })).toMatchObject({ items: [{ taskId: "b", attempt: 1, provider: "http", costUsd: 0.000_001, late: false }], nextCursor: null });
  });

  test("sends a wider set to executors, and each call is made once", async () => {
    const url = listen(({ body }) => answer(body.taskId));
    const workflow = openWorkflow();
    const tasks = Array.from({ length: 23 }, (_, index) => ({ id: `t${index}`, agent: "web" }));
    await start(workflow, tasks, { agents: { web: http(url) }, spec: { maxConcurrency: 100 } });
    const done = await view(workflow, 30_000);
    expect(done.status).toBe("completed");
    for (const { id } of tasks) {
      expect(done.tasks[id]!.output).toBe(id);
      expect(callsOf(id, workflow)).toHaveLength(1);
    }
  });

  test("starts a scheduled workflow with the alarm, not before", async () => {
    const workflow = openWorkflow();
    const startAt = new Date(Date.now() + 60_000).toISOString();
    expect(await start(workflow, ONE, { spec: { startAt } })).toMatchObject({ status: "scheduled", startedAt: null });
    expect((await readAlarm(workflow)).armedAt).toBeLessThanOrEqual(Date.parse(startAt));
    await runDurableObjectAlarm(workflow);
    expect(await view(workflow)).toMatchObject({ status: "scheduled" });
    expect((await readAlarm(workflow)).armedAt).toBeLessThanOrEqual(Date.parse(startAt));
    pass(60_000);
    await runDurableObjectAlarm(workflow);
    expect(await view(workflow)).toMatchObject({ status: "completed" });
  });
});

describe("an unknown id", () => {
  test("is answered by every method, and nothing is written", async () => {
    const workflow = openWorkflow();
    const refs = [{ task: 0, attempt: 1 }];
    const page = { limit: 10, cursor: null };
    const problems = [
      await workflow.read({ withTasks: true, waitMs: 0 }),
      await workflow.readTask("a"),
      await workflow.listTasks({ ...page, status: null }),
      await workflow.command("cancel"),
      await workflow.retryTask("a"),
      await workflow.readCheckpoint(null),
      await workflow.readEvents({ after: 0, limit: 10 }),
      await workflow.readLedger(page),
      await workflow.acceptCallback("secret", { output: 1 }),
      await workflow.remove(),
    ];
    for (const problem of problems) expect(problem).toMatchObject({ problem: "not_found" });
    expect(await workflow.exists()).toBe(false);
    expect(await workflow.findAnswer(KEY)).toEqual({ kind: "unknown" });
    expect(await workflow.claim(refs)).toEqual([]);
    expect(await workflow.renew(refs)).toEqual([]);
    await workflow.report([{ ...refs[0]!, outcome: completed(1) }]);
    await workflow.deadLetter(refs);
    await workflow.publishDeltas([{ ...refs[0]!, text: "x" }]);
    expect(await workflow.readOutputs(["a"])).toEqual([]);
    expect((await workflow.fetch(new Request("https://workflow/events"))).status).toBe(404);
    await workflow.wake();
    await expectEmpty(workflow);
  });
});

describe("a rerun", () => {
  const wide = Array.from({ length: 9 }, (_, index) => ({ id: `t${index}`, agent: "pass", input: "x".repeat(1_048_574) }));

  test("takes outputs over in several pages and runs the rest, with attempts from 1", async () => {
    const source = openWorkflow();
    const tasks = [...wide, { id: "end", agent: "llm", dependsOn: ["t8"] }];
    await start(source, tasks);
    await source.command("cancel");
    const checkpoint = await source.readCheckpoint(null);
    if ("problem" in checkpoint) throw new Error(checkpoint.detail);
    expect(checkpoint.reusable).toEqual(wide.map(({ id }) => id));
    const pages = [await source.readOutputs(checkpoint.reusable), await source.readOutputs(checkpoint.reusable.slice(8))];
    expect(pages.map((page) => page.map(({ taskId }) => taskId))).toEqual([wide.slice(0, 8).map(({ id }) => id), ["t8"]]);
    const workflow = openWorkflow();
    const answered = await workflow.create({ ...requestOf(workflow, tasks), rerunOf: { workflowId: idOf(source), tasks: checkpoint.reusable } });
    expect(created(answered).progress).toMatchObject({ total: 10, completed: 9, running: 1 });
    expect(await story(workflow, "t8")).toEqual(["completed 0"]);
    expect(await workflow.readTask("t8")).toMatchObject({ status: "completed", attempt: 0, output: wide[8]!.input });
    const [order] = await workflow.claim([{ task: 9, attempt: 1 }]);
    expect(order!.dependencies).toEqual({ t8: wide[8]!.input });
  });

  test("keeps what it copied when an alarm comes between two pages", async () => {
    const source = openWorkflow();
    await start(source, wide);
    const workflow = openWorkflow();
    const { readOutputs } = WorkflowObject.prototype;
    const reading = vi.spyOn(WorkflowObject.prototype, "readOutputs").mockImplementation(async function (this: WorkflowObject, ids) {
      if (ids[0] === "t8") {
        const target = openWorkflow(workflow.name!);
        void target.wake();
        for (let round = 0; round < 3; round += 1) await target.exists();
      }
      return readOutputs.call(this, ids);
    });
    created(await workflow.create({ ...requestOf(workflow, wide), rerunOf: { workflowId: idOf(source), tasks: wide.map(({ id }) => id) } }));
    expect(reading).toHaveBeenCalledTimes(2);
    expect(await query(workflow, "SELECT count(*) AS count FROM outputs")).toEqual([{ count: 9 }]);
    reading.mockRestore();
  });

  test("whose source is gone leaves nothing behind", async () => {
    const workflow = openWorkflow();
    const answered = await workflow.create({ ...requestOf(workflow, wide), rerunOf: { workflowId: "nobody", tasks: ["t0"] } });
    expect(answered).toMatchObject({ problem: "conflict", detail: expect.stringContaining("was deleted") });
    await expectEmpty(workflow);
  });

  test("that is cut off while it copies leaves nothing for long", async () => {
    const workflow = openWorkflow();
    const reading = vi.spyOn(WorkflowObject.prototype, "readOutputs").mockImplementation(([id]) => (id === "t0" ? Promise.resolve([{ taskId: "t0", json: '"copied"' }]) : new Promise(() => undefined)));
    const cutOff = workflow.create({ ...requestOf(workflow, wide), rerunOf: { workflowId: "source", tasks: ["t0", "t1"] } }).catch(() => null);
    await expect.poll(() => reading.mock.calls.length).toBe(2);
    const again = await kill(workflow);
    expect(await cutOff).toBeNull();
    reading.mockRestore();
    expect(await query(again, "SELECT json FROM outputs")).toEqual([{ json: '"copied"' }]);
    await runDurableObjectAlarm(again);
    await expectEmpty(again);
  });

  test("that fails while an alarm and another creation wait for it takes nothing of that one away", async () => {
    const workflow = openWorkflow();
    let fail = (): void => undefined;
    const gate = new Promise<void>((resolve) => (fail = resolve));
    const reading = vi.spyOn(WorkflowObject.prototype, "readOutputs").mockImplementation(async () => (await gate, []));
    const rerun = workflow.create({ ...requestOf(workflow, wide), rerunOf: { workflowId: "source", tasks: ["t0"] } });
    await expect.poll(() => reading.mock.calls.length).toBe(1);
    const alarm = openWorkflow(workflow.name!).wake();
    const other = openWorkflow(workflow.name!).create(requestOf(workflow, [{ id: "a", agent: "llm" }]));
    await openWorkflow(workflow.name!).exists();
    fail();
    expect(await rerun).toMatchObject({ problem: "conflict" });
    await alarm;
    created(await other);
    reading.mockRestore();
    expect(await view(await kill(workflow))).toMatchObject({ status: "running", tasks: { a: { attempt: 1 } } });
  });

  test("gets nothing of what a copy that was cut off left behind", async () => {
    const source = openWorkflow();
    await start(source, [{ id: "a", agent: "one" }]);
    const workflow = openWorkflow();
    await runInDurableObject(workflow, (_object, { storage }) => {
      const store = new WorkflowStore(storage);
      storage.transactionSync(() => (store.migrate(), store.steps.writeOutput(1, '"old"', 5)));
    });
    created(await workflow.create({ ...requestOf(workflow, [{ id: "a", agent: "one" }, { id: "b", agent: "llm" }]), rerunOf: { workflowId: idOf(source), tasks: ["a"] } }));
    expect(await query(workflow, "SELECT task FROM outputs")).toEqual([{ task: 0 }]);
    expect(await workflow.readTask("b")).toMatchObject({ status: "queued", output: null });
  });

  test("of named tasks leaves out what is downstream of them; unknown names are refused; a running workflow is a conflict", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "one" }, { id: "b", agent: "one" }, { id: "c", agent: "one", dependsOn: ["a"] }, { id: "d", agent: "llm" }]);
    expect(await workflow.readCheckpoint(null)).toMatchObject({ problem: "conflict" });
    expect(await workflow.readCheckpoint(["x"])).toMatchObject({ problem: "invalid", errors: [{ path: "/from/0" }] });
    await workflow.command("cancel");
    expect(await workflow.readCheckpoint(["a"])).toMatchObject({ reusable: ["b"] });
    expect(await workflow.readCheckpoint(null)).toMatchObject({ reusable: ["a", "b", "c"] });
    expect(await workflow.readCheckpoint(["a", "x"])).toMatchObject({ problem: "invalid", errors: [{ path: "/from/1" }] });
  });
});

describe("a manual retry", () => {
  test("runs a failed task again under a key of its own, with attempts that go on", async () => {
    let isDown = true;
    const url = listen(() => (isDown ? new Response("no", { status: 400 }) : answer("up")));
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "web" }, { id: "b", agent: "one", dependsOn: ["a"] }], { agents: { web: http(url), one: transform("1") } });
    expect(await view(workflow, 30_000)).toMatchObject({ status: "failed", error: { code: "agent_rejected", taskId: "a" }, tasks: { b: { status: "skipped", error: { code: "not_started" } } } });
    expect(await workflow.retryTask("b")).toMatchObject({ problem: "conflict" });
    expect(await workflow.retryTask("x")).toMatchObject({ problem: "not_found" });
    isDown = false;
    expect(await workflow.retryTask("a")).toEqual({ status: "running" });
    expect(await view(workflow, 30_000)).toMatchObject({ status: "completed", tasks: { a: { attempt: 2, output: "up" }, b: { status: "completed" } } });
    expect(callsOf("a", workflow).map(({ headers }) => headers.get("idempotency-key"))).toEqual([`${idOf(workflow)}.a`, `${idOf(workflow)}.a.r1`]);
    expect(await story(workflow, null)).toEqual(["created", "planned", "started", "failed", "resumed", "completed"]);
  });
});

describe("commands", () => {
  test("pause lets running attempts end and starts nothing new; resume goes on; cancel abandons", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "llm" }, { id: "b", agent: "llm", dependsOn: ["a"] }, { id: "c", agent: "one", dependsOn: ["b"] }]);
    await workflow.claim([{ task: 0, attempt: 1 }]);
    expect([await workflow.command("pause"), await workflow.command("pause")]).toEqual([{ status: "paused" }, { status: "paused" }]);
    await workflow.report([{ task: 0, attempt: 1, outcome: completed("a") }]);
    expect((await view(workflow)).tasks).toMatchObject({ a: { status: "completed" }, b: { status: "pending" } });
    expect([await workflow.command("resume"), await workflow.command("resume")]).toEqual([{ status: "running" }, { status: "running" }]);
    expect(sentMessages(workflow).map(({ task }) => task)).toEqual([0, 1]);
    expect([await workflow.command("cancel"), await workflow.command("cancel")]).toEqual([{ status: "cancelled" }, { status: "cancelled" }]);
    expect(await workflow.command("resume")).toMatchObject({ problem: "conflict" });
    expect(await workflow.claim([{ task: 1, attempt: 1 }])).toEqual([]);
    expect((await view(workflow)).tasks).toMatchObject({ b: { status: "cancelled" }, c: { status: "cancelled" } });
  });

  test("cancel aborts calls that the object is making", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "web" }], { agents: { web: http(listen(never)) } });
    await expect.poll(() => callsOf("a", workflow).length).toBe(1);
    await workflow.command("cancel");
    expect(await view(workflow)).toMatchObject({ status: "cancelled", tasks: { a: { status: "cancelled" } } });
    expect(await story(workflow, "a")).toEqual(["queued 1", "started 1", "cancelled 1"]);
  });
});

describe("pages of tasks", () => {
  test("leave nothing out and repeat nothing, all or of one status", async () => {
    const workflow = openWorkflow();
    const tasks = Array.from({ length: 11 }, (_, index) => ({ id: `t${index}`, agent: index % 2 === 0 ? "one" : "llm" }));
    await start(workflow, tasks, { spec: { maxConcurrency: 2 } });
    const list = async (status: "completed" | "pending" | "queued" | null): Promise<string[]> => {
      const ids: string[] = [];
      for (let cursor: string | null = null, isMore = true; isMore; isMore = cursor !== null) {
        const page = await workflow.listTasks({ status, limit: 3, cursor });
        if ("problem" in page) throw new Error(page.detail);
        ids.push(...page.items.map(({ id }) => id));
        cursor = page.nextCursor;
      }
      return ids;
    };
    expect(await list(null)).toEqual(tasks.map(({ id }) => id));
    const { tasks: shown } = await view(workflow);
    for (const status of ["completed", "queued", "pending"] as const) expect(await list(status)).toEqual(tasks.map(({ id }) => id).filter((id) => shown[id]!.status === status));
  });
});

test("a failing task with `continue` fails the workflow in the end, with what could run done", async () => {
  const workflow = openWorkflow();
  await start(workflow, [{ id: "a", agent: "llm" }, { id: "b", agent: "one", dependsOn: ["a"] }, { id: "c", agent: "one" }], { spec: { onFailure: "continue" } });
  await workflow.claim([{ task: 0, attempt: 1 }]);
  await workflow.report([{ task: 0, attempt: 1, outcome: failed({ code: "provider_rejected", retryable: false }) }]);
  expect(await view(workflow)).toMatchObject({ status: "failed", tasks: { a: { status: "failed" }, b: { status: "skipped", error: { code: "dependency_failed" } }, c: { status: "completed" } } });
});

describe("many transforms", () => {
  test("are evaluated in turns, so that the object answers in between, and all end", async () => {
    const workflow = openWorkflow();
    const tasks = Array.from({ length: 300 }, (_, index) => ({ id: `t${index}`, agent: "one" }));
    const first = await start(workflow, tasks, { spec: { maxConcurrency: 1_000 } });
    expect(first.progress.completed).toBeLessThan(300);
    const final = await workflow.read({ withTasks: false, waitMs: 10_000 });
    expect(final).toMatchObject({ status: "completed", progress: { completed: 300 } });
  });
});
