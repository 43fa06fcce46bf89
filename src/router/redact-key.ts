/** Shortest key that is blotted out: shorter ones are no secrets but words that servers without keys are given, and blotting them garbles texts. */
export const MIN_REDACTED_KEY_CHARS = 8;

const BLOT = "•••";
const EMPTY = new Uint8Array();

/** A text of a provider's without the key that it was sent, also as JSON may write it. */
export function redactKey(text: string, key: string | null): string {
  return spellingsOf(key).reduce((rest, spelling) => rest.replaceAll(spelling, BLOT), text);
}

/** As it is, and as JSON may write it: with every slash escaped, or only what must be. */
function spellingsOf(key: string | null): string[] {
  if (key === null || key.length < MIN_REDACTED_KEY_CHARS) return [];
  return [...new Set([key, key.replaceAll("/", "\\/"), JSON.stringify(key).slice(1, -1)])];
}

/** Blots a key out of bytes that come in pieces. */
export interface KeyFilter {
  /** What can be passed on: mostly the same bytes, less an end that may be the beginning of the key. */
  push: (bytes: Uint8Array) => Uint8Array;
  /** What was held back. */
  flush: () => Uint8Array;
}

export function createKeyFilter(key: string | null): KeyFilter {
  const sought = spellingsOf(key).map((spelling) => new TextEncoder().encode(spelling));
  if (sought.length === 0) return { push: (bytes) => bytes, flush: () => EMPTY };
  const blot = new TextEncoder().encode(BLOT);
  let held = EMPTY;
  return {
    push(piece) {
      const bytes = held.byteLength === 0 ? piece : join([held, piece]);
      const parts: Uint8Array[] = [];
      let from = 0;
      let match = findKey(bytes, sought, 0);
      for (; match.length > 0; match = findKey(bytes, sought, from)) {
        parts.push(bytes.subarray(from, match.at), blot);
        from = match.at + match.length;
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

interface Match {
  at: number;
  /** 0 for what may only be the beginning. */
  length: number;
}

/** Where the key stands first from `from` on, or where it may begin at the end of the bytes; else their end. */
function findKey(bytes: Uint8Array, spellings: readonly Uint8Array[], from: number): Match {
  let first: Match = { at: bytes.byteLength, length: 0 };
  for (const spelling of spellings) {
    const match = findSpelling(bytes, spelling, from);
    if (match.at < first.at || (match.at === first.at && match.length > 0)) first = match;
  }
  return first;
}

function findSpelling(bytes: Uint8Array, spelling: Uint8Array, from: number): Match {
  const first = spelling[0]!;
  for (let at = bytes.indexOf(first, from); at !== -1; at = bytes.indexOf(first, at + 1)) {
    const length = Math.min(spelling.byteLength, bytes.byteLength - at);
    let same = 1;
    while (same < length && bytes[at + same] === spelling[same]) same += 1;
    if (same === length) return { at, length: length === spelling.byteLength ? length : 0 };
  }
  return { at: bytes.byteLength, length: 0 };
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
