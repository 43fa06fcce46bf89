import { describe, expect, test } from "vitest";
import { createSuggester, MAX_SUGGESTIONS } from "../../../src/workflow/faults/nearest-name.ts";

describe("a suggestion for an unknown name", () => {
  const names = ["scout", "planner", "backend-engineer"];

  test.each([
    ["scuot", ""],
    ["scot", "scout"],
    ["SCOUT", "scout"],
    ["plannr", "planner"],
    ["plnr", ""],
    ["backend_enginer", "backend-engineer"],
    ["ab", ""],
    ["nothing", ""],
  ])("%s: %s", (name, nearest) => {
    expect(createSuggester(() => names)(name)).toBe(nearest === "" ? "" : `; did you mean "${nearest}"?`);
  });

  test(`is made for ${MAX_SUGGESTIONS} names of a request`, () => {
    const suggest = createSuggester(() => names);
    const made = Array.from({ length: MAX_SUGGESTIONS + 1 }, () => suggest("scot"));
    expect(made.map((words) => words !== "")).toEqual([...Array<boolean>(MAX_SUGGESTIONS).fill(true), false]);
  });
});
