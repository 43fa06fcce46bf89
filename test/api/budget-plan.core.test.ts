import { describe, expect, test } from "vitest";
import { Settings } from "../../src/config/settings.ts";
import type { ModelEntry, TierDocument } from "../../src/config/tiers.ts";
import { MAX_PLANNED_TASKS } from "../../src/consumer/planning/foresee-workflow.ts";
import type { Models } from "../../src/consumer/load-models.ts";
import { TokenMargins } from "../../src/optimizer/tokens/token-margin.ts";
import type { CreateRequest } from "../../src/api/ports/workflow-port.ts";
import type { AgentHistory } from "../../src/optimizer/agent-history.ts";
import { createTestApi } from "./fake-ports.ts";

function modelOf(id: string, tier: "weak" | "base", perMillionUsd: number, quality: number): ModelEntry {
  return { id, provider: "p", tier, price: { inputPerMillionUsd: perMillionUsd, outputPerMillionUsd: perMillionUsd }, contextWindow: 1_000_000, maxOutputTokens: 4_000, capabilities: [], quality };
}

/** One good model, a cheaper one of its tier that is nearly as good, and a weak one. */
const DOCUMENT: TierDocument = {
  providers: [{ id: "p", kind: "openai", baseUrl: "https://p.example/v1" }],
  models: [modelOf("good", "base", 10, 9), modelOf("fair", "base", 5, 8), modelOf("poor", "weak", 1, 3)],
  tiers: { weak: ["poor"], base: ["good", "fair"], strong: [] },
};

const MODELS: Models = {
  document: DOCUMENT,
  isConfigured: () => true,
  engine: () => Promise.reject(new Error("a plan calls no model")),
  settings: Settings.parse({}),
  metrics: null,
  health: { observe: () => undefined, acquireProbe: async () => true, acquireRate: async () => true },
  failureRate: () => 0,
  margins: new TokenMargins(),
};

/** 500 tokens of output are expected of each, 1,000 are the most. */
const task = (id: string, dependsOn: string[] = [], changes: object = {}) => ({ id, agent: "planner", type: "planning", dependsOn, maxOutputTokens: 1_000, input: { prompt: "Do it." }, ...changes });

interface Plan {
  tasks: Record<string, { tier: string; model: string; fallbacks: string[]; tokenBudget: number | null; expectedUsd: number; expectedTokens: number; expectedMs: number; worstUsd: number; worstTokens: number; reason: string }>;
  totals: { expectedUsd: number; worstUsd: number; expectedTokens: number; worstTokens: number };
  fits: boolean;
}

function createApi(models: Partial<Models> = {}) {
  const tiers = { read: async () => ({ version: 1, document: DOCUMENT }), refresh: async () => ({ version: 1, document: DOCUMENT }), publish: async () => undefined };
  return createTestApi({ loadModels: async () => ({ ...MODELS, ...models }), tiers });
}

async function planOf(body: object, models: Partial<Models> = {}): Promise<Plan> {
  const response = await createApi(models).ask("POST", "/v1/workflows/plan", { strategy: "quality", ...body });
  const answer = (await response.json()) as Plan;
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer;
}

const modelsOf = ({ tasks }: Plan) => Object.values(tasks).map(({ model }) => model);

describe("the plan of a workflow with a budget in dollars", () => {
  const three = [task("a"), task("b"), task("c")];

  test("is the same as without one while it is expected to reach", async () => {
    const free = await planOf({ tasks: three });
    const bound = await planOf({ tasks: three, budget: { maxUsd: free.totals.expectedUsd } });
    expect(modelsOf(bound)).toEqual(["good", "good", "good"]);
  });

  test("takes cheaper models until it is expected to reach: first what saves most for the quality it costs, then tiers below", async () => {
    const { expectedUsd } = (await planOf({ tasks: three })).totals;
    const plan = await planOf({ tasks: three, budget: { maxUsd: expectedUsd * 0.9 } });
    expect(modelsOf(plan).toSorted()).toEqual(["fair", "good", "good"]);
    expect(plan.totals.expectedUsd).toBeLessThanOrEqual(expectedUsd * 0.9);
    expect(modelsOf(await planOf({ tasks: three, budget: { maxUsd: expectedUsd * 0.5 } }))).toEqual(["fair", "fair", "fair"]);
    const poorer = await planOf({ tasks: three, budget: { maxUsd: expectedUsd * 0.3 } });
    expect(modelsOf(poorer).toSorted()).toEqual(["fair", "poor", "poor"]);
    expect(Object.values(poorer.tasks).find(({ model }) => model === "poor")).toMatchObject({ tier: "weak", fallbacks: ["good", "fair"], reason: expect.stringContaining("budget") });
  });

  test.each([
    ["a pinned model", { model: "good" }, "good"],
    ["the tier that it names", { tier: "base" }, "fair"],
  ])("leaves a task with %s", async (_case, changes, model) => {
    const plan = await planOf({ tasks: [task("a", [], changes), task("b")], budget: { maxUsd: 0.003 } });
    expect([plan.tasks["a"]!.model, plan.tasks["b"]!.model]).toEqual([model, "poor"]);
  });

  test("fits when the worst case does, of the workflow and of each task", async () => {
    const { totals, tasks } = await planOf({ tasks: three.map((each) => ({ ...each, model: "good" })) });
    const worst = totals.worstUsd;
    const fits = async (budget: object | undefined, own?: object) => (await planOf({ tasks: three.map((each) => ({ ...each, model: "good", budget: own })), budget })).fits;
    expect(await fits(undefined)).toBe(true);
    expect(await fits({ maxUsd: worst })).toBe(true);
    expect(await fits({ maxUsd: worst - 1e-9 })).toBe(false);
    expect(await fits({ maxTokens: totals.worstTokens })).toBe(true);
    expect(await fits({ maxTokens: totals.worstTokens - 1 })).toBe(false);
    expect(await fits(undefined, { maxTokens: tasks["a"]!.worstTokens })).toBe(true);
    expect(await fits(undefined, { maxTokens: tasks["a"]!.worstTokens - 1 })).toBe(false);
  });

  test("counts an agent that prices its own work with its task's budget, which is held for it", async () => {
    const { ask } = createApi();
    await ask("PUT", "/v1/agents/remote", { kind: "http", url: "https://agents.example/run" });
    const plan = async (maxUsd: number, own: object | undefined) => (await (await ask("POST", "/v1/workflows/plan", { tasks: [{ id: "a", agent: "remote", budget: own }, { id: "b", agent: "remote", budget: { maxTokens: 50 } }], budget: { maxUsd } })).json()) as Plan;
    expect(await plan(0.25, { maxUsd: 0.25 })).toMatchObject({ fits: true, tasks: { a: { worstUsd: 0.25, expectedUsd: 0 }, b: { worstUsd: 0, worstTokens: 50 } }, totals: { worstUsd: 0.25, worstTokens: 50 } });
    expect(await plan(0.25, { maxUsd: 0.250_000_001 })).toMatchObject({ fits: false });
    expect(await plan(0, undefined)).toMatchObject({ fits: true, totals: { worstUsd: 0 } });
  });

  test("counts what is expected at most of what a task is shown of its dependencies", async () => {
    const shown = await planOf({ tasks: [task("a"), task("b", ["a"]), task("c", ["a"], { context: { mode: "none" } }), task("d", ["a"], { context: { mode: "reduce", maxTokens: 100 } })] });
    const { b, c, d } = shown.tasks as Record<string, Plan["tasks"][string]>;
    expect(b!.expectedTokens - c!.expectedTokens).toBeGreaterThanOrEqual(500);
    expect(b!.worstTokens - c!.worstTokens).toBeGreaterThanOrEqual(1_000);
    expect(d!.expectedTokens - c!.expectedTokens).toBeLessThanOrEqual(100);
    expect(b!.worstTokens).toBeGreaterThan(b!.expectedTokens);
  });
});

describe("the token budget of tasks in a plan", () => {
  const intents = [task("a", [], { intent: "extract" }), task("b", ["a"], { intent: "generate" }), task("c", ["b"], { intent: "filter" })];
  const budgets = ({ tasks }: Plan) => Object.values(tasks).map(({ tokenBudget }) => tokenBudget);

  test("is null without a budget of tokens", async () => {
    expect(budgets(await planOf({ tasks: intents, budget: { maxUsd: 1 } }))).toEqual([null, null, null]);
  });

  test("is split by the intents' baselines, or as the workflow says, and is all of it", async () => {
    expect(budgets(await planOf({ tasks: intents, budget: { maxTokens: 39_000 } }))).toEqual([8_000, 25_000, 6_000]);
    expect(budgets(await planOf({ tasks: intents, budget: { maxTokens: 39_000 }, allocation: "equal" }))).toEqual([13_000, 13_000, 13_000]);
    const urgent = intents.map((each, index) => ({ ...each, priority: (["low", "normal", "urgent"] as const)[index] }));
    expect(budgets(await planOf({ tasks: urgent, budget: { maxTokens: 11_000 }, allocation: "priority" }))).toEqual([1_000, 2_000, 8_000]);
  });

  test("follows the settings where the workflow does not say", async () => {
    const settings = Settings.parse({ budgets: { defaultAllocation: "equal", maxTaskTokens: 10_000 } });
    expect(budgets(await planOf({ tasks: intents, budget: { maxTokens: 39_000 } }, { settings }))).toEqual([10_000, 10_000, 10_000]);
  });

  test("is null while orchestration is off, and tasks see all of their context", async () => {
    const wide = [task("a", [], { maxOutputTokens: 4_000 }), task("b", ["a"], { context: { mode: "reduce", maxTokens: 64 } })];
    const settings = (enabled: boolean) => ({ settings: Settings.parse({ orchestration: { enabled, defaultModel: "good" } }) });
    const [on, off] = await Promise.all([true, false].map((enabled) => planOf({ tasks: wide, budget: { maxTokens: 39_000 } }, settings(enabled))));
    expect(budgets(on!).every((tokens) => tokens !== null)).toBe(true);
    expect(budgets(off!)).toEqual([null, null]);
    expect(off!.tasks["b"]!.expectedTokens).toBeGreaterThan(on!.tasks["b"]!.expectedTokens + 400);
  });

  test("leaves what a task's own cap leaves over to the others", async () => {
    expect(budgets(await planOf({ tasks: [task("a", [], { budget: { maxTokens: 2_000 }, intent: "extract" }), task("b", [], { intent: "extract" })], budget: { maxTokens: 20_000 } }))).toEqual([2_000, 18_000]);
  });

  test("follows what the tenant's agents have used, with adaptive", async () => {
    const { ask, world } = createApi();
    const history = (tokens: number): AgentHistory => ({ runs: 100, tokens, turns: 100, durationMs: 1_000_000, failures: 10 });
    world.history = [
      { agent: "planner", taskType: "planning", history: history(250_000) },
      { agent: "scout", taskType: "file_scan", history: history(250_000 * 9) },
    ];
    const body = { tasks: [task("a"), task("b", [], { agent: "scout", type: "file_scan" })], budget: { maxTokens: 100_000 }, allocation: "adaptive" };
    const plan = (await (await ask("POST", "/v1/workflows/plan", body)).json()) as Plan;
    expect(plan.tasks["b"]!.tokenBudget! / plan.tasks["a"]!.tokenBudget!).toBeGreaterThan(5);
    expect(world.calls).toContain("tenant.readHistory");
  });

  test("is null for tasks of other agents", async () => {
    const { ask } = createApi();
    await ask("PUT", "/v1/agents/sum", { kind: "transform", expression: "1 + 1" });
    const plan = (await (await ask("POST", "/v1/workflows/plan", { tasks: [task("a"), { id: "sum", agent: "sum" }], budget: { maxTokens: 5_000 } })).json()) as Plan;
    expect([plan.tasks["a"]!.tokenBudget, plan.tasks["sum"]!.tokenBudget]).toEqual([5_000, null]);
  });
});

describe("a budget in which not one language-model task fits", () => {
  async function refusalOf(body: object, models: Partial<Models> = {}): Promise<{ path: string; message: string }[] | null> {
    const { ask, world } = createApi(models);
    const answers = await Promise.all([ask("POST", "/v1/workflows/plan", body), ask("POST", "/v1/workflows", body)]);
    expect(answers[0]!.status).toBe(answers[1]!.status === 201 ? 200 : 422);
    const [plan, creation] = await Promise.all(answers.map(async (answer) => (await answer.json()) as { errors?: { path: string; message: string }[] }));
    expect(plan!.errors).toEqual(creation!.errors);
    expect(world.workflows.size).toBe(creation!.errors === undefined ? 1 : 0);
    return creation!.errors ?? null;
  }

  /** What the message says must be held. */
  async function leastOf(body: object): Promise<{ usd: number; tokens: number }> {
    const [fault] = (await refusalOf({ ...body, budget: { maxTokens: 1 } }))!;
    const [, usd, tokens] = /\$([\de.-]+) and (\d+) tokens/.exec(fault!.message)!;
    return { usd: Number(usd), tokens: Number(tokens) };
  }

  test("is refused at /budget with what the least needs, in tokens and in dollars", async () => {
    const body = { tasks: [task("a")] };
    const { tokens } = await leastOf(body);
    expect(await refusalOf({ ...body, budget: { maxTokens: tokens } })).toBeNull();
    expect(await refusalOf({ ...body, budget: { maxTokens: tokens - 1 } })).toEqual([{ path: "/budget", message: expect.stringContaining(`"a"`) }]);
    const usd = tokens / 1e6;
    expect(await refusalOf({ ...body, budget: { maxUsd: usd } })).toBeNull();
    expect(await refusalOf({ ...body, budget: { maxUsd: usd - 1e-9 } })).toEqual([{ path: "/budget", message: expect.stringMatching(/"a" on poor with 64 tokens of output, for which \$[\de.-]+/) }]);
  });

  test.each([
    ["a pinned model's price", { model: "good" }, 10],
    ["a named tier's cheapest", { tier: "base" }, 5],
    ["the cheapest of all tiers from its own down", {}, 1],
  ])("is reckoned with %s", async (_case, changes, perMillion) => {
    const body = { tasks: [task("a", [], changes)] };
    const usd = ((await leastOf(body)).tokens * perMillion) / 1e6;
    expect(await refusalOf({ ...body, budget: { maxUsd: usd } })).toBeNull();
    expect(await refusalOf({ ...body, budget: { maxUsd: usd - 1e-9 } })).toHaveLength(1);
  });

  test("is accepted as soon as one task fits, wherever it stands", async () => {
    const { tokens } = await leastOf({ tasks: [task("b")] });
    const long = task("a", [], { input: { prompt: "word ".repeat(500) } });
    expect(await refusalOf({ tasks: [long, task("b", ["a"])], budget: { maxTokens: tokens } })).toBeNull();
    expect(await refusalOf({ tasks: [long], budget: { maxTokens: tokens } })).toHaveLength(1);
  });

  test("asks for no more output than the task does, and for nothing of dependencies", async () => {
    const whole = await leastOf({ tasks: [task("a")] });
    expect((await leastOf({ tasks: [task("a", [], { maxOutputTokens: 10 })] })).tokens).toBe(whole.tokens - 54);
    expect((await leastOf({ tasks: [task("a"), task("b", ["a"])] })).tokens).toBe(whole.tokens);
  });

  test("is never refused for dollars where a model is free, nor where no task or no model is there to be called", async () => {
    const free = { ...DOCUMENT, models: DOCUMENT.models.map((model) => (model.id === "poor" ? modelOf("poor", "weak", 0, 3) : model)) };
    expect(await refusalOf({ tasks: [task("a")], budget: { maxUsd: 0 } }, { document: free })).toBeNull();
    expect(await refusalOf({ tasks: [task("a", [], { tier: "base" })], budget: { maxUsd: 0 } }, { document: free })).toHaveLength(1);
    expect(await refusalOf({ tasks: [task("a")], budget: { maxTokens: 1 } }, { isConfigured: () => false })).toBeNull();
  });

  test.each(["/v1/workflows", "/v1/workflows/w/rerun"])("changes nothing about what was answered before the prices rose: POST %s with the same key answers it again", async (path) => {
    let models = { ...MODELS, document: { ...DOCUMENT, models: DOCUMENT.models.map((model) => ({ ...model, price: { inputPerMillionUsd: 0, outputPerMillionUsd: 0 } })) } };
    const { ask, world } = createTestApi({ loadModels: async () => models });
    const spec = { tasks: [task("a")], budget: { maxUsd: 0 } };
    await ask("POST", "/v1/workflows", { ...spec, id: "w" });
    const { request } = world.workflows.get("default:w")!;
    world.override = { readCheckpoint: async () => ({ spec: request.spec, agents: request.agents, reusable: [] }) };
    const post = (key: string) => ask("POST", path, path === "/v1/workflows" ? spec : {}, { "idempotency-key": key });
    const first = await post("k");
    expect(first.status).toBe(201);
    models = MODELS;
    const again = await post("k");
    expect(again.status).toBe(201);
    expect(again.headers.get("idempotent-replay")).toBe("true");
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect((await post("another")).status).toBe(422);
  });
});

describe("what a workflow is created with", () => {
  async function createdWith(body: object, models: Partial<Models> = {}): Promise<CreateRequest> {
    const { ask, world } = createApi(models);
    const response = await ask("POST", "/v1/workflows", { strategy: "quality", ...body });
    expect(response.status).toBe(201);
    return [...world.workflows.values()][0]!.request;
  }

  test("is what the plan expects of each task, and its share of the tokens", async () => {
    const tasks = [task("a", [], { intent: "extract" }), task("b", ["a"], { intent: "generate" })];
    const { tasks: planned } = await planOf({ tasks });
    const { outlook } = await createdWith({ tasks });
    expect(outlook).toEqual(["a", "b"].map((id) => ({ weight: 0, expectedNanoUsd: Math.round(planned[id]!.expectedUsd * 1e9), expectedTokens: planned[id]!.expectedTokens, expectedMs: planned[id]!.expectedMs })));
    const weighed = (await createdWith({ tasks, budget: { maxTokens: 50_000 } })).outlook!;
    expect(weighed[1]!.weight / weighed[0]!.weight).toBe(2_500 / 800);
  });

  test("is the models that the budget reaches for, also of a tier below", async () => {
    const tasks = [task("a"), task("b")];
    expect((await createdWith({ tasks })).plannedModels).toEqual({});
    expect((await createdWith({ tasks, budget: { maxUsd: 0.002 } })).plannedModels).toEqual({ a: "poor", b: "poor" });
  });

  test("is as much of a workflow too large to be planned as a whole, and costs no more for tasks that look alike", async () => {
    const tasks = Array.from({ length: MAX_PLANNED_TASKS + 1 }, (_, index) => task(`t${index}`, [], { input: { prompt: `Do it, the ${index}.` } }));
    let asked = 0;
    const counting: Partial<Models> = { failureRate: () => { asked += 1; return 0; } };
    const { outlook, plannedModels } = await createdWith({ tasks, budget: { maxUsd: 0.5, maxTokens: 900_000 } }, counting);
    expect(outlook).toHaveLength(tasks.length);
    expect(outlook!.every(({ weight, expectedNanoUsd, expectedTokens }) => weight > 0 && expectedNanoUsd > 0 && expectedTokens > 500)).toBe(true);
    expect(outlook!.reduce((sum, { expectedNanoUsd }) => sum + expectedNanoUsd, 0)).toBeLessThanOrEqual(0.5e9);
    expect(new Set(Object.values(plannedModels!))).toEqual(new Set(["fair", "poor"]));
    expect(asked).toBeLessThan(20);
  });
});

describe("a plan of prompts that come to more than there is time for", () => {
  test("is made of those that there is, takes the rest to be like the largest of them, and refuses no budget for them", async () => {
    const words = "word ".repeat(180_000);
    const tasks = Array.from({ length: 60 }, (_, index) => task(`t${index}`, [], { input: { prompt: "Read: ${workflow.input.words}" } }));
    const { tasks: planned } = await planOf({ input: { words }, tasks });
    const tokens = Object.values(planned).map(({ expectedTokens }) => expectedTokens);
    expect(Math.min(...tokens)).toBe(Math.max(...tokens));
    expect(tokens[0]).toBeGreaterThan(150_000);
    const { ask } = createApi();
    expect((await ask("POST", "/v1/workflows", { input: { words }, tasks, budget: { maxTokens: 1 } })).status).toBe(201);
    expect((await ask("POST", "/v1/workflows", { input: { words }, tasks: tasks.slice(0, 5), budget: { maxTokens: 1 } })).status).toBe(422);
  });
});
