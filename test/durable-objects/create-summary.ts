import type { BudgetView, WorkflowSummary } from "../../src/api/ports/workflow-port.ts";

/** The budget of a workflow that has none and has spent nothing. */
export const NO_BUDGET: BudgetView = {
  maxUsd: null,
  spentUsd: 0,
  reservedUsd: 0,
  remainingUsd: null,
  maxTokens: null,
  spentTokens: 0,
  reservedTokens: 0,
  remainingTokens: null,
  forecastUsd: null,
  forecastTokens: null,
};

/** What the index is told of a workflow of one task that runs. `createdAt` in Unix ms. */
export function createSummary(id: string, createdAt: number, changes: Partial<WorkflowSummary> = {}): WorkflowSummary {
  return {
    id,
    name: null,
    status: "running",
    createdAt: new Date(createdAt).toISOString(),
    startedAt: null,
    finishedAt: null,
    metadata: {},
    progress: { total: 1, completed: 0, failed: 0, skipped: 0, running: 0, percent: 0 },
    usage: { inputTokens: 0, outputTokens: 0, costUsd: 0, baselineUsd: 0, savedPercent: 0 },
    budget: NO_BUDGET,
    error: null,
    result: null,
    ...changes,
  };
}
