import { COVERED, KEPT, weighUnit, type ContextDocument, type ReductionQuery, type Unit } from "./document.ts";

/** Fewer lines of one template are left as they are: the note would cost as much. */
const MIN_COLLAPSED_LINES = 3;
/** Times are looked for in the head of a line. */
const TIME_CHARS = 100;
/** Each number of the query is sought in every line, so only the first ones of a long prompt are. */
const MAX_READ_QUERY_CHARS = 20_000;
const MAX_ASKED_NUMBERS = 32;
const TIME = /\d{4}[-/.]\d{2}[-/.]\d{2}[T ,]{1,2}\d{2}:\d{2}:\d{2}|\d{2}[-/]\d{2}(?:[-/]\d{2})? \d{2}:\d{2}:\d{2}|\d{2}:\d{2}:\d{2}|\b\d{10}\b/;

/** A line's template: what stays the same when its numbers, ids and addresses change. */
function templateHash(line: string): number {
  let hash = 0x811c9dc5;
  let index = 0;
  while (index < line.length) {
    const from = index;
    let digits = 0;
    let code = line.charCodeAt(index);
    while (isTokenCode(code)) {
      if (code >= 48 && code <= 57) digits += 1;
      index += 1;
      code = line.charCodeAt(index);
    }
    if (index === from) {
      hash = Math.imul(hash ^ code, 0x01000193);
      index += 1;
    } else if (digits > 0) {
      hash = Math.imul(hash ^ 1, 0x01000193);
    } else {
      for (let at = from; at < index; at += 1) hash = Math.imul(hash ^ line.charCodeAt(at), 0x01000193);
    }
  }
  return hash >>> 0;
}

/** Letters and digits; false past the end of the line, where the code is NaN. */
function isTokenCode(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code > 127;
}

/** The template of each unit, and how many units share it. */
export function countTemplates(units: readonly Unit[]): { template: Uint32Array; count: Map<number, number> } {
  const template = new Uint32Array(units.length);
  const count = new Map<number, number>();
  units.forEach((unit, at) => {
    const hash = templateHash(unit.text);
    template[at] = hash;
    count.set(hash, (count.get(hash) ?? 0) + unit.repeats);
  });
  return { template, count };
}

/**
 * Leaves of the lines of one template the first, with a note of how many there were and when the last came.
 * Lines with a number that the query names are left alone.
 */
export function collapseTemplates(document: ContextDocument, query: ReductionQuery): ContextDocument {
  const units = document.units.slice();
  const dropped = document.dropped.slice();
  const { template } = countTemplates(units);
  const words = query.text.slice(0, MAX_READ_QUERY_CHARS).split(/[^\w.-]+/);
  const asked = words.filter((word) => /\d/.test(word)).slice(0, MAX_ASKED_NUMBERS);
  const groups = new Map<number, number[]>();
  units.forEach((unit, at) => {
    if (dropped[at] !== KEPT || unit.locked || asked.some((value) => unit.text.includes(value))) return;
    const group = groups.get(template[at] as number);
    if (group === undefined) groups.set(template[at] as number, [at]);
    else group.push(at);
  });
  for (const group of groups.values()) if (group.length >= MIN_COLLAPSED_LINES) collapseGroup(units, dropped, group);
  return { ...document, units, dropped };
}

function collapseGroup(units: Unit[], dropped: Uint8Array, group: readonly number[]): void {
  const first = { ...(units[group[0] as number] as Unit) };
  units[group[0] as number] = first;
  const last = TIME.exec((units[group.at(-1) as number] as Unit).text.slice(0, TIME_CHARS))?.[0];
  first.text += last === undefined ? ` [× ${group.length}]` : ` [× ${group.length}, last ${last}]`;
  first.repeats = group.length;
  weighUnit(first);
  for (const at of group.slice(1)) dropped[at] = COVERED;
}
