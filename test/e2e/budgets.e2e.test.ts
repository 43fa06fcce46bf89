import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { WorkflowView } from "../../src/api/ports/workflow-port.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import type { LoggedEvent } from "../../src/workflow/events.ts";
import { type FakeAgents, startFakeAgents } from "../fixtures/fake-agents.ts";
import { type FakeLlm, startFakeLlm } from "../fixtures/fake-llm.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, eventually, type PostedSpec, putHttpAgents, type WeftClient } from "./weft-client.ts";
import { billOf, markPrompt, matchLedger, nanoUsd, replayBudget, sumLedger, taskOf, type Prices } from "./upstream-books.ts";

const TASKS = 100;
const AFFORDABLE = 60;
/** The output cap of tasks and agents here, and the least that is sent where a budget is short (contract). */
const OUTPUT_TOKENS = 500;
const LEAST_OUTPUT_TOKENS = 64;
/** What every call is billed for, whatever was sent: below any bound of its prompt. */
const INPUT_TOKENS = 5;

/** One model for each story. Those of the first tier that is named there are dear, the weak one is cheap. */
const dear = { inputPerMillionUsd: 2, outputPerMillionUsd: 10 };
const STRONG = ["dear", "equal", "tokens", "unpriced-input", "shrinking", "long", "capped", "chain", "greedy", "slow"];
const PRICES: Prices = { ...Object.fromEntries(STRONG.map((id) => [id, dear])), "unpriced-input": { inputPerMillionUsd: 0, outputPerMillionUsd: 11 }, cheap: { inputPerMillionUsd: 0.1, outputPerMillionUsd: 0.5 } };

let llm: FakeLlm;
let agents: FakeAgents;
let worker: LocalWorker;
let client: WeftClient;

beforeAll(async () => {
  [llm, agents] = await Promise.all([startFakeLlm(), startFakeAgents()]);
  llm.answerWith((call) => ({ text: "here", inputTokens: INPUT_TOKENS, outputTokens: call.maxTokens ?? 0 }));
  worker = await startWorker();
  client = createWeftClient(worker);
  const answer = await client.call("PUT", "/v1/tiers", { body: tiersOf(llm.baseUrl) });
  expect(answer.status, answer.text).toBe(200);
  await client.putAgent("writer", { kind: "llm", system: "Write.", taskType: "general", maxOutputTokens: OUTPUT_TOKENS });
});

afterAll(async () => {
  await worker.stop();
  await Promise.all([llm.close(), agents.close()]);
});

function tiersOf(baseUrl: string): TierDocument {
  const model = (id: string, tier: "weak" | "base" | "strong") => ({ id, provider: "compatible", tier, price: PRICES[id]!, contextWindow: 100_000, maxOutputTokens: 4_096, capabilities: [] });
  return {
    providers: [{ id: "compatible", kind: "openai-compatible", baseUrl }],
    models: [model("cheap", "weak"), model("dear", "base"), ...STRONG.slice(1).map((id) => model(id, "strong"))],
    tiers: { weak: ["cheap"], base: ["dear"], strong: STRONG.slice(1) },
  };
}

type Task = PostedSpec["tasks"][number];

/** A task of a story; its id begins with the story's name. */
function ask(id: string, fields: Partial<Task> = {}): Task {
  return { id, agent: "writer", retry: { maxAttempts: 1 }, ...fields, input: fields.input ?? markPrompt(id) };
}

function askMany(name: string, count: number, fields: Partial<Task>): Task[] {
  return Array.from({ length: count }, (_, number) => ask(`${name}_${number}`, fields));
}

const callsOf = (name: string) => llm.calls.filter((call) => taskOf(call).startsWith(`${name}_`));
const servedOf = (name: string) => llm.served.filter(({ call }) => taskOf(call).startsWith(`${name}_`));
const billAt = (model: string, outputTokens = OUTPUT_TOKENS) => billOf({ model, inputTokens: INPUT_TOKENS, cachedTokens: 0, outputTokens, reasoningTokens: 0 }, PRICES);
const countOf = (workflow: WorkflowView, what: string) => Object.values(workflow.tasks!).filter((task) => (task.error?.code ?? task.status) === what).length;
const budgetEvents = (events: readonly LoggedEvent[], type: string) => events.filter((event) => event.type === `budget.${type}`);

/** The books of an ended workflow: never over the cap, and what the provider billed. */
async function checkBooks(workflow: WorkflowView, name: string, cap: { nanoUsd?: number; tokens?: number }): Promise<LoggedEvent[]> {
  const [events, ledger] = await Promise.all([client.events(workflow.id), client.ledger(workflow.id)]);
  const { highest } = replayBudget(events);
  expect(highest.nanoUsd).toBeLessThanOrEqual(cap.nanoUsd ?? Infinity);
  expect(highest.tokens).toBeLessThanOrEqual(cap.tokens ?? Infinity);
  expect(matchLedger(ledger, servedOf(name), PRICES)).toMatchObject({ invented: [], missing: [], unmade: [], covered: 0 });
  expect(workflow.budget).toMatchObject({ reservedUsd: 0, reservedTokens: 0 });
  expect([nanoUsd(workflow.budget.spentUsd), workflow.budget.spentTokens]).toEqual([sumLedger(ledger).nanoUsd, sumLedger(ledger).tokens]);
  return events;
}

describe.concurrent(`a cap that allows ${AFFORDABLE} of ${TASKS} equal tasks`, () => {
  const cases: [string, string, () => { maxUsd?: number; maxTokens?: number }][] = [
    ["of dollars, to the nano-dollar", "unpriced-input", () => ({ maxUsd: (AFFORDABLE * billAt("unpriced-input")) / 1e9 })],
    ["of dollars, and almost another", "equal", () => ({ maxUsd: (AFFORDABLE * billAt("equal") + billAt("equal") - 1) / 1e9 })],
    ["of tokens", "tokens", () => ({ maxTokens: (AFFORDABLE + 1) * (INPUT_TOKENS + OUTPUT_TOKENS) - 1 })],
  ];
  test.each(cases)("%s runs just these; the rest fail with the figures, and none waits for ever", async (_, model, budgetOf) => {
    const budget = budgetOf();
    const workflow = await client.run({ onFailure: "continue", maxConcurrency: 20, budget, tasks: askMany(model, TASKS, { model, maxOutputTokens: OUTPUT_TOKENS }) });
    expect(workflow).toMatchObject({ status: "failed", error: { code: "budget_exhausted" } });
    expect([countOf(workflow, "completed"), countOf(workflow, "budget_exhausted")]).toEqual([AFFORDABLE, TASKS - AFFORDABLE]);
    const cap = { ...(budget.maxUsd === undefined ? {} : { nanoUsd: nanoUsd(budget.maxUsd) }), tokens: budget.maxTokens };
    const events = await checkBooks(workflow, model, cap);
    expect(new Set(callsOf(model).map(({ maxTokens }) => maxTokens))).toEqual(new Set([OUTPUT_TOKENS]));
    expect(budgetEvents(events, "exhausted")).toHaveLength(TASKS - AFFORDABLE);
    const refused = Object.values(workflow.tasks!).find((task) => task.error !== null)!;
    const { neededUsd, remainingUsd, neededTokens, remainingTokens } = refused.error!.details as Record<string, number | null>;
    if (budget.maxUsd === undefined) expect(neededTokens!).toBeGreaterThan(remainingTokens!);
    else expect(neededUsd!).toBeGreaterThan(remainingUsd!);
  });

  test("runs all of them where a cheaper model may take some, and as many on the better one as are expected to fit", async () => {
    const maxUsd = (AFFORDABLE * billAt("dear") + billAt("dear") - 1) / 1e9;
    const workflow = await client.run({ onFailure: "continue", maxConcurrency: 20, budget: { maxUsd }, tasks: askMany("either", TASKS, { type: "code_implementation", maxOutputTokens: OUTPUT_TOKENS }) });
    const by = (model: string) => Object.values(workflow.tasks!).filter((task) => task.status === "completed" && task.route?.model === model).length;
    expect([by("dear") + by("cheap"), countOf(workflow, "budget_exhausted")]).toEqual([TASKS, 0]);
    expect(by("dear")).toBeGreaterThan(AFFORDABLE * 0.9);
    expect(by("dear")).toBeLessThanOrEqual(AFFORDABLE);
    await checkBooks(workflow, "either", { nanoUsd: nanoUsd(maxUsd) });
  });

  test("sends a smaller output cap at the end where no task names its own", async () => {
    const maxUsd = (AFFORDABLE * billAt("shrinking") + billAt("shrinking") - 1) / 1e9;
    const workflow = await client.run({ onFailure: "continue", maxConcurrency: 20, budget: { maxUsd }, tasks: askMany("shrinking", TASKS, { model: "shrinking" }) });
    await checkBooks(workflow, "shrinking", { nanoUsd: nanoUsd(maxUsd) });
    const caps = callsOf("shrinking").map(({ maxTokens }) => maxTokens!);
    expect(Math.max(...caps)).toBe(OUTPUT_TOKENS);
    expect(Math.min(...caps)).toBeGreaterThanOrEqual(LEAST_OUTPUT_TOKENS);
    expect(caps.filter((cap) => cap < OUTPUT_TOKENS).length).toBeGreaterThan(0);
    expect(countOf(workflow, "completed")).toBeGreaterThan(AFFORDABLE);
    // What is left buys not even the least.
    expect(nanoUsd(workflow.budget.remainingUsd!)).toBeLessThan(billAt("shrinking", LEAST_OUTPUT_TOKENS) + 40 * 2_000);
  });
});

describe.concurrent("a short budget", () => {
  const notes = Array.from({ length: 400 }, (_, number) => `Note ${number}: the keeper of light ${number % 17} wrote down ${number * 37} ships that passed in week ${number}.`).join("\n");

  test("reduces a long context further, and gives up only where not even that fits", async () => {
    llm.answerWith((call) => (taskOf(call) === "long_source" ? { text: notes, inputTokens: 1, outputTokens: OUTPUT_TOKENS } : { text: "read", inputTokens: Math.ceil(call.prompt.length / 4), outputTokens: 20 }), "long");
    const run = (name: string, maxUsd: number) => client.run({
      onFailure: "continue",
      budget: { maxUsd },
      tasks: [ask("long_source", { model: "long", maxOutputTokens: OUTPUT_TOKENS }), ask(name, { model: "long", maxOutputTokens: LEAST_OUTPUT_TOKENS, dependsOn: ["long_source"], input: markPrompt(name, "Which ships passed in week 17?") })],
    });
    // The source costs 0.005002; the whole context would cost about as much again per 2,500 tokens, of which there are some 10,000.
    const [ample, short, poor] = await Promise.all([run("long_ample", 1), run("long_short", 0.012), run("long_poor", 0.0057)]);
    const promptOf = (name: string) => llm.calls.find((call) => taskOf(call) === name)?.prompt.length;
    expect([ample.status, short.status]).toEqual(["completed", "completed"]);
    expect(promptOf("long_ample")).toBeGreaterThan(notes.length);
    expect(promptOf("long_short")!).toBeLessThan(notes.length / 2);
    expect(promptOf("long_short")!).toBeGreaterThan(1_000);
    expect(short.tasks!["long_short"]!.context!.reducedTokens).toBeLessThan(short.tasks!["long_short"]!.context!.originalTokens / 2);
    expect(poor.tasks!["long_poor"]).toMatchObject({ status: "failed", error: { code: "budget_exhausted" } });
    expect(promptOf("long_poor")).toBeUndefined();
  });

  test("of a task binds it alone: for a model as for an agent that prices its own work", async () => {
    const tasks = [
      ask("capped_free", { model: "capped" }),
      ask("capped_small", { model: "capped", budget: { maxUsd: billAt("capped", 200) / 1e9 } }),
      ask("capped_none", { model: "capped", budget: { maxUsd: 0.0001 } }),
      ask("capped_tokens", { model: "capped", budget: { maxTokens: 300 } }),
    ];
    const workflow = await client.run({ onFailure: "continue", tasks });
    const statusOf = (id: string) => workflow.tasks![id]!.error?.code ?? workflow.tasks![id]!.status;
    expect(["free", "small", "none", "tokens"].map((id) => statusOf(`capped_${id}`))).toEqual(["completed", "completed", "budget_exhausted", "completed"]);
    const capOf = (id: string) => callsOf("capped").find((call) => taskOf(call) === `capped_${id}`)?.maxTokens ?? 0;
    expect(capOf("free")).toBe(OUTPUT_TOKENS);
    expect(capOf("small")).toBeLessThan(200);
    expect(capOf("tokens")).toBeLessThan(300);
    expect(capOf("none")).toBe(0);
    expect(nanoUsd(workflow.tasks!["capped_small"]!.usage!.costUsd)).toBeLessThanOrEqual(billAt("capped", 200));
  });

  test("warns at 50, 80 and 95 percent, once each", async () => {
    const tasks = Array.from({ length: 10 }, (_, number) => ask(`chain_${number}`, { model: "chain", maxOutputTokens: OUTPUT_TOKENS, context: { mode: "none" }, dependsOn: number === 0 ? [] : [`chain_${number - 1}`] }));
    const cap = 10 * billAt("chain") + 100_000;
    const workflow = await client.run({ budget: { maxUsd: cap / 1e9 }, tasks });
    expect(workflow.status).toBe("completed");
    const warnings = budgetEvents(await checkBooks(workflow, "chain", { nanoUsd: cap }), "warning");
    expect(warnings.map(({ taskId, data }) => [taskId, (data as unknown as { percent: number }).percent])).toEqual([["chain_5", 50], ["chain_8", 80], ["chain_9", 95]]);
  });

  test("is seen by conditions", async () => {
    const spend = billAt("chain") / 1e9;
    const tasks = [ask("when_0", { model: "chain", maxOutputTokens: OUTPUT_TOKENS }), ...[["rich", `budget.remainingUsd > ${spend}`], ["poor", `budget.remainingUsd > ${spend * 3}`]].map(([id, when]) => ask(`when_${id}`, { model: "chain", maxOutputTokens: OUTPUT_TOKENS, dependsOn: ["when_0"], context: { mode: "none" }, when }))];
    const workflow = await client.run({ budget: { maxUsd: spend * 3.5 }, tasks });
    expect([workflow.tasks!["when_rich"]!.status, workflow.tasks!["when_poor"]!.status]).toEqual(["completed", "skipped"]);
  });
});

describe.concurrent("a provider that bills more output than the cap", () => {
  test("is an overrun that is paid, and nothing more is reserved from that budget", async () => {
    llm.answerWith((call) => ({ text: "more", inputTokens: INPUT_TOKENS, outputTokens: taskOf(call) === "greedy_1" ? 900 : 10 }), "greedy");
    const tasks = Array.from({ length: 4 }, (_, number) => ask(`greedy_${number}`, { model: "greedy", maxOutputTokens: OUTPUT_TOKENS, context: { mode: "none" }, dependsOn: number === 0 ? [] : [`greedy_${number - 1}`] }));
    const workflow = await client.run({ budget: { maxUsd: 1 }, tasks, onFailure: "continue" });
    expect(Object.values(workflow.tasks!).map((task) => task.error?.code ?? task.status)).toEqual(["completed", "completed", "budget_exhausted", "dependency_failed"]);
    const events = await checkBooks(workflow, "greedy", { nanoUsd: 1e9 });
    expect(budgetEvents(events, "overrun")).toMatchObject([{ taskId: "greedy_1", data: { attempt: 1 } }]);
    expect(callsOf("greedy")).toHaveLength(2);
    expect(nanoUsd(workflow.tasks!["greedy_1"]!.usage!.costUsd)).toBe(billAt("greedy", 900));
  });
});

describe.concurrent("an agent that prices its own work", () => {
  test("holds its task's budget while it works, and pays what it reports", async () => {
    await putHttpAgents(client, agents.origin, { worker: "/usage?inputTokens=10&outputTokens=20&costUsd=0.004", excessive: "/usage?costUsd=0.02", broken: "/usage?costUsd=0.003&status=500" });
    const http = (id: string, agent: string, maxUsd = 0.01): Task => ({ id, agent, budget: { maxUsd }, retry: { maxAttempts: 2, initialMs: 1 } });
    const [fine, over, failing, never] = await Promise.all([
      client.run({ budget: { maxUsd: 0.025 }, tasks: ["a", "b", "c", "d"].map((id) => http(id, "worker")) }),
      client.run({ budget: { maxUsd: 0.1 }, tasks: [http("a", "excessive"), { ...http("b", "worker"), dependsOn: ["a"] }] }),
      client.run({ budget: { maxUsd: 0.1 }, onFailure: "continue", tasks: [http("a", "broken")] }),
      client.run({ budget: { maxUsd: 0.005 }, onFailure: "continue", tasks: [http("a", "worker"), http("b", "worker", 0.004)] }),
    ]);
    // Two fit beside each other, the others wait for them: 4 × 0.004 and a held 0.01 are more than the cap.
    expect(fine).toMatchObject({ status: "completed", budget: { spentUsd: 0.016, reservedUsd: 0, spentTokens: 120 } });
    expect(replayBudget(await client.events(fine.id)).highest.nanoUsd).toBeLessThanOrEqual(25_000_000);
    expect(budgetEvents(await client.events(fine.id), "reserved").map(({ data }) => (data as unknown as { usd: number }).usd)).toEqual([0.01, 0.01, 0.01, 0.01]);
    expect(over).toMatchObject({ status: "completed", budget: { spentUsd: 0.024, reservedUsd: 0 } });
    expect(budgetEvents(await client.events(over.id), "overrun")).toMatchObject([{ taskId: "a" }]);
    expect(failing).toMatchObject({ status: "failed", tasks: { a: { attempt: 2 } }, budget: { spentUsd: 0.006, reservedUsd: 0 } });
    expect(never.tasks).toMatchObject({ a: { status: "failed", error: { code: "budget_exhausted", details: { neededUsd: 0.01 } } }, b: { status: "completed" } });
    expect(agents.calls.filter(({ workflowId }) => workflowId === never.id)).toHaveLength(1);
  });

  test("and calls back is paid once, however often it says so", async () => {
    await putHttpAgents(client, agents.origin, { calling: "/callback?delayMs=50&times=3&inputTokens=10&costUsd=0.004" }, "callback");
    const workflow = await client.run({ budget: { maxUsd: 0.01 }, tasks: [{ id: "a", agent: "calling", budget: { maxUsd: 0.006 } }] });
    expect(workflow).toMatchObject({ status: "completed", budget: { spentUsd: 0.004, reservedUsd: 0 } });
    await eventually(() => expect(agents.callbackAnswers.filter(({ workflowId }) => workflowId === workflow.id).map(({ status }) => status)).toEqual([202, 404, 404]));
    expect(await client.ledger(workflow.id)).toMatchObject([{ taskId: "a", costUsd: 0.004, estimated: false }]);
    expect((await client.get(workflow.id)).budget.spentUsd).toBe(0.004);
  });

  test("without a budget of its own holds nothing, runs also where nothing may be spent, and what it reports is an overrun", async () => {
    await putHttpAgents(client, agents.origin, { unasked: "/usage?costUsd=0.001" });
    const workflow = await client.run({ budget: { maxUsd: 0 }, tasks: [{ id: "a", agent: "unasked" }] });
    expect(workflow).toMatchObject({ status: "completed", budget: { maxUsd: 0, spentUsd: 0.001, remainingUsd: 0 } });
    expect((await client.events(workflow.id)).flatMap(({ type }) => (/^budget\.(reserved|settled|overrun)/.test(type) ? [type] : []))).toEqual(["budget.settled", "budget.overrun"]);
  });
});

describe.concurrent("a cancelled workflow", () => {
  test("pays for answers that come late, which change nothing", async () => {
    llm.answerWith(async (call) => {
      await pause(1_500);
      return { text: "too late", inputTokens: INPUT_TOKENS, outputTokens: call.maxTokens ?? 0 };
    }, "slow");
    const { id } = await client.create({ budget: { maxUsd: 1 }, tasks: askMany("slow", 8, { model: "slow" }) });
    await eventually(() => expect(callsOf("slow").length).toBe(5));
    const cancelled = await client.call<{ status: string }>("POST", `/v1/workflows/${id}/cancel`);
    expect([cancelled.status, cancelled.body.status]).toEqual([202, "cancelled"]);
    const before = await client.get(id);
    expect(before.budget.reservedUsd).toBeGreaterThan(0);
    await eventually(async () => expect((await client.get(id)).budget).toMatchObject({ reservedUsd: 0, reservedTokens: 0, spentUsd: (5 * billAt("slow")) / 1e9 }));
    const after = await client.get(id);
    await checkBooks(after, "slow", { nanoUsd: 1e9 });
    expect((await client.ledger(id)).map(({ late }) => late)).toEqual([true, true, true, true, true]);
    expect(Object.values(after.tasks!).every((task) => task.status === "cancelled" && task.output === null)).toBe(true);
    expect(callsOf("slow")).toHaveLength(5);
  });
});

describe.concurrent("a budget of a wrong shape", () => {
  const cases: [unknown, string][] = [
    [{}, "/budget"],
    [5, "/budget"],
    [[], "/budget"],
    [{ max: 1 }, "/budget/max"],
    [{ maxUsd: -0.01 }, "/budget/maxUsd"],
    [{ maxUsd: "1" }, "/budget/maxUsd"],
    [{ maxUsd: 1_000_001 }, "/budget/maxUsd"],
    [{ maxTokens: 0 }, "/budget/maxTokens"],
    [{ maxTokens: 1.5 }, "/budget/maxTokens"],
    [{ maxTokens: 1e300 }, "/budget/maxTokens"],
  ];
  test.each(cases)("%j is refused where it stands, of a workflow and of a task", async (budget, path) => {
    const [whole, single, plan] = await Promise.all([
      client.call("POST", "/v1/workflows", { body: { tasks: [ask("a")], budget } }),
      client.call("POST", "/v1/workflows", { body: { tasks: [{ ...ask("a"), budget }] } }),
      client.call("POST", "/v1/workflows/plan", { body: { tasks: [ask("a")], budget } }),
    ]);
    expect([whole.status, single.status, plan.status]).toEqual([422, 422, 422]);
    expect([whole, single, plan].map(({ body }) => body.errors!.map((fault) => fault.path)[0])).toEqual([path, `/tasks/0${path}`, path]);
    expect(whole.body.errors!.every(({ message }) => message.length > 5 && !message.includes("Invalid input"))).toBe(true);
  });

  test("in which no call of a model could ever be held is refused; one that nothing has to be held in is not", async () => {
    for (const budget of [{ maxUsd: 0 }, { maxUsd: 1e-9 }, { maxTokens: 1 }]) {
      const refused = await client.call("POST", "/v1/workflows", { body: { tasks: [ask("a", { model: "capped" })], budget } });
      expect([refused.status, refused.body.errors?.[0]?.path.startsWith("/budget")], JSON.stringify(refused.body)).toEqual([422, true]);
    }
  });

  test("null is none", async () => {
    const created = await client.create({ tasks: [ask("null_0", { model: "capped", budget: null as never })], budget: { maxUsd: null as never, maxTokens: 10_000 } });
    expect((await client.finish(created.id)).budget).toMatchObject({ maxUsd: null, maxTokens: 10_000 });
  });
});

test("tasks that have not started are planned anew when the forecast passes the cap", async () => {
  // Answers are three times as long as is assumed of them, so the plan of the creation fits the budget and the workflow does not.
  await client.putAgent("wordy", { kind: "llm", system: "Write.", taskType: "planning", maxOutputTokens: 3 * OUTPUT_TOKENS });
  const tasks = Array.from({ length: 8 }, (_, number) => ({ ...ask(`replan_${number}`, { agent: "wordy" }), dependsOn: number === 0 ? [] : [`replan_${number - 1}`] }));
  const maxUsd = (8 * 1.5 * billAt("dear")) / 1e9;
  const workflow = await client.run({ tasks, budget: { maxUsd } });
  expect(workflow.status).toBe("completed");
  const events = await checkBooks(workflow, "replan", { nanoUsd: nanoUsd(maxUsd) });
  const planned = events.filter((event) => event.type === "workflow.planned");
  expect(planned.slice(1)).toContainEqual(expect.objectContaining({ data: expect.objectContaining({ reason: "budget" }) }));
  const models = tasks.map(({ id }) => workflow.tasks![id]!.route!.model);
  expect(models[0]).toBe("dear");
  expect(models).toContain("cheap");
  // It was planned, and not found out by a refusal of the budget.
  const refused = events.filter((event) => event.type === "model.selected" && String((event.data as { reason: string }).reason).includes("more than the budget allows"));
  expect(refused).toEqual([]);
  expect(workflow.budget.forecastUsd).toBe(workflow.budget.spentUsd);
});
