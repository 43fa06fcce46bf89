import type { Line } from "./lines.ts";
import type { TextRange } from "./document.ts";

/** Longer lines are no titles. */
const MAX_TITLE_CHARS = 100;
/** What stands under a title is longer than this. */
const MIN_TITLED_CHARS = 60;
/** Of a line only so much is searched for a label. */
const LABEL_HEAD_CHARS = 400;

/** `Document [3] (Title: …)`, `### Source 3:`, `**Passage 3**` */
const NUMBERED_LABEL = /^(?:#{1,4} |\*\*)?(?:Document|Doc|Passage|Source|Article|Context|Excerpt|Result|File)[ \t]{0,2}(?:\[\d{1,6}\]|#?\d{1,6}\b)[ \t]{0,2}(?:\((?:Title|title): [^\n]{0,300}?\)(?=[ \t]|$)|[:.—-])?/;
/** `[3] Gull Point: …`, `(3) …` */
const BRACKET_LABEL = /^(?:\[\d{1,4}\]|\(\d{1,4}\))[ \t](?:[^\n.:]{1,120}:)?/;
/** `<doc id="3" title="…">` */
const TAG_LABEL = /^<(?:doc|document|passage|source|article|context|excerpt|result|chunk|snippet)\b[^>\n]{0,300}>/i;
const TITLE_LABEL = /^(?:Wikipedia )?Title: [^\n]{1,300}/;
/** What tells more of a document right below its label: `URL: …`, `<source>…</source>`, an opening tag alone. */
const MORE_OF_LABEL = /^[ \t]{0,8}(?:<(?:source|title|url|name|heading|id|date|author)>[^\n]{0,300}<\/|<[\w-]{1,40}>$|(?:Title|Source|URL|Link|Author|Date|Published|Score): )/i;
/** `**Fuel**`, `=== Fuel ===`: a heading by its marks. */
const MARKED_HEADING = /^(?:\*\*[^*\n]{1,100}\*\*:?|(={2,}|-{3,}|\*{3,}|~{3,})[ \t][^\n]{1,120}[ \t]\1)$/;
/** `3. Gull Point: …` at the start of an item that is as long as a paragraph. */
const ITEM_LABEL = /^[ \t]{0,12}(?:[-*+•]|\d{1,4}[.)])[ \t]{1,4}(?:[^\n.:]{1,120}:)?/;

/** Length of the label of a document at the start of a line, or 0. */
export function documentLabelLength(text: string, line: Line): number {
  // D P S A C E R F T W, and the marks that may stand before them.
  if (!"DPSACERFTW[(#*<".includes(text.charAt(line.start)) || line.start === line.end) return 0;
  const head = headOf(text, line);
  return (NUMBERED_LABEL.exec(head) ?? BRACKET_LABEL.exec(head) ?? TITLE_LABEL.exec(head) ?? TAG_LABEL.exec(head))?.[0].length ?? 0;
}

/** Whether a line below the label of a document belongs to it. */
export function continuesLabel(text: string, line: Line): boolean {
  return MORE_OF_LABEL.test(headOf(text, line));
}

/** Length of the mark of a list item, with its title if it has one. */
export function itemLabelLength(text: string, line: Line): number {
  return ITEM_LABEL.exec(headOf(text, line))?.[0].length ?? 0;
}

/** Whether `[from, to)` is the heading of what follows it, up to `end`: by its marks, or because it is short and no sentence, and that is long. */
export function isHeadingOf(text: string, from: number, to: number, followed: TextRange | null): boolean {
  if (to - from > MAX_TITLE_CHARS || to === from) return false;
  const title = text.slice(from, to);
  if (MARKED_HEADING.test(title)) return true;
  if (followed === null || !/^[\p{Lu}\p{N}"“(]/u.test(title) || /[.!?,;:…)\]}]$/.test(title)) return false;
  return followed.end - followed.start > Math.max(MIN_TITLED_CHARS, 2 * title.length);
}

function headOf(text: string, line: Line): string {
  return text.slice(line.start, Math.min(line.end, line.start + LABEL_HEAD_CHARS));
}
