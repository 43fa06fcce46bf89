import { z } from "zod";
import { TaskType } from "../workflow/spec/agent.ts";
import { DEFAULT_MAX_CONCURRENCY, DEFAULT_TIMEOUT_MS, MAX_ATTEMPT_TIMEOUT_MS, RetryPolicy } from "../workflow/spec/spec.ts";
import { BudgetSettings } from "./budget-settings.ts";
import { RoutingSettings } from "./routing-settings.ts";

/** A key of the replicated store takes one write a second. */
const MIN_PUBLISH_MS = 1_000;

const share = z.number().min(0).max(1);
const RETRY_DEFAULTS = RetryPolicy.parse({});

const Orchestration = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether calls are routed. When false every call that pins no model goes to defaultModel, without routing, fallback or escalation; contexts are not reduced, and a workflow's tokens not split over its tasks"),
  defaultModel: z.string().min(1).max(200).nullable().default(null).describe("The model that is called while orchestration is off; null: the first configured model of the base tier"),
  maxConcurrency: z.int().min(1).max(1_000).default(DEFAULT_MAX_CONCURRENCY).describe("Live attempts at once, of workflows that do not say"),
  taskTimeoutMs: z.int().min(1).max(MAX_ATTEMPT_TIMEOUT_MS).default(DEFAULT_TIMEOUT_MS).describe("Time of one attempt, of tasks that do not say"),
  maxAttempts: z.int().min(1).max(100).default(RETRY_DEFAULTS.maxAttempts).describe("Attempts for transient failures, of tasks that do not say"),
  retryInitialMs: z.int().min(0).max(3_600_000).default(RETRY_DEFAULTS.initialMs).describe("Wait before the first retry, of tasks that do not say"),
  retryMaxMs: z.int().min(0).max(86_400_000).default(RETRY_DEFAULTS.maxMs).describe("Longest wait before a retry, of tasks that do not say"),
});

const Compression = z.strictObject({
  defaultMaxTokens: z.int().min(64).max(10_000_000).default(16_000).describe("Tokens that a task's context is reduced to where the task does not say"),
});

const Routing = RoutingSettings.extend({
  rateBurstShare: z.number().min(0.01).max(1).default(0.1).describe("Share of a model's limit per minute that may be used at one moment"),

  metricsHalfLifeMs: z.int().min(1_000).max(604_800_000).default(600_000).describe("After how long a measurement of a model counts half"),
  metricsPublishMs: z.int().min(MIN_PUBLISH_MS).max(60_000).default(2_000).describe("How often at most the metrics of a provider are replicated to the edge"),

  reoptimizeEnabled: z.boolean().default(true).describe("Whether the order of models and the thresholds are improved from what was measured"),
  reoptimizeMinSamples: z.int().min(1).max(100_000).default(30).describe("Calls of a model in the window before it is judged"),
  reoptimizeWindowMs: z.int().min(60_000).max(604_800_000).default(3_600_000).describe("How far back calls are looked at"),
  reoptimizeMinImprovement: share.default(0.1).describe("By what share a model must be better than the one before it to take its place (hysteresis)"),
  reoptimizeMaxMoves: z.int().min(1).max(100).default(2).describe("Most places in the order of a tier that a model moves in one run"),
  reoptimizeMaxThresholdStep: z.int().min(0).max(3).default(1).describe("Most by which a threshold of complexity changes in one run; 0: thresholds stay"),
  reoptimizeRollbackMargin: share.default(0.1).describe("By how much success or quality may fall before a change is rolled back"),
});

const Classification = z.strictObject({
  inferTaskType: z.boolean().default(true).describe("Whether the type of a task that names none is inferred from its prompt"),
  defaultTaskType: TaskType.default("general").describe("The type of a task that names none and whose prompt tells none"),
});

const Quality = z.strictObject({
  escalateOnMiss: z.boolean().default(true).describe("Whether an answer that misses its schema is tried again one tier up"),
  priorCalls: z.number().min(0).max(10_000).default(20).describe("For how many measured calls the quality stated in the tiers document counts"),
});

/** How attempts are sent and kept alive. All times in milliseconds. Figures behind the defaults: docs/performance.md. */
const Dispatch = z.strictObject({
  objectMax: z.int().min(0).max(4).default(4).describe("Calls that a workflow object makes itself at once: an invocation has six connections waiting for a first header, two stay free for webhooks and the tenant"),
  directMax: z.int().min(0).max(150).default(150).describe("Widest ready set of http tasks sent to executors over RPC; wider ones go through the queue. At most what the platform's 32 Worker invocations per request carry, five orders each"),
  llm: z.enum(["queue", "direct"]).default("queue").describe("llm tasks go through the queue, so that a paid call outlives a reset of the object; direct is for local work"),
  claimLeaseMs: z.int().min(100).max(300_000).default(6_000).describe("How long a queued attempt may stay unclaimed before it is sent again"),
  leaseMs: z.int().min(100).max(60_000).default(6_000).describe("How long a claimed attempt lives without a renewal"),
  renewEveryMs: z.int().min(50).max(30_000).default(2_000).describe("How often a runner renews the leases of its attempts"),
  checkMs: z.int().min(100).max(60_000).default(3_000).describe("How often an object with calls of its own looks after them: so late is it woken if it was killed"),
  timeoutGraceMs: z.int().min(0).max(60_000).default(2_000).describe("How long after its timeout an attempt may still report before it is given up"),
});

const Retention = z.strictObject({
  days: z.int().min(1).max(3_650).default(30).describe("Days after its end that a workflow is kept"),
});

const Groups = z.strictObject({
  orchestration: Orchestration.prefault({}).describe("Whether and how calls are routed, and what tasks do that do not say"),
  budgets: BudgetSettings.prefault({}).describe("Money and tokens"),
  compression: Compression.prefault({}).describe("Reduction of context"),
  routing: Routing.prefault({}).describe("Choice of tiers and models"),
  classification: Classification.prefault({}).describe("Recognition of task types"),
  quality: Quality.prefault({}).describe("Quality of answers"),
  dispatch: Dispatch.prefault({}).describe("How attempts are sent and kept alive"),
  retention: Retention.prefault({}).describe("How long data is kept"),
});

/** All settings, nested by group. Every default of the service is here or is a field's default in the contract of a request. */
export const Settings = Groups.superRefine(({ orchestration, budgets, routing, dispatch }, context) => {
  const refuse = (path: string, message: string) => context.addIssue({ code: "custom", path: path.split("."), message });
  if (orchestration.retryInitialMs > orchestration.retryMaxMs) refuse("orchestration.retryInitialMs", "must be at most retryMaxMs");
  if (budgets.minTaskTokens > budgets.maxTaskTokens) refuse("budgets.minTaskTokens", "must be at most maxTaskTokens");
  if (routing.weakMaxScore > routing.baseMaxScore) refuse("routing.weakMaxScore", "must be at most baseMaxScore");
  if (routing.mediumContextTokens > routing.largeContextTokens) refuse("routing.mediumContextTokens", "must be at most largeContextTokens");
  if (routing.costWeight + routing.latencyWeight + routing.qualityWeight === 0) refuse("routing.costWeight", "the three weights must not all be 0");
  if (routing.circuitCooldownMs > routing.circuitMaxCooldownMs) refuse("routing.circuitCooldownMs", "must be at most circuitMaxCooldownMs");
  if (dispatch.renewEveryMs >= dispatch.leaseMs) refuse("dispatch.leaseMs", "must be longer than renewEveryMs, or every lease runs out before it is renewed");
});
export type Settings = z.infer<typeof Settings>;

/** Reads the variable `SETTINGS` (JSON, merged over the defaults). Throws with the faults when it is wrong: a deployment with bad settings must not start. */
export function readSettings(variable: string | undefined): Settings {
  if (variable === undefined || variable === "") return Settings.parse({});
  const parsed = Settings.safeParse(parseJson(variable));
  if (!parsed.success) throw new Error(`the variable SETTINGS is invalid: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function parseJson(variable: string): unknown {
  try {
    return JSON.parse(variable);
  } catch (error) {
    throw new Error(`the variable SETTINGS is invalid: it is no JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Paths of what only the operator may change, because it holds for all tenants at once: whole groups, and single keys. */
export const OPERATOR_PATHS: readonly string[] = [
  "dispatch",
  "retention",
  "budgets.leaseChunkUsd",
  ...Object.keys(Routing.shape).flatMap((key) => (/^(circuit|rate|metrics|reoptimize)[A-Z]/.test(key) ? [`routing.${key}`] : [])),
];
