import type { Amount } from "./amount.ts";
import type { CallRef } from "./reservations.ts";

/** What is stored of a workflow's budget beside its calls and reservations. */
export interface BudgetState {
  /** A provider ignored caps: nothing more is reserved from the budgets that the workflow draws on. */
  isBlocked: boolean;
  /** The same of tasks whose own budget is the only one. Absent: none. */
  blockedTasks?: number[];
  /** The highest of the warnings given, in percent of the cap. */
  warnedPercent: number;
  /** Nano-dollars of the tenant's budget that may be spent, by UTC day. */
  leases: Record<string, number>;
  /** Counts what the tenant was asked and told, so that late messages can be known. */
  revision: number;
}

/** A request for budget that could not be answered yet. */
export interface WaitingReserve {
  ref: CallRef;
  need: Amount;
  /** The UTC day of whose budget the tenant has not left what this needs; null: that was not said. */
  answeredFor: number | null;
  /** Others may give back what the tenant has not left. */
  mayGrow: boolean;
}

/** What waits for budget. In memory only: executors and the object itself ask again. */
export interface BudgetWaiting {
  /** Calls of live attempts, by name. */
  requests: Map<string, WaitingReserve>;
  /** Tasks that may not start before their own budget is held. */
  tasks: Map<number, WaitingReserve>;
  /** Until when the tenant is known to have no budget. */
  unlimitedUntil: number;
  /** The question that the tenant has not answered yet: the total that helps, what the request that it is for needs, and when no answer is expected any more. */
  asked: { revision: number; neededNanoUsd: number; requestNanoUsd: number; lostAt: number } | null;
  /** Not before this is the tenant asked again for what it had not. */
  askAgainAt: number;
}

export function createBudgetState(): BudgetState {
  return { isBlocked: false, warnedPercent: 0, leases: {}, revision: 0 };
}

export function createBudgetWaiting(): BudgetWaiting {
  return { requests: new Map(), tasks: new Map(), unlimitedUntil: 0, asked: null, askAgainAt: 0 };
}
