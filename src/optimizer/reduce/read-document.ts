import { appendBlocks } from "./blocks.ts";
import { appendTrajectory, appendTranscript } from "./dialogue.ts";
import type { ContextDocument } from "./document.ts";
import type { ContentKind } from "./kind.ts";
import { readContent } from "./json-content.ts";
import { isJsonContainer } from "./json-scan.ts";
import { appendJson } from "./json-tree.ts";
import { skipSpace, splitLines, trimEnd } from "./lines.ts";
import { splitSentences } from "./sentences.ts";
import { appendSourceCode } from "./source-code.ts";
import { createSink, finishUnits, openSection, pushUnit, type UnitSink } from "./unit-sink.ts";
import { RELEVANCE_WEIGHTS } from "./weights.ts";

/** A longer line is no log entry but text without line breaks, and is taken apart. */
const MAX_LOG_LINE_CHARS = 8_000;

/**
 * Takes a text apart into units. This is also the first saving: trailing and repeated whitespace goes, JSON loses its
 * indentation; code, tables and the strings of `keep` stay as they are.
 */
export function readDocument(text: string, kind: ContentKind, keep: readonly string[]): ContextDocument {
  const sink = createSink(text, keep);
  openSection(sink);
  appendContent(sink, kind);
  const units = finishUnits(sink);
  return { kind, weights: RELEVANCE_WEIGHTS[kind === "json" ? readContent(text) : kind], units, dropped: new Uint8Array(units.length), named: new Map() };
}

function appendContent(sink: UnitSink, kind: ContentKind): void {
  const { text } = sink;
  switch (kind) {
    case "json":
      return isJsonContainer(text) ? appendJson(sink, skipSpace(text, 0, text.length), trimEnd(text, 0, text.length), -1) : appendJsonLines(sink);
    case "trajectory":
      return appendTrajectory(sink);
    case "transcript":
      return appendTranscript(sink);
    case "code":
      return appendSourceCode(sink);
    case "log":
      return appendLines(sink);
    case "documents":
    case "prose":
      return appendBlocks(sink, 0, text.length);
  }
}

/** A JSON value a line. */
function appendJsonLines(sink: UnitSink): void {
  for (const line of splitLines(sink.text)) {
    const start = skipSpace(sink.text, line.start, line.end);
    const end = trimEnd(sink.text, start, line.end);
    if (end === start) continue;
    openSection(sink);
    if (isJsonContainer(sink.text.slice(start, end))) appendJson(sink, start, end, -1);
    else pushUnit(sink, start, end, "line");
  }
}

function appendLines(sink: UnitSink): void {
  for (const line of splitLines(sink.text)) {
    const end = trimEnd(sink.text, line.start, line.end);
    if (end === line.start) continue;
    openSection(sink);
    if (end - line.start <= MAX_LOG_LINE_CHARS) pushUnit(sink, line.start, end, "line");
    else for (const sentence of splitSentences(sink.text, line.start, end)) pushUnit(sink, sentence.start, sentence.end, "line");
  }
}
