import { dereference, type Schema } from "@cfworker/json-schema";
import type { Json } from "../../errors.ts";
import type { FaultList } from "../faults/fault-list.ts";
import { findExcess } from "../json/json-size.ts";
import { listKeywordFaults } from "./schema-keywords.ts";

/** Checks that a JSON Schema can be used: all keywords of their types, all references inside it, all patterns regular expressions. `path` is its place in the spec. */
export function checkOutputSchema(schema: boolean | Record<string, Json>, path: string, faults: FaultList): void {
  if (typeof schema === "boolean") return;
  const excess = findExcess(schema);
  if (excess !== null) return faults.add(path, excess);
  try {
    // The library marks the schemas that it reads.
    const lookup = dereference(structuredClone(schema));
    for (const [uri, part] of Object.entries(lookup)) if (typeof part === "object") checkPart(part, lookup, `${path}${readPointer(uri)}`, faults);
  } catch (error) {
    faults.add(path, `is not a usable JSON Schema: ${(error as Error).message}`);
  }
}

function checkPart(part: Schema, lookup: Record<string, Schema | boolean>, path: string, faults: FaultList): void {
  for (const { keyword, message } of listKeywordFaults(part)) faults.add(`${path}/${keyword}`, message);
  const reference: unknown = part.$ref;
  if (typeof reference === "string") {
    if (!reference.startsWith("#")) faults.add(`${path}/$ref`, `"${reference}" is outside the schema; only references that start with # can be followed`);
    else if (lookup[part.__absolute_ref__ ?? ""] === undefined) faults.add(`${path}/$ref`, `"${reference}" is not in the schema`);
  }
  if (typeof part.pattern === "string") checkPattern(part.pattern, `${path}/pattern`, faults);
  for (const pattern of Object.keys(part.patternProperties ?? {})) checkPattern(pattern, `${path}/patternProperties`, faults);
}

function checkPattern(pattern: string, path: string, faults: FaultList): void {
  try {
    new RegExp(pattern, "u");
  } catch (error) {
    return faults.add(path, `is not a regular expression: ${(error as Error).message}`);
  }
  if (!isLinearPattern(pattern)) {
    faults.add(path, "could take for ever: it must start with ^, repeat single characters or classes only, with one of * + {n,m} and two of ? at most, and have no lookaround and no backreference");
  }
}

/** Each doubles the ways to match. */
const MAX_OPTIONAL_MARKS = 2;

/**
 * Whether a pattern is of a form that the platform's backtracking engine checks in time linear in the text: anchored, no repeated
 * groups, one repetition of varying length. Patterns come from tenants and are run on what models answer.
 */
export function isLinearPattern(pattern: string): boolean {
  if (!pattern.startsWith("^") || /\\[1-9k]|\(\?(?!:)/.test(pattern)) return false;
  const atoms = pattern.replace(/\\(?:[pPu]\{[^}]*\}|.)/g, "x").replace(/\[(?:[^\]])*\]/g, "x");
  if (/\)[*+?{]/.test(atoms)) return false;
  const wide = atoms.match(/[*+]|\{\d+,\d*\}/g)?.length ?? 0;
  const optional = atoms.replace(/\(\?:/g, "(").replace(/[*+}]\?/g, "x").match(/\?/g)?.length ?? 0;
  return wide <= 1 && optional <= MAX_OPTIONAL_MARKS;
}

/** The JSON Pointer at the end of the URI that the library gives each part. */
function readPointer(uri: string): string {
  const start = uri.indexOf("#");
  return start === -1 ? "" : uri.slice(start + 1);
}
