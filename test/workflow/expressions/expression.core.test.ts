import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../../../src/errors.ts";
import { MAX_EXPRESSION_BYTES, compileExpression, type CompiledExpression, type Evaluation, type Scope } from "../../../src/workflow/expressions/expression.ts";
import { MAX_COST, createMeter } from "../../../src/workflow/expressions/expression-meter.ts";
import { MAX_EXPRESSION_DEPTH } from "../../../src/workflow/expressions/expression-references.ts";
import { MAX_JSON_DEPTH, MAX_VALUE_BYTES } from "../../../src/workflow/json/json-size.ts";

const input: Json = {
  repo: "weft",
  count: 3,
  ratio: 1.5,
  huge: 1e300,
  flag: true,
  nothing: null,
  list: [1, 2, 3],
  people: [{ name: "Ada", age: 36 }, { name: "Bob" }],
  constructor: "a plain key",
  "odd key": 1,
};

const scope: Scope = {
  workflow: { input },
  tasks: {
    plan_1: { output: ["a", "b"], status: "completed" },
    text: { output: "héllo", status: "completed" },
    "my-task": { output: { ok: true }, status: "completed" },
    skipped: { output: null, status: "skipped" },
  },
  budget: { maxUsd: 2, spentUsd: 0.25, reservedUsd: 0, remainingUsd: 1.75, maxTokens: null, spentTokens: 900, reservedTokens: 0, remainingTokens: null, forecastUsd: 1, forecastTokens: 4_000 },
};

function compile(source: string, isInputAllowed = false): CompiledExpression {
  const expression = compileExpression(source, { input: isInputAllowed });
  if ("message" in expression) throw new Error(`${source}: ${expression.message}`);
  return expression;
}

function refusal(source: string): string {
  const expression = compileExpression(source, { input: false });
  return "message" in expression ? expression.message : "";
}

function evaluate(source: string, over: Scope = scope): Evaluation {
  return compile(source).evaluate(over);
}

describe("an expression gives", () => {
  test.each<[string, Json]>([
    ["workflow.input.repo", "weft"],
    [" workflow.input.repo\n", "weft"],
    ['workflow.input["odd key"]', 1],
    ["workflow.input", input],
    ["workflow.input.constructor", "a plain key"],
    ["workflow.input.constructor + '!'", "a plain key!"],
    ["has(workflow.input.missing)", false],
    ["has(workflow.input.repo)", true],
    ["workflow.input.nothing == null", true],
    ["workflow.input.nothing", null],
    ["budget.remainingUsd > 0.1", true],
    // A cap that is a whole number is an int, and compares with fractions all the same.
    ["budget.maxUsd > 1.5 && budget.reservedUsd < 0.1 && budget.spentUsd < 1", true],
    ["budget.maxTokens == null || budget.remainingTokens > 100", true],
    ["budget.spentTokens", 900],
    [" budget.maxUsd", 2],
    ["has(budget.forecastUsd) ? budget.forecastUsd * 2 : 0", 2],
    ["tasks.plan_1.output", ["a", "b"]],
    ["tasks.plan_1.status == 'completed'", true],
    ['tasks["my-task"].output.ok', true],
    ["tasks.skipped.output == null && tasks.skipped.status == 'skipped'", true],
    ["size(tasks.plan_1.output) > 0", true],
    ["size(tasks.text.output)", 5],
    ["size(workflow.input) > 3", true],
    ["workflow.input.count / 2", 1],
    ["workflow.input.count + 1", 4],
    ["workflow.input.ratio * 2.0", 3],
    ["double(workflow.input.count) / 2.0", 1.5],
    ["workflow.input.huge > 1.0", true],
    ["workflow.input.list[0]", 1],
    ["workflow.input.list.map(x, x * 2)", [2, 4, 6]],
    ["workflow.input.list.filter(x, x > 1)", [2, 3]],
    ["workflow.input.list.exists(x, x == 3)", true],
    ["workflow.input.list.all(x, x > 1)", false],
    ["workflow.input.list.exists_one(x, x == 2)", true],
    ["workflow.input.people.filter(p, has(p.age)).map(p, p.name)", ["Ada"]],
    ["workflow.input.list + [4]", [1, 2, 3, 4]],
    ["workflow.input.list == [1, 2, 3]", true],
    ["2 in workflow.input.list", true],
    ["'repo' in workflow.input", true],
    ["workflow.input.flag ? 'yes' : 'no'", "yes"],
    ["[1, 'a', {'b': null, 'c': 1.5}]", [1, "a", { b: null, c: 1.5 }]],
    ["{'name': workflow.input.repo, 'all': workflow.input.people}", { name: "weft", all: [{ name: "Ada", age: 36 }, { name: "Bob" }] }],
    ["cel.bind(x, workflow.input.count, x * x)", 9],
    ["string(workflow.input.count) + 'x'", "3x"],
    ["timestamp('2026-01-02T03:04:05Z').getFullYear()", 2026],
    ["1u", 1],
    ["// a comment (with brackets)\n1", 1],
    ["'size( matches( nobody('", "size( matches( nobody("],
  ])("%s", (source, expected) => {
    expect(evaluate(source)).toEqual({ ok: true, value: expected });
  });

  test("input, where it is allowed", () => {
    expect(compile("input.a + 1", true).evaluate({ ...scope, input: { a: 1 } })).toEqual({ ok: true, value: 2 });
    expect(refusal("input.a + 1")).toMatch(/transform agent/);
    expect(refusal("input.a")).toMatch(/transform agent/);
  });

  test("the value itself for a bare path, without a copy", () => {
    const result = evaluate("workflow.input.people");
    expect(result.ok && result.value).toBe((input as { people: Json }).people);
  });

  test("the same JSON for any value that passes through", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (json) => {
        const value = JSON.parse(JSON.stringify(json)) as Json;
        const result = compile("[workflow.input][0]").evaluate({ workflow: { input: value }, tasks: {} });
        expect(result).toEqual({ ok: true, value });
      }),
    );
  });

  test("keys of any name, __proto__ too", () => {
    const value = JSON.parse('{"__proto__": {"x": 1}, "toString": 2}') as Json;
    const result = compile("cel.bind(v, workflow.input, v)").evaluate({ workflow: { input: value }, tasks: {} });
    expect(result.ok && JSON.stringify(result.value)).toBe('{"__proto__":{"x":1},"toString":2}');
    expect(compile("workflow.input.toString").evaluate({ workflow: { input: {} }, tasks: {} }).ok).toBe(false);
    expect(compile("tasks.__proto__.output").evaluate({ workflow: { input: {} }, tasks: {} }).ok).toBe(false);
  });
});

describe("an evaluation fails with a message", () => {
  test.each<[string, RegExp]>([
    ["workflow.input.missing", /No such key: missing/],
    ["workflow.input.repo.deeper", /No such key: deeper/],
    ["workflow.input.missing + 1", /No such key: missing/],
    ["tasks.other.output", /No such key: other/],
    ["size(tasks.other.output)", /No such key: other/],
    ["workflow.input.list[9]", /out of bounds/],
    ["workflow.input.list.name", /No such key/],
    ["workflow.input.list.name + 1", /No such key/],
    ["workflow.input.repo + 1", /no such overload/],
    ["workflow.input.count + 1.5", /no such overload/],
    ["workflow.input.count / 0", /division by zero/],
    ["workflow.input.repo ? 1 : 2", /must be bool/],
    ["double(workflow.input.count) / 0.0", /Infinity, which JSON cannot hold/],
    ["9007199254740992", /JSON cannot hold exactly/],
    ["9223372036854775807 + workflow.input.count", /overflow/],
    ["timestamp(0)", /a timestamp, which JSON cannot hold/],
    ["[duration('1s')]", /a duration, which JSON cannot hold/],
    ["{'a': b'xy'}", /bytes, which JSON cannot hold/],
    ["type(workflow.input)", /a type, which JSON cannot hold/],
  ])("%s", (source, message) => {
    expect(evaluate(source)).toEqual({ ok: false, message: expect.stringMatching(message) });
  });

  test("messages do not quote large values in full", () => {
    const result = compile("bool(workflow.input)").evaluate({ workflow: { input: "x".repeat(100_000) }, tasks: {} });
    expect(result.ok ? "" : result.message.length).toBeLessThan(400);
  });
});

describe("compilation refuses", () => {
  test.each<[string, RegExp]>([
    ["", /EOF/],
    ["1 +", /EOF/],
    ["'open", /Unterminated/],
    ["1 + 'a'", /no such overload/],
    ["nobody", /unknown name nobody.*character 1/],
    ["1 + nobody.x", /unknown name nobody.*character 5/],
    ["workflow", /workflow cannot be read; only workflow.input/],
    ["workflow.id", /workflow.id cannot be read/],
    ["budget.leftUsd", /budget.leftUsd is not known; known are maxUsd, .*remainingUsd/],
    ["budget.leftUsd > 0.1", /budget.leftUsd is not known.*character 1/],
    ["tasks", /as a whole or by a computed name/],
    ["tasks[workflow.input.repo].output", /as a whole or by a computed name/],
    ["tasks.map(t, t)", /as a whole or by a computed name/],
    ["tasks.a", /tasks.a cannot be read; only tasks.a.output and .status/],
    ["tasks.a.attempt", /tasks.a.attempt cannot be read/],
    ["has(tasks.a)", /tasks.a cannot be read/],
    ['tasks["my-task"].error', /tasks\["my-task"\].error cannot be read/],
    ["tasks.my-task.output", /tasks.my cannot be read/],
    ["[1].map(x, y)", /unknown name y/],
    ["[1].map(x, x) + [x]", /unknown name x/],
    ["cel.bind(x, x, x)", /unknown name x/],
    ["foo(1)", /unknown function foo\(\).*character 1/],
    ["'a'.foo()", /unknown function foo\(\)/],
    ["optional.of(1)", /unknown name optional/],
    ["'a'.matches('a')", /matches\(\) is not available/],
    ["'a'.matches // x\n ('a')", /matches\(\) is not available/],
    ["{'constructor': 1}", /a map cannot have the key/],
  ])("%s", (source, message) => {
    expect(refusal(source)).toMatch(message);
  });

  test.each(["state.x", "params.a", "item", "index + 1"])("%s, which is not available yet", (source) => {
    expect(refusal(source)).toMatch(/part of the API but not available yet/);
  });

  test("never throws, whatever the source", () => {
    const word = fc.constantFrom("workflow.input", "tasks.a.output", "x", ".map(x, ", "(", ")", "[", "]", "{", "}", "'", '"', "1", "+", "has(", "cel.bind(x, ", ",", ":", "?", "//", "\n", "\\", "!", "-", "r'", "size(");
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 3 })), { maxLength: 20 }), (words) => {
        const expression = compileExpression(words.join(""), { input: true });
        if (!("message" in expression)) expression.evaluate(scope);
      }),
      { numRuns: 2_000 },
    );
  });
});

test("an expression names what it reads; names bound by macros are not read", () => {
  const { references } = compile("tasks.a.output.map(tasks, tasks + 1).size() > workflow.input.n && [1].exists(workflow, tasks.b.status == 'x')");
  expect(references).toEqual({ tasks: new Set(["a", "b"]), roots: new Set(["tasks", "workflow"]) });
});

test.each([
  ["size(tasks.a.output) > 0", "bool"],
  ["tasks.a.output", "dyn"],
  ["tasks.a.output.b", "dyn"],
  ["'a' + 'b'", "string"],
])("the type of %s is known to be %s", (source, type) => {
  expect(compile(source).type).toBe(type);
});

test("only what an expression reads is converted", () => {
  const meter = createMeter();
  const large = Array.from({ length: 200_000 }, (_, index) => index);
  const over: Scope = { workflow: { input: { large, small: { a: [1] } } }, tasks: {} };
  expect(compile("size(workflow.input.small.a) == 1").evaluate(over, meter)).toEqual({ ok: true, value: true });
  expect(MAX_COST - meter.stepsLeft).toBeLessThan(20);
});

describe("limits", () => {
  test("length in bytes", () => {
    const fits = `'${"é".repeat((MAX_EXPRESSION_BYTES - 2) / 2)}'`;
    expect(compile(fits).evaluate(scope).ok).toBe(true);
    expect(refusal(`${fits} `)).toMatch(/longer than 4096 bytes/);
    expect(refusal(`workflow.input.${"a".repeat(MAX_EXPRESSION_BYTES)}`)).toMatch(/longer than 4096 bytes/);
  });

  test("nesting", () => {
    const chain = (operators: number): string => Array.from({ length: operators + 1 }, () => "1").join("+");
    expect(evaluate(chain(MAX_EXPRESSION_DEPTH))).toEqual({ ok: true, value: MAX_EXPRESSION_DEPTH + 1 });
    expect(refusal(chain(MAX_EXPRESSION_DEPTH + 1))).toMatch(/nests deeper/);
    expect(refusal("(".repeat(65) + "1" + ")".repeat(65))).toMatch(/maxDepth/);
    expect(refusal("-".repeat(4_000) + "1")).toMatch(/maxAstNodes/);
  });

  test("a pass over 100,000 elements is within the cost", () => {
    const over: Scope = { workflow: { input: Array.from({ length: 100_000 }, (_, index) => index) }, tasks: {} };
    expect(evaluate("workflow.input.filter(x, x > 99990 && x % 2 == 1).map(x, x + 1)", over).ok).toBe(true);
  });

  const list = Array.from({ length: 1_000 }, (_, index) => index);
  const text = "a".repeat(MAX_VALUE_BYTES - 2);
  const binds = (count: number, first: string, next: (name: string) => string, last: string): string =>
    `cel.bind(v0, ${first}, ${Array.from({ length: count }, (_, index) => `cel.bind(v${index + 1}, ${next(`v${index}`)}, `).join("")}${last}${")".repeat(count + 1)}`;

  test.each([
    ["nested map over 1,000³", "workflow.input.list.map(x, workflow.input.list.map(y, workflow.input.list.map(z, x + y + z)))"],
    ["nested exists", "workflow.input.list.exists(x, workflow.input.list.exists(y, workflow.input.list.exists(z, x + y + z < 0)))"],
    ["nested loops over a literal", "cel.bind(l, [1,2,3,4,5,6,7,8,9,10], l.all(a, l.all(b, l.all(c, l.all(d, l.all(e, l.all(f, l.all(g, l.all(h, true)))))))))"],
    ["absorbed errors", "workflow.input.list.all(x, workflow.input.list.all(y, workflow.input.list.all(z, 1 / 0 > x || true)))"],
    ["errors absorbed by exists", "workflow.input.list.exists(x, workflow.input.list.exists(y, workflow.input.list.exists(z, x.name == z.name)))"],
    ["the cost itself absorbed", "workflow.input.list.all(x, workflow.input.list.all(y, workflow.input.list.all(z, true))) || true"],
    ["counting characters over and over", "workflow.input.list.all(x, size(workflow.input.text) > 0)"],
    ["comparing large texts over and over", "workflow.input.list.all(x, workflow.input.text == workflow.input.text + 'a' || true)"],
    ["searching for a long text", "workflow.input.text.contains('b' + workflow.input.text)"],
    ["searching backwards", "workflow.input.text.lastIndexOf('b' + workflow.input.text.substring(0, 5000)) > 0"],
    ["splitting over and over", "workflow.input.list.all(x, size(workflow.input.text.split('')) > 0)"],
    ["comparing large lists over and over", "workflow.input.list.all(x, workflow.input.list.all(y, workflow.input.list == workflow.input.list + []))"],
    ["looking up in large lists", "workflow.input.list.all(x, workflow.input.list.all(y, !(-1 in workflow.input.list)))"],
    ["adding lists over and over", "workflow.input.list.map(x, workflow.input.list.map(y, workflow.input.list + workflow.input.list))"],
    ["time zones over and over", "workflow.input.list.map(x, timestamp(x).getHours('Europe/Berlin')).map(x, workflow.input.list.map(y, timestamp(y).getHours('Europe/Berlin')))"],
    ["doubling a text", binds(30, "'xxxxxxxxxxxxxxxx'", (name) => `${name} + ${name}`, "size(v30)")],
    ["doubling a list", binds(30, "[1]", (name) => `${name} + ${name}`, "size(v30)")],
    ["sharing a list", binds(25, "[1, 1]", (name) => `[${name}, ${name}]`, "v25")],
    ["comparing shared lists", binds(25, "[1, 1]", (name) => `[${name}, ${name}]`, "[v25, 1] == [[v24, v24], 1]")],
  ])("cost: %s ends with an error", (_, source) => {
    const result = compile(source).evaluate({ workflow: { input: { list, text } }, tasks: {} });
    expect(result).toEqual({ ok: false, message: expect.stringMatching(/costs more than/) });
  });

  test("a long duration is refused, because it is parsed in quadratic time", () => {
    expect(compile("duration(workflow.input) > duration('1s')").evaluate({ workflow: { input: "1".repeat(100_000) }, tasks: {} })).toEqual({
      ok: false,
      message: expect.stringMatching(/at most 64 characters/),
    });
    expect(evaluate("duration('1h30m') > duration('1s')")).toEqual({ ok: true, value: true });
  });

  test("a result over 1 MiB is refused", () => {
    const result = compile("[workflow.input, workflow.input]").evaluate({ workflow: { input: text }, tasks: {} });
    expect(result).toEqual({ ok: false, message: expect.stringMatching(/1 MiB/) });
  });

  test("values nested too deeply are refused", () => {
    const nest = (depth: number): Json => (depth === 0 ? 1 : [nest(depth - 1)]);
    const over = (depth: number): Scope => ({ workflow: { input: nest(depth) }, tasks: {} });
    expect(evaluate("size(workflow.input)", over(MAX_JSON_DEPTH)).ok).toBe(true);
    expect(evaluate("size(workflow.input)", over(MAX_JSON_DEPTH + 1))).toEqual({ ok: false, message: expect.stringMatching(/nested deeper/) });
    expect(evaluate("[workflow.input][0]", over(MAX_JSON_DEPTH)).ok).toBe(true);
    expect(evaluate("[workflow.input]", over(MAX_JSON_DEPTH))).toEqual({ ok: false, message: expect.stringMatching(/nested deeper/) });
  });

  test("an evaluation that failed leaves the next one its full cost", () => {
    const expression = compile("workflow.input.list.map(x, workflow.input.list.map(y, workflow.input.list.size()))");
    const over: Scope = { workflow: { input: { list } }, tasks: {} };
    expect(expression.evaluate(over).ok).toBe(false);
    expect(expression.evaluate({ workflow: { input: { list: [1] } }, tasks: {} })).toEqual({ ok: true, value: [[1]] });
  });
});
