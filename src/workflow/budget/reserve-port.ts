import type { Amount, Cap } from "./amount.ts";
import type { Bill } from "./ledger.ts";
import type { CallRef } from "./reservations.ts";

/** Asks to hold the worst case of a call before it is made. `bills`: of the attempt's earlier calls; the others billed nothing. */
export interface ReserveRequest extends CallRef, Amount {
  bills: readonly Bill[];
}

/** `refused`: it fits not even once all else is released; `room` is what would. `gone`: the attempt is over. */
export type ReserveAnswer = { kind: "granted" } | { kind: "refused"; room: Cap } | { kind: "gone" };

export interface ReserveReply {
  ref: CallRef;
  answer: ReserveAnswer;
}

/** Asks the tenant to lease more of its budget for a UTC day; the amounts are totals. `revision` names the request. */
export interface LeaseRequest {
  day: number;
  neededNanoUsd: number;
  wantedNanoUsd: number;
  revision: number;
}

/** What the tenant says. `mayGrow`: others may give back what they do not spend. */
export type LeaseAnswer = { kind: "unlimited" } | { kind: "leased"; leasedNanoUsd: number; mayGrow: boolean } | { kind: "failed" };
