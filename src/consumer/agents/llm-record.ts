import type { ModelEntry } from "../../config/tiers.ts";
import { priceCall, priceWorstCase } from "../../optimizer/price.ts";
import type { TokenMargins } from "../../optimizer/tokens/token-margin.ts";
import { estimateTokens } from "../../optimizer/tokens/tokens.ts";
import type { ProviderUsage } from "../../router/language-model.ts";
import type { ReportedCounts } from "../../router/wire-usage.ts";
import type { CallRecord } from "../work-order.ts";
import { mayBeServed } from "./llm-failure.ts";
import type { Answer } from "./llm-stream.ts";

export interface MadeCall {
  model: ModelEntry;
  baseline: ModelEntry | null;
  answer: Answer;
  estimatedInputTokens: number;
  /** What the call can have been billed for at most. */
  maxInputTokens: number;
  maxOutputTokens: number;
  /** The attempt's signal ended the call. */
  aborted: boolean;
  /** Unix ms. */
  at: number;
  margins: TokenMargins;
}

/**
 * The ledger's line for a call, or null when the provider refused it or was never asked, and so bills nothing.
 * What the provider did not report is estimated, within what was held: of a whole answer by its text and by what the model has counted for others. Of one
 * that broke off, or that we hung up on, the most is counted: the provider may have gone on writing unseen, beyond what it had counted until then (some
 * count with every piece). The same where the connection broke before an answer. What it did report is learnt from.
 */
export function recordCall(call: MadeCall): CallRecord | null {
  const { answer, model, baseline } = call;
  if (!answer.began && !call.aborted && !mayBeServed(answer.failed?.error)) return null;
  const reported = countsOf(answer.usage);
  if (reported.inputTokens !== null) call.margins.learn(model.id, call.estimatedInputTokens, reported.inputTokens);
  const isWhole = !call.aborted && isWholeAnswer(answer);
  const inputTokens = reported.inputTokens ?? (isWhole ? Math.min(call.maxInputTokens, call.margins.correct(model.id, call.estimatedInputTokens)) : call.maxInputTokens);
  const outputTokens = isWhole ? (reported.outputTokens ?? Math.min(call.maxOutputTokens, estimateTokens(answer.text))) : Math.max(call.maxOutputTokens, reported.outputTokens ?? 0);
  const estimated = !isWhole || reported.inputTokens === null || reported.outputTokens === null;
  // Of tokens that nobody counted, any share may have been of the dearest kind.
  const priceAt = ({ price }: ModelEntry): number => (estimated && !isWhole ? priceWorstCase(inputTokens, outputTokens, price) : priceCall({ ...reported, inputTokens, outputTokens }, price));
  return {
    at: call.at,
    provider: model.provider,
    model: model.id,
    inputTokens,
    outputTokens,
    cachedTokens: reported.cachedTokens,
    costNanoUsd: priceAt(model),
    estimated,
    baselineNanoUsd: baseline === null ? 0 : priceAt(baseline),
  };
}

function isWholeAnswer({ failed, tooLong, finishReason }: Answer): boolean {
  return failed === null && !tooLong && finishReason !== null && finishReason !== "error" && finishReason !== "interrupted";
}

function countsOf(usage: ProviderUsage | null): ReportedCounts {
  const cachedTokens = tokens(usage?.inputTokens.cacheRead) ?? 0;
  const cacheWriteTokens = tokens(usage?.inputTokens.cacheWrite) ?? 0;
  const fresh = tokens(usage?.inputTokens.noCache);
  return {
    inputTokens: tokens(usage?.inputTokens.total) ?? (fresh === null ? null : fresh + cachedTokens + cacheWriteTokens),
    outputTokens: tokens(usage?.outputTokens.total) ?? tokens(usage?.outputTokens.text),
    cachedTokens,
    cacheWriteTokens,
    reasoningTokens: tokens(usage?.outputTokens.reasoning) ?? 0,
  };
}

/** A count as a provider sent it: integers from 0 on are believed, anything else is no count. */
function tokens(count: number | undefined): number | null {
  return count !== undefined && Number.isSafeInteger(count) && count >= 0 ? count : null;
}
