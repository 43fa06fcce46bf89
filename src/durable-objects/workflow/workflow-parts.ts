import type { CreateRequest } from "../../api/ports/workflow-port.ts";
import { createBudgetState } from "../../workflow/budget/budget-state.ts";
import { EMPTY_BOOKS, type StoredBooks } from "../../workflow/budget/ledger.ts";
import type { TaskOutlook } from "../../workflow/outlook.ts";
import { createTaskState, type RunState, type TaskState } from "../../workflow/run.ts";
import type { AgentDefinition } from "../../workflow/spec/agent.ts";
import type { TaskSpec } from "../../workflow/spec/spec.ts";
import type { Identity, Totals, WorkflowStore } from "./stores/workflow-store.ts";

/** What a workflow in memory is made of. */
export interface WorkflowParts {
  identity: Identity;
  agents: Record<string, AgentDefinition>;
  plannedModels: Record<string, string>;
  specs: readonly TaskSpec[];
  state: RunState;
  tasks: TaskState[];
  books: Omit<StoredBooks, "leases">;
  outlook: TaskOutlook[] | null;
  totals: Totals;
  lastSeq: number;
  /** Nothing has come of it yet: it was made in this memory just now. */
  isNew: boolean;
}

/** What is stored; null when there is no workflow. */
export function readParts(store: WorkflowStore): WorkflowParts | null {
  if (!store.hasSchema()) return null;
  store.migrate();
  const identity = store.read("identity");
  if (identity === null) return null;
  const specs = store.readTaskSpecs();
  return {
    identity,
    agents: store.readAgents(),
    plannedModels: store.read("plannedModels") ?? {},
    specs,
    state: { budget: createBudgetState(), isLimited: false, ...store.read("state")! },
    tasks: store.steps.readTaskStates(specs.length),
    books: store.calls.readBooks(),
    outlook: store.read("outlook"),
    totals: store.read("totals") ?? createTotals(),
    lastSeq: store.steps.readLastSeq(),
    isNew: false,
  };
}

/** Stores what is fixed of a new workflow. Its state is stored with its first step, which belongs in the same transaction. */
export function storeNew(store: WorkflowStore, request: CreateRequest, now: number): WorkflowParts {
  const { tasks, input, ...spec } = request.spec;
  const { tenant, workflowId, origin, requestId, agents, plannedModels = {}, outlook, ownBudgets } = request;
  const identity: Identity = { tenant, workflowId, origin, requestId, spec, ...(ownBudgets === undefined ? {} : { ownBudgets }) };
  store.addNew({ identity, input, ...(Object.keys(plannedModels).length === 0 ? {} : { plannedModels }), ...(outlook === undefined ? {} : { outlook }) }, agents, tasks);
  const state: RunState = { status: "pending", createdAt: now, startedAt: null, finishedAt: null, deadlineAt: null, isFailing: false, error: null, budget: createBudgetState(), isLimited: request.isLimited ?? false };
  return { identity, agents, plannedModels, specs: tasks, state, tasks: tasks.map(createTaskState), books: EMPTY_BOOKS, outlook: outlook ?? null, totals: createTotals(), lastSeq: 0, isNew: true };
}

function createTotals(): Totals {
  return { inputTokens: 0, outputTokens: 0, costNanoUsd: 0, baselineNanoUsd: 0 };
}
