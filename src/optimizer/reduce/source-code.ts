import { appendBlocks } from "./blocks.ts";
import { isSpaceCode, skipSpace, splitLines, trimEnd, type Line } from "./lines.ts";
import { fileLabelPath, isProsePath } from "./source-files.ts";
import { openSection, pushUnit, type UnitSink } from "./unit-sink.ts";

/** A longer declaration is taken apart into its members, a long function into paragraphs of statements; its head stays with each. */
const WHOLE_DECLARATION_CHARS = 1_600;
/** Shorter parts go together with the next one. */
const MIN_PART_CHARS = 240;
/** What has no members that could be told apart, and is longer than this, is data: it is cut between lines. */
const MAX_UNIT_CHARS = 8_000;
/** Classes in namespaces in files: deeper bodies stay whole. */
const MAX_DEPTH = 3;

const OPENS_BLOCK = /^(?:export |pub(?:\([a-z]+\))? |public |private |protected |static |async |default |abstract |final |declare )*(?:function|class|interface|type|enum|const|let|var|def|fn|func|struct|impl|trait|module|namespace|package|import|from|use|using|#include|#define|void|int|object|record|template|@)\b/;
const OPENS_COMMENT = /^(?:\/\*|\/\/|#|--|"""|'''|;;|%)/;
const IMPORT = /^(?:import|from|use|using|#include|package|require)\b|^(?:const|let|var) [^=]{1,200}= ?require\(/;

/** Whether a line begins a declaration at the outermost level. */
export function opensBlock(text: string, line: Line): boolean {
  const code = text.charCodeAt(line.start);
  if (line.start === line.end || isSpaceCode(code)) return false;
  return OPENS_BLOCK.test(headOf(text, line));
}

function headOf(text: string, line: Line): string {
  return text.slice(line.start, Math.min(line.end, line.start + 120));
}

/**
 * Adds source code: one unit per outermost declaration, with the comment above it; of a long declaration one per member, each
 * needing its head. Lines that name a file (`src/a.ts`, `// File: a.ts`) are labels of what follows, up to the next; files of
 * prose are read as prose.
 */
export function appendSourceCode(sink: UnitSink): void {
  const lines = splitLines(sink.text);
  let first = 0;
  let label = -1;
  let isProse = false;
  for (let index = 0; index <= lines.length; index += 1) {
    const path = index < lines.length ? fileLabelPath(sink.text, lines[index] as Line) : "";
    if (index < lines.length && path === "") continue;
    appendFile(sink, lines, first, index, label, isProse);
    if (index === lines.length) return;
    openSection(sink);
    const line = lines[index] as Line;
    label = pushUnit(sink, line.start, trimEnd(sink.text, line.start, line.end), "label");
    isProse = isProsePath(path);
    first = index + 1;
  }
}

/** Adds the lines `[first, end)` of one file. */
function appendFile(sink: UnitSink, lines: readonly Line[], first: number, end: number, label: number, isProse: boolean): void {
  if (first >= end) return;
  if (isProse) return appendBlocks(sink, (lines[first] as Line).start, (lines[end - 1] as Line).next, label, true);
  let start = first;
  for (let index = first + 1; index <= end; index += 1) {
    if (index < end && !startsDeclaration(sink.text, lines, index)) continue;
    appendDeclaration(sink, lines, start, index, label, 0);
    start = index;
  }
}

function startsDeclaration(text: string, lines: readonly Line[], index: number): boolean {
  const line = lines[index] as Line;
  if (line.start === line.end || isSpaceCode(text.charCodeAt(line.start)) || "})]".includes(text.charAt(line.start))) return false;
  const before = lines[index - 1] as Line;
  if (isBlank(text, before)) return true;
  const head = headOf(text, line);
  const opens = OPENS_BLOCK.test(head);
  // Right below the closing line of another, or below a statement of one line; imports stay together, and a comment with what it is about.
  if ("})];".includes(text.charAt(before.start))) return opens || OPENS_COMMENT.test(head);
  const headBefore = headOf(text, before);
  if (isSpaceCode(text.charCodeAt(before.start)) || OPENS_COMMENT.test(headBefore) || text.startsWith("*/", before.start) || headBefore.startsWith("@")) return false;
  return (opens || OPENS_COMMENT.test(head)) && !(IMPORT.test(head) && IMPORT.test(headBefore)) && text.charCodeAt(before.end - 1) === SEMICOLON;
}

const SEMICOLON = 59;

function isBlank(text: string, line: Line): boolean {
  return skipSpace(text, line.start, line.end) === line.end;
}

/** Adds the lines `[first, end)`, one declaration with its comment. */
function appendDeclaration(sink: UnitSink, lines: readonly Line[], first: number, end: number, label: number, depth: number): void {
  let last = end - 1;
  while (last > first && isBlank(sink.text, lines[last] as Line)) last -= 1;
  const [from, to] = [(lines[first] as Line).start, (lines[last] as Line).end];
  if (skipSpace(sink.text, from, to) === to) return;
  if (label === -1 && depth === 0) openSection(sink);
  const parts = to - from <= WHOLE_DECLARATION_CHARS || depth === MAX_DEPTH ? [] : partsOf(sink.text, lines, first, last + 1);
  if (parts.length < 2) return pushLines(sink, lines, first, last, label);
  const [head, ...members] = parts as [number, ...number[]];
  const headEnd = members[0] as number;
  const unit = pushUnit(sink, (lines[head] as Line).start, trimEnd(sink.text, (lines[head] as Line).start, (lines[headEnd - 1] as Line).end), "label", label);
  members.forEach((start, order) => appendDeclaration(sink, lines, start, members[order + 1] ?? last + 1, unit, depth + 1));
}

/** Adds the lines `first … last` as one unit, or as several of whole lines if they are very long. */
function pushLines(sink: UnitSink, lines: readonly Line[], first: number, last: number, label: number): void {
  let from = (lines[first] as Line).start;
  if ((lines[last] as Line).end - from > MAX_UNIT_CHARS) {
    for (let index = first; index < last; index += 1) {
      const { end, next } = lines[index] as Line;
      if (end - from < WHOLE_DECLARATION_CHARS) continue;
      pushUnit(sink, from, end, "code", label);
      from = next;
    }
  }
  if (from < (lines[last] as Line).end) pushUnit(sink, from, (lines[last] as Line).end, "code", label);
}

/** Where the head of a declaration and its members begin, as line numbers; fewer than two where it cannot be taken apart. */
function partsOf(text: string, lines: readonly Line[], first: number, end: number): number[] {
  const outer = indentOf(text, lines[first] as Line);
  const body = findBody(text, lines, first, end, outer);
  if (body === -1) return [];
  const indent = indentOf(text, lines[body] as Line);
  const starts = [first, body];
  for (let index = body + 1; index < end; index += 1) {
    const line = lines[index] as Line;
    if (isBlank(text, line) || indentOf(text, line) !== indent || !isBlank(text, lines[index - 1] as Line)) continue;
    if (line.start - (lines[starts.at(-1) as number] as Line).start >= MIN_PART_CHARS) starts.push(index);
  }
  return starts.length > 2 ? starts : [];
}

/** The first line of a declaration's body: the first one indented below the line that opens it. */
function findBody(text: string, lines: readonly Line[], first: number, end: number, outer: number): number {
  let isOpen = false;
  for (let index = first; index < end; index += 1) {
    const line = lines[index] as Line;
    if (isBlank(text, line)) continue;
    if (isOpen && indentOf(text, line) > outer) return index;
    const stop = text.charAt(trimEnd(text, line.start, line.end) - 1);
    isOpen = indentOf(text, line) === outer && (stop === "{" || stop === ":" || stop === "(" || stop === "[");
  }
  return -1;
}

function indentOf(text: string, line: Line): number {
  return skipSpace(text, line.start, line.end) - line.start;
}
