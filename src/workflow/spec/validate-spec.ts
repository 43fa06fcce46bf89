import type { Fault } from "../../errors.ts";
import type { AgentDefinition } from "./agent.ts";
import { EVENT_TYPES, isEventType } from "../event-types.ts";
import { compileExpression } from "../expressions/expression.ts";
import { createFaultList, type FaultList } from "../faults/fault-list.ts";
import type { Graph } from "../graph.ts";
import { findExcess } from "../json/json-size.ts";
import { checkDependencies, type Wiring } from "./spec-dependencies.ts";
import { readShape, type ShapedTask, type SpecHead } from "./spec-shape.ts";
import type { Webhook, WorkflowSpec } from "./spec.ts";
import { addResultTask, reportAsResult } from "./result-task.ts";
import { createTaskCheck, type TaskContext } from "./validate-task.ts";

/** What a spec is checked against. */
export interface SpecContext extends TaskContext {
  /** Null when the URL may be called, else why not. */
  isAllowedUrl: (url: string) => string | null;
  isAllowedSecretName: (name: string, kind: "AGENT" | "WEBHOOK") => boolean;
}

export interface AcceptedSpec {
  spec: WorkflowSpec;
  graph: Graph;
  /** The agents that the tasks use, by name. */
  agents: Record<string, AgentDefinition>;
}

/**
 * Checks a posted workflow, shape and meaning at once, and reports every problem with its JSON Pointer. What follows only from
 * another fault is not reported: a task behind an unknown dependency may refer to anything.
 */
export function validateSpec(body: unknown, context: SpecContext): AcceptedSpec | { faults: Fault[] } {
  const posted = createFaultList();
  const shaped = readShape(body, posted);
  const { head, tasks } = typeof shaped.head?.result === "object" ? addResultTask(shaped.head, shaped.head.result, shaped.tasks) : shaped;
  const faults = head === shaped.head ? posted : reportAsResult(posted, shaped.tasks.length);
  const wiring = checkDependencies(tasks, faults);
  const agents = checkTasks(tasks, wiring, context, faults);
  if (head !== null) checkHead(head, wiring, context, faults);
  const found = faults.finish();
  if (found !== null) return { faults: found };
  if (head === null || wiring.graph === null) throw new Error("a spec without faults that is not whole");
  const { result, ...rest } = head;
  return { spec: { ...rest, ...(typeof result === "string" ? { result } : {}), tasks: tasks.map((task) => task!.task) }, graph: wiring.graph, agents: Object.fromEntries(agents) };
}

function checkTasks(tasks: readonly (ShapedTask | null)[], wiring: Wiring, context: SpecContext, faults: FaultList): ReadonlyMap<string, AgentDefinition> {
  const { check, agents } = createTaskCheck(wiring, context, faults);
  for (const [index, task] of tasks.entries()) if (task !== null) check(task, index);
  return agents;
}

function checkHead(head: SpecHead, wiring: Wiring, context: SpecContext, faults: FaultList): void {
  const excess = findExcess(head.input);
  if (excess !== null) faults.add("/input", excess);
  if (head.startAt !== undefined && Number.isNaN(Date.parse(head.startAt))) faults.add("/startAt", "is not a time that exists");
  if (typeof head.result === "string") checkResult(head.result, wiring, faults);
  if (head.webhook !== undefined) checkWebhook(head.webhook, context, faults);
}

function checkResult(result: string, wiring: Wiring, faults: FaultList): void {
  const expression = compileExpression(result, { input: false });
  if ("message" in expression) return faults.add("/result", expression.message);
  for (const id of expression.references.tasks) {
    if (wiring.positionOf(id) === undefined) faults.add("/result", `reads the unknown task "${id}"${wiring.suggest(id)}`);
  }
}

function checkWebhook(webhook: Webhook, context: SpecContext, faults: FaultList): void {
  const refusal = context.isAllowedUrl(webhook.url);
  if (refusal !== null) faults.add("/webhook/url", refusal);
  if (webhook.secretName !== undefined && !context.isAllowedSecretName(webhook.secretName, "WEBHOOK")) {
    faults.add("/webhook/secretName", "is not the name of a webhook secret of this tenant: WEBHOOK_<TENANT>__<NAME>");
  }
  for (const [index, type] of (webhook.events ?? []).entries()) {
    if (!isEventType(type)) faults.add(`/webhook/events/${index}`, `unknown event type "${type}"; known are ${EVENT_TYPES.join(", ")}`);
  }
}
