import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, eventually, putHttpAgents, type WeftClient } from "./weft-client.ts";

let agents: FakeAgents;
let worker: LocalWorker;
let root: WeftClient;

beforeAll(async () => {
  agents = await startFakeAgents();
  worker = await startWorker({ vars: { LOG_LEVEL: "warn" } });
  root = createWeftClient(worker);
});

afterAll(async () => {
  await worker.stop();
  await agents.close();
});

/** A new tenant's client. */
async function openTenant(id: string, limits: object = {}): Promise<WeftClient> {
  const made = await root.call("POST", "/v1/tenants", { body: { id, limits } });
  expect(made.status, made.text).toBe(201);
  const { key } = (await root.call<{ key: string }>("POST", `/v1/tenants/${id}/keys`, { body: {} })).body;
  return createWeftClient({ origin: worker.origin, rootKey: key });
}

/** Milliseconds from the request that makes a workflow to the call of its task's agent. */
async function measureStarts(client: WeftClient, count: number): Promise<number[]> {
  const delays: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const sentAt = Date.now();
    const { id } = await client.create({ tasks: [{ id: "a", agent: "quick" }] });
    await eventually(() => expect(agents.calls.findLast(({ workflowId }) => workflowId === id)).toBeDefined());
    delays.push(agents.calls.findLast(({ workflowId }) => workflowId === id)!.at - sentAt);
    await pause(20);
  }
  return delays;
}

const p95 = (delays: readonly number[]): number => delays.toSorted((left, right) => left - right)[Math.ceil(delays.length * 0.95) - 1]!;
const endAll = async (client: WeftClient, ids: readonly string[]): Promise<void> => {
  await Promise.all(ids.map((id) => client.call("POST", `/v1/workflows/${id}/cancel`, { body: {} })));
};
let rounds = 0;

/** Of the flood, where the machine has time for it. */
const TASKS_PER_SECOND = 40;
/** A delay alone. Where it is longer, others have the machine, and what is left of it carries less of a flood. */
const SLOW_MS = 40;
/** Tasks of the flood, all waiting from the start. */
const FLOOD_TASKS = 3_600;

// A delay is some milliseconds of a machine on which others work too, and theirs come in bursts that can fall on one side only. It is measured
// alone before and after the flood, and a round of three that no burst falls into will do: a flood that delayed others would delay them in each.
// Where others have the machine all the time, any call takes the longer the more there are, in whatever order they come; there a start must still
// not wait for the flood: a hundredth of the time that the flood itself takes is 36 of its tasks.
test("one tenant's flood under its limits leaves another's start delay within twice what it is alone, be it of wide workflows or of many", { retry: 2 }, async () => {
  const name = `round${(rounds += 1)}`;
  const calm = await openTenant(`calm-${name}`);
  await putHttpAgents(calm, agents.origin, { quick: "/echo" });
  await measureStarts(calm, 20);
  const alone = await measureStarts(calm, 60);

  const tasksPerSecond = Math.max(4, Math.round(TASKS_PER_SECOND * Math.min(1, SLOW_MS / p95(alone))));
  const flood = await openTenant(`flood-${name}`, { concurrentTasks: 20, tasksPerSecond });
  await putHttpAgents(flood, agents.origin, { quick: "/slow?ms=100" });

  const create = (tasks: number) => flood.create({ maxConcurrency: 100, tasks: Array.from({ length: tasks }, (_, task) => ({ id: `t${task}`, agent: "quick" })) });
  const workflows = await Promise.all(Array.from({ length: 20 }, () => create(150)));
  for (let made = 0; made < 200; made += 10) workflows.push(...(await Promise.all(Array.from({ length: 10 }, () => create(3)))));
  const before = agents.calls.length;
  const beganAt = Date.now();
  const flooded = await measureStarts(calm, 120);
  const perSecond = (1_000 * (agents.calls.length - before - flooded.length)) / (Date.now() - beganAt);
  // The flood goes on all the while: as many a second as it may where nothing else holds it up.
  expect((await flood.get(workflows[0]!.id, "?tasks=none")).status).toBe("running");
  expect(perSecond).toBeGreaterThan(tasksPerSecond / 4);

  await endAll(flood, workflows.map(({ id }) => id));
  alone.push(...(await measureStarts(calm, 60)));
  console.log(`start delay: p95 ${p95(alone)} ms alone, ${p95(flooded)} ms with ${Math.round(perSecond)} tasks a second of another tenant that has ${workflows.length} workflows with ${FLOOD_TASKS} tasks`);
  const floodMs = (1_000 * FLOOD_TASKS) / perSecond;
  expect(p95(flooded)).toBeLessThanOrEqual(p95(alone) <= SLOW_MS ? 2 * p95(alone) : Math.max(2 * p95(alone), floodMs / 100));
});
