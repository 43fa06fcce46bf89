import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import type { WorkflowPort } from "../../../src/api/ports/workflow-port.ts";
import type { WorkflowPlan } from "../../../src/consumer/planning/plan-workflow.ts";
import { Settings } from "../../../src/config/settings.ts";
import { WorkflowSession } from "../../../src/durable-objects/workflow/workflow-session.ts";
import { WorkflowStore } from "../../../src/durable-objects/workflow/stores/workflow-store.ts";
import { AgentDefinition } from "../../../src/workflow/spec/agent.ts";
import { WorkflowSpec } from "../../../src/workflow/spec/spec.ts";

test("a planned model is kept with the workflow and stands in the order of its task, and in no other's", async () => {
  const workflow = env.WORKFLOW.getByName("default:planned") as unknown as DurableObjectStub & WorkflowPort;
  const spec = WorkflowSpec.parse({ startAt: new Date(Date.now() + 3_600_000).toISOString(), tasks: ["a", "b"].map((id) => ({ id, agent: "llm", input: { prompt: id } })) }) as WorkflowSpec;
  const agents = { llm: AgentDefinition.parse({ kind: "llm" }) };
  await workflow.create({ tenant: "default", workflowId: "planned", origin: "https://weft.test", requestId: "req", idempotency: null, rerunOf: null, spec, agents, plannedModels: { b: "cheap" } });
  await evictDurableObject(workflow);
  const planned = await runInDurableObject(workflow, (_object, state) => readPlanned(openSession(state.storage)));
  expect(planned).toEqual(["a", null, "b", "cheap"]);
  await workflow.command("cancel");
});

test("a new plan leaves a task without a planned model, also one that is called like a member of every object", async () => {
  const workflow = env.WORKFLOW.getByName("default:planned-again") as unknown as DurableObjectStub & WorkflowPort;
  const spec = WorkflowSpec.parse({ startAt: new Date(Date.now() + 3_600_000).toISOString(), tasks: ["constructor", "b"].map((id) => ({ id, agent: "llm", input: { prompt: id } })) }) as WorkflowSpec;
  await workflow.create({ tenant: "default", workflowId: "planned-again", origin: "https://weft.test", requestId: "req", idempotency: null, rerunOf: null, spec, agents: { llm: AgentDefinition.parse({ kind: "llm" }) }, plannedModels: { b: "cheap" } });
  await evictDurableObject(workflow);
  const planned = await runInDurableObject(workflow, (_object, state) => {
    const session = openSession(state.storage);
    const plan = { deviations: { b: "cheaper" } } as unknown as WorkflowPlan;
    session.applyPlan({ plan, tasks: [0, 1] }, "budget");
    return [session, openSession(state.storage)].map((each) => readPlanned(each));
  });
  expect(planned).toEqual([["constructor", null, "b", "cheaper"], ["constructor", null, "b", "cheaper"]]);
  await workflow.command("cancel");
});

function openSession(storage: DurableObjectStorage): WorkflowSession {
  const settings = Settings.parse({});
  return WorkflowSession.load(new WorkflowStore(storage), { now: Date.now, random: Math.random, newSecret: () => "secret", settings, dispatchSettings: () => settings.dispatch })!;
}

/** Each task's id and planned model, as they stand in its order. */
function readPlanned(session: WorkflowSession): unknown[] {
  return [0, 1].flatMap((task): unknown[] => {
    const order = session.createOrder({ task, attempt: 1 });
    return "code" in order ? [order] : [order.taskId, order.llm?.plannedModel];
  });
}
