import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { MAX_WEBHOOK_ATTEMPTS } from "../../../../src/consumer/outbound/webhook.ts";
import { MAX_DELIVERIES, MAX_DELIVERIES_PER_EVENT } from "../../../../src/durable-objects/workflow/outbox/webhook-sender.ts";
import { answer, completed, DAY_MS, http, idOf, kill, listen, never, openWorkflow, pass, query, start, transform, view, type Workflow } from "../../open-workflow.ts";

const LLM = [{ id: "a", agent: "llm" }];
const FIRST = { task: 0, attempt: 1 };

const spec = (events?: string[]) => ({ webhook: { url: listen((delivery) => hook(delivery)), ...(events === undefined ? {} : { events }) } });
let hook: Parameters<typeof listen>[0] = () => new Response(null, { status: 204 });
const rows = (workflow: Workflow) => query(workflow, "SELECT type, status, attempts FROM webhooks ORDER BY id");

test("are sent for the final event by default, and removed once delivered", async () => {
  const bodies: unknown[] = [];
  hook = ({ body }) => (bodies.push(body), new Response(null, { status: 204 }));
  const workflow = openWorkflow();
  await start(workflow, [{ id: "a", agent: "one" }], { spec: { ...spec(), name: "n" } });
  await expect.poll(() => rows(workflow)).toEqual([]);
  expect(bodies).toEqual([{ type: "workflow.completed", timestamp: expect.any(String), data: { id: idOf(workflow), name: "n", status: "completed" } }]);
});

test("say what the workflow was at their event, not what it became in the same step", async () => {
  const statuses: string[] = [];
  hook = ({ body }) => (statuses.push((body as unknown as { data: { status: string } }).data.status), new Response(null, { status: 204 }));
  const workflow = openWorkflow();
  await start(workflow, [{ id: "a", agent: "one" }], { spec: spec(["workflow.started", "workflow.completed"]) });
  await expect.poll(() => rows(workflow)).toEqual([]);
  expect(statuses.toSorted()).toEqual(["completed", "running"]);
});

test("are retried by the alarm with the same id, in order, until they are taken", async () => {
  const ids: string[] = [];
  let isDown = true;
  hook = ({ headers }) => (ids.push(headers.get("webhook-id")!), new Response(null, { status: isDown ? 503 : 200 }));
  const workflow = openWorkflow();
  await start(workflow, [{ id: "a", agent: "one" }], { spec: spec(["workflow.started", "task.completed", "workflow.completed"]) });
  await expect.poll(() => ids.length).toBe(3);
  expect(await rows(workflow)).toMatchObject([{ type: "workflow.started", attempts: 1 }, { type: "task.completed", attempts: 1 }, { type: "workflow.completed", attempts: 1 }]);
  pass(10_000);
  await runDurableObjectAlarm(workflow);
  expect(ids).toHaveLength(6);
  await evictDurableObject(workflow);
  pass(30_000);
  isDown = false;
  await runDurableObjectAlarm(workflow);
  expect(ids).toHaveLength(9);
  expect(new Set(ids).size).toBe(3);
  expect(await rows(workflow)).toEqual([]);
});

test("one that is on its way is not sent by a later step too", async () => {
  const ids: string[] = [];
  hook = ({ headers }) => (ids.push(headers.get("webhook-id")!), never());
  const workflow = openWorkflow();
  await start(workflow, [...LLM, { id: "b", agent: "llm" }], { spec: spec(["task.completed"]) });
  const refs = [FIRST, { task: 1, attempt: 1 }];
  await workflow.claim(refs);
  for (const [index, ref] of refs.entries()) {
    await workflow.report([{ ...ref, outcome: completed(index) }]);
    await expect.poll(() => ids.length).toBe(index + 1);
  }
  await runDurableObjectAlarm(workflow);
  expect(new Set(ids).size).toBe(2);
  expect(ids).toHaveLength(2);
  await kill(workflow);
});

test("one that was cut off is sent again", async () => {
  let deliveries = 0;
  hook = () => ((deliveries += 1) === 1 ? never() : new Response(null, { status: 200 }));
  let workflow = openWorkflow();
  await start(workflow, [{ id: "a", agent: "one" }], { spec: spec() });
  await expect.poll(() => deliveries).toBe(1);
  workflow = await kill(workflow);
  pass(60_000);
  await runDurableObjectAlarm(workflow);
  expect(deliveries).toBe(2);
  expect(await rows(workflow)).toEqual([]);
});

test("are given up when the receiver is gone for good", async () => {
  hook = () => new Response(null, { status: 410 });
  const workflow = openWorkflow();
  await start(workflow, [{ id: "a", agent: "one" }], { spec: spec() });
  await expect.poll(() => rows(workflow)).toEqual([]);
});

/** A receiver that holds every delivery until the test answers it, and the most that it ever held at once. */
function holdAll() {
  const held: (() => void)[] = [];
  const story = { ids: [] as string[], most: 0, held };
  let open = 0;
  hook = ({ headers }) => {
    story.ids.push(headers.get("webhook-id")!);
    open += 1;
    story.most = Math.max(story.most, open);
    return new Promise((resolve) => held.push(() => ((open -= 1), resolve(new Response(null, { status: 204 })))));
  };
  return story;
}

/** Until a failed delivery is written down: while it is on its way, its row is postponed by a minute. */
const isSettled = (workflow: Workflow) =>
  expect.poll(() => query(workflow, "SELECT 1 FROM webhooks WHERE next_at BETWEEN ? AND ?", Date.now() + 45_000, Date.now() + 60_000)).toEqual([]);
const armedAt = (workflow: Workflow) => runInDurableObject(workflow, (_object, state) => state.storage.getAlarm());
const transforms = (count: number) => Array.from({ length: count }, (_, index) => ({ id: `t${index}`, agent: "one" }));

test("are at most two on their way at once, oldest first, and each that ends begins the next", async () => {
  const story = holdAll();
  const workflow = openWorkflow();
  await start(workflow, transforms(5), { spec: spec(["task.completed"]) });
  for (let ended = 0; ended < 5; ended += 1) {
    await expect.poll(() => story.ids.length).toBe(Math.min(5, ended + MAX_DELIVERIES));
    // In the object, as an answer from outside comes.
    await runInDurableObject(workflow, () => story.held[ended]!());
  }
  await expect.poll(() => rows(workflow)).toEqual([]);
  expect(story.most).toBe(MAX_DELIVERIES);
  const seqs = story.ids.map((id) => Number(id.split(".").at(-1)));
  expect(seqs).toEqual(seqs.toSorted((one, other) => one - other));
});

test("to a receiver that hangs hold up neither tasks nor the alarm, which is not armed for them again and again", async () => {
  const story = holdAll();
  const workflow = openWorkflow();
  const agents = { quick: http(listen(() => answer("done"))), one: transform("1") };
  const tasks = [...transforms(4), ...Array.from({ length: 6 }, (_, index) => ({ id: `h${index}`, agent: "quick", dependsOn: index === 0 ? ["t0"] : [`h${index - 1}`] }))];
  await start(workflow, tasks, { agents, spec: spec(["task.completed"]) });
  expect(await view(workflow, 30_000)).toMatchObject({ status: "completed", tasks: { h5: { output: "done" } } });
  expect(story.ids).toHaveLength(MAX_DELIVERIES);
  for (let round = 0; round < 3; round += 1) {
    await runDurableObjectAlarm(workflow);
    expect(await armedAt(workflow)).toBeGreaterThan(Date.now() + 30_000);
  }
  expect(story.ids).toHaveLength(MAX_DELIVERIES);
  await kill(workflow);
});

test("that nobody takes are given up after a day, and not before", async () => {
  const times: number[] = [];
  hook = () => (times.push(Date.now()), new Response(null, { status: 503 }));
  const workflow = openWorkflow();
  await start(workflow, [{ id: "a", agent: "one" }], { spec: spec() });
  await expect.poll(() => times.length).toBe(1);
  for (let attempt = 2; (await rows(workflow)).length > 0; attempt += 1) {
    const [row] = await query(workflow, "SELECT next_at, attempts FROM webhooks");
    expect(await armedAt(workflow)).toBeLessThanOrEqual(Number(row!["next_at"]));
    pass(Number(row!["next_at"]) - Date.now());
    await runDurableObjectAlarm(workflow);
    await expect.poll(() => times.length).toBe(attempt);
    await isSettled(workflow);
  }
  expect(times).toHaveLength(MAX_WEBHOOK_ATTEMPTS);
  const waitedMs = times.at(-1)! - times[0]!;
  expect(waitedMs).toBeGreaterThan(0.85 * DAY_MS);
  expect(waitedMs).toBeLessThanOrEqual(DAY_MS);
});

test("whose receiver asks for patience again and again are given up after a day too", async () => {
  const times: number[] = [];
  hook = () => (times.push(Date.now()), new Response(null, { status: 429, headers: { "retry-after": "3600" } }));
  const workflow = openWorkflow();
  await start(workflow, [{ id: "a", agent: "one" }], { spec: spec() });
  await expect.poll(() => times.length).toBe(1);
  for (let attempt = 2; (await rows(workflow)).length > 0; attempt += 1) {
    pass(Number((await query(workflow, "SELECT next_at FROM webhooks"))[0]!["next_at"]) - Date.now());
    await runDurableObjectAlarm(workflow);
    await expect.poll(() => times.length).toBe(attempt);
    await isSettled(workflow);
  }
  expect(times.at(-1)! - times[0]!).toBeLessThanOrEqual(DAY_MS);
  expect(times.length).toBeGreaterThan(8);
});

test("more than an event may send wait for the next one, which the alarm is", async () => {
  const ids = new Set<string>();
  hook = ({ headers }) => (ids.add(headers.get("webhook-id")!), new Response(null, { status: 204 }));
  const count = MAX_DELIVERIES_PER_EVENT + 50;
  const workflow = openWorkflow();
  await start(workflow, transforms(count), { spec: spec(["task.completed"]) });
  await expect.poll(() => ids.size).toBe(MAX_DELIVERIES_PER_EVENT);
  await expect.poll(async () => (await armedAt(workflow))!).toBeLessThanOrEqual(Date.now());
  await runDurableObjectAlarm(workflow);
  await expect.poll(() => rows(workflow)).toEqual([]);
  expect(ids.size).toBe(count);
});
