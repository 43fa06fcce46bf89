import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createKeyFilter, MIN_REDACTED_KEY_CHARS, redactKey } from "../../src/router/redact-key.ts";

const KEY = "sk-sk-live/0123+456=";
/** As some servers write it inside JSON. */
const ESCAPED = KEY.replaceAll("/", "\\/");

function filterPieces(pieces: readonly Uint8Array[], key: string | null): string {
  const filter = createKeyFilter(key);
  const decoder = new TextDecoder();
  return pieces.map((piece) => decoder.decode(filter.push(piece), { stream: true })).join("") + decoder.decode(filter.flush());
}

describe("a provider's text", () => {
  test.each([
    [`bad key ${KEY}!`, "bad key •••!"],
    [`{"message":"bad key ${ESCAPED}"}`, '{"message":"bad key •••"}'],
    [`${KEY}${KEY}`, "••••••"],
    ["sk-live is no key of ours", "sk-live is no key of ours"],
  ])("%s loses the key", (text, expected) => {
    expect(redactKey(text, KEY)).toBe(expected);
  });

  test(`keeps words of fewer than ${MIN_REDACTED_KEY_CHARS} characters, which are no keys`, () => {
    const [short, long] = ["x".repeat(MIN_REDACTED_KEY_CHARS - 1), "x".repeat(MIN_REDACTED_KEY_CHARS)];
    expect(redactKey(`a ${short} b`, short)).toContain(short);
    expect(redactKey(`a ${long} b`, long)).not.toContain(long);
    expect(filterPieces([new TextEncoder().encode(short)], short)).toBe(short);
    expect(redactKey("anything", null)).toBe("anything");
  });
});

describe("a provider's bytes", () => {
  test("lose the key however they are cut, and nothing else", () => {
    const part = fc.constantFrom(KEY, ESCAPED, "sk-", "sk-sk-", KEY.slice(0, -1), KEY.slice(1), ESCAPED.slice(0, -1), ESCAPED.slice(0, 12), "a", "é", "😀", "\n\n", "data: ");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 30 }), (parts, sizes) => {
        const text = parts.join("");
        const bytes = new TextEncoder().encode(text);
        const pieces: Uint8Array[] = [];
        for (let at = 0, index = 0; at < bytes.byteLength; index += 1) {
          const size = sizes[index % sizes.length]!;
          pieces.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(filterPieces(pieces, KEY)).toBe(redactKey(text, KEY));
      }),
      { numRuns: 1_000 },
    );
  });

  test.each(['say "sesame"', "back\\slash-key", "//////////"])("lose a key in which JSON escapes something: %j", (key) => {
    for (const spelling of [key, key.replaceAll("/", "\\/"), JSON.stringify(key).slice(1, -1)]) {
      const text = `a ${spelling} b`;
      expect(redactKey(text, key)).toBe("a ••• b");
      for (let cut = 0; cut <= text.length; cut += 1) expect(filterPieces([text.slice(0, cut), text.slice(cut)].map((piece) => new TextEncoder().encode(piece)), key)).toBe("a ••• b");
    }
  });

  test("are passed on at once, uncopied, where no key can begin", () => {
    const piece = new TextEncoder().encode("data: hello\n\n");
    const passed = createKeyFilter(KEY).push(piece);
    expect(passed.buffer).toBe(piece.buffer);
    expect(passed.byteLength).toBe(piece.byteLength);
  });
});
