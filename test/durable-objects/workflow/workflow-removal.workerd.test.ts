import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";
import type { LeaseHolderPort } from "../../../src/api/ports/tenant-port.ts";
import { TenantObject } from "../../../src/durable-objects/tenant-object.ts";
import { WorkflowStore } from "../../../src/durable-objects/workflow/stores/workflow-store.ts";
import { listedStatus } from "../listed-workflow.ts";
import { answer, completed, created, DAY_MS, expectEmpty, http, listen, llm, openWorkflow, pass, query, readAlarm, readLog, requestOf, sentMessages, start, transform, view } from "../open-workflow.ts";

const KEY = { key: "key-1", bodyHash: "hash-1" };
const ONE = [{ id: "a", agent: "one" }];

describe("a removal", () => {
  test("that lost its memory on the way still removes the workflow that it was asked to remove", async () => {
    const workflow = openWorkflow();
    const { createdAt } = await start(workflow, ONE);
    const { removeWorkflow } = TenantObject.prototype;
    const removing = vi.spyOn(TenantObject.prototype, "removeWorkflow").mockImplementationOnce(async function (this: TenantObject, id) {
      writing.mockImplementationOnce(() => {
        throw new Error("the disk is full");
      });
      const holder = openWorkflow(workflow.name!) as unknown as LeaseHolderPort;
      await holder.trimLease(Date.parse(createdAt), 1).then(() => null, () => null);
      return removeWorkflow.call(this, id);
    });
    const writing = vi.spyOn(WorkflowStore.prototype, "write");
    expect(await workflow.remove()).toEqual({ removed: true });
    expect(writing.mock.results.map(({ type }) => type)).toContain("throw");
    expect(await workflow.exists()).toBe(false);
    removing.mockRestore();
    writing.mockRestore();
  });

  test("of a workflow that is not final is a conflict", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "llm" }]);
    expect(await workflow.remove()).toMatchObject({ problem: "conflict" });
    expect(await view(workflow)).toMatchObject({ status: "running" });
  });

  test.each([false, true])("takes all data away at once (long: %s), and keeps the key's answer until it is 24 hours old", async (isLong) => {
    const workflow = openWorkflow();
    const request = requestOf(workflow, [{ id: "a", agent: "pass", input: "private".repeat(isLong ? 10_000 : 1) }], { idempotency: KEY });
    const first = created(await workflow.create(request));
    expect(await workflow.remove()).toEqual({ removed: true });
    expect(await workflow.exists()).toBe(false);
    expect(await listedStatus(workflow)).toBeNull();
    const tables = (await query(workflow, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name NOT IN ('documents', 'schema_version')")).map(({ name }) => String(name));
    expect(tables).toEqual(isLong ? expect.arrayContaining(["events", "outputs", "tasks"]) : ["events"]);
    for (const table of tables) expect(await query(workflow, `SELECT * FROM ${table}`)).toEqual([]);
    expect(await query(workflow, "SELECT name FROM documents ORDER BY name")).toEqual([{ name: "answer:0" }, { name: "idempotency" }]);
    await evictDurableObject(workflow);
    expect(await workflow.create(request)).toEqual({ kind: "replayed", body: JSON.stringify(first) });
    pass(DAY_MS);
    await runDurableObjectAlarm(workflow);
    await expectEmpty(workflow);
    expect(await workflow.create(request)).toMatchObject({ kind: "created" });
  });

  test("of a workflow whose key was told to be over keeps that for another day, so that the key leads on to the same next id", async () => {
    const workflow = openWorkflow();
    const request = requestOf(workflow, ONE, { idempotency: KEY });
    await workflow.create(request);
    pass(DAY_MS);
    expect(await workflow.create(request)).toEqual({ kind: "expired" });
    await workflow.remove();
    pass(DAY_MS - 5_000);
    await runDurableObjectAlarm(workflow);
    expect(await workflow.create(request)).toEqual({ kind: "expired" });
    pass(2 * DAY_MS);
    await runDurableObjectAlarm(workflow);
    await expectEmpty(workflow);
  });

  test("without a key leaves nothing, and the id is free again", async () => {
    const workflow = openWorkflow();
    await start(workflow, ONE);
    await workflow.remove();
    await expectEmpty(workflow);
    expect(await workflow.remove()).toMatchObject({ problem: "not_found" });
    expect(await start(workflow, [{ id: "b", agent: "llm" }])).toMatchObject({ waves: [["b"]] });
    expect((await readLog(workflow))[0]).toMatchObject({ seq: 1, type: "workflow.created" });
    const { armedAt, neededAt } = await readAlarm(workflow);
    expect(armedAt).toBeLessThanOrEqual(neededAt);
    await expect.poll(() => listedStatus(workflow)).toBe("running");
  });

  test("comes by itself when the retention is over", async () => {
    const workflow = openWorkflow();
    await start(workflow, ONE);
    pass(29 * DAY_MS);
    await runDurableObjectAlarm(workflow);
    expect(await view(workflow)).toMatchObject({ status: "completed" });
    pass(DAY_MS);
    expect((await readAlarm(workflow)).armedAt).toBeLessThanOrEqual(Date.now());
    await runDurableObjectAlarm(workflow);
    await expectEmpty(workflow);
    expect(await listedStatus(workflow)).toBeNull();
  });
});


test("a purge with calls under way leaves nothing, whatever becomes of them, and the next workflow of the id hears of none", async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let asked = 0;
  const web = http(listen(async () => {
    await gates[Math.floor(asked++ / 3)]!.promise;
    return answer("made");
  }));
  const tasks = ["a", "b", "c"].map((id) => ({ id, agent: "web" }));
  const workflow = openWorkflow();
  await start(workflow, tasks, { agents: { web } });
  await expect.poll(() => asked).toBe(3);
  await workflow.purge();
  await expectEmpty(workflow);
  await start(workflow, tasks, { agents: { web } });
  await expect.poll(() => asked).toBe(6);
  gates[0]!.resolve();
  expect((await view(workflow)).progress).toMatchObject({ running: 3, completed: 0 });
  gates[1]!.resolve();
  expect((await view(workflow, 30_000)).progress).toMatchObject({ completed: 3 });
});

describe("a deletion while a failed task is retried", () => {
  test("deletes nothing, and the list still shows the workflow", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "bad" }, { id: "b", agent: "llm", dependsOn: ["a"] }], { agents: { bad: transform("1 / 0"), llm } });
    const [removed, retried] = await Promise.all([workflow.remove(), workflow.retryTask("a")]);
    expect(retried).toHaveProperty("status");
    if ("problem" in removed) await expect.poll(() => listedStatus(workflow)).not.toBeNull();
    else expect(await workflow.exists()).toBe(false);
  });

  test("by two at once removes one workflow, and spares the next that takes its id", async () => {
    const workflow = openWorkflow();
    await start(workflow, ONE);
    const first = workflow.remove();
    const second = workflow.remove();
    await first;
    await start(workflow, [{ id: "a", agent: "llm" }]);
    await second;
    expect(await workflow.exists()).toBe(true);
    expect((await view(workflow)).status).toBe("running");
  });
});

describe("who waits for the end of a workflow", () => {
  const waiting = { isLimited: false, answer: { waitMs: 30_000, withTasks: true } };
  /** The index hears of no end before `release`. */
  const holdIndex = () => {
    const gate = Promise.withResolvers<void>();
    const { indexWorkflow } = TenantObject.prototype;
    const index = vi.spyOn(TenantObject.prototype, "indexWorkflow").mockImplementation(async function (this: TenantObject, entry) {
      if (entry.summary.finishedAt !== null) await gate.promise;
      return indexWorkflow.call(this, entry);
    });
    return { told: index, release: () => (index.mockRestore(), gate.resolve()) };
  };

  test("is answered its outcome also when it is deleted before the index knows of it", async () => {
    const workflow = openWorkflow();
    const index = holdIndex();
    const creation = workflow.create(requestOf(workflow, ONE, waiting));
    await expect.poll(() => index.told.mock.calls.length).toBe(1);
    expect(await workflow.remove()).toEqual({ removed: true });
    expect(created(await creation)).toMatchObject({ status: "completed", tasks: { a: { output: 1 } } });
    index.release();
  });

  test("hears nothing of the end of one that had its id before", async () => {
    const workflow = openWorkflow();
    const index = holdIndex();
    await start(workflow, ONE);
    expect(await workflow.remove()).toEqual({ removed: true });
    const creation = start(workflow, [{ id: "b", agent: "llm" }], waiting);
    await expect.poll(() => sentMessages(workflow)).toHaveLength(1);
    index.release();
    await expect.poll(() => listedStatus(workflow)).toBe("running");
    await workflow.claim([{ task: 0, attempt: 1 }]);
    await workflow.report([{ task: 0, attempt: 1, outcome: completed("done") }]);
    expect(await creation).toMatchObject({ status: "completed", tasks: { b: { output: "done" } } });
  });

  test("waits on when it is retried before the index knows that it failed", async () => {
    let isDown = true;
    const gate = Promise.withResolvers<void>();
    const web = http(listen(async () => (isDown ? new Response("no", { status: 400 }) : gate.promise.then(() => answer("up")))));
    const workflow = openWorkflow();
    const index = holdIndex();
    const creation = start(workflow, [{ id: "a", agent: "web" }], { agents: { web }, ...waiting });
    await expect.poll(() => index.told.mock.calls.some(([{ summary }]) => summary.status === "failed")).toBe(true);
    isDown = false;
    expect(await workflow.retryTask("a")).toEqual({ status: "running" });
    index.release();
    await expect.poll(() => listedStatus(workflow)).toBe("running");
    gate.resolve();
    expect(await creation).toMatchObject({ status: "completed", tasks: { a: { output: "up" } } });
  });

  test("is answered, and the index told, by the alarm when the step that ended it could not be sent", async () => {
    const workflow = openWorkflow();
    const creation = start(workflow, [{ id: "a", agent: "llm" }], { ...waiting, answer: { waitMs: 120_000, withTasks: false } });
    await expect.poll(() => listedStatus(workflow)).toBe("running");
    await workflow.claim([{ task: 0, attempt: 1 }]);
    const failing = await runInDurableObject(workflow, (_object, { storage }) =>
      vi.spyOn(Object.getPrototypeOf(storage) as DurableObjectStorage, "setAlarm").mockImplementationOnce(() => {
        throw new Error("no alarm now");
      }),
    );
    await workflow.report([{ task: 0, attempt: 1, outcome: completed("done") }]);
    expect(failing.mock.results[0]).toMatchObject({ type: "throw" });
    failing.mockRestore();
    expect(await listedStatus(workflow)).toBe("running");
    await runDurableObjectAlarm(workflow);
    expect(await creation).toMatchObject({ status: "completed" });
    expect(await listedStatus(workflow)).toBe("completed");
  });
});
