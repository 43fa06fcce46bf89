import type { Unit } from "./document.ts";

/** Identifiers longer than this are data (a base64 blob), not names. */
const MAX_IDENTIFIER_CHARS = 64;
const MIN_IDENTIFIER_CHARS = 5;

/** Order numbers, codes, dates, addresses: what a later step has to repeat exactly. Linear. */
export function findIdentifiers(text: string): string[] {
  const found: string[] = [];
  let index = 0;
  while (index < text.length) {
    if (!isIdentifierCode(text.charCodeAt(index))) {
      index += 1;
      continue;
    }
    const start = index;
    while (index < text.length && isIdentifierCode(text.charCodeAt(index))) index += 1;
    let end = index;
    while (end > start && isJoiner(text.charCodeAt(end - 1))) end -= 1;
    if (isIdentifier(text, start, end)) found.push(text.slice(start, end));
  }
  return found;
}

function isJoiner(code: number): boolean {
  return code === 45 || code === 46 || code === 58 || code === 64 || code === 95 || code === 47;
}

function isIdentifierCode(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || (isJoiner(code) && code !== 58 && code !== 47);
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
export interface Identifier {
  value: string;
  sections: number;
  firstUnit: number;
  lastUnit: number;
  /** Highest score of a unit that holds it. */
  score: number;
}

/** All identifiers of the units, with what tells how much they matter. */
export function collectIdentifiers(units: readonly Unit[], scores: Float64Array): Map<string, Identifier> {
  const known = new Map<string, Identifier>();
  const lastSection = new Map<string, number>();
  units.forEach((unit, at) => {
    for (const value of findIdentifiers(unit.text)) {
      const identifier = known.get(value) ?? { value, sections: 0, firstUnit: at, lastUnit: at, score: 0 };
      if (lastSection.get(value) !== unit.section) identifier.sections += 1;
      lastSection.set(value, unit.section);
      identifier.lastUnit = at;
      identifier.score = Math.max(identifier.score, scores[at] as number);
      known.set(value, identifier);
    }
  });
  return known;
}
