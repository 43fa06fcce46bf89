import type { JSONSchema7 } from "@ai-sdk/provider";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../../../src/errors.ts";
import { fillSchema, MAX_FILLED_VALUES } from "../../../src/router/engines/offline-json.ts";
import { anyJson, oddKey } from "../../fuzz/schema-arbitrary.ts";

const TEXT = "Weft runs workflows. It is fast.\n\n- one\n- two\n\nname: Weft\n";
const fill = (schema: unknown): Json => fillSchema(schema as JSONSchema7, TEXT, "Fill it.");

function countValues(value: Json): number {
  return typeof value === "object" && value !== null ? 1 + Object.values(value).reduce<number>((sum, child) => sum + countValues(child as Json), 0) : 1;
}

describe("the embedded engine fills a schema", () => {
  test("with few values, however many it demands", () => {
    const nested = (levels: number): object => (levels === 0 ? { type: "string" } : { type: "array", minItems: 200, items: nested(levels - 1) });
    const wide = { type: "object", properties: Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`k${index}`, { type: "object", properties: { a: {}, b: {}, c: {} } }])) };
    for (const schema of [nested(2), nested(7), wide, { enum: Array.from({ length: 300_000 }, (_, index) => index) }]) {
      expect(countValues(fill(schema))).toBeLessThanOrEqual(2 * MAX_FILLED_VALUES);
    }
  });

  test.each([
    [{ properties: "x" }, {}],
    [{ required: [1, null, "constructor"] }, { constructor: expect.any(String) }],
    [{ type: "object", properties: { constructor: { type: "integer" }, toString: { const: 1 } } }, { constructor: 0, toString: 1 }],
    [{ enum: [] }, null],
    [{ enum: ["constructor", "toString"] }, expect.any(String)],
    [{ $ref: "#/%" }, expect.any(String)],
    [{ $ref: "#/__proto__" }, expect.any(String)],
    [{ allOf: 5, anyOf: "x", type: ["null", "integer"], multipleOf: 0, minimum: "a" }, 0],
    [{ type: "number", multipleOf: 1e-320 }, 0],
    [{ type: "string", maxLength: -5, minLength: 1e9 }, expect.any(String)],
    [{ items: 5 }, expect.any(Array)],
    [{ type: "array", maxItems: -1, minItems: 3 }, []],
    [null, expect.any(String)],
    [JSON.parse('{"properties":{"__proto__":{"const":1}}}'), JSON.parse('{"__proto__":1}')],
  ])("although it is wrong: %j", (schema, expected) => {
    expect(fill(schema)).toEqual(expected);
  });

  test("and never throws", () => {
    const keyword = fc.constantFrom("type", "$ref", "enum", "items", "properties", "required", "allOf", "anyOf", "oneOf", "minItems", "maxItems", "minLength", "minimum", "multipleOf", "format", "default", "const", "$defs");
    const schema = fc.array(fc.tuple(fc.oneof(keyword, oddKey), fc.oneof(anyJson(4), fc.constantFrom("object", "array", "integer", "#", "#/properties", "date"))), { maxLength: 5 }).map((entries) => Object.fromEntries(entries) as object);
    fc.assert(fc.property(fc.oneof(schema, schema.map((inner) => ({ properties: { a: inner }, items: inner })), anyJson(5)), (anySchema) => JSON.stringify(fill(anySchema)) !== undefined), { numRuns: 2_000 });
  });
});
