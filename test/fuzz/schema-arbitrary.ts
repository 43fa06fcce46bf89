import fc from "fast-check";
import { z } from "zod";

export type JsonSchema = Record<string, unknown>;

/** Longest lists and texts that are generated where a schema allows more: limits have tests of their own. */
const MAX_ITEMS = 4;
const MAX_CHARS = 40;
/** Nesting below which the shortest way out is taken. */
const MAX_DEPTH = 6;

/** Values for fields by name, where only few mean anything: names of agents, expressions, models. */
export type Hints = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/** Values that a schema accepts by its shape, most of them also by its meaning. What only code can check is any value. */
export function arbitraryOf(schema: z.ZodType, hints: Hints = {}): fc.Arbitrary<unknown> {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  return fromSchema(json, { root: json, hints, depth: 0 });
}

/** Any JSON, with the names and texts that break programs. */
export function anyJson(maxDepth = 3): fc.Arbitrary<unknown> {
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth, depthIdentifier: "json" }, oddScalar, fc.array(tie("value"), { maxLength: 3 }), fc.array(fc.tuple(oddKey, tie("value")), { maxLength: 3 }).map(toObject)),
  }));
  return value!;
}

/** Names that mean something to JavaScript, and others that no program expects. */
export const oddKey: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "__defineGetter__", "then", "toJSON", "length", "", "a/b~c", "a.b", "0", "-1", "\u0000", "\ud800", "\u202e", "é", "${x}", "%00"),
  fc.string({ unit: "grapheme", maxLength: 12 }),
);

/** Texts that programs stumble over: lone surrogates, controls, templates, long ones. */
export const oddText: fc.Arbitrary<string> = fc.oneof(
  oddKey,
  fc.string({ unit: "binary", maxLength: MAX_CHARS }),
  fc.constantFrom("${", "${}", "$${", "${workflow.input", "${tasks.a.output}", "\ufeff", "\ud83d", "\udc00\ud800", "NaN", "1e999", "null", "9".repeat(400), "x".repeat(5_000), "(".repeat(3_000), "😀".repeat(500), "https://127.0.0.1/", "2026-02-30T25:61:61Z", "../../etc/passwd", "' OR 1=1 --"),
);

const oddScalar: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, false, 0, -0, -1, 0.1, 1e308, -1e308, 5e-324, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 1, 2 ** 31, -(2 ** 63), 1e21),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  oddText,
);

interface Place {
  root: JsonSchema;
  hints: Hints;
  depth: number;
}

function fromSchema(schema: unknown, place: Place): fc.Arbitrary<unknown> {
  if (typeof schema !== "object" || schema === null || Object.keys(schema).length === 0) return anyJson();
  const { $ref: reference, anyOf, oneOf, allOf, enum: values, const: constant, type } = schema as JsonSchema;
  if (typeof reference === "string") return place.depth > MAX_DEPTH ? fc.constant(null) : fromSchema(resolve(reference, place.root), { ...place, depth: place.depth + 1 });
  if ("const" in schema) return fc.constant(constant);
  if (Array.isArray(values)) return fc.constantFrom<unknown[]>(...values);
  const choices = anyOf ?? oneOf;
  if (Array.isArray(choices)) return fc.oneof(...choices.map((choice) => fromSchema(choice, place)));
  if (Array.isArray(allOf)) return fromSchema(Object.assign({}, ...(allOf as object[])), place);
  if (Array.isArray(type)) return fc.oneof(...type.map((one) => fromType(one, schema as JsonSchema, place)));
  return fromType(type, schema as JsonSchema, place);
}

function resolve(reference: string, root: JsonSchema): unknown {
  return reference
    .replace(/^#\/?/, "")
    .split("/")
    .filter((part) => part !== "")
    .reduce<unknown>((value, part) => (value as JsonSchema)[part], root);
}

function fromType(type: unknown, schema: JsonSchema, place: Place): fc.Arbitrary<unknown> {
  switch (type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "string":
      return fromString(schema);
    case "integer":
      return fc.integer({ min: Math.max(-(2 ** 31), bound(schema, "inimum", -1)), max: Math.min(2 ** 31 - 1, bound(schema, "aximum", 1)) });
    case "number":
      return fc.double({ min: Math.max(-1e9, bound(schema, "inimum", -1)), max: Math.min(1e9, bound(schema, "aximum", 1)), noNaN: true });
    case "array":
      return fromArray(schema, place);
    case "object":
      return fromObject(schema, place);
    default:
      return anyJson();
  }
}

/** `minimum` or `exclusiveMinimum`; `direction` is the sign of no limit. */
function bound(schema: JsonSchema, name: "inimum" | "aximum", direction: 1 | -1): number {
  const limit = schema[`m${name}`] ?? schema[`exclusiveM${name}`];
  return typeof limit === "number" ? limit : direction * Number.MAX_SAFE_INTEGER;
}

function fromString({ pattern, format, minLength, maxLength }: JsonSchema): fc.Arbitrary<string> {
  if (format === "date-time") return fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true }).map((date) => date.toISOString());
  // The generator knows no lookaheads; what they exclude is excluded by the check.
  if (typeof pattern === "string") return fc.stringMatching(new RegExp(pattern.replaceAll(/\(\?![^)]*\)/g, ""), "u"), { maxLength: 64 });
  const min = typeof minLength === "number" ? minLength : 0;
  const max = Math.max(min, Math.min(MAX_CHARS, typeof maxLength === "number" ? maxLength : MAX_CHARS));
  return fc.oneof({ weight: 3, arbitrary: fc.string({ unit: "grapheme", minLength: min, maxLength: max }) }, { weight: 1, arbitrary: oddText.filter((text) => text.length >= min && (typeof maxLength !== "number" || text.length <= maxLength)) });
}

function fromArray({ items, minItems, maxItems }: JsonSchema, place: Place): fc.Arbitrary<unknown[]> {
  const min = typeof minItems === "number" ? minItems : 0;
  const max = place.depth > MAX_DEPTH ? min : Math.max(min, Math.min(MAX_ITEMS, typeof maxItems === "number" ? maxItems : MAX_ITEMS));
  return fc.array(fromSchema(items, { ...place, depth: place.depth + 1 }), { minLength: min, maxLength: max });
}

function fromObject(schema: JsonSchema, place: Place): fc.Arbitrary<unknown> {
  const below = { ...place, depth: place.depth + 1 };
  const required = new Set((schema["required"] as string[] | undefined) ?? []);
  const fields = Object.entries((schema["properties"] as Record<string, unknown> | undefined) ?? {}).map(([name, child]) => {
    const value = place.hints[name] ?? fromSchema(child, below);
    // Optional fields are mostly left out, or no object with many of them would be right in all.
    return required.has(name) ? value.map((found) => [name, found] as const) : fc.option(value, { freq: 3, nil: undefined }).map((found) => [name, found] as const);
  });
  const extra = schema["additionalProperties"];
  const names = typeof schema["propertyNames"] === "object" ? (fromSchema(schema["propertyNames"], below) as fc.Arbitrary<string>) : oddKey;
  const more = typeof extra === "object" ? fc.array(fc.tuple(names, fromSchema(extra, below)), { maxLength: MAX_ITEMS }) : fc.constant([]);
  return fc.tuple(fc.tuple(...fields), more).map(([known, unknown]) => toObject([...known.filter(([, value]) => value !== undefined), ...unknown]));
}

/** Also `__proto__` becomes an own key, as `JSON.parse` makes it. */
function toObject(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries);
}
