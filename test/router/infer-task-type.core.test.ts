import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countFiles } from "../../src/router/count-files.ts";
import { inferTaskType, PATTERNS } from "../../src/router/infer-task-type.ts";

describe("the type of a prompt", () => {
  test.each([
    ["Summarize the logs of last night", "log_summary"],
    ["Go through these nginx logs and tell me what happened", "log_summary"],
    ["List all files in the repository and say what each is for", "file_scan"],
    ["Scan the source directory for TODO comments", "file_scan"],
    ["Check the syntax of this YAML document", "syntax_check"],
    ["Validate that the file is valid JSON", "syntax_check"],
    ["Format this table as Markdown", "formatting"],
    ["Convert the list to CSV", "formatting"],
    ["What is the capital of France?", "simple_query"],
    ["How many legs does a spider have?", "simple_query"],
    ["Extract the invoice number and the due date from this letter", "data_extraction"],
    ["Find all email addresses in the text", "data_extraction"],
    ["Write release notes for version 2", "documentation"],
    ["Update the README with the new options", "documentation"],
    ["Review this pull request", "code_review"],
    ["Write unit tests for the parser", "test_generation"],
    ["Implement a rate limiter in Go", "code_implementation"],
    ["Write a Python script that renames my photos", "code_implementation"],
    ["Refactor the billing module", "refactoring"],
    ["Debug this: the server hangs after two requests", "debugging"],
    ["Why does this function throw an exception?", "debugging"],
    ["Make a plan for moving our office", "planning"],
    ["Break down this project into tasks", "planning"],
    ["Integrate Stripe with our checkout", "integration"],
    ["Design the architecture of a chat service", "architecture_design"],
    ["Design a distributed queue system", "architecture_design"],
    ["Do a security review of the login flow", "security_review"],
    ["Check this handler for SQL injection", "security_review"],
    ["Review the security of this code", "security_review"],
    ["Please assess this pull request for security", "security_review"],
    ["Fix the critical bug that loses orders", "critical_bug_fix"],
    ["Production is down: find the rollback steps", "production_critical"],
  ])("%j is %s", (prompt, type) => {
    expect(inferTaskType(prompt)).toBe(type);
  });

  test("is what trying every pattern would give, though few are tried", () => {
    const words = [...new Set(PATTERNS.flatMap(([, { source }]) => source.match(/[a-z0-9]{2,}/g) ?? []))];
    const text = fc.array(fc.tuple(fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...words) }, { weight: 1, arbitrary: fc.string({ maxLength: 6 }) }), fc.constantFrom(" ", " ", " ", "-", "", "\n", "é", ".")), { maxLength: 14 });
    fc.assert(fc.property(text, (pieces) => {
      const prompt = pieces.flat().join("");
      const every = PATTERNS.find(([, pattern]) => pattern.test(prompt.toLowerCase()))?.[0] ?? null;
      expect(inferTaskType(prompt)).toBe(every);
    }), { numRuns: 5_000 });
  });

  test.each(["", "Hello!", "Write a poem about autumn.", "Tell me more about the second one.", "Ein Gedicht, bitte."])("%j tells nothing", (prompt) => {
    expect(inferTaskType(prompt)).toBeNull();
  });

  test("words of the material do not make a task dear: only both ends of a long prompt are read", () => {
    const material = "The security audit found vulnerabilities. ".repeat(500);
    expect(inferTaskType(`Format this table as Markdown.\n${"x".repeat(2_000)}${material}${"y".repeat(600)}`)).toBe("formatting");
    expect(inferTaskType(`${"z".repeat(5_000)}\n\nTranslate it? Extract the names from it.`)).toBe("data_extraction");
  });

  test("the intent counts where the words say nothing, and not before them", () => {
    expect(inferTaskType("The second one.", "extract")).toBe("data_extraction");
    expect(inferTaskType("Refactor it", "extract")).toBe("refactoring");
    expect(inferTaskType("The second one.", "generate")).toBeNull();
    expect(inferTaskType(null)).toBeNull();
  });

  test("takes about as long for a megabyte as for a page, whatever stands in it", () => {
    for (const unit of ["write a ", "design the ", "check ", "fix \n", "why ", "a.b/", " ", "(((", "review the the "]) {
      const startedAt = performance.now();
      for (let round = 0; round < 20; round += 1) inferTaskType(unit.repeat(120_000));
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    }
  });
});

test.each<[string, number]>([
  ["", 0],
  ["src/a.ts, src/a.ts and ./b.test.tsx", 2],
  ["See README.md, docs/setup.md and config.yaml.", 3],
  ["version 1.2.3 of node.org at e.g. noon", 0],
])("%j names %i files", (prompt, files) => {
  expect(countFiles(prompt)).toBe(files);
});

test("files are counted in linear time", () => {
  for (const unit of ["a.", "a/", "a-", "a.b.c/", "-_.", "a.ts"]) {
    const startedAt = performance.now();
    countFiles(unit.repeat(100_000));
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  }
});
