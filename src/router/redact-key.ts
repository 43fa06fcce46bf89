/** Shortest key that is blotted out: shorter ones are no secrets but words that servers without keys are given, and blotting them garbles texts. */
export const MIN_REDACTED_KEY_CHARS = 8;

const BLOT = "•••";
const EMPTY = new Uint8Array();

/** A text of a provider's without the key that it was sent, also as JSON may write it. */
export function redactKey(text: string, key: string | null): string {
  if (key === null || key.length < MIN_REDACTED_KEY_CHARS) return text;
  const spellings = [key, key.replaceAll("/", "\\/"), JSON.stringify(key).slice(1, -1)];
  return spellings.reduce((rest, spelling) => rest.replaceAll(spelling, BLOT), text);
}

/** Blots a key out of bytes that come in pieces. */
export interface KeyFilter {
  /** What can be passed on: mostly the same bytes, less an end that may be the beginning of the key. */
  push: (bytes: Uint8Array) => Uint8Array;
  /** What was held back. */
  flush: () => Uint8Array;
}

export function createKeyFilter(key: string | null): KeyFilter {
  if (key === null || key.length < MIN_REDACTED_KEY_CHARS) return { push: (bytes) => bytes, flush: () => EMPTY };
  const sought = new TextEncoder().encode(key);
  const blot = new TextEncoder().encode(BLOT);
  let held = EMPTY;
  return {
    push(piece) {
      const bytes = held.byteLength === 0 ? piece : join([held, piece]);
      const parts: Uint8Array[] = [];
      let from = 0;
      let match = findKey(bytes, sought, 0);
      for (; match.isWhole; match = findKey(bytes, sought, from)) {
        parts.push(bytes.subarray(from, match.at), blot);
        from = match.at + sought.byteLength;
      }
      // A copy: the piece belongs to whoever sent it.
      held = bytes.slice(match.at);
      const rest = bytes.subarray(from, match.at);
      return parts.length === 0 ? rest : join([...parts, rest]);
    },
    flush() {
      const rest = held;
      held = EMPTY;
      return rest;
    },
  };
}

/** Where the key stands from `from` on, or where it may begin at the end of the bytes; else their end. */
function findKey(bytes: Uint8Array, key: Uint8Array, from: number): { at: number; isWhole: boolean } {
  const first = key[0]!;
  for (let at = bytes.indexOf(first, from); at !== -1; at = bytes.indexOf(first, at + 1)) {
    const length = Math.min(key.byteLength, bytes.byteLength - at);
    let same = 1;
    while (same < length && bytes[at + same] === key[same]) same += 1;
    if (same === length) return { at, isWhole: length === key.byteLength };
  }
  return { at: bytes.byteLength, isWhole: false };
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.byteLength;
  }
  return joined;
}
