import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Settings } from "../../src/config/settings.ts";
import { learnHistory, MAX_HISTORY_RUNS, MAX_TOLD_CELLS, nameHistory, sumHistory, type AgentHistory, type EndedTask } from "../../src/optimizer/agent-history.ts";
import { allocate, allocateAll, limitUse, weighTasks, type TaskToWeigh } from "../../src/optimizer/allocation.ts";
import { intensityFactor, scoreIntensity } from "../../src/optimizer/intensity.ts";
import { INTENTS } from "../../src/optimizer/intents/intent.ts";

const SETTINGS = Settings.parse({}).budgets;
const UNBOUND = { minTaskTokens: 0, maxTaskTokens: 1e9 };

function task(overrides: Partial<TaskToWeigh> = {}): TaskToWeigh {
  return { intent: "extract", prompt: "", priority: "normal", agent: "scout", taskType: "file_scan", ...overrides };
}

function history(overrides: Partial<AgentHistory> = {}): AgentHistory {
  return { runs: 100, tokens: 250_000, turns: 100, durationMs: 1_000_000, failures: 10, ...overrides };
}

/** Weights against the first task's. */
function ratios(weights: readonly number[]): number[] {
  return weights.map((weight) => Math.round((weight / weights[0]!) * 1_000) / 1_000);
}

describe("the weights of tasks", () => {
  it("are the same for all with equal", () => {
    expect(ratios(weighTasks([task(), task({ intent: "generate", priority: "urgent" })], "equal", new Map(), SETTINGS))).toEqual([1, 1]);
  });

  it("are the intents' baselines with proportional", () => {
    const weights = weighTasks(INTENTS.map((intent) => task({ intent })), "proportional", new Map(), SETTINGS);
    expect(Object.fromEntries(INTENTS.map((intent, index) => [intent, weights[index]! / 1_000]))).toEqual({
      extract: 800, summarize: 1_500, generate: 2_500, validate: 1_000, send: 500, transform: 800, conditional: 300, aggregate: 1_200, filter: 600, enrich: 1_000,
    });
  });

  it("take the intent from the prompt where the task names none", () => {
    const weights = weighTasks([task({ intent: null, prompt: "Summarize the notes of the meeting" }), task({ intent: "summarize" })], "proportional", new Map(), SETTINGS);
    expect(ratios(weights)).toEqual([1, 1]);
  });

  it("are the settings' shares with priority", () => {
    expect(ratios(weighTasks([task({ priority: "low" }), task(), task({ priority: "high" }), task({ priority: "urgent" })], "priority", new Map(), SETTINGS))).toEqual([1, 2, 4, 8]);
  });

  it("follow what agents have used with adaptive, the more runs the closer", () => {
    const calm = { ...SETTINGS, intensityStrength: 0 };
    const tasks = [task({ agent: "a" }), task({ agent: "b" })];
    const known = (runs: number) => new Map([[nameHistory(tasks[0]!), history({ runs, tokens: runs * 800 })], [nameHistory(tasks[1]!), history({ runs, tokens: runs * 8_000 })]]);
    const ratioAfter = (runs: number) => ratios(weighTasks(tasks, "adaptive", known(runs), calm))[1]!;
    expect(ratios(weighTasks(tasks, "adaptive", new Map(), calm))).toEqual([1, 1]);
    expect(ratioAfter(1)).toBeGreaterThan(1);
    expect(ratioAfter(1)).toBeLessThan(ratioAfter(5));
    expect(ratioAfter(10_000)).toBeCloseTo(10, 1);
  });

  it("with adaptive compare an agent without a history with its like, not with a bare baseline", () => {
    const calm = { ...SETTINGS, intensityStrength: 0 };
    const tasks = [task({ agent: "known" }), task({ agent: "new" })];
    // Everybody here uses ten times the baseline.
    expect(ratios(weighTasks(tasks, "adaptive", new Map([[nameHistory(tasks[0]!), history({ tokens: 100 * 8_000 })]]), calm))).toEqual([1, 1]);
  });

  it("are scaled by the agent's intensity, whatever the strategy", () => {
    const tasks = [task({ agent: "new" }), task({ agent: "busy" })];
    const busy = history({ tokens: 1e9, turns: 1e5, durationMs: 1e10, failures: 1e4 });
    for (const allocation of ["equal", "proportional", "priority"] as const) {
      const [, ratio] = ratios(weighTasks(tasks, allocation, new Map([[nameHistory(tasks[1]!), busy]]), SETTINGS));
      expect(ratio).toBeCloseTo(1 + SETTINGS.intensityStrength, 1);
    }
  });

  it("are whole numbers from 1 on", () => {
    const weights = weighTasks([task({ priority: "low" }), task({ intent: "conditional" })], "priority", new Map(), { ...SETTINGS, priorityShares: { ...SETTINGS.priorityShares, low: 0.0001 } });
    for (const weight of weights) expect(Number.isInteger(weight) && weight >= 1).toBe(true);
  });
});

describe("an agent's intensity", () => {
  it("is 5 without a history and for a typical one", () => {
    expect(scoreIntensity(null, SETTINGS)).toBe(5);
    expect(scoreIntensity(history(), SETTINGS)).toBe(5);
    expect(intensityFactor(5, SETTINGS)).toBe(1);
  });

  it("rises with tokens, turns, duration and failures, each", () => {
    for (const more of [{ tokens: 1e6 }, { turns: 400 }, { durationMs: 1e7 }, { failures: 80 }]) expect(scoreIntensity(history(more), SETTINGS)).toBeGreaterThan(5);
    expect(scoreIntensity(history({ tokens: 10_000, failures: 0, durationMs: 10_000 }), SETTINGS)).toBeLessThan(4);
  });

  it("needs runs to leave the middle", () => {
    const busy = (runs: number) => scoreIntensity(history({ runs, tokens: runs * 1e6, turns: runs * 20, durationMs: runs * 10_000, failures: runs * 0.1 }), SETTINGS);
    expect(busy(1)).toBeLessThan(busy(5));
    expect(busy(5)).toBeLessThan(busy(500));
  });

  it("lies between 0 and 10, and its factor is positive, whatever the history", () => {
    const sum = fc.double({ min: 0, max: 1e15, noNaN: true });
    fc.assert(
      fc.property(fc.record({ runs: fc.double({ min: 0.001, max: MAX_HISTORY_RUNS, noNaN: true }), tokens: sum, turns: sum, durationMs: sum, failures: sum }), (known) => {
        const score = scoreIntensity(known, SETTINGS);
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(10);
        expect(intensityFactor(score, { intensityStrength: 1 })).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe("the tokens of a task", () => {
  it.each<[string, Parameters<typeof allocate>, number]>([
    ["are its share of what is left", [10_000, 1, 4, UNBOUND], 2_500],
    ["are all of it for the last task", [10_000, 3, 3, UNBOUND], 10_000],
    ["are rounded down", [10, 1, 3, UNBOUND], 3],
    ["are at least the minimum", [10_000, 1, 1_000, { minTaskTokens: 300, maxTaskTokens: 5_000 }], 300],
    ["are at most the maximum", [10_000, 1, 1, { minTaskTokens: 300, maxTaskTokens: 5_000 }], 5_000],
    ["are never more than is left, not even for the minimum", [120, 1, 2, { minTaskTokens: 300, maxTaskTokens: 5_000 }], 120],
    ["are none when nothing is left", [-5, 1, 2, UNBOUND], 0],
    ["are exact beyond what a float holds", [9_000_000_000_000_000, 1_000_000_007, 3_000_000_021, { minTaskTokens: 0, maxTaskTokens: Number.MAX_SAFE_INTEGER }], 3_000_000_000_000_000],
  ])("%s", (_name, args, expected) => {
    expect(allocate(...args)).toBe(expected);
  });

  it("that a task leaves flow to those that start later", () => {
    const [first] = allocateAll(9_000, [1, 1, 1], [null, null, null], UNBOUND);
    expect(first).toBe(3_000);
    expect(allocate(9_000 - 1_000, 1, 2, UNBOUND)).toBe(4_000);
  });

  it("that a maximum or a task's own cap leaves over flow to the others", () => {
    expect(allocateAll(10_000, [8, 1, 1], [null, null, null], { minTaskTokens: 0, maxTaskTokens: 4_000 })).toEqual([4_000, 3_000, 3_000]);
    expect(allocateAll(10_000, [1, 1], [100, null], UNBOUND)).toEqual([100, 9_900]);
  });

  it("go to the first tasks where the minimum is more than all can have", () => {
    expect(allocateAll(1_000, [1, 1, 1, 1], [], { minTaskTokens: 300, maxTaskTokens: 5_000 })).toEqual([300, 300, 300, 100]);
  });

  const bounds = fc.tuple(fc.nat(5_000), fc.nat(100_000)).map(([minTaskTokens, more]) => ({ minTaskTokens, maxTaskTokens: minTaskTokens + more }));
  const weight = fc.integer({ min: 1, max: 10_000_000 });

  it("of all tasks together never exceed the budget, and use it up when no maximum stops them", () => {
    fc.assert(
      fc.property(fc.nat(1e9), fc.array(weight, { minLength: 1, maxLength: 60 }), bounds, (maxTokens, weights, bound) => {
        const sum = (limits: typeof bound) => allocateAll(maxTokens, weights, [], limits).reduce((total, tokens) => total + tokens, 0);
        expect(sum(bound)).toBeLessThanOrEqual(maxTokens);
        expect(sum({ ...bound, maxTaskTokens: Number.MAX_SAFE_INTEGER })).toBe(maxTokens);
      }),
    );
  });

  it("grow with what is left and with the weight", () => {
    fc.assert(
      fc.property(fc.nat(1e9), fc.nat(1e9), weight, weight, weight, bounds, (left, more, own, extra, others, bound) => {
        const tokens = allocate(left, own, own + others, bound);
        expect(allocate(left + more, own, own + others, bound)).toBeGreaterThanOrEqual(tokens);
        expect(allocate(left, own + extra, own + extra + others, bound)).toBeGreaterThanOrEqual(tokens);
      }),
    );
  });

  it("may be exceeded by the overage while the workflow has room", () => {
    expect(limitUse(1_000, 50_000, { overageThreshold: 0.2 })).toBe(1_200);
    expect(limitUse(1_000, 1_100, { overageThreshold: 0.2 })).toBe(1_100);
    expect(limitUse(1_000, 50_000, { overageThreshold: 0 })).toBe(1_000);
    expect(limitUse(1_000, -3, { overageThreshold: 0.2 })).toBe(0);
  });
});

describe("the history of agents", () => {
  const ended = (overrides: Partial<EndedTask> = {}): EndedTask => ({ agent: "scout", taskType: "file_scan", turns: 1, tokens: 900, startedAt: 1_000, finishedAt: 3_500, failures: 0, ...overrides });

  it("sums what tasks that called a model came to, by agent and type", () => {
    expect(sumHistory([ended(), ended({ turns: 3, tokens: 100, failures: 2 }), ended({ agent: "planner", taskType: "" }), ended({ turns: 0, tokens: 0 })])).toEqual([
      { agent: "scout", taskType: "file_scan", history: { runs: 2, tokens: 1_000, turns: 4, durationMs: 5_000, failures: 2 } },
      { agent: "planner", taskType: "", history: { runs: 1, tokens: 900, turns: 1, durationMs: 2_500, failures: 0 } },
    ]);
  });

  it(`of one workflow has at most ${MAX_TOLD_CELLS} cells, those with most runs`, () => {
    const tasks = Array.from({ length: MAX_TOLD_CELLS + 1 }, (_, n) => ended({ agent: `a${n}` }));
    const cells = sumHistory([...tasks, ended({ agent: `a${MAX_TOLD_CELLS}` })]);
    expect(cells).toHaveLength(MAX_TOLD_CELLS);
    expect(cells[0]).toMatchObject({ agent: `a${MAX_TOLD_CELLS}`, history: { runs: 2 } });
    expect(sumHistory(tasks.slice(1))).toHaveLength(MAX_TOLD_CELLS);
  });

  it("counts a workflow that is told again by its newest word alone", () => {
    const once = learnHistory(null, history({ runs: 10, tokens: 1_000 }), null);
    expect(learnHistory(once, history({ runs: 12, tokens: 1_300 }), history({ runs: 10, tokens: 1_000 }))).toMatchObject({ runs: 12, tokens: 1_300 });
  });

  it(`keeps its means and forgets the old once it has ${MAX_HISTORY_RUNS} runs`, () => {
    let known: AgentHistory | null = null;
    for (let n = 0; n < 50; n += 1) known = learnHistory(known, history({ runs: 10, tokens: 10_000 }), null);
    expect(known!.runs).toBe(MAX_HISTORY_RUNS);
    expect(known!.tokens / known!.runs).toBeCloseTo(1_000);
    for (let n = 0; n < 100; n += 1) known = learnHistory(known, history({ runs: 10, tokens: 50_000 }), null);
    expect(known!.tokens / known!.runs).toBeGreaterThan(4_900);
  });

  it("never goes below nothing", () => {
    expect(learnHistory(history({ tokens: 5 }), history({ tokens: 0, runs: 1 }), history({ tokens: 100, runs: 1 })).tokens).toBe(0);
  });
});
