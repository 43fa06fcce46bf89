/** Repetition that a native search takes in its stride; what repeats itself further back makes it compare the same characters over and over. */
const HARMLESS_REPEAT_CHARS = 32;

/**
 * The first place of `needle` in `text` at `from` or behind it, or -1, in time that grows with their lengths. `indexOf` alone is faster, but with a needle that
 * repeats itself ("aaa…b…aaa") in a text that does so too it takes the product of both lengths.
 */
export function findString(text: string, needle: string, from = 0): number {
  if (needle.length <= HARMLESS_REPEAT_CHARS || needle.length > text.length) return text.indexOf(needle, from);
  const borders = bordersOf(needle.length, (at) => needle.charCodeAt(at));
  if (repeatsItself(borders)) return findByBorders(text, needle, borders, from);
  // A native search may compare from the end.
  const last = needle.length - 1;
  return repeatsItself(bordersOf(needle.length, (at) => needle.charCodeAt(last - at))) ? findByBorders(text, needle, borders, from) : text.indexOf(needle, from);
}

/** For each beginning of a string, how long its longest proper part is that both begins and ends it. */
function bordersOf(length: number, codeAt: (at: number) => number): Int32Array {
  const borders = new Int32Array(length);
  let border = 0;
  for (let at = 1; at < length; at += 1) {
    const code = codeAt(at);
    while (border > 0 && codeAt(border) !== code) border = borders[border - 1] as number;
    if (codeAt(border) === code) border += 1;
    borders[at] = border;
  }
  return borders;
}

/** Whether a long beginning is something said twice or more. */
function repeatsItself(borders: Int32Array): boolean {
  for (let at = HARMLESS_REPEAT_CHARS; at < borders.length; at += 1) if ((borders[at] as number) * 2 > at) return true;
  return false;
}

/** Goes through the text once: after a mismatch, what is known of the needle's beginning is not compared again. */
function findByBorders(text: string, needle: string, borders: Int32Array, from: number): number {
  let matched = 0;
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    while (matched > 0 && needle.charCodeAt(matched) !== code) matched = borders[matched - 1] as number;
    if (needle.charCodeAt(matched) === code) matched += 1;
    if (matched === needle.length) return at - matched + 1;
  }
  return -1;
}
