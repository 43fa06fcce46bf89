import { expect, test } from "vitest";
import { promptOf } from "../../../src/consumer/planning/plan-task.ts";
import type { Json } from "../../../src/errors.ts";

test.each<[string, Json, string]>([
  ["its prompt", { prompt: "Summarize it.", tone: "dry" }, "Summarize it."],
  ["a bare string", "Summarize it.", "Summarize it."],
  ["a prompt that is no text, as JSON", { prompt: [1, 2] }, "[1,2]"],
  ["anything else, as JSON", { messages: [{ role: "user", content: "Hi" }] }, '{"messages":[{"role":"user","content":"Hi"}]}'],
  ["a list, as JSON", ["prompt"], '["prompt"]'],
  ["nothing, as JSON", null, "null"],
])("what is read of a task's words is %s", (_case, input, prompt) => {
  expect(promptOf(input)).toBe(prompt);
});
