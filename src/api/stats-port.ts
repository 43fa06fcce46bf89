import type { CallRecord } from "../consumer/work-order.ts";
import type { CallSums, StatsCell } from "../optimizer/call-stats.ts";

/** A request to the gateway whose calls are to be kept in the tenant's ledger and stats. */
export interface GatewayEntry {
  /** Made once for each request (≥ 128 random bits): an entry that is sent again counts once. */
  id: string;
  /** When it was over, Unix ms. */
  at: number;
  tier: string | null;
  taskType: string | null;
  calls: CallRecord[];
  /** The code of its failure; null when it was answered. */
  failureCode: string | null;
  fallbacks: number;
}

/** Sums of one tier and task type since the start of a period; both may be empty. */
export interface PeriodSums {
  tier: string;
  taskType: string;
  sums: CallSums;
}

/** A workflow's sums of an hour so far. Of two the one with the higher revision is right. */
export interface WorkflowCell extends StatsCell {
  /** Grows with every change of the cell. */
  revision: number;
}

/** A place in a list, newest first. `at`: Unix ms. */
export interface LedgerPosition {
  at: number;
  id: string;
}

/** A page of what made calls that ended at or after `since` (Unix ms), from a position on, which is included. */
export interface LedgerQuery {
  since: number;
  from: LedgerPosition | null;
  limit: number;
}

/** What of a tenant's object the stats and the ledger need. */
export interface StatsPort {
  listGatewayCalls(query: LedgerQuery): Promise<GatewayEntry[]>;
  /** `at`: when the workflow was created. Also those whose calls ended in the hour of `since`. */
  listWorkflowsWithCalls(query: LedgerQuery): Promise<LedgerPosition[]>;
  /** Enters what the gateway called. Idempotent; to be sent in batches, after the answers. */
  addGatewayCalls(entries: GatewayEntry[]): Promise<void>;
  /** Sums from the hour on that `since` (Unix ms) lies in. */
  readStats(since: number): Promise<PeriodSums[]>;
}
