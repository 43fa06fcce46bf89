import type { Json } from "../../errors.ts";

/** Largest single value: an input, an output, a result (contract: 1 MiB of UTF-8 JSON). */
export const MAX_VALUE_BYTES = 1_048_576;
/** Deepest nesting of a value. Recursion over values stays far from the end of the stack, in the platform's isolates too. */
export const MAX_JSON_DEPTH = 64;

/** A character takes at most six bytes of JSON: `\u0000`. */
const MAX_BYTES_PER_CHARACTER = 6;

/** Most bytes of a number, `true`, `false` or `null`. */
const MAX_BYTES_OF_ATOM = 25;

interface Walk {
  bytesLeft: number;
  isTooDeep: boolean;
}

/**
 * Why a value is refused: too deep or too large; null when it is neither. Does work up to the limit, however large the value is:
 * one made by an expression can hold the same part many times over.
 */
export function findExcess(value: Json): string | null {
  const bound: Walk = { bytesLeft: MAX_VALUE_BYTES, isTooDeep: false };
  subtract(bound, value, 0, (text) => text.length * MAX_BYTES_PER_CHARACTER + 2, MAX_BYTES_OF_ATOM);
  if (bound.bytesLeft >= 0 && !bound.isTooDeep) return null;
  const exact: Walk = { bytesLeft: MAX_VALUE_BYTES, isTooDeep: false };
  subtract(exact, value, 0, measureText, null);
  if (exact.isTooDeep) return `is nested deeper than ${MAX_JSON_DEPTH} levels`;
  return exact.bytesLeft < 0 ? `is larger than ${MAX_VALUE_BYTES} bytes (1 MiB) of JSON` : null;
}

/** Takes the size of `value` off the walk and stops below zero. */
function subtract(walk: Walk, value: Json, depth: number, sizeOfText: (text: string) => number, sizeOfAtom: number | null): void {
  if (typeof value === "string") {
    walk.bytesLeft -= sizeOfText(value);
  } else if (typeof value !== "object" || value === null) {
    walk.bytesLeft -= sizeOfAtom ?? String(value).length;
  } else if (depth >= MAX_JSON_DEPTH) {
    walk.isTooDeep = true;
  } else if (Array.isArray(value)) {
    walk.bytesLeft -= Math.max(2, value.length + 1);
    for (let index = 0; index < value.length && walk.bytesLeft >= 0; index += 1) subtract(walk, value[index]!, depth + 1, sizeOfText, sizeOfAtom);
  } else {
    const keys = Object.keys(value);
    walk.bytesLeft -= Math.max(2, 2 * keys.length + 1);
    for (let index = 0; index < keys.length && walk.bytesLeft >= 0; index += 1) {
      const key = keys[index]!;
      walk.bytesLeft -= sizeOfText(key);
      subtract(walk, value[key]!, depth + 1, sizeOfText, sizeOfAtom);
    }
  }
}

function measureText(text: string): number {
  return text.length > MAX_VALUE_BYTES ? text.length : new TextEncoder().encode(JSON.stringify(text)).byteLength;
}
