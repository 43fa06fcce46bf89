import { createExecutionContext, createMessageBatch, createScheduledController, evictDurableObject, getQueueResult, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import type { TaskMessage } from "../../../src/consumer/attempt-port.ts";
import { refOfOrder, runOrders } from "../../../src/consumer/run-orders.ts";
import { MAX_STREAMS } from "../../../src/durable-objects/workflow/streams/live-feed.ts";
import { MAX_SHOWN_OUTPUT_BYTES, MAX_SHOWN_OUTPUTS_BYTES } from "../../../src/durable-objects/workflow/workflow-view.ts";
import { MAX_DEPENDENCY_BYTES } from "../../../src/durable-objects/workflow/work-orders.ts";
import type { AgentDefinition } from "../../../src/workflow/spec/agent.ts";
import type { LoggedEvent } from "../../../src/workflow/events.ts";
import { MAX_VALUE_BYTES } from "../../../src/workflow/json/json-size.ts";
import worker from "../../../src/worker.ts";
import { listedStatus } from "../listed-workflow.ts";
import { answer, call, callsOf, completed, DAY_MS, expectEmpty, failed, http, idOf, kill, listen, llm, never, openWorkflow, pass, query, readAlarm, readLog, sentMessages, SETTINGS, start, story, TENANT, transform, view, type Workflow } from "../open-workflow.ts";

const LLM = [{ id: "a", agent: "llm" }];
const FIRST = { task: 0, attempt: 1 };
const { claimLeaseMs, leaseMs, checkMs, timeoutGraceMs } = SETTINGS.dispatch;

/** A text whose JSON has exactly so many bytes. */
const sized = (bytes: number): string => "x".repeat(bytes - 2);

/** Runs the alarm, and requires that it was armed in time and is armed in time again. */
async function fireAlarm(workflow: Workflow): Promise<void> {
  await expectArmed(workflow);
  await runDurableObjectAlarm(workflow);
  await expectArmed(workflow);
}

async function expectArmed(workflow: Workflow): Promise<void> {
  const { armedAt, neededAt } = await readAlarm(workflow);
  expect(armedAt).toBeLessThanOrEqual(neededAt);
}

/** Requires that the log counts from 1 without gaps, and that every task ended once. */
async function expectWholeLog(workflow: Workflow): Promise<void> {
  const events = await readLog(workflow);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
  const ends = events.filter(({ type }) => type === "task.completed").map(({ taskId }) => taskId);
  expect(new Set(ends).size).toBe(ends.length);
}

async function ledger(workflow: Workflow): Promise<{ attempt: number; late: boolean; costUsd: number }[]> {
  const page = await workflow.readLedger({ limit: 100, cursor: null });
  if ("problem" in page) throw new Error(page.detail);
  return page.items.map(({ attempt, late, costUsd }) => ({ attempt, late, costUsd }));
}

describe("a claim", () => {
  test("grants the live attempt once, with all it needs", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "one" }, { id: "b", agent: "llm", dependsOn: ["a"], input: { prompt: "${tasks.a.output}" }, type: "file_scan", timeoutMs: 60_000, stream: true }]);
    expect(sentMessages(workflow)).toEqual([{ tenant: TENANT, workflowId: idOf(workflow), task: 1, attempt: 1, rank: 2 }]);
    const ref = { task: 1, attempt: 1 };
    const answers = await Promise.all([workflow.claim([ref]), workflow.claim([ref])]);
    expect(answers.map((orders) => orders.length)).toEqual([1, 0]);
    const [order] = answers[0]!;
    expect(order).toMatchObject({ ...ref, tenant: TENANT, workflowId: idOf(workflow), taskId: "b", agentName: "llm", agent: llm, input: { prompt: 1 }, dependencies: { a: 1 }, idempotencyKey: `${idOf(workflow)}.b`, callback: null, requestId: "request-1" });
    expect(order!.llm).toMatchObject({ taskType: "file_scan", stream: true, context: { mode: "reduce" } });
    expect(order!.deadlineAt).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(await workflow.claim([ref])).toEqual([]);
    expect(await story(workflow, "b")).toEqual(["queued 1", "started 1"]);
  });

  test.each([["of an attempt before", { task: 0, attempt: 1 }], ["of one that was not made yet", { task: 0, attempt: 3 }], ["of a task that waits for others", { task: 1, attempt: 1 }], ["of no task", { task: 9, attempt: 1 }]])("%s gets nothing", async (_name, ref) => {
    const workflow = openWorkflow();
    await start(workflow, [...LLM, { id: "b", agent: "llm", dependsOn: ["a"] }]);
    pass(claimLeaseMs);
    await runDurableObjectAlarm(workflow);
    expect(await workflow.claim([ref])).toEqual([]);
    expect(await workflow.claim([{ task: 0, attempt: 2 }])).toHaveLength(1);
  });

  test("of an input that cannot be made fails that task and grants the others", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "llm", input: "${workflow.input.missing}" }, { id: "b", agent: "llm" }], { spec: { onFailure: "continue" } });
    expect((await workflow.claim([FIRST, { task: 1, attempt: 1 }])).map(({ taskId }) => taskId)).toEqual(["b"]);
    expect((await view(workflow)).tasks["a"]).toMatchObject({ status: "failed", error: { code: "expression_failed", message: expect.stringContaining("missing") } });
  });

  test("sees outputs of dependencies up to their limit together; beyond it the task fails and says so", async () => {
    const parts = MAX_DEPENDENCY_BYTES / MAX_VALUE_BYTES;
    const tasks = Array.from({ length: parts }, (_, index) => ({ id: `t${index}`, agent: "pass", input: sized(MAX_VALUE_BYTES) }));
    const ids = tasks.map(({ id }) => id);
    const workflow = openWorkflow();
    const ends = [{ id: "fits", agent: "llm", dependsOn: ids }, { id: "small", agent: "one" }, { id: "over", agent: "llm", dependsOn: [...ids, "small"] }];
    await start(workflow, [...tasks, ...ends], { spec: { onFailure: "continue" } });
    const orders = await workflow.claim([{ task: parts, attempt: 1 }, { task: parts + 2, attempt: 1 }]);
    expect(orders.map(({ taskId }) => taskId)).toEqual(["fits"]);
    expect(Object.keys(orders[0]!.dependencies)).toEqual(ids);
    expect((await view(workflow)).tasks["over"]!.error).toMatchObject({ code: "expression_failed", message: expect.stringContaining(`${MAX_DEPENDENCY_BYTES + 1} bytes`) });
  });
});

describe("a report", () => {
  test("ends the attempt, starts what waited for it and is priced", async () => {
    const workflow = openWorkflow();
    await start(workflow, [...LLM, { id: "b", agent: "pass", dependsOn: ["a"], input: "${tasks.a.output}!" }]);
    await workflow.claim([FIRST]);
    const route = { tier: "weak", model: "m", provider: "p", complexity: 2, reason: "first of its tier", fallbacks: [] };
    await workflow.report([{ ...FIRST, outcome: { status: "completed", output: "hello", calls: [call(), call({ call: 1, estimated: true })], route, context: { originalTokens: 9, reducedTokens: 4 }, events: [{ type: "model.selected", data: { tier: "weak", model: "m", provider: "p", complexity: 2, reason: "first of its tier" } }] } }]);
    const { status, tasks, usage } = await view(workflow);
    expect(status).toBe("completed");
    expect(tasks["b"]!.output).toBe("hello!");
    expect(tasks["a"]).toMatchObject({ route, context: { originalTokens: 9, reducedTokens: 4 }, usage: { inputTokens: 20, outputTokens: 10, costUsd: 0.000_002 } });
    expect(usage).toEqual({ inputTokens: 20, outputTokens: 10, costUsd: 0.000_002, baselineUsd: 0.000_008, savedPercent: 75 });
    const selected = (await readLog(workflow)).find(({ type }) => type === "model.selected");
    expect(selected).toMatchObject({ taskId: "a", data: { attempt: 1, tier: "weak", model: "m", provider: "p", complexity: 2, reason: "first of its tier" } });
  });

  test("of a deleted workflow's attempt is nothing to the one that has its id now; nor are its renewals and reserves", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    const [order] = await workflow.claim([FIRST]);
    await workflow.command("cancel");
    pass(1);
    expect(await workflow.remove()).toEqual({ removed: true });
    await start(workflow, LLM);
    await workflow.claim([FIRST]);
    const [former] = await runOrders([order!], async () => completed("of the one before", [call()]), async () => undefined);
    await workflow.report([former!]);
    expect(await workflow.renew([refOfOrder(order!)])).toEqual([]);
    const worst = { call: 0, provider: "p", model: "m", tier: null, taskType: null, inputTokens: 1, outputTokens: 1, costNanoUsd: 1, baselineNanoUsd: 1, calls: [] };
    expect(await workflow.reserve({ ...refOfOrder(order!), ...worst })).toEqual({ kind: "gone" });
    expect((await view(workflow)).tasks["a"]).toMatchObject({ status: "running", output: null });
    expect(await ledger(workflow)).toEqual([]);
  });

  test("that is late is priced but changes no state", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    await workflow.claim([FIRST]);
    pass(leaseMs);
    await fireAlarm(workflow);
    await workflow.claim([{ task: 0, attempt: 2 }]);
    const before = await readLog(workflow);
    await workflow.report([{ ...FIRST, outcome: completed("late", [call()]) }]);
    const added = (await readLog(workflow)).slice(before.length);
    expect(added).toMatchObject([{ type: "budget.settled", taskId: "a", data: { attempt: 1, usd: 0.000_001, tokens: 15 } }]);
    expect(await view(workflow)).toMatchObject({ status: "running", usage: { costUsd: 0.000_001 }, tasks: { a: { status: "running", attempt: 2, output: null } } });
    await workflow.report([{ task: 0, attempt: 2, outcome: completed("in time", [call()]) }]);
    await workflow.report([{ task: 0, attempt: 2, outcome: completed("again", [call()]) }]);
    expect((await view(workflow)).tasks["a"]).toMatchObject({ output: "in time", usage: { costUsd: 0.000_002 } });
    expect(await ledger(workflow)).toEqual([{ attempt: 2, late: false, costUsd: 0.000_001 }, { attempt: 1, late: true, costUsd: 0.000_001 }]);
  });

  test("of a final or cancelled workflow is priced too, also after an eviction", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    await workflow.claim([FIRST]);
    await workflow.command("cancel");
    await evictDurableObject(workflow);
    await workflow.report([{ ...FIRST, outcome: failed({}, [call()]) }]);
    expect(await view(workflow)).toMatchObject({ status: "cancelled", usage: { costUsd: 0.000_001 } });
    expect(await ledger(workflow)).toEqual([{ attempt: 1, late: true, costUsd: 0.000_001 }]);
  });

  test("that comes twice is priced and counted once, in one call or in two", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM, { spec: { onFailure: "continue" } });
    await workflow.claim([FIRST]);
    const report = { ...FIRST, outcome: failed({}, [call(), call({ call: 1 })]) };
    await workflow.report([report, report]);
    await workflow.report([report]);
    expect(await ledger(workflow)).toHaveLength(2);
    expect((await view(workflow)).usage.costUsd).toBe(0.000_002);
    expect(await story(workflow, "a")).toEqual(["queued 1", "started 1", "settled 1", "settled 1", "retrying 1"]);
  });

  test("for many attempts at once is one transaction and one row of the log", async () => {
    const workflow = openWorkflow();
    const tasks = Array.from({ length: 50 }, (_, index) => ({ id: `t${index}`, agent: "llm" }));
    await start(workflow, [...tasks, { id: "end", agent: "one", dependsOn: tasks.map(({ id }) => id) }], { spec: { maxConcurrency: 100 } });
    const refs = tasks.map((_task, task) => ({ task, attempt: 1 }));
    expect(await workflow.claim(refs)).toHaveLength(50);
    const [before] = await query(workflow, "SELECT count(*) AS count FROM events");
    await workflow.report(refs.map((ref) => ({ ...ref, outcome: completed(ref.task, [call()]) })));
    expect(await query(workflow, "SELECT count(*) AS count FROM events")).toEqual([{ count: Number(before!["count"]) + 1 }]);
    expect(await view(workflow)).toMatchObject({ status: "completed", usage: { costUsd: 0.000_05 } });
    await expectWholeLog(workflow);
  });

  test("of an output of 1 MiB is kept; a byte more fails the task and says so", async () => {
    const workflow = openWorkflow();
    await start(workflow, [...LLM, { id: "b", agent: "llm" }], { spec: { onFailure: "continue" } });
    await workflow.claim([FIRST, { task: 1, attempt: 1 }]);
    await workflow.report([{ ...FIRST, outcome: completed(sized(MAX_VALUE_BYTES)) }, { task: 1, attempt: 1, outcome: completed(sized(MAX_VALUE_BYTES + 1)) }]);
    expect((await view(workflow)).tasks).toMatchObject({
      a: { status: "completed", outputBytes: MAX_VALUE_BYTES },
      b: { status: "failed", error: { code: "agent_bad_response", retryable: false, message: expect.stringContaining(`${MAX_VALUE_BYTES + 1} bytes`) } },
    });
    expect(await workflow.readTask("a")).toMatchObject({ output: sized(MAX_VALUE_BYTES) });
  });

  test("that asks for patience is retried no sooner, and the task fails after its last attempt", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ ...LLM[0]!, retry: { maxAttempts: 2, initialMs: 100, jitter: false } }]);
    await workflow.claim([FIRST]);
    await workflow.report([{ ...FIRST, outcome: { ...failed(), retryAfterMs: 30_000 } as ReturnType<typeof failed> }]);
    pass(15_000);
    await fireAlarm(workflow);
    expect((await view(workflow)).tasks["a"]).toMatchObject({ status: "pending", attempt: 1, error: { code: "agent_unavailable" } });
    pass(15_000);
    await fireAlarm(workflow);
    expect(await workflow.claim([{ task: 0, attempt: 2 }])).toHaveLength(1);
    await workflow.report([{ task: 0, attempt: 2, outcome: failed() }]);
    expect(await view(workflow)).toMatchObject({ status: "failed", error: { code: "agent_unavailable", taskId: "a" } });
    expect(await story(workflow, "a")).toEqual(["queued 1", "started 1", "retrying 1", "queued 2", "started 2", "failed 2"]);
  });
});

describe("answers", () => {
  test("leave out outputs over 16 KiB, and all beyond 4 MiB together; a single task is whole", async () => {
    const workflow = openWorkflow();
    const fitting = MAX_SHOWN_OUTPUTS_BYTES / MAX_SHOWN_OUTPUT_BYTES;
    const tasks = Array.from({ length: fitting + 1 }, (_, index) => ({ id: `t${index}`, agent: "pass", input: sized(MAX_SHOWN_OUTPUT_BYTES) }));
    await start(workflow, [{ id: "big", agent: "pass", input: sized(MAX_SHOWN_OUTPUT_BYTES + 1) }, ...tasks]);
    await workflow.read({ withTasks: false, waitMs: 10_000 });
    const { tasks: shown } = await view(workflow);
    expect(shown["big"]).toMatchObject({ output: null, outputBytes: MAX_SHOWN_OUTPUT_BYTES + 1 });
    expect(Object.values(shown).filter(({ output }) => output !== null)).toHaveLength(fitting);
    expect(shown["t0"]).not.toHaveProperty("outputBytes");
    expect(shown[`t${fitting}`]).toMatchObject({ output: null, outputBytes: MAX_SHOWN_OUTPUT_BYTES });
    expect(await workflow.readTask("big")).toMatchObject({ output: sized(MAX_SHOWN_OUTPUT_BYTES + 1) });
    const page = await workflow.listTasks({ status: "completed", limit: 1, cursor: null });
    expect(page).toMatchObject({ items: [{ id: "big", output: null, outputBytes: MAX_SHOWN_OUTPUT_BYTES + 1 }], nextCursor: "1" });
  });
});

describe("leases", () => {
  test("an attempt that nobody claims is sent again when its lease is over", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    await fireAlarm(workflow);
    expect(sentMessages(workflow)).toHaveLength(1);
    pass(claimLeaseMs);
    await evictDurableObject(workflow);
    await fireAlarm(workflow);
    expect(sentMessages(workflow).map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(await workflow.claim([FIRST])).toEqual([]);
    expect(await workflow.claim([{ task: 0, attempt: 2 }])).toHaveLength(1);
  });

  test("a claimed attempt lives as long as it is renewed, and renewing tells which ones do", async () => {
    const workflow = openWorkflow();
    await start(workflow, [...LLM, { id: "b", agent: "llm" }]);
    const refs = [FIRST, { task: 1, attempt: 1 }];
    await workflow.claim(refs);
    for (let time = 0; time < 3 * leaseMs; time += leaseMs / 2) {
      pass(leaseMs / 2);
      expect(await workflow.renew([FIRST])).toEqual([FIRST]);
      await fireAlarm(workflow);
    }
    expect(await workflow.renew(refs)).toEqual([FIRST]);
    expect((await view(workflow)).tasks["a"]).toMatchObject({ status: "running", attempt: 1 });
    expect((await view(workflow)).tasks["b"]!.attempt).toBeGreaterThan(1);
  });

  test("an attempt that is renewed beyond its timeout fails by it", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ ...LLM[0]!, timeoutMs: 10_000 }]);
    await workflow.claim([FIRST]);
    pass(10_000 + timeoutGraceMs);
    await workflow.renew([FIRST]);
    await fireAlarm(workflow);
    expect((await readLog(workflow)).at(-1)).toMatchObject({ type: "task.retrying", data: { attempt: 1, error: { code: "timeout" } } });
  });

  test("a task whose attempts are always lost fails visibly, and counts no failure before", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ ...LLM[0]!, retry: { maxAttempts: 1 } }]);
    for (let losses = 0; losses <= 30 && (await view(workflow)).status === "running"; losses += 1) {
      pass(300_000);
      await fireAlarm(workflow);
    }
    expect(await view(workflow)).toMatchObject({ status: "failed", error: { code: "attempts_exhausted" }, tasks: { a: { attempt: 11 } } });
    await expectWholeLog(workflow);
  });

  test("a dead letter fails an unclaimed attempt visibly, and a claimed one not at all", async () => {
    const workflow = openWorkflow();
    await start(workflow, [...LLM, { id: "b", agent: "llm", retry: { maxAttempts: 1 } }, { id: "c", agent: "llm" }], { spec: { onFailure: "continue" } });
    await workflow.claim([{ task: 2, attempt: 1 }]);
    await workflow.deadLetter([FIRST, { task: 1, attempt: 1 }, { task: 2, attempt: 1 }, { task: 0, attempt: 7 }]);
    const events = (await readLog(workflow)).slice(-2);
    expect(events).toMatchObject([{ type: "task.retrying", taskId: "a", data: { error: { code: "agent_unavailable" } } }, { type: "task.failed", taskId: "b", data: { error: { code: "agent_unavailable" } } }]);
    expect((await view(workflow)).tasks["c"]!.status).toBe("running");
    await expectArmed(workflow);
  });
});

describe("the alarm", () => {
  test("does not throw on a store that cannot be read, and comes again until it can", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    const [stored] = await query(workflow, "SELECT json FROM documents WHERE name = 'state'");
    await query(workflow, "UPDATE documents SET json = '{' WHERE name = 'state'");
    await evictDurableObject(workflow);
    pass(claimLeaseMs);
    for (let round = 0; round < 8; round += 1) {
      await runDurableObjectAlarm(workflow);
      const armedAt = await runInDurableObject(workflow, (_object, state) => state.storage.getAlarm());
      expect(armedAt).toBeGreaterThan(Date.now() - 1_000);
      pass(5_000);
    }
    await query(workflow, "UPDATE documents SET json = ? WHERE name = 'state'", stored!["json"]!);
    await runDurableObjectAlarm(workflow);
    expect(sentMessages(workflow).map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  test("that was given up is armed again by whoever asks for the workflow", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    await runInDurableObject(workflow, (_object, state) => state.storage.deleteAlarm());
    await evictDurableObject(workflow);
    await view(workflow);
    await expectArmed(workflow);
  });

  test("that comes early, several times at once, or a day late does nothing twice, and is armed again", async () => {
    let workflow = openWorkflow();
    await start(workflow, [...LLM, { id: "b", agent: "llm" }]);
    const attempts = () => sentMessages(workflow).map(({ task, attempt }) => `${task}.${attempt}`);
    const wake = async () => {
      await Promise.all([workflow.wake(), workflow.wake(), workflow.wake()]);
      await expectArmed(workflow);
      return attempts();
    };
    expect(await wake()).toEqual(["0.1", "1.1"]);
    await workflow.claim([FIRST]);
    expect(await wake()).toEqual(["0.1", "1.1"]);
    pass(DAY_MS);
    // Claimed by nobody who is heard of, and never claimed: one is over its time and is retried after a while, the other is sent again at once.
    expect(await wake()).toEqual(["0.1", "1.1", "1.2"]);
    pass(1_000);
    expect(await wake()).toEqual(["0.1", "1.1", "1.2", "0.2"]);
    workflow = await kill(workflow);
    expect(await wake()).toEqual(["0.1", "1.1", "1.2", "0.2"]);
    await expectWholeLog(workflow);
  });

  test("ends a workflow at its deadline, and takes nothing more", async () => {
    const workflow = openWorkflow();
    await start(workflow, [...LLM, { id: "b", agent: "one", dependsOn: ["a"] }], { spec: { deadlineMs: 5_000 } });
    await workflow.claim([FIRST]);
    pass(5_000);
    await fireAlarm(workflow);
    expect(await view(workflow)).toMatchObject({ status: "failed", error: { code: "deadline_exceeded" }, tasks: { a: { status: "cancelled" }, b: { status: "cancelled" } } });
  });

  test("is armed in time after every kind of step", async () => {
    const workflow = openWorkflow();
    await start(workflow, [...LLM, { id: "b", agent: "llm", dependsOn: ["a"], timeoutMs: 1_000 }, { id: "c", agent: "web", dependsOn: ["b"] }], { spec: { deadlineMs: 3_600_000 }, agents: { llm, web: http(listen(() => new Response(null, { status: 202 })), "callback") } });
    const steps = [
      () => workflow.claim([FIRST]),
      () => workflow.renew([FIRST]),
      () => workflow.command("pause"),
      () => workflow.report([{ ...FIRST, outcome: failed() }]),
      () => workflow.command("resume"),
      () => pass(1_000),
      () => runDurableObjectAlarm(workflow),
      () => workflow.claim([{ task: 0, attempt: 2 }]),
      () => evictDurableObject(workflow),
      () => workflow.report([{ task: 0, attempt: 2, outcome: completed(1) }]),
      () => workflow.claim([{ task: 1, attempt: 1 }]),
      () => workflow.report([{ task: 1, attempt: 1, outcome: completed(1) }]),
      () => expect.poll(async () => (await view(workflow)).tasks["c"]!.status).toBe("waiting"),
      () => evictDurableObject(workflow),
    ];
    for (const step of steps) {
      await step();
      await expectArmed(workflow);
    }
  });
});

describe("callbacks", () => {
  test("complete a waiting task once, and a malformed one does not use the token up", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "web" }], { agents: { web: http(listen(() => new Response(null, { status: 202 })), "callback") } });
    await expect.poll(async () => (await view(workflow)).tasks["a"]!.status).toBe("waiting");
    const { url, token } = callsOf("a", workflow)[0]!.body.callback!;
    expect(url).toBe(`https://weft.example/v1/callbacks/${token}`);
    const [tenant, workflowId, secret] = atob(token.replaceAll("-", "+").replaceAll("_", "/")).split(":");
    expect([tenant, workflowId]).toEqual([TENANT, idOf(workflow)]);
    expect(JSON.stringify(await query(workflow, "SELECT * FROM callbacks"))).not.toContain(secret);
    await evictDurableObject(workflow);
    expect([await workflow.awaitsCallback(secret!), await workflow.awaitsCallback("other")]).toEqual([true, false]);
    expect(await workflow.acceptCallback(secret!, { out: 1 })).toMatchObject({ problem: "invalid" });
    expect(await workflow.acceptCallback("other", { output: 1 })).toMatchObject({ problem: "not_found" });
    expect(await workflow.acceptCallback(secret!, { output: "done", usage: { costUsd: 0.5 } })).toEqual({ accepted: true });
    expect(await workflow.awaitsCallback(secret!)).toBe(false);
    expect(await workflow.acceptCallback(secret!, { output: "again", usage: { costUsd: 0.5 } })).toMatchObject({ problem: "not_found" });
    expect(await workflow.acceptCallback(secret!, { out: 1 })).toMatchObject({ problem: "not_found" });
    expect(await view(workflow)).toMatchObject({ status: "completed", usage: { costUsd: 0.5 }, tasks: { a: { output: "done" } } });
  });

  test("are told of failures without what the agent was sent", async () => {
    const workflow = openWorkflow();
    const agent: AgentDefinition = { kind: "http", description: "", capabilities: [], url: listen(() => new Response(null, { status: 202 })), headers: { authorization: "Bearer a-key-of-mine" }, mode: "callback", secretName: null };
    await start(workflow, [{ id: "a", agent: "web" }], { agents: { web: agent } });
    await expect.poll(async () => (await view(workflow)).tasks["a"]!.status).toBe("waiting");
    const { token } = callsOf("a", workflow)[0]!.body.callback!;
    const secret = atob(token.replaceAll("-", "+").replaceAll("_", "/")).split(":")[2]!;
    await workflow.acceptCallback(secret, { error: { message: `you sent a-key-of-mine and ${token}` } });
    expect((await view(workflow)).tasks["a"]!.error).toMatchObject({ code: "agent_rejected", message: "you sent ••• and •••" });
  });

  test("may come before the agent's 202", async () => {
    const workflow = openWorkflow();
    const url = listen(async ({ body }) => {
      const secret = atob(body.callback!.token.replaceAll("-", "+").replaceAll("_", "/")).split(":")[2]!;
      await openWorkflow(workflow.name!).acceptCallback(secret, { output: "early" });
      return new Response(null, { status: 202 });
    });
    await start(workflow, [{ id: "a", agent: "web" }], { agents: { web: http(url, "callback") } });
    expect(await view(workflow, 30_000)).toMatchObject({ status: "completed", tasks: { a: { output: "early" } } });
    expect(await story(workflow, "a")).toEqual(["queued 1", "started 1", "completed 1"]);
  });
});

describe("after the object's memory is gone", () => {
  test("calls that it made itself are repeated at once, with the next attempt", async () => {
    let isHanging = true;
    const url = listen(({ body }) => (isHanging ? never() : answer(body.attempt)));
    let workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "web" }], { agents: { web: http(url) } });
    await expect.poll(() => callsOf("a", workflow).length).toBe(1);
    isHanging = false;
    workflow = await kill(workflow);
    expect(await view(workflow, 30_000)).toMatchObject({ status: "completed", tasks: { a: { attempt: 2, output: 2 } } });
    expect(callsOf("a", workflow).map(({ headers }) => headers.get("idempotency-key"))).toEqual([`${idOf(workflow)}.a`, `${idOf(workflow)}.a`]);
    await expectWholeLog(workflow);
  });

  test("calls of its executors are repeated at once, and each task ends once", async () => {
    let isHanging = true;
    const url = listen(({ body }) => (isHanging && body.taskId !== "t0" ? never() : answer(body.attempt)));
    let workflow = openWorkflow();
    const tasks = Array.from({ length: 12 }, (_, index) => ({ id: `t${index}`, agent: "web" }));
    await start(workflow, tasks, { agents: { web: http(url) }, spec: { maxConcurrency: 20 } });
    await expect.poll(async () => (await view(workflow)).tasks["t0"]!.status).toBe("completed");
    isHanging = false;
    workflow = await kill(workflow);
    const { status, tasks: shown } = await view(workflow, 30_000);
    expect(status).toBe("completed");
    expect(tasks.map(({ id }) => shown[id]!.output)).toEqual(tasks.map((_task, index) => (index === 0 ? 1 : 2)));
    await expectWholeLog(workflow);
  });

  test("the alarm alone brings it back: nobody has to ask", async () => {
    let isHanging = true;
    const url = listen(() => (isHanging ? never() : answer("back")));
    let workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "web" }], { agents: { web: http(url) } });
    await expect.poll(() => callsOf("a", workflow).length).toBe(1);
    expect((await readAlarm(workflow)).armedAt).toBeLessThanOrEqual(Date.now() + checkMs);
    isHanging = false;
    workflow = await kill(workflow);
    pass(checkMs);
    await runDurableObjectAlarm(workflow);
    await expect.poll(() => callsOf("a", workflow).length).toBe(2);
    expect(await view(workflow, 30_000)).toMatchObject({ status: "completed" });
  });

  test("claimed attempts of the queue get a lease in which their runner can renew them", async () => {
    let workflow = openWorkflow();
    await start(workflow, LLM);
    await workflow.claim([FIRST]);
    pass(leaseMs - 10);
    expect(await workflow.renew([FIRST])).toEqual([FIRST]);
    pass(leaseMs - 10);
    workflow = await kill(workflow);
    await fireAlarm(workflow);
    expect(await workflow.renew([FIRST])).toEqual([FIRST]);
    await workflow.report([{ ...FIRST, outcome: completed("kept") }]);
    expect(await view(workflow)).toMatchObject({ status: "completed", tasks: { a: { attempt: 1, output: "kept" } } });
  });

  test("claimed attempts that nobody renews are sent again", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    await workflow.claim([FIRST]);
    await evictDurableObject(workflow);
    await view(workflow);
    pass(leaseMs);
    await fireAlarm(workflow);
    expect(sentMessages(workflow).map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  test("the log goes on without a gap, whenever it is lost", async () => {
    let workflow = openWorkflow();
    const tasks = Array.from({ length: 8 }, (_, index) => ({ id: `t${index}`, agent: "llm", dependsOn: index === 0 ? [] : [`t${index - 1}`] }));
    await start(workflow, tasks);
    for (const task of tasks.keys()) {
      workflow = task % 2 === 0 ? await kill(workflow) : workflow;
      expect(await workflow.claim([{ task, attempt: 1 }])).toHaveLength(1);
      await evictDurableObject(workflow);
      await workflow.report([{ task, attempt: 1, outcome: completed(task) }]);
    }
    expect(await view(workflow)).toMatchObject({ status: "completed", result: { t7: 7 } });
    await expectWholeLog(workflow);
  });
});

describe("a step that cannot be saved", () => {
  const breakLog = (workflow: Workflow) => query(workflow, "ALTER TABLE events RENAME TO events_away");
  const mendLog = (workflow: Workflow) => query(workflow, "ALTER TABLE events_away RENAME TO events");

  test("is refused to the reporter, leaves nothing, and the same report is taken later", async () => {
    const workflow = openWorkflow();
    await start(workflow, [...LLM, { id: "b", agent: "one", dependsOn: ["a"] }]);
    await workflow.claim([FIRST]);
    const before = await readLog(workflow);
    await breakLog(workflow);
    const report = { ...FIRST, outcome: completed(1, [call()]) };
    // Not `rejects`: it looks at properties of the call's promise, which sends calls of its own.
    const error = await workflow.report([report]).then(() => null, (reason: unknown) => String(reason));
    expect(error).toContain("events");
    await mendLog(workflow);
    expect(await readLog(workflow)).toEqual(before);
    expect(await view(workflow)).toMatchObject({ status: "running", usage: { costUsd: 0 }, tasks: { a: { status: "running", attempt: 1 }, b: { status: "pending" } } });
    await workflow.report([report]);
    expect(await view(workflow)).toMatchObject({ status: "completed", usage: { costUsd: 0.000_001 } });
    await expectWholeLog(workflow);
  });

  test("of the object's own call comes again by the alarm", async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const url = listen(() => gate.then(() => answer("made")));
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "llm" }, { id: "b", agent: "web", dependsOn: ["a"] }], { agents: { llm, web: http(url) } });
    await workflow.claim([FIRST]);
    await workflow.report([{ ...FIRST, outcome: completed(1) }]);
    await breakLog(workflow);
    open();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await mendLog(workflow);
    pass(checkMs);
    await runDurableObjectAlarm(workflow);
    expect(await view(workflow, 30_000)).toMatchObject({ status: "completed", tasks: { b: { attempt: 2, output: "made" } } });
    await expectWholeLog(workflow);
  });
});

describe("streams", () => {
  const readFrames = async (response: Response): Promise<{ id: number; event: string; data: LoggedEvent }[]> => {
    const frames = (await response.text()).split("\n\n").filter((frame) => frame !== "" && !frame.startsWith(":"));
    return frames.map((frame) => {
      const [id, event, data] = frame.split("\n").map((line) => line.slice(line.indexOf(": ") + 2));
      return { id: Number(id), event: event!, data: JSON.parse(data!) as LoggedEvent };
    });
  };
  const openSocket = async (workflow: Workflow, after: number, headers: Record<string, string> = {}): Promise<{ frames: LoggedEvent[]; closed: Promise<number> }> => {
    const { webSocket } = await workflow.fetch(new Request(`https://workflow/socket?after=${after}`, { headers: { upgrade: "websocket", ...headers } }));
    const frames: LoggedEvent[] = [];
    const closed = new Promise<number>((resolve) => webSocket!.addEventListener("close", ({ code }) => resolve(code)));
    webSocket!.addEventListener("message", ({ data }) => void frames.push(JSON.parse(String(data)) as LoggedEvent));
    webSocket!.accept();
    return { frames, closed };
  };

  test("an event stream sends the log from where it was left off, and ends after the final event", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    const streams = await Promise.all([0, 2].map((after) => workflow.fetch(new Request(`https://workflow/events?after=${after}`))));
    expect(streams[0]!.headers.get("content-type")).toContain("text/event-stream");
    await workflow.claim([FIRST]);
    await workflow.report([{ ...FIRST, outcome: completed(1) }]);
    const log = await readLog(workflow);
    const [all, rest] = await Promise.all(streams.map(readFrames));
    expect(all).toEqual(log.map((event) => ({ id: event.seq, event: event.type, data: event })));
    expect(rest).toEqual(all!.slice(2));
    expect(await readFrames(await workflow.fetch(new Request("https://workflow/events?after=0")))).toEqual(all);
  });

  test("streams of a key that is in force no longer show nothing new, and end", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    const headers = { "x-key-id": "key_revoked" };
    const { frames, closed } = await openSocket(workflow, 0, headers);
    const before = (await readLog(workflow)).length;
    await workflow.claim([FIRST]);
    await workflow.report([{ ...FIRST, outcome: completed(1) }]);
    expect(await closed).toBe(1_008);
    expect(frames).toHaveLength(before);
    expect(await readFrames(await workflow.fetch(new Request("https://workflow/events?after=0", { headers })))).toEqual([]);
  });

  test("deltas of live attempts are shown live and never kept", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    await workflow.claim([FIRST]);
    const { frames, closed } = await openSocket(workflow, 0);
    await workflow.publishDeltas([{ ...FIRST, text: "hel" }, { task: 0, attempt: 9, text: "not mine" }]);
    await workflow.report([{ ...FIRST, outcome: completed("hello") }]);
    expect(await closed).toBe(1_000);
    const deltas = frames.filter(({ type }) => (type as string) === "task.delta");
    expect(deltas).toEqual([{ type: "task.delta", taskId: "a", at: expect.any(String), data: { text: "hel", attempt: 1 } }]);
    expect(JSON.stringify(await readLog(workflow))).not.toContain("delta");
  });

  test("a socket outlives the object's memory: it sleeps, gets each event once, and is closed with 1000 after the last", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    const { frames, closed } = await openSocket(workflow, 0);
    await expect.poll(() => frames.length).toBe(4);
    await evictDurableObject(workflow, { webSockets: "hibernate" });
    await workflow.claim([FIRST]);
    await expect.poll(() => frames.length).toBe(5);
    await evictDurableObject(workflow, { webSockets: "hibernate" });
    await workflow.report([{ ...FIRST, outcome: completed(1) }]);
    expect(await closed).toBe(1_000);
    expect(frames).toEqual(await readLog(workflow));
  });

  test("a socket on a final workflow gets what it asked for and is closed with 1000", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "one" }]);
    const log = await readLog(workflow);
    for (const after of [0, 3, log.length]) {
      const { frames, closed } = await openSocket(workflow, after);
      expect(await closed).toBe(1_000);
      expect(frames).toEqual(log.slice(after));
    }
  });

  test("are refused beyond their number, of both kinds together, and counted no more once they are closed", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    const open = () => workflow.fetch(new Request("https://workflow/events?after=0"));
    const socket = await workflow.fetch(new Request("https://workflow/socket", { headers: { upgrade: "websocket" } }));
    socket.webSocket!.accept();
    const streams = await Promise.all(Array.from({ length: MAX_STREAMS - 1 }, open));
    expect(streams.map(({ status }) => status)).toEqual(streams.map(() => 200));
    const refused = await open();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "5"]);
    await streams[0]!.body!.cancel();
    await expect.poll(async () => {
      const again = await open();
      return again.status;
    }).toBe(200);
    await Promise.all(streams.slice(1).map((stream) => stream.body!.cancel()));
  });
});

describe("the queue's consumer", () => {
  const consume = async (queue: string, bodies: readonly unknown[]) => {
    const batch = createMessageBatch(queue, bodies.map((body, index) => ({ id: String(index), timestamp: new Date(), attempts: 1, body })));
    const context = createExecutionContext();
    await worker.queue(batch as MessageBatch, env);
    return getQueueResult(batch, context);
  };
  const messageOf = (workflow: Workflow, ref: { task: number; attempt: number }, rank = 2): TaskMessage => ({ tenant: TENANT, workflowId: idOf(workflow), ...ref, rank });

  test("claims attempts, has them run, and their outcomes end the workflow", async () => {
    const url = listen(({ body }) => answer(body.taskId));
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "llm", input: { prompt: "Say what matters: tests state guarantees." } }], { agents: { llm, web: http(url) } });
    const result = await consume("weft-tasks-normal", sentMessages(workflow));
    expect(result).toMatchObject({ explicitAcks: ["0"], retryMessages: [] });
    const { status, tasks } = await view(workflow, 30_000);
    expect(status).toBe("completed");
    expect(tasks["a"]).toMatchObject({ attempt: 1, output: expect.any(String), route: { provider: "offline" } });
    expect((await ledger(workflow)).map(({ late }) => late)).toEqual([false]);
  });

  test("drops what is no task message, and does the rest", async () => {
    const workflow = openWorkflow();
    await start(workflow, LLM);
    const message = sentMessages(workflow)[0]!;
    const result = await consume("weft-tasks-normal", [null, "x", {}, { ...message, task: -1 }, { ...message, extra: 1 }, { ...message, rank: 4 }, message]);
    expect(result.explicitAcks).toHaveLength(7);
    expect(result.retryMessages).toEqual([]);
    expect(await view(workflow, 30_000)).toMatchObject({ status: "completed" });
  });

  test("asks for the messages of an object that fails again, and acknowledges the others", async () => {
    const [broken, well] = [openWorkflow(), openWorkflow()];
    await start(broken, LLM);
    await start(well, LLM);
    await query(broken, "UPDATE documents SET json = '{' WHERE name = 'state'");
    await evictDurableObject(broken);
    const result = await consume("weft-tasks-normal", [messageOf(broken, FIRST), messageOf(well, FIRST)]);
    expect(result.explicitAcks).toEqual(["1"]);
    expect(result.retryMessages).toMatchObject([{ msgId: "0" }]);
    expect(await view(well, 30_000)).toMatchObject({ status: "completed" });
  });

  test("acknowledges messages of workflows and attempts that are over", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ id: "a", agent: "one" }]);
    const result = await consume("weft-tasks-high", [messageOf(openWorkflow(), FIRST), messageOf(workflow, FIRST), messageOf(workflow, { task: 3, attempt: 2 })]);
    expect(result.explicitAcks).toHaveLength(3);
  });

  test("of dead letters fails the attempts that nobody took", async () => {
    const workflow = openWorkflow();
    await start(workflow, [{ ...LLM[0]!, retry: { maxAttempts: 1 } }]);
    const result = await consume("weft-tasks-dead", sentMessages(workflow));
    expect(result.explicitAcks).toEqual(["0"]);
    expect(await view(workflow)).toMatchObject({ status: "failed", error: { code: "agent_unavailable", taskId: "a" } });
  });

  test("gets urgent and high tasks by one queue, normal and low by the other, each with its rank", async () => {
    const send = vi.spyOn(Object.getPrototypeOf(env.TASKS_NORMAL) as Queue, "sendBatch");
    const workflow = openWorkflow();
    const tasks = (["low", "normal", "high", "urgent"] as const).map((priority) => ({ id: priority, agent: "llm", priority }));
    await start(workflow, tasks);
    const sent = send.mock.calls.map(([batch], index) => ({ queue: send.mock.contexts[index] as unknown, bodies: [...batch].map(({ body }) => body as TaskMessage) })).filter(({ bodies }) => bodies[0]!.workflowId === idOf(workflow));
    expect(sent.map(({ bodies }) => bodies.map(({ task, rank }) => [tasks[task]!.id, rank]))).toEqual([[["urgent", 0], ["high", 1]], [["normal", 2], ["low", 3]]]);
    expect(sent[0]!.queue).not.toBe(sent[1]!.queue);
  });

  test("a wave wider than one send is sent in parts of a hundred", async () => {
    const workflow = openWorkflow();
    const tasks = Array.from({ length: 250 }, (_, index) => ({ id: `t${index}`, agent: "llm" }));
    await start(workflow, tasks, { spec: { maxConcurrency: 1_000 } });
    await expect.poll(() => sentMessages(workflow).length).toBe(250);
    expect(new Set(sentMessages(workflow).map(({ task }) => task)).size).toBe(250);
  });
});

test("the sweep wakes workflows that were silent for long", async () => {
  const workflow = openWorkflow();
  await start(workflow, LLM);
  await expect.poll(() => query(env.TENANT.getByName(TENANT) as unknown as Workflow, "SELECT id FROM workflows WHERE id = ?", idOf(workflow))).toHaveLength(1);
  await runInDurableObject(workflow, (_object, state) => state.storage.deleteAlarm());
  pass(700_000);
  await worker.scheduled(createScheduledController(), env);
  expect(sentMessages(workflow).map(({ attempt }) => attempt)).toEqual([1, 2]);
  expect((await readAlarm(workflow)).armedAt).toBeLessThan(Infinity);
});

test("the sweep wakes an ended workflow that is still there an hour after its retention, since its alarm does not know of a shorter one or was given up", async () => {
  const workflow = openWorkflow();
  await start(workflow, [{ id: "a", agent: "one" }]);
  await expect.poll(() => listedStatus(workflow)).toBe("completed");
  await runInDurableObject(workflow, (_object, state) => state.storage.deleteAlarm());
  pass(SETTINGS.retention.days * DAY_MS);
  await worker.scheduled(createScheduledController(), env);
  expect(await workflow.exists()).toBe(true);
  pass(3_600_000);
  await worker.scheduled(createScheduledController(), env);
  await expectEmpty(workflow);
  expect(await listedStatus(workflow)).toBeNull();
});

test("a transform whose value grows over 1 MiB fails its task, and the object goes on", async () => {
  const workflow = openWorkflow();
  const doubled = { half: transform(`[input, input]`) };
  const view1 = await start(workflow, [{ id: "a", agent: "half", input: sized(MAX_VALUE_BYTES / 2) }, { id: "b", agent: "half", input: sized(MAX_VALUE_BYTES / 2 - 2) }], { agents: doubled, spec: { onFailure: "continue" } });
  expect(view1).toMatchObject({ status: "failed", tasks: { a: { status: "failed" }, b: { status: "completed" } } });
});
