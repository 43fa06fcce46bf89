import type { Unit } from "./document.ts";

/** A line's template: what stays the same when its numbers, ids and addresses change. */
export function templateHash(line: string): number {
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

function isTokenCode(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code > 127;
}

/** How many units share each unit's template. */
export function countTemplates(units: readonly Unit[]): { template: Uint32Array; count: Map<number, number> } {
  const template = new Uint32Array(units.length);
  const count = new Map<number, number>();
  units.forEach((unit, at) => {
    const hash = templateHash(unit.text);
    template[at] = hash;
    count.set(hash, (count.get(hash) ?? 0) + 1);
  });
  return { template, count };
}
