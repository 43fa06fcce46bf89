import { createUnit, type Unit } from "./document.ts";
import { findString } from "./find-string.ts";
import { LONG_CONTAINER, measureContainers, minifyJson, stringEnd } from "./json-scan.ts";
import { leastPartChars } from "./lines.ts";
import { keptWithin, openSection, pushUnit, type UnitSink } from "./unit-sink.ts";

/** A JSON value of up to this many characters stays whole; larger containers are opened and their members chosen. */
const MAX_RECORD_CHARS = 240;
/** Short scalars of an array are taken together up to this many characters. */
const MIN_GROUP_CHARS = 48;
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
  const lengths = measureContainers(json);
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
      index = readMember(sink, json, lengths, index, open, start, end, label);
    }
  }
  if (kept !== undefined && !lockKeptRecords(sink, start, raw, json, firstUnit)) {
    // A kept string runs across values, so the JSON cannot be opened.
    sink.units.length = sink.starts.length = sink.ends.length = firstUnit;
    pushJsonUnit(sink, start, end, raw, label).locked = true;
  }
}

/** Places of a kept string that are looked at for one inside a single unit. */
const MAX_KEPT_PLACES = 16;

/** Locks the units that hold a kept string. False if one of those in `raw` (at `start` of the text) was found in no single unit. */
function lockKeptRecords(sink: UnitSink, start: number, raw: string, json: string, firstUnit: number): boolean {
  const starts = placeUnits(sink, json, firstUnit);
  for (const { string: keep, start: first } of sink.keep) {
    if (first < start || first + keep.length > start + raw.length) continue;
    let unit: Unit | undefined;
    // What was written without spaces is as it was.
    let place = json.length === raw.length ? first - start : findString(json, keep);
    for (let tried = 0; place !== -1 && unit === undefined && tried < MAX_KEPT_PLACES; tried += 1) {
      const holder = lastAtOrBefore(starts, place);
      const candidate = sink.units[firstUnit + holder] as Unit;
      if (place + keep.length <= (starts[holder] as number) + candidate.text.length) unit = candidate;
      else place = findString(json, keep, place + 1);
    }
    if (unit === undefined) return false;
    unit.locked = true;
  }
  return true;
}

/** Where each unit stands in the minified text: between units are only commas and closing brackets. */
function placeUnits(sink: UnitSink, json: string, firstUnit: number): number[] {
  const starts: number[] = [];
  let at = 0;
  for (let unit = firstUnit; unit < sink.units.length; unit += 1) {
    for (let code = json.charCodeAt(at); code === 44 || code === 93 || code === 125; code = json.charCodeAt(at)) at += 1;
    starts.push(at);
    at += (sink.units[unit] as Unit).text.length;
  }
  return starts;
}

/** Index of the last of the ascending numbers that is at most `value`; 0 if none is. */
function lastAtOrBefore(numbers: readonly number[], value: number): number {
  let low = 0;
  let high = numbers.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((numbers[middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Adds the member at `index`, or the opening of it if it is large. Returns where to read on. */
function readMember(sink: UnitSink, json: string, lengths: Uint16Array, index: number, open: Frame[], start: number, end: number, label: number): number {
  const parent = open.at(-1);
  const needs = parent === undefined ? label : parent.unit;
  const valueAt = parent !== undefined && !parent.isArray ? stringEnd(json, index) + 1 : index;
  const length = lengths[valueAt] as number;
  if (parent?.isArray === true && length > 0) openSection(sink);
  if (length > largestRecordChars(json, open.length)) {
    const unit = pushJsonUnit(sink, start, end, json.slice(index, valueAt + 1), needs);
    const isArray = json.charCodeAt(valueAt) === 91;
    unit.role = "label";
    unit.close = isArray ? "]" : "}";
    open.push({ unit: sink.units.length - 1, isArray });
    return valueAt + 1;
  }
  let stop = length > 0 ? valueAt + length : scalarEnd(json, valueAt);
  // Numbers and short strings in a row are one unit; in megabytes of tiny members, any few.
  const groupChars = parent?.isArray === true && length === 0 ? Math.max(MIN_GROUP_CHARS, leastPartChars(json)) : leastPartChars(json);
  while (stop - index < groupChars && json.charCodeAt(stop) === 44) {
    const nextValueAt = parent?.isArray === false ? stringEnd(json, stop + 1) + 1 : stop + 1;
    const nextLength = lengths[nextValueAt] as number;
    if (nextLength > groupChars) break;
    stop = nextLength === 0 ? scalarEnd(json, nextValueAt) : nextValueAt + nextLength;
  }
  pushJsonUnit(sink, start, end, json.slice(index, stop), needs);
  return stop;
}

/**
 * Up to how many characters a container inside `depth` others stays whole. In megabytes of deep nesting every level would be
 * a unit; by the square of the depth there are at most twice as many opened containers as parts.
 */
function largestRecordChars(json: string, depth: number): number {
  return Math.min(LONG_CONTAINER - 1, Math.max(MAX_RECORD_CHARS, leastPartChars(json) * depth ** 2));
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
