import type { Line } from "./lines.ts";

/** A longer line names no file. */
const MAX_LABEL_CHARS = 240;

const PATH = String.raw`(?:\.{0,2}/)?(?:[\w@.+()\[\]-]{1,80}/){0,16}[\w@.+()\[\]-]{1,80}\.[A-Za-z][A-Za-z0-9]{0,9}`;
/** A path alone, or behind the marks that tools and people put before it: `// a.ts`, `# File: a.py`, `=== a.c ===`, `--- a/b.go`. */
const MARKED_PATH = new RegExp(String.raw`^(?:(?:\/\/|#{1,6}|--+|\*{2,}|={2,}|\+{3}|<!--|\/\*+|;+|>+|\[)\s{0,3})?(?:[Ff]ile(?:name)?|[Pp]ath|[Ss]ource)?\s{0,2}:?\s{0,3}[\x60"'*]{0,2}(${PATH})[\x60"'*]{0,2}:?\s{0,3}(?:--+>?|={2,}|\*+\/|-->|\]|\*{2,})?$`);
/** `<file path="a.ts">`. */
const TAGGED_PATH = new RegExp(String.raw`^<(?:file|source|document|module)\b[^>]{0,120}(?:path|name|src|filename)=["'](${PATH})["'][^>]{0,80}>$`, "i");

/** The path that a line gives as the name of the file that follows; "" for other lines. Looks at short lines alone. */
export function fileLabelPath(text: string, line: Line): string {
  const length = line.end - line.start;
  if (length < 4 || length > MAX_LABEL_CHARS || !mayOpenLabel(text.charCodeAt(line.start))) return "";
  const head = text.slice(line.start, line.end).trimEnd();
  return (MARKED_PATH.exec(head) ?? TAGGED_PATH.exec(head))?.[1] ?? "";
}

/** Not a space, a bracket or a quote: letters, digits and the marks of `MARKED_PATH`. */
function mayOpenLabel(code: number): boolean {
  return code > 32 && code !== 123 && code !== 125 && code !== 40 && code !== 41 && code !== 34 && code !== 39;
}

const PROSE = new Set(["md", "mdx", "markdown", "txt", "rst", "adoc", "org"]);

/** Whether a file of that name holds running text. */
export function isProsePath(path: string): boolean {
  return PROSE.has(path.slice(path.lastIndexOf(".") + 1).toLowerCase());
}
