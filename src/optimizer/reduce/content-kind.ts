import { documentLabelLength } from "./labels.ts";
import type { ContentKind } from "./kind.ts";
import { findRole, findSpeaker, isCue } from "./dialogue.ts";
import { readContent } from "./json-content.ts";
import { isJsonContainer } from "./json-scan.ts";
import { firstRow, isTableWithHeader } from "./record-lines.ts";
import { isSpaceCode, splitLines, type Line } from "./lines.ts";
import { opensBlock } from "./source-code.ts";

/** Lines looked at, spread over the text, to tell its kind. */
const SAMPLED_LINES = 400;
const SAMPLED_RUN = 20;

/** From which share of its sampled lines on a text is of a kind: between what texts of the kind and all others have, by hand. */
const SHARES = { jsonLines: 0.8, roles: 0.02, documentLabels: 0.3, cues: 0.15, speakers: 0.4, logLines: 0.6, code: 0.35 };
/** A log tells levels in most lines, talk in few. */
const MAX_LEVELS_IN_TALK = 0.2;
/** Of the lines that begin with a name so many may have one of their own: people speak again, keys of records seldom come back. */
const MAX_DIFFERENT_NAMES = 0.6;

/** Where a log line tells its level. */
const LOG_HEAD_CHARS = 120;
/** Words that somebody says at least where names are not capitalised: `name: value` is no talk. */
const MIN_SAID_WORDS = 4;

/** Headings, code blocks and tables: a page that somebody wrote. */
const STRUCTURED = /^(?:#{1,4}|```|~~~|\|)/;
/** Of the lines of meetings a quarter to nine tenths hold such a word; of articles seldom a tenth. */
const SAID = /\b(?:I|we|you|yeah|okay|um|uh)\b/;
const SAID_SHARE = 0.3;
/** Fewer lines may be a letter. Shorter ones are names or answers, of longer ones the beginning tells. */
const MIN_SAID_LINES = 20;
const MIN_SAID_CHARS = 40;
const MAX_SAID_CHARS = 300;

const LOG_TIME = /\d{1,4}[-/.:]\d{1,2}[-/.:]\d{1,4}|\b\d{10,13}\b/;
const LOG_LEVEL = /\b(?:INFO|WARN(?:ING)?|ERROR|DEBUG|TRACE|FATAL|NOTICE|CRITICAL|SEVERE)\b|\[(?:info|warn|warning|error|debug|notice|trace|fatal|crit)\]/;
/** `   12\t` of a listing. */
const LINE_NUMBER = /^ {0,8}\d{1,7}(?:\t|: | \| )/;
/** `orders-1  | …`: the output of several services in one. */
const LOG_SOURCE = /^[\w.-]{1,40} {1,12}\| /;
const CODE_LINE = /[;{}]$|^\s*(?:\/\/|\*|#include|import |from |return\b|if ?\(|for ?\(|def |class |fn |func |const |let |var |@\w+)|=>|\):$|^\s*(?:if|elif|else|for|while|try|except|finally|with)\b.{0,100}:$|^\s*[\w.[\]"']{1,60} [-+*/|]?= \S|^\s+(?:self|this)\.\w/;

/** What a text is, from a bounded sample of its lines (JSON: from all of it). */
export function detectKind(text: string): ContentKind {
  if (isJsonContainer(text)) return "json";
  const lines = sampleLines(text);
  if (lines.length === 0) return "prose";
  const share = (test: (line: Line) => boolean): number => lines.filter(test).length / lines.length;
  if (lines.length > 1 && share((line) => text.charCodeAt(line.start) === 123 && text.charCodeAt(line.end - 1) === 125) > SHARES.jsonLines) return readContent(text) === "log" ? "log" : "json";
  if (isTrajectory(text, lines)) return "trajectory";
  if (share((line) => documentLabelLength(text, line) > 0) > SHARES.documentLabels) return "documents";
  // Talk may tell its times, as a log does, but no levels.
  const isTalk = isTranscript(text, lines) && share((line) => LOG_LEVEL.test(text.slice(line.start, Math.min(line.end, line.start + LOG_HEAD_CHARS)))) < MAX_LEVELS_IN_TALK;
  if (isTalk) return "transcript";
  if (lines.length >= 3 && share((line) => isLogLine(text, line)) > SHARES.logLines) return isTableWithHeader(text, lines) ? "prose" : "log";
  if (isTalkOfNobody(text, lines)) return "transcript";
  // A fence inside a line is a string or a comment of the program itself.
  if (!lines.some((line) => text.startsWith("```", line.start)) && isSourceCode(text, lines, share)) return "code";
  return "prose";
}

/** In runs of lines that follow each other: of every third line alone, those of one kind could all be missed. */
function sampleLines(text: string): Line[] {
  const all = splitLines(text).filter((line) => line.start < line.end);
  const step = Math.max(1, Math.floor(all.length / SAMPLED_LINES)) * SAMPLED_RUN;
  const sample = step === SAMPLED_RUN ? all : all.filter((_, index) => index % step < SAMPLED_RUN);
  // Of megabytes of tiny lines several come as one; the first of them tells.
  return sample.map((line) => firstRow(text, line)).filter((line) => line.start < line.end);
}

/** Two roles that take turns. */
function isTrajectory(text: string, lines: readonly Line[]): boolean {
  const roles = lines.flatMap((line) => findRole(text, line)?.name ?? []);
  return roles.length >= 3 && new Set(roles).size >= 2 && roles.length > lines.length * SHARES.roles;
}

/** A few people who take turns. */
function isTranscript(text: string, lines: readonly Line[]): boolean {
  if (lines.filter((line) => isCue(text, line)).length > lines.length * SHARES.cues) return true;
  const turns = lines.flatMap((line) => {
    const speaker = findSpeaker(text, line);
    return speaker === null ? [] : [{ name: speaker.name, isSaying: isCapital(speaker.name) || countWords(text.slice(line.start + speaker.length, line.end)) >= MIN_SAID_WORDS }];
  });
  const saying = turns.filter(({ isSaying }) => isSaying);
  return turns.length >= 4 && turns.length > lines.length * SHARES.speakers && saying.length > turns.length * 0.5 && new Set(turns.map(({ name }) => name)).size <= turns.length * MAX_DIFFERENT_NAMES;
}

/** Talk written down without names: many lines, and in many of them somebody speaks of himself or to another. */
function isTalkOfNobody(text: string, lines: readonly Line[]): boolean {
  if (lines.some((line) => STRUCTURED.test(text.slice(line.start, line.start + 4)))) return false;
  const said = lines.filter((line) => line.end - line.start >= MIN_SAID_CHARS);
  return said.length >= MIN_SAID_LINES && said.filter((line) => SAID.test(text.slice(line.start, Math.min(line.end, line.start + MAX_SAID_CHARS)))).length > said.length * SAID_SHARE;
}

function isCapital(name: string): boolean {
  return name.charAt(0) !== name.charAt(0).toLowerCase();
}

function countWords(text: string): number {
  return text.split(" ", MIN_SAID_WORDS + 2).filter(Boolean).length;
}

function isLogLine(text: string, line: Line): boolean {
  const head = text.slice(line.start, Math.min(line.end, line.start + LOG_HEAD_CHARS)).replace(LINE_NUMBER, "");
  // A row of a table may hold times.
  return !isSpaceCode(head.charCodeAt(0)) && head.charCodeAt(0) !== 124 && (LOG_TIME.test(head.slice(0, 80)) || LOG_LEVEL.test(head) || LOG_SOURCE.test(head));
}

function isSourceCode(text: string, lines: readonly Line[], share: (test: (line: Line) => boolean) => number): boolean {
  const isCode = (line: Line): boolean => CODE_LINE.test(text.slice(line.start, Math.min(line.end, line.start + 200)));
  return lines.length >= 5 && lines.some((line) => opensBlock(text, line)) && share(isCode) > SHARES.code;
}
