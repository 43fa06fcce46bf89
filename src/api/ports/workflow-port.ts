import type { ObjectBudgetSettings } from "../../config/budget-settings.ts";
import type { CallRecord, ContextSize, Route } from "../../consumer/work-order.ts";
import type { Failure, Json, Problem } from "../../errors.ts";
import type { AgentDefinition } from "../../workflow/spec/agent.ts";
import type { LoggedEvent } from "../../workflow/events.ts";
import type { TaskStatus, WorkflowStatus } from "../../workflow/run.ts";
import type { TaskOutlook } from "../../workflow/outlook.ts";
import type { WorkflowSpec } from "../../workflow/spec/spec.ts";

/** What the API asks of one workflow's object. Refusals come back as values, since thrown classes lose their type over RPC. */
export interface WorkflowPort {
  /** Answers the workflow as it was made; with `answer`, as that asks. */
  create(request: CreateRequest): Promise<CreateAnswer>;
  /** What a repeated create would be answered, without creating anything: asked when the request alone would be refused by now. `unknown` also for another body. */
  findAnswer(idempotency: { key: string; bodyHash: string }): Promise<{ kind: "replayed"; body: string } | { kind: "expired" } | { kind: "unknown" }>;
  /** Makes a key that leads to this object stand for a workflow with an id of the client's own, for as long as an answer would be kept here. */
  claimKey(claim: KeyClaim): Promise<KeyClaimAnswer>;
  /** Takes such a claim back, since nothing came of it. */
  releaseKey(idempotency: { key: string; bodyHash: string }): Promise<void>;
  exists(): Promise<boolean>;
  read(options: ReadOptions): Promise<WorkflowView | Problem>;
  readTask(taskId: string): Promise<TaskView | Problem>;
  listTasks(options: { status: string | null; limit: number; cursor: string | null }): Promise<Page<TaskView> | Problem>;
  command(command: "pause" | "resume" | "cancel"): Promise<{ status: WorkflowStatus } | Problem>;
  retryTask(taskId: string): Promise<{ status: WorkflowStatus } | Problem>;
  /** The spec, the agents' copies and the tasks whose outputs a rerun may take over. 409 while not final. `from` null: everything not completed. */
  readCheckpoint(from: readonly string[] | null): Promise<Checkpoint | Problem>;
  readEvents(options: { after: number; limit: number }): Promise<Page<LoggedEvent> | Problem>;
  readLedger(options: { limit: number; cursor: string | null }): Promise<Page<LedgerLine> | Problem>;
  /** Whether this secret is that of an attempt which may still report. */
  awaitsCallback(secret: string): Promise<boolean>;
  /** Takes the body of an HTTP agent's callback; the secret is the random part of the token. Checks the body itself: a malformed one is `invalid` and does not use the token up. */
  acceptCallback(secret: string, body: Json): Promise<{ accepted: true } | Problem>;
  /** Deletes all data of a final workflow; an idempotency record stays until it is 24 h old. */
  remove(): Promise<{ removed: true } | Problem>;
  /** Deletes everything at once, whatever state it is in, the tenant being removed: nothing is told to anybody. */
  purge(): Promise<void>;
  /** Server-sent events (`/events?after=`) and WebSockets (`/socket?after=`): live cursors on the event log, for as long as the key in `STREAM_KEY_HEADER` is in force. */
  fetch(request: Request): Promise<Response>;
}

export interface ReadOptions {
  withTasks: boolean;
  /** Above 0: answers once the workflow is final, or after that time. */
  waitMs: number;
}

/** Names the key that opens a stream; absent for the root key. */
export const STREAM_KEY_HEADER = "x-key-id";

export interface CreateRequest {
  tenant: string;
  workflowId: string;
  spec: WorkflowSpec;
  /** The agents the spec uses, by name: copied into the workflow. */
  agents: Record<string, AgentDefinition>;
  /** Scheme and host under which callbacks reach this service. */
  origin: string;
  requestId: string;
  idempotency: { key: string; bodyHash: string } | null;
  rerunOf: { workflowId: string; tasks: readonly string[] } | null;
  /** By task id: models that suit the workflow as a whole better than the task alone. Advice: the call takes another when it must. */
  plannedModels?: Record<string, string>;
  /** What is foreseen of each task, in the order of the spec; absent where no task calls a model. */
  outlook?: TaskOutlook[];
  /** The tenant has limits of tasks, as far as is known here: attempts wait until it lets them start. Absent where that could not be read. */
  isLimited?: boolean;
  /** Settings of budgets in which the tenant's differ from the operator's. They stay those of the creation. */
  ownBudgets?: Partial<ObjectBudgetSettings>;
  /** What the creator wants to see; absent: the workflow as it was made, with its tasks. */
  answer?: ReadOptions;
}

export type CreateAnswer =
  | { kind: "created"; workflow: WorkflowView }
  /** The same key and body were seen within 24 h: the first answer again, byte for byte. */
  | { kind: "replayed"; body: string }
  /** The key's record is older than 24 h: the caller derives the next id. */
  | { kind: "expired" }
  | Problem;

export interface KeyClaim {
  tenant: string;
  /** The id that the key leads to, and this object has. */
  keeperId: string;
  key: string;
  bodyHash: string;
  workflowId: string;
  /** The hash of a claim that nothing came of, which this one replaces; null: none. */
  instead: string | null;
}

export type KeyClaimAnswer =
  | { kind: "claimed" }
  /** Another body claimed it so long ago; whether something came of it only its workflow knows. */
  | { kind: "held"; workflowId: string; bodyHash: string; forMs: number }
  /** The key's record is older than 24 h: the caller derives the next id. */
  | { kind: "expired" }
  | Problem;

export interface Checkpoint {
  spec: WorkflowSpec;
  agents: Record<string, AgentDefinition>;
  reusable: string[];
}

export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

export interface TaskView {
  id: string;
  status: TaskStatus;
  attempt: number;
  wave: number;
  agent: string;
  output: Json;
  /** Present when the output was left out for its size: ask for the single task. */
  outputBytes?: number;
  startedAt: string | null;
  finishedAt: string | null;
  route: Route | null;
  usage: { inputTokens: number; outputTokens: number; costUsd: number } | null;
  context: ContextSize | null;
  error: Failure | null;
}

export interface WorkflowSummary {
  id: string;
  name: string | null;
  status: WorkflowStatus;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  metadata: Record<string, string>;
  progress: { total: number; completed: number; failed: number; skipped: number; running: number; percent: number };
  usage: { inputTokens: number; outputTokens: number; costUsd: number; baselineUsd: number; savedPercent: number };
  budget: BudgetView;
  error: Failure | null;
  result: Json;
  /** Present when the result was left out for its size: in a list read the workflow, there read the last tasks one by one. */
  resultBytes?: number;
}

/** Null: no cap. What is reserved is neither spent nor left. */
export interface BudgetView {
  maxUsd: number | null;
  spentUsd: number;
  reservedUsd: number;
  remainingUsd: number | null;
  maxTokens: number | null;
  spentTokens: number;
  reservedTokens: number;
  remainingTokens: number | null;
  /** What the workflow is expected to have spent at its end; null where nothing is foreseen. */
  forecastUsd: number | null;
  forecastTokens: number | null;
}

export interface WorkflowView extends WorkflowSummary {
  waves?: string[][];
  /** By task id, without the `id` field. */
  tasks?: Record<string, Omit<TaskView, "id">>;
}

export interface LedgerLine extends Omit<CallRecord, "at" | "costNanoUsd" | "baselineNanoUsd"> {
  at: string;
  workflowId: string;
  taskId: string;
  attempt: number;
  costUsd: number;
  late: boolean;
}
