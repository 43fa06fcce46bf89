/** Reading text by lines and sentences, in time linear in its length: every pattern here runs on one bounded line. */

/** A line beyond this is no prose or code that a person wrote; only its head is read. */
const MAX_LINE_CHARACTERS = 2_000;
/** Enough sentences to rank; what comes after in a huge text would hardly change the order. */
const MAX_SENTENCES = 5_000;
const MAX_WORD_CHARACTERS = 40;

const STOP_WORDS = new Set(
  ("a an and are as at be but by can do does each for from has have if in into is it its more must no not of on one only or other our " +
    "out per so some such than that the their them then there these they this those to up use used was we what when where which who will with without would you your")
    .split(" "),
);

export function linesOf(text: string): string[] {
  return text.split("\n").map((line) => line.slice(0, MAX_LINE_CHARACTERS).trimEnd());
}

/** Lines outside fenced code: what looks like a heading or a bullet in an example is none of the text's own. */
export function linesOutsideCode(text: string): string[] {
  let inCode = false;
  return linesOf(text).filter((line) => {
    const isFence = isFenceLine(line);
    if (isFence) inCode = !inCode;
    return !isFence && !inCode;
  });
}

function isFenceLine(line: string): boolean {
  return /^\s*(```|~~~)/.test(line);
}

/** Words that carry meaning, lower-cased. */
export function keyWordsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
  return words.filter((word) => word.length > 2 && word.length <= MAX_WORD_CHARACTERS && !STOP_WORDS.has(word));
}

export interface Heading {
  level: number;
  text: string;
}

export function headingOf(line: string): Heading | null {
  const match = /^(#{1,6})\s+(\S.*)$/.exec(line);
  return match === null ? null : { level: (match[1] ?? "").length, text: stripMarks(match[2] ?? "") };
}

/** The text of a bullet or numbered line, or null. */
export function bulletOf(line: string): string | null {
  return /^\s*(?:[-*+•]|\d{1,4}[.)])\s+(\S.*)$/.exec(line)?.[1] ?? null;
}

/** `name: value` as configuration, front matter and notes write it, or null. */
export function keyValueOf(line: string): { key: string; value: string } | null {
  const match = /^\s*(?:[-*+]\s+)?[*_`"]{0,3}([A-Za-z][\w .-]{0,40}?)[*_`"]{0,3}\s*[:=][*_`]{0,2}\s*(\S.*)$/.exec(line);
  return match === null ? null : { key: match[1] ?? "", value: stripMarks((match[2] ?? "").replace(/[,;]$/, "")).replace(/^"(.*)"$/, "$1") };
}

/** Sentences of the prose in a text: headings, tables, code blocks and rules are left out, a bullet is a sentence. */
export function sentencesOf(text: string): string[] {
  const sentences: string[] = [];
  for (const block of proseBlocksOf(text)) {
    for (const sentence of block.split(/(?<=[.!?][)"'”]?)\s+(?=["'“(]?[\p{Lu}\p{N}`*_])/u)) {
      const clean = sentence.trim();
      if (clean.length >= 20) sentences.push(clean);
      if (sentences.length >= MAX_SENTENCES) return sentences;
    }
  }
  return sentences;
}

/** A line that begins with a label, as entries of change logs and notes do: `fix(parser): no leak`. */
const LABELLED_LINE = /^[A-Za-z][\w-]{0,30}(?:\([^)]{1,40}\))?!?:\s+\S/;

/** Wrapped lines joined to paragraphs; each bullet and each labelled line begins a block. */
function proseBlocksOf(text: string): string[] {
  const blocks: string[] = [];
  let paragraph: string[] = [];
  let inCode = false;
  const end = () => {
    if (paragraph.length > 0) blocks.push(paragraph.join(" "));
    paragraph = [];
  };
  for (const line of linesOf(text)) {
    const fence = isFenceLine(line);
    if (fence) inCode = !inCode;
    const bullet = bulletOf(line);
    if (fence || inCode || line === "" || headingOf(line) !== null || /^\s*(\||={3,}|-{3,})/.test(line)) end();
    else if (bullet !== null) {
      end();
      paragraph.push(bullet);
    } else {
      if (LABELLED_LINE.test(line)) end();
      paragraph.push(line.trim());
    }
  }
  end();
  return blocks;
}

/** A text cut at a word to at most `maxCharacters`, with `…` where something is missing. Never splits a surrogate pair. */
export function cutText(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const head = text.slice(0, Math.max(0, maxCharacters - 1)).replace(/[\uD800-\uDBFF]$/, "");
  const space = head.lastIndexOf(" ");
  return `${(space > maxCharacters / 2 ? head.slice(0, space) : head).trimEnd()}…`;
}

/** Without Markdown emphasis and closing hashes. */
export function stripMarks(text: string): string {
  return text.replace(/\*\*|__|`/g, "").replace(/\s#+$/, "").trim();
}
