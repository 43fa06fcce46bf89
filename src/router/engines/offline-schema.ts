import type { Json } from "../../errors.ts";

/** Longest way through references and unions to a schema that says something of its own. */
const MAX_HOPS = 8;

/** What the embedded engine knows of a JSON Schema. What has a wrong type in the schema given is not there. */
export interface ReadSchema {
  type: string | null;
  constant?: Json;
  options: Json[] | null;
  byDefault?: Json;
  properties: ReadonlyMap<string, unknown>;
  required: string[];
  items: unknown;
  isUnique: boolean;
  format: string | null;
  /** `minItems`, `maximum` and the like. */
  limits: ReadonlyMap<string, number>;
}

const LIMITS = ["minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];

type Part = Record<string, unknown>;

/** Reads one schema, whatever it is: follows local references, takes the first branch of unions, merges `allOf` one level deep. */
export function readSchema(definition: unknown, root: unknown): ReadSchema {
  const part = resolve(definition, root);
  const properties = new Map(isRecord(part["properties"]) ? Object.entries(part["properties"]) : []);
  const required = listOf(part["required"]).filter((name) => typeof name === "string");
  const types = [part["type"]].flat().filter((name) => typeof name === "string");
  const implied = "properties" in part || "required" in part ? "object" : "items" in part ? "array" : null;
  return {
    type: types.find((name) => name !== "null") ?? types[0] ?? implied,
    ...("const" in part ? { constant: part["const"] as Json } : {}),
    options: Array.isArray(part["enum"]) ? (part["enum"] as Json[]) : null,
    ...("default" in part ? { byDefault: part["default"] as Json } : {}),
    properties,
    required,
    items: Array.isArray(part["items"]) ? part["items"][0] : part["items"],
    isUnique: part["uniqueItems"] === true,
    format: typeof part["format"] === "string" ? part["format"] : null,
    limits: new Map(LIMITS.flatMap((name) => (typeof part[name] === "number" && Number.isFinite(part[name]) ? [[name, part[name]] as const] : []))),
  };
}

function resolve(definition: unknown, root: unknown): Part {
  let part = recordOf(definition);
  for (let hops = 0; hops < MAX_HOPS; hops += 1) {
    const union = part["anyOf"] ?? part["oneOf"];
    const branch = listOf(union).find((option) => isRecord(option) && option["type"] !== "null");
    if (typeof part["$ref"] === "string") part = atPointer(root, part["$ref"]);
    else if (Array.isArray(part["allOf"])) part = mergeAll(part, root);
    else if (branch !== undefined) part = recordOf(branch);
    else break;
  }
  return part;
}

function atPointer(root: unknown, reference: string): Part {
  if (!reference.startsWith("#")) return {};
  let value: unknown = root;
  for (const token of reference.slice(1).split("/").slice(1)) {
    const key = decodePointer(token);
    value = typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Part)[key] : undefined;
  }
  return recordOf(value);
}

function decodePointer(token: string): string {
  const key = token.replaceAll("~1", "/").replaceAll("~0", "~");
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

function mergeAll({ allOf, ...own }: Part, root: unknown): Part {
  const parts = [own, ...listOf(allOf).map((part) => (isRecord(part) && typeof part["$ref"] === "string" ? atPointer(root, part["$ref"]) : recordOf(part)))];
  return Object.fromEntries([
    ...parts.flatMap((part) => Object.entries(part)),
    ["properties", Object.fromEntries(parts.flatMap((part) => Object.entries(recordOf(part["properties"]))))],
    ["required", parts.flatMap((part) => listOf(part["required"]))],
  ]);
}

function recordOf(value: unknown): Part {
  return isRecord(value) ? value : {};
}

function isRecord(value: unknown): value is Part {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}
