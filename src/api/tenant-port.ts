import type { Problem } from "../errors.ts";
import type { AgentDefinition } from "../workflow/agent.ts";
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
}

/** What is asked of one tenant's object: its agents, its configuration documents and the index of its workflows. */
export interface TenantPort {
  /** 409 when the tenant has as many agents, or bytes of them, as it may. */
  putAgent(name: string, agent: AgentDefinition): Promise<{ agent: RegisteredAgent; isNew: boolean } | Problem>;
  listAgents(): Promise<RegisteredAgent[]>;
  deleteAgent(name: string): Promise<boolean>;
  listWorkflows(query: { status: string | null; name: string | null; metadata: Record<string, string>; limit: number; cursor: string | null }): Promise<Page<WorkflowSummary> | Problem>;
  /** Idempotent; called by workflow objects, batched. */
  indexWorkflow(entry: IndexEntry): Promise<void>;
  removeWorkflow(workflowId: string): Promise<void>;
  /** Takes a removal back: entries of the workflow count again. */
  readmitWorkflow(workflowId: string): Promise<void>;
  /** Ids of workflows that are not final and were not heard of since `before` (Unix ms): the cron sweep wakes them. They count as heard of by that, so that every one gets its turn. */
  listStale(before: number, limit: number): Promise<string[]>;
  /** The tiers document as stored (JSON), or null for the default. */
  readTiers(): Promise<{ version: number; json: string } | null>;
  writeTiers(json: string): Promise<{ version: number }>;
}
