import type { Json } from "../errors.ts";

/** Largest single value: an input, an output, a result (contract: 1 MiB of UTF-8 JSON). */
export const MAX_VALUE_BYTES = 1_048_576;
/** Deepest nesting of a value. Recursion over values stays far from the end of the stack, in the platform's isolates too. */
export const MAX_JSON_DEPTH = 64;

/** A character takes at most six bytes of JSON: `\u0000`. */
const MAX_BYTES_PER_CHARACTER = 6;

/** Why a value is refused: too deep or too large; null when it is neither. Reads a small value once, without copying. */
export function findExcess(value: Json): string | null {
  const bound = boundBytes(value, 0);
  if (bound === Infinity) return `is nested deeper than ${MAX_JSON_DEPTH} levels`;
  if (bound > MAX_VALUE_BYTES && measureBytes(value) > MAX_VALUE_BYTES) return `is larger than ${MAX_VALUE_BYTES} bytes (1 MiB) of JSON`;
  return null;
}

/** No more than this many bytes; Infinity when too deep. */
function boundBytes(value: Json, depth: number): number {
  if (typeof value === "string") return value.length * MAX_BYTES_PER_CHARACTER + 2;
  if (typeof value !== "object" || value === null) return 25;
  if (depth >= MAX_JSON_DEPTH) return Infinity;
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const item of value) bytes += boundBytes(item, depth + 1) + 1;
    return bytes;
  }
  for (const key in value) bytes += key.length * MAX_BYTES_PER_CHARACTER + boundBytes(value[key]!, depth + 1) + 4;
  return bytes;
}

function measureBytes(value: Json): number {
  return new TextEncoder().encode(JSON.stringify(value)).byteLength;
}
