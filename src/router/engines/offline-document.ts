import { findingsOf } from "./offline-extract.ts";
import type { Source } from "./offline-request.ts";
import { pickSentences } from "./offline-summary.ts";
import { bulletOf, cutText, headingOf, linesOf, stripMarks } from "./offline-text.ts";

export interface Theme {
  name: string;
  findings: string[];
}

/** More themes than this are grouped by folder: nobody reads a plan of forty steps. */
const MAX_THEMES = 8;
const MAX_ITEM_CHARACTERS = 240;

/** Findings by the heading or source they stand under, joined by folder when there are many. */
export function themesOf(sources: Source[], query: string): Theme[] {
  const findingsByName = new Map<string, string[]>();
  const add = (name: string, finding: string) => {
    const findings = findingsByName.get(name) ?? [];
    if (findings.length === 0) findingsByName.set(name, findings);
    if (!findings.includes(finding) && findings.length < 200) findings.push(finding);
  };
  for (const source of sources) {
    const listed = listedFindings(source);
    if (listed.length > 0) for (const { under, finding } of listed) add(under, finding);
    else for (const finding of findingsOf(source, query)) add(source.name ?? "Notes", finding);
  }
  const themes = [...findingsByName].map(([name, findings]) => ({ name, findings }));
  return themes.length <= MAX_THEMES ? themes : joinByFolder(themes);
}

/** Bullets with the heading they stand under: what an earlier task has already found. */
function listedFindings(source: Source): { under: string; finding: string }[] {
  let under = source.name ?? "Notes";
  let pending = "";
  const found: { under: string; finding: string }[] = [];
  for (const line of linesOf(source.text)) {
    const heading = headingOf(line);
    const bullet = bulletOf(line);
    if (heading !== null) pending = heading.text;
    if (bullet === null) continue;
    const title = pending === "" && under === source.name ? /^Title: (.{1,120})$/.exec(bullet)?.[1] : undefined;
    if (title !== undefined) {
      under = title;
      continue;
    }
    if (pending !== "") [under, pending] = [stripStep(pending), ""];
    found.push({ under, finding: cutText(bullet, MAX_ITEM_CHARACTERS) });
  }
  return found;
}

/** A plan's heading without its number: `2. Errors` is about errors. */
function stripStep(text: string): string {
  return text.replace(/^(?:step\s+)?\d{1,3}[.):]\s+/i, "");
}

function joinByFolder(themes: Theme[]): Theme[] {
  const joined = new Map<string, string[]>();
  for (const { name, findings } of themes) {
    const isPath = /^[\w@.-]+(\/[\w@.-]+)+$/.test(name);
    const folder = isPath ? name.slice(0, name.lastIndexOf("/")) : name;
    joined.set(folder, [...(joined.get(folder) ?? []), ...findings.map((finding) => (isPath && !finding.startsWith(`${name}/`) ? `${name}: ${finding}` : finding))]);
  }
  return [...joined].map(([name, findings]) => ({ name, findings }));
}

/** A plan: one numbered step per theme, with what it covers. */
export function planLines(sources: Source[], instruction: string, perTheme: number): string[] {
  const themes = themesOf(sources, instruction);
  const total = themes.reduce((sum, theme) => sum + theme.findings.length, 0);
  const lines = ["# Plan", "", `${total} findings in ${themes.length} ${themes.length === 1 ? "theme" : "themes"}.`];
  for (const [index, theme] of themes.entries()) {
    lines.push("", `## ${index + 1}. ${theme.name}`, "", ...bulletLines(theme.findings, perTheme));
  }
  return lines;
}

/** A finished document: title, summary, a section per theme. */
export function documentLines(sources: Source[], instruction: string, perTheme: number): string[] {
  const themes = themesOf(sources, instruction);
  const findings = themes.flatMap((theme) => theme.findings);
  const lines = [`# ${titleOf(instruction, sources)}`, ""];
  const summary = pickSentences(findings.flatMap(statementOf).join("\n\n"), 3, instruction);
  if (sources.length === 0) lines.push(`Nothing was given to work from: ${instruction || "the task has no text"}`);
  else lines.push(summary.length > 0 ? summary.join(" ") : `${findings.length} findings on ${themes.map((theme) => theme.name).join(", ")}.`);
  for (const theme of themes) lines.push("", `## ${theme.name}`, "", ...bulletLines(theme.findings.filter(isContent), perTheme));
  const open = findings.filter((finding) => /^(open|todo|fixme)\b/i.test(stripMarks(finding)));
  if (open.length > 0) lines.push("", "## Open points", "", ...bulletLines(open, perTheme));
  const names = [...new Set(sources.flatMap((source) => source.name ?? []))];
  if (names.length > 0) lines.push("", "## Sources", "", ...names.map((name) => `- ${name}`));
  return lines;
}

function bulletLines(findings: string[], count: number): string[] {
  const rest = findings.length - count;
  const shown = findings.slice(0, count).map((finding) => `- ${finding}`);
  return rest > 0 ? [...shown, `- and ${rest} more`] : shown;
}

/** The files that a finding was joined under, and the declaration that it is about. */
const LEADING_PATHS = /^(?:[\w@.-]+(?:\/[\w@.-]+)+: ){0,3}(?:`\w{1,80}`: )?/;

/** A finding as a sentence of its own; lists of names, headings and what was cut off make none. */
function statementOf(finding: string): string[] {
  const text = stripMarks(finding.replace(LEADING_PATHS, "")).replace(/^(?:Purpose|Title): /, "");
  if (/^(?:Types|Functions|Classes|Uses|Sections|Limits and constants|Open): /.test(text) || text.endsWith("…")) return [];
  return [text.replace(/[^.!?]$/, "$&.")];
}

function isContent(finding: string): boolean {
  return !/^(open|todo|fixme)\b/i.test(stripMarks(finding));
}

/** The title that the order asks for (`Write release notes for Weft` → `Release notes for Weft`), else the first heading given. */
function titleOf(instruction: string, sources: Source[]): string {
  const asked = /\b(?:write|build|create|draft|compose|produce|assemble|generate)\s+(?:me\s+)?(?:the\s+|an?\s+)?(?:short\s+|complete\s+|finished\s+)?([^.:;,\n]{3,80})/i.exec(instruction)?.[1];
  if (asked !== undefined) return capitalize(asked.replace(/\s+(from|out of|using|based on|with|that)\b.*$/i, "").trim());
  const heading = sources.flatMap((source) => linesOf(source.text).flatMap((line) => headingOf(line) ?? []))[0]?.text;
  return heading !== undefined && heading !== "Plan" ? heading : "Overview";
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
