import { z } from "zod";
import { TASK_TYPE_POINTS, TaskType } from "../workflow/agent.ts";
import { DEFAULT_MAX_CONCURRENCY, DEFAULT_TIMEOUT_MS, MAX_ATTEMPT_TIMEOUT_MS, RetryPolicy } from "../workflow/spec.ts";

/** How models are compared when a call does not say so itself. */
export const RoutingStrategy = z.enum(["cheapest", "fastest", "quality", "balanced"]);
export type RoutingStrategy = z.infer<typeof RoutingStrategy>;

const share = z.number().min(0).max(1);
/** A group that only the operator may change: it holds for all tenants at once. */
const OPERATOR_ONLY = { operatorOnly: true } as const;

const RETRY_DEFAULTS = RetryPolicy.parse({});

const Orchestration = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether calls are routed. When false every call that pins no model goes to defaultModel, without routing, fallback or escalation"),
  defaultModel: z.string().min(1).max(200).nullable().default(null).describe("The model that is called while orchestration is off; null: the first configured model of the base tier"),
  maxConcurrency: z.int().min(1).max(1_000).default(DEFAULT_MAX_CONCURRENCY).describe("Live attempts at once, of workflows that do not say"),
  taskTimeoutMs: z.int().min(1).max(MAX_ATTEMPT_TIMEOUT_MS).default(DEFAULT_TIMEOUT_MS).describe("Time of one attempt, of tasks that do not say"),
  maxAttempts: z.int().min(1).max(100).default(RETRY_DEFAULTS.maxAttempts).describe("Attempts for transient failures, of tasks that do not say"),
  retryInitialMs: z.int().min(0).max(3_600_000).default(RETRY_DEFAULTS.initialMs).describe("Wait before the first retry, of tasks that do not say"),
  retryMaxMs: z.int().min(0).max(86_400_000).default(RETRY_DEFAULTS.maxMs).describe("Longest wait before a retry, of tasks that do not say"),
});

const Budgets = z.strictObject({
  baselineModel: z.string().min(1).max(200).nullable().default(null).describe("The model that costs are compared with (baselineUsd, savedPercent); null: the strong tier's first"),
});

/** Reduction of context is no part of attempts yet, so nothing can be set. */
const Compression = z.strictObject({});

/** Weights of the strategy `balanced`; only their proportions count. */
const Weights = z.strictObject({
  cost: share.default(0.5).describe("Weight of the expected cost"),
  latency: share.default(0.3).describe("Weight of the expected time"),
  quality: share.default(0.2).describe("Weight of the expected quality"),
});

const typePoints = (type: TaskType) => z.int().min(1).max(4).default(TASK_TYPE_POINTS[type]).describe(`Complexity points of tasks of type ${type}`);
const TypePoints = z.strictObject(Object.fromEntries(TaskType.options.map((type) => [type, typePoints(type)])) as Record<TaskType, ReturnType<typeof typePoints>>);

const Circuit = z.strictObject({
  windowMs: z.int().min(1_000).max(600_000).default(30_000).describe("How far back failures count"),
  minCalls: z.int().min(1).max(10_000).default(10).describe("Calls in the window from which on the rate of failures counts"),
  failureRate: share.default(0.5).describe("Rate of failures in the window at which the circuit opens"),
  consecutiveFailures: z.int().min(1).max(1_000).default(5).describe("Failures in a row at which the circuit opens"),
  cooldownMs: z.int().min(100).max(600_000).default(5_000).describe("How long the circuit stays open at first"),
  cooldownFactor: z.number().min(1).max(10).default(2).describe("By how much the time grows with each probe that failed"),
  maxCooldownMs: z.int().min(100).max(3_600_000).default(300_000).describe("Longest time that the circuit stays open without a probe"),
  probeTimeoutMs: z.int().min(1_000).max(900_000).default(30_000).describe("After how long without a result a probe counts as lost and another may go"),
});
export type CircuitSettings = z.infer<typeof Circuit>;

const Metrics = z.strictObject({
  halfLifeMs: z.int().min(1_000).max(604_800_000).default(600_000).describe("After how long a measurement counts half"),
  publishEveryMs: z.int().min(1_000).max(60_000).default(2_000).describe("How often at most the metrics of a provider are replicated to the edge"),
});
export type MetricsSettings = z.infer<typeof Metrics>;

const Reoptimize = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether the order of models and the thresholds are improved from what was measured"),
  minSamples: z.int().min(1).max(100_000).default(30).describe("Calls of a model in the window before it is judged"),
  windowMs: z.int().min(60_000).max(604_800_000).default(3_600_000).describe("How far back calls are looked at"),
  minImprovement: share.default(0.1).describe("By what share a model must be better than the one before it to take its place (hysteresis)"),
  maxMoves: z.int().min(1).max(100).default(2).describe("Most places in the order of a tier that a model moves in one run"),
  maxThresholdStep: z.int().min(0).max(3).default(1).describe("Most by which a threshold of complexity changes in one run; 0: thresholds stay"),
  rollbackMargin: share.default(0.1).describe("By how much success or quality may fall before a change is rolled back"),
});

const Routing = z.strictObject({
  strategy: RoutingStrategy.default("balanced").describe("How models are compared when a call does not say so itself"),
  preferFreeTier: z.boolean().default(true).describe("Whether models that cost nothing go first"),
  weights: Weights.prefault({}).describe("Weights of the strategy balanced"),
  weakMaxComplexity: z.int().min(0).max(10).default(3).describe("Highest complexity (1–10) of the weak tier"),
  baseMaxComplexity: z.int().min(0).max(10).default(7).describe("Highest complexity (1–10) of the base tier; the strong tier is above"),
  typePoints: TypePoints.prefault({}).describe("Complexity points (1–4) of the task types"),
  strongTypePoints: z.int().min(1).max(5).default(4).describe("Types with so many points never go below the strong tier by score alone; 5: no type"),
  mediumContextTokens: z.int().min(1).max(100_000_000).default(8_000).describe("Context from which on it counts 2 points"),
  largeContextTokens: z.int().min(1).max(100_000_000).default(64_000).describe("Context from which on it counts 3 points"),
  manyFiles: z.int().min(1).max(1_000_000).default(5).describe("Most files that count 1 point; more count 2"),
  expectedOutputShare: z.number().min(0.01).max(1).default(0.5).describe("Share of the output limit that an answer is expected to use, where nothing better is known"),
  assumedFirstTokenMs: z.int().min(0).max(600_000).default(1_000).describe("Time to the first token of models that were not measured yet"),
  assumedTokensPerSecond: z.number().min(0.1).max(100_000).default(50).describe("Speed of models that were not measured yet"),
  maxFallbacks: z.int().min(0).max(20).default(4).describe("Most models that are tried after the chosen one failed"),
  fallbackTierUp: z.boolean().default(true).describe("Whether models of the next tier up follow when those of the tier failed"),
  maxEscalations: z.int().min(0).max(2).default(1).describe("How many tiers up an answer of too little quality is tried again"),
  rateBurstShare: z.number().min(0.01).max(1).default(0.1).describe("Share of a model's limit per minute that may be used at one moment"),
  circuit: Circuit.prefault({}).meta(OPERATOR_ONLY).describe("When a model counts as down"),
  metrics: Metrics.prefault({}).meta(OPERATOR_ONLY).describe("How models are measured"),
  reoptimize: Reoptimize.prefault({}).meta(OPERATOR_ONLY).describe("How the order of models improves itself"),
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
  directMax: z.int().min(0).max(1_000).default(1_000).describe("Widest ready set of http tasks sent to executors over RPC; wider ones go through the queue"),
  llm: z.enum(["queue", "direct"]).default("queue").describe("llm tasks go through the queue, so that a paid call outlives a reset of the object; direct is for local work"),
  claimLeaseMs: z.int().min(100).max(300_000).default(8_000).describe("How long a queued attempt may stay unclaimed before it is sent again"),
  leaseMs: z.int().min(100).max(60_000).default(8_000).describe("How long a claimed attempt lives without a renewal"),
  renewEveryMs: z.int().min(50).max(30_000).default(3_000).describe("How often a runner renews the leases of its attempts"),
  checkMs: z.int().min(100).max(60_000).default(3_000).describe("How often an object with calls of its own looks after them: so late is it woken if it was killed"),
  timeoutGraceMs: z.int().min(0).max(60_000).default(2_000).describe("How long after its timeout an attempt may still report before it is given up"),
});

const Retention = z.strictObject({
  days: z.int().min(1).max(3_650).default(30).describe("Days after its end that a workflow is kept"),
});

const Groups = z.strictObject({
  orchestration: Orchestration.prefault({}).describe("Whether and how calls are routed, and what tasks do that do not say"),
  budgets: Budgets.prefault({}).describe("Money and tokens"),
  compression: Compression.prefault({}).describe("Reduction of context"),
  routing: Routing.prefault({}).describe("Choice of tiers and models"),
  classification: Classification.prefault({}).describe("Recognition of task types"),
  quality: Quality.prefault({}).describe("Quality of answers"),
  dispatch: Dispatch.prefault({}).meta(OPERATOR_ONLY).describe("How attempts are sent and kept alive"),
  retention: Retention.prefault({}).meta(OPERATOR_ONLY).describe("How long data is kept"),
});

/** All settings, nested by group. Every default of the service is here or is a field's default in the contract of a request. */
export const Settings = Groups.superRefine(({ orchestration, routing, dispatch }, context) => {
  const refuse = (path: string, message: string) => context.addIssue({ code: "custom", path: path.split("."), message });
  const { weights, circuit } = routing;
  if (orchestration.retryInitialMs > orchestration.retryMaxMs) refuse("orchestration.retryInitialMs", "must be at most retryMaxMs");
  if (routing.weakMaxComplexity > routing.baseMaxComplexity) refuse("routing.weakMaxComplexity", "must be at most baseMaxComplexity");
  if (routing.mediumContextTokens > routing.largeContextTokens) refuse("routing.mediumContextTokens", "must be at most largeContextTokens");
  if (weights.cost + weights.latency + weights.quality === 0) refuse("routing.weights", "must not all be 0");
  if (circuit.cooldownMs > circuit.maxCooldownMs) refuse("routing.circuit.cooldownMs", "must be at most maxCooldownMs");
  if (dispatch.renewEveryMs >= dispatch.leaseMs) refuse("dispatch.renewEveryMs", "must be less than leaseMs, or every lease would run out");
});
export type Settings = z.infer<typeof Settings>;

/** Paths of what only the operator may change. */
export const OPERATOR_PATHS: readonly string[] = listOperatorPaths(Groups, "");

function listOperatorPaths(schema: z.core.$ZodType, path: string): string[] {
  const meta = z.globalRegistry.get(schema);
  if (meta?.["operatorOnly"] === true) return [path];
  const inner = schema instanceof z.ZodPrefault ? schema.unwrap() : schema;
  if (!(inner instanceof z.ZodObject)) return [];
  return Object.entries(inner.shape).flatMap(([key, child]) => listOperatorPaths(child as z.core.$ZodType, path === "" ? key : `${path}.${key}`));
}
