import { appendBlocks } from "./blocks.ts";
import { isJsonContainer } from "./json-scan.ts";
import { appendJson } from "./json-tree.ts";
import { skipSpace, splitLines, trimEnd, type Line } from "./lines.ts";
import { splitSentences } from "./sentences.ts";
import { openSection, pushUnit, type UnitSink } from "./unit-sink.ts";

/** `Name:` or `[Name]` before what a person said. */
const SPEAKER = /^(?:\[\d{1,2}:\d{2}(?::\d{2})?\][ \t]*)?\[?[\p{Lu}][\p{L}\p{N} .,'’()/&-]{0,48}\]?:(?=[ \t]|$)/u;
/** `assistant:`, `tool[name]:`, `assistant -> name(…)`: a turn of an agent. */
const ROLE = /^(?:\*\*|#{1,4} |<\|?)?(?:user|human|assistant|ai|agent|system|developer|tool|tool[_ ](?:call|result|response|use)|function|observation|action|action input|thought|final answer)\b(?:\[[^\]\n]{0,80}\])?(?: -> [\w.-]{1,80}(?=\()|(?:\*\*|\|?>)?[ \t]{0,2}(?::(?:\*\*)?|$))/i;

function headOf(text: string, line: Line): string {
  return text.slice(line.start, Math.min(line.end, line.start + 160));
}

/** Length of the speaker's name with its colon at the start of a line, or 0. */
export function speakerLength(text: string, line: Line): number {
  return SPEAKER.exec(headOf(text, line))?.[0].length ?? 0;
}

/** Length of an agent turn's role at the start of a line, or 0. */
export function roleLength(text: string, line: Line): number {
  return ROLE.exec(headOf(text, line))?.[0].length ?? 0;
}

/** Adds a conversation: one section per turn, the speaker as the label of its sentences. */
export function appendTranscript(sink: UnitSink): void {
  let label = -1;
  for (const line of splitLines(sink.text)) {
    const length = speakerLength(sink.text, line);
    if (length > 0) {
      openSection(sink);
      label = pushUnit(sink, line.start, line.start + length, "label");
    }
    for (const { start, end } of splitSentences(sink.text, line.start + length, line.end)) pushUnit(sink, start, end, "sentence", label);
  }
}

/** Adds the turns of an agent: one section per turn, its JSON opened, its prose in blocks. */
export function appendTrajectory(sink: UnitSink): void {
  const lines = splitLines(sink.text);
  let index = 0;
  while (index < lines.length) {
    const line = lines[index] as Line;
    let next = index + 1;
    while (next < lines.length && roleLength(sink.text, lines[next] as Line) === 0) next += 1;
    const end = trimEnd(sink.text, line.start, (lines[next - 1] as Line).end);
    appendTurn(sink, line.start, line.start + roleLength(sink.text, line), end);
    index = next;
  }
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
