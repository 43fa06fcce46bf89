import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { expect, vi } from "vitest";
import type { CreateAnswer, CreateRequest, WorkflowPort, WorkflowView } from "../../src/api/ports/workflow-port.ts";
import { Settings } from "../../src/config/settings.ts";
import type { AttemptPort, TaskMessage } from "../../src/consumer/attempt-port.ts";
import type { AttemptCall, Outcome } from "../../src/consumer/work-order.ts";
import { WorkflowStore } from "../../src/durable-objects/workflow/stores/workflow-store.ts";
import { WorkflowSession } from "../../src/durable-objects/workflow/workflow-session.ts";
import type { Failure, Json } from "../../src/errors.ts";
import type { LoggedEvent } from "../../src/workflow/events.ts";
import { AgentDefinition } from "../../src/workflow/spec/agent.ts";
import { WorkflowSpec } from "../../src/workflow/spec/spec.ts";
import { nextWakeAt } from "../../src/workflow/timers.ts";

export const SETTINGS = Settings.parse({});
export const DAY_MS = 86_400_000;
export const TENANT = "default";

export type Workflow = DurableObjectStub & WorkflowPort & AttemptPort;

const platformNow = Date.now.bind(Date);
/** The objects' clock runs ahead of the platform's, so that an alarm comes only when a test runs it. */
let aheadMs = 3_600_000;
vi.spyOn(Date, "now").mockImplementation(() => platformNow() + aheadMs);

export function pass(ms: number): void {
  aheadMs += ms;
}

const queue = Object.getPrototypeOf(env.TASKS_NORMAL) as Queue;
const sendBatch = vi.spyOn(queue, "sendBatch").mockResolvedValue({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } });

/** Messages that a workflow has put on the queues; nobody consumes them but the test. */
export function sentMessages(workflow: Workflow): TaskMessage[] {
  const messages = sendBatch.mock.calls.flatMap(([batch]) => [...batch].map(({ body }) => body as TaskMessage));
  return messages.filter((message) => workflow.name === `${message.tenant}:${message.workflowId}`);
}

/** What an HTTP agent is sent. */
export interface AgentCall {
  headers: Headers;
  body: { workflowId: string; taskId: string; attempt: number; input: Json; dependencies: Record<string, Json>; callback?: { url: string; token: string } };
}

type Answer = (call: AgentCall) => Response | Promise<Response>;

const agents = new Map<string, Answer>();
export const calls: (AgentCall & { url: string })[] = [];
vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
  const call = { url: String(input), headers: new Headers(init?.headers), body: JSON.parse(String(init?.body)) as AgentCall["body"] };
  calls.push(call);
  const answer = agents.get(call.url);
  if (answer === undefined) throw new TypeError(`nobody listens at ${call.url}`);
  return answer(call);
});

/** An HTTP agent of this test's own, with how it answers. */
export function listen(answer: Answer): string {
  const url = `https://agent-${agents.size + 1}.example/run`;
  agents.set(url, answer);
  return url;
}

export const never = (): Promise<Response> => new Promise(() => undefined);
export const answer = (output: Json, usage?: Json): Response => Response.json({ output, ...(usage === undefined ? {} : { usage }) });

export function callsOf(taskId: string, workflow: Workflow): (AgentCall & { url: string })[] {
  return calls.filter(({ body }) => body.taskId === taskId && workflow.name === `${TENANT}:${body.workflowId}`);
}

export const llm = AgentDefinition.parse({ kind: "llm" });
export const transform = (expression: string): AgentDefinition => AgentDefinition.parse({ kind: "transform", expression });
export const http = (url: string, mode: "sync" | "callback" = "sync"): AgentDefinition => AgentDefinition.parse({ kind: "http", url, mode });

let workflows = 0;

export function openWorkflow(name = `${TENANT}:w${(workflows += 1)}`): Workflow {
  return env.WORKFLOW.getByName(name) as unknown as Workflow;
}

export const idOf = (workflow: Workflow): string => workflow.name!.split(":")[1]!;

export type RequestChanges = Partial<Omit<CreateRequest, "spec">> & { spec?: Partial<WorkflowSpecInput> };
type WorkflowSpecInput = Record<Exclude<keyof WorkflowSpec, "tasks">, unknown>;

/** A request over `tasks`, each with the defaults of a posted one. */
export function requestOf(workflow: Workflow, tasks: readonly object[], { spec, ...changes }: RequestChanges = {}): CreateRequest {
  return {
    tenant: TENANT,
    workflowId: idOf(workflow),
    spec: WorkflowSpec.parse({ tasks, ...spec }) as WorkflowSpec,
    agents: { llm, one: transform("1"), pass: transform("input") },
    origin: "https://weft.example",
    requestId: "request-1",
    idempotency: null,
    rerunOf: null,
    ...changes,
  };
}

export async function start(workflow: Workflow, tasks: readonly object[], changes: RequestChanges = {}): Promise<WorkflowView> {
  return created(await workflow.create(requestOf(workflow, tasks, changes)));
}

export function created(answered: CreateAnswer): WorkflowView {
  if (!("workflow" in answered)) throw new Error(`not created: ${JSON.stringify(answered)}`);
  return answered.workflow;
}

export async function view(workflow: Workflow, waitMs = 0): Promise<WorkflowView & Required<Pick<WorkflowView, "tasks">>> {
  const read = await workflow.read({ withTasks: true, waitMs });
  if ("problem" in read) throw new Error(read.detail);
  return { ...read, tasks: read.tasks! };
}

/** The whole log, read in pages of a size that cuts steps apart. */
export async function readLog(workflow: Workflow): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  for (let after = 0, isMore = true; isMore; after = events.length) {
    const page = await workflow.readEvents({ after, limit: 7 });
    if ("problem" in page) throw new Error(page.detail);
    events.push(...page.items);
    isMore = page.nextCursor !== null;
  }
  return events;
}

/** What happened to one task, or to the workflow (null), in order: `type attempt`. */
export async function story(workflow: Workflow, taskId: string | null): Promise<string[]> {
  const events = (await readLog(workflow)).filter((event) => (event.taskId ?? null) === taskId);
  return events.map(({ type, data }) => ("attempt" in data ? `${type.split(".")[1]} ${data.attempt}` : type.split(".")[1]!));
}

export function call(changes: Partial<AttemptCall> = {}): AttemptCall {
  return { at: Date.now(), provider: "p", model: "m", inputTokens: 10, outputTokens: 5, cachedTokens: 0, costNanoUsd: 1_000, baselineNanoUsd: 4_000, estimated: false, call: 0, tier: null, taskType: null, isOverCap: false, ...changes };
}

export function completed(output: Json, paid: AttemptCall[] = []): Outcome {
  return { status: "completed", output, calls: paid, route: null, context: null };
}

export function failed(changes: Partial<Failure> = {}, paid: AttemptCall[] = []): Outcome {
  return { status: "failed", failure: { code: "agent_unavailable", message: "down", retryable: true, ...changes }, retryAfterMs: null, calls: paid, route: null };
}

/** When the alarm is armed for (Unix ms), and when the stored state next needs it. */
export async function readAlarm(workflow: Workflow): Promise<{ armedAt: number; neededAt: number }> {
  return runInDurableObject(workflow, async (_object, state) => {
    const session = WorkflowSession.load(new WorkflowStore(state.storage), { now: () => Date.now(), random: Math.random, newSecret: () => "", settings: SETTINGS, dispatchSettings: () => SETTINGS.dispatch });
    // Renewals are not stored: a claimed attempt may live for another lease.
    for (const task of session?.run.tasks ?? []) if (task.status === "running" && task.channel === "queue") task.leaseUntil = Date.now() + SETTINGS.dispatch.leaseMs;
    const neededAt = session === null ? Infinity : nextWakeAt(session.run, SETTINGS.dispatch.timeoutGraceMs);
    return { armedAt: (await state.storage.getAlarm()) ?? Infinity, neededAt };
  });
}

/** Ends the object's memory at once, with everything that it was waiting for; what is stored stays. */
export async function kill(workflow: Workflow): Promise<Workflow> {
  await runInDurableObject(workflow, (_object, state) => state.abort("killed by the test")).catch(() => undefined);
  return openWorkflow(workflow.name!);
}

export function query(workflow: Workflow, sql: string, ...parameters: SqlStorageValue[]): Promise<Record<string, SqlStorageValue>[]> {
  return runInDurableObject(workflow, (_object, state) => state.storage.sql.exec(sql, ...parameters).toArray());
}

/** Fails if anything was stored. */
export async function expectEmpty(workflow: Workflow): Promise<void> {
  expect(await query(workflow, "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'")).toEqual([]);
  expect(await runInDurableObject(workflow, (_object, state) => state.storage.getAlarm())).toBeNull();
}
