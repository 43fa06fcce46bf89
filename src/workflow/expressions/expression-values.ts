import type { Json } from "../../errors.ts";
import { MAX_JSON_DEPTH } from "../json/json-size.ts";
import { spend, type Meter } from "./expression-meter.ts";

/** The written-out paths of an expression as a tree: nothing beside them is converted. */
export interface PathTree {
  isWhole: boolean;
  children: Map<string, PathTree>;
}

/** A value that cannot be passed between JSON and CEL. */
export class Unconvertible extends Error {}

export function buildPathTree(paths: readonly (readonly string[])[]): PathTree {
  const root: PathTree = { isWhole: false, children: new Map() };
  for (const path of paths) {
    let node = root;
    for (const field of path) {
      let child = node.children.get(field);
      if (child === undefined) node.children.set(field, (child = { isWhole: false, children: new Map() }));
      node = child;
    }
    node.isWhole = true;
  }
  return root;
}

/** Converts the parts of a value that an expression reads. */
export function projectValue(value: Json, tree: PathTree, meter: Meter): unknown {
  if (tree.isWhole || typeof value !== "object" || value === null) return toCel(value, meter, 0);
  // A list has no fields; reading one fails the same on an empty list.
  if (Array.isArray(value)) return [];
  const fields = new Map<string, unknown>();
  for (const [field, child] of tree.children) if (Object.hasOwn(value, field)) fields.set(field, projectValue(value[field]!, child, meter));
  return fields;
}

/** Whole numbers become CEL ints (bigint). Objects become Maps, so that no key (`constructor`, `__proto__`) means anything to the library. */
function toCel(value: Json, meter: Meter, depth: number): unknown {
  spend(meter, 1);
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_JSON_DEPTH) throw new Unconvertible(`reads a value that is nested deeper than ${MAX_JSON_DEPTH} levels`);
  if (Array.isArray(value)) return value.map((item) => toCel(item, meter, depth + 1));
  const fields = new Map<string, unknown>();
  for (const field of Object.keys(value)) fields.set(field, toCel(value[field]!, meter, depth + 1));
  return fields;
}

/** The JSON of a CEL value. Throws `Unconvertible` for what JSON cannot hold. */
export function toJson(value: unknown, meter: Meter, depth = 0): Json {
  spend(meter, 1);
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return checkFinite(value);
  if (typeof value === "bigint") return narrowInt(value);
  if (typeof value !== "object") throw new Unconvertible(`gives a ${typeof value}, which JSON cannot hold`);
  if (depth >= MAX_JSON_DEPTH) throw new Unconvertible(`gives a value that is nested deeper than ${MAX_JSON_DEPTH} levels`);
  if (Array.isArray(value)) return value.map((item: unknown) => toJson(item, meter, depth + 1));
  if (value instanceof Map || isPlainObject(value)) {
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    return Object.fromEntries(entries.map(([key, item]: [unknown, unknown]) => [String(key), toJson(item, meter, depth + 1)]));
  }
  // The library's unsigned int is an object around a bigint.
  const primitive: unknown = value.valueOf();
  if (typeof primitive === "bigint") return narrowInt(primitive);
  throw new Unconvertible(`gives a ${nameType(value)}, which JSON cannot hold`);
}

function checkFinite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new Unconvertible(`gives ${value}, which JSON cannot hold`);
}

function narrowInt(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new Unconvertible(`gives the int ${value}, which JSON cannot hold exactly; convert it with double() or string()`);
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function nameType(value: object): string {
  if (value instanceof Uint8Array) return "value of bytes";
  if (value instanceof Date) return "timestamp";
  const tag = (value as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? "";
  if (tag === "google.protobuf.Duration") return "duration";
  return tag.startsWith("Type<") ? "type" : "value of another kind";
}
