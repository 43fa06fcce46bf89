import { appendBlocks } from "./blocks.ts";
import { isJsonContainer } from "./json-scan.ts";
import { appendJson } from "./json-tree.ts";
import { skipSpace, splitLines, trimEnd, type Line } from "./lines.ts";
import { splitSentences } from "./sentences.ts";
import { openSection, pushUnit, type UnitSink } from "./unit-sink.ts";

/** When something was said: `[00:01:23.4]`, `10:32 AM`, `12/03/2026, 10:32 -`, `2026-03-12T10:32:00Z`. */
const STAMP = String.raw`[\[(]?(?:\d{4}-\d{2}-\d{2}[T ,]{1,2}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4},? )?\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,6})?Z?(?: ?[AaPp]\.?[Mm]\.?)?[\])]?`;
const STAMPED = String.raw`(?:[-*>] )?(?:${STAMP}[ \t]{0,4}(?:[-–—][ \t])?)?`;
/** `Name:`, `[Name]:`, `**Name (Chair):**`, `Name (00:01:23):`, `[00:01:23] SPEAKER_01:`, `anna:` before what a person said. */
const SPEAKER = new RegExp(String.raw`^${STAMPED}(?:\*\*|\[)?(\p{Lu}[\p{L}\p{N} .,'’()/&_-]{0,48}|\p{Ll}[\p{L}\p{N}._-]{0,24}(?: \p{L}[\p{L}\p{N}._-]{0,15}){0,2})\]?(?:\*\*)?(?: ?${STAMP})?:(?:\*\*)?(?=[ \t]|$)`, "u");
/** `<anna>` of a chat, `<v Anna>` of subtitles. */
const TAGGED_SPEAKER = new RegExp(String.raw`^${STAMPED}<(?:v )?[@+~]?([\p{L}\p{N} ._|-]{1,40})>(?=\S| \S)`, "u");
/** `Anna Meier  00:01:23` on a line of its own, above what she said. */
const SPEAKER_LINE = new RegExp(String.raw`^(?:\*\*)?(\p{Lu}[\p{L}\p{N} .'’()&_-]{0,48}?)(?:\*\*)?[ \t]{1,8}${STAMP}[ \t]*$`, "u");
/** `00:00:01.000 --> 00:00:04.000` above a subtitle. */
const CUE = /^\d{1,2}:\d{2}(?::\d{2})?[.,]\d{3} --> \d/;
/** What comes before a colon in records and logs, and is nobody's name. */
const FIELD = /^(?:wikipedia )?(?:title|content|text|url|link|source|id|date|time|author|abstract|summary|body|snippet|score|description|question|answer|context|type|status|name|published|category|tags|keywords|note|info|warn(?:ing)?|error|debug|trace|fatal|notice|critical)s?$/i;

const ROLE_NAME = String.raw`(user|human|assistant|ai|agent|system|developer|tool|tool[_ ](?:call|result|response|use)|function|observation|action|action input|thought|final answer)`;
/** `assistant:`, `tool[name]:`, `assistant -> name(…)`, `### Assistant`, `<|im_start|>user`, `Thought 2:`: a turn of an agent. */
const ROLE = new RegExp(String.raw`^(?:${STAMP}[ \t]{0,4})?(?:step \d{1,4}:? \(?)?(?:\*\*|#{1,6} |<\|im_start\|>|<\|?)?${ROLE_NAME}(?: \d{1,4})?\b(?:\[[^\]\n]{0,80}\])?(?:, [^)\n:]{1,60})?\)?(?: -> [\w.-]{1,80}(?=\()|(?:\*\*|\|?>)?[ \t]{0,2}(?::(?:\*\*)?|$))`, "i");
/** `[USER]` */
const BRACKETED_ROLE = new RegExp(String.raw`^(?:${STAMP}[ \t]{0,4})?\[${ROLE_NAME}\](?::|(?=[ \t]|$))`, "i");

function headOf(text: string, line: Line): string {
  return text.slice(line.start, Math.min(line.end, line.start + 160));
}

/** Who speaks at the start of a line, and how many characters that takes, its colon included. */
interface Opening {
  name: string;
  length: number;
}

/** The person of whom a line says what was said; null for other lines. */
export function findSpeaker(text: string, line: Line): Opening | null {
  const head = headOf(text, line);
  const isTagged = head.includes("<");
  // Names and times have a colon.
  if (!isTagged && !head.includes(":")) return null;
  const found = SPEAKER.exec(head) ?? (isTagged ? TAGGED_SPEAKER.exec(head) : null) ?? (line.end - line.start <= head.length ? SPEAKER_LINE.exec(head) : null);
  return found === null || FIELD.test(found[1] as string) ? null : { name: found[1] as string, length: found[0].length };
}

export function isCue(text: string, line: Line): boolean {
  const code = text.charCodeAt(line.start);
  return code >= 48 && code <= 57 && CUE.test(text.slice(line.start, line.start + 40));
}

/** The role whose turn begins with a line; null for other lines. */
export function findRole(text: string, line: Line): Opening | null {
  const head = headOf(text, line);
  const found = ROLE.exec(head) ?? BRACKETED_ROLE.exec(head);
  return found === null ? null : { name: (found[1] as string).toLowerCase(), length: found[0].length };
}

/** Adds a conversation: one section per turn, the speaker as the label of what was said, the time of a subtitle as that of its text. */
export function appendTranscript(sink: UnitSink): void {
  const { text } = sink;
  const lines = splitLines(text);
  const lengthAt = (line: Line): number => (isCue(text, line) ? trimEnd(text, line.start, line.end) - line.start : (findSpeaker(text, line)?.length ?? 0));
  let cue = -1;
  for (const { first, last, length } of findTurns(text, lines, lengthAt)) {
    const line = lines[first] as Line;
    if (length > 0) openSection(sink);
    const label = length === 0 ? -1 : pushUnit(sink, line.start, trimEnd(text, line.start, line.start + length), "label", isCue(text, line) ? -1 : cue);
    if (isCue(text, line)) cue = label;
    const body = line.start + length;
    const turn = lines.slice(first, last + 1);
    if (turn.some((part) => isInBlock(text, part))) appendBlocks(sink, body, (lines[last] as Line).next, label, label === -1);
    else for (const { start, end } of turn) appendSaid(sink, Math.max(body, start), end, label);
  }
}

/** Whether a line is a fence or a row of a table, which stay whole. */
function isInBlock(text: string, line: Line): boolean {
  const start = skipSpace(text, line.start, line.end);
  return start < line.end && (text.charCodeAt(start) === 124 || text.startsWith("```", start) || text.startsWith("~~~", start));
}

function appendSaid(sink: UnitSink, from: number, to: number, label: number): void {
  if (label === -1) openSection(sink);
  for (const { start, end } of splitSentences(sink.text, from, to)) pushUnit(sink, start, end, "sentence", label);
}

/** Adds the turns of an agent: one section per turn, its JSON opened, its prose in blocks. */
export function appendTrajectory(sink: UnitSink): void {
  const { text } = sink;
  const lines = splitLines(text);
  for (const { first, last, length } of findTurns(text, lines, (line) => findRole(text, line)?.length ?? 0)) {
    const { start } = lines[first] as Line;
    appendTurn(sink, start, start + length, trimEnd(text, start, (lines[last] as Line).end));
  }
}

/** Lines `first … last`; the first says in so many characters whose turn it is, or in none. */
interface Turn {
  first: number;
  last: number;
  length: number;
}

/** Whose turn it is nothing in a code block tells. */
function findTurns(text: string, lines: readonly Line[], lengthAt: (line: Line) => number): Turn[] {
  const turns: Turn[] = [];
  const isFence = (line: Line): boolean => text.startsWith("```", line.start);
  const lastFence = lines.findLastIndex(isFence);
  let isInCode = false;
  lines.forEach((line, at) => {
    if (isFence(line)) isInCode = !isInCode && at < lastFence;
    const length = isInCode ? 0 : lengthAt(line);
    const turn = turns.at(-1);
    if (turn === undefined || length > 0) turns.push({ first: at, last: at, length });
    else turn.last = at;
  });
  return turns;
}

function appendTurn(sink: UnitSink, start: number, bodyFrom: number, end: number): void {
  openSection(sink);
  const label = bodyFrom > start ? pushUnit(sink, start, bodyFrom, "label") : -1;
  const body = skipSpace(sink.text, bodyFrom, end);
  const first = sink.text.charCodeAt(body);
  if (body < end && (first === 123 || first === 91) && isJsonContainer(sink.text.slice(body, end))) appendJson(sink, body, end, label);
  else if (first === 40) pushUnit(sink, body, end, "record", label);
  else appendBlocks(sink, body, end, label);
}
