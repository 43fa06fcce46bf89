import { MAX_MESSAGE_CHARACTERS, measureOrder } from "../../consumer/run-orders.ts";
import sha256 from "fast-sha256";
import { createLlmRequest } from "../../consumer/llm-request.ts";
import type { AttemptRef, WorkOrder } from "../../consumer/work-order.ts";
import type { Failure, Json } from "../../errors.ts";
import type { AgentDefinition } from "../../workflow/spec/agent.ts";
import { renderInput, type ReadScope } from "../../workflow/attempt-input.ts";
import { allocate, limitUse } from "../../optimizer/allocation.ts";
import type { BudgetSettings } from "../../config/budget-settings.ts";
import type { Outlook } from "../../workflow/outlook.ts";
import type { TaskSpec } from "../../workflow/spec/spec.ts";
import type { Run } from "../../workflow/run.ts";
import type { Identity, WorkflowStore } from "./stores/workflow-store.ts";

/** Most that the outputs of a task's dependencies may come to, together: an RPC message ends at 32 MiB, an object's memory at 128. */
export const MAX_DEPENDENCY_BYTES = 8_388_608;

/** The workflow that orders are made from. */
interface OrderSource {
  store: WorkflowStore;
  identity: Identity;
  run: Run;
  agents: Record<string, AgentDefinition>;
  planning: { models: ReadonlyMap<string, string> };
  taskNumbers: ReadonlyMap<string, number>;
  outlook: Outlook | null;
}

interface OrderDeps {
  readScope: ReadScope;
  /** Outputs of tasks; orders of a step share them. */
  readOutputs: (tasks: readonly number[]) => Json[];
  newSecret: () => string;
  settings: BudgetSettings;
  /** What is to be stored with the step that sends the order. */
  writes: (() => void)[];
}

/** Puts together what an attempt needs, from stored values only; or says why its input cannot be made. */
export function buildOrder(session: OrderSource, ref: AttemptRef, { readScope, readOutputs, newSecret, settings, writes }: OrderDeps): WorkOrder | Failure {
  const { store, identity, run } = session;
  const spec = store.readTaskSpec(ref.task);
  const agent = session.agents[spec.agent]!;
  const input = renderInput(spec, readScope);
  if (!input.ok) return { code: "expression_failed", message: input.message, retryable: false };
  const dependencies = readDependencies(session, spec, agent, readOutputs);
  if ("code" in dependencies) return dependencies;
  const state = run.tasks[ref.task]!;
  const retrySuffix = state.manualRetries > 0 ? `.r${state.manualRetries}` : "";
  return {
    ...ref,
    workflowCreatedAt: run.state.createdAt,
    workflowId: identity.workflowId,
    tenant: identity.tenant,
    taskId: spec.id,
    agentName: spec.agent,
    agent,
    input: input.value,
    dependencies: dependencies.outputs,
    deadlineAt: state.timeoutAt!,
    workflowDeadlineAt: run.state.deadlineAt,
    idempotencyKey: `${identity.workflowId}.${spec.id}${retrySuffix}`,
    callback: agent.kind === "http" && agent.mode === "callback" ? createCallback(session, ref, newSecret, writes) : null,
    llm: agent.kind === "llm" ? { ...createLlmRequest(spec, agent.taskType, identity.spec.strategy, session.planning.models.get(spec.id)), tokenBudget: allotTokens(session, ref.task, settings) } : null,
    requestId: identity.requestId,
  };
}

/**
 * The tokens that the task may use: its share of what is left, and what the settings allow above it. What calls under way hold is not left, so their tasks
 * share in the rest no more. Null without a budget of tokens, and where none was split.
 */
export function allotTokens({ run, outlook }: Pick<OrderSource, "run" | "outlook">, task: number, settings: Pick<BudgetSettings, "minTaskTokens" | "maxTaskTokens" | "overageThreshold">): number | null {
  const { cap, workflow, open } = run.ledger;
  if (cap.tokens === null || outlook === null) return null;
  const left = Math.max(0, cap.tokens - workflow.spent.tokens - workflow.reserved.tokens);
  const { weight } = outlook.tasks[task]!;
  if (weight === 0) return null;
  let openWeight = outlook.openWeight;
  for (const holder of open.keys()) if (holder !== task && !outlook.isEnded[holder]) openWeight -= outlook.tasks[holder]!.weight;
  return limitUse(allocate(left, weight, Math.max(weight, openWeight), settings), left, settings);
}

function readDependencies(session: OrderSource, spec: TaskSpec, agent: AgentDefinition, readOutputs: OrderDeps["readOutputs"]): { outputs: Record<string, Json> } | Failure {
  if (agent.kind === "llm" && spec.context?.mode === "none") return { outputs: {} };
  const tasks = spec.dependsOn.map((id) => ({ id, task: session.taskNumbers.get(id)! }));
  const bytes = tasks.reduce((sum, { task }) => sum + (session.run.tasks[task]!.outputBytes ?? 0), 0);
  if (bytes > MAX_DEPENDENCY_BYTES) {
    const message = `the outputs of the dependencies come to ${bytes} bytes, more than ${MAX_DEPENDENCY_BYTES}; split the join, or pass references`;
    return { code: "expression_failed", message, retryable: false };
  }
  const outputs = readOutputs(tasks.map(({ task }) => task));
  return { outputs: Object.fromEntries(tasks.map(({ id }, index) => [id, outputs[index]!] as const)) };
}

/** Builds orders into `built` as far as they fit one answer, the first in any case, and gives their attempts. One whose input cannot be made takes no room. */
export function grantOrders(refs: readonly AttemptRef[], build: (ref: AttemptRef) => WorkOrder | Failure, built: Map<number, WorkOrder | Failure>): AttemptRef[] {
  let room = MAX_MESSAGE_CHARACTERS;
  const granted: AttemptRef[] = [];
  for (const ref of refs) {
    const order = build(ref);
    room -= "code" in order ? 0 : measureOrder(order);
    if (granted.length > 0 && room < 0) break;
    granted.push(ref);
    built.set(ref.task, order);
  }
  return granted;
}

/** A callback address that works for this attempt only. The token names the workflow, so that the answer finds its object; only a hash of its secret is kept. */
function createCallback(session: OrderSource, ref: AttemptRef, newSecret: () => string, writes: (() => void)[]): { url: string; token: string } {
  const secret = newSecret();
  writes.push(() => session.store.addCallback(hashSecret(secret), ref.task, ref.attempt));
  const token = createCallbackToken(session.identity, secret);
  return { url: `${session.identity.origin}/v1/callbacks/${token}`, token };
}

/** What stands in the address: base64url of the way to the object and the secret that it knows the hash of. */
export function createCallbackToken({ tenant, workflowId }: Identity, secret: string): string {
  return btoa(`${tenant}:${workflowId}:${secret}`).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** SHA-256 in hex, synchronous: it is needed inside a transaction, where nothing can be awaited. */
export function hashSecret(secret: string): string {
  return sha256(new TextEncoder().encode(secret)).reduce((hex, byte) => hex + byte.toString(16).padStart(2, "0"), "");
}
