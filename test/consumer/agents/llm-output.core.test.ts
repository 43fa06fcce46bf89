import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_OUTPUT_DEPTH } from "../../../src/consumer/agents/agent-answer.ts";
import { MAX_SCHEMA_STEPS, MAX_UNIQUE_ITEMS, readOutput } from "../../../src/consumer/agents/llm-output.ts";
import type { Json } from "../../../src/errors.ts";
import { anyJson } from "../../fuzz/schema-arbitrary.ts";

const failureOf = (text: string, schema: Json) => {
  const read = readOutput(text, schema);
  return "failure" in read ? read.failure : null;
};
const listOf = (length: number): string => JSON.stringify(Array.from({ length }, (_, index) => index));

/** Applies its last part 2^levels times to one value. */
function doubling(levels: number): Json {
  const part = (level: number): Json => (level === levels ? { type: "string" } : { allOf: [{ $ref: `#/$defs/d${level + 1}` }, { $ref: `#/$defs/d${level + 1}` }] });
  return { $defs: Object.fromEntries(Array.from({ length: levels + 1 }, (_, level) => [`d${level}`, part(level)])), $ref: "#/$defs/d0" };
}

describe("checking an answer", () => {
  test(`ends after ${MAX_SCHEMA_STEPS} steps, so that a schema which doubles at every level holds up nobody`, { timeout: 60_000 }, () => {
    expect(failureOf('"x"', doubling(10))).toBeNull();
    expect(failureOf('"x"', doubling(60))).toMatchObject({ code: "output_invalid", retryable: false, message: expect.stringContaining(`${MAX_SCHEMA_STEPS} steps`) });
    const twice: Json = { allOf: [{ items: { $ref: "#" } }, { items: { $ref: "#" } }] };
    expect(failureOf("[".repeat(8) + "]".repeat(8), twice)).toBeNull();
    expect(failureOf("[".repeat(60) + "]".repeat(60), twice)).toMatchObject({ retryable: false });
  });

  test("takes a list as long as an answer can be", { timeout: 60_000 }, () => {
    // Half of the steps are the items, each read by its schema.
    expect(failureOf(listOf(150_000), { type: "array", items: { type: "integer" } })).toBeNull();
    expect(failureOf(listOf(MAX_SCHEMA_STEPS - 1), { type: "array", items: { type: "integer" } })).toBeNull();
    expect(failureOf(listOf(MAX_SCHEMA_STEPS), { type: "array", items: { type: "integer" } })).toMatchObject({ code: "output_invalid" });
  });

  test(`refuses one of more than ${MAX_OUTPUT_DEPTH} levels, which nothing could pass on`, () => {
    const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    expect([failureOf(nested(MAX_OUTPUT_DEPTH), true), failureOf(nested(MAX_OUTPUT_DEPTH), {})]).toEqual([null, null]);
    for (const levels of [MAX_OUTPUT_DEPTH + 1, 400_000]) expect(failureOf(nested(levels), true)).toMatchObject({ code: "output_invalid", retryable: true, message: expect.stringContaining("levels") });
  });

  test(`compares at most ${MAX_UNIQUE_ITEMS} items with each other`, () => {
    const schema: Json = { properties: { list: { type: "array", uniqueItems: true } } };
    expect(failureOf(`{"list":${listOf(MAX_UNIQUE_ITEMS)}}`, schema)).toBeNull();
    expect(failureOf(`{"list":[1,1]}`, schema)).toMatchObject({ retryable: true });
    expect(failureOf(`{"list":${listOf(MAX_UNIQUE_ITEMS + 1)}}`, schema)).toMatchObject({ message: expect.stringContaining("uniqueItems") });
    expect(failureOf(listOf(MAX_UNIQUE_ITEMS + 1), { items: { type: "integer" } })).toBeNull();
  });

  test.each<Json>([{ $ref: "#" }, { not: { $ref: "#" } }, { anyOf: [{ $ref: "#" }] }, { allOf: [{ $ref: "#" }] }])("with a schema that only refers to itself (%j) is a fault of the schema", (schema) => {
    expect(failureOf("1", schema)).toMatchObject({ code: "output_invalid", retryable: false, message: expect.stringContaining("refers to itself") });
  });

  test("never throws, whatever the schema and the answer are", { timeout: 60_000 }, () => {
    const schema = anyJson(5) as fc.Arbitrary<Json>;
    const keyed = fc.tuple(fc.constantFrom("type", "$ref", "enum", "items", "properties", "required", "allOf", "pattern", "const", "$id", "$defs", "patternProperties", "minItems", "__proto__", "dependentSchemas", "contains"), schema).map(([key, value]) => Object.fromEntries([[key, value]]) as Json);
    fc.assert(fc.property(fc.oneof(schema, keyed), anyJson(4), (anySchema, answer) => "output" in readOutput(JSON.stringify(answer), anySchema) || true), { numRuns: 2_000 });
  });
});
