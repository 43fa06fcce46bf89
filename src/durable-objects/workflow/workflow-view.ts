import type { TaskView, WorkflowSummary, WorkflowView } from "../../api/ports/workflow-port.ts";
import type { Json } from "../../errors.ts";
import { NANO_USD_PER_USD } from "../../nano-usd.ts";
import { findLastTasks } from "../../workflow/graph.ts";
import { MAX_VALUE_BYTES } from "../../workflow/json/json-size.ts";
import type { WorkflowSession } from "./workflow-session.ts";
import type { CallStore } from "./stores/call-store.ts";
import { describeBudget } from "./describe-budget.ts";
import { isoTime } from "../storage/iso-time.ts";
import type { TaskDetail } from "./stores/step-store.ts";

/** Larger outputs are left out of a workflow's answer and asked for one by one (contract). */
export const MAX_SHOWN_OUTPUT_BYTES = 16_384;
/** All outputs of one answer together (contract). */
export const MAX_SHOWN_OUTPUTS_BYTES = 4_194_304;
/** Larger results are left out of lists: two million that long still fit the 10 GB of a tenant's object. */
export const MAX_LISTED_RESULT_BYTES = 4_096;
const NO_USAGE: ReturnType<CallStore["readUsage"]> = new Map();

/** What lists and the tenant's index show of a workflow: all but tasks and waves, and a result only where it is short. */
export function viewSummary(session: WorkflowSession): WorkflowSummary {
  return { ...viewHead(session), ...viewResult(session, MAX_LISTED_RESULT_BYTES) };
}

function viewHead(session: WorkflowSession): Omit<WorkflowSummary, "result" | "resultBytes"> {
  const { identity, run, totals } = session;
  const { counts, live } = run.index;
  const total = run.plan.graph.size;
  return {
    id: identity.workflowId,
    name: identity.spec.name,
    status: run.state.status,
    createdAt: isoTime(run.state.createdAt),
    startedAt: isoTime(run.state.startedAt),
    finishedAt: isoTime(run.state.finishedAt),
    metadata: identity.spec.metadata,
    progress: { total, completed: counts.completed, failed: counts.failed, skipped: counts.skipped, running: live.size, percent: Math.round((counts.final / total) * 1_000) / 10 },
    usage: {
      inputTokens: totals.inputTokens,
      outputTokens: totals.outputTokens,
      costUsd: totals.costNanoUsd / NANO_USD_PER_USD,
      baselineUsd: totals.baselineNanoUsd / NANO_USD_PER_USD,
      savedPercent: totals.baselineNanoUsd === 0 ? 0 : Math.round((1 - totals.costNanoUsd / totals.baselineNanoUsd) * 1_000) / 10,
    },
    budget: describeBudget(run, session.outlook),
    error: run.state.error,
  };
}

/** The whole workflow as `GET` answers it. O(tasks), unless they are left out. */
export function viewWorkflow(session: WorkflowSession, withTasks: boolean): WorkflowView {
  const { run } = session;
  const view: WorkflowView = { ...viewHead(session), ...viewResult(session, MAX_VALUE_BYTES) };
  view.waves = run.plan.graph.waves.map((wave) => wave.map((task) => run.plan.tasks[task]!.id));
  if (!withTasks) return view;
  view.tasks = {};
  for (const { id, ...task } of viewTasks(session, run.plan.tasks.map((_, task) => task))) view.tasks[id] = task;
  return view;
}

/** Tasks as an answer shows them, outputs within its limits. Outputs that are not shown are not read. */
export function viewTasks(session: WorkflowSession, tasks: readonly number[]): TaskView[] {
  const { run, store } = session;
  if (session.isBlank) return tasks.map((task) => viewStored(session, { task, detail: null }, null, NO_USAGE));
  let shownBytes = 0;
  const shown = tasks.filter((task) => {
    const { outputBytes } = run.tasks[task]!;
    if (outputBytes === null || outputBytes > MAX_SHOWN_OUTPUT_BYTES || shownBytes + outputBytes > MAX_SHOWN_OUTPUTS_BYTES) return false;
    shownBytes += outputBytes;
    return true;
  });
  const jsons = store.steps.readOutputJsons(shown);
  const isShown = new Set(shown);
  const details = store.steps.readDetails(tasks);
  const usage = store.calls.readUsage(tasks.length === 1 ? tasks[0]! : null);
  return tasks.map((task) => viewStored(session, { task, detail: details.get(task) ?? null }, isShown.has(task) ? (jsons.get(task) ?? null) : null, usage));
}

/** One task whole, whatever the size of its output. */
export function viewTask(session: WorkflowSession, task: number): TaskView {
  const { steps, calls } = session.store;
  return viewStored(session, { task, detail: steps.readDetails([task]).get(task) ?? null }, steps.readOutputJson(task), calls.readUsage(task));
}

function viewStored(session: WorkflowSession, { task, detail }: { task: number; detail: TaskDetail | null }, outputJson: string | null, usage: ReturnType<CallStore["readUsage"]>): TaskView {
  const { run } = session;
  const state = run.tasks[task]!;
  const used = usage.get(task);
  return {
    id: run.plan.tasks[task]!.id,
    status: state.status,
    attempt: state.attempt,
    wave: run.plan.graph.wave[task]!,
    agent: session.agentNames[task]!,
    output: outputJson === null ? null : (JSON.parse(outputJson) as Json),
    ...(state.outputBytes !== null && outputJson === null ? { outputBytes: state.outputBytes } : {}),
    startedAt: isoTime(state.startedAt),
    finishedAt: isoTime(state.finishedAt),
    route: detail?.route ?? null,
    usage: used === undefined ? null : { inputTokens: used.inputTokens, outputTokens: used.outputTokens, costUsd: used.costNanoUsd / NANO_USD_PER_USD },
    context: detail?.context ?? null,
    error: state.failure,
  };
}

/** The result: what the spec's expression gave, else the outputs of the last tasks by id. One that has more than `maxBytes` is left out. */
function viewResult({ run, store, identity }: WorkflowSession, maxBytes: number): Pick<WorkflowSummary, "result" | "resultBytes"> {
  if (run.state.status !== "completed") return { result: null };
  const last = identity.spec.result === undefined ? findLastTasks(run.plan.graph) : null;
  const bytes = last === null ? store.measure("result") : last.reduce((sum, task) => sum + (run.tasks[task]!.outputBytes ?? 0), 0);
  if (bytes > maxBytes) return { result: null, resultBytes: bytes };
  if (last === null) return { result: store.read("result") };
  const outputs = store.steps.readOutputJsons(last);
  return { result: Object.fromEntries(last.map((task) => [run.plan.tasks[task]!.id, JSON.parse(outputs.get(task) ?? "null") as Json])) };
}
