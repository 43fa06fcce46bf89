import { skipSpace, splitLines, trimEnd, type Line } from "./lines.ts";
import { findRecords, firstRow } from "./record-lines.ts";
import { MAX_SENTENCE_CHARS, splitSentences } from "./sentences.ts";
import type { Unit } from "./document.ts";
import { openSection, pushUnit, type UnitSink } from "./unit-sink.ts";

/** Lists of up to this many items are one thing and stay whole; of longer ones the items are chosen. */
export const MAX_WHOLE_LIST_ITEMS = 12;
/** Lines of a paragraph that are longer than this on average were not wrapped: each is a paragraph of its own. */
const WRAPPED_LINE_CHARS = 120;

const HEADING = /^#{1,6}[ \t]/;
const LIST_ITEM = /^[ \t]{0,12}(?:[-*+•]|\d{1,4}[.)])[ \t]/;
const DOCUMENT_LABEL = /^(?:#{1,4} |\*\*)?(?:Document|Doc|Passage|Source|Article|Context|Excerpt|Result|File)[ \t]{0,2}(?:\[\d{1,6}\]|#?\d{1,6}\b)[ \t]{0,2}(?:\((?:Title|title): [^\n]{0,300}?\)(?=[ \t]|$)|[:.—-])?/;
const BRACKET_LABEL = /^\[\d{1,4}\][ \t](?:[^\n.:]{1,120}:)?/;

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

/** Length of a label such as `Document [3] (Title: …)` at the start of a line, or 0. */
export function documentLabelLength(text: string, line: Line): number {
  const first = text.charCodeAt(line.start);
  // D P S A C E R F, and the marks that may stand before them.
  const mayBegin = first === 68 || first === 80 || first === 83 || first === 65 || first === 67 || first === 69 || first === 82 || first === 70 || first === 91 || first === 35 || first === 42;
  if (!mayBegin) return 0;
  const head = text.slice(line.start, Math.min(line.end, line.start + 400));
  return (DOCUMENT_LABEL.exec(head) ?? BRACKET_LABEL.exec(head))?.[0].length ?? 0;
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
}

/** Adds the units of `[from, to)` of running text or Markdown under a `label`: as one section, or (a file) as sections of their own. */
export function appendBlocks(sink: UnitSink, from: number, to: number, label = -1, sectionPerParagraph = label === -1): void {
  const lines = splitLines(sink.text, from, to);
  const kinds = lines.map((line) => lineKind(sink.text, line));
  const reader: BlockReader = { sink, lines, kinds, headings: label !== -1 && sectionPerParagraph ? [{ level: 0, unit: label }] : [], label, lastFence: kinds.lastIndexOf("fence"), sectionPerParagraph };
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
  const { sink, headings } = reader;
  const start = skipSpace(sink.text, line.start, line.end);
  let level = 0;
  while (sink.text.charCodeAt(start + level) === 35) level += 1;
  while (headings.length > 0 && (headings.at(-1)?.level ?? 0) >= level) headings.pop();
  if (reader.sectionPerParagraph) openSection(sink);
  const unit = pushUnit(sink, start, trimEnd(sink.text, start, line.end), "label", headings.at(-1)?.unit ?? -1);
  headings.push({ level, unit });
  reader.label = unit;
  return index + 1;
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
  if (items.length <= MAX_WHOLE_LIST_ITEMS) return Math.max(next, pushRun(reader, index, last, "item"));
  items.forEach((item, order) => {
    let end = (items[order + 1] ?? last + 1) - 1;
    while (reader.kinds[end] === "blank") end -= 1;
    pushRun(reader, item, end, "item");
  });
  return next;
}

function readDocument(reader: BlockReader, index: number, line: Line): number {
  const { sink } = reader;
  openSection(sink);
  const end = line.start + documentLabelLength(sink.text, line);
  reader.headings = [];
  reader.label = pushUnit(sink, line.start, trimEnd(sink.text, line.start, end), "label");
  reader.sectionPerParagraph = false;
  pushSentences(reader, end, line.end);
  return index + 1;
}

function readParagraph(reader: BlockReader, index: number): number {
  const { sink, lines, kinds } = reader;
  let last = index;
  while (last + 1 < lines.length && (kinds[last + 1] === "text" || kinds[last + 1] === "indented")) last += 1;
  const first = lines[index] as Line;
  const records = findRecords(sink.text, lines, index, last);
  if (records !== undefined) {
    pushRecords(reader, index, last, records.hasHeader);
    return last + 1;
  }
  const isWrapped = (lines[last] as Line).end - first.start < WRAPPED_LINE_CHARS * (last - index + 1);
  if (isWrapped) {
    if (reader.sectionPerParagraph) openSection(sink);
    pushSentences(reader, first.start, (lines[last] as Line).end);
  } else {
    for (let at = index; at <= last; at += 1) {
      if (reader.sectionPerParagraph) openSection(sink);
      pushSentences(reader, (lines[at] as Line).start, (lines[at] as Line).end);
    }
  }
  return last + 1;
}

/** A line per unit; of a table the first line, with the columns' names, comes with every other. */
function pushRecords(reader: BlockReader, first: number, last: number, hasHeader: boolean): void {
  const { sink, lines } = reader;
  if (reader.sectionPerParagraph) openSection(sink);
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

function pushSentences(reader: BlockReader, from: number, to: number): void {
  for (const { start, end } of splitSentences(reader.sink.text, from, to)) pushUnit(reader.sink, start, end, "sentence", reader.label);
}
