import { z } from "zod";
import type { Json } from "../../errors.ts";
import { Strategy } from "../../config/routing-settings.ts";
import { INTENTS } from "../../optimizer/intents/intent.ts";
import { AgentName, TaskType, TierName } from "./agent.ts";

/** Most tasks of one workflow (contract). */
export const MAX_TASKS = 5_000;
/** Longest timeout of one attempt that runs in a Worker: under the platform's 15 minutes. */
export const MAX_ATTEMPT_TIMEOUT_MS = 840_000;
/** Longest wait for a callback: 30 days. */
export const MAX_WAIT_TIMEOUT_MS = 2_592_000_000;
export const DEFAULT_TIMEOUT_MS = 300_000;
export const DEFAULT_MAX_CONCURRENCY = 5;

/** Most keys of `metadata` (contract). */
export const MAX_METADATA_KEYS = 50;

/** Fields of the contract that do not exist yet, by the part of the spec that has them. They are refused as such, not as unknown. */
export const UNAVAILABLE_FIELDS = {
  workflow: ["goal", "template", "params"],
  task: ["forEach", "repeat", "waitFor", "workflow", "approval", "compensate"],
} as const;
export const NOT_AVAILABLE_YET = "is part of the API but not available yet";

/** `__proto__` is no id: ids are keys of JSON objects, where it means something else. */
export const TaskId = z.string().regex(/^(?!__proto__$)[A-Za-z0-9_-]{1,64}$/, "must be 1–64 of A–Z a–z 0–9 _ -");
export const WorkflowId = TaskId;
export const Priority = z.enum(["low", "normal", "high", "urgent"]);
export type Priority = z.infer<typeof Priority>;

/** Bodies come from `JSON.parse` or RPC, so they are JSON already; walking them again would cost more than all other checks. */
const json = z.custom<Json>((value) => value !== undefined, "must be a JSON value");

export const RetryPolicy = z.strictObject({
  maxAttempts: z.int().min(1).max(100).default(3),
  initialMs: z.int().min(0).max(3_600_000).default(500),
  factor: z.number().min(1).max(100).default(2),
  maxMs: z.int().min(0).max(86_400_000).default(30_000),
  jitter: z.boolean().default(true),
});
export type RetryPolicy = z.infer<typeof RetryPolicy>;

/** Fewest tokens that a context can be asked to be reduced to: below it nothing readable is left. */
export const MIN_CONTEXT_TOKENS = 64;

/** What a language model sees of its dependencies' outputs. Without a target the settings' default binds. */
export const TaskContext = z
  .strictObject({
    mode: z.enum(["full", "reduce", "none"]).default("reduce"),
    maxTokens: z.int().min(MIN_CONTEXT_TOKENS).max(10_000_000).optional(),
    targetReduction: z.number().min(0).max(0.99).optional(),
  })
  .refine((context) => context.mode === "reduce" || (context.maxTokens === undefined && context.targetReduction === undefined), "maxTokens and targetReduction go with mode reduce only")
  .refine((context) => context.maxTokens === undefined || context.targetReduction === undefined, "take maxTokens or targetReduction, not both");
export type TaskContext = z.infer<typeof TaskContext>;

/** Largest cap in dollars: in nano-dollars it is far below what a number holds exactly. */
export const MAX_BUDGET_USD = 1_000_000;

/** Hard caps. `maxUsd` counts to the nano-dollar, `maxTokens` input and output together, cached and reasoning included. */
export const Budget = z
  .strictObject({ maxUsd: z.number().min(0).max(MAX_BUDGET_USD).optional(), maxTokens: z.int().min(1).max(Number.MAX_SAFE_INTEGER).optional() })
  .refine((budget) => budget.maxUsd !== undefined || budget.maxTokens !== undefined, "must have maxUsd, maxTokens or both");
export type Budget = z.infer<typeof Budget>;

/** How the tokens of a budget are split over the tasks. */
export const Allocation = z.enum(["equal", "proportional", "adaptive", "priority"]);
export type Allocation = z.infer<typeof Allocation>;

export const TaskSpec = z.strictObject({
  id: TaskId,
  agent: AgentName,
  phase: z.enum(["scout", "plan", "build"]).optional(),
  type: TaskType.optional(),
  intent: z.enum(INTENTS).optional(),
  input: json.default({}),
  dependsOn: z.array(TaskId).max(MAX_TASKS).default([]),
  when: z.string().optional(),
  priority: Priority.optional(),
  retry: RetryPolicy.prefault({}),
  timeoutMs: z.int().min(1).max(MAX_WAIT_TIMEOUT_MS).default(DEFAULT_TIMEOUT_MS),
  model: z.string().min(1).max(200).optional(),
  tier: TierName.optional(),
  strategy: Strategy.optional(),
  maxOutputTokens: z.int().min(1).max(1_000_000).optional(),
  budget: Budget.optional(),
  context: TaskContext.optional(),
  output: z.strictObject({ schema: z.custom<boolean | Record<string, Json>>(isSchema, "must be a JSON Schema: an object or a boolean") }).optional(),
  stream: z.boolean().default(false),
});
export type TaskSpec = z.infer<typeof TaskSpec>;

export const Webhook = z.strictObject({
  url: z.string().min(1).max(2_048),
  events: z.array(z.string().min(1).max(64)).max(50).optional(),
  secretName: z.string().max(128).optional(),
});
export type Webhook = z.infer<typeof Webhook>;

/** An agent that makes the workflow's result once all else is done, from what its input and dependencies give it. */
export const ResultAgent = z.strictObject({
  agent: AgentName,
  input: json.default({}),
  schema: z.custom<boolean | Record<string, Json>>(isSchema, "must be a JSON Schema: an object or a boolean").optional(),
});
export type ResultAgent = z.infer<typeof ResultAgent>;

/** A workflow as posted, with defaults filled in. Shape only; `validateSpec` checks what the fields mean together. */
export const WorkflowSpec = z.strictObject({
  id: WorkflowId.optional(),
  name: z.string().max(200).nullable().default(null),
  tasks: z.array(TaskSpec).min(1).max(MAX_TASKS),
  input: json.default({}),
  maxConcurrency: z.int().min(1).max(1_000).default(DEFAULT_MAX_CONCURRENCY),
  scheduling: z.enum(["eager", "wave"]).default("eager"),
  onFailure: z.enum(["fail", "continue"], { error: (issue) => sayUnavailable(issue.input, "compensate") }).default("fail"),
  priority: Priority.default("normal"),
  strategy: Strategy.optional(),
  budget: Budget.optional(),
  allocation: Allocation.optional(),
  startAt: z.iso.datetime({ offset: true }).optional(),
  deadlineMs: z.int().min(1).max(MAX_WAIT_TIMEOUT_MS).optional(),
  webhook: Webhook.optional(),
  result: z.union([z.string(), ResultAgent], { error: "must be a CEL expression, or {agent, input?, schema?}" }).optional(),
  metadata: z
    .record(z.string().min(1).max(64), z.string().max(512))
    .refine((metadata) => Object.keys(metadata).length <= MAX_METADATA_KEYS, `must have at most ${MAX_METADATA_KEYS} keys`)
    .default({}),
});
export type PostedSpec = z.infer<typeof WorkflowSpec>;
/** An accepted one: an agent that makes the result is one of its tasks by then. */
export type WorkflowSpec = Omit<PostedSpec, "result"> & { result?: string };

function isSchema(value: unknown): boolean {
  return typeof value === "boolean" || isObject(value);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The words for a value of an enumeration that does not exist yet; other wrong values get the usual ones. */
function sayUnavailable(input: unknown, value: string): string | undefined {
  return input === value ? `"${value}" ${NOT_AVAILABLE_YET}` : undefined;
}
