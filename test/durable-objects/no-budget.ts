import type { BudgetView } from "../../src/api/workflow-port.ts";

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
