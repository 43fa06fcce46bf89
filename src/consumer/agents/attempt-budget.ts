import { priceWorstCase } from "../../optimizer/price.ts";
import type { ModelEntry } from "../../config/tiers.ts";
import type { Cap } from "../../workflow/budget/amount.ts";
import type { ReserveAnswer } from "../../workflow/budget/reserve-port.ts";
import { failExhausted } from "../../workflow/budget/exhausted.ts";
import { refOfOrder } from "../run-orders.ts";
import type { AttemptCall, ReserveCall, WorkOrder } from "../work-order.ts";
import type { CallFault } from "./call-with-fallback.ts";

/** Pauses between tries to reach the workflow; the last one goes on until the attempt's time is over. */
const RETRY_MS = [50, 200, 800, 2_000];

/** What a call costs at most. */
export interface WorstCase {
  inputTokens: number;
  outputTokens: number;
  costNanoUsd: number;
}

export interface AttemptBudgetDeps {
  /** Asks the workflow to hold an amount; may fail, and is then repeated. */
  reserve: (call: ReserveCall) => Promise<ReserveAnswer>;
  /** Bounds the waiting. */
  signal: AbortSignal;
}

/** What an attempt has held and spent: every call is held before it is made. Requests are numbered, and a call has the number of the one that was granted. */
export class AttemptBudget {
  readonly #order: WorkOrder;
  readonly #deps: AttemptBudgetDeps;
  readonly #calls: AttemptCall[] = [];
  #asked = 0;
  #heldCall = -1;
  #held: WorstCase = { inputTokens: 0, outputTokens: 0, costNanoUsd: 0 };
  /** What could be had at most when the workflow refused last; null while it has refused nothing. */
  room: Cap | null = null;

  constructor(order: WorkOrder, deps: AttemptBudgetDeps) {
    this.#order = order;
    this.#deps = deps;
  }

  /** The calls so far that billed something. */
  get calls(): AttemptCall[] {
    return [...this.#calls];
  }

  /** Number of the call that was held last. */
  get heldCall(): number {
    return this.#heldCall;
  }

  /** What is held for that call. Estimates may have risen since. */
  get held(): WorstCase {
    return this.#held;
  }

  /** Holds the worst case of a call; waits while others' reservations could make room. Why it may not be made, or null. */
  async hold(worst: WorstCase, who: Pick<ReserveCall, "provider" | "model" | "tier" | "taskType" | "baselineNanoUsd">): Promise<CallFault | null> {
    if (this.room !== null && !fitsRoom(worst, this.room)) return this.refuse(worst);
    const request: ReserveCall = { ...refOfOrder(this.#order), call: this.#asked, ...who, ...worst, calls: this.calls };
    // What is asked for after a refusal has a number of its own: the refused request may come once more, and late, and must not take its place.
    this.#asked += 1;
    const answer = await this.#ask(request);
    if (answer === null) return { failure: { code: "timeout", message: "the attempt's time was over before its budget was free", retryable: true }, retryAfterMs: null, isHealthFailure: false };
    if (answer.kind === "gone") return { failure: { code: "cancelled", message: "the attempt was given up while it ran", retryable: false }, retryAfterMs: null, isHealthFailure: false };
    if (answer.kind === "refused") {
      this.room = answer.room;
      return this.refuse(worst);
    }
    this.#heldCall = request.call;
    this.#held = worst;
    return null;
  }

  /** Notes what the call that was held last did bill. */
  note(call: AttemptCall): void {
    this.#calls.push(call);
  }

  /** Why a call may not be made that the workflow refused: what it needs, and what can be had. */
  refuse(worst: WorstCase): CallFault {
    const need = { nanoUsd: worst.costNanoUsd, tokens: worst.inputTokens + worst.outputTokens };
    return { failure: failExhausted(need, this.room!), retryAfterMs: null, isHealthFailure: false };
  }

  /** Null when the attempt's time was over first. */
  async #ask(request: ReserveCall): Promise<ReserveAnswer | null> {
    const { reserve, signal } = this.#deps;
    const { promise: aborted, resolve } = Promise.withResolvers<null>();
    const abort = (): void => resolve(null);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    try {
      for (let tries = 0; ; tries += 1) {
        const answer = await Promise.race([aborted, reserve(request).catch(() => "failed" as const)]);
        if (answer !== "failed") return answer;
        await Promise.race([aborted, new Promise((wake) => setTimeout(wake, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]))]);
        if (signal.aborted) return null;
      }
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}

export function fitsRoom({ costNanoUsd, inputTokens, outputTokens }: WorstCase, room: Cap): boolean {
  return costNanoUsd <= (room.nanoUsd ?? Infinity) && inputTokens + outputTokens <= (room.tokens ?? Infinity);
}

export function worstCaseOf(inputTokens: number, outputTokens: number, model: ModelEntry): WorstCase {
  return { inputTokens, outputTokens, costNanoUsd: priceWorstCase(inputTokens, outputTokens, model.price) };
}

/** The largest output, from `least` to `most`, with which a call fits the room; null when not even the least does. */
export function largestOutput(inputTokens: number, least: number, most: number, model: ModelEntry, room: Cap): number | null {
  if (!fitsRoom(worstCaseOf(inputTokens, least, model), room)) return null;
  let fits = least;
  let tooMuch = most + 1;
  while (tooMuch - fits > 1) {
    const middle = Math.floor((fits + tooMuch) / 2);
    if (fitsRoom(worstCaseOf(inputTokens, middle, model), room)) fits = middle;
    else tooMuch = middle;
  }
  return fits;
}

/** The largest input with which a call fits the room; 0 when none does. */
export function largestInput(outputTokens: number, most: number, model: ModelEntry, room: Cap): number {
  let fits = 0;
  let tooMuch = most + 1;
  while (tooMuch - fits > 1) {
    const middle = Math.floor((fits + tooMuch) / 2);
    if (fitsRoom(worstCaseOf(middle, outputTokens, model), room)) fits = middle;
    else tooMuch = middle;
  }
  return fits;
}
