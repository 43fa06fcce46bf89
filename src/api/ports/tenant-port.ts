import type { StoredDocument } from "../../config/document-cache.ts";
import type { SettingsEdit } from "../../config/edit-settings.ts";
import type { SettingsChange, SettingsLayer } from "../../config/settings-layers.ts";
import type { OptimizationPort } from "../../consumer/run-reoptimization.ts";
import type { Json, Problem } from "../../errors.ts";
import type { AgentDefinition } from "../../workflow/spec/agent.ts";
import type { DirectoryPort, TenantLifePort, TenantStatus } from "./directory-port.ts";
import type { KeyPort } from "./key-port.ts";
import type { StartDemand } from "../../workflow/starts/start-permits.ts";
import type { DaySpend, Holder, ShareAnswer, ShareRequest } from "../../workflow/budget/tenant-account.ts";
import type { StatsPort, WorkflowCell, WorkflowEnding } from "./stats-port.ts";
import type { Page, WorkflowSummary } from "./workflow-port.ts";

export interface RegisteredAgent {
  name: string;
  agent: AgentDefinition;
  createdAt: string;
  updatedAt: string;
}

/** An entry of the tenant's index, as a workflow object feeds it. Of two entries the one with the higher version stays. */
export interface IndexEntry {
  summary: WorkflowSummary;
  /** Grows with every change of the workflow: the seq of its newest event. */
  version: number;
  /** What changed in its sums of calls since it was last told. */
  cells?: WorkflowCell[];
  /** How its spending stands, day by day: days that changed since they were last told. Also without a tenant budget, so that one that is set later counts it. */
  spend?: DaySpend[];
  /** Of an ended workflow of a tenant with limits: what it was granted and did not use is free. */
  starts?: StartsTold;
  /** Of a workflow that has ended: how it went. */
  ending?: WorkflowEnding;
}

/** How a workflow stands in what the tenant's limits allow it. Later ones have higher revisions, also over restarts of the workflow's object. */
export interface StartsTold {
  revision: number;
  demand: StartDemand;
}

export interface StartsRequest extends StartsTold {
  holder: Holder;
  /** How long the answer may wait for a start. */
  patienceMs: number;
}

export type StartsAnswer =
  /** The tenant has no limits: it need not be asked before it tells otherwise. */
  | { kind: "unlimited" }
  /** The workflow may start attempts until it has started so many in total. Only the answer to the newest request counts. */
  | { kind: "granted"; upTo: number };

/** What a tenant asks of a workflow that holds something of its budget or limits. */
export interface LeaseHolderPort {
  /** How it stands now. Null when the workflow that was created then (Unix ms) is no more. */
  readStarts(createdAt: number): Promise<StartsTold | null>;
  /**
   * Gives back what of the leases for `day` and all days before is neither spent nor reserved, and tells how those days stand, under
   * a new revision. Null when the workflow that was created then (Unix ms) is no more.
   */
  trimLease(createdAt: number, day: number): Promise<DaySpend[] | null>;
}

/** A version of a tenant's settings, as listed. */
export interface SettingsVersion {
  version: number;
  at: string;
  /** The id of the key that changed it, or `root`. */
  author: string;
  changes: SettingsChange[];
}

/** What is asked of one tenant's object: its agents, its keys, its configuration documents and the index of its workflows. The directory is asked of the operator's only. */
export interface TenantPort extends StatsPort, OptimizationPort, KeyPort, DirectoryPort, TenantLifePort {
  /** What the operator allows the tenant, and what it spent of it. */
  readTenant(): Promise<TenantStatus>;
  /** Merges a patch of budget and limits (null removes). 422 with the faults. */
  patchTenant(patch: Json): Promise<TenantStatus | Problem>;
  /** 409 when the tenant has as many agents, or bytes of them, as it may. */
  putAgent(name: string, agent: AgentDefinition): Promise<{ agent: RegisteredAgent; isNew: boolean } | Problem>;
  listAgents(): Promise<RegisteredAgent[]>;
  deleteAgent(name: string): Promise<boolean>;
  listWorkflows(query: { status: string | null; name: string | null; metadata: Record<string, string>; limit: number; cursor: string | null }): Promise<Page<WorkflowSummary> | Problem>;
  /** Idempotent; called by workflow objects, batched. Answers whether the tenant has limits, so that `leaseStarts` has to be asked. */
  indexWorkflow(entry: IndexEntry): Promise<{ isLimited: boolean }>;
  removeWorkflow(workflowId: string): Promise<void>;
  /** Takes a removal back: entries of the workflow count again. */
  readmitWorkflow(workflowId: string): Promise<void>;
  /**
   * Ids of workflows that are not final and were not heard of since `before`, and then of those that were made and ended before `endedBefore`
   * (Unix ms): the cron sweep wakes them. They count as heard of by that, so that every one gets its turn.
   */
  listStale(before: number, endedBefore: number, limit: number): Promise<string[]>;
  /** The tiers document as stored (JSON), or null for the default. */
  readTiers(): Promise<{ version: number; json: string } | null>;
  writeTiers(json: string): Promise<{ version: number }>;
  /** What this tenant set of its own; version 0 is nothing. */
  readSettings(): Promise<StoredDocument<SettingsLayer>>;
  /** Changes them as a new version; no version is made where nothing changes. 422 with the faults, 404 for a version that is not kept. */
  editSettings(edit: SettingsEdit): Promise<StoredDocument<SettingsLayer> | Problem>;
  /** Newest first. The cursor is the version that the page before ended with. */
  listSettingsVersions(query: { limit: number; before: number | null }): Promise<SettingsVersion[]>;
  /**
   * Leases a share of the tenant's budget for a workflow: the amounts are totals for that UTC day. When it does not fit, others are
   * asked to give back what they do not need, and it is tried once more. Without a budget: `unlimited`, to be asked again after a while.
   */
  leaseBudget(request: Omit<ShareRequest, "expiresAt">): Promise<ShareAnswer>;
  /** The same for a request to the gateway, by the id of its entry: `addGatewayCalls` settles it. */
  reserveCalls(request: CallsToReserve): Promise<ShareAnswer>;
  /**
   * Asks to start attempts under the tenant's limits: answered when the first can start, or after a while. A newer request of the same
   * workflow takes the place of an older one; one that wants less than was granted gives the rest back.
   */
  leaseStarts(request: StartsRequest): Promise<StartsAnswer>;
  /** Looks after workflows that hold what they have not spent and were not heard of for long: what a vanished one held is free again. */
  recoverLeases(): Promise<void>;
}

export interface CallsToReserve {
  id: string;
  /** The UTC day that the calls count to. */
  day: number;
  /** The least total that helps, and the total that is wanted, of all calls of the request so far. */
  neededNanoUsd: number;
  wantedNanoUsd: number;
  /** When nothing of it can be billed any more, Unix ms: if it was not settled by then, all of it counts as spent. */
  expiresAt: number;
}
