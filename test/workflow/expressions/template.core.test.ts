import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../../../src/errors.ts";
import type { Scope } from "../../../src/workflow/expressions/expression.ts";
import { compileTemplate, type CompiledTemplate } from "../../../src/workflow/expressions/template.ts";
import { MAX_JSON_DEPTH, MAX_VALUE_BYTES } from "../../../src/workflow/json/json-size.ts";

const scope: Scope = {
  workflow: { input: { name: "weft", count: 3, list: [1, "a", null], nothing: null, tricky: "${workflow.input.count} and $${x}" } },
  tasks: { plan: { output: { steps: ["x", "y"] }, status: "completed" }, "my-task": { output: "mine", status: "completed" } },
};

function compile(value: Json): CompiledTemplate {
  const template = compileTemplate(value, { input: false });
  if ("faults" in template) throw new Error(JSON.stringify(template.faults));
  return template;
}

function render(value: Json): Json {
  const result = compile(value).render(scope);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

function faultsOf(value: Json): { path: string; message: string }[] {
  const template = compileTemplate(value, { input: false });
  return "faults" in template ? template.faults : [];
}

describe("a template", () => {
  test.each<[string, Json, Json]>([
    ["a text without expressions", "plain $ { } text", "plain $ { } text"],
    ["an expression in text", "Hello ${workflow.input.name}!", "Hello weft!"],
    ["several", "${workflow.input.name}-${workflow.input.count}", "weft-3"],
    ["one expression keeps its type: number", "${workflow.input.count}", 3],
    ["one expression keeps its type: list", "${workflow.input.list}", [1, "a", null]],
    ["one expression keeps its type: null", "${workflow.input.nothing}", null],
    ["a blank makes it text", " ${workflow.input.count}", " 3"],
    ["a list in text is JSON", "of ${workflow.input.list}", 'of [1,"a",null]'],
    ["null in text is JSON", "of ${workflow.input.nothing}", "of null"],
    ["a string in text is not quoted", "of ${workflow.input.name}", "of weft"],
    ["what was put in is not read again", "<${workflow.input.tricky}>", "<${workflow.input.count} and $${x}>"],
    ["… nor as a whole value", "${workflow.input.tricky}", "${workflow.input.count} and $${x}"],
    ["an escape", "$${workflow.input.name}", "${workflow.input.name}"],
    ["an escape between expressions", "${workflow.input.count}$${x}${workflow.input.count}", "3${x}3"],
    ["a dollar before an escape", "$$${x}", "$${x}"],
    ["a brace in a string", "${workflow.input.name + '}'}", "weft}"],
    ["a quote in a string", "${workflow.input.name + \"'}\"}", "weft'}"],
    ["an escaped quote", "${'\\'}' + workflow.input.name}", "'}weft"],
    ["a triple-quoted string", '${"""a"}""" + "b"}', 'a"}b'],
    ["a map literal", "${{'a': {'b': workflow.input.count}}}", { a: { b: 3 } }],
    ["a comment", "${workflow.input.count // }\n}", 3],
    ["a task that is no identifier", '${tasks["my-task"].output}', "mine"],
    ["values inside lists and objects", { a: ["${workflow.input.count}", { b: "x${workflow.input.count}" }], c: 1 }, { a: [3, { b: "x3" }], c: 1 }],
    ["keys are no templates", { "${workflow.input.name}": 1 }, { "${workflow.input.name}": 1 }],
  ])("replaces: %s", (_, value, expected) => {
    expect(render(value)).toEqual(expected);
  });

  test("keeps the order of keys", () => {
    expect(Object.keys(render({ b: "${workflow.input.count}", a: 1 }) as object)).toEqual(["b", "a"]);
  });

  test("keeps a key named __proto__ as a key", () => {
    const value = JSON.parse('{"__proto__": "${workflow.input.count}"}') as Json;
    expect(JSON.stringify(render(value))).toBe('{"__proto__":3}');
  });

  test("a value without ${ is given back as it is, not copied", () => {
    const value = { prompt: "x", list: [1, { a: "b" }] };
    expect(render(value)).toBe(value);
  });

  test("parts without ${ are shared", () => {
    const value = { fixed: [1], made: "${workflow.input.count}" };
    expect((render(value) as { fixed: Json }).fixed).toBe(value.fixed);
  });

  test("any JSON value without a dollar renders to itself", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        const value = JSON.parse(JSON.stringify(json).replaceAll("$", "S")) as Json;
        expect(render(value)).toEqual(value);
      }),
    );
  });

  test("any text can be written with escapes, and inserted text comes out as it is", () => {
    const text = fc.string();
    const pieces = fc.array(fc.oneof(text, fc.constantFrom("${", "}", "$", "'", '"', "//")), { maxLength: 8 }).map((list) => list.join(""));
    fc.assert(
      fc.property(pieces, (literal) => {
        expect(render(escape(literal))).toBe(literal);
        const result = compile("<${workflow.input}>").render({ workflow: { input: literal }, tasks: {} });
        expect(result).toEqual({ ok: true, value: `<${literal}>` });
      }),
    );
  });

  test("names what it reads, and where", () => {
    const template = compile({ a: "${tasks.plan.output} ${workflow.input.name}", b: ["${tasks.other.status}"] });
    expect(template.references).toEqual({ tasks: new Set(["plan", "other"]), roots: new Set(["tasks", "workflow"]) });
    expect(template.places.map(({ path }) => path)).toEqual(["/a", "/a", "/b/0"]);
  });
});

/** `$${` for every `${`. A dollar before it would join the escape, so it is put in by an expression. */
function escape(literal: string): string {
  return literal.replaceAll(/\$+\{/g, (match) => `${"${'$'}".repeat(match.length - 2)}$\${`);
}

describe("faults of a template", () => {
  test.each<[string, Json, string, RegExp]>([
    ["unclosed", "a ${workflow.input", "", /\$\{ at character 3 is not closed/],
    ["unclosed in a string", "${'}", "", /not closed/],
    ["no expression", "${}", "", /EOF/],
    ["an unknown name", { a: ["x", "${nobody}"] }, "/a/1", /unknown name nobody/],
    ["a key with a slash", { "a/b~c": "${nobody}" }, "/a~1b~0c", /unknown name/],
    ["input", "${input.x}", "", /transform agent/],
  ])("are reported with their place: %s", (_, value, path, message) => {
    const [fault] = faultsOf(value);
    expect(fault).toMatchObject({ path, message: expect.stringMatching(message) });
  });

  test("all are reported at once", () => {
    expect(faultsOf(["${a}", "${b} ${c}", "${"]).map(({ path }) => path)).toEqual(["/0", "/1", "/1", "/2"]);
  });

  test("nesting is limited", () => {
    const nest = (depth: number): Json => (depth === 0 ? "${workflow.input.count}" : [nest(depth - 1)]);
    expect(faultsOf(nest(MAX_JSON_DEPTH))).toEqual([]);
    expect(faultsOf(nest(MAX_JSON_DEPTH + 1))).toMatchObject([{ message: expect.stringMatching(/nested deeper/) }]);
  });
});

describe("rendering", () => {
  test("an expression that fails says which one it was", () => {
    expect(compile({ a: "x ${workflow.input.missing}" }).render(scope)).toEqual({ ok: false, message: expect.stringMatching(/\$\{workflow.input.missing\} No such key: missing/) });
  });

  test("a rendered value of 1 MiB passes, one byte more does not", () => {
    const fits = "x".repeat(MAX_VALUE_BYTES - 2);
    const template = compile("${workflow.input}");
    expect(template.render({ workflow: { input: fits }, tasks: {} }).ok).toBe(true);
    expect(template.render({ workflow: { input: `${fits}x` }, tasks: {} })).toMatchObject({ ok: false, message: expect.stringMatching(/1 MiB/) });
  });

  test("many copies of a large value are refused without being made", () => {
    const input = Array.from({ length: 100_000 }, () => "abcdef");
    for (const piece of ["${workflow.input}", "x${workflow.input}"]) {
      const result = compile(Array.from({ length: 1_000 }, () => piece)).render({ workflow: { input }, tasks: {} });
      expect(result).toMatchObject({ ok: false, message: expect.stringMatching(/1 MiB/) });
    }
  });

  test("all expressions of a template share one cost limit", () => {
    const input = Array.from({ length: 1_000 }, (_, index) => index);
    const one = "${workflow.input.map(x, workflow.input.exists(y, y > 300)).size()}";
    expect(compile(one).render({ workflow: { input }, tasks: {} }).ok).toBe(true);
    expect(compile(Array.from({ length: 20 }, () => one)).render({ workflow: { input }, tasks: {} })).toMatchObject({ ok: false, message: expect.stringMatching(/costs more/) });
  });
});
