import type { Source } from "./offline-request.ts";
import { bulletOf, cutText, headingOf, linesOf } from "./offline-text.ts";

/** Faults that can be seen without understanding: unfinished, empty, repeated or broken parts. Each with its place. */
export function reviewLines(sources: Source[]): string[] {
  const faults = sources.flatMap((source) => faultsOf(source).map((fault) => `- ${source.name ?? "text"}, ${fault}`));
  const size = sources.reduce((sum, source) => sum + linesOf(source.text).length, 0);
  return [
    "# Review",
    "",
    `${size} lines in ${sources.length} ${sources.length === 1 ? "source" : "sources"} checked for form; meaning was not judged.`,
    "",
    ...(faults.length > 0 ? faults : ["- no faults of form found"]),
    "",
    `Verdict: ${faults.length > 0 ? "change" : "accept"}`,
  ];
}

function faultsOf({ text }: Source): string[] {
  if (text.trim() === "") return ["line 1: it is empty"];
  const lines = linesOf(text);
  const faults: string[] = [];
  const seen = new Set<string>();
  let openedAt: number | null = null;
  for (const [index, line] of lines.entries()) {
    const place = `line ${index + 1}`;
    if (/^\s*(```|~~~)/.test(line)) openedAt = openedAt === null ? index : null;
    if (/\b(TODO|FIXME|TBD|XXX)\b/.test(line)) faults.push(`${place}: unfinished: ${cutText(line.trim(), 120)}`);
    // The same words under another heading are about another thing.
    if (headingOf(line) !== null) seen.clear();
    const bullet = openedAt === null ? bulletOf(line) : null;
    if (bullet !== null && seen.has(bullet)) faults.push(`${place}: said before: ${cutText(bullet, 120)}`);
    if (bullet !== null) seen.add(bullet);
    if (openedAt === null && isEmptySection(lines, index)) faults.push(`${place}: the section is empty: ${cutText(line, 120)}`);
  }
  if (openedAt !== null) faults.push(`line ${openedAt + 1}: the code block is not closed`);
  return faults.slice(0, 50);
}

function isEmptySection(lines: string[], index: number): boolean {
  const heading = headingOf(lines[index] ?? "");
  if (heading === null) return false;
  // Looking only a few lines ahead keeps a text of nothing but blank lines linear.
  const next = lines.slice(index + 1, index + 6).find((line) => line !== "");
  const following = next === undefined ? null : headingOf(next);
  return next === undefined ? index >= lines.length - 5 : following !== null && following.level <= heading.level;
}
