import { describe, expect, test } from "vitest";
import { DEFAULT_TIERS } from "../../src/config/default-tiers.ts";
import { Settings } from "../../src/config/settings.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import type { Models } from "../../src/consumer/load-models.ts";
import { TokenMargins } from "../../src/optimizer/tokens/token-margin.ts";
import type { ModelMetrics } from "../../src/router/metrics/model-metrics.ts";
import { createTestApi } from "./fake-ports.ts";

/** Two models in the base tier: the cheap one takes three times as long. */
const DOCUMENT: TierDocument = {
  providers: [{ id: "p", kind: "openai-compatible", baseUrl: "https://p.example/v1" }],
  models: [["quick", 10], ["cheap", 1]].map(([id, price]) => ({
    id: id as string, provider: "p", tier: "base", price: { inputPerMillionUsd: price as number, outputPerMillionUsd: price as number },
    contextWindow: 100_000, maxOutputTokens: 4_000, capabilities: [], quality: 7,
  })),
  tiers: { weak: [], base: ["quick", "cheap"], strong: [] },
};

function measured(tokensPerSecond: number): ModelMetrics {
  return { calls: 100, successRate: 1, latencyMs: null, timeToFirstTokenMs: { p50: 0 }, tokensPerSecond, costPer1kTokensUsd: null, quality: null, circuit: { state: "closed", openUntil: null }, updatedAt: 0 };
}

const MODELS: Models = {
  document: DOCUMENT,
  isConfigured: () => true,
  engine: () => Promise.reject(new Error("a plan calls no model")),
  settings: Settings.parse({ routing: { costWeight: 0, latencyWeight: 1, qualityWeight: 0 } }),
  // 500 tokens: 1,000 and 3,000 ms.
  metrics: { at: 0, models: { quick: measured(500), cheap: measured(500 / 3) } },
  health: { observe: () => undefined, acquireProbe: async () => true, acquireRate: async () => true },
  failureRate: () => 0,
  margins: new TokenMargins(),
};

interface Plan {
  waves: string[][];
  criticalPath: string[];
  tasks: Record<string, { complexity: number | null; tier: string | null; model: string | null; provider: string | null; fallbacks: string[]; tokenBudget: number | null; expectedUsd: number; expectedTokens: number; worstUsd: number; worstTokens: number; reason: string | null }>;
  totals: { expectedUsd: number; worstUsd: number; expectedMs: number; expectedTokens: number; worstTokens: number };
  fits: boolean;
}

const task = (id: string, dependsOn: string[] = [], changes: object = {}) => ({ id, agent: "planner", tier: "base", dependsOn, input: { prompt: "Do it." }, ...changes });
/** Two branches between a start and an end: four tasks one after the other, and one beside them. */
const BRANCHES = [task("start"), ...["a", "b", "c", "d"].map((id, index) => task(id, [["start", "a", "b", "c"][index]!])), task("beside", ["start"]), task("end", ["d", "beside"])];

async function planOf(body: object, models: Partial<Models> = {}): Promise<Plan> {
  const tiers = { read: async () => ({ version: 1, document: DOCUMENT }), refresh: async () => ({ version: 1, document: DOCUMENT }), publish: async () => undefined };
  const { ask, world } = createTestApi({ loadModels: async () => ({ ...MODELS, ...models }), tiers });
  const response = await ask("POST", "/v1/workflows/plan", body);
  const answer = (await response.json()) as Plan;
  expect(response.status, JSON.stringify(answer)).toBe(200);
  expect([world.workflows.size, world.calls.filter((call) => !/listAgents|read/.test(call))]).toEqual([0, []]);
  return answer;
}

const modelsOf = ({ tasks }: Plan) => Object.fromEntries(Object.entries(tasks).map(([id, { model }]) => [id, model]));

describe("POST /v1/workflows/plan", () => {
  test("answers waves, the critical path, and for each task its model, who takes over, its cost and its worst", async () => {
    const plan = await planOf({ tasks: BRANCHES });
    expect(plan.waves).toEqual([["start"], ["a", "beside"], ["b"], ["c"], ["d"], ["end"]]);
    expect(plan.criticalPath).toEqual(["start", "a", "b", "c", "d", "end"]);
    expect(plan.tasks["start"]).toMatchObject({ tier: "base", model: "quick", provider: "p", fallbacks: ["cheap"], tokenBudget: null, complexity: expect.any(Number) });
    // The output cap of the agent at the model's price, and the prompt.
    expect(plan.tasks["start"]!.worstUsd).toBeGreaterThan((1_536 * 10) / 1e6);
    expect(plan.totals.expectedMs).toBe(6_000);
    for (const name of ["expectedUsd", "worstUsd", "expectedTokens", "worstTokens"] as const) expect(plan.totals[name]).toBeCloseTo(Object.values(plan.tasks).reduce((sum, planned) => sum + planned[name], 0), 9);
    expect(plan.fits).toBe(true);
  });

  test("gives tasks beside the critical path the cheaper model, and the one that is best for them alone as the next", async () => {
    const plan = await planOf({ tasks: BRANCHES });
    expect(modelsOf(plan)).toEqual({ start: "quick", a: "quick", b: "quick", c: "quick", d: "quick", beside: "cheap", end: "quick" });
    expect(plan.tasks["beside"]).toMatchObject({ fallbacks: ["quick"], reason: expect.stringContaining("The workflow as a whole") });
  });

  test.each([
    ["another strategy of the workflow", { strategy: "fastest" }, {}],
    ["another strategy of the task", {}, { strategy: "quality" }],
    ["a pinned model", {}, { model: "quick" }],
    ["no slot to spare", { maxConcurrency: 1 }, {}],
  ])("leaves a task its own choice with %s", async (_case, workflow, besides) => {
    expect(modelsOf(await planOf({ ...workflow, tasks: BRANCHES.map((each) => (each.id === "beside" ? { ...each, ...besides } : each)) }))["beside"]).toBe("quick");
  });

  test("takes the cheapest that is expected to meet a deadline", async () => {
    const chain = [task("a"), task("b", ["a"])];
    expect((await planOf({ tasks: chain, deadlineMs: 6_000 })).totals.expectedMs).toBe(6_000);
    expect(Object.values(modelsOf(await planOf({ tasks: chain, deadlineMs: 5_999 }))).toSorted()).toEqual(["cheap", "quick"]);
    expect(modelsOf(await planOf({ tasks: chain, deadlineMs: 3_999 }))).toEqual({ a: "quick", b: "quick" });
    expect((await planOf({ tasks: chain, deadlineMs: 10 })).totals.expectedMs).toBe(2_000);
  });

  test.each(["quality", "fastest"] as const)("takes what was asked for with the strategy %s, whatever the deadline", async (strategy) => {
    const chain = [task("a"), task("b", ["a"])];
    const alone = await planOf({ tasks: chain, strategy });
    for (const deadlineMs of [1, 3_000, 60_000]) expect(await planOf({ tasks: chain, strategy, deadlineMs })).toEqual(alone);
  });

  test("counts a wave as over when its last task is, with wave scheduling", async () => {
    // Eager, x could take its time beside b and c.
    const tasks = [task("a"), task("x"), task("b", ["a"]), task("c", ["b"])];
    expect(modelsOf(await planOf({ tasks }))["x"]).toBe("cheap");
    expect(await planOf({ tasks, scheduling: "wave" })).toMatchObject({ tasks: { x: { model: "quick" } }, totals: { expectedMs: 3_000 } });
  });

  test("counts what a task will be shown of its dependencies and in its input", async () => {
    const words = "word ".repeat(4_000);
    const plan = await planOf({ input: { words }, tasks: [task("a"), task("own", [], { input: { prompt: "Read: ${workflow.input.words}" } }), task("shown", ["a"]), task("blind", ["a"], { context: { mode: "none" } }), task("quoted", ["a"], { context: { mode: "none" }, input: { prompt: "See ${tasks.a.output} and ${tasks.a.output}" } })], strategy: "fastest" });
    const inputTokens = (id: string) => (plan.tasks[id]!.expectedUsd * 1e6) / 10 - 500;
    expect(inputTokens("own")).toBeGreaterThan(3_500);
    expect(inputTokens("shown") - inputTokens("blind")).toBeGreaterThan(500);
    expect(inputTokens("quoted") - inputTokens("blind")).toBeGreaterThanOrEqual(1_000);
  });

  test("says of tasks of other agents nothing, and of those that no model can take why", async () => {
    const { ask } = createTestApi({ loadModels: async () => ({ ...MODELS, isConfigured: () => false, document: DEFAULT_TIERS }) });
    await ask("PUT", "/v1/agents/sum", { kind: "transform", expression: "1 + 1" });
    const plan = (await (await ask("POST", "/v1/workflows/plan", { tasks: [{ id: "sum", agent: "sum" }, task("llm")] })).json()) as Plan;
    expect(plan.tasks["sum"]).toEqual({ complexity: null, tier: null, model: null, provider: null, fallbacks: [], reason: null, tokenBudget: null, expectedUsd: 0, expectedTokens: 0, expectedMs: 0, worstUsd: 0, worstTokens: 0 });
    expect(plan.tasks["llm"]).toMatchObject({ model: null, reason: expect.stringContaining("ANTHROPIC_API_KEY") });
  });

  test("refuses what a creation refuses", async () => {
    const { ask } = createTestApi();
    for (const body of [{ tasks: [] }, { tasks: [task("a", ["b"]), task("b", ["a"])] }, { tasks: [task("a")], budget: {} }, { tasks: [task("a", [], { model: "nobody" })] }]) {
      const [plan, creation] = await Promise.all([ask("POST", "/v1/workflows/plan", body), ask("POST", "/v1/workflows", body)]);
      expect(plan.status).toBe(422);
      const { errors } = (await plan.json()) as { errors: unknown };
      expect(errors).toEqual(((await creation.json()) as { errors: unknown }).errors);
    }
  });
});

describe("POST /v1/workflows", () => {
  const tiers = { read: async () => ({ version: 1, document: DOCUMENT }), refresh: async () => ({ version: 1, document: DOCUMENT }), publish: async () => undefined };
  const plannedFor = async (body: object, loadModels: () => Promise<Models> = async () => MODELS) => {
    const { ask, world } = createTestApi({ loadModels, tiers });
    expect((await ask("POST", "/v1/workflows", body)).status).toBe(201);
    return { planned: [...world.workflows.values()][0]!.request.plannedModels, log: world.log };
  };

  test("hands the workflow the models that the plan chose against the tasks' own choice", async () => {
    expect((await plannedFor({ tasks: BRANCHES })).planned).toEqual({ beside: "cheap" });
  });

  test("asks for no models where no task calls one", async () => {
    const loadModels = () => Promise.reject(new Error("was asked for models"));
    const { ask, world } = createTestApi({ loadModels, tiers });
    await ask("PUT", "/v1/agents/sum", { kind: "transform", expression: "1 + 1" });
    expect((await ask("POST", "/v1/workflows", { tasks: [{ id: "sum", agent: "sum" }], budget: { maxUsd: 0 } })).status).toBe(201);
    expect(world.log).not.toContainEqual(expect.objectContaining({ event: "plan.failed" }));
  });

  test("creates the workflow also when no plan can be made", async () => {
    expect(await plannedFor({ tasks: BRANCHES, budget: { maxTokens: 1 } }, () => Promise.reject(new Error("away")))).toMatchObject({ planned: undefined, log: expect.arrayContaining([{ event: "plan.failed", message: "Error: away" }]) });
  });
});
