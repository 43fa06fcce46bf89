import { z } from "zod";
import { TaskType } from "../workflow/spec/agent.ts";

/** How the model of a call is chosen among those that can make it. */
export const Strategy = z.enum(["cheapest", "fastest", "quality", "balanced"]);
export type Strategy = z.infer<typeof Strategy>;

const share = z.number().min(0).max(1);

/** The settings group `routing`: how hard a task is, who may answer it, and what happens when nobody does. */
export const RoutingSettings = z.strictObject({
  strategy: Strategy.default("balanced").describe("How a model is chosen when neither workflow nor task says"),
  preferFreeTier: z.boolean().default(true).describe("With the balanced strategy, models that cost nothing come before those that do"),
  costWeight: share.default(0.5).describe("Weight of the expected cost in the balanced strategy"),
  latencyWeight: share.default(0.3).describe("Weight of the expected duration in the balanced strategy"),
  qualityWeight: share.default(0.2).describe("Weight of the quality in the balanced strategy"),

  typePoints: z.partialRecord(TaskType, z.number().min(0).max(10)).default({}).describe("Complexity points of task types, where they differ from the built-in 1–4"),
  mediumContextTokens: z.int().min(1).default(8_000).describe("A context of this many tokens or more counts 2 points instead of 1"),
  largeContextTokens: z.int().min(1).default(64_000).describe("A context of this many tokens or more counts 3 points"),
  fewFiles: z.int().min(0).default(5).describe("More files than this count 2 points instead of 1"),
  weakMaxScore: z.int().min(0).max(10).default(3).describe("Highest complexity score of the weak tier"),
  baseMaxScore: z.int().min(0).max(10).default(7).describe("Highest complexity score of the base tier; above it is strong"),
  strongTypePoints: z.number().min(0).max(11).default(4).describe("Task types of this many points or more never go below the strong tier by score alone"),

  exploreShare: z.number().min(0).max(0.2).default(0.05).describe("Share of calls that go to a model of the tier which what was measured speaks against, and price and stated quality do not: so it is noticed when it has recovered"),
  maxFallbacks: z.int().min(0).max(20).default(5).describe("Models tried after the first one of a call failed"),
  maxEscalations: z.int().min(0).max(2).default(2).describe("How often an answer that fails its schema is asked again one tier up, within an attempt"),
  circuitFirstTokenMs: z.int().min(100).max(840_000).default(60_000).describe("How long a model may take to begin its answer before the call counts as failed and the next model is asked, where there is one"),

  assumedOutputTokens: z.int().min(1).max(1_000_000).default(500).describe("Tokens that an answer is expected to have, within its cap, when nothing better is known"),
  assumedFirstTokenMs: z.int().min(0).max(600_000).default(1_000).describe("Time to the first token of a model that was never measured"),
  assumedTokensPerSecond: z.number().min(0.1).max(100_000).default(60).describe("Speed of a model that was never measured"),
  assumedQuality: z.number().min(0).max(10).default(5).describe("Quality (0–10) of a model whose entry states none"),

  circuitWindowMs: z.int().min(100).max(3_600_000).default(30_000).describe("How long a call counts for the health of its model"),
  circuitMinCalls: z.int().min(1).max(10_000).default(10).describe("Calls in the window before its failure rate says anything"),
  circuitFailureRate: share.default(0.4).describe("Failure rate in the window from which a model's circuit opens"),
  circuitConsecutiveFailures: z.int().min(1).max(1_000).default(5).describe("Failures in a row that open a circuit whatever the rate"),
  circuitCooldownMs: z.int().min(1).max(3_600_000).default(2_000).describe("How long a circuit stays open the first time"),
  circuitCooldownFactor: z.number().min(1).max(10).default(2).describe("How much longer it stays open each further time"),
  circuitMaxCooldownMs: z.int().min(1).max(86_400_000).default(300_000).describe("The longest that a circuit stays open without the provider asking for more"),
  circuitProbes: z.int().min(1).max(100).default(2).describe("Calls that must succeed one after the other before a half-open circuit closes"),
});
export type RoutingSettings = z.infer<typeof RoutingSettings>;
