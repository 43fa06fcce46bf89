import { describe, expect, test } from "vitest";
import { DEFAULT_MAX_CONCURRENCY, DEFAULT_TIMEOUT_MS, MAX_METADATA_KEYS, MAX_TASKS, MAX_WAIT_TIMEOUT_MS, TaskId, TaskSpec, UNAVAILABLE_FIELDS, WorkflowSpec } from "../../../src/workflow/spec/spec.ts";

const task = { id: "a", agent: "scout" };

describe("a workflow spec", () => {
  test("gets the defaults of the contract", () => {
    expect(WorkflowSpec.parse({ tasks: [task] })).toEqual({
      name: null,
      input: {},
      maxConcurrency: DEFAULT_MAX_CONCURRENCY,
      scheduling: "eager",
      onFailure: "fail",
      priority: "normal",
      metadata: {},
      tasks: [
        {
          ...task,
          input: {},
          dependsOn: [],
          retry: { maxAttempts: 3, initialMs: 500, factor: 2, maxMs: 30_000, jitter: true },
          timeoutMs: DEFAULT_TIMEOUT_MS,
          stream: false,
        },
      ],
    });
  });

  test.each<[string, object, boolean]>([
    ["no tasks", { tasks: [] }, false],
    ["the most tasks", { tasks: Array.from({ length: MAX_TASKS }, () => task) }, true],
    ["one task more", { tasks: Array.from({ length: MAX_TASKS + 1 }, () => task) }, false],
    ["no concurrency", { maxConcurrency: 0 }, false],
    ["most concurrency", { maxConcurrency: 1_000 }, true],
    ["more concurrency", { maxConcurrency: 1_001 }, false],
    ["a null input", { input: null }, true],
    ["a strategy", { strategy: "fastest", tasks: [{ ...task, strategy: "cheapest" }] }, true],
    ["an unknown strategy", { strategy: "best" }, false],
    ["an unknown strategy of a task", { tasks: [{ ...task, strategy: "best" }] }, false],
    ["50 metadata keys", { metadata: metadataOf(MAX_METADATA_KEYS) }, true],
    ["51 metadata keys", { metadata: metadataOf(MAX_METADATA_KEYS + 1) }, false],
    ["nested metadata", { metadata: { a: {} } }, false],
    ["longest deadline", { deadlineMs: MAX_WAIT_TIMEOUT_MS }, true],
    ["longer deadline", { deadlineMs: MAX_WAIT_TIMEOUT_MS + 1 }, false],
    ["a time with a zone", { startAt: "2026-01-31T12:00:00+02:00" }, true],
    ["a time without a zone", { startAt: "2026-01-31T12:00:00" }, false],
    ["a day that does not exist", { startAt: "2026-02-30T12:00:00Z" }, false],
  ])("with %s", (_, fields, isAccepted) => {
    expect(WorkflowSpec.safeParse({ tasks: [task], ...fields }).success).toBe(isAccepted);
  });

  test("promised fields are none of those it has", () => {
    for (const field of UNAVAILABLE_FIELDS.workflow) expect(Object.keys(WorkflowSpec.shape)).not.toContain(field);
    for (const field of UNAVAILABLE_FIELDS.task) expect(Object.keys(TaskSpec.shape)).not.toContain(field);
  });
});

test.each<[string, boolean]>([
  ["a", true],
  ["A-z_09", true],
  ["-", true],
  ["x".repeat(64), true],
  ["x".repeat(65), false],
  ["", false],
  ["a.b", false],
  ["a\n", false],
  ["ä", false],
  ["__proto__", false],
  ["__proto__x", true],
  ["constructor", true],
])("%j as a task id: %s", (id, isAccepted) => {
  expect(TaskId.safeParse(id).success).toBe(isAccepted);
});

function metadataOf(keys: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: keys }, (_, index) => [`key${index}`, "x"]));
}
