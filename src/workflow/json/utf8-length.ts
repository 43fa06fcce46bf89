const encoder = new TextEncoder();
/** Up to this length looking at the characters is faster than encoding them. */
const SHORT_CHARS = 200;

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  return text.length <= SHORT_CHARS && isAscii(text) ? text.length : encoder.encode(text).length;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
