import type { LanguageModelV4Prompt } from "@ai-sdk/provider";
import { findIntent } from "./offline-intent.ts";

/** One thing to work on: a file, an earlier task's result, or the text of the prompt itself. */
export interface Source {
  name: string | null;
  text: string;
}

export interface OfflineRequest {
  system: string;
  /** What is asked, without the material. */
  instruction: string;
  sources: Source[];
}

/** An instruction is a paragraph; what is longer is material. */
const MAX_INSTRUCTION_CHARACTERS = 1_000;
/** File markers are short lines; longer ones are content. */
const MAX_MARKER_CHARACTERS = 300;

/** Tells apart what a prompt asks and what it gives: sources in result tags, file markers, JSON, or plain text after the order. */
export function readRequest(prompt: LanguageModelV4Prompt): OfflineRequest {
  const system = prompt.flatMap((message) => (message.role === "system" ? [message.content] : [])).join("\n\n");
  const parts = prompt.flatMap(textsOfMessage);
  const task = withoutTag(parts.at(-1) ?? "", "schema");
  const given = parts.slice(0, -1).flatMap((part) => sourcesOfContext(part));
  const tagged = takeResults(task);
  const own = splitInstruction(tagged.rest.trim());
  return { system, instruction: own.instruction, sources: [...given, ...tagged.sources, ...sourcesOfMaterial(own.material)] };
}

function textsOfMessage(message: LanguageModelV4Prompt[number]): string[] {
  if (message.role !== "user" && message.role !== "assistant") return [];
  return message.content.flatMap((part) => (part.type === "text" ? [part.text] : []));
}

function sourcesOfContext(text: string): Source[] {
  const { sources, rest } = takeResults(text);
  return sources.length > 0 ? sources : sourcesOfMaterial(rest.trim());
}

/** Takes the `<result task="…">` blocks out of a text. */
function takeResults(text: string): { sources: Source[]; rest: string } {
  const sources: Source[] = [];
  let rest = "";
  let position = 0;
  for (;;) {
    const open = text.indexOf('<result task="', position);
    const bodyStart = open < 0 ? -1 : text.indexOf(">", open);
    const close = bodyStart < 0 ? -1 : text.indexOf("</result>", bodyStart);
    if (close < 0) return { sources, rest: rest + text.slice(position) };
    const name = text.slice(open, bodyStart).split('"')[1] ?? null;
    const inner = sourcesOfMaterial(text.slice(bodyStart + 1, close).trim());
    sources.push(...inner.map((source) => ({ name: source.name ?? name, text: source.text })));
    rest += text.slice(position, open);
    position = close + "</result>".length;
  }
}

function withoutTag(text: string, tag: string): string {
  const open = text.lastIndexOf(`<${tag}>`);
  const close = text.indexOf(`</${tag}>`, open);
  return open < 0 || close < 0 ? text : text.slice(0, open) + text.slice(close + tag.length + 3);
}

function splitInstruction(text: string): { instruction: string; material: string } {
  const at = startOfMaterial(text);
  const instruction = text.slice(0, at).trim();
  const material = text.slice(at).trim();
  if (findIntent(instruction) !== null || material === "") return { instruction, material };
  const lastParagraph = material.lastIndexOf("\n\n");
  const closing = lastParagraph < 0 ? "" : material.slice(lastParagraph).trim();
  const asksAtTheEnd = closing.length > 0 && closing.length <= MAX_INSTRUCTION_CHARACTERS && findIntent(closing) !== null;
  return asksAtTheEnd ? { instruction: closing, material: text.slice(0, text.length - closing.length).trim() } : { instruction, material };
}

/** Where the order ends: at the first file marker, at JSON, after the first paragraph, or after its colon. */
function startOfMaterial(text: string): number {
  const marker = indexOfMarker(text);
  if (marker >= 0) return marker;
  const json = text.search(/[[{]/);
  if (json >= 0 && json <= MAX_INSTRUCTION_CHARACTERS && parseJson(text.slice(json)) !== undefined) return json;
  const paragraph = text.indexOf("\n\n");
  if (paragraph >= 0 && paragraph <= MAX_INSTRUCTION_CHARACTERS) return paragraph;
  const head = text.slice(0, MAX_INSTRUCTION_CHARACTERS);
  const colon = head.search(/:\s/);
  if (colon >= 0) return colon + 1;
  const line = head.indexOf("\n");
  return line >= 0 ? line : text.length <= MAX_INSTRUCTION_CHARACTERS ? text.length : 0;
}

function indexOfMarker(text: string): number {
  let position = 0;
  for (const line of text.split("\n")) {
    if (markerName(line) !== null) return position;
    position += line.length + 1;
  }
  return -1;
}

/** The name in a line that opens a file: `=== a.ts ===`, `File: a.ts`, `<file path="a.ts">`, `## a.ts`. */
function markerName(line: string): string | null {
  if (line.length > MAX_MARKER_CHARACTERS) return null;
  const match =
    /^(?:={3,}|-{3,})\s*([^\s=-].*?)\s*(?:={3,}|-{3,})$/.exec(line) ??
    /^(?:#{1,6}\s+)?(?:File|Source|Document):\s*`?([^`\s]+)`?$/i.exec(line) ??
    /^<(?:file|document|source) (?:path|name|id)="([^"]+)">$/.exec(line) ??
    /^#{1,6}\s+`?([\w@./-]+\.[a-z]{1,5})`?$/.exec(line);
  return match?.[1] ?? null;
}

function sourcesOfMaterial(material: string): Source[] {
  if (material === "") return [];
  const value = /^[[{]/.test(material) ? parseJson(material) : undefined;
  const fromJson = value === undefined ? [] : sourcesOfJson(value);
  return fromJson.length > 0 ? fromJson : sourcesByMarker(material);
}

function sourcesByMarker(material: string): Source[] {
  const sources: { name: string | null; lines: string[] }[] = [{ name: null, lines: [] }];
  for (const line of material.split("\n")) {
    const name = markerName(line);
    if (name !== null) sources.push({ name, lines: [] });
    else if (!/^<\/(file|document|source)>$/.test(line)) sources.at(-1)?.lines.push(line);
  }
  return sources.map(({ name, lines }) => ({ name, text: lines.join("\n").trim() })).filter((source) => source.text !== "" || source.name !== null);
}

/** Sources of `{name: text}` and of `[{path, text}]` or `[text]`; empty when the value is something else. */
function sourcesOfJson(value: unknown): Source[] {
  if (Array.isArray(value)) return value.every((item) => nameAndText(item) !== null) ? value.flatMap((item) => nameAndText(item) ?? []) : [];
  const entries = Object.entries(value as Record<string, unknown>);
  const files = entries.every(([, text]) => typeof text === "string") && entries.some(([, text]) => String(text).includes("\n"));
  return files ? entries.map(([name, text]) => ({ name, text: String(text) })) : [];
}

function nameAndText(item: unknown): Source | null {
  if (typeof item === "string") return { name: null, text: item };
  if (typeof item !== "object" || item === null) return null;
  const record = item as Record<string, unknown>;
  const text = record["text"] ?? record["content"] ?? record["body"] ?? record["output"];
  const name = record["path"] ?? record["name"] ?? record["file"] ?? record["title"] ?? record["id"];
  return typeof text === "string" ? { name: typeof name === "string" ? name : null, text } : null;
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
