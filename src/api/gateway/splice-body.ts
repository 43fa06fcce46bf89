const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;

/**
 * The text of a JSON object with other values for some of its members; those that it lacks come last. Everything else stays as it came, to
 * the letter: numbers that JavaScript cannot hold, and images that would take long to write anew. A name that stands there twice is replaced twice.
 * `text` must be JSON, and an object.
 */
export function spliceBody(text: string, members: Readonly<Record<string, unknown>>): string {
  const missing = new Set(Object.keys(members));
  let spliced = "";
  let copied = 0;
  let isEmpty = true;
  let at = skipSpace(text, text.indexOf("{") + 1);
  while (text.charCodeAt(at) === QUOTE) {
    isEmpty = false;
    const keyEnd = endOfString(text, at);
    const key = readKey(text.slice(at, keyEnd));
    const start = skipSpace(text, text.indexOf(":", keyEnd) + 1);
    const end = endOfValue(text, start);
    if (Object.hasOwn(members, key)) {
      spliced += text.slice(copied, start) + JSON.stringify(members[key]);
      copied = end;
      missing.delete(key);
    }
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  const added = [...missing].map((key) => `${JSON.stringify(key)}:${JSON.stringify(members[key])}`).join(",");
  return spliced + text.slice(copied, at) + (isEmpty || added === "" ? "" : ",") + added + text.slice(at);
}

function readKey(literal: string): string {
  return literal.includes("\\") ? (JSON.parse(literal) as string) : literal.slice(1, -1);
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 0x20) at += 1;
  return at;
}

/** After the closing quote of the string that begins here. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); ; quote = text.indexOf('"', quote + 1)) {
    if (quote === -1) return text.length;
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return quote + 1;
  }
}

/** After the value that begins here. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at) - 1;
    else if (code === OPENING_BRACE || code === OPENING_BRACKET) depth += 1;
    else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) {
      // The object's own end, right after a number or a word.
      if (depth === 0) return at;
      depth -= 1;
    } else if (depth > 0) continue;
    else if (code === COMMA || code <= 0x20) return at;
    else continue;
    if (depth === 0) return at + 1;
  }
  return text.length;
}
