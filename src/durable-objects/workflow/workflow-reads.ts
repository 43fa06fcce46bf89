import type { Checkpoint, LedgerLine, Page, TaskView } from "../../api/ports/workflow-port.ts";
import type { Problem } from "../../errors.ts";
import { NANO_USD_PER_USD } from "../../nano-usd.ts";
import type { LoggedEvent } from "../../workflow/events.ts";
import { refuseFaulty } from "../../workflow/faults/fault-list.ts";
import { findDescendants } from "../../workflow/graph.ts";
import { isoTime } from "../storage/iso-time.ts";
import type { WorkflowSession } from "./workflow-session.ts";
import { viewTasks } from "./workflow-view.ts";

/** Outputs in one answer to a rerun's new object: well under the 32 MiB of an RPC message. */
const MAX_OUTPUTS_ANSWER_BYTES = 8_388_608;

/** A page of tasks in the spec's order. */
export function listTasks(session: WorkflowSession, { status, limit, cursor }: { status: string | null; limit: number; cursor: string | null }): Page<TaskView> {
  const { tasks } = session.run;
  const numbers: number[] = [];
  for (let task = Number(cursor ?? 0); task < tasks.length && numbers.length <= limit; task += 1) {
    if (status === null || tasks[task]!.status === status) numbers.push(task);
  }
  const items = viewTasks(session, numbers.slice(0, limit));
  return { items, nextCursor: numbers.length > limit ? String(numbers[limit]) : null };
}

/** What a rerun starts from; `from`: the tasks that run again with all that follows from them, null for those that are not completed. */
export function readCheckpoint(session: WorkflowSession, from: readonly string[] | null): Checkpoint | Problem {
  const errors = (from ?? []).flatMap((id, index) => (session.taskNumbers.has(id) ? [] : [{ path: `/from/${index}`, message: `there is no task ${id} in this workflow` }]));
  if (errors.length > 0) return refuseFaulty(errors);
  if (!session.isFinal) return { problem: "conflict", detail: `The workflow is ${session.run.state.status}: cancel it or wait for its end before a rerun.` };
  const { run, identity, store } = session;
  const numbers = from?.map((id) => session.taskNumbers.get(id)!) ?? run.tasks.flatMap((state, task) => (state.status === "completed" ? [] : [task]));
  const again = findDescendants(run.plan.graph, numbers);
  const reusable = run.plan.tasks.flatMap((task, number) => (run.tasks[number]!.status === "completed" && !again.has(number) ? [task.id] : []));
  return { spec: { ...identity.spec, tasks: [...store.readTaskSpecs()], input: store.read("input") }, agents: session.agents, reusable };
}

/** A page of the log, ascending. */
export function readEvents({ store, lastSeq }: WorkflowSession, { after, limit }: { after: number; limit: number }): Page<LoggedEvent> {
  const items = store.steps.readEvents(after, limit);
  const last = items.at(-1)?.seq ?? after;
  return { items, nextCursor: last < lastSeq ? String(last) : null };
}

/** A page of the calls that were made, newest first. */
export function readLedger({ store, identity, run }: WorkflowSession, { limit, cursor }: { limit: number; cursor: string | null }): Page<LedgerLine> {
  const calls = store.calls.readCalls(cursor === null ? null : Number(cursor), limit + 1);
  const items = calls.slice(0, limit).map(({ task, attempt, isLate, at, costNanoUsd, provider, model, inputTokens, outputTokens, cachedTokens, estimated }) => ({
    at: isoTime(at),
    workflowId: identity.workflowId,
    taskId: run.plan.tasks[task]!.id,
    attempt,
    provider,
    model,
    inputTokens,
    outputTokens,
    cachedTokens,
    estimated,
    costUsd: costNanoUsd / NANO_USD_PER_USD,
    late: isLate,
  }));
  return { items, nextCursor: calls.length > limit ? String(calls[limit - 1]!.id) : null };
}

/** Outputs as JSON texts, in the order asked for: as many as fit one answer, the first in any case. */
export function readOutputs({ store, taskNumbers }: WorkflowSession, taskIds: readonly string[]): { taskId: string; json: string }[] {
  const outputs: { taskId: string; json: string }[] = [];
  let bytes = 0;
  for (const taskId of taskIds) {
    const json = store.steps.readOutputJson(taskNumbers.get(taskId) ?? -1) ?? "null";
    bytes += json.length;
    if (outputs.length > 0 && bytes > MAX_OUTPUTS_ANSWER_BYTES) break;
    outputs.push({ taskId, json });
  }
  return outputs;
}
