import type { JSONSchema7, JSONSchema7Definition } from "@ai-sdk/provider";
import type { Json } from "../../errors.ts";
import { classify } from "./offline-classify.ts";
import { pickSentences } from "./offline-summary.ts";
import { bulletOf, cutText, headingOf, keyValueOf, linesOf, stripMarks } from "./offline-text.ts";

/** Deeper schemas, and those that refer to themselves, get their emptiest value. */
const MAX_DEPTH = 8;
const DEFAULT_ITEMS = 5;
/** An array that demands more is not filled: its answer would be no text work any more. */
const MAX_ITEMS = 200;
const MAX_STRING_CHARACTERS = 300;

/** What a text offers to fill a schema from, read once. */
interface Facts {
  text: string;
  values: Map<string, string>;
  title: string | null;
  items: string[];
  summary: string;
}

/** A value of the schema's shape, filled from the text: named values where the text has them, else its best sentences. */
export function fillSchema(schema: JSONSchema7, text: string, instruction: string): Json {
  return fill(schema, { root: schema, facts: readFacts(text, instruction), name: "", depth: 0 });
}

interface Place {
  root: JSONSchema7;
  facts: Facts;
  /** The property being filled. */
  name: string;
  depth: number;
}

function readFacts(text: string, instruction: string): Facts {
  const lines = linesOf(text);
  const values = new Map<string, string>();
  for (const line of lines) {
    const pair = keyValueOf(line);
    if (pair !== null && !values.has(normalize(pair.key))) values.set(normalize(pair.key), pair.value);
  }
  const bullets = lines.flatMap((line) => bulletOf(line) ?? []);
  const headings = lines.flatMap((line) => headingOf(line)?.text ?? []);
  const sentences = pickSentences(text, DEFAULT_ITEMS, instruction);
  const items = (bullets.length > 0 ? bullets : headings.length > 1 ? headings.slice(1) : sentences).slice(0, MAX_ITEMS).map(stripMarks);
  return { text, values, title: headings[0] ?? null, items, summary: sentences.slice(0, 2).join(" ") || text.slice(0, MAX_STRING_CHARACTERS) };
}

function fill(definition: JSONSchema7Definition | undefined, place: Place): Json {
  const schema = resolve(definition, place.root);
  if (schema.const !== undefined) return schema.const as Json;
  if (schema.enum !== undefined) return pickEnum(schema.enum as Json[], place);
  if (schema.default !== undefined && !place.facts.values.has(normalize(place.name))) return schema.default as Json;
  switch (typeOf(schema)) {
    case "object":
      return fillObject(schema, place);
    case "array":
      return fillArray(schema, place);
    case "number":
    case "integer":
      return fillNumber(schema, place);
    case "boolean":
      return /^(true|yes|on|1|done|enabled)\b/i.test(place.facts.values.get(normalize(place.name)) ?? "");
    case "null":
      return null;
    default:
      return fillString(schema, place);
  }
}

/** Follows local references and takes the first branch of unions; merges `allOf` one level deep. */
function resolve(definition: JSONSchema7Definition | undefined, root: JSONSchema7): JSONSchema7 {
  let schema: JSONSchema7 = typeof definition === "object" ? definition : {};
  for (let hops = 0; hops < MAX_DEPTH; hops += 1) {
    const branch = (schema.anyOf ?? schema.oneOf)?.find((option) => typeof option === "object" && option.type !== "null");
    if (schema.$ref !== undefined) schema = atPointer(root, schema.$ref);
    else if (schema.allOf !== undefined) schema = mergeAll(schema, root);
    else if (typeof branch === "object") schema = branch;
    else break;
  }
  return schema;
}

function atPointer(root: JSONSchema7, reference: string): JSONSchema7 {
  if (!reference.startsWith("#")) return {};
  let value: unknown = root;
  for (const part of reference.slice(1).split("/").slice(1)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  }
  return typeof value === "object" && value !== null ? (value as JSONSchema7) : {};
}

function mergeAll({ allOf, ...own }: JSONSchema7, root: JSONSchema7): JSONSchema7 {
  const parts = [own, ...(allOf ?? []).map((part) => (typeof part === "object" && part.$ref !== undefined ? atPointer(root, part.$ref) : part))];
  const objects = parts.filter((part) => typeof part === "object");
  return {
    ...Object.assign({}, ...objects),
    properties: Object.assign({}, ...objects.map((part) => part.properties ?? {})),
    required: objects.flatMap((part) => part.required ?? []),
  };
}

function typeOf(schema: JSONSchema7): string {
  const type = Array.isArray(schema.type) ? schema.type.find((name) => name !== "null") : schema.type;
  if (type !== undefined) return type;
  if (schema.properties !== undefined || schema.required !== undefined) return "object";
  return schema.items === undefined ? "string" : "array";
}

function fillObject(schema: JSONSchema7, place: Place): Json {
  const declared = Object.keys(schema.properties ?? {});
  const required = schema.required ?? [];
  // Deep down only what must be there: recursive schemas end this way.
  const names = place.depth >= MAX_DEPTH / 2 ? required : [...new Set([...declared, ...required])];
  if (place.depth >= MAX_DEPTH) return {};
  const entries = names.map((name) => [name, fill(schema.properties?.[name], { ...place, name, depth: place.depth + 1 })]);
  return Object.fromEntries(entries) as Json;
}

function fillArray(schema: JSONSchema7, place: Place): Json {
  const minimum = Math.min(schema.minItems ?? 0, MAX_ITEMS);
  if (place.depth >= MAX_DEPTH) return [];
  const wanted = Math.min(Math.max(minimum, Math.min(DEFAULT_ITEMS, place.facts.items.length)), schema.maxItems ?? MAX_ITEMS);
  const itemSchema = Array.isArray(schema.items) ? schema.items[0] : schema.items;
  const items: Json[] = [];
  for (let index = 0; index < wanted; index += 1) {
    const text = place.facts.items[index % Math.max(1, place.facts.items.length)] ?? place.facts.summary;
    items.push(fill(itemSchema, { ...place, facts: { ...place.facts, ...itemFacts(text) }, depth: place.depth + 1, name: "" }));
  }
  return schema.uniqueItems === true ? [...new Map(items.map((item) => [JSON.stringify(item), item])).values()] : items;
}

/** An item of a list is filled from its own line. */
function itemFacts(text: string): Facts {
  const pair = keyValueOf(text);
  return { text, title: pair?.key ?? cutText(text, 80), summary: text, items: [text], values: new Map(pair === null ? [] : [[normalize(pair.key), pair.value]]) };
}

function fillNumber(schema: JSONSchema7, { facts, name }: Place): number {
  const near = facts.values.get(normalize(name)) ?? numberNear(facts.text, name);
  const found = Number.parseFloat((near ?? "").replace(/^[^\d-]*/, "").replaceAll(",", ""));
  const low = schema.minimum ?? (schema.exclusiveMinimum === undefined ? undefined : schema.exclusiveMinimum + 1);
  const high = schema.maximum ?? (schema.exclusiveMaximum === undefined ? undefined : schema.exclusiveMaximum - 1);
  const step = schema.multipleOf ?? (typeOf(schema) === "integer" ? 1 : undefined);
  const value = Math.min(Math.max(Number.isFinite(found) ? found : 0, low ?? -Infinity), high ?? Infinity);
  if (step === undefined) return value;
  const rounded = Math.round(value / step) * step;
  return low !== undefined && rounded < low ? rounded + step : high !== undefined && rounded > high ? rounded - step : rounded;
}

/** The first number on a line that speaks of the property. */
function numberNear(text: string, name: string): string | undefined {
  const words = name.split(/[_\s-]|(?=[A-Z])/).map((word) => word.toLowerCase()).filter((word) => word.length > 2);
  const line = linesOf(text).find((candidate) => /\d/.test(candidate) && words.some((word) => candidate.toLowerCase().includes(word)));
  return line === undefined ? undefined : /-?\d[\d,]{0,20}(?:\.\d{1,20})?/.exec(line)?.[0];
}

function fillString(schema: JSONSchema7, { facts, name }: Place): string {
  const formatted = ofFormat(schema.format, facts.text);
  if (formatted !== null) return formatted;
  const named = facts.values.get(normalize(name));
  const value = named ?? (/title|name|heading|subject/i.test(name) ? (facts.title ?? facts.summary) : facts.summary);
  const text = cutText(value, Math.min(schema.maxLength ?? MAX_STRING_CHARACTERS, Math.max(MAX_STRING_CHARACTERS, schema.minLength ?? 0)));
  return text.padEnd(Math.min(schema.minLength ?? 0, 10_000), ".");
}

function ofFormat(format: string | undefined, text: string): string | null {
  const head = text.slice(0, 100_000);
  const date = /\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])\b/.exec(head)?.[0] ?? "1970-01-01";
  if (format === "date") return date;
  if (format === "date-time") return `${date}T00:00:00Z`;
  if (format === "uri" || format === "url") return /https?:\/\/[^\s<>()"'`]{1,500}/.exec(head)?.[0] ?? "https://example.com/";
  if (format === "email") return /[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}/.exec(head)?.[0] ?? "nobody@example.com";
  return null;
}

function pickEnum(options: Json[], { facts, name }: Place): Json {
  const labels = options.map((option) => (typeof option === "string" ? option : JSON.stringify(option)));
  const named = labels.indexOf(facts.values.get(normalize(name)) ?? "");
  return options[named >= 0 ? named : labels.indexOf(classify(facts.text, labels))] ?? null;
}

function normalize(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}
