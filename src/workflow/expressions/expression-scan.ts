/**
 * Reading CEL source without parsing it: only strings and comments have to be known to tell where an expression ends and
 * what it calls.
 */

const IDENTIFIER = /[A-Za-z_][A-Za-z0-9_]*/y;

interface Call {
  name: string;
  at: number;
}

/** Names that are followed by `(`, in order of appearance. */
export function findCalls(source: string): Call[] {
  const calls: Call[] = [];
  let at = 0;
  while (at < source.length) {
    const end = skipOpaque(source, at);
    if (end === -1) return calls;
    if (end > at) {
      at = end;
      continue;
    }
    IDENTIFIER.lastIndex = at;
    const name = IDENTIFIER.exec(source)?.[0];
    if (name === undefined) {
      at += 1;
      continue;
    }
    if (source[skipBlank(source, at + name.length)] === "(") calls.push({ name, at });
    at += name.length;
  }
  return calls;
}

/** Position of the `}` that closes the expression starting at `at`, or -1. Braces of map literals and those in strings and comments do not count. */
export function findClosingBrace(source: string, at: number): number {
  let depth = 0;
  while (at < source.length) {
    const end = skipOpaque(source, at);
    if (end === -1) return -1;
    if (end > at) {
      at = end;
      continue;
    }
    const character = source[at];
    if (character === "{") depth += 1;
    if (character === "}") {
      if (depth === 0) return at;
      depth -= 1;
    }
    at += 1;
  }
  return -1;
}

/** The position behind the string or comment that starts at `at`; `at` itself when none does, -1 when it does not end. */
function skipOpaque(source: string, at: number): number {
  const character = source[at];
  if (character === '"' || character === "'") return skipString(source, at, character);
  if (character === "/" && source[at + 1] === "/") return skipComment(source, at);
  return at;
}

/** A backslash hides the next character, in raw strings too: that is how the parser reads them. */
function skipString(source: string, at: number, quote: string): number {
  const delimiter = source.startsWith(quote.repeat(3), at) ? quote.repeat(3) : quote;
  for (let index = at + delimiter.length; index < source.length; index += 1) {
    if (source[index] === "\\") index += 1;
    else if (source.startsWith(delimiter, index)) return index + delimiter.length;
  }
  return -1;
}

function skipComment(source: string, at: number): number {
  const end = source.indexOf("\n", at);
  return end === -1 ? source.length : end;
}

function skipBlank(source: string, at: number): number {
  for (;;) {
    while (at < source.length && " \t\r\n".includes(source[at]!)) at += 1;
    if (source[at] !== "/" || source[at + 1] !== "/") return at;
    at = skipComment(source, at);
  }
}
