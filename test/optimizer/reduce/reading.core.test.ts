import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ContentKind } from "../../../src/optimizer/reduce/kind.ts";
import { isJsonContainer, minifyJson } from "../../../src/optimizer/reduce/json-scan.ts";
import { MAX_SENTENCE_CHARS, splitSentences } from "../../../src/optimizer/reduce/sentences.ts";
import { MAX_WHOLE_LIST_ITEMS } from "../../../src/optimizer/reduce/blocks.ts";
import { readDocument } from "../../../src/optimizer/reduce/read-document.ts";
import { renderDocument } from "../../../src/optimizer/reduce/render.ts";
import { indexTerms } from "../../../src/optimizer/reduce/terms.ts";
import { anyText } from "../sample-texts.ts";

const KINDS: ContentKind[] = ["prose", "documents", "transcript", "trajectory", "log", "code"];

function sentencesOf(text: string): string[] {
  return splitSentences(text, 0, text.length).map(({ start, end }) => text.slice(start, end));
}

describe("reading a text and writing it again", () => {
  it("changes nothing but whitespace, whatever the text and whatever it is taken for", () => {
    const bare = (text: string): string => text.replace(/[\s\u200b\ufeff]+/gu, "");
    fc.assert(
      fc.property(anyText, fc.constantFrom(...KINDS), (text, kind) => {
        // JSON inside an agent's run loses the whitespace between its tokens, too.
        expect(bare(renderDocument(readDocument(text, kind, [])))).toBe(bare(text));
      }),
      { numRuns: 500 },
    );
  });

  it("keeps code as it is, and the indentation of lists", () => {
    const text = "Look:\n\n```py\nif x:\n\n\n    y()  \n```\n\n- a\n  - b\n    more\n";
    expect(renderDocument(readDocument(text, "prose", []))).toBe(text);
  });

  it("takes long items apart by sentences, but not what is indented in them", () => {
    const long = "The lamp was lit. ".repeat(15).trim();
    const code = "    pump --prime\n    pump --run";
    const { units } = readDocument(`- Oil: ${long}\n- Wick: ${long}\n\n${code}\n- Fog: ${long}\n`, "prose", []);
    expect(units.filter(({ role }) => role === "label").map(({ text }) => text)).toEqual(["- Oil:", "- Wick:", "- Fog:"]);
    expect(units.filter(({ role }) => role === "sentence")).toHaveLength(45);
    expect(units.filter(({ role }) => role === "code").map(({ text }) => text)).toEqual([code]);
  });

  it("takes a list apart only beyond the longest that stays whole", () => {
    const units = (items: number): number => readDocument("- an item\n".repeat(items), "prose", []).units.length;
    expect(units(MAX_WHOLE_LIST_ITEMS)).toBe(1);
    expect(units(MAX_WHOLE_LIST_ITEMS + 1)).toBe(MAX_WHOLE_LIST_ITEMS + 1);
  });
});

describe("sentences", () => {
  it.each([
    ["They met Dr. Brandt at St. Gall. She left.", ["They met Dr. Brandt at St. Gall.", "She left."]],
    ["It cost 3.50 in 1911! Was it much? Yes.", ["It cost 3.50 in 1911!", "Was it much?", "Yes."]],
    ["Fig. 3 shows No. 12 of vol. 2. It is big.", ["Fig. 3 shows No. 12 of vol. 2.", "It is big."]],
    ["J. R. Merrow wrote it (in ink). Later he said: “No.” Then nothing.", ["J. R. Merrow wrote it (in ink).", "Later he said: “No.”", "Then nothing."]],
    ["Fig. 3 shows No. 12 of vol. 2. It is big.", ["Fig. 3 shows No. 12 of vol. 2.", "It is big."]],
    ["See example.org/a.b for more. end", ["See example.org/a.b for more. end"]],
    ["灯亮了。雾散了！", ["灯亮了。", "雾散了！"]],
  ])("%s", (text, sentences) => {
    expect(sentencesOf(text)).toEqual(sentences);
  });

  it("without an end are cut at a space once they are too long", () => {
    const pieces = sentencesOf("lamp ".repeat(MAX_SENTENCE_CHARS));
    expect(pieces.length).toBeGreaterThan(3);
    for (const piece of pieces) expect(piece).toMatch(/^lamp( lamp)*$/);
  });
});

describe("JSON is told from other text", () => {
  const isParsed = (text: string): boolean => {
    try {
      return typeof JSON.parse(text) === "object" && JSON.parse(text) !== null;
    } catch {
      return false;
    }
  };

  it("as a parser tells it, whatever is changed in it", () => {
    const pieces = ["", " ", "\n", "\f", "\u00a0", "\u0001", ",", ":", '"', "\\", "\\u12", "{", "}", "[", "]", "-", "0", "01", ".", "e", "1e+5", "null", "tru", "'"];
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(4), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(2), fc.constantFrom(...pieces), (value, indent, at, removed, piece) => {
        const json = JSON.stringify(value, null, indent);
        expect(isJsonContainer(json)).toBe(isParsed(json));
        const from = Math.floor(at * json.length);
        const changed = json.slice(0, from) + piece + json.slice(from + removed);
        expect(isJsonContainer(changed)).toBe(isParsed(changed));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each(["", "  ", "[", "[1,]", "{,}", '{"a"}', '{"a":}', "[1 2]", "[]]", "[01]", "[1.]", "[.5]", "[+1]", "[--1]", "[1e]", '["\t"]', '["\\x"]', "[nul]", "{1:2}", "[],", "1", '"a"', "null"])("%j is none", (text) => {
    expect(isJsonContainer(text)).toBe(false);
  });

  it("and nesting of 512 is the deepest that is taken for it", () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    expect(isJsonContainer(nested(512))).toBe(true);
    expect(isJsonContainer(nested(513))).toBe(false);
  });
});

describe("JSON without its whitespace", () => {
  it("is the same value, spelled the same", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(minifyJson(JSON.stringify(value, null, 3))).toBe(JSON.stringify(value));
      }),
    );
    expect(minifyJson('{ "a\\" b" : [ 1.50 ,\n 1E5 , "x  y" ] }')).toBe('{"a\\" b":[1.50,1E5,"x  y"]}');
  });
});

describe("words", () => {
  const idsOf = (text: string): number[] => [...indexTerms([text]).ids];
  it.each([
    ["Lighthouses lighthouse LIGHTHOUSE"],
    ["retained retaining retains retain"],
    ["Gdańsk gdansk"],
    ["keepers keeper"],
    ["Заря заря"],
  ])("of one stem are one: %s", (...texts) => {
    expect(new Set(texts.flatMap((text) => [...indexTerms([texts.join(" "), text]).ids])).size).toBe(1);
  });

  it("of names written together are read apart", () => {
    const { ids } = indexTerms(["snapRetainCount", "snap retain count"]);
    expect([...ids.slice(0, 3)]).toEqual([...ids.slice(3)]);
  });

  it("with digits keep every character", () => {
    expect(new Set(idsOf("HAT0301234 HAT0301235 it-0301234")).size).toBe(4);
  });
});
