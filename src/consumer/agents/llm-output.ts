import { dereference, Validator, type OutputUnit, type Schema, type SchemaDraft } from "@cfworker/json-schema";
import type { Failure, Json } from "../../errors.ts";
import { isDeeperThan, MAX_OUTPUT_DEPTH } from "./agent-answer.ts";

/** Errors that are named in a failure: the first ones say what to change. */
const NAMED_ERRORS = 3;
const MAX_MESSAGE_CHARACTERS = 500;
/**
 * Schemas that are applied in one check, each to one value. A list of 100,000 items is far below it; a schema that refers to itself twice
 * doubles the work at every level, and would hold the isolate for hours. About a second.
 */
export const MAX_SCHEMA_STEPS = 1_000_000;
/** Items of a list that are compared with each other for `uniqueItems`: their square is a tenth of a second. */
export const MAX_UNIQUE_ITEMS = 10_000;
/** Keywords that only say that something below them is wrong. */
const WRAPPERS = new Set(["properties", "items", "prefixItems", "additionalProperties", "allOf", "anyOf", "oneOf", "$ref", "if", "then", "else"]);

/** Reads an answer as JSON, with or without a code fence, and checks it against the task's schema. */
export function readOutput(text: string, schema: Json): { output: Json } | { failure: Failure } {
  const value = parseAnswer(text);
  if (value === undefined) return invalid("The answer is not JSON.");
  if (isDeeperThan(value, MAX_OUTPUT_DEPTH)) return invalid(`The answer is nested deeper than ${MAX_OUTPUT_DEPTH} levels.`);
  try {
    const { valid, errors } = new Validator(prepare(schema, value), draftOf(schema), false).validate(value);
    return valid ? { output: value } : invalid(`The answer does not satisfy the schema: ${nameErrors(errors)}`);
  } catch (error) {
    // The stack is all that stops a schema that applies itself to the same value.
    if (error instanceof RangeError) return invalid("The schema itself is wrong: it refers to itself without end, or has too many faults to list", false);
    // A broken reference or pattern shows only when the schema is used; no answer could satisfy it.
    const reason = error instanceof Error ? error.message : "it cannot be used";
    return invalid(`The schema itself is wrong: ${reason}`, false);
  }
}

/** A copy of the schema to check `value` with, whose work is counted: the library reads `type` once whenever it applies a schema. */
function prepare(schema: Json, value: Json): Schema | boolean {
  const copy = structuredClone(schema) as Schema | boolean;
  if (typeof copy === "boolean") return copy;
  let stepsLeft = MAX_SCHEMA_STEPS;
  for (const part of Object.values(dereference(copy))) {
    if (typeof part !== "object" || part === null) continue;
    // `format` describes and does not bind (JSON Schema 2020-12, validation 7.2.1); the library would check it, with expressions of its own.
    delete part.format;
    if (part.uniqueItems === true && hasLongList(value)) throw new Error(`uniqueItems takes lists of at most ${MAX_UNIQUE_ITEMS} items`);
    const { type } = part;
    const readType = (): typeof type => {
      stepsLeft -= 1;
      if (stepsLeft < 0) throw new Error(`checking an answer takes more than ${MAX_SCHEMA_STEPS} steps`);
      return type;
    };
    Object.defineProperty(part, "type", { get: readType, enumerable: true, configurable: true });
  }
  return copy;
}

/** Goes as deep as the value does, by a list of its own. */
function hasLongList(value: Json): boolean {
  const open: Json[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== "object" || next === null) continue;
    if (Array.isArray(next) && next.length > MAX_UNIQUE_ITEMS) return true;
    for (const child of Object.values(next)) if (typeof child === "object" && child !== null) open.push(child);
  }
  return false;
}

function parseAnswer(text: string): Json | undefined {
  const fenced = /```(?:json)?[ \t]*\n([\s\S]*?)\n?```/i.exec(text)?.[1];
  for (const candidate of [text, fenced]) {
    if (candidate === undefined) continue;
    try {
      return JSON.parse(candidate) as Json;
    } catch {
      // Not this one.
    }
  }
  return undefined;
}

function draftOf(schema: Json): SchemaDraft {
  const named = typeof schema === "object" && schema !== null && !Array.isArray(schema) ? String(schema["$schema"] ?? "") : "";
  if (named.includes("draft-04")) return "4";
  if (named.includes("draft-07") || named.includes("draft-06")) return "7";
  return named.includes("2019-09") ? "2019-09" : "2020-12";
}

function nameErrors(errors: OutputUnit[]): string {
  const leaves = errors.filter((error) => !WRAPPERS.has(error.keyword));
  return (leaves.length > 0 ? leaves : errors)
    .slice(0, NAMED_ERRORS)
    .map((error) => `${error.instanceLocation.replace(/^#/, "") || "/"}: ${error.error}`)
    .join(" ");
}

function invalid(message: string, retryable = true): { failure: Failure } {
  return { failure: { code: "output_invalid", message: message.slice(0, MAX_MESSAGE_CHARACTERS), retryable } };
}
