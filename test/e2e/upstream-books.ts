import type { LedgerLine } from "../../src/api/ports/workflow-port.ts";
import type { ModelPrice } from "../../src/config/tiers.ts";
import type { LoggedEvent } from "../../src/workflow/events.ts";
import type { LlmCall, ServedUsage } from "../fixtures/fake-llm.ts";

/** The provider's side of the money, reckoned by nothing of the product: by model, what a million tokens cost. */
export type Prices = Readonly<Record<string, ModelPrice>>;

/** Marks a prompt as that of a task, so that a call can be told by what the provider received. */
export function markPrompt(taskId: string, rest = ""): { prompt: string } {
  return { prompt: `<<${taskId}>> ${rest}` };
}

export function taskOf({ prompt }: LlmCall): string {
  return /<<([^>]+)>>/.exec(prompt)?.[1] ?? "";
}

export function nanoUsd(usd: number): number {
  return Math.round(usd * 1e9);
}

/** What a provider asks for a call, in nano-dollars, rounded up once. */
export function billOf(call: Pick<ServedUsage, "model" | "inputTokens" | "cachedTokens" | "outputTokens" | "reasoningTokens">, prices: Prices): number {
  const price = prices[call.model]!;
  const shares: [number, number][] = [
    [call.inputTokens - call.cachedTokens, price.inputPerMillionUsd],
    [call.cachedTokens, price.cachedInputPerMillionUsd ?? price.inputPerMillionUsd],
    [call.outputTokens - call.reasoningTokens, price.outputPerMillionUsd],
    [call.reasoningTokens, price.reasoningPerMillionUsd ?? price.outputPerMillionUsd],
  ];
  // Prices have four decimals at most here: ten-millionths of a nano-dollar are whole.
  const units = shares.reduce((sum, [tokens, perMillionUsd]) => sum + BigInt(tokens) * BigInt(Math.round(perMillionUsd * 1e4)), 0n);
  return Number((units + 9n) / 10n);
}

export function tokensOf({ inputTokens, outputTokens }: Pick<ServedUsage, "inputTokens" | "outputTokens">): number {
  return inputTokens + outputTokens;
}

export interface Spending {
  nanoUsd: number;
  tokens: number;
}

export function sumBills(served: readonly ServedUsage[], prices: Prices): Spending {
  return served.reduce((sum, call) => ({ nanoUsd: sum.nanoUsd + billOf(call, prices), tokens: sum.tokens + tokensOf(call) }), { nanoUsd: 0, tokens: 0 });
}

export function sumLedger(ledger: readonly LedgerLine[]): Spending {
  return ledger.reduce((sum, line) => ({ nanoUsd: sum.nanoUsd + nanoUsd(line.costUsd), tokens: sum.tokens + tokensOf(line) }), { nanoUsd: 0, tokens: 0 });
}

/**
 * The most that ever was billed and could still be billed at one moment, as the provider saw it: a call under way counts with the cap that
 * was sent.
 */
export function highestExposure(served: readonly ServedUsage[], prices: Prices): Spending {
  const moments = served.flatMap((call) => {
    const most = { ...call, outputTokens: Math.max(call.outputTokens, call.call.maxTokens ?? Infinity) };
    const [bill, worst] = [billOf(call, prices), billOf(most, prices)];
    return [
      { at: call.beganAt, nanoUsd: worst, tokens: tokensOf(most) },
      { at: call.endedAt, nanoUsd: bill - worst, tokens: tokensOf(call) - tokensOf(most) },
    ];
  });
  const now: Spending = { nanoUsd: 0, tokens: 0 };
  const highest: Spending = { nanoUsd: 0, tokens: 0 };
  for (const moment of moments.toSorted((left, right) => left.at - right.at)) {
    for (const unit of ["nanoUsd", "tokens"] as const) {
      now[unit] += moment[unit];
      highest[unit] = Math.max(highest[unit], now[unit]);
    }
  }
  return highest;
}

/** The totals of a budget event. */
interface Totals {
  spentUsd: number;
  reservedUsd: number;
  spentTokens: number;
  reservedTokens: number;
}

/** Replays the log from its first event: the most that was ever spent and held together, and whether the numbering is whole. */
export function replayBudget(events: readonly LoggedEvent[]): { highest: Spending; isWhole: boolean; last: Totals | null } {
  const totals = events.filter(({ type }) => type.startsWith("budget.")).map(({ data }) => (data as unknown as { workflow: Totals }).workflow);
  const highest = totals.reduce<Spending>((most, { spentUsd, reservedUsd, spentTokens, reservedTokens }) => ({ nanoUsd: Math.max(most.nanoUsd, nanoUsd(spentUsd) + nanoUsd(reservedUsd)), tokens: Math.max(most.tokens, spentTokens + reservedTokens) }), { nanoUsd: 0, tokens: 0 });
  return { highest, isWhole: events.every(({ seq }, index) => seq === index + 1), last: totals.at(-1) ?? null };
}

export interface Match {
  /** Lines that are to the nano-dollar what the provider billed, and estimates that cover a call whose answer did not arrive. */
  exact: number;
  covered: number;
  /** Estimates for calls that the provider never saw or refused. */
  unmade: LedgerLine[];
  /** Lines of answers that the provider did not give, and bills that no line stands for. Both must be empty. */
  invented: LedgerLine[];
  missing: ServedUsage[];
}

/** Holds the ledger against the provider's record, call by call. */
export function matchLedger(ledger: readonly LedgerLine[], served: readonly ServedUsage[], prices: Prices): Match {
  const open = Map.groupBy(served, (call) => `${taskOf(call.call)} ${call.model}`);
  for (const calls of open.values()) calls.sort((left, right) => billOf(right, prices) - billOf(left, prices));
  const take = (line: LedgerLine, fits: (call: ServedUsage) => boolean): boolean => {
    const calls = open.get(`${line.taskId} ${line.model}`) ?? [];
    const index = calls.findIndex(fits);
    if (index >= 0) calls.splice(index, 1);
    return index >= 0;
  };
  const isSame = (line: LedgerLine) => (call: ServedUsage): boolean =>
    call.inputTokens === line.inputTokens && call.outputTokens === line.outputTokens && call.cachedTokens === line.cachedTokens && billOf(call, prices) === nanoUsd(line.costUsd);
  const covers = (line: LedgerLine) => (call: ServedUsage): boolean => tokensOf(call) <= tokensOf(line) && billOf(call, prices) <= nanoUsd(line.costUsd);
  const reported = ledger.filter(({ estimated }) => !estimated);
  // The smallest first, each for the largest bill that it covers: so that none is left that another could have covered.
  const estimates = ledger.filter(({ estimated }) => estimated).toSorted((left, right) => left.costUsd - right.costUsd);
  const invented = reported.filter((line) => !take(line, isSame(line)));
  const unmade = estimates.filter((line) => !take(line, covers(line)));
  return { exact: reported.length - invented.length, covered: estimates.length - unmade.length, unmade, invented, missing: [...open.values()].flat() };
}
