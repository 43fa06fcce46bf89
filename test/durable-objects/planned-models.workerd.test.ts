import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import type { WorkflowPort } from "../../src/api/workflow-port.ts";
import { Settings } from "../../src/config/settings.ts";
import { WorkflowSession } from "../../src/durable-objects/workflow-session.ts";
import { WorkflowStore } from "../../src/durable-objects/workflow-store.ts";
import { AgentDefinition } from "../../src/workflow/agent.ts";
import { WorkflowSpec } from "../../src/workflow/spec.ts";

test("a planned model is kept with the workflow and stands in the order of its task, and in no other's", async () => {
  const workflow = env.WORKFLOW.getByName("default:planned") as unknown as DurableObjectStub & WorkflowPort;
  const spec = WorkflowSpec.parse({ startAt: new Date(Date.now() + 3_600_000).toISOString(), tasks: ["a", "b"].map((id) => ({ id, agent: "llm", input: { prompt: id } })) }) as WorkflowSpec;
  const agents = { llm: AgentDefinition.parse({ kind: "llm" }) };
  await workflow.create({ tenant: "default", workflowId: "planned", origin: "https://weft.test", requestId: "req", idempotency: null, rerunOf: null, spec, agents, plannedModels: { b: "cheap" } });
  await evictDurableObject(workflow);
  const settings = Settings.parse({});
  const planned = await runInDurableObject(workflow, (_object, state) => {
    const session = WorkflowSession.load(new WorkflowStore(state.storage), { now: Date.now, random: Math.random, newSecret: () => "secret", settings, dispatchSettings: () => settings.dispatch })!;
    return [0, 1].map((task) => {
      const order = session.createOrder({ task, attempt: 1 });
      return "code" in order ? order : [order.taskId, order.llm?.plannedModel];
    });
  });
  expect(planned).toEqual([["a", null], ["b", "cheap"]]);
  await workflow.command("cancel");
});
