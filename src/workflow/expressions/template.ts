import type { Json } from "../../errors.ts";
import { compileExpression, type CompiledExpression, type Evaluation, type References, type Scope } from "./expression.ts";
import { createMeter, type Meter } from "./expression-meter.ts";
import { findClosingBrace } from "./expression-scan.ts";
import { escapePointer } from "../json/json-pointer.ts";
import { MAX_JSON_DEPTH, MAX_VALUE_BYTES, findExcess } from "../json/json-size.ts";

/** Most expressions in one value: a MiB has room for 250,000, and each is compiled when the value is posted and again for every attempt. */
export const MAX_TEMPLATE_EXPRESSIONS = 10_000;

export interface CompiledTemplate {
  /** What all its expressions read together. */
  references: References;
  /** The same for each expression, with the place of its string like that of a fault. */
  places: readonly { path: string; references: References }[];
  /** The value with every `${…}` replaced. All expressions together have the cost limit of one. Parts without `${…}` are shared with the template, so do not change the result. */
  render: (scope: Scope) => Evaluation;
}

interface TemplateFault {
  /** JSON Pointer from the template's root; "" is the root itself. */
  path: string;
  message: string;
}

interface FaultyTemplate {
  faults: TemplateFault[];
  /** The expressions that are right in themselves. */
  places: CompiledTemplate["places"];
}

/** Renders one value; a string says why it cannot. */
type Renderer = (rendering: Rendering) => { value: Json } | { message: string };

interface Rendering {
  scope: Scope;
  meter: Meter;
  /** Characters put into texts so far, to stop before a rendered value outgrows every limit. */
  characters: number;
}

interface Compilation {
  allowed: { input: boolean };
  /** Expressions that there is room for; below 0 there were too many, and nothing more is compiled. */
  left: number;
  faults: TemplateFault[];
  places: { path: string; references: References }[];
}

/**
 * Compiles a value whose strings may hold `${…}` with a CEL expression inside. A string that is one `${…}` becomes the
 * expression's value; in other text a value that is no string is put in as JSON. `$${` stands for `${`. Keys are left as they are,
 * and what was put in is not read as a template again.
 */
export function compileTemplate(value: Json, allowed: { input: boolean }): CompiledTemplate | FaultyTemplate {
  const compilation: Compilation = { allowed, left: MAX_TEMPLATE_EXPRESSIONS, faults: [], places: [] };
  const renderer = compileValue(compilation, value, "", 0);
  if (compilation.left < 0) return { faults: [{ path: "", message: `has more than ${MAX_TEMPLATE_EXPRESSIONS} expressions` }], places: [] };
  const { places } = compilation;
  if (compilation.faults.length > 0) return { faults: compilation.faults, places };
  const references = uniteReferences(places);
  if (renderer === null) return { references, places, render: () => ({ ok: true, value }) };
  return { references, places, render: (scope) => render(renderer, scope) };
}

function render(renderer: Renderer, scope: Scope): Evaluation {
  const result = renderer({ scope, meter: createMeter(), characters: 0 });
  if ("message" in result) return { ok: false, message: result.message };
  const excess = findExcess(result.value);
  return excess === null ? { ok: true, value: result.value } : { ok: false, message: `the rendered value ${excess}` };
}

/** Null: the value stands for itself. */
function compileValue(compilation: Compilation, value: Json, path: string, depth: number): Renderer | null {
  if (typeof value === "string") return value.includes("${") ? compileText(compilation, value, path) : null;
  if (typeof value !== "object" || value === null) return null;
  if (depth >= MAX_JSON_DEPTH) {
    compilation.faults.push({ path, message: `is nested deeper than ${MAX_JSON_DEPTH} levels` });
    return null;
  }
  return Array.isArray(value) ? compileList(compilation, value, path, depth) : compileObject(compilation, value, path, depth);
}

function compileList(compilation: Compilation, list: Json[], path: string, depth: number): Renderer | null {
  const items = list.map((item, index) => compileValue(compilation, item, `${path}/${index}`, depth + 1));
  if (items.every((item) => item === null)) return null;
  return (rendering) => {
    const rendered = [...list];
    for (const [index, item] of items.entries()) {
      if (item === null) continue;
      const result = item(rendering);
      if ("message" in result) return result;
      rendered[index] = result.value;
    }
    return { value: rendered };
  };
}

function compileObject(compilation: Compilation, object: { [key: string]: Json }, path: string, depth: number): Renderer | null {
  const fields: [string, Renderer][] = [];
  for (const key of Object.keys(object)) {
    const field = compileValue(compilation, object[key]!, `${path}/${escapePointer(key)}`, depth + 1);
    if (field !== null) fields.push([key, field]);
  }
  if (fields.length === 0) return null;
  return (rendering) => {
    const results: [string, Json][] = [];
    for (const [key, field] of fields) {
      const result = field(rendering);
      if ("message" in result) return result;
      results.push([key, result.value]);
    }
    // Not by assignment: a key may be `__proto__`.
    return { value: Object.fromEntries([...Object.entries(object), ...results]) };
  };
}

function compileText(compilation: Compilation, text: string, path: string): Renderer | null {
  const parts = splitText(text);
  if ("message" in parts) {
    compilation.faults.push({ path, message: parts.message });
    return null;
  }
  const compiled: (string | CompiledExpression)[] = [];
  for (const part of parts) {
    if (typeof part === "string") {
      compiled.push(part);
      continue;
    }
    compilation.left -= 1;
    if (compilation.left < 0) return null;
    const expression = compileExpression(part.source, compilation.allowed);
    if ("message" in expression) {
      compilation.faults.push({ path, message: `in \${${quote(part.source)}}: ${expression.message}` });
    } else {
      compilation.places.push({ path, references: expression.references });
      compiled.push(expression);
    }
  }
  const [only] = compiled;
  if (compiled.length === 1 && only !== undefined && typeof only !== "string") return (rendering) => evaluate(only, rendering);
  return (rendering) => renderText(compiled, rendering);
}

/** Literal text and expressions, in turn; `$${` is already `${`. */
function splitText(text: string): (string | { source: string })[] | { message: string } {
  const parts: (string | { source: string })[] = [];
  let literal = "";
  let at = 0;
  for (;;) {
    const open = text.indexOf("${", at);
    if (open === -1) break;
    if (open > at && text[open - 1] === "$") {
      literal += `${text.slice(at, open - 1)}\${`;
      at = open + 2;
      continue;
    }
    const close = findClosingBrace(text, open + 2);
    if (close === -1) return { message: `the \${ at character ${open + 1} is not closed; write $\${ for a literal \${` };
    literal += text.slice(at, open);
    if (literal !== "") parts.push(literal);
    literal = "";
    parts.push({ source: text.slice(open + 2, close) });
    at = close + 1;
  }
  literal += text.slice(at);
  if (literal !== "") parts.push(literal);
  return parts;
}

function renderText(parts: readonly (string | CompiledExpression)[], rendering: Rendering): { value: Json } | { message: string } {
  let text = "";
  for (const part of parts) {
    if (typeof part === "string") {
      text += part;
      continue;
    }
    const result = evaluate(part, rendering);
    if ("message" in result) return result;
    const inserted = typeof result.value === "string" ? result.value : JSON.stringify(result.value);
    rendering.characters += inserted.length;
    if (rendering.characters > MAX_VALUE_BYTES) return { message: `the rendered value is larger than ${MAX_VALUE_BYTES} bytes (1 MiB) of JSON` };
    text += inserted;
  }
  return { value: text };
}

function evaluate(expression: CompiledExpression, rendering: Rendering): { value: Json } | { message: string } {
  const result = expression.evaluate(rendering.scope, rendering.meter);
  return result.ok ? { value: result.value } : { message: `\${${quote(expression.source)}} ${result.message}` };
}

/** An expression as it is named in a message. */
function quote(source: string): string {
  return source.length > 60 ? `${source.slice(0, 60)}…` : source;
}

function uniteReferences(places: CompiledTemplate["places"]): References {
  const tasks = new Set<string>();
  const roots = new Set<string>();
  for (const { references } of places) {
    for (const task of references.tasks) tasks.add(task);
    for (const root of references.roots) roots.add(root);
  }
  return { tasks, roots };
}
