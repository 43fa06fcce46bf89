import type { TenantBudget } from "../../config/tenant-record.ts";
import type { CallCandidate, CallFault } from "../../consumer/agents/call-with-fallback.ts";
import type { CallRecord } from "../../consumer/work-order.ts";
import { priceWorstCase } from "../../optimizer/price.ts";
import type { TokenMargins } from "../../optimizer/tokens/token-margin.ts";
import { formatUsd } from "../../router/rank.ts";
import type { TenantPort } from "../ports/tenant-port.ts";
import { boundInputTokens, boundPredictedTokens, countChoices, measureChat, type MeasuredChat } from "./bound-tokens.ts";
import { readOutputCap, type ChatBody } from "./chat-body.ts";

/** The least output that is worth a call, where the client set no cap (contract). */
export const MIN_OUTPUT_TOKENS = 64;
/** How long after its reservation a request can be billed for at most: the longest that a provider may be silent, and half a minute more. */
const RESERVATION_MS = 930_000;
const DAY_MS = 86_400_000;

/** The tenant's budget as one request to the gateway meets it. */
export interface ChatBudget {
  /** Reserves the worst case of a call beside what the request has cost so far. Null, or why the model cannot be called. */
  reserve: (candidate: CallCandidate, calls: readonly CallRecord[]) => Promise<CallFault | null>;
  /** What the reservation was made for; null where nothing is reserved. */
  heldFor: (candidate: CallCandidate) => HeldCall | null;
  /** What is reserved for all calls of the request; null where nothing had to be. */
  readonly reservedNanoUsd: number | null;
}

export interface ChatBudgetDeps {
  /** The tenant's object: a fresh stub at every call. */
  tenant: () => Pick<TenantPort, "reserveCalls">;
  margins: Pick<TokenMargins, "correct">;
  now: () => number;
}

/** The most that a call can come to. */
export interface HeldCall {
  /** Of each of the answers that are asked for. */
  outputCap: number;
  inputTokens: number;
  /** Of all answers. */
  outputTokens: number;
}

interface WorstCase {
  inputTokens: number;
  /** Output caps of each choice, and what the call costs at most with them. */
  leastCap: number;
  fullCap: number;
  /** Of all answers. */
  outputOf: (cap: number) => number;
  priceOf: (cap: number) => number;
}

/** `id`: the one of the request's entry, which settles what is reserved here. */
export function createChatBudget(request: { id: string; body: ChatBody; budget: TenantBudget }, deps: ChatBudgetDeps): ChatBudget {
  const { id, body, budget } = request;
  const measured = measureChat(body);
  const held = new Map<CallCandidate, HeldCall>();
  // A request counts to the day on which it began, with all of its calls.
  const day = Math.floor(deps.now() / DAY_MS);
  let reservedNanoUsd: number | null = null;
  /** The largest total that the tenant could have given when it refused. */
  let mostNanoUsd = Infinity;

  const reserve = async (neededNanoUsd: number, wantedNanoUsd: number): ReturnType<TenantPort["reserveCalls"]> => {
    const asked = { id, day, neededNanoUsd, wantedNanoUsd, expiresAt: deps.now() + RESERVATION_MS };
    // Asked twice it is granted once.
    return deps.tenant().reserveCalls(asked).catch(() => deps.tenant().reserveCalls(asked));
  };

  return {
    heldFor: (candidate) => held.get(candidate) ?? null,
    get reservedNanoUsd() {
      return reservedNanoUsd;
    },
    async reserve(candidate, calls) {
      const spentNanoUsd = calls.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0);
      const worst = measureWorstCase(body, candidate, measured, deps.margins);
      const needed = spentNanoUsd + worst.priceOf(worst.leastCap);
      const wanted = spentNanoUsd + worst.priceOf(worst.fullCap);
      if (wanted === spentNanoUsd) return null;
      if (needed > mostNanoUsd) return refuse(candidate, worst, mostNanoUsd - spentNanoUsd, false, budget, body, deps.now());
      let answer;
      try {
        answer = await reserve(needed, wanted);
      } catch {
        return { failure: { code: "provider_unavailable", message: "The budget cannot be asked for now: try again", retryable: true }, retryAfterMs: 1_000, isHealthFailure: false };
      }
      if (answer.kind === "unlimited") return null;
      if (answer.leasedNanoUsd < needed) {
        mostNanoUsd = answer.mostNanoUsd;
        return refuse(candidate, worst, mostNanoUsd - spentNanoUsd, answer.mayGrow, budget, body, deps.now());
      }
      reservedNanoUsd = answer.leasedNanoUsd;
      const outputCap = largestCap(worst, answer.leasedNanoUsd - spentNanoUsd);
      held.set(candidate, { outputCap, inputTokens: worst.inputTokens, outputTokens: worst.outputOf(outputCap) });
      return null;
    },
  };
}

function measureWorstCase(body: ChatBody, { model, provider }: CallCandidate, measured: MeasuredChat, margins: ChatBudgetDeps["margins"]): WorstCase {
  // By the family's factor or by what the model was seen to count, whichever is more. No provider takes more than the window.
  const boundTokens = Math.max(boundInputTokens(measured, provider.kind), margins.correct(model.id, boundInputTokens(measured, "openai")));
  const inputTokens = Math.min(boundTokens, model.contextWindow);
  const clientCap = readOutputCap(body);
  // Without a cap of the client's, one that leaves no room for the input would be refused by some.
  const ownCap = Math.max(MIN_OUTPUT_TOKENS, Math.min(model.maxOutputTokens, model.contextWindow - inputTokens));
  const fullCap = Math.min(clientCap ?? ownCap, model.maxOutputTokens);
  const leastCap = clientCap === null ? Math.min(MIN_OUTPUT_TOKENS, fullCap) : fullCap;
  const choices = countChoices(body);
  const predicted = boundPredictedTokens(body);
  const outputOf = (cap: number): number => choices * cap + predicted;
  return { inputTokens, leastCap, fullCap, outputOf, priceOf: (cap) => priceWorstCase(inputTokens, outputOf(cap), model.price) };
}

/** The largest cap with which a call costs no more than `roomNanoUsd`, which is enough for the least one. */
function largestCap({ leastCap, fullCap, priceOf }: WorstCase, roomNanoUsd: number): number {
  let [fits, most] = [leastCap, fullCap];
  while (fits < most) {
    const middle = Math.ceil((fits + most) / 2);
    if (priceOf(middle) <= roomNanoUsd) fits = middle;
    else most = middle - 1;
  }
  return fits;
}

function refuse({ model }: CallCandidate, { inputTokens, leastCap, priceOf }: WorstCase, roomNanoUsd: number, mayGrow: boolean, { maxNanoUsd, period }: TenantBudget, body: ChatBody, now: number): CallFault {
  const left = Math.max(0, roomNanoUsd);
  const span = period === "total" ? "" : ` a ${period}`;
  const parts = [
    `The budget of ${formatUsd(maxNanoUsd)}${span} is used up: a call of ${model.id} may cost up to ${formatUsd(priceOf(leastCap))} (${inputTokens} tokens in, ${countChoices(body) * leastCap} out), and ${formatUsd(left)} is left`,
    ...(mayGrow ? ["what running calls reserved may come back"] : []),
    ...(left > 0 && readOutputCap(body) !== null ? ["a smaller max_tokens may fit"] : []),
    ...(period === "total" ? [] : [`the next ${period} begins on ${nextPeriod(period, now)} (UTC)`]),
  ];
  return { failure: { code: "budget_exhausted", message: parts.join("; "), retryable: mayGrow }, retryAfterMs: null, isHealthFailure: false };
}

function nextPeriod(period: "day" | "month", now: number): string {
  const date = new Date(now);
  const start = period === "day" ? now + DAY_MS : Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
  return new Date(start).toISOString().slice(0, 10);
}
