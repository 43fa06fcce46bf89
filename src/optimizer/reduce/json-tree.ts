import { createUnit, type TextRange, type Unit } from "./document.ts";
import { splitEscaped } from "./escaped-text.ts";
import { findString } from "./find-string.ts";
import { LONG_CONTAINER, measureContainers, minifyJson, stringEnd } from "./json-scan.ts";
import { leastPartChars } from "./lines.ts";
import { keptWithin, openSection, pushUnit, type UnitSink } from "./unit-sink.ts";

/** A JSON value of up to this many characters stays whole; larger containers are opened and their members chosen. */
const MAX_RECORD_CHARS = 240;
/** Short scalars of an array are taken together up to this many characters. */
const MIN_GROUP_CHARS = 48;
/** The first members of an object are part of its opening up to this many characters. */
const MAX_NAME_CHARS = 120;

interface Frame {
  unit: number;
  isArray: boolean;
}

/** The reading of one JSON value, which stands at `[start, end)` of the sink's text. */
interface JsonReader {
  sink: UnitSink;
  /** The value without whitespace. */
  json: string;
  /** As `measureContainers` gives them. */
  lengths: Uint16Array;
  open: Frame[];
  /** Where each unit stands in `json`. */
  places: number[];
  start: number;
  end: number;
  label: number;
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
  const reader: JsonReader = { sink, json, lengths, open, places: [], start, end, label };
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
      index = readMember(reader, index);
    }
  }
  if (kept !== undefined && !lockKeptRecords(reader, raw, firstUnit)) {
    // A kept string holds a bracket's end or the whitespace between values, so the JSON cannot be opened.
    sink.units.length = sink.starts.length = sink.ends.length = firstUnit;
    pushJsonUnit(reader, 0, raw, label).locked = true;
  }
}

/** Locks the units that hold a kept string. False if one of those in `raw` would not be written as it is even so. */
function lockKeptRecords({ sink, json, places, start }: JsonReader, raw: string, firstUnit: number): boolean {
  for (const { string: keep, start: first } of sink.keep) {
    if (first < start || first + keep.length > start + raw.length) continue;
    // What was written without spaces is as it was.
    const place = json.length === raw.length ? first - start : findString(json, keep);
    if (place === -1) return false;
    let holder = lastAtOrBefore(places, place);
    let end = endOf(holder);
    while (end < place + keep.length) {
      const next = places[holder + 1];
      // Between members is a comma, between sentences a space; where a bracket closes, a mark may come before it.
      if (next === undefined || /["}\]]/.test(json.slice(end, next))) return false;
      (sink.units[firstUnit + holder] as Unit).locked = true;
      holder += 1;
      end = endOf(holder);
    }
    (sink.units[firstUnit + holder] as Unit).locked = true;
  }
  return true;

  function endOf(holder: number): number {
    return (places[holder] as number) + (sink.units[firstUnit + holder] as Unit).text.length;
  }
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
function readMember(reader: JsonReader, index: number): number {
  const { sink, json, lengths, open, label } = reader;
  const parent = open.at(-1);
  const needs = parent === undefined ? label : parent.unit;
  const valueAt = parent !== undefined && !parent.isArray ? stringEnd(json, index) + 1 : index;
  const length = lengths[valueAt] as number;
  if (parent?.isArray === true && length > 0) openSection(sink);
  if (length > largestRecordChars(reader, open.length)) return openContainer(reader, index, valueAt, needs);
  let stop = length > 0 ? valueAt + length : scalarEnd(json, valueAt);
  if (length === 0 && stop - valueAt > largestRecordChars(reader, 1)) return readText(reader, index, valueAt, stop, needs);
  // Numbers and short strings in a row are one unit; in megabytes of tiny members, any few.
  const leastChars = leastPartChars(sink.text);
  const groupChars = parent?.isArray === true && length === 0 ? Math.max(MIN_GROUP_CHARS, leastChars) : leastChars;
  while (stop - index < groupChars && json.charCodeAt(stop) === 44) {
    const nextValueAt = parent?.isArray === false ? stringEnd(json, stop + 1) + 1 : stop + 1;
    const nextLength = lengths[nextValueAt] as number;
    if (nextLength > groupChars) break;
    const nextStop = nextLength === 0 ? scalarEnd(json, nextValueAt) : nextValueAt + nextLength;
    if (nextStop - nextValueAt > largestRecordChars(reader, 1)) break;
    stop = nextStop;
  }
  pushJsonUnit(reader, index, json.slice(index, stop), needs);
  return stop;
}

/** Adds the opening of a container as the label of its members. Its first short ones ("id", "title", "role") say what it is, and are part of that. */
function openContainer(reader: JsonReader, index: number, valueAt: number, needs: number): number {
  const { sink, json, lengths, open } = reader;
  const isArray = json.charCodeAt(valueAt) === 91;
  let stop = valueAt + 1;
  while (!isArray) {
    const memberAt = json.charCodeAt(stop) === 44 ? stop + 1 : stop;
    const memberValueAt = stringEnd(json, memberAt) + 1;
    const memberStop = scalarEnd(json, memberValueAt);
    if ((lengths[memberValueAt] as number) > 0 || memberStop - valueAt > MAX_NAME_CHARS || json.charCodeAt(memberStop) !== 44) break;
    stop = memberStop;
  }
  const unit = pushJsonUnit(reader, index, json.slice(index, stop), needs);
  unit.role = "label";
  unit.close = isArray ? "]" : "}";
  open.push({ unit: sink.units.length - 1, isArray });
  return stop;
}

/** Adds a long string: its opening as the label of its sentences, or as a whole if it has but one. */
function readText(reader: JsonReader, index: number, valueAt: number, stop: number, needs: number): number {
  const { sink, json } = reader;
  const sentences = splitEscaped(json, valueAt + 1, stop - 1);
  if (sentences.length < 2) {
    pushJsonUnit(reader, index, json.slice(index, stop), needs);
    return stop;
  }
  const [{ start: textAt }] = sentences as [TextRange];
  const unit = pushJsonUnit(reader, index, json.slice(index, textAt), needs);
  const label = sink.units.length - 1;
  unit.role = "label";
  unit.close = '"';
  sentences.forEach(({ start, end }, order) => {
    const sentence = pushJsonUnit(reader, start, json.slice(start, order + 1 < sentences.length ? end : stop - 1), label);
    sentence.role = "sentence";
    sentence.gap = json.slice(end, sentences[order + 1]?.start ?? end);
  });
  unit.until = sink.units.length;
  return stop;
}

/**
 * Up to how many characters a container inside `depth` others stays whole. In megabytes of deep nesting every level would be
 * a unit; by the square of the depth there are at most twice as many opened containers as parts.
 */
function largestRecordChars({ sink }: JsonReader, depth: number): number {
  return Math.min(LONG_CONTAINER - 1, Math.max(MAX_RECORD_CHARS, leastPartChars(sink.text) * depth ** 2));
}

function pushJsonUnit({ sink, places, start, end }: JsonReader, place: number, text: string, needs: number): Unit {
  const unit = createUnit(text, "record", Math.max(0, sink.sections - 1), needs);
  sink.units.push(unit);
  sink.starts.push(start);
  sink.ends.push(end);
  places.push(place);
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
