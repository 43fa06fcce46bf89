import type { NamedIdentifier, Unit } from "./document.ts";

/** Identifiers longer than this are data (a base64 blob), not names. */
const MAX_IDENTIFIER_CHARS = 64;
const MIN_IDENTIFIER_CHARS = 5;
/** Identifiers that are remembered at least; of twice as many, the half that was seen first is forgotten. */
const MAX_REMEMBERED = 8_000;
/** Longer names of members are not repeated. */
const MAX_KEY_CHARS = 32;

/** Order numbers, codes, dates, addresses: what a later step has to repeat exactly. Linear. */
export function findIdentifiers(text: string): NamedIdentifier[] {
  const found: NamedIdentifier[] = [];
  let index = 0;
  while (index < text.length) {
    if (!isIdentifierCode(text.charCodeAt(index))) {
      index += 1;
      continue;
    }
    const start = index;
    while (index < text.length && (isIdentifierCode(text.charCodeAt(index)) || isTimeColon(text, start, index))) index += 1;
    let end = index;
    while (end > start && isJoiner(text.charCodeAt(end - 1))) end -= 1;
    if (isIdentifier(text, start, end)) found.push({ value: text.slice(start, end), key: keyBefore(text, start) });
  }
  return found;
}

/** A colon inside a date with a time; a time alone is no identifier. */
function isTimeColon(text: string, start: number, at: number): boolean {
  return text.charCodeAt(at) === 58 && at - start >= 12 && isDigit(text.charCodeAt(at - 1)) && isDigit(text.charCodeAt(at + 1)) && isDigit(text.charCodeAt(start));
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** The name of the JSON member of which a value begins at `start`. */
function keyBefore(text: string, start: number): string {
  const colon = text.charCodeAt(start - 1) === 34 ? start - 2 : start - 1;
  if (text.charCodeAt(colon) !== 58 || text.charCodeAt(colon - 1) !== 34) return "";
  const open = text.slice(Math.max(0, colon - 1 - MAX_KEY_CHARS), colon - 1).lastIndexOf('"');
  return open === -1 ? "" : text.slice(Math.max(0, colon - 1 - MAX_KEY_CHARS) + open + 1, colon - 1);
}

function isJoiner(code: number): boolean {
  return code === 45 || code === 46 || code === 64 || code === 95;
}

function isIdentifierCode(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || isJoiner(code);
}

/** A digit together with letters or a date's dashes, or capitals only. */
function isIdentifier(text: string, start: number, end: number): boolean {
  const length = end - start;
  if (length < MIN_IDENTIFIER_CHARS || length > MAX_IDENTIFIER_CHARS) return false;
  let digits = 0;
  let capitals = 0;
  let letters = 0;
  let joiners = 0;
  for (let index = start; index < end; index += 1) {
    const code = text.charCodeAt(index);
    if (code >= 48 && code <= 57) digits += 1;
    else if (code >= 65 && code <= 90) capitals += 1;
    else if (code >= 97 && code <= 122) letters += 1;
    else joiners += 1;
  }
  if (digits === 0) return capitals === length;
  if (capitals + letters > 0) return digits > 1 || capitals > 0;
  return joiners >= 2 || length >= 6;
}

/** An identifier of the text: in how many sections it stands, and where. */
export interface Identifier extends NamedIdentifier {
  sections: number;
  firstUnit: number;
  lastUnit: number;
  /** Highest score of a unit that holds it. */
  score: number;
}

/** All identifiers of the units, with what tells how much they matter. */
export function collectIdentifiers(units: readonly Unit[], scores: Float64Array): Map<string, Identifier> {
  let known = new Map<string, Identifier>();
  units.forEach((unit, at) => {
    // The time of a turn is nothing that a later step repeats.
    if (unit.role === "label" && unit.until === -1) return;
    for (const { value, key } of findIdentifiers(unit.text)) {
      const identifier = known.get(value) ?? { value, key, sections: 0, firstUnit: at, lastUnit: at, score: 0 };
      if (identifier.sections === 0 || (units[identifier.lastUnit] as Unit).section !== unit.section) identifier.sections += 1;
      if (identifier.key === "") identifier.key = key;
      identifier.lastUnit = at;
      identifier.score = Math.max(identifier.score, scores[at] as number);
      known.set(value, identifier);
      if (known.size === 2 * MAX_REMEMBERED) known = new Map([...known].slice(MAX_REMEMBERED));
    }
  });
  return known;
}
