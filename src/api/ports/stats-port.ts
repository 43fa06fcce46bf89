import type { CallRecord } from "../../consumer/work-order.ts";
import type { HistoryCell, HistoryKey } from "../../optimizer/agent-history.ts";
import type { ForecastAccuracy, Use } from "../../optimizer/forecast.ts";
import type { CallSums, StatsCell } from "../../optimizer/call-stats.ts";

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

/** What a workflow that has ended tells of how it went. Of two of one workflow the one with the higher revision is right: it may go on after its end. */
export interface WorkflowEnding {
  revision: number;
  /** When it ended, Unix ms. */
  at: number;
  history: HistoryCell[];
  /** What was foreseen of it and what it used; null where nothing was foreseen, or it did not complete. */
  forecast: { expected: Use; used: Use } | null;
}

/** What of a tenant's object the stats and the ledger need. */
export interface StatsPort {
  listGatewayCalls(query: LedgerQuery): Promise<GatewayEntry[]>;
  /** `at`: when the workflow was created. Also those whose calls ended in the hour of `since`. */
  listWorkflowsWithCalls(query: LedgerQuery): Promise<LedgerPosition[]>;
  /** Enters what the gateway called. Idempotent; to be sent in batches, after the answers. */
  addGatewayCalls(entries: GatewayEntry[]): Promise<void>;
  /** What is known of these agents and types; nothing for those that never ran. */
  readHistory(keys: HistoryKey[]): Promise<HistoryCell[]>;
  /** How right forecasts were of workflows that ended from the hour on that `since` (Unix ms) lies in. */
  readForecastAccuracy(since: number): Promise<ForecastAccuracy>;
  /** Sums from the hour on that `since` (Unix ms) lies in. */
  readStats(since: number): Promise<PeriodSums[]>;
}
