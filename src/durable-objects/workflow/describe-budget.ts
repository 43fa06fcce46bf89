import type { BudgetView, WorkflowSummary } from "../../api/ports/workflow-port.ts";
import { NANO_USD_PER_USD } from "../../nano-usd.ts";
import { forecast } from "../../optimizer/forecast.ts";
import type { Outlook } from "../../workflow/outlook.ts";
import type { Run } from "../../workflow/run.ts";

/** A workflow's budget as answers and expressions show it. */
export function describeBudget({ ledger }: Run, outlook: Outlook | null): BudgetView {
  const { spent, reserved } = ledger.workflow;
  const { nanoUsd, tokens } = ledger.cap;
  const expected = outlook === null ? null : forecast({ spent, ...outlook });
  return {
    maxUsd: nanoUsd === null ? null : nanoUsd / NANO_USD_PER_USD,
    spentUsd: spent.nanoUsd / NANO_USD_PER_USD,
    reservedUsd: reserved.nanoUsd / NANO_USD_PER_USD,
    // What is held comes back or is spent: it is not left.
    remainingUsd: nanoUsd === null ? null : Math.max(0, nanoUsd - spent.nanoUsd - reserved.nanoUsd) / NANO_USD_PER_USD,
    maxTokens: tokens,
    spentTokens: spent.tokens,
    reservedTokens: reserved.tokens,
    remainingTokens: tokens === null ? null : Math.max(0, tokens - spent.tokens - reserved.tokens),
    forecastUsd: expected === null ? null : expected.nanoUsd / NANO_USD_PER_USD,
    forecastTokens: expected?.tokens ?? null,
  };
}

/** The same where no more is known than what was spent. */
export function describeSpending({ costUsd, inputTokens, outputTokens }: WorkflowSummary["usage"]): BudgetView {
  return {
    maxUsd: null,
    spentUsd: costUsd,
    reservedUsd: 0,
    remainingUsd: null,
    maxTokens: null,
    spentTokens: inputTokens + outputTokens,
    reservedTokens: 0,
    remainingTokens: null,
    forecastUsd: null,
    forecastTokens: null,
  };
}
