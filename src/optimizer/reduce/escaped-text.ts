import type { TextRange } from "./document.ts";
import { splitSentences } from "./sentences.ts";

/** The longest escape, `\\u00e9`, without its last character. */
const MAX_ESCAPE_TAIL = 5;

/**
 * Cuts `[from, to)` inside a JSON string into its lines and sentences, without the whitespace and line breaks (`\\n`) between them.
 * Code between fences is one part, and no escape is cut. Linear.
 */
export function splitEscaped(json: string, from: number, to: number): TextRange[] {
  const parts: TextRange[] = [];
  let code: TextRange | null = null;
  for (let start = from; start < to; ) {
    const end = findEscapedBreak(json, start, to);
    const isFence = json.startsWith("```", start);
    if (code !== null) code.end = end;
    else if (isFence) parts.push((code = { start, end }));
    else for (const sentence of splitSentences(json, start, end)) pushPart(json, parts, sentence);
    if (isFence && code !== null && code.start !== start) code = null;
    start = end + 2;
  }
  return parts;
}

function findEscapedBreak(json: string, from: number, to: number): number {
  for (let at = from; at < to; at += 1) {
    if (json.charCodeAt(at) !== BACKSLASH) continue;
    if (json.charCodeAt(at + 1) === SMALL_N) return at;
    at += 1;
  }
  return to;
}

const BACKSLASH = 92;
const SMALL_N = 110;

/** A part that begins within an escape is joined to the one before. */
function pushPart(json: string, parts: TextRange[], part: TextRange): void {
  const last = parts.at(-1);
  if (last?.end === part.start && json.slice(Math.max(last.start, part.start - MAX_ESCAPE_TAIL), part.start).includes("\\")) last.end = part.end;
  else parts.push(part);
}
