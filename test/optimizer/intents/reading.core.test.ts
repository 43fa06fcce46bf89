import { describe, expect, it } from "vitest";
import { classifyByPatterns } from "../../../src/optimizer/intents/classify-by-patterns.ts";
import { excerptStep, READ_HEAD_CHARS, READ_TAIL_CHARS, readClauses } from "../../../src/optimizer/intents/reading.ts";

function read(text: string): string[][] {
  return readClauses(text, (word) => word === "merge").map((clause) => clause.words);
}

describe("reading a step's text", () => {
  it.each<[string, string, string[][]]>([
    ["parts at colons, bars, spaced dashes, sentence ends and lines", "AI: do it - now. Then\nstop | here", [["ai"], ["do", "it"], ["now"], ["then"], ["stop"], ["here"]]],
    ["hyphens, slashes and points inside words divide words, not parts", "win-back on/off v1.2;x", [["win", "back", "on", "off", "v1", "2", "x"]]],
    ["signs that are words", "A & B + C -> D → E == F", [["a", "and", "b", "and", "c", "to", "d", "to", "e", "equals", "f"]]],
    ["apostrophes belong to the word, the possessive is dropped", "don't use Anna's", [["dont", "use", "anna"]]],
    ["humps of identifiers", "orderId sits in GitHub", [["order", "id", "sits", "in", "github"]]],
    ["copies' numbers, but for those of short names", "Merge2 and web3", [["merge", "and", "web3"]]],
    ["parts of digits alone are left out", "1. first 2", [["first", "2"]]],
    ["letters of other scripts", "Größe prüfen 日本", [["größe", "prüfen", "日本"]]],
    ["nothing", " \u{1F600} -- \ud83d", []],
  ])("%s", (_, text, clauses) => expect(read(text)).toEqual(clauses));

  it("marks questions, also where the mark stands apart", () => {
    expect(readClauses("Late ?", () => false)).toEqual([{ words: ["late"], asks: true, comma: 0 }]);
    expect(readClauses("Late. ?", () => false).map((clause) => clause.asks)).toEqual([true]);
  });

  it("reads the beginning and the end of a long text, and all of one at the limit", () => {
    const limit = READ_HEAD_CHARS + READ_TAIL_CHARS;
    const atLimit = "a".repeat(limit);
    expect(excerptStep(atLimit)).toBe(atLimit);
    const long = `Here is the log. ${"lorem ipsum. ".repeat(80_000)} Summarize it.`;
    expect(excerptStep(long)).toHaveLength(limit + 1);
    for (const shift of ["", "x"]) expect(excerptStep(`${shift}${"😀".repeat(limit)}${shift}`).isWellFormed()).toBe(true);
    expect(classifyByPatterns(long).intent).toBe("summarize");
  });

  it.each(["?".repeat(1e6), "a".repeat(1e6), "aB".repeat(5e5), "'".repeat(1e6), "if ".repeat(3e5), "\n".repeat(1e6), "\u{1F600}".repeat(5e5), "- ".repeat(5e5)])("finishes on a million of the same", (text) => {
    expect(classifyByPatterns(text).confidence).toBeLessThanOrEqual(1);
  });
});
