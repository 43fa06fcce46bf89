import { isSpaceCode, splitLines, type Line } from "./lines.ts";
import { openSection, pushUnit, type UnitSink } from "./unit-sink.ts";

const OPENS_BLOCK = /^(?:export |pub(?:\([a-z]+\))? |public |private |protected |static |async |default |abstract |final )*(?:function|class|interface|type|enum|const|let|var|def|fn|func|struct|impl|trait|module|namespace|package|import|from|use|using|#include|void|int|object|record|template|@)\b/;

/** Whether a line begins a declaration at the outermost level. */
export function opensBlock(text: string, line: Line): boolean {
  const code = text.charCodeAt(line.start);
  if (line.start === line.end || isSpaceCode(code)) return false;
  return OPENS_BLOCK.test(text.slice(line.start, Math.min(line.end, line.start + 120)));
}

/** Adds source code: one unit per outermost declaration, with the comment above it. A declaration is never cut. */
export function appendSourceCode(sink: UnitSink): void {
  const { text } = sink;
  const lines = splitLines(text);
  let first = 0;
  for (let index = 1; index <= lines.length; index += 1) {
    if (index < lines.length && !startsDeclaration(text, lines, index)) continue;
    pushDeclaration(sink, lines, first, index - 1);
    first = index;
  }
}

function startsDeclaration(text: string, lines: readonly Line[], index: number): boolean {
  const line = lines[index] as Line;
  if (line.start === line.end || isSpaceCode(text.charCodeAt(line.start)) || "})]".includes(text.charAt(line.start))) return false;
  const before = lines[index - 1] as Line;
  // After an empty line, or a declaration right below the closing line of another.
  return before.start === before.end || (opensBlock(text, line) && "})];".includes(text.charAt(before.start)));
}

function pushDeclaration(sink: UnitSink, lines: readonly Line[], first: number, last: number): void {
  let end = last;
  while (end > first && (lines[end] as Line).start === (lines[end] as Line).end) end -= 1;
  const [from, to] = [(lines[first] as Line).start, (lines[end] as Line).end];
  if (from === to) return;
  openSection(sink);
  pushUnit(sink, from, to, "code");
}
