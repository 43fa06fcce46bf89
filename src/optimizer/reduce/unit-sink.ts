import { findString } from "./find-string.ts";
import { countBreaks, findBreak } from "./lines.ts";
import { createUnit, weighUnit, type TextRange, type Unit, type UnitRole } from "./document.ts";

export interface KeptString {
  string: string;
  start: number;
}

/** Collects the units of one text in order, with the whitespace between them, and keeps what must stay byte for byte in one piece. */
export interface UnitSink {
  text: string;
  /** The strings that must survive and where each stands first; only those that are in the text. */
  keep: readonly KeptString[];
  /** Ranges of kept strings, sorted, not overlapping. */
  kept: readonly TextRange[];
  units: Unit[];
  starts: number[];
  ends: number[];
  sections: number;
  /** Index into `kept` of the first range that ends after the last unit's start. */
  cursor: number;
}

export function createSink(text: string, keep: readonly string[]): UnitSink {
  const present: KeptString[] = [];
  const ranges: TextRange[] = [];
  for (const string of new Set(keep)) {
    const start = string.trim() === "" ? -1 : findString(text, string);
    if (start === -1) continue;
    present.push({ string, start });
    ranges.push({ start, end: start + string.length });
  }
  return { text, keep: present, kept: joinRanges(ranges), units: [], starts: [], ends: [], sections: 0, cursor: 0 };
}

/** The ranges in order, with overlapping ones joined. */
function joinRanges(found: TextRange[]): TextRange[] {
  const ranges: TextRange[] = [];
  for (const range of found.sort((a, b) => a.start - b.start)) {
    const last = ranges.at(-1);
    if (last !== undefined && range.start < last.end) last.end = Math.max(last.end, range.end);
    else ranges.push(range);
  }
  return ranges;
}

/** Starts a new section and returns its number. */
export function openSection(sink: UnitSink): number {
  sink.sections += 1;
  return sink.sections - 1;
}

/** Adds `[start, end)` as a unit and returns its index. A unit that shares a kept string with the one before is joined to it. */
export function pushUnit(sink: UnitSink, start: number, end: number, role: UnitRole, needs = -1): number {
  const last = sink.units.length - 1;
  if (last >= 0 && start < (sink.ends[last] as number)) return joinToLast(sink, end, role);
  const kept = keptWithin(sink, start, end);
  if (kept === undefined) {
    const raw = sink.text.slice(start, end);
    const isProse = role === "sentence" || role === "label";
    return addUnit(sink, start, end, createUnit(isProse ? tightenSpaces(raw) : raw, role, currentSection(sink), needs));
  }
  // Whitespace at the ends of a kept string belongs to the unit too, and so does all that follows up to its end.
  const from = Math.max(last < 0 ? 0 : (sink.ends[last] as number), Math.min(start, kept.start));
  const to = Math.max(end, kept.end);
  const unit = createUnit(sink.text.slice(from, to), role, currentSection(sink), needs);
  unit.locked = true;
  return addUnit(sink, from, to, unit);
}

function currentSection(sink: UnitSink): number {
  return Math.max(0, sink.sections - 1);
}

function addUnit(sink: UnitSink, start: number, end: number, unit: Unit): number {
  sink.starts.push(start);
  sink.ends.push(end);
  return sink.units.push(unit) - 1;
}

/** The last unit holds a kept string that runs on into what comes now: the rest of that joins it. */
function joinToLast(sink: UnitSink, end: number, role: UnitRole): number {
  const last = sink.units.length - 1;
  const unit = sink.units[last] as Unit;
  const from = sink.ends[last] as number;
  const to = Math.max(end, from, keptWithin(sink, from, end)?.end ?? 0);
  unit.text = sink.text.slice(sink.starts[last], to);
  if (unit.role === "label") unit.role = role;
  sink.ends[last] = to;
  return last;
}

/** From the first to the last kept string that touches `[start, end)`; may begin before it and end after it. Asked in ascending order. */
export function keptWithin(sink: UnitSink, start: number, end: number): TextRange | undefined {
  const { kept } = sink;
  while (sink.cursor < kept.length && (kept[sink.cursor] as TextRange).end <= start) sink.cursor += 1;
  const first = kept[sink.cursor];
  if (first === undefined || first.start >= end) return undefined;
  let last = sink.cursor;
  while (last + 1 < kept.length && (kept[last + 1] as TextRange).start < end) last += 1;
  return { start: first.start, end: (kept[last] as TextRange).end };
}

/** One space for runs of spaces; line breaks stay. */
function tightenSpaces(text: string): string {
  return text.includes("  ") || text.includes("\t") ? text.replace(/[ \t]+/g, " ") : text;
}

/** Fills in gaps, line counts and weights, and returns the units. */
export function finishUnits(sink: UnitSink): Unit[] {
  const { units, starts, ends, text } = sink;
  for (let index = 0; index < units.length; index += 1) {
    const unit = units[index] as Unit;
    const next = index + 1 < units.length ? (starts[index + 1] as number) : text.length;
    // Units of one JSON value share a start; its separators are written with its brackets.
    if (next !== starts[index]) unit.gap = normalizeGap(text, ends[index] as number, next, index + 1 === units.length);
    unit.lines = countBreaks(text, starts[index] as number, next);
    weighUnit(unit);
  }
  return units;
}

/** At most one empty line, no trailing spaces, the indentation of the next unit. */
function normalizeGap(text: string, from: number, to: number, isLast: boolean): string {
  const firstBreak = findBreak(text, from, to);
  if (firstBreak === -1) return from < to && !isLast ? " " : "";
  if (isLast) return "\n";
  const lastBreak = text.lastIndexOf("\n", to - 1);
  return (firstBreak === lastBreak ? "\n" : "\n\n") + text.slice(lastBreak + 1, to).replace(/[^ \t].*/s, "");
}
