import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { Settings } from "../../src/config/settings.ts";
import { scoreComplexity, tierOfComplexity, type Task } from "../../src/router/complexity.ts";
import { TASK_TYPE_POINTS, TaskType } from "../../src/workflow/spec/agent.ts";

const SETTINGS = Settings.parse({}).routing;
const TASK: Task = { taskType: "general", contextTokens: 0, files: 0, failureRate: 0 };

function assess(task: Partial<Task>, settings = SETTINGS): [number, string] {
  const complexity = scoreComplexity({ ...TASK, ...task }, settings);
  return [complexity.score, tierOfComplexity(complexity, settings)];
}

/** A type of each number of points. */
const TYPE_OF_POINTS: Record<number, TaskType> = { 1: "file_scan", 2: "general", 3: "planning", 4: "security_review" };

describe("the score", () => {
  // points of type, context, files → sum − 3 → round(1 + n · 9 / 7)
  test.each<[number, number, number, number]>([
    [1, 1, 1, 1], [2, 1, 1, 2], [3, 1, 1, 4], [4, 1, 1, 5],
    [1, 2, 1, 2], [2, 2, 1, 4], [3, 2, 1, 5], [4, 2, 1, 6],
    [1, 3, 1, 4], [2, 3, 1, 5], [3, 3, 1, 6], [4, 3, 1, 7],
    [1, 1, 2, 2], [2, 1, 2, 4], [3, 1, 2, 5], [4, 1, 2, 6],
    [1, 2, 2, 4], [2, 2, 2, 5], [3, 2, 2, 6], [4, 2, 2, 7],
    [1, 3, 2, 5], [2, 3, 2, 6], [3, 3, 2, 7], [4, 3, 2, 9],
  ])("of %i points of type, %i of context and %i of files is %i", (type, context, files, score) => {
    const task = { taskType: TYPE_OF_POINTS[type]!, contextTokens: [0, 8_000, 64_000][context - 1]!, files: files === 1 ? 5 : 6 };
    expect(assess(task)[0]).toBe(score);
  });

  test.each<[number, number]>([[0, 9], [0.1, 9], [0.2, 9], [0.4, 9], [0.7, 10], [1, 10]])("of the hardest task with a failure rate of %f is %i", (failureRate, score) => {
    expect(assess({ taskType: "critical_bug_fix", contextTokens: 64_000, files: 6, failureRate })[0]).toBe(score);
  });

  test.each<[string, Partial<Task>, Partial<Task>]>([
    ["8,000 tokens count 2 points, one less counts 1", { contextTokens: 7_999 }, { contextTokens: 8_000 }],
    ["64,000 tokens count 3 points, one less counts 2", { contextTokens: 63_999 }, { contextTokens: 64_000 }],
    ["6 files count 2 points, 5 count 1", { files: 5 }, { files: 6 }],
  ])("%s", (_, less, more) => {
    expect(assess(more)[0]).toBeGreaterThan(assess(less)[0]);
  });

  test("is a whole number from 1 to 10 and never falls when a factor grows", () => {
    const task = fc.record({ taskType: fc.constantFrom(...TaskType.options), contextTokens: fc.nat(200_000), files: fc.nat(20), failureRate: fc.double({ min: 0, max: 1, noNaN: true }) });
    fc.assert(
      fc.property(task, fc.nat(200_000), fc.nat(20), (smaller, tokens, files) => {
        const [score] = assess(smaller);
        const [more] = assess({ ...smaller, contextTokens: smaller.contextTokens + tokens, files: smaller.files + files, failureRate: 1 });
        return Number.isInteger(score) && score >= 1 && score <= 10 && more >= score;
      }),
    );
  });

  test("stays within 1–10 whatever points are configured", () => {
    const settings = { ...SETTINGS, typePoints: { general: 10, formatting: 0 } };
    expect(assess({ taskType: "general", contextTokens: 64_000 }, settings)[0]).toBe(10);
    expect(assess({ taskType: "formatting" }, settings)[0]).toBe(1);
  });
});

describe("the tier", () => {
  test.each<[TaskType, Partial<Task>, string]>([
    ["file_scan", {}, "weak"],
    ["general", {}, "weak"],
    ["general", { contextTokens: 8_000 }, "base"],
    ["file_scan", { contextTokens: 64_000, files: 6, failureRate: 1 }, "base"],
    ["planning", {}, "base"],
    ["planning", { contextTokens: 64_000, files: 6 }, "base"],
    ["planning", { contextTokens: 64_000, files: 6, failureRate: 1 }, "strong"],
  ])("of %s with %j is %s", (taskType, task, tier) => {
    expect(assess({ ...task, taskType })[1]).toBe(tier);
  });

  test.each(TaskType.options.filter((type) => TASK_TYPE_POINTS[type] === 4))("of %s is strong however small the task", (taskType) => {
    expect(assess({ taskType })).toEqual([5, "strong"]);
  });

  test("thresholds and points are the settings'", () => {
    expect(assess({ taskType: "planning" }, { ...SETTINGS, weakMaxScore: 4 })[1]).toBe("weak");
    expect(assess({ taskType: "planning" }, { ...SETTINGS, baseMaxScore: 3 })[1]).toBe("strong");
    expect(assess({ taskType: "planning" }, { ...SETTINGS, typePoints: { planning: 1 } })[1]).toBe("weak");
    expect(assess({ taskType: "planning" }, { ...SETTINGS, strongTypePoints: 3 })[1]).toBe("strong");
    expect(assess({ contextTokens: 100 }, { ...SETTINGS, mediumContextTokens: 100 })[0]).toBe(4);
    expect(assess({ files: 1 }, { ...SETTINGS, fewFiles: 0 })[0]).toBe(4);
  });
});
