import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LocalWorker, startLocalWorker } from "../../scripts/local-worker.ts";
import { MAX_DEPENDENCY_BYTES } from "../../src/durable-objects/workflow/work-orders.ts";
import { MAX_VALUE_BYTES } from "../../src/workflow/json/json-size.ts";
import { MAX_TASKS } from "../../src/workflow/spec/spec.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { createWeftClient, type PostedSpec, putHttpAgents, typesOf, type WeftClient } from "./weft-client.ts";

const THROUGH_THE_QUEUE = '{"dispatch":{"directMax":0,"objectMax":0}}';

let agents: FakeAgents;
const workers: LocalWorker[] = [];
/** By the way that calls go: as the settings are by default, and all of them through the queue. */
const clients = new Map<string, WeftClient>();

beforeAll(async () => {
  agents = await startFakeAgents();
  // One that does not start leaves the other to be stopped.
  const starts = await Promise.allSettled([startLocalWorker(), startLocalWorker({ vars: { SETTINGS: THROUGH_THE_QUEUE } })]);
  workers.push(...starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : [])));
  const broken = starts.find((start) => start.status === "rejected");
  if (broken !== undefined) throw broken.reason;
  for (const [index, way] of ["directly", "through the queue"].entries()) {
    const client = createWeftClient(workers[index]!);
    clients.set(way, client);
    await putHttpAgents(client, agents.origin, { echo: "/echo" });
  }
});

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await agents.close();
});

const FAN_WIDTH = 100;

function fanOut(): PostedSpec {
  const leaves = Array.from({ length: FAN_WIDTH }, (_, index) => `leaf_${index}`);
  return {
    maxConcurrency: FAN_WIDTH,
    tasks: [
      { id: "root", agent: "echo", input: { seed: 7 } },
      ...leaves.map((id, index) => ({ id, agent: "echo", dependsOn: ["root"], input: { index, seed: "${tasks.root.output.seed}" } })),
      { id: "join", agent: "echo", dependsOn: leaves, input: { total: `\${${leaves.map((id) => `tasks.${id}.output.index`).join(" + ")}}` } },
    ],
  };
}

function chain(length: number): PostedSpec {
  const tasks = Array.from({ length }, (_, step) =>
    step === 0 ? { id: "step_0", agent: "echo", input: { count: 1 } } : { id: `step_${step}`, agent: "echo", dependsOn: [`step_${step - 1}`], input: { count: `\${tasks.step_${step - 1}.output.count + 1}` } },
  );
  return { tasks };
}

describe.each(["directly", "through the queue"])("HTTP agents called %s", (way) => {
  test("a fan-out of 100 makes exactly 102 calls, each task once, and the join sees every output", async () => {
    const client = clients.get(way)!;
    const workflow = await client.run(fanOut());
    expect(workflow).toMatchObject({ status: "completed", progress: { total: 102, completed: 102, failed: 0, running: 0, percent: 100 } });

    const calls = agents.calls.filter((call) => call.workflowId === workflow.id);
    expect(calls).toHaveLength(102);
    expect(new Set(calls.map((call) => call.taskId)).size).toBe(102);
    const join = JSON.parse(calls.at(-1)!.text) as { taskId: string; dependencies: Record<string, unknown> };
    expect(join.taskId).toBe("join");
    expect(Object.keys(join.dependencies)).toHaveLength(FAN_WIDTH);
    expect(workflow.result).toEqual({ join: { total: (FAN_WIDTH * (FAN_WIDTH - 1)) / 2 } });

    const events = await client.events(workflow.id);
    expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
    expect(typesOf(events).filter((type) => type === "task.completed")).toHaveLength(102);
  });

  test("a chain of 20 passes each output on, one call a step, in order", async () => {
    const workflow = await clients.get(way)!.run(chain(20));
    expect(workflow).toMatchObject({ status: "completed", result: { step_19: { count: 20 } } });
    const called = agents.calls.filter((call) => call.workflowId === workflow.id).map((call) => call.taskId);
    expect(called).toEqual(Array.from({ length: 20 }, (_, step) => `step_${step}`));
  });
});

describe.each(["directly", "through the queue"])("the largest values, of agents called %s", (way) => {
  /** Of an answer of 1 MiB, which frames its output. */
  const OUTPUT_CHARACTERS = MAX_VALUE_BYTES - '{"output":""}'.length;
  const SOURCES = MAX_DEPENDENCY_BYTES / MAX_VALUE_BYTES;
  const JOINS = 12;

  test("many outputs of 1 MiB at once arrive whole, and tasks that join 8 MiB of them are sent each all of it, once", async () => {
    const client = clients.get(way)!;
    await client.putAgent("big", { kind: "http", url: `${agents.origin}/big?bytes=${MAX_VALUE_BYTES}` });
    const sources = Array.from({ length: SOURCES }, (_, index) => `source_${index}`);
    const joins = Array.from({ length: JOINS }, (_, index) => `join_${index}`);
    const { id } = await client.create({
      maxConcurrency: 100,
      tasks: [...sources.map((source) => ({ id: source, agent: "big" })), ...joins.map((join) => ({ id: join, agent: "echo", dependsOn: sources, input: "${tasks.source_3.output}" }))],
      result: "tasks.join_0.status",
    });
    const workflow = await client.finish(id);
    expect([workflow.status, workflow.error]).toEqual(["completed", null]);
    const calls = agents.calls.filter((call) => call.workflowId === id && call.taskId.startsWith("join"));
    expect(calls.map(({ taskId }) => taskId).sort()).toEqual([...joins].sort());
    for (const { text } of calls) {
      const { dependencies, input } = JSON.parse(text) as { dependencies: Record<string, string>; input: string };
      expect([...Object.values(dependencies), input].map(({ length }) => length)).toEqual(Array.from({ length: SOURCES + 1 }, () => OUTPUT_CHARACTERS));
    }
    const whole = await client.call<{ output: string }>("GET", `/v1/workflows/${id}/tasks/join_${JOINS - 1}`);
    expect(whole.body.output).toBe("x".repeat(OUTPUT_CHARACTERS));
    agents.reset();
  });
});

describe("the largest graph", () => {
  const WIDTH = 100;
  const LAYERS = 49;
  /** Layers whose tasks are calls instead of expressions. */
  const HTTP_LAYERS = new Set([10, 30]);

  /** 5,000 tasks: a root, 49 layers in which each task reads two of the layer above, and what is left over joins the last layer. */
  function largestGraph(): PostedSpec {
    const tasks: PostedSpec["tasks"] = [{ id: "root", agent: "deeper", input: { left: 0, right: 0 } }];
    for (let layer = 1; layer <= LAYERS; layer += 1) {
      for (let column = 0; column < WIDTH; column += 1) {
        const above = layer === 1 ? ["root"] : [`t_${layer - 1}_${column}`, `t_${layer - 1}_${(column + 1) % WIDTH}`];
        const [left, right] = [above[0]!, above.at(-1)!];
        const isCall = HTTP_LAYERS.has(layer);
        const input = isCall ? `\${tasks.${left}.output + 1}` : { left: `\${tasks.${left}.output}`, right: `\${tasks.${right}.output}` };
        tasks.push({ id: `t_${layer}_${column}`, agent: isCall ? "echo" : "deeper", dependsOn: above, input });
      }
    }
    for (let rest = tasks.length; rest < MAX_TASKS; rest += 1) {
      tasks.push({ id: `end_${rest}`, agent: "deeper", dependsOn: [`t_${LAYERS}_0`, `t_${LAYERS}_1`], input: { left: `\${tasks.t_${LAYERS}_0.output}`, right: `\${tasks.t_${LAYERS}_1.output}` } });
    }
    return { tasks, maxConcurrency: 200, result: "tasks.end_4999.output" };
  }

  test("5,000 tasks are accepted with their waves, and finish with every output in its place", async () => {
    const client = clients.get("directly")!;
    await client.putAgent("deeper", { kind: "transform", expression: "(input.left > input.right ? input.left : input.right) + 1" });
    const created = await client.create(largestGraph());
    expect(created.progress.total).toBe(MAX_TASKS);
    expect(created.waves!.map((wave) => wave.length)).toEqual([1, ...Array.from({ length: LAYERS }, () => WIDTH), 99]);
    expect(created.waves![LAYERS + 1]).toContain("end_4999");

    const workflow = await client.finish(created.id);
    expect(workflow.error).toBeNull();
    expect(workflow).toMatchObject({ status: "completed", progress: { total: MAX_TASKS, completed: MAX_TASKS, running: 0, percent: 100 }, result: LAYERS + 2 });
    const wrong = Object.entries(workflow.tasks!).filter(([, task]) => task.status !== "completed" || task.output !== task.wave + 1);
    expect(wrong).toEqual([]);
    expect(agents.calls.filter((call) => call.workflowId === workflow.id)).toHaveLength(HTTP_LAYERS.size * WIDTH);

    const events = await client.events(workflow.id);
    const completed = events.filter((event) => event.type === "task.completed").map((event) => event.taskId);
    expect(completed).toHaveLength(MAX_TASKS);
    expect(new Set(completed).size).toBe(MAX_TASKS);
    expect(events.every((event, index) => event.seq === index + 1)).toBe(true);
  });
});
