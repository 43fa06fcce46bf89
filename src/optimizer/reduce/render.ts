import { COVERED, KEPT, type ContextDocument, type NamedIdentifier, type Unit } from "./document.ts";

/** Stands for dropped sentences inside a line. */
export const INLINE_MARK = "[…]";

export function lineMark(lines: number, named = ""): string {
  return lines === 1 ? `[… 1 line omitted${named}]` : `[… ${lines} lines omitted${named}]`;
}

function itemMark(items: number, named: string): string {
  return items === 1 ? `"[… 1 item omitted${named}]"` : `"[… ${items} items omitted${named}]"`;
}

/** `: date 2026-05-10, 2026-05-11; QX7PLM`: what is named, under the members it was the value of. */
function listNamed(names: readonly NamedIdentifier[]): string {
  if (names.length === 0) return "";
  const valuesByKey = new Map<string, string[]>();
  for (const { key, value } of names) {
    const values = valuesByKey.get(key);
    if (values === undefined) valuesByKey.set(key, [value]);
    else values.push(value);
  }
  return `: ${[...valuesByKey].map(([key, values]) => `${key === "" ? "" : `${key} `}${values.join(", ")}`).join("; ")}`;
}

interface OpenFrame {
  unit: Unit;
  /** Members written so far. */
  written: number;
  /** Members dropped since the last one that was written. */
  omitted: number;
  named: NamedIdentifier[];
}

/** Writes the units that were not dropped, in order, with a mark for every run of dropped ones. */
export function renderDocument(document: ContextDocument): string {
  const { units, dropped } = document;
  const parts: string[] = [];
  const frames: OpenFrame[] = [];
  let index = 0;
  while (index < units.length) {
    closeFrames(units, frames, index, parts);
    const unit = units[index] as Unit;
    const frame = frames.at(-1);
    if (frame !== undefined) {
      index = writeMember(document, index, frame, frames, parts);
    } else if (dropped[index] === KEPT) {
      parts.push(unit.text);
      if (unit.until !== -1) frames.push(openFrame(unit));
      else parts.push(unit.gap);
      index += 1;
    } else {
      const end = endOfDropped(dropped, index);
      const mark = markRun(document, index, end);
      if (mark.startsWith("\n") && parts.at(-1) === " ") parts.pop();
      parts.push(mark);
      index = end;
    }
  }
  closeFrames(units, frames, index, parts);
  return parts.join("");
}

function endOfDropped(dropped: Uint8Array, from: number): number {
  let end = from;
  while (end < dropped.length && dropped[end] !== KEPT) end += 1;
  return end;
}

/** The mark for the dropped units `[from, to)` with the gap after it; empty if all of them are told of elsewhere. */
function markRun({ units, dropped, named }: ContextDocument, from: number, to: number): string {
  let lines = 0;
  let isTold = true;
  const names: NamedIdentifier[] = [];
  for (let index = from; index < to; index += 1) {
    const unit = units[index] as Unit;
    names.push(...(named.get(index) ?? []));
    if (dropped[index] === COVERED) continue;
    isTold = false;
    lines += unit.lines;
  }
  if (isTold) return "";
  const gap = (units[to - 1] as Unit).gap;
  const startsInLine = from > 0 && dropped[from - 1] === KEPT && !(units[from - 1] as Unit).gap.includes("\n");
  const list = listNamed(names);
  const inline = list === "" ? INLINE_MARK : `[…${list}]`;
  if (startsInLine && lines <= 1) return inline + gap;
  if (startsInLine) return `\n${lineMark(lines, list)}${gap}`;
  if (!gap.includes("\n") && to < units.length) return lines === 0 ? `${inline}${gap}` : `${lineMark(lines, list)}\n`;
  return `${lineMark(Math.max(1, lines), list)}${gap}`;
}

function writeMember({ units, dropped, named }: ContextDocument, index: number, frame: OpenFrame, frames: OpenFrame[], parts: string[]): number {
  const unit = units[index] as Unit;
  if (dropped[index] !== KEPT) {
    const end = unit.until === -1 ? index + 1 : unit.until;
    frame.omitted += 1;
    for (let at = index; at < end; at += 1) frame.named.push(...(named.get(at) ?? []));
    return end;
  }
  if (isText(frame.unit)) return writeSentence(units, index, frame, parts);
  writeOmitted(frame, parts);
  if (frame.written > 0) parts.push(",");
  frame.written += 1;
  parts.push(unit.text);
  if (unit.until !== -1) frames.push(openFrame(unit));
  return index + 1;
}

/** A long string, of which the sentences are units. */
function isText({ close }: Unit): boolean {
  return close === '"';
}

function writeSentence(units: readonly Unit[], index: number, frame: OpenFrame, parts: string[]): number {
  const unit = units[index] as Unit;
  if (frame.omitted > 0) {
    pushOmitted(frame, parts);
    parts.push(" ");
  }
  parts.push(unit.text);
  if (index + 1 < frame.unit.until) parts.push(unit.gap);
  return index + 1;
}

/** An opening that names members is followed by a comma. */
function openFrame(unit: Unit): OpenFrame {
  return { unit, written: /[[{]$/.test(unit.text) || isText(unit) ? 0 : 1, omitted: 0, named: [] };
}

/** A mark that leaves the JSON valid: an element of an array, a member of an object. */
function writeOmitted(frame: OpenFrame, parts: string[]): void {
  // An object gets one mark at its end: a second member of that name would hide the first.
  if (frame.unit.close !== "}") pushOmitted(frame, parts);
}

function pushOmitted(frame: OpenFrame, parts: string[]): void {
  if (frame.omitted === 0) return;
  const names = listNamed(frame.named);
  if (frame.written > 0 && !isText(frame.unit)) parts.push(",");
  parts.push(isText(frame.unit) ? `[…${names}]` : frame.unit.close === "}" ? `"…":"${frame.omitted} omitted${names}"` : itemMark(frame.omitted, names));
  frame.named = [];
  frame.omitted = 0;
  frame.written += 1;
}

function closeFrames(units: readonly Unit[], frames: OpenFrame[], index: number, parts: string[]): void {
  for (let frame = frames.at(-1); frame !== undefined && frame.unit.until <= index; frame = frames.at(-1)) {
    pushOmitted(frame, parts);
    parts.push(frame.unit.close);
    frames.pop();
    if (frames.length === 0) parts.push((units[frame.unit.until - 1] as Unit).gap);
  }
}
