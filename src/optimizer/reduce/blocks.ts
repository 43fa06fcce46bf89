import { continuesLabel, documentLabelLength, isHeadingOf, itemLabelLength } from "./labels.ts";
import { skipSpace, splitLines, trimEnd, type Line } from "./lines.ts";
import { findRecords, firstRow, isWrapped } from "./record-lines.ts";
import { MAX_SENTENCE_CHARS, splitSentences } from "./sentences.ts";
import type { Unit } from "./document.ts";
import { openSection, pushUnit, type UnitSink } from "./unit-sink.ts";

/** Lists of up to this many items are one thing and stay whole; of longer ones the items are chosen. */
export const MAX_WHOLE_LIST_ITEMS = 12;
/** Items that are longer than this on average are paragraphs with a mark before them. */
const LONG_ITEM_CHARS = 240;
/** Of a longer paragraph the parts are sections: it is about several things, or its breaks were lost. */
const MAX_SECTION_CHARS = 800;
/** Below all levels of Markdown: a heading that is told by its form. */
const TITLE_LEVEL = 7;

const HEADING = /^#{1,6}[ \t]/;
const LIST_ITEM = /^[ \t]{0,12}(?:[-*+•]|\d{1,4}[.)])[ \t]/;

export type LineKind = "blank" | "heading" | "fence" | "table" | "item" | "indented" | "document" | "text";

/** What the first characters of a line make it. Looks at a bounded head, so that one endless line costs nothing. */
export function lineKind(text: string, line: Line): LineKind {
  const start = skipSpace(text, line.start, line.end);
  if (start === line.end) return "blank";
  const first = text.charCodeAt(start);
  if ((first === 96 || first === 126) && (text.startsWith("```", start) || text.startsWith("~~~", start))) return "fence";
  if (first === 124) return "table";
  if (first === 35 && HEADING.test(text.slice(start, start + 8))) return "heading";
  if (first < 128 && LIST_ITEM.test(text.slice(line.start, line.start + 20))) return "item";
  if (start - line.start >= 4 || text.charCodeAt(line.start) === 9) return "indented";
  return documentLabelLength(text, line) > 0 ? "document" : "text";
}

/** State of the reading: the labels that the next units need. */
interface BlockReader {
  sink: UnitSink;
  lines: Line[];
  kinds: LineKind[];
  /** Unit indexes of the open headings, by level. */
  headings: { level: number; unit: number }[];
  /** The label that units need now, or -1. */
  label: number;
  /** Lines after this index hold no closing fence. */
  lastFence: number;
  /** Whether paragraphs open sections of their own (not inside a document or a message). */
  sectionPerParagraph: boolean;
  /** Nothing was read since a heading opened a section. */
  isBelowHeading: boolean;
  /** One document alone is the text itself, and its paragraphs are what is told apart. */
  hasDocuments: boolean;
}

/** Adds the units of `[from, to)` of running text or Markdown under a `label`: as one section, or (a file) as sections of their own. */
export function appendBlocks(sink: UnitSink, from: number, to: number, label = -1, sectionPerParagraph = label === -1): void {
  const lines = splitLines(sink.text, from, to);
  const kinds = lines.map((line) => lineKind(sink.text, line));
  const reader: BlockReader = { sink, lines, kinds, headings: label !== -1 && sectionPerParagraph ? [{ level: 0, unit: label }] : [], label, lastFence: kinds.lastIndexOf("fence"), sectionPerParagraph, isBelowHeading: false, hasDocuments: kinds.filter((kind) => kind === "document").length > 1 };
  let index = 0;
  while (index < lines.length) index = readBlock(reader, index);
}

function readBlock(reader: BlockReader, index: number): number {
  const line = reader.lines[index] as Line;
  switch (reader.kinds[index] as LineKind) {
    case "blank":
      return index + 1;
    case "heading":
      return readHeading(reader, index, line);
    case "fence":
      return readFence(reader, index, line);
    case "table":
      return pushRun(reader, index, endOfRun(reader, index, "table"), "table");
    case "item":
      return readList(reader, index);
    case "indented":
      return index > 0 && reader.kinds[index - 1] === "text" ? readParagraph(reader, index) : pushRun(reader, index, endOfIndented(reader, index), "code");
    case "document":
      return readDocument(reader, index, line);
    default:
      return readParagraph(reader, index);
  }
}

function readHeading(reader: BlockReader, index: number, line: Line): number {
  const { sink } = reader;
  const start = skipSpace(sink.text, line.start, line.end);
  let level = 0;
  while (sink.text.charCodeAt(start + level) === 35) level += 1;
  pushHeading(reader, start, trimEnd(sink.text, start, line.end), level);
  return index + 1;
}

/** What follows, up to a heading of its level or above, needs the heading; the first of it is of its section. */
function pushHeading(reader: BlockReader, start: number, end: number, level: number): void {
  const { sink, headings } = reader;
  while (headings.length > 0 && (headings.at(-1)?.level ?? 0) >= level) headings.pop();
  openParagraph(reader);
  const unit = pushUnit(sink, start, end, "label", headings.at(-1)?.unit ?? -1);
  headings.push({ level, unit });
  reader.label = unit;
  reader.isBelowHeading = true;
}

function openParagraph(reader: BlockReader): void {
  if (reader.sectionPerParagraph && !reader.isBelowHeading) openSection(reader.sink);
  reader.isBelowHeading = false;
}

function readFence(reader: BlockReader, index: number, line: Line): number {
  const { sink, lines, kinds } = reader;
  const mark = sink.text.charCodeAt(skipSpace(sink.text, line.start, line.end));
  for (let close = index + 1; close <= reader.lastFence; close += 1) {
    const other = lines[close] as Line;
    if (kinds[close] === "fence" && sink.text.charCodeAt(skipSpace(sink.text, other.start, other.end)) === mark) return pushRun(reader, index, close, "code");
  }
  // No closing fence from here on: an ordinary line, and no other fence needs to look again.
  reader.lastFence = -1;
  return readParagraph(reader, index);
}

function endOfRun(reader: BlockReader, index: number, kind: LineKind): number {
  let last = index;
  while (last + 1 < reader.kinds.length && reader.kinds[last + 1] === kind) last += 1;
  return last;
}

function endOfIndented(reader: BlockReader, index: number): number {
  let last = index;
  for (let next = index + 1; next < reader.kinds.length; next += 1) {
    if (reader.kinds[next] === "indented") last = next;
    else if (reader.kinds[next] !== "blank") break;
  }
  return last;
}

/** Adds the lines `first … last` as one unit. Returns the index after them. */
function pushRun(reader: BlockReader, first: number, last: number, role: "code" | "table" | "item"): number {
  pushUnit(reader.sink, (reader.lines[first] as Line).start, (reader.lines[last] as Line).end, role, reader.label);
  reader.isBelowHeading = false;
  return last + 1;
}

function readList(reader: BlockReader, index: number): number {
  const items: number[] = [];
  let next = index;
  while (next < reader.kinds.length) {
    const kind = reader.kinds[next] as LineKind;
    if (kind === "item") items.push(next);
    else if (kind === "blank" ? reader.kinds[next + 1] !== "item" && reader.kinds[next + 1] !== "indented" : kind !== "indented" && !(kind === "text" && reader.kinds[next - 1] !== "blank")) break;
    next += 1;
  }
  let last = next - 1;
  while (reader.kinds[last] === "blank") last -= 1;
  if (items.length > 1 && spanOf(reader, index, last) > LONG_ITEM_CHARS * items.length) items.forEach((item, order) => readLongItem(reader, item, (items[order + 1] ?? last + 1) - 1));
  else if (items.length <= MAX_WHOLE_LIST_ITEMS) return Math.max(next, pushRun(reader, index, last, "item"));
  else items.forEach((item, order) => pushRun(reader, item, endOfItem(reader, (items[order + 1] ?? last + 1) - 1), "item"));
  return next;
}

function spanOf({ lines }: BlockReader, first: number, last: number): number {
  return (lines[last] as Line).end - (lines[first] as Line).start;
}

function endOfItem({ kinds }: BlockReader, last: number): number {
  let end = last;
  while (kinds[end] === "blank") end -= 1;
  return end;
}

/** An item of several sentences: a paragraph, or a document of a list of them, with its mark and title as label. What is indented below an empty line may be code. */
function readLongItem(reader: BlockReader, first: number, last: number): void {
  const { sink, lines, kinds } = reader;
  const line = lines[first] as Line;
  openParagraph(reader);
  const body = line.start + itemLabelLength(sink.text, line);
  const label = pushUnit(sink, line.start, trimEnd(sink.text, line.start, body), "label", reader.label);
  let end = first;
  while (end < last && kinds[end + 1] !== "blank") end += 1;
  for (const sentence of splitSentences(sink.text, body, (lines[end] as Line).end)) pushUnit(sink, sentence.start, sentence.end, "sentence", label);
  for (let at = end + 1; at <= last; at = end + 1) {
    end = at;
    if (kinds[at] === "blank") continue;
    while (end < last && kinds[end + 1] !== "blank") end += 1;
    pushUnit(sink, (lines[at] as Line).start, (lines[end] as Line).end, "code", label);
  }
}

function readDocument(reader: BlockReader, index: number, line: Line): number {
  const { sink, lines } = reader;
  const { text } = sink;
  let last = index;
  let end = line.start + documentLabelLength(text, line);
  while (last + 1 < lines.length && continuesLabel(text, lines[last + 1] as Line)) end = (lines[(last += 1)] as Line).end;
  const rest = last === index ? skipSpace(text, end, line.end) : line.end;
  if (rest < line.end && isHeadingOf(text, rest, line.end, lineAt(reader, index + 1))) end = line.end;
  else if (rest === line.end && last + 2 < lines.length && isTitleLine(reader, last + 1)) end = (lines[(last += 1)] as Line).end;
  reader.headings = [];
  openSection(sink);
  reader.label = pushUnit(sink, line.start, trimEnd(text, line.start, end), "label");
  if (reader.hasDocuments) reader.sectionPerParagraph = false;
  else reader.headings.push({ level: 0, unit: reader.label });
  reader.isBelowHeading = true;
  if (end < line.end) pushSentences(reader, end, line.end);
  return last + 1;
}

/** A line of text, without the empty ones before it; null where there is none. */
function lineAt({ lines, kinds }: BlockReader, index: number): Line | null {
  let at = index;
  while (kinds[at] === "blank") at += 1;
  return kinds[at] === "text" ? (lines[at] as Line) : null;
}

/** Whether a line of text is the title of what stands below it. */
function isTitleLine(reader: BlockReader, index: number): boolean {
  const { start, end } = reader.lines[index] as Line;
  return reader.kinds[index] === "text" && isHeadingOf(reader.sink.text, start, trimEnd(reader.sink.text, start, end), lineAt(reader, index + 1));
}

function readParagraph(reader: BlockReader, index: number): number {
  const { sink, lines, kinds } = reader;
  let last = index;
  while (last + 1 < lines.length && (kinds[last + 1] === "text" || kinds[last + 1] === "indented")) last += 1;
  const records = findRecords(sink.text, lines, index, last);
  if (records !== undefined) {
    pushRecords(reader, index, last, records.hasHeader);
    return last + 1;
  }
  const first = lines[index] as Line;
  if (isTitleLine(reader, index)) {
    pushHeading(reader, first.start, trimEnd(sink.text, first.start, first.end), TITLE_LEVEL);
    return index + 1;
  }
  if (isWrapped(sink.text, lines, index, last)) {
    openParagraph(reader);
    pushSentences(reader, first.start, (lines[last] as Line).end);
  } else {
    for (let at = index; at <= last; at += 1) {
      openParagraph(reader);
      pushSentences(reader, (lines[at] as Line).start, (lines[at] as Line).end);
    }
  }
  return last + 1;
}

/** A line per unit; of a table the first line, with the columns' names, comes with every other. */
function pushRecords(reader: BlockReader, first: number, last: number, hasHeader: boolean): void {
  const { sink, lines } = reader;
  openParagraph(reader);
  let { label } = reader;
  for (let at = first; at <= last; at += 1) {
    const line = lines[at] as Line;
    let { start } = line;
    if (hasHeader && at === first) {
      const header = firstRow(sink.text, line);
      // Not pushed as a label, of which tabs would be tidied.
      label = pushUnit(sink, skipSpace(sink.text, start, header.end), trimEnd(sink.text, start, header.end), "line", label);
      (sink.units[label] as Unit).role = "label";
      start = header.end;
    }
    const from = skipSpace(sink.text, start, line.end);
    const to = trimEnd(sink.text, from, line.end);
    if (to === from) continue;
    if (to - from <= MAX_SENTENCE_CHARS) pushUnit(sink, from, to, "line", label);
    else for (const sentence of splitSentences(sink.text, from, to)) pushUnit(sink, sentence.start, sentence.end, "line", label);
  }
}

function pushSentences({ sink, label, sectionPerParagraph }: BlockReader, from: number, to: number): void {
  let section = from;
  for (const { start, end } of splitSentences(sink.text, from, to)) {
    if (sectionPerParagraph && end - section > MAX_SECTION_CHARS) {
      openSection(sink);
      section = start;
    }
    pushUnit(sink, start, end, "sentence", label);
  }
}
