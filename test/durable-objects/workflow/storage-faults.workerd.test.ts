import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { TenantPort } from "../../../src/api/ports/tenant-port.ts";
import type { CreateRequest } from "../../../src/api/ports/workflow-port.ts";
import { refOfOrder } from "../../../src/consumer/run-orders.ts";
import type { AttemptCall, WorkOrder } from "../../../src/consumer/work-order.ts";
import { WebhookStore } from "../../../src/durable-objects/workflow/stores/webhook-store.ts";
import { WorkflowStore } from "../../../src/durable-objects/workflow/stores/workflow-store.ts";
import { MAX_LOSSES } from "../../../src/workflow/attempts.ts";
import { isFinalWorkflow, type RunState } from "../../../src/workflow/run.ts";
import { answer, call, completed, DAY_MS, expectEmpty, failed, http, kill, listen, llm, never, openWorkflow, pass, readLog, requestOf, sentMessages, transform, view, type Workflow } from "../open-workflow.ts";

/** Alarms after which a workflow must have come to its end, each at its time. */
const MAX_ALARMS = 80;
const WANTED = ["workflow.created", "workflow.completed"];
const TENANT = "faults";

/** What goes wrong at a call of the storage: it throws, or the object dies with all that was not committed. */
type Fault = "throws" | "dies";

/** Whose storage fails. */
type Whose = "the workflow's" | "its tenant's";

/** The object whose calls of the storage are counted, and what it meets at which of them. */
const watched: { whose: Whose; state: DurableObjectState | null; calls: number; faults: ReadonlyMap<number, Fault>; met: string[] } = { whose: "the workflow's", state: null, calls: 0, faults: new Map(), met: [] };
const openTenant = () => env.TENANT.getByName(TENANT) as unknown as DurableObjectStub & TenantPort;

function meet(what: string, isWatched: boolean): void {
  if (!isWatched) return;
  watched.calls += 1;
  const fault = watched.faults.get(watched.calls);
  if (fault === undefined) return;
  watched.met.push(`${watched.calls} ${fault} ${what.trim().slice(0, 80)}`);
  if (fault === "dies") watched.state!.abort("the object died at a statement");
  throw new Error(`a fault at ${what}`);
}

beforeAll(async () => {
  await runInDurableObject(openWorkflow(), (_object, { storage }) => {
    const sql = Object.getPrototypeOf(storage.sql) as SqlStorage;
    const { exec } = sql;
    vi.spyOn(sql, "exec").mockImplementation(function (this: SqlStorage, statement: string, ...parameters: unknown[]) {
      meet(statement, this === watched.state?.storage.sql);
      return exec.call(this, statement, ...parameters) as never;
    });
    const kept = Object.getPrototypeOf(storage) as DurableObjectStorage;
    for (const name of ["setAlarm", "deleteAlarm", "deleteAll", "sync"] as const) {
      const method = kept[name] as (this: DurableObjectStorage, ...parameters: unknown[]) => Promise<void>;
      vi.spyOn(kept, name).mockImplementation(function (this: DurableObjectStorage, ...parameters: unknown[]) {
        meet(name, this === watched.state?.storage);
        return method.call(this, ...parameters);
      } as never);
    }
  });
  await openTenant().patchTenant({ budget: { maxUsd: 1_000_000, period: "total" }, limits: { concurrentTasks: 1_000 } });
});

// A fault that the last life of a test did not come to is not for the next test.
afterEach(() => void Object.assign(watched, { state: null, faults: new Map() }));

/** Calls whose bill the workflow has acknowledged. */
const acknowledged = new Map<string, AttemptCall[]>();
/** Ids of the webhooks that were delivered, by workflow. */
const delivered = new Map<string, Set<string>>();

let lives = 0;
/** What all workflows have cost by their own account. */
let costUsd = 0;
/** How long a runner's work is waited for: what it asks for may wait for an alarm. */
const RUNNER_PATIENCE_MS = 200;

function createRequest(workflow: Workflow): CreateRequest {
  const hookUrl = listen(({ headers }) => {
    const ids = delivered.get(workflow.name!) ?? new Set();
    delivered.set(workflow.name!, ids.add(headers.get("webhook-id")!));
    return new Response(null, { status: 204 });
  });
  let answers = 0;
  const flaky = listen(() => ((answers += 1) === 1 ? new Response("not now", { status: 503 }) : answer({ text: "x".repeat(20_000) }, { costUsd: 0.001, inputTokens: 5, outputTokens: 5 })));
  const retry = { maxAttempts: 5, initialMs: 100 };
  return requestOf(workflow, [
    { id: "first", agent: "pass", input: "${workflow.input.word}" },
    { id: "flaky", agent: "flaky", dependsOn: ["first"], retry },
    { id: "model", agent: "llm", dependsOn: ["first"], retry },
    { id: "last", agent: "join", dependsOn: ["flaky", "model"] },
  ], {
    tenant: TENANT,
    isLimited: true,
    idempotency: { key: "key", bodyHash: "hash" },
    agents: { pass: transform("input"), llm, flaky: http(flaky), join: transform("[tasks.flaky.output.text.size(), tasks.model.output]") },
    spec: { input: { word: "go" }, result: "tasks.last.output", budget: { maxUsd: 5 }, webhook: { url: hookUrl, events: WANTED } },
  });
}

interface Stored {
  state: RunState | null;
  /** It has ended, nothing is held for calls, and all webhooks are delivered. */
  isOver: boolean;
  alarmAt: number | null;
}

/** What is stored, without asking the object: that would wake it. */
async function peek(name: string): Promise<Stored> {
  const stored = (await again(() => look(name)))!;
  if (watched.whose === "its tenant's") await again(() => runInDurableObject(openTenant(), (_object, state) => void (watched.state = state)));
  return stored;
}

async function look(name: string): Promise<Stored> {
  return runInDurableObject(openWorkflow(name), async (_object, state) => {
    // Its own calls of the storage do not count.
    watched.state = null;
    const { sql } = state.storage;
    const tables = sql.exec("SELECT name FROM sqlite_master WHERE type = 'table'").toArray().map((row) => String(row["name"]));
    const [row] = tables.includes("documents") ? sql.exec("SELECT json FROM documents WHERE name = 'state'").toArray() : [];
    const countRows = (table: string, where: string): number => (tables.includes(table) ? Number(sql.exec(`SELECT count(*) AS count FROM ${table} WHERE ${where}`).one()["count"]) : 0);
    const open = countRows("webhooks", "true") + countRows("reservations", "is_assumed = 0");
    const alarmAt = await state.storage.getAlarm();
    watched.state = state;
    const stored = row === undefined ? null : (JSON.parse(String(row["json"])) as RunState);
    return { state: stored, isOver: stored !== null && isFinalWorkflow(stored.status) && open === 0, alarmAt };
  });
}

/** As a runner does: reserves, reports, and does either again when it fails. */
async function runOrder(name: string, order: WorkOrder): Promise<void> {
  const ref = refOfOrder(order);
  const paid = call({ at: Date.now() });
  const { cachedTokens: _cached, estimated: _estimated, isOverCap: _over, at: _at, ...held } = paid;
  const reserved = await again(() => openWorkflow(name).reserve({ ...ref, ...held, costNanoUsd: 2_000, calls: [] }));
  if (reserved?.kind !== "granted") return;
  const outcome = order.attempt === 1 ? failed({}, [paid]) : completed({ said: order.input }, [paid]);
  const isTold = await again(async () => (await openWorkflow(name).report([{ ...ref, outcome }]), true));
  if (isTold) acknowledged.set(name, [...(acknowledged.get(name) ?? []), paid]);
}

/** Null when it failed every time. */
async function again<Result>(work: () => Promise<Result>): Promise<Result | null> {
  for (let round = 0; round < 3; round += 1) {
    try {
      return await work();
    } catch {
      // Once more.
    }
  }
  return null;
}

/** Lets the alarm come, as the platform does: one whose object fails comes again. */
async function fireAlarm(name: string, alarmAt: number): Promise<void> {
  pass(Math.max(0, alarmAt - Date.now()));
  try {
    await runDurableObjectAlarm(openWorkflow(name));
  } catch {
    watched.state = null;
    await again(() => runInDurableObject(openWorkflow(name), (_object, { storage }) => storage.setAlarm(Date.now())));
  }
}

/** Brings the workflow to its end by nothing but messages and alarms. */
async function bringToEnd(name: string, request: CreateRequest): Promise<void> {
  let taken = 0;
  for (let alarms = 0; alarms < MAX_ALARMS; alarms += 1) {
    let stored = await peek(name);
    // Whoever was not answered and finds nothing asks again.
    if (stored.state === null) await openWorkflow(name).create(request).catch(() => undefined);
    for (const isNew = () => sentMessages(openWorkflow(name)).length > taken; isNew(); ) {
      const message = sentMessages(openWorkflow(name))[taken]!;
      const orders = await again(() => openWorkflow(name).claim([{ task: message.task, attempt: message.attempt }]));
      taken += 1;
      await Promise.race([Promise.all((orders ?? []).map((order) => runOrder(name, order))), new Promise((resolve) => setTimeout(resolve, RUNNER_PATIENCE_MS))]);
    }
    stored = await peek(name);
    if (stored.isOver) return;
    if (stored.state === null) continue;
    // While an alarm's handler runs there is none.
    await vi.waitFor(async () => {
      stored = await peek(name);
      if (stored.alarmAt === null) throw new Error(`nobody comes for a workflow that is ${stored.state!.status}, after ${watched.met.join()}`);
    }, { timeout: 30_000, interval: 5 });
    if (stored.isOver) return;
    await fireAlarm(name, stored.alarmAt!);
  }
  throw new Error(`not at its end after ${MAX_ALARMS} alarms, after ${watched.met.join()}: ${JSON.stringify(await view(openWorkflow(name)))}`);
}

async function expectWhole(name: string): Promise<void> {
  const workflow = openWorkflow(name);
  const shown = await view(workflow);
  expect(shown).toMatchObject({ status: "completed", result: [20_000, { said: expect.anything() }], tasks: { first: { output: "go" } } });
  const events = await readLog(workflow);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
  const ended = events.filter(({ type }) => type === "task.completed").map(({ taskId }) => taskId);
  expect(ended.toSorted()).toEqual(["first", "flaky", "last", "model"]);
  const wanted = events.filter(({ type }) => WANTED.includes(type));
  const ids = wanted.map(({ seq }) => `${name.split(":")[1]}.${Date.parse(shown.createdAt)}.${seq}`);
  // Of an object that dies others may have gone out: the tests' `fetch` does not wait for the disk, as the platform's does.
  expect(new Set([...watched.faults.values()].includes("dies") ? ids.filter((id) => delivered.get(name)!.has(id)) : delivered.get(name))).toEqual(new Set(ids));
  const ledger = await workflow.readLedger({ limit: 1_000, cursor: null });
  if ("problem" in ledger) throw new Error(ledger.detail);
  const spentUsd = ledger.items.reduce((sum, { costUsd }) => sum + costUsd, 0);
  expect(shown.usage.costUsd).toBeCloseTo(spentUsd, 12);
  costUsd += spentUsd;
  expect(shown.budget).toMatchObject({ reservedUsd: 0 });
  expect(ledger.items.filter(({ taskId, estimated }) => taskId === "model" && !estimated)).toHaveLength(acknowledged.get(name)?.length ?? 0);
}

async function removeIt(name: string): Promise<void> {
  await peek(name);
  const removed = await again(async () => {
    const answered = await openWorkflow(name).remove();
    if ("problem" in answered && answered.problem !== "not_found") throw new Error(answered.detail);
    return answered;
  });
  expect(removed).not.toBeNull();
  watched.state = null;
  pass(DAY_MS);
  for (let stored = await peek(name); stored.alarmAt !== null; stored = await peek(name)) await fireAlarm(name, stored.alarmAt);
  watched.state = null;
  await expectEmpty(openWorkflow(name));
}

/** A workflow from its creation to its removal, with faults at calls of the storage. Answers how many calls there were. */
async function live(whose: Whose, faults: ReadonlyMap<number, Fault>): Promise<number> {
  const name = `${TENANT}:${(lives += 1)}`;
  Object.assign(watched, { whose, state: null, calls: 0, faults, met: [] });
  await bringToEnd(name, createRequest(openWorkflow(name)));
  watched.state = null;
  await expectWhole(name);
  await removeIt(name);
  return watched.calls;
}

/** Lives once for each lot of faults, and names the lots that it did not come through. */
async function liveThrough(whose: Whose, lots: readonly (readonly (readonly [number, Fault])[])[]): Promise<string[]> {
  const failures: string[] = [];
  for (const faults of lots) await live(whose, new Map(faults)).catch((error: unknown) => failures.push(`${watched.met.join()}: ${String(error).slice(0, 500)}`));
  return failures;
}

// At which of the calls it throws, and at which the object dies: with 1 at each of them, in several times the time.
describe.each<[Whose, number, number]>([["the workflow's", 5, 9], ["its tenant's", 7, 9]])("a workflow comes to its end with all that it had acknowledged, and then goes without a trace, also if of %s storage", { timeout: 300_000 }, (whose, throwEvery, dieEvery) => {
  let calls = 0;
  beforeAll(async () => {
    calls = await live(whose, new Map());
  });
  const every = (step: number): number[] => Array.from({ length: Math.ceil(calls / step) }, (_, index) => 1 + index * step);

  test("a call throws", async () => {
    expect(calls).toBeGreaterThan(40);
    expect(await liveThrough(whose, every(throwEvery).map((call) => [[call, "throws"]]))).toEqual([]);
  });

  // What one turn writes is written together or not at all, so that some of its calls stand for all.
  test("one is where the object dies", async () => {
    expect(await liveThrough(whose, every(dieEvery).map((call) => [[call, "dies"]]))).toEqual([]);
  });

  test("one is where the object dies, and another throws while it comes back", async () => {
    expect(await liveThrough(whose, every(dieEvery).map((call) => [[call, "dies"], [call + 1 + (call % 14), "throws"]]))).toEqual([]);
  });

  test("and the tenant knows to the nano-dollar what all of them cost, and keeps nothing for any", async () => {
    watched.state = null;
    const { spend } = await openTenant().readTenant();
    expect(spend).toMatchObject({ spentNanoUsd: Math.round(costUsd * 1e9), reservedNanoUsd: 0 });
    const left = await runInDurableObject(openTenant(), (_object, { storage: { sql } }) => ["start_grants", "workflows"].map((table) => sql.exec(`SELECT * FROM ${table}`).toArray()));
    expect(left).toEqual([[], []]);
  });
});

test("whoever waits for an end that was stored and could not be sent hears of it by the alarm, and streams show it at once", async () => {
  const workflow = openWorkflow();
  await workflow.create(requestOf(workflow, [{ id: "a", agent: "llm" }], { spec: { webhook: { url: listen(() => new Response(null, { status: 204 })) } } }));
  await workflow.claim([{ task: 0, attempt: 1 }]);
  const waiting = view(workflow, 50_000);
  const stream = (await workflow.fetch("https://weft.example/events?after=0")).text();
  const sending = vi.spyOn(WebhookStore.prototype, "readDue").mockImplementationOnce(() => {
    throw new Error("a fault");
  });
  await workflow.report([{ task: 0, attempt: 1, outcome: completed(1) }]);
  expect(sending.mock.results[0]!.type).toBe("throw");
  const inTime = (answered: Promise<unknown>) => Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 20_000))]);
  expect(await inTime(stream)).toContain("event: workflow.completed");
  const { alarmAt } = await peek(workflow.name!);
  await fireAlarm(workflow.name!, alarmAt!);
  expect(await inTime(waiting)).toMatchObject({ status: "completed" });
  sending.mockRestore();
});

test("a workflow that ended while it was brought back, and could not tell its tenant, is not taken for none", async () => {
  const name = `${TENANT}:lost`;
  const agents = { llm, silent: http(listen(never)) };
  await openWorkflow(name).create(requestOf(openWorkflow(name), [{ id: "paid", agent: "llm" }, { id: "silent", agent: "silent", timeoutMs: 86_000_000 }], { tenant: TENANT, agents }));
  await openWorkflow(name).claim([{ task: 0, attempt: 1 }]);
  await openWorkflow(name).report([{ task: 0, attempt: 1, outcome: completed(1, [call()]) }]);
  const state = async (): Promise<RunState> => (await peek(name)).state!;
  let writes = 0;
  const { write } = WorkflowStore.prototype;
  for (let losses = 0; losses <= MAX_LOSSES; losses += 1) {
    expect((await state()).status).toBe("running");
    await kill(openWorkflow(name));
    if (losses === MAX_LOSSES) {
      // The first keeps the end; the second, that what was leased goes back.
      vi.spyOn(WorkflowStore.prototype, "write").mockImplementation(function (this: WorkflowStore, ...document) {
        if (document[0] === "state" && (writes += 1) === 2) throw new Error("a fault");
        return write.apply(this, document);
      });
    }
    await openWorkflow(name).wake();
    pass(10_000);
    await openWorkflow(name).wake();
  }
  await vi.waitFor(() => expect(writes).toBeGreaterThan(1), { timeout: 20_000 });
  vi.mocked(WorkflowStore.prototype.write).mockRestore();
  expect(await view(openWorkflow(name))).toMatchObject({ status: "failed", error: { code: "attempts_exhausted" }, tasks: { paid: { output: 1 } } });
});
