import { IDEMPOTENCY_MS, KEY_IS_TAKEN } from "../../api/ports/idempotency-record.ts";
import type { CreateAnswer, CreateRequest, WorkflowView } from "../../api/ports/workflow-port.ts";
import type { AttemptPort } from "../../consumer/attempt-port.ts";
import type { Problem } from "../../errors.ts";
import { utf8Length } from "../../workflow/json/utf8-length.ts";
import type { Applied } from "./workflow-change.ts";
import { storeNew } from "./workflow-parts.ts";
import { type SessionDeps, WorkflowSession } from "./workflow-session.ts";
import type { WorkflowStore } from "./stores/workflow-store.ts";
import { viewWorkflow } from "./workflow-view.ts";

interface CreateDeps extends SessionDeps {
  workflow: (tenant: string, workflowId: string) => Pick<AttemptPort, "readOutputs">;
}

type RecordedAnswer = { kind: "replayed"; body: string } | { kind: "expired" } | Problem;

/** What the record of an earlier creation says to this key and body; null when the key was not seen here. */
export function findRecordedAnswer(store: WorkflowStore, idempotency: { key: string; bodyHash: string } | null, now: number): RecordedAnswer | null {
  const record = store.hasSchema() ? store.read("idempotency") : null;
  if (record === null || idempotency?.key !== record.key) return null;
  if (now - record.createdAt >= IDEMPOTENCY_MS) {
    store.write("idempotency", { ...record, expiredAt: now });
    return { kind: "expired" };
  }
  if (record.bodyHash === idempotency.bodyHash && record.madeId === undefined) return { kind: "replayed", body: store.readAnswer(record.parts) };
  return KEY_IS_TAKEN;
}

/** What an object that was used before answers to another creation; null when it is free. */
export function findEarlierAnswer(store: WorkflowStore, session: WorkflowSession | null, request: CreateRequest, now: number): CreateAnswer | null {
  const recorded = findRecordedAnswer(store, request.idempotency, now);
  if (recorded !== null || session === null) return recorded;
  return { problem: "conflict", detail: `The id ${request.workflowId} is taken: choose another, or leave it out.` };
}

/** Stores a new workflow and takes its first step, in one transaction (after taking over the outputs that a rerun reuses). `workflow`: as it was made; null where nobody asks for that. */
export async function createWorkflow(store: WorkflowStore, request: CreateRequest, deps: CreateDeps): Promise<{ session: WorkflowSession; applied: Applied; workflow: WorkflowView | null } | Problem> {
  const reused = request.rerunOf === null ? [] : await takeOutputs(store, request, request.rerunOf, deps);
  if ("problem" in reused) return reused;
  return store.transaction(() => {
    store.migrate();
    const session = new WorkflowSession(store, storeNew(store, request, deps.now()), deps);
    const applied = session.apply({ type: "create", reused });
    const workflow = request.answer === undefined || request.idempotency !== null ? viewWorkflow(session, true) : null;
    if (request.idempotency !== null) {
      store.write("idempotency", { ...request.idempotency, createdAt: deps.now(), parts: store.writeAnswer(JSON.stringify(workflow)) });
    }
    return { session, applied, workflow };
  });
}

/** Removes a deleted workflow's data; an idempotency record stays until nobody can need it, then the alarm removes it too. */
export async function forgetWorkflow(storage: DurableObjectStorage, store: WorkflowStore, now: number): Promise<void> {
  const record = store.hasSchema() ? store.read("idempotency") : null;
  const neededUntil = record === null ? 0 : Math.max(record.createdAt, record.expiredAt ?? 0) + IDEMPOTENCY_MS;
  if (neededUntil <= now) {
    await store.clear();
    return;
  }
  store.transaction(() => store.removeAllButAnswer());
  await storage.setAlarm(neededUntil);
}

/**
 * Copies outputs from the workflow that is run again, page by page: all together they may be more than the memory holds. They belong to
 * nothing until the workflow is stored; what a copy that was cut off left behind goes first.
 */
async function takeOutputs(store: WorkflowStore, { tenant, spec }: CreateRequest, source: { workflowId: string; tasks: readonly string[] }, deps: CreateDeps): Promise<{ task: number; outputBytes: number }[] | Problem> {
  const taskNumbers = new Map(spec.tasks.map(({ id }, task) => [id, task]));
  const reused: { task: number; outputBytes: number }[] = [];
  if (store.hasSchema()) store.transaction(() => store.removeAllButAnswer());
  while (reused.length < source.tasks.length) {
    const page = await deps.workflow(tenant, source.workflowId).readOutputs(source.tasks.slice(reused.length));
    if (page.length === 0) return { problem: "conflict", detail: `The workflow ${source.workflowId} was deleted while its outputs were read.` };
    store.transaction(() => {
      store.migrate();
      for (const { taskId, json } of page) {
        const [task, outputBytes] = [taskNumbers.get(taskId)!, utf8Length(json)];
        store.steps.writeOutput(task, json, outputBytes);
        reused.push({ task, outputBytes });
      }
    });
  }
  return reused;
}
