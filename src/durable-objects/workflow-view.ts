import type { TaskView, WorkflowSummary, WorkflowView } from "../api/workflow-port.ts";
import type { Json } from "../errors.ts";
import { findLastTasks } from "../workflow/graph.ts";
import { createTaskState } from "../workflow/run.ts";
import { MAX_VALUE_BYTES } from "../workflow/json-size.ts";
import type { WorkflowSession } from "./workflow-session.ts";
import type { StoredTask } from "./workflow-store.ts";

/** Larger outputs are left out of a workflow's answer and asked for one by one (contract). */
export const MAX_SHOWN_OUTPUT_BYTES = 16_384;
/** All outputs of one answer together (contract). */
export const MAX_SHOWN_OUTPUTS_BYTES = 4_194_304;
const NANO = 1_000_000_000;

/** What lists and the tenant's index show of a workflow. */
export function viewSummary(session: WorkflowSession): WorkflowSummary {
  const { identity, run, totals } = session;
  const { counts, live } = run.index;
  const total = run.plan.graph.size;
  return {
    id: identity.workflowId,
    name: identity.spec.name,
    status: run.state.status,
    createdAt: isoTime(run.state.createdAt)!,
    startedAt: isoTime(run.state.startedAt),
    finishedAt: isoTime(run.state.finishedAt),
    metadata: identity.spec.metadata,
    progress: { total, completed: counts.completed, failed: counts.failed, skipped: counts.skipped, running: live.size, percent: Math.round((counts.final / total) * 1_000) / 10 },
    usage: {
      inputTokens: totals.inputTokens,
      outputTokens: totals.outputTokens,
      costUsd: totals.costNanoUsd / NANO,
      baselineUsd: totals.baselineNanoUsd / NANO,
      savedPercent: totals.baselineNanoUsd === 0 ? 0 : Math.round((1 - totals.costNanoUsd / totals.baselineNanoUsd) * 1_000) / 10,
    },
    error: run.state.error,
  };
}

/** The whole workflow as `GET` answers it. O(tasks), unless they are left out. */
export function viewWorkflow(session: WorkflowSession, withTasks: boolean): WorkflowView {
  const { run } = session;
  const view: WorkflowView = { ...viewSummary(session), result: viewResult(session) };
  if (!withTasks) return view;
  view.waves = run.plan.graph.waves.map((wave) => wave.map((task) => run.plan.tasks[task]!.id));
  view.tasks = {};
  for (const { id, ...task } of viewTasks(session, { first: 0, limit: run.plan.graph.size })) view.tasks[id] = task;
  return view;
}

/** Tasks in the spec's order from `first` on, outputs within the limits of one answer. */
export function viewTasks(session: WorkflowSession, query: { first: number; limit: number }): TaskView[] {
  const last = Math.min(query.first + query.limit, session.run.plan.graph.size);
  const stored = session.store.readStoredTasks({ ...query, status: null, maxOutputBytes: MAX_SHOWN_OUTPUT_BYTES });
  const storedByTask = new Map(stored.map((task) => [task.task, task]));
  const tasks = Array.from({ length: last - query.first }, (_, offset) => query.first + offset);
  return viewStored(session, tasks.map((task) => storedByTask.get(task) ?? createUntouched(task)));
}

/** One task whole, whatever the size of its output. */
export function viewTask(session: WorkflowSession, task: number): TaskView {
  return viewStored(session, [session.store.readStoredTask(task, MAX_VALUE_BYTES)], task)[0]!;
}

function createUntouched(task: number): StoredTask {
  return { task, state: createTaskState(), detail: null, outputBytes: null, outputJson: null };
}

/** Views of stored tasks; `only` says that usage of a single task is enough. */
export function viewStored(session: WorkflowSession, stored: readonly StoredTask[], only: number | null = null): TaskView[] {
  const { run, store } = session;
  const usage = store.readUsage(only);
  let shownBytes = 0;
  return stored.map(({ task, state, detail, outputBytes, outputJson }) => {
    const isShown = outputJson !== null && (only !== null || shownBytes + outputBytes! <= MAX_SHOWN_OUTPUTS_BYTES);
    if (isShown) shownBytes += outputBytes!;
    const used = usage.get(task);
    return {
      id: run.plan.tasks[task]!.id,
      status: state.status,
      attempt: state.attempt,
      wave: run.plan.graph.wave[task]!,
      agent: session.agentNames[task]!,
      output: isShown ? (JSON.parse(outputJson) as Json) : null,
      ...(outputBytes !== null && !isShown ? { outputBytes } : {}),
      startedAt: isoTime(state.startedAt),
      finishedAt: isoTime(state.finishedAt),
      route: detail?.route ?? null,
      usage: used === undefined ? null : { inputTokens: used.inputTokens, outputTokens: used.outputTokens, costUsd: used.costNanoUsd / NANO },
      context: detail?.context ?? null,
      error: state.failure,
    };
  });
}

/** The result: what the spec's expression gave, else the outputs of the last tasks by id, as long as they come to no more than a value may have. */
function viewResult(session: WorkflowSession): Json {
  const { run, store, identity } = session;
  if (run.state.status !== "completed") return null;
  if (identity.spec.result !== undefined) return store.read("result");
  const last = findLastTasks(run.plan.graph);
  const bytes = last.reduce((sum, task) => sum + store.readOutputBytes(task), 0);
  if (bytes > MAX_VALUE_BYTES) return null;
  return Object.fromEntries(last.map((task) => [run.plan.tasks[task]!.id, JSON.parse(store.readOutputJson(task) ?? "null") as Json]));
}

export function isoTime(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
