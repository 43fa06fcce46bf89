/** Prints the tables of docs/cost.md: a mixed workload against the strong tier's first model, and slack-aware choice against choice per task. */
import { DEFAULT_TIERS } from "../src/config/default-tiers.ts";
import type { Strategy } from "../src/config/routing-settings.ts";
import { Settings } from "../src/config/settings.ts";
import type { ModelEntry, TierDocument } from "../src/config/tiers.ts";
import { priceCall } from "../src/optimizer/price.ts";
import { assignBySlack, type TaskOption } from "../src/optimizer/planning/slack.ts";
import { simulateSchedule } from "../src/optimizer/planning/schedule-end.ts";
import { findBaselineModel, isEmbedded, listTier } from "../src/router/find-model.ts";
import type { MetricsSnapshot, ModelMetrics } from "../src/router/metrics/model-metrics.ts";
import { routeCall } from "../src/router/route-call.ts";
import { TIER_ABOVE } from "../src/router/route-request.ts";
import type { TaskType, TierName } from "../src/workflow/spec/agent.ts";
import { buildGraph } from "../src/workflow/graph.ts";
import { EXAMPLE_GRAPHS, type ExampleGraph, type ExampleTask } from "./example-graphs.ts";

const NOW = Date.UTC(2026, 10, 21);
const NANO = 1_000_000_000;
const settings = Settings.parse({});

/** One kind of task of the mixed workload: the tier follows from type and context, as for any task. */
interface WorkloadTask {
  share: number;
  taskType: TaskType;
  contextTokens: number;
  outputTokens: number;
}

/** 1,000 tasks: 400 that the score sends to the weak tier, 500 to base, 100 to strong. */
const MIXED: readonly WorkloadTask[] = [
  { share: 200, taskType: "log_summary", contextTokens: 2_000, outputTokens: 300 },
  { share: 200, taskType: "data_extraction", contextTokens: 2_000, outputTokens: 300 },
  { share: 250, taskType: "code_implementation", contextTokens: 12_000, outputTokens: 800 },
  { share: 250, taskType: "code_review", contextTokens: 12_000, outputTokens: 800 },
  { share: 100, taskType: "architecture_design", contextTokens: 20_000, outputTokens: 1_500 },
];
const EVEN: readonly WorkloadTask[] = MIXED.map((task) => ({ ...task, outputTokens: 500 }));

export function benchCost(): void {
  printMixedWorkload();
  printSlack();
}

/** Providers that are configured, and the strategy. */
const SETUPS: readonly [name: string, providers: readonly string[] | null, strategy: Strategy][] = [
  ["Anthropic only, balanced", ["anthropic"], "balanced"],
  ["all that charge, balanced", ["anthropic", "openai", "workers-ai"], "balanced"],
  ["all that charge, cheapest", ["anthropic", "openai", "workers-ai"], "cheapest"],
  ["all, balanced (the default)", null, "balanced"],
];

function printMixedWorkload(): void {
  console.log("| models and strategy | weak / base / strong | cost | all on the strong tier's first | saved | all on its cheapest | saved |\n|---|---|---|---|---|---|---|");
  for (const [name, providers, strategy] of SETUPS) console.log(rowOf(name, runWorkload(MIXED, providers, strategy, 0)));
  console.log("\n| Anthropic only, balanced | weak / base / strong | cost | all on the strong tier's first | saved | all on its cheapest | saved |\n|---|---|---|---|---|---|---|");
  for (const share of [0, 0.1, 0.2, 0.4]) console.log(rowOf(`${share * 100} % of weak and base answers asked again one tier up`, runWorkload(MIXED, ["anthropic"], "balanced", share)));
  console.log(rowOf("all answers of 500 tokens", runWorkload(EVEN, ["anthropic"], "balanced", 0)));
}

interface WorkloadCost {
  tasks: Record<TierName, number>;
  nanoUsd: number;
  baselineNanoUsd: number;
  /** The same tokens on the strong tier's cheapest model: what is saved against it is saved by routing alone. */
  cheapestStrongNanoUsd: number;
}

function runWorkload(workload: readonly WorkloadTask[], providers: readonly string[] | null, strategy: Strategy, escalated: number): WorkloadCost {
  const result: WorkloadCost = { tasks: { weak: 0, base: 0, strong: 0 }, nanoUsd: 0, baselineNanoUsd: 0, cheapestStrongNanoUsd: 0 };
  const baseline = findBaselineModel(DEFAULT_TIERS)!;
  // The embedded engine would take whole tiers that have no configured model.
  const context = { document: DEFAULT_TIERS, metrics: null, settings, isConfigured: (id: string) => (providers === null ? id !== "offline" : providers.includes(id)), now: NOW };
  const choose = (task: WorkloadTask, tier: TierName | null) => {
    const choice = routeCall({ taskType: task.taskType, contextTokens: task.contextTokens, files: 1, failureRate: 0, strategy, tier, maxOutputTokens: 2_000, needs: [], expectedOutputTokens: task.outputTokens }, context);
    if ("failure" in choice) throw new Error(choice.failure.message);
    return choice;
  };
  for (const task of workload) {
    const { tier, chosen } = choose(task, null);
    result.tasks[tier] += task.share;
    result.nanoUsd += task.share * costOf(chosen.model, task);
    result.baselineNanoUsd += task.share * costOf(baseline, task);
    result.cheapestStrongNanoUsd += task.share * Math.min(...listTier(DEFAULT_TIERS, "strong").flatMap((member) => (isEmbedded(member) ? [] : [costOf(member.model, task)])));
    const above = TIER_ABOVE[tier];
    if (above !== null) result.nanoUsd += task.share * escalated * costOf(choose(task, above).chosen.model, task);
  }
  return result;
}

function costOf({ price }: ModelEntry, { contextTokens, outputTokens }: Pick<WorkloadTask, "contextTokens" | "outputTokens">): number {
  return priceCall({ inputTokens: contextTokens, outputTokens, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }, price);
}

function rowOf(name: string, { tasks, nanoUsd, baselineNanoUsd, cheapestStrongNanoUsd }: WorkloadCost): string {
  const against = (other: number): string => `$${(other / NANO).toFixed(2)} | ${((1 - nanoUsd / other) * 100).toFixed(1)} %`;
  return `| ${name} | ${tasks.weak} / ${tasks.base} / ${tasks.strong} | $${(nanoUsd / NANO).toFixed(2)} | ${against(baselineNanoUsd)} | ${against(cheapestStrongNanoUsd)} |`;
}

/** Each tier has a quick, a middle and a slow model, dearer the quicker; their qualities do not differ. */
const SPEEDS = { quick: [1, 150], middle: [0.4, 80], slow: [0.15, 40] } as const;
const QUICK_PRICES: Record<TierName, [number, number]> = { weak: [1, 5], base: [3, 15], strong: [15, 75] };
const TIERS: readonly TierName[] = ["weak", "base", "strong"];

function createExampleTiers(): { document: TierDocument; metrics: MetricsSnapshot } {
  const entries = TIERS.flatMap((tier) => Object.entries(SPEEDS).map(([speed, [share, tokensPerSecond]]) => ({ id: `${tier}-${speed}`, tier, share, tokensPerSecond })));
  const models = entries.map(({ id, tier, share }): ModelEntry => ({
    id, provider: "p", tier, price: { inputPerMillionUsd: QUICK_PRICES[tier][0] * share, outputPerMillionUsd: QUICK_PRICES[tier][1] * share }, contextWindow: 200_000, maxOutputTokens: 8_000, capabilities: [], quality: 7,
  }));
  const measured = entries.map(({ id, tokensPerSecond }): [string, ModelMetrics] => [
    id,
    { calls: 100, successRate: 1, latencyMs: null, timeToFirstTokenMs: { p50: 500 }, tokensPerSecond, costPer1kTokensUsd: null, quality: null, circuit: { state: "closed", openUntil: null }, updatedAt: NOW },
  ]);
  const list = (tier: TierName): string[] => models.filter((model) => model.tier === tier).map(({ id }) => id);
  const document: TierDocument = { providers: [{ id: "p", kind: "openai-compatible", baseUrl: "https://p.example/v1" }], models, tiers: { weak: list("weak"), base: list("base"), strong: list("strong") } };
  return { document, metrics: { at: NOW, models: Object.fromEntries(measured) } };
}

function printSlack(): void {
  const tiers = createExampleTiers();
  console.log("\n| workflow | tasks | end | per task | slack-aware | saved | with a quarter more time |\n|---|---|---|---|---|---|---|");
  let perTaskTotal = 0;
  let slackTotal = 0;
  for (const example of EXAMPLE_GRAPHS) {
    const { graph, options, perTask, rank } = readExample(example, tiers);
    const endMs = simulateSchedule(graph, options.map((list) => list[0]!.durationMs), example.slots, rank).endMs;
    const cost = options.reduce((sum, list) => sum + list[0]!.costNanoUsd, 0);
    const request = { graph, options, perTask, rank, slots: example.slots };
    const plan = assignBySlack({ ...request, deadlineMs: null });
    const later = assignBySlack({ ...request, deadlineMs: Math.round(endMs * 1.25) });
    if (plan.endMs > endMs || plan.costNanoUsd > cost) throw new Error(`${example.name} became worse`);
    perTaskTotal += cost;
    slackTotal += plan.costNanoUsd;
    console.log(`| ${example.name} | ${graph.size} | ${(endMs / 1_000).toFixed(1)} s | ${usd(cost)} | ${usd(plan.costNanoUsd)} | ${saved(cost, plan.costNanoUsd)} | ${saved(cost, later.costNanoUsd)} |`);
  }
  console.log(`| all ten | | | ${usd(perTaskTotal)} | ${usd(slackTotal)} | ${saved(perTaskTotal, slackTotal)} | |`);
}

function readExample({ tasks }: ExampleGraph, { document, metrics }: ReturnType<typeof createExampleTiers>) {
  const graph = buildGraph(tasks.map(({ dependsOn }) => dependsOn));
  if ("cycle" in graph) throw new Error("an example has a cycle");
  return { graph, options: tasks.map((task) => optionsOf(task, document, metrics)), perTask: tasks.map(() => 0), rank: tasks.map(() => 2) };
}

/** What the task alone would take first, then the others of its tier. */
function optionsOf({ tier, inputTokens, outputTokens }: ExampleTask, document: TierDocument, metrics: MetricsSnapshot): TaskOption[] {
  const choice = routeCall({ taskType: "general", contextTokens: inputTokens, files: 1, failureRate: 0, tier, maxOutputTokens: 8_000, needs: [], expectedOutputTokens: outputTokens }, { document, metrics, settings, isConfigured: () => true, now: NOW });
  if ("failure" in choice) throw new Error(choice.failure.message);
  return choice.candidates.filter((model) => model.tier === tier).map(({ expectedNanoUsd, expectedMs }) => ({ costNanoUsd: expectedNanoUsd, durationMs: Math.ceil(expectedMs) }));
}

function usd(nanoUsd: number): string {
  return `$${(nanoUsd / NANO).toFixed(4)}`;
}

function saved(before: number, after: number): string {
  return `${((1 - after / before) * 100).toFixed(1)} %`;
}
