import { documentLabelLength } from "./blocks.ts";
import type { ContentKind } from "./document.ts";
import { roleLength, speakerLength } from "./dialogue.ts";
import { isJsonContainer } from "./json-scan.ts";
import { isSpaceCode, splitLines, type Line } from "./lines.ts";
import { opensBlock } from "./source-code.ts";

/** Lines looked at, spread over the text, to tell its kind. */
const SAMPLED_LINES = 400;

const LOG_TIME = /\d{1,4}[-/.:]\d{1,2}[-/.:]\d{1,4}|\b\d{10,13}\b/;
const LOG_LEVEL = /\b(?:INFO|WARN(?:ING)?|ERROR|DEBUG|TRACE|FATAL|NOTICE|CRITICAL|SEVERE)\b|\[(?:info|warn|warning|error|debug|notice|trace|fatal|crit)\]/;
const CODE_LINE = /[;{}]$|^\s*(?:\/\/|\*|#include|import |from |return\b|if ?\(|for ?\(|def |class |fn |func |const |let |var |@\w+)|=>|\):$|^\s*(?:if|elif|else|for|while|try|except|finally|with)\b.{0,100}:$|^\s*[\w.[\]"']{1,60} [-+*/|]?= \S|^\s+(?:self|this)\.\w/;

/** What a text is, from a bounded sample of its lines (JSON: from all of it). */
export function detectKind(text: string): ContentKind {
  if (isJsonContainer(text)) return "json";
  const lines = sampleLines(text);
  if (lines.length === 0) return "prose";
  const share = (test: (line: Line) => boolean): number => lines.filter(test).length / lines.length;
  if (lines.length > 1 && share((line) => text.charCodeAt(line.start) === 123 && text.charCodeAt(line.end - 1) === 125) > 0.8) return "log";
  if (isTrajectory(text, lines)) return "trajectory";
  if (share((line) => documentLabelLength(text, line) > 0) > 0.3) return "documents";
  if (lines.length >= 3 && share((line) => isLogLine(text, line)) > 0.6) return "log";
  if (isTranscript(text, lines)) return "transcript";
  // A fence inside a line is a string or a comment of the program itself.
  if (!lines.some((line) => text.startsWith("```", line.start)) && isSourceCode(text, lines, share)) return "code";
  return "prose";
}

function sampleLines(text: string): Line[] {
  const all = splitLines(text).filter((line) => line.start < line.end);
  const step = Math.max(1, Math.floor(all.length / SAMPLED_LINES));
  return step === 1 ? all : all.filter((_, index) => index % step === 0);
}

/** Two roles that take turns. */
function isTrajectory(text: string, lines: readonly Line[]): boolean {
  const turns = lines.filter((line) => roleLength(text, line) > 0);
  const roles = new Set(turns.map((line) => text.slice(line.start, line.start + 4).toLowerCase()));
  return turns.length >= 3 && roles.size >= 2 && turns.length > lines.length * 0.02;
}

function isTranscript(text: string, lines: readonly Line[]): boolean {
  const names = lines.map((line) => text.slice(line.start, line.start + speakerLength(text, line))).filter((name) => name !== "");
  return names.length >= 4 && names.length > lines.length * 0.4 && new Set(names).size <= names.length * 0.6;
}

function isLogLine(text: string, line: Line): boolean {
  const head = text.slice(line.start, Math.min(line.end, line.start + 120));
  return !isSpaceCode(head.charCodeAt(0)) && (LOG_TIME.test(head.slice(0, 80)) || LOG_LEVEL.test(head));
}

function isSourceCode(text: string, lines: readonly Line[], share: (test: (line: Line) => boolean) => number): boolean {
  const isCode = (line: Line): boolean => CODE_LINE.test(text.slice(line.start, Math.min(line.end, line.start + 200)));
  return lines.length >= 5 && lines.some((line) => opensBlock(text, line)) && share(isCode) > 0.35;
}
