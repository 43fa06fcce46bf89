import type { ASTNode } from "@marcbachmann/cel-js";

/** Deepest nesting of an expression's operations; a chain like `a && b && c` nests once per operator. */
export const MAX_EXPRESSION_DEPTH = 250;

/** What an expression reads: each path from a variable as far as it is written out, as in `["tasks", "plan", "output", "items"]`. */
interface Access {
  paths: string[][];
  /** The expression is nothing but one path. */
  isPath: boolean;
}

/** Names that the contract has and that cannot be used yet. */
const UNAVAILABLE_NAMES = new Set(["state", "params", "item", "index"]);
/** What an expression can read of the workflow's budget: all that its answers show of it. */
const BUDGET_FIELDS = ["maxUsd", "spentUsd", "reservedUsd", "remainingUsd", "maxTokens", "spentTokens", "reservedTokens", "remainingTokens", "forecastUsd", "forecastTokens"] as const;
export type BudgetField = (typeof BUDGET_FIELDS)[number];
/** Constants of the language: names of types. */
const CONSTANTS = new Set(["string", "bool", "int", "uint", "double", "map", "list", "bytes", "null_type", "type", "google"]);
/** Macros that bind a name, with their numbers of arguments. */
const COMPREHENSIONS: Record<string, readonly number[]> = { all: [2], exists: [2], exists_one: [2], filter: [2], map: [2, 3] };
/** Keys that the library leaves out of map literals. */
const LOST_KEYS = new Set(["__proto__", "constructor", "prototype"]);

interface Walk {
  paths: string[][];
  isInputAllowed: boolean;
  message: string | null;
}

/** Collects what an expression reads, or says what it must not read. */
export function findAccess(root: ASTNode, isInputAllowed: boolean): Access | { message: string } {
  const walk: Walk = { paths: [], isInputAllowed, message: null };
  visit(walk, root, [], 0);
  if (walk.message !== null) return { message: walk.message };
  return { paths: walk.paths, isPath: walk.paths.length === 1 && readPath(root) !== null };
}

function visit(walk: Walk, node: ASTNode, bound: readonly string[], depth: number): void {
  if (walk.message !== null) return;
  if (depth > MAX_EXPRESSION_DEPTH) return refuse(walk, node, `nests deeper than ${MAX_EXPRESSION_DEPTH} operations`);
  switch (node.op) {
    case "value":
      return;
    case "id":
    case ".":
    case ".?":
    case "[]":
    case "[?]":
      return visitAccess(walk, node, bound, depth);
    case "call":
      return visitAll(walk, node.args[1], bound, depth);
    case "rcall":
      return visitMethod(walk, node.args, bound, depth);
    case "map":
      return visitMap(walk, node.args, bound, depth);
    case "!_":
    case "-_":
      return visit(walk, node.args, bound, depth + 1);
    default:
      return visitAll(walk, node.args, bound, depth);
  }
}

function visitAll(walk: Walk, nodes: readonly ASTNode[], bound: readonly string[], depth: number): void {
  for (const node of nodes) visit(walk, node, bound, depth + 1);
}

function visitMap(walk: Walk, entries: readonly [ASTNode, ASTNode][], bound: readonly string[], depth: number): void {
  for (const [key, value] of entries) {
    if (key.op === "value" && typeof key.args === "string" && LOST_KEYS.has(key.args)) refuse(walk, key, `a map cannot have the key "${key.args}"`);
    visitAll(walk, [key, value], bound, depth);
  }
}

function visitMethod(walk: Walk, [name, receiver, args]: [string, ASTNode, ASTNode[]], bound: readonly string[], depth: number): void {
  const [variable, ...rest] = args;
  if (variable?.op === "id" && COMPREHENSIONS[name]?.includes(args.length)) {
    visit(walk, receiver, bound, depth + 1);
    return visitAll(walk, rest, [...bound, variable.args], depth);
  }
  if (variable?.op === "id" && name === "bind" && rest.length === 2 && receiver.op === "id" && receiver.args === "cel") {
    visit(walk, rest[0]!, bound, depth + 1);
    return visit(walk, rest[1]!, [...bound, variable.args], depth + 1);
  }
  visitAll(walk, [receiver, ...args], bound, depth);
}

type AccessNode = Extract<ASTNode, { op: "id" | "." | ".?" | "[]" | "[?]" }>;

function visitAccess(walk: Walk, node: AccessNode, bound: readonly string[], depth: number): void {
  const path = readPath(node);
  if (path === null) {
    if (node.op === "." || node.op === ".?") visit(walk, node.args[0], bound, depth + 1);
    else if (node.op !== "id") visitAll(walk, node.args, bound, depth);
    return;
  }
  const [root] = path;
  if (bound.includes(root!) || CONSTANTS.has(root!)) return;
  const message = checkPath(path, walk.isInputAllowed);
  if (message !== null) return refuse(walk, node, message);
  walk.paths.push(path);
}

/** The path that a node is, from its variable on: `a.b["c"]`; null when it is more than that. */
function readPath(node: ASTNode): string[] | null {
  const fields: string[] = [];
  for (let current = node; ; ) {
    if (current.op === "id") return [current.args, ...fields.reverse()];
    if (current.op === ".") {
      fields.push(current.args[1]);
    } else if (current.op === "[]" && current.args[1].op === "value" && typeof current.args[1].args === "string") {
      fields.push(current.args[1].args);
    } else {
      return null;
    }
    current = current.args[0];
  }
}

/** Why a path must not be read, or null. */
export function checkPath([root, first, second]: readonly string[], isInputAllowed: boolean): string | null {
  switch (root) {
    case "workflow":
      return first === "input" ? null : `${first === undefined ? "workflow" : `workflow.${first}`} cannot be read; only workflow.input can`;
    case "tasks":
      if (first === undefined) return 'tasks cannot be read as a whole or by a computed name; write tasks.<id>.output or tasks["<id>"].output';
      return second === "output" || second === "status" ? null : `${describeTask(first, second)} cannot be read; only ${describeTask(first, "output")} and .status can`;
    case "budget":
      return first === undefined || BUDGET_FIELDS.some((field) => field === first) ? null : `budget.${first} is not known; known are ${BUDGET_FIELDS.join(", ")}`;
    case "input":
      return isInputAllowed ? null : "input is only known in a transform agent's expression; here, write workflow.input or tasks.<id>.output";
    default:
      return UNAVAILABLE_NAMES.has(root!) ? `${root} is part of the API but not available yet` : `unknown name ${root}; known are workflow.input, tasks.<id>.output or .status, and budget`;
  }
}

function describeTask(id: string, field: string | undefined): string {
  const task = /^[A-Za-z_][A-Za-z0-9_]*$/.test(id) ? `tasks.${id}` : `tasks["${id}"]`;
  return field === undefined ? task : `${task}.${field}`;
}

function refuse(walk: Walk, node: ASTNode, message: string): void {
  walk.message ??= `${message} (at character ${node.start + 1})`;
}
