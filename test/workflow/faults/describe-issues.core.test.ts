import { expect, test } from "vitest";
import { z } from "zod";
import { describeIssues, PARSE_OPTIONS } from "../../../src/workflow/faults/describe-issues.ts";

const faultsOf = (schema: z.ZodType, value: unknown) => describeIssues(schema.safeParse(value, PARSE_OPTIONS).error!);

test.each<[string, z.ZodType, unknown, string]>([
  ["a missing value", z.string(), undefined, "is required"],
  ["a wrong type", z.string(), 5, "must be a string"],
  ["a number beyond all", z.number(), JSON.parse("1e400"), "must be a number of less than 310 digits"],
  ["a fraction", z.int(), 1.5, "must be an integer"],
  ["no boolean", z.boolean(), "yes", "must be true or false"],
  ["no list", z.array(z.string()), {}, "must be a list"],
  ["no object", z.strictObject({}), [], "must be an object"],
  ["no record", z.record(z.string(), z.string()), 1, "must be an object"],
  ["an unknown choice", z.enum(["a", "b"]), "c", 'must be one of "a", "b"'],
  ["the only choice", z.literal("none"), "all", 'must be "none"'],
  ["an unknown kind", z.discriminatedUnion("kind", [z.object({ kind: z.literal("a") }), z.object({ kind: z.literal("b") })]), {}, 'must be one of "a", "b"'],
  ["a small number", z.number().min(2), 1, "must be at least 2"],
  ["a large number", z.number().max(2), 3, "must be at most 2"],
  ["an empty string", z.string().min(1), "", "must not be empty"],
  ["a short string", z.string().min(2), "a", "must have at least 2 characters"],
  ["an empty list", z.array(z.string()).min(1), [], "must not be empty"],
  ["a long list", z.array(z.string()).max(1), ["a", "b"], "must have at most 1 items"],
  ["no time", z.iso.datetime(), "soon", "must be an ISO 8601 time with a zone, like 2026-01-31T12:00:00.000Z"],
  ["no date", z.iso.date(), "soon", "must be a date, like 2026-01-31"],
  ["a key of another form", z.record(z.string().max(2), z.string()), { abc: "" }, "cannot be a key here: it must have at most 2 characters"],
  ["what its schema has words for", z.string().regex(/^a$/, "write a"), "b", "write a"],
])("%s is told in words that say what to change", (_case, schema, value, message) => {
  expect(faultsOf(schema, value).map((fault) => fault.message)).toEqual([message]);
});

test("each unknown key is a fault of its own, and paths are JSON Pointers", () => {
  const schema = z.strictObject({ list: z.array(z.strictObject({ n: z.number() })) });
  expect(faultsOf(schema, { list: [{ n: 1 }, { n: "x", "a/b": 1, "c~d": 2 }] })).toEqual([
    { path: "/list/1/n", message: "must be a number" },
    { path: "/list/1/a~1b", message: "this key is not known here" },
    { path: "/list/1/c~0d", message: "this key is not known here" },
  ]);
});
