import { createUnit, type Unit } from "./document.ts";
import { isSpaceCode, leastPartChars } from "./lines.ts";
import { keptWithin, openSection, pushUnit, type UnitSink } from "./unit-sink.ts";

/** A JSON value of up to this many characters stays whole; larger containers are opened and their members chosen. */
const MAX_RECORD_CHARS = 240;
/** Short scalars of an array are taken together up to this many characters. */
const MIN_GROUP_CHARS = 48;
/** Deeper nesting is treated as text: no real document needs it. */
const MAX_DEPTH = 512;

/** Whether `text` is one JSON object or array. Linear; deep nesting is refused. */
export function isJsonContainer(text: string): boolean {
  let start = 0;
  while (start < text.length && isSpaceCode(text.charCodeAt(start))) start += 1;
  let end = text.length;
  while (end > start && isSpaceCode(text.charCodeAt(end - 1))) end -= 1;
  const [first, last] = [text.charAt(start), text.charAt(end - 1)];
  if (!((first === "{" && last === "}") || (first === "[" && last === "]"))) return false;
  try {
    JSON.parse(text);
    return nestingDepth(text) <= MAX_DEPTH;
  } catch {
    return false;
  }
}

function nestingDepth(json: string): number {
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < json.length; index += 1) {
    const code = json.charCodeAt(index);
    if (code === 34) index = stringEnd(json, index) - 1;
    else if (code === 123 || code === 91) deepest = Math.max(deepest, ++depth);
    else if (code === 125 || code === 93) depth -= 1;
  }
  return deepest;
}

/** Index after the string that opens at `start`. */
function stringEnd(json: string, start: number): number {
  let index = start + 1;
  while (index < json.length) {
    const code = json.charCodeAt(index);
    if (code === 92) index += 2;
    else if (code === 34) return index + 1;
    else index += 1;
  }
  return json.length;
}

/** The same JSON without whitespace between its tokens; scalars keep their spelling, so numbers lose no digit. */
export function minifyJson(json: string): string {
  const parts: string[] = [];
  let from = 0;
  let index = 0;
  while (index < json.length) {
    const code = json.charCodeAt(index);
    if (code === 34) {
      index = stringEnd(json, index);
    } else if (isSpaceCode(code)) {
      if (from < index) parts.push(json.slice(from, index));
      while (index < json.length && isSpaceCode(json.charCodeAt(index))) index += 1;
      from = index;
    } else {
      index += 1;
    }
  }
  if (from < json.length) parts.push(json.slice(from));
  return parts.join("");
}

interface Frame {
  unit: number;
  isArray: boolean;
}

/**
 * Adds the JSON in `[start, end)` of the sink's text: a unit per small value, and for a larger container a label with its bracket,
 * whose `until` and `close` tell the writer where it ends.
 */
export function appendJson(sink: UnitSink, start: number, end: number, label: number): void {
  const kept = keptWithin(sink, start, end);
  if (kept !== undefined && (kept.start < start || kept.end > end)) {
    // A kept string begins before this JSON or ends after it: the JSON joins what it shares that string with.
    pushUnit(sink, start, end, "record", label);
    return;
  }
  const raw = sink.text.slice(start, end);
  const json = minifyJson(raw);
  const firstUnit = sink.units.length;
  const ends = containerEnds(json);
  // Positions inside minified text are not source positions: all units of this JSON stand at its start.
  const open: Frame[] = [];
  let index = 0;
  while (index < json.length) {
    const code = json.charCodeAt(index);
    if (code === 125 || code === 93) {
      const frame = open.pop();
      if (frame !== undefined) (sink.units[frame.unit] as Unit).until = sink.units.length;
      index += 1;
    } else if (code === 44) {
      index += 1;
    } else {
      index = readMember(sink, json, ends, index, open, start, end, label);
    }
  }
  if (kept !== undefined && !lockKeptRecords(sink, raw, firstUnit)) {
    // A kept string runs across values, so the JSON cannot be opened.
    sink.units.length = sink.starts.length = sink.ends.length = firstUnit;
    pushJsonUnit(sink, start, end, raw, label).locked = true;
  }
}

/** Locks the units that hold a kept string. False if one of those in `raw` is in no single unit. */
function lockKeptRecords(sink: UnitSink, raw: string, firstUnit: number): boolean {
  for (const keep of sink.keep) {
    if (!raw.includes(keep)) continue;
    let holder = firstUnit;
    while (holder < sink.units.length && !(sink.units[holder] as Unit).text.includes(keep)) holder += 1;
    const unit = sink.units[holder];
    if (unit === undefined) return false;
    unit.locked = true;
  }
  return true;
}

/** Adds the member at `index`, or the opening of it if it is large. Returns where to read on. */
function readMember(sink: UnitSink, json: string, ends: Int32Array, index: number, open: Frame[], start: number, end: number, label: number): number {
  const parent = open.at(-1);
  const needs = parent === undefined ? label : parent.unit;
  const valueAt = parent !== undefined && !parent.isArray ? stringEnd(json, index) + 1 : index;
  const close = ends[valueAt] === 0 ? undefined : ends[valueAt];
  if (parent?.isArray === true && close !== undefined) openSection(sink);
  if (close !== undefined && close - valueAt > MAX_RECORD_CHARS) {
    const unit = pushJsonUnit(sink, start, end, json.slice(index, valueAt + 1), needs);
    unit.role = "label";
    unit.close = json.charAt(close - 1);
    open.push({ unit: sink.units.length - 1, isArray: unit.close === "]" });
    return valueAt + 1;
  }
  let stop = close ?? scalarEnd(json, valueAt);
  // Numbers and short strings in a row are one unit; in megabytes of tiny members, any few.
  const groupChars = parent?.isArray === true && close === undefined ? Math.max(MIN_GROUP_CHARS, leastPartChars(json)) : leastPartChars(json);
  while (stop - index < groupChars && json.charCodeAt(stop) === 44) {
    const nextValueAt = parent?.isArray === false ? stringEnd(json, stop + 1) + 1 : stop + 1;
    const nextClose = ends[nextValueAt] as number;
    if (nextClose - nextValueAt > groupChars) break;
    stop = nextClose === 0 ? scalarEnd(json, nextValueAt) : nextClose;
  }
  pushJsonUnit(sink, start, end, json.slice(index, stop), needs);
  return stop;
}

function pushJsonUnit(sink: UnitSink, start: number, end: number, text: string, needs: number): Unit {
  const unit = createUnit(text, "record", Math.max(0, sink.sections - 1), needs);
  sink.units.push(unit);
  sink.starts.push(start);
  sink.ends.push(end);
  return unit;
}

function scalarEnd(json: string, start: number): number {
  if (json.charCodeAt(start) === 34) return stringEnd(json, start);
  let index = start;
  while (index < json.length) {
    const code = json.charCodeAt(index);
    if (code === 44 || code === 93 || code === 125) break;
    index += 1;
  }
  return index;
}

/** For every container in minified JSON, at the index of its opening bracket: the index after its closing one. 0 elsewhere. */
function containerEnds(json: string): Int32Array {
  const ends = new Int32Array(json.length + 1);
  const open: number[] = [];
  for (let index = 0; index < json.length; index += 1) {
    const code = json.charCodeAt(index);
    if (code === 34) index = stringEnd(json, index) - 1;
    else if (code === 123 || code === 91) open.push(index);
    else if (code === 125 || code === 93) ends[open.pop() ?? 0] = index + 1;
  }
  return ends;
}
