import { Environment, EvaluationError, type ParseResult } from "@marcbachmann/cel-js";

/**
 * Cost of one evaluation, in steps: a step is one node of the expression evaluated, or about 16 characters or one element of data
 * read or made. The dearest steps take some 100 ns, so the limit is a fraction of a second of an object's only thread;
 * a pass over a list of 100,000 elements stays below it.
 */
export const MAX_COST = 2_000_000;

/** Characters that cost one step. */
const CHARACTERS_PER_STEP = 16;
/** Character comparisons that cost one step, for searches: an unlucky pair of texts is compared at every position. */
const COMPARISONS_PER_STEP = 256;
/** A caught error (`||`, `&&` and `exists` go on after one) is built with its message and stack. */
const ERROR_COST = 100;
/** Reading a timestamp in a time zone asks the platform's calendar data. */
const TIME_ZONE_COST = 2_000;
/** A duration is parsed in time quadratic to its length; the longest sensible one is shorter than this. */
export const MAX_DURATION_CHARACTERS = 64;

const SEARCHES = new Set(["contains", "indexOf", "lastIndexOf", "split", "startsWith", "endsWith"]);

/** What is left to spend. Shared by all expressions of one template. */
export interface Meter {
  stepsLeft: number;
}

export function createMeter(): Meter {
  return { stepsLeft: MAX_COST };
}

/** Ends an evaluation whose meter is used up. Not an error of the expression: `||` must not absorb it. */
export class CostExceeded extends Error {}

export function spend(meter: Meter, steps: number): void {
  meter.stepsLeft -= steps;
  if (meter.stepsLeft < 0) throw new CostExceeded();
}

/** The parts of the library's evaluator and nodes that metering hooks into. They are not in its typings, so their absence is checked. */
interface Evaluator {
  run: (node: InternalNode, context: unknown) => unknown;
  tryEval: (node: InternalNode, context: unknown) => unknown;
  debugType: (value: unknown) => unknown;
  debugTypeDeep: (value: unknown) => unknown;
}

interface InternalNode {
  op: string;
  args: unknown;
  evaluate: (evaluator: Evaluator, node: InternalNode, context: unknown) => unknown;
  check: unknown;
  handle?: (...operands: unknown[]) => unknown;
  meta: { alternate?: InternalNode; macro?: unknown };
  setMeta: (key: string, value: unknown) => unknown;
}

interface Checker {
  listType: unknown;
  mapType: unknown;
  check: (node: InternalNode, context: unknown) => unknown;
}

/** The meter of the evaluation under way. Evaluations are synchronous and do not nest, so one is enough. */
let active: Meter = { stepsLeft: 0 };

const environment = new Environment({ homogeneousAggregateLiterals: false, limits: { maxAstNodes: 2_000, maxDepth: 64 } })
  .registerVariable("workflow", "dyn")
  .registerVariable("tasks", "dyn")
  .registerVariable("budget", "dyn")
  .registerVariable("input", "dyn");
const functionNames = new Set(environment.getDefinitions().functions.map((definition) => definition.name));
meterEvaluator();

/** Whether the language has a function or macro of this name. */
export function isFunctionName(name: string): boolean {
  return functionNames.has(name);
}

/**
 * Parses, without checking types. The names of called functions must have been checked with `isFunctionName` before: the library
 * keeps an entry for every name that it ever parsed.
 */
export function parseMetered(source: string): ParseResult {
  return environment.parse(source);
}

/** Infers types. Gives the type of the result, or what is wrong. */
export function checkMetered(parsed: ParseResult): { type: string } | { error: Error } {
  visitNodes(parsed.ast, generalizeLiteral);
  const { valid, type, error } = parsed.check();
  return valid ? { type: type ?? "dyn" } : { error: error ?? new Error("does not compile") };
}

/** Makes the operations of a checked expression charge for their operands. Once, before it is run. */
export function armMeter(parsed: ParseResult): void {
  visitNodes(parsed.ast, meterNode);
}

/** Evaluates with at most what `meter` has left; throws `CostExceeded` beyond. */
export function runMetered(parsed: ParseResult, context: Record<string, unknown>, meter: Meter): unknown {
  active = meter;
  return parsed(context);
}

/**
 * Makes the evaluator count. It is reached through a macro, whose `evaluate` is given it.
 * Deep types of values are replaced by shallow ones: the library keeps every type that it ever saw, and values come from outside.
 */
function meterEvaluator(): void {
  let evaluator: Evaluator | undefined;
  environment.registerFunction("evaluatorOf(ast): dyn", () => ({
    typeCheck: (checker: { getType: (name: string) => unknown }) => checker.getType("dyn"),
    evaluate: (given: Evaluator) => {
      evaluator = given;
      return true;
    },
  }));
  environment.evaluate("evaluatorOf(0)");
  const metered = evaluator;
  if (metered === undefined || typeof metered.run !== "function" || typeof metered.tryEval !== "function") throw new Error("the CEL evaluator cannot be metered");
  metered.run = (node, context) => {
    spend(active, 1);
    return node.evaluate(metered, node, context);
  };
  metered.tryEval = (node, context) => {
    try {
      return metered.run(node, context);
    } catch (error) {
      if (error instanceof CostExceeded) throw error;
      spend(active, ERROR_COST);
      return error;
    }
  };
  metered.debugTypeDeep = (value) => metered.debugType(value);
}

/** List and map literals are of any type: the library keeps every nested type that it ever inferred, and expressions come from outside. */
function generalizeLiteral(node: InternalNode): void {
  if (node.op !== "list" && node.op !== "map") return;
  node.setMeta("check", (checker: Checker, literal: InternalNode, context: unknown) => {
    for (const child of (literal.args as (InternalNode | InternalNode[])[]).flat()) checker.check(child, context);
    return literal.op === "list" ? checker.listType : checker.mapType;
  });
}

/** Charges what an operation costs beyond its own step, by the size of its operands. */
function meterNode(node: InternalNode): void {
  const charge = findCharge(node);
  if (charge === null) return;
  const handle = node.handle;
  if (handle === undefined) throw new Error(`the CEL operation ${node.op} cannot be metered`);
  node.handle = (...operands) => {
    charge(operands);
    const result = handle(...operands);
    if (typeof result === "string" || Array.isArray(result)) spend(active, sizeOf(result));
    return result;
  };
}

function findCharge(node: InternalNode): ((operands: unknown[]) => void) | null {
  switch (node.op) {
    case "call":
    case "rcall": {
      const [name] = node.args as [string];
      if (node.meta.macro !== undefined) return null;
      return ([values]) => chargeCall(name, values as unknown[]);
    }
    case "+":
      return () => {};
    case "==":
    case "!=":
      return ([left, right]) => chargeDeep([left, right]);
    case "in":
      return ([item, collection]) => (Array.isArray(collection) ? chargeDeep([item, collection]) : undefined);
    case "comprehension":
      return ([items]) => spend(active, items instanceof Map ? items.size : 1);
    default:
      return null;
  }
}

function chargeCall(name: string, values: unknown[]): void {
  const [subject, argument] = values;
  if (name !== "size") for (const value of values) spend(active, sizeOf(value));
  else if (typeof subject === "string") spend(active, sizeOf(subject));
  if (name === "duration" && typeof subject === "string" && subject.length > MAX_DURATION_CHARACTERS) {
    throw new EvaluationError(`a duration has at most ${MAX_DURATION_CHARACTERS} characters`);
  }
  if (typeof subject === "string" && typeof argument === "string" && SEARCHES.has(name)) {
    spend(active, Math.ceil((subject.length * argument.length) / COMPARISONS_PER_STEP));
  }
  if (name.startsWith("get") && argument !== undefined) spend(active, TIME_ZONE_COST);
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return Math.ceil(value.length / CHARACTERS_PER_STEP);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Uint8Array) return Math.ceil(value.length / CHARACTERS_PER_STEP);
  return 0;
}

/** Comparing walks both values; a value made by an expression can hold the same part many times over. */
function chargeDeep(value: unknown): void {
  spend(active, 1 + (typeof value === "string" ? sizeOf(value) : 0));
  if (Array.isArray(value)) for (const item of value) chargeDeep(item);
  else if (value instanceof Map) for (const item of value.values()) chargeDeep(item);
  else if (typeof value === "object" && value !== null) for (const item of Object.values(value)) chargeDeep(item);
}

/** Visits every node that is evaluated or typed: what a macro expands to instead of the macro. */
function visitNodes(part: unknown, visit: (node: InternalNode) => void): void {
  if (Array.isArray(part)) {
    for (const item of part) visitNodes(item, visit);
  } else if (isNode(part)) {
    if (part.meta.alternate !== undefined) return visitNodes(part.meta.alternate, visit);
    visit(part);
    visitNodes(part.args, visit);
  } else if (isComprehension(part)) {
    visitNodes([part.iterable, part.init, part.step], visit);
  }
}

function isNode(part: unknown): part is InternalNode {
  return typeof part === "object" && part !== null && "op" in part && "setMeta" in part;
}

function isComprehension(part: unknown): part is { iterable: unknown; init: unknown; step: unknown } {
  return typeof part === "object" && part !== null && "iterable" in part && "step" in part;
}

