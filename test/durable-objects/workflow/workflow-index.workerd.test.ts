import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";
import { TenantObject } from "../../../src/durable-objects/tenant-object.ts";
import { MAX_LISTED_RESULT_BYTES } from "../../../src/durable-objects/workflow/workflow-view.ts";
import { findListed, listedStatus } from "../listed-workflow.ts";
import { answer, completed, DAY_MS, http, idOf, kill, listen, openWorkflow, pass, readAlarm, sentMessages, start, TENANT, transform, view, type Workflow } from "../open-workflow.ts";

const ONE = [{ id: "a", agent: "one" }];

describe("the tenant's index", () => {
  test("has all that a workflow's answer has but tasks and waves, and a result as long as it is short", async () => {
    const short = openWorkflow();
    const { tasks: _tasks, waves: _waves, ...expected } = await start(short, [{ id: "a", agent: "pass", input: "x".repeat(MAX_LISTED_RESULT_BYTES - 2) }], { spec: { metadata: { team: "red" } } });
    expect(expected.result).toHaveProperty("a");
    await expect.poll(() => findListed(short)).toEqual(expected);
    const long = openWorkflow();
    await start(long, [{ id: "a", agent: "pass", input: "x".repeat(MAX_LISTED_RESULT_BYTES - 1) }]);
    await expect.poll(() => findListed(long)).toMatchObject({ status: "completed", result: null, resultBytes: MAX_LISTED_RESULT_BYTES + 1 });
  });

  test.each([[MAX_LISTED_RESULT_BYTES, { result: "é".repeat(MAX_LISTED_RESULT_BYTES / 2 - 1) }], [MAX_LISTED_RESULT_BYTES + 2, { result: null, resultBytes: MAX_LISTED_RESULT_BYTES + 2 }]])("counts the bytes of a result of its own expression: %i", async (bytes, expected) => {
    const workflow = openWorkflow();
    await start(workflow, ONE, { spec: { input: "é".repeat(bytes / 2 - 1), result: "workflow.input" } });
    await expect.poll(() => findListed(workflow)).toMatchObject({ status: "completed", ...expected });
  });

  test("hears of a workflow that runs, and of its end before the one who waits for it", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "llm" }]);
    await expect.poll(() => listedStatus(workflow)).toBe("running");
    await workflow.claim([{ task: 0, attempt: 1 }]);
    const waiting = workflow.read({ withTasks: false, waitMs: 5_000 }).then(async (read) => ({ read, listed: await listedStatus(workflow) }));
    await workflow.report([{ task: 0, attempt: 1, outcome: completed("done") }]);
    expect(await waiting).toMatchObject({ read: { status: "completed" }, listed: "completed" });
  });

  describe("whose creator waits for its end", () => {
    const waiting = { isLimited: false, answer: { waitMs: 30_000, withTasks: false } };
    const platformTimeout = globalThis.setTimeout;
    /** However slow the machine: the entry is held back for a tenth of a second only, which is stretched here. */
    const stretchHold = () => vi.spyOn(globalThis, "setTimeout").mockImplementation(((work: () => void, ms = 0) => platformTimeout(work, ms > 50 && ms <= 100 ? 30_000 : ms)) as typeof setTimeout);

    test("is told once where it is short, at its end, and while it runs where it is longer", async () => {
      const told = vi.spyOn(TenantObject.prototype, "indexWorkflow");
      const statuses = (workflow: Workflow) => told.mock.calls.flatMap(([{ summary }]) => (summary.id === idOf(workflow) ? [summary.status] : []));
      const timers = stretchHold();
      const short = openWorkflow();
      await start(short, [{ id: "a", agent: "web" }, { id: "b", agent: "web", dependsOn: ["a"] }], { agents: { web: http(listen(() => answer(1))) }, ...waiting });
      expect(statuses(short)).toEqual(["completed"]);
      timers.mockRestore();
      const long = openWorkflow();
      const created = start(long, [{ id: "a", agent: "llm" }, { id: "b", agent: "one" }], waiting);
      await expect.poll(() => listedStatus(long)).toBe("running");
      await long.claim([{ task: 0, attempt: 1 }]);
      await long.report([{ task: 0, attempt: 1, outcome: completed("done") }]);
      await created;
      expect(statuses(long)).toEqual(["running", "completed"]);
      told.mockRestore();
    });

    test("is told by the time at which the creator stops waiting, and at once where the tenant's limits are not known", async () => {
      const timers = stretchHold();
      const brief = openWorkflow();
      expect(await start(brief, [{ id: "a", agent: "llm" }], { ...waiting, answer: { waitMs: 20, withTasks: false } })).toMatchObject({ status: "running" });
      await expect.poll(() => listedStatus(brief)).toBe("running");
      const unknown = openWorkflow();
      const created = start(unknown, [{ id: "a", agent: "llm" }], { ...waiting, isLimited: undefined });
      await expect.poll(() => listedStatus(unknown)).toBe("running");
      await unknown.command("cancel");
      expect(await created).toMatchObject({ status: "cancelled" });
      timers.mockRestore();
    });

    test("is told at once when somebody pauses it", async () => {
      const timers = stretchHold();
      const workflow = openWorkflow();
      const created = start(workflow, [{ id: "a", agent: "llm" }], waiting);
      await expect.poll(() => sentMessages(workflow)).toHaveLength(1);
      expect(await listedStatus(workflow)).toBeNull();
      await workflow.command("pause");
      await expect.poll(() => listedStatus(workflow)).toBe("paused");
      await workflow.command("cancel");
      expect(await created).toMatchObject({ status: "cancelled" });
      timers.mockRestore();
    });
  });

  test.each([["it began", ONE], ["it was made", [{ id: "a", agent: "web" }]]])("leaves no alarm behind it but that of the retention, if it hears of a workflow for the first time at its end, soon after %s", async (_when, tasks) => {
    const workflow = openWorkflow();
    await start(workflow, tasks, { agents: { one: transform("1"), web: http(listen(() => answer(1))) }, answer: { waitMs: 30_000, withTasks: false } });
    expect(await listedStatus(workflow)).toBe("completed");
    await expect.poll(async () => (await readAlarm(workflow)).armedAt).toBeGreaterThan(Date.now() + DAY_MS);
  });

  test("hears by an alarm of a workflow whose object died before it told", async () => {
    let workflow = openWorkflow();
    void start(workflow, [{ id: "a", agent: "llm" }], { isLimited: false, answer: { waitMs: 30_000, withTasks: false } }).catch(() => undefined);
    await expect.poll(() => sentMessages(workflow)).toHaveLength(1);
    workflow = await kill(workflow);
    expect((await readAlarm(workflow)).armedAt).toBeLessThanOrEqual(Date.now() + 10_000);
    await runDurableObjectAlarm(workflow);
    expect(await listedStatus(workflow)).toBe("running");
  });

  test("shows how far a running workflow has come, told every five seconds, and the more rarely the longer it runs", async () => {
    const told = vi.spyOn(TenantObject.prototype, "indexWorkflow");
    const workflow = openWorkflow();
    const listed = async () => (await findListed(workflow))?.progress.completed ?? null;
    const tellings = () => told.mock.calls.filter(([{ summary }]) => summary.id === idOf(workflow)).length;
    await start(workflow, Array.from({ length: 9 }, (_, index) => ({ id: `t${index}`, agent: "llm" })), { spec: { maxConcurrency: 9 } });
    await expect.poll(listed).toBe(0);
    await workflow.claim(Array.from({ length: 9 }, (_, task) => ({ task, attempt: 1 })));
    let completedTasks = 0;
    const finishOne = async () => {
      await workflow.report([{ task: completedTasks, attempt: 1, outcome: completed("done") }]);
      completedTasks += 1;
    };
    const before = tellings();
    await finishOne();
    pass(5_000);
    await finishOne();
    await expect.poll(listed).toBe(2);
    expect(tellings()).toBe(before + 1);
    // After a hundred seconds in all it is told every ten: five more are too soon.
    pass(95_000);
    await finishOne();
    await expect.poll(listed).toBe(3);
    const { length } = told.mock.calls;
    pass(5_000);
    await finishOne();
    expect(told.mock.calls).toHaveLength(length);
    pass(6_000);
    await finishOne();
    await expect.poll(listed).toBe(5);
    told.mockRestore();
  });

  test("is told later when it could not be told at once, also after the memory that failed is gone", async () => {
    let workflow = openWorkflow();
    const tenant = env.TENANT.getByName(TENANT);
    const breakIndex = (name: string, other: string) => runInDurableObject(tenant, (_object, state) => void state.storage.sql.exec(`ALTER TABLE ${name} RENAME TO ${other}`));
    const errors = vi.spyOn(console, "error");
    const hasFailed = (times: number) => expect.poll(() => errors.mock.calls.filter(([line]) => String(line).includes("index.failed")).length).toBe(times);
    await breakIndex("workflows", "workflows_away");
    await start(workflow, [{ id: "a", agent: "llm" }]);
    await hasFailed(1);
    await breakIndex("workflows_away", "workflows");
    expect(await listedStatus(workflow)).toBeNull();
    await runDurableObjectAlarm(workflow);
    expect(await listedStatus(workflow)).toBe("running");
    await breakIndex("workflows", "workflows_away");
    await workflow.command("pause");
    await hasFailed(2);
    await breakIndex("workflows_away", "workflows");
    workflow = await kill(workflow);
    expect((await readAlarm(workflow)).armedAt).toBeLessThanOrEqual(Date.now() + 10_000);
    await runDurableObjectAlarm(workflow);
    expect(await listedStatus(workflow)).toBe("paused");
  });
});

test("a workflow that the index has not heard of is told to it soon by whatever wakes its object, however long it has nothing to do", async () => {
  const tenant = env.TENANT.getByName(TENANT);
  const rename = (name: string, other: string) => runInDurableObject(tenant, (_object, state) => void state.storage.sql.exec(`ALTER TABLE ${name} RENAME TO ${other}`));
  await rename("workflows", "workflows_away");
  let workflow = openWorkflow();
  await start(workflow, ONE, { spec: { startAt: new Date(Date.now() + DAY_MS).toISOString() } });
  workflow = await kill(workflow);
  await rename("workflows_away", "workflows");
  await view(workflow);
  expect((await readAlarm(workflow)).armedAt).toBeLessThanOrEqual(Date.now() + 10_000);
  await runDurableObjectAlarm(workflow);
  expect(await listedStatus(workflow)).toBe("scheduled");
  expect((await readAlarm(workflow)).armedAt).toBeGreaterThan(Date.now() + DAY_MS / 2);
});
