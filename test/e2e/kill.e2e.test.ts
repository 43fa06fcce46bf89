import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalWorker, startLocalWorker } from "../../scripts/local-worker.ts";
import type { Page, WorkflowSummary } from "../../src/api/ports/workflow-port.ts";
import type { LoggedEvent } from "../../src/workflow/events.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { type FakeLlm, startFakeLlm } from "../fixtures/fake-llm.ts";
import { createWeftClient, type PostedSpec, putHttpAgents, typesOf, type WeftClient } from "./weft-client.ts";

const WORKFLOWS = 50;
/** Workflows that are being created when the kill comes. */
const BURST = 40;
/** How long after the restart all workflows must be over, where the runtime starts in its usual time; on a slower machine as many times as long. */
const RECOVERY_MS = 15_000;
/** `wrangler dev` takes two to three seconds on two idle cores. */
const USUAL_START_MS = 4_000;

let agents: FakeAgents;
let llm: FakeLlm;
let stateFolder: string;
let worker: LocalWorker | null = null;

beforeAll(async () => {
  agents = await startFakeAgents();
  llm = await startFakeLlm();
  llm.answerWith(async () => {
    await pause(300);
    return "answered";
  });
  stateFolder = await mkdtemp(join(tmpdir(), "weft-kill-"));
});

afterAll(async () => {
  await worker?.stop();
  await Promise.all([agents.close(), llm.close()]);
  await rm(stateFolder, { recursive: true, force: true });
});

/** Five kinds by turns: chains and fans of calls, callbacks, language models through the queue, and a mix with expressions. Each takes about two seconds. */
const KINDS: ((number: number) => PostedSpec["tasks"])[] = [
  () => Array.from({ length: 6 }, (_, step) => ({ id: `step_${step}`, agent: "slow", dependsOn: step === 0 ? [] : [`step_${step - 1}`], input: step === 0 ? 0 : `\${tasks.step_${step - 1}.output + 1}` })),
  () => fan("slow", "slow"),
  () => fan("caller", "slow"),
  () => Array.from({ length: 5 }, (_, step) => ({ id: `ask_${step}`, agent: "scout", model: "fake", dependsOn: step === 0 ? [] : [`ask_${step - 1}`], input: { prompt: `question ${step}` } })),
  (number) => [...fan(number % 2 === 0 ? "scout" : "caller", "double"), { id: "last", agent: "slow", dependsOn: ["join"] }],
];

/** A slow root, four tasks beside each other, twice, and a join. */
function fan(leafAgent: string, joinAgent: string): PostedSpec["tasks"] {
  const leaves = ["a", "b", "c", "d"];
  const leaf = (id: string, dependsOn: string[]) => ({ id, agent: leafAgent, dependsOn, input: { prompt: id }, ...(leafAgent === "scout" ? { model: "fake" } : {}) });
  return [
    { id: "root", agent: "slow" },
    ...leaves.map((id) => leaf(`first_${id}`, ["root"])),
    { id: "middle", agent: "slow", dependsOn: leaves.map((id) => `first_${id}`) },
    ...leaves.map((id) => leaf(`second_${id}`, ["middle"])),
    { id: "between", agent: "slow", dependsOn: leaves.map((id) => `second_${id}`) },
    { id: "join", agent: joinAgent, dependsOn: ["between"], input: 21 },
  ];
}

async function prepare(client: WeftClient): Promise<void> {
  await putHttpAgents(client, agents.origin, { slow: "/slow?ms=300" });
  await putHttpAgents(client, agents.origin, { caller: "/callback?delayMs=300" }, "callback");
  await client.putAgent("double", { kind: "transform", expression: "input * 2" });
  const model = { id: "fake", provider: "fake", tier: "weak", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 }, contextWindow: 100_000, maxOutputTokens: 4_096, capabilities: [] };
  const body = { providers: [{ id: "fake", kind: "openai-compatible", baseUrl: llm.baseUrl }, { id: "offline", kind: "offline" }], models: [model, { ...model, id: "offline", provider: "offline" }], tiers: { weak: ["fake"], base: ["offline"], strong: ["offline"] } };
  const answer = await client.call("PUT", "/v1/tiers", { body });
  expect(answer.status, answer.text).toBe(200);
}

/** Completions by task: a task that completed twice counts twice. */
function countCompletions(events: readonly LoggedEvent[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const event of events) if (event.type === "task.completed") counts[event.taskId!] = (counts[event.taskId!] ?? 0) + 1;
  return counts;
}

test("50 running workflows finish by themselves after kill -9 and a restart, with every task completed once, no event lost or repeated, and no acknowledged creation lost", async () => {
  worker = await startLocalWorker({ persistTo: stateFolder });
  const { port, rootKey } = worker;
  let client = createWeftClient(worker);
  await prepare(client);
  const created = await Promise.all(Array.from({ length: WORKFLOWS }, (_, number) => client.create({ name: "held", tasks: KINDS[number % KINDS.length]!(number) })));
  const ids = created.map((workflow) => workflow.id);

  // Killed in the middle: every workflow has completed something, and none is over.
  const before = new Map<string, LoggedEvent[]>();
  await expect.poll(async () => {
    await Promise.all(ids.map(async (id) => before.set(id, await client.events(id))));
    return ids.filter((id) => typesOf(before.get(id)!).includes("task.completed")).length;
  }, { timeout: 60_000, interval: 50 }).toBe(WORKFLOWS);
  const acknowledged: string[] = [];
  const some = Promise.withResolvers<void>();
  const createOne = async () => {
    const { id } = await client.create({ name: "burst", tasks: [{ id: "a", agent: "slow" }] });
    if (acknowledged.push(id) === BURST / 4) some.resolve();
  };
  const burst = Promise.allSettled(Array.from({ length: BURST }, createOne));
  await some.promise;
  await worker.kill("SIGKILL");
  // Nothing is left to stop, only its scratch folder to remove; the state is not in it.
  await worker.stop();
  await burst;
  const unfinished = ids.filter((id) => !typesOf(before.get(id)!).includes("workflow.completed"));
  expect(unfinished).toHaveLength(WORKFLOWS);
  const callsBefore = agents.calls.length + llm.calls.length;

  const restartedAt = performance.now();
  worker = await startLocalWorker({ persistTo: stateFolder, port, vars: { ROOT_KEY: rootKey } });
  const startedMs = performance.now() - restartedAt;
  client = createWeftClient(worker);
  // The list is answered by the tenant's index, which the workflows tell when they are over: asking it wakes none of them.
  const countCompleted = async () => (await client.call<Page<WorkflowSummary>>("GET", "/v1/workflows?name=held&status=completed&limit=200")).body.items.length;
  await expect.poll(countCompleted, { timeout: 60_000, interval: 100 }).toBe(WORKFLOWS);
  const recoveredMs = performance.now() - restartedAt;

  for (const id of ids) {
    const events = await client.events(id);
    const workflow = await client.get(id);
    expect(events.slice(0, before.get(id)!.length), `the events of ${id} before the kill`).toEqual(before.get(id));
    expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
    expect(countCompletions(events)).toEqual(Object.fromEntries(Object.keys(workflow.tasks!).map((taskId) => [taskId, 1])));
    // On a busy machine the schedule slips, and what has not started is planned again, with a reason.
    const planned = events.filter((event) => !("reason" in event.data));
    expect(typesOf(planned).filter((type) => type.startsWith("workflow."))).toEqual(["workflow.created", "workflow.planned", "workflow.started", "workflow.completed"]);
  }
  for (const id of acknowledged) expect((await client.finish(id)).status, `${id}, which was created just before the kill`).toBe("completed");
  const tasks = created.reduce((sum, workflow) => sum + workflow.progress.total, 0);
  const calls = agents.calls.length + llm.calls.length;
  process.stdout.write(`kill -9 with ${WORKFLOWS} running: all over ${Math.round(recoveredMs)} ms after the restart, ${Math.round(startedMs)} ms of it to be up again; ${tasks} tasks, ${callsBefore} calls before the kill, ${calls} in all; ${acknowledged.length} of ${BURST} creations were acknowledged\n`);
  expect(recoveredMs).toBeLessThan(RECOVERY_MS * Math.max(1, startedMs / USUAL_START_MS));
});
