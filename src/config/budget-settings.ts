import { z } from "zod";
import type { Intent } from "../optimizer/intents/intent.ts";
import { Allocation, type Priority } from "../workflow/spec/spec.ts";

/** Thresholds of one account: each is an event. */
export const MAX_WARNING_THRESHOLDS = 10;

const tokens = (baseline: number, intent: Intent) => z.int().min(1).max(1_000_000).default(baseline).describe(`Tokens that a task with the intent ${intent} is taken to need, input and output together`);

const IntentTokens = z.strictObject({
  extract: tokens(800, "extract"),
  summarize: tokens(1_500, "summarize"),
  generate: tokens(2_500, "generate"),
  validate: tokens(1_000, "validate"),
  send: tokens(500, "send"),
  transform: tokens(800, "transform"),
  conditional: tokens(300, "conditional"),
  aggregate: tokens(1_200, "aggregate"),
  filter: tokens(600, "filter"),
  enrich: tokens(1_000, "enrich"),
} satisfies Record<Intent, unknown>);

const priorityShare = (share: number, priority: Priority) => z.number().min(0.01).max(1_000).default(share).describe(`With the allocation priority: the share of a task of priority ${priority}, against the others`);

const PriorityShares = z.strictObject({
  urgent: priorityShare(8, "urgent"),
  high: priorityShare(4, "high"),
  normal: priorityShare(2, "normal"),
  low: priorityShare(1, "low"),
} satisfies Record<Priority, unknown>);

/** The settings group `budgets`: how money and tokens are counted, split and foreseen. */
export const BudgetSettings = z.strictObject({
  baselineModel: z.string().min(1).max(200).nullable().default(null).describe("The model that costs are compared with (baselineUsd, savedPercent); null: the strong tier's first"),

  defaultAllocation: Allocation.default("proportional").describe("How a workflow's maxTokens is split over its language-model tasks when it does not say"),
  minTaskTokens: z.int().min(0).max(1_000_000).default(300).describe("Fewest tokens that a task is allotted, as long as so many are left"),
  maxTaskTokens: z.int().min(1).max(1_000_000_000).default(200_000).describe("Most tokens that a task is allotted; what that leaves over flows to the others"),
  overageThreshold: z.number().min(0).max(10).default(0.2).describe("Share above its allocation that a task may use while the workflow has room"),
  intentTokens: IntentTokens.prefault({}).describe("What tasks of each intent are taken to need, until their agent has a history"),
  priorityShares: PriorityShares.prefault({}).describe("Shares of the allocation priority"),
  adaptiveMinSamples: z.int().min(1).max(10_000).default(5).describe("Runs of an agent after which its own history counts as much as the baseline; more make it count more"),
  intensityStrength: z.number().min(0).max(1).default(0.5).describe("How far an agent's intensity moves its share: an agent of the score 10 gets 1 + this, of 0 gets 1 − this, of 5 what it had"),

  warningThresholds: z
    .array(z.int().min(1).max(100))
    .max(MAX_WARNING_THRESHOLDS)
    .refine((thresholds) => thresholds.every((threshold, index) => index === 0 || thresholds[index - 1]! < threshold), "list them in ascending order, each once")
    .default([50, 80, 95])
    .describe("Percent of a workflow's budget at whose spending a warning is given, once each; an empty list gives none"),
  leaseChunkUsd: z.number().min(0.001).max(1_000).default(0.05).describe("How much of the tenant's budget a workflow takes at once: larger chunks ask the tenant's object less often, smaller ones keep less from other workflows"),
});
export type BudgetSettings = z.infer<typeof BudgetSettings>;

/** What of a tenant's settings its workflows' objects go by. */
const OBJECT_KEYS = ["minTaskTokens", "maxTaskTokens", "overageThreshold", "warningThresholds"] as const;
export type ObjectBudgetSettings = Pick<BudgetSettings, (typeof OBJECT_KEYS)[number]>;

/** What a workflow must be told of its tenant's settings, since its object knows the operator's only; null where they are the same. */
export function pickOwnBudgets(own: BudgetSettings, operators: BudgetSettings): Partial<ObjectBudgetSettings> | null {
  const differing = OBJECT_KEYS.filter((key) => JSON.stringify(own[key]) !== JSON.stringify(operators[key]));
  return differing.length === 0 ? null : Object.fromEntries(differing.map((key) => [key, own[key]]));
}
