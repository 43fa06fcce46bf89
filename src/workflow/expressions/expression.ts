import type { Json } from "../../errors.ts";
import type { ParseResult } from "@marcbachmann/cel-js";
import { CostExceeded, MAX_COST, armMeter, checkMetered, createMeter, isFunctionName, parseMetered, runMetered, type Meter } from "./expression-meter.ts";
import { MAX_EXPRESSION_DEPTH, checkPath, findAccess, type BudgetField } from "./expression-references.ts";
import { findCalls } from "./expression-scan.ts";
import { Unconvertible, buildPathTree, projectValue, toJson, type PathTree } from "./expression-values.ts";
import { findExcess } from "../json/json-size.ts";

/** Longest expression in UTF-8 bytes (contract: 4 KiB). */
export const MAX_EXPRESSION_BYTES = 4_096;
/** Longest message about an expression: the library quotes values in its own, and values can be large. */
const MAX_MESSAGE_CHARACTERS = 300;

/** What a compiled expression or template reads. */
export interface References {
  /** Ids of the tasks in `tasks.<id>`. */
  tasks: ReadonlySet<string>;
  /** `workflow`, `tasks`, `budget`, `input`. */
  roots: ReadonlySet<string>;
}

export interface Scope {
  workflow: { input: Json };
  tasks: Record<string, { output: Json; status: string }>;
  /** The workflow's budget, as its answers show it. */
  budget?: Record<BudgetField, number | null>;
  /** The rendered input of a transform task. */
  input?: Json;
}

export type Evaluation = { ok: true; value: Json } | { ok: false; message: string };

export interface CompiledExpression {
  source: string;
  references: References;
  /** The CEL type of the result as far as it is known beforehand: `bool`, `string`, `list<dyn>`, … or `dyn`. */
  type: string;
  /** Never throws and always ends: see `MAX_COST`. Expressions that are evaluated together can share a meter. */
  evaluate: (scope: Scope, meter?: Meter) => Evaluation;
}

/**
 * Compiles a CEL expression over `workflow.input`, `tasks.<id>.output`, `tasks.<id>.status`, `budget`, and `input` where it is allowed.
 * Values are typed when they are read, so that only errors independent of them are found here.
 * CEL's `matches` is left out: the library has only the platform's regular expressions, which can take exponential time.
 */
export function compileExpression(source: string, allowed: { input: boolean }): CompiledExpression | { message: string } {
  const plain = readPlainPath(source);
  if (plain !== null) return compilePath(source, plain, allowed.input);
  const message = checkSource(source);
  if (message !== null) return { message };
  const parsed = parse(source);
  if ("message" in parsed) return parsed;
  const access = findAccess(parsed.ast, allowed.input);
  if ("message" in access) return access;
  const checked = checkMetered(parsed);
  if ("error" in checked) return { message: describeError(checked.error) };
  const references = collectReferences(access.paths);
  if (access.isPath) return createPathExpression(source, references, access.paths[0]!);
  // Most expressions of a spec are only checked here, and evaluated by another instance of the object.
  let tree: PathTree | null = null;
  const evaluate = (scope: Scope, meter = createMeter()): Evaluation => {
    if (tree === null) {
      armMeter(parsed);
      tree = buildPathTree(access.paths);
    }
    return evaluateParsed(parsed, tree, scope, meter);
  };
  return { source, references, type: checked.type, evaluate };
}

/** The commonest expression by far, so it is known without the parser: names with dots between, none of them a word of the language. */
function readPlainPath(source: string): string[] | null {
  if (!PLAIN_PATH.test(source)) return null;
  const path = source.trim().split(".");
  return path.length <= MAX_EXPRESSION_DEPTH && source.length <= MAX_EXPRESSION_BYTES ? path : null;
}

const PLAIN_PATH = /^[ \t\r\n]*(?:workflow|tasks|budget|input)(?:\.(?!(?:in|true|false|null)\b)[A-Za-z_][A-Za-z0-9_]*)+[ \t\r\n]*$/;

function compilePath(source: string, path: string[], isInputAllowed: boolean): CompiledExpression | { message: string } {
  const message = checkPath(path, isInputAllowed);
  return message === null ? createPathExpression(source, collectReferences([path]), path) : { message };
}

/** A bare path needs no evaluation, and its value no conversion and no copy. */
function createPathExpression(source: string, references: References, path: readonly string[]): CompiledExpression {
  return { source, references, type: "dyn", evaluate: (scope) => followPath(scope, path) };
}

function checkSource(source: string): string | null {
  if (source.length * 3 > MAX_EXPRESSION_BYTES && new TextEncoder().encode(source).byteLength > MAX_EXPRESSION_BYTES) {
    return `is longer than ${MAX_EXPRESSION_BYTES} bytes (4 KiB)`;
  }
  for (const { name, at } of findCalls(source)) {
    if (name === "matches") return `matches() is not available, because a regular expression can take exponential time; use contains, startsWith, endsWith or split (at character ${at + 1})`;
    if (!isFunctionName(name)) return `unknown function ${name}() (at character ${at + 1})`;
  }
  return null;
}

function parse(source: string): ParseResult | { message: string } {
  try {
    return parseMetered(source);
  } catch (error) {
    return { message: describeError(error) };
  }
}

function evaluateParsed(parsed: ParseResult, tree: PathTree, scope: Scope, meter: Meter): Evaluation {
  try {
    const context: Record<string, unknown> = {};
    for (const [root, child] of tree.children) {
      const value = scope[root as keyof Scope];
      if (value !== undefined) context[root] = projectValue(value as Json, child, meter);
    }
    const value = toJson(runMetered(parsed, context, meter), meter);
    const excess = findExcess(value);
    return excess === null ? { ok: true, value } : { ok: false, message: `gives a value that ${excess}` };
  } catch (error) {
    return { ok: false, message: describeError(error) };
  }
}

function followPath(scope: Scope, path: readonly string[]): Evaluation {
  let value: unknown = scope;
  for (const field of path) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    const next: unknown = isObject && Object.hasOwn(value as object, field) ? (value as Record<string, unknown>)[field] : undefined;
    if (next === undefined) return { ok: false, message: `No such key: ${field}, in ${path.join(".")}`.slice(0, MAX_MESSAGE_CHARACTERS) };
    value = next;
  }
  return { ok: true, value: value as Json };
}

function collectReferences(paths: readonly (readonly string[])[]): References {
  const tasks = new Set<string>();
  const roots = new Set<string>();
  for (const [root, first] of paths) {
    roots.add(root!);
    if (root === "tasks") tasks.add(first!);
  }
  return { tasks, roots };
}

function describeError(error: unknown): string {
  if (error instanceof CostExceeded) return `costs more than ${MAX_COST} steps; read less data or loop over less of it`;
  if (error instanceof Unconvertible) return error.message;
  // The stack, or a string or a list beyond what the engine can hold.
  if (error instanceof RangeError) return "is too large to evaluate";
  const { summary, range, message } = error as { summary?: string; range?: { start: number }; message?: string };
  const text = summary ?? message ?? String(error);
  const short = text.length > MAX_MESSAGE_CHARACTERS ? `${text.slice(0, MAX_MESSAGE_CHARACTERS)}…` : text;
  return range === undefined ? short : `${short} (at character ${range.start + 1})`;
}
