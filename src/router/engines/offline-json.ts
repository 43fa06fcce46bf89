import type { JSONSchema7 } from "@ai-sdk/provider";
import type { Json } from "../../errors.ts";
import { classify } from "./offline-classify.ts";
import { readSchema, type ReadSchema } from "./offline-schema.ts";
import { pickSentences } from "./offline-summary.ts";
import { bulletOf, cutText, headingOf, keyValueOf, linesOf, stripMarks } from "./offline-text.ts";

/** Deeper schemas, and those that refer to themselves, get their emptiest value. */
const MAX_DEPTH = 8;
const DEFAULT_ITEMS = 5;
/** An array that demands more is not filled: its answer would be no text work any more. */
const MAX_ITEMS = 200;
const MAX_STRING_CHARACTERS = 300;
/** Values of one answer: arrays of arrays that demand many items each would be more than anybody waits for. What is left gets its emptiest value. */
export const MAX_FILLED_VALUES = 5_000;
/** As far as a text is filled up to a length that a schema demands. */
const MAX_PADDED_CHARACTERS = 10_000;
/** Options of an enumeration that are weighed. */
const MAX_OPTIONS = 1_000;

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
  return fill(schema, { root: schema, facts: readFacts(text, instruction), name: "", depth: 0, budget: { values: MAX_FILLED_VALUES } });
}

interface Place {
  root: JSONSchema7;
  facts: Facts;
  /** The property being filled. */
  name: string;
  depth: number;
  /** Shared by the whole answer. */
  budget: { values: number };
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

function fill(definition: unknown, place: Place): Json {
  place.budget.values -= 1;
  const schema = readSchema(definition, place.root);
  if (schema.constant !== undefined) return schema.constant;
  if (schema.options !== null) return pickEnum(schema.options, place);
  if (schema.byDefault !== undefined && !place.facts.values.has(normalize(place.name))) return schema.byDefault;
  switch (schema.type) {
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

function fillObject({ properties, required }: ReadSchema, place: Place): Json {
  // Deep down only what must be there: recursive schemas end this way.
  const names = place.depth >= MAX_DEPTH / 2 ? required : [...new Set([...properties.keys(), ...required])];
  if (place.depth >= MAX_DEPTH) return {};
  const entries: [string, Json][] = [];
  for (const name of names) {
    if (place.budget.values <= 0) break;
    entries.push([name, fill(properties.get(name), { ...place, name, depth: place.depth + 1 })]);
  }
  return Object.fromEntries(entries);
}

function fillArray({ items: itemSchema, limits, isUnique }: ReadSchema, place: Place): Json {
  const minimum = Math.min(limits.get("minItems") ?? 0, MAX_ITEMS);
  if (place.depth >= MAX_DEPTH) return [];
  const wanted = Math.min(Math.max(minimum, Math.min(DEFAULT_ITEMS, place.facts.items.length)), limits.get("maxItems") ?? MAX_ITEMS);
  const items: Json[] = [];
  for (let index = 0; index < wanted && place.budget.values > 0; index += 1) {
    const text = place.facts.items[index % Math.max(1, place.facts.items.length)] ?? place.facts.summary;
    items.push(fill(itemSchema, { ...place, facts: { ...place.facts, ...itemFacts(text) }, depth: place.depth + 1, name: "" }));
  }
  return isUnique ? [...new Map(items.map((item) => [JSON.stringify(item), item])).values()] : items;
}

/** An item of a list is filled from its own line. */
function itemFacts(text: string): Facts {
  const pair = keyValueOf(text);
  return { text, title: pair?.key ?? cutText(text, 80), summary: text, items: [text], values: new Map(pair === null ? [] : [[normalize(pair.key), pair.value]]) };
}

function fillNumber({ type, limits }: ReadSchema, { facts, name }: Place): number {
  const near = facts.values.get(normalize(name)) ?? numberNear(facts.text, name);
  const found = Number.parseFloat((near ?? "").replace(/^[^\d-]*/, "").replaceAll(",", ""));
  const low = limits.get("minimum") ?? above(limits.get("exclusiveMinimum"), 1);
  const high = limits.get("maximum") ?? above(limits.get("exclusiveMaximum"), -1);
  const step = Math.abs(limits.get("multipleOf") ?? 0) || (type === "integer" ? 1 : null);
  const value = Math.min(Math.max(Number.isFinite(found) ? found : 0, low ?? -Infinity), high ?? Infinity);
  const rounded = step === null ? value : Math.round(value / step) * step;
  if (step === null || !Number.isFinite(rounded)) return value;
  return low !== undefined && rounded < low ? rounded + step : high !== undefined && rounded > high ? rounded - step : rounded;
}

function above(limit: number | undefined, step: number): number | undefined {
  return limit === undefined ? undefined : limit + step;
}

/** The first number on a line that speaks of the property. */
function numberNear(text: string, name: string): string | undefined {
  const words = name.split(/[_\s-]|(?=[A-Z])/).map((word) => word.toLowerCase()).filter((word) => word.length > 2);
  const line = linesOf(text).find((candidate) => /\d/.test(candidate) && words.some((word) => candidate.toLowerCase().includes(word)));
  return line === undefined ? undefined : /-?\d[\d,]{0,20}(?:\.\d{1,20})?/.exec(line)?.[0];
}

function fillString({ format, limits }: ReadSchema, { facts, name }: Place): string {
  const formatted = ofFormat(format, facts.text);
  if (formatted !== null) return formatted;
  const named = facts.values.get(normalize(name));
  const value = named ?? (/title|name|heading|subject/i.test(name) ? (facts.title ?? facts.summary) : facts.summary);
  const minLength = limits.get("minLength") ?? 0;
  const text = cutText(value, Math.max(0, Math.min(limits.get("maxLength") ?? MAX_STRING_CHARACTERS, Math.max(MAX_STRING_CHARACTERS, minLength))));
  return text.padEnd(Math.min(minLength, MAX_PADDED_CHARACTERS), ".");
}

function ofFormat(format: string | null, text: string): string | null {
  const head = text.slice(0, 100_000);
  const date = /\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])\b/.exec(head)?.[0] ?? "1970-01-01";
  if (format === "date") return date;
  if (format === "date-time") return `${date}T00:00:00Z`;
  if (format === "uri" || format === "url") return /https?:\/\/[^\s<>()"'`]{1,500}/.exec(head)?.[0] ?? "https://example.com/";
  if (format === "email") return /[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}/.exec(head)?.[0] ?? "nobody@example.com";
  return null;
}

function pickEnum(all: Json[], { facts, name }: Place): Json {
  const options = all.slice(0, MAX_OPTIONS);
  const labels = options.map((option) => (typeof option === "string" ? option : JSON.stringify(option)));
  const named = labels.indexOf(facts.values.get(normalize(name)) ?? "");
  return options[named >= 0 ? named : labels.indexOf(classify(facts.text, labels))] ?? null;
}

function normalize(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}
