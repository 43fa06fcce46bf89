import type { Strategy } from "../config/routing-settings.ts";
import type { Failure, Json } from "../errors.ts";
import type { Intent } from "../optimizer/intents/intent.ts";
import type { EventData } from "../workflow/events.ts";
import type { AgentDefinition } from "../workflow/spec/agent.ts";

/** Names one attempt: the fence that every claim, renewal and report carries. */
export interface AttemptRef {
  /** Position of the task in the workflow's spec. */
  task: number;
  attempt: number;
  /** When its workflow was created (Unix ms): the id of one that was deleted may be used again. Absent: of whichever lives there. */
  workflowCreatedAt?: number;
}

/** Everything one attempt needs, read from the object once; the executor asks for nothing more. */
export interface WorkOrder extends AttemptRef {
  workflowId: string;
  tenant: string;
  taskId: string;
  agentName: string;
  agent: AgentDefinition;
  /** The task's input with every `${…}` replaced. */
  input: Json;
  /** Outputs of the direct dependencies, by task id. */
  dependencies: Record<string, Json>;
  /** Unix time (ms) at which this attempt is over. */
  deadlineAt: number;
  /** Unix time (ms) at which its workflow is over, and its object ends what still runs; null or absent: no such time. */
  workflowDeadlineAt?: number | null;
  /** The same on every attempt of a task: `{workflowId}.{taskId}`, plus `.r{n}` after the n-th manual retry. */
  idempotencyKey: string;
  /** Where a callback agent answers. */
  callback: { url: string; token: string } | null;
  /** What an LLM agent's task pins or asks for. */
  llm: LlmRequest | null;
  requestId: string | null;
}

export interface LlmRequest {
  taskType: string | null;
  /** What the task says that it is for: tells its type where its prompt does not. */
  intent?: Intent | null;
  tier: "weak" | "base" | "strong" | null;
  model: string | null;
  /** What the plan of the whole workflow has for this task, where that is not what is best for the task alone. */
  plannedModel?: string | null;
  /** How the model is chosen; null: as the settings say. */
  strategy: Strategy | null;
  maxOutputTokens: number | null;
  /** Tokens that the workflow's budget allots to the task, input and output; null or absent: no such budget. */
  tokenBudget?: number | null;
  /** JSON Schema that the parsed answer must satisfy; null for plain text. */
  outputSchema: Json | null;
  /** What the model sees of its dependencies' outputs; without a target the settings' default binds. */
  context: { mode: "full" | "reduce" | "none"; maxTokens: number | null; targetReduction: number | null };
  /** Whether token deltas are wanted on live streams. */
  stream: boolean;
}

/** Tokens as the provider (or, with `estimated`, we) counted them. Money in integer nano-dollars. */
export interface Usage {
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
  costNanoUsd: number;
}

/** One call that was made, and may have cost something: a line of the ledger. */
export interface CallRecord extends Usage {
  /** Unix ms at which the call ended. */
  at: number;
  provider: string;
  model: string;
  /** The usage was missing from the answer and was estimated. */
  estimated: boolean;
  /** The same tokens at the baseline model's price (the strong tier's first). */
  baselineNanoUsd: number;
}

/** A call of an attempt, as the workflow's books take it. */
export interface AttemptCall extends CallRecord {
  /** Its number among what the attempt asked to hold, from 0: what is held for a call goes by that. */
  call: number;
  /** Of the model; null for what no router chose. */
  tier: string | null;
  taskType: string | null;
  /** The provider billed what no cap can hold: see `Bill`. */
  isOverCap: boolean;
}

/** Asks a workflow to hold what a call may cost at most, before it is made. */
export interface ReserveCall extends AttemptRef, Omit<AttemptCall, "at" | "estimated" | "cachedTokens" | "isOverCap"> {
  /** The attempt's calls so far that billed something. */
  calls: AttemptCall[];
}

/** How the model of an LLM attempt was found: the one that was called last. `fallbacks`: models that failed before it. */
export interface Route {
  tier: string;
  model: string;
  provider: string;
  complexity: number | null;
  reason: string;
  fallbacks: string[];
}

type RouteEventType = "model.selected" | "model.fallback" | "model.escalated";

/** What happened on the way to an answer, for the workflow's log; the workflow adds the attempt and the time. */
export type RouteEvent = { [Type in RouteEventType]: { type: Type; data: Omit<EventData[Type], "attempt"> } }[RouteEventType];

/** How an attempt ended. Expected failures are values; nothing is thrown across RPC. `events`, in order, and `taskType`, as routed: of language-model attempts. */
export type Outcome =
  | { status: "completed"; output: Json; calls: AttemptCall[]; route: Route | null; context: ContextSize | null; events?: RouteEvent[]; taskType?: string }
  | { status: "failed"; failure: Failure; retryAfterMs: number | null; calls: AttemptCall[]; route: Route | null; events?: RouteEvent[]; taskType?: string }
  | { status: "waiting" };

/** Tokens of what an LLM agent was shown of its dependencies, before and after reduction. */
export interface ContextSize {
  originalTokens: number;
  reducedTokens: number;
}

export interface Report extends AttemptRef {
  outcome: Outcome;
}
