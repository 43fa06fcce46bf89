import type { Source } from "./offline-request.ts";
import { pickSentences } from "./offline-summary.ts";
import { bulletOf, cutText, headingOf, linesOf, linesOutsideCode, stripMarks } from "./offline-text.ts";

/** Kinds of things an instruction can ask for by name, and how they are found in a line. */
const ENTITIES: { asked: RegExp; found: RegExp }[] = [
  { asked: /\be-?mails?\b/i, found: /[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}/g },
  { asked: /\b(urls?|links?)\b/i, found: /https?:\/\/[^\s<>()"'`]{1,500}/g },
  { asked: /\bdates?\b/i, found: /\b\d{4}-\d{2}-\d{2}(?:T[\d:.]{5,12}Z?)?\b/g },
  { asked: /\b(amounts?|prices?|costs)\b/i, found: /[$€£]\s?\d[\d,.]{0,20}|\b\d[\d,.]{0,20}\s?(?:USD|EUR|GBP)\b/g },
  { asked: /\b(numbers?|figures?|metrics)\b/i, found: /(?<![\w.])-?\d[\d,]{0,20}(?:\.\d{1,20})?\s?(?:%|ms|KiB|MiB|GiB|[smhd]\b)?/g },
  { asked: /\b(todos?|fixmes?|open points)\b/i, found: /\b(?:TODO|FIXME|XXX)\b.{0,200}/g },
];

const MAX_FINDING_CHARACTERS = 280;
const MAX_NAMES = 14;

/** The things that the instruction names (e-mail addresses, URLs, dates, …), each once, in order; null when it names none. */
export function extractAsked(instruction: string, text: string): string[] | null {
  const asked = ENTITIES.filter((entity) => entity.asked.test(instruction));
  if (asked.length === 0) return null;
  const found = new Set<string>();
  for (const line of linesOf(text)) {
    for (const entity of asked) for (const match of line.matchAll(entity.found)) found.add(match[0].trim().replace(/[.,;:]$/, ""));
  }
  return [...found];
}

/** What matters in one source, most important first: one finding per line, without bullets. */
export function findingsOf(source: Source, query: string): string[] {
  const findings = isCode(source) ? codeFindings(source.text) : proseFindings(source.text, query);
  const all = [...findings, ...openPoints(source.text)];
  return all.map((finding) => cutText(finding.replaceAll(/\s+/g, " ").trim(), MAX_FINDING_CHARACTERS));
}

/** Whether a source reads as code: by its name, else by the share of lines that end like code. */
function isCode({ name, text }: Source): boolean {
  const extension = /\.([a-z]+)$/.exec(name ?? "")?.[1];
  if (extension !== undefined && /^(md|mdx|txt|rst|adoc|html|csv|log)$/.test(extension)) return false;
  if (extension !== undefined && /^(ts|tsx|js|jsx|mjs|py|go|rs|java|kt|rb|php|c|h|cc|cpp|cs|swift|sh|sql|css)$/.test(extension)) return true;
  const lines = linesOf(text).filter((line) => line !== "").slice(0, 400);
  return lines.filter((line) => /[;{}]$|^\s*(import|export|def|class|func|fn)\b/.test(line)).length > lines.length / 3;
}

function codeFindings(text: string): string[] {
  const lines = linesOf(text);
  const findings: string[] = [];
  const firstDeclaration = lines.findIndex((line) => DECLARATION.test(line));
  const start = lines.findIndex(opensComment);
  const purpose = start >= 0 && (firstDeclaration < 0 || start < firstDeclaration) ? commentAt(lines, start) : null;
  const documented = documentedExports(lines);
  if (purpose !== null && !documented.some((finding) => finding.endsWith(purpose))) findings.push(`Purpose: ${purpose}`);
  findings.push(...documented.slice(0, 3));
  for (const [label, names] of symbolsOf(lines)) {
    const rest = names.length - MAX_NAMES;
    const shown = names.slice(0, MAX_NAMES).map((name) => `\`${name}\``);
    findings.push(`${label}: ${shown.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`);
  }
  const imports = lines.flatMap((line) => /^import .*from ["']([^"'.][^"']*)["']/.exec(line)?.[1] ?? []);
  if (imports.length > 0) findings.push(`Uses: ${[...new Set(imports)].slice(0, MAX_NAMES).join(", ")}`);
  findings.push(...documented.slice(3));
  if (findings.length === 0) findings.push(`${lines.length} lines of code without named declarations`);
  return findings;
}

const SYMBOLS: [string, RegExp][] = [
  ["Limits and constants", /^\s*(?:export\s+)?const\s+([A-Z][A-Z0-9_]{2,})\b(?:\s*:[^=]{1,80})?\s*=\s*(-?[\d_.]{1,20}n?)\s*;/],
  ["Functions", /^(?:export\s+)?(?:default\s+)?(?:async\s+)?(?:function\*?|def|func|fn|pub fn)\s+(?:\([^)]{0,80}\)\s*)?([A-Za-z_$][\w$]{0,80})/],
  ["Functions", /^export\s+const\s+([a-z_$][\w$]{0,80})\s*=\s*(?:async\s*)?(?:\(|function)/],
  ["Classes", /^(?:export\s+)?(?:default\s+)?(?:abstract\s+)?(?:class|struct|pub struct)\s+([A-Za-z_$][\w$]{0,80})/],
  ["Types", /^(?:export\s+)?(?:interface|type|enum|pub enum)\s+([A-Za-z_$][\w$]{0,80})/],
];

/** Top-level declarations by kind, each name once, in the order of the file. */
function symbolsOf(lines: string[]): Map<string, string[]> {
  const byKind = new Map<string, string[]>();
  for (const line of lines) {
    for (const [label, pattern] of SYMBOLS) {
      const match = pattern.exec(line);
      if (match === null) continue;
      const name = match[2] === undefined ? (match[1] ?? "") : `${match[1]} = ${match[2]}`;
      const names = byKind.get(label) ?? [];
      if (!names.includes(name) && names.length < 200) byKind.set(label, [...names, name]);
      break;
    }
  }
  return byKind;
}

const DECLARATION = /^(?:export\s+)?(?:default\s+)?(?:abstract\s+|async\s+)?(?:const|let|function\*?|class|interface|type|enum|def|func|fn|pub fn|struct)\s+([A-Za-z_$][\w$]{0,80})/;

function opensComment(line: string): boolean {
  return /^\s*(\/\*\*|\/\/|#(?!!|include)|"""|--)/.test(line);
}

/** What is exported with a comment right before it: its name and the comment's first sentence. */
function documentedExports(lines: string[]): string[] {
  const found: string[] = [];
  for (const [index, line] of lines.entries()) {
    const name = line.startsWith("export") ? DECLARATION.exec(line)?.[1] : undefined;
    if (name === undefined || !/(\*\/|^\/\/.*)$/.test(lines[index - 1] ?? "")) continue;
    let start = index - 1;
    while (start > index - 30 && start > 0 && !opensComment(lines[start] ?? "")) start -= 1;
    const comment = commentAt(lines, start);
    if (comment !== null && found.length < MAX_NAMES) found.push(`\`${name}\`: ${comment}`);
  }
  return found;
}

/** The first sentence of the comment that opens at a line, without its marks; null when it says nothing. */
function commentAt(lines: string[], start: number): string | null {
  const comment: string[] = [];
  for (const line of lines.slice(start, start + 8)) {
    if (!/^\s*(\/\*\*?|\*|\/\/|#|"""|--)/.test(line)) break;
    comment.push(line.replace(/^\s*(?:\/\*\*?|\*\/?|\/\/|#|"""|--)\s?/, "").replace(/\*\/$/, "").trim());
    if (line.includes("*/")) break;
  }
  const text = comment.filter((line) => line !== "" && !line.startsWith("@")).join(" ");
  return text === "" ? null : (/^.*?[.!?](?=\s|$)/.exec(text)?.[0] ?? text);
}

function proseFindings(text: string, query: string): string[] {
  const lines = linesOutsideCode(text);
  const headings = lines.flatMap((line) => headingOf(line) ?? []);
  const findings: string[] = [];
  const [title] = headings;
  const sections = headings.filter((heading) => heading !== title).map((heading) => heading.text);
  const [first, ...others] = pickSentences(text, 5, query);
  if (title !== undefined) findings.push(`Title: ${title.text}`);
  if (first !== undefined) findings.push(first);
  if (sections.length > 0) findings.push(`Sections: ${sections.slice(0, MAX_NAMES).join(" · ")}${sections.length > MAX_NAMES ? ` and ${sections.length - MAX_NAMES} more` : ""}`);
  findings.push(...others);
  if (findings.length === 0) findings.push(...lines.flatMap((line) => bulletOf(line) ?? (line === "" ? [] : [stripMarks(line)])).slice(0, 8));
  return findings;
}

function openPoints(text: string): string[] {
  return (extractAsked("todos", text) ?? []).slice(0, 3).map((point) => `Open: ${point}`);
}
