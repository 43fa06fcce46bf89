import { countTokens as countO200k } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, it } from "vitest";
import { estimateTokens, measureTokens } from "../../../src/optimizer/tokens/tokens.ts";
import { KINDS_OF_TEXT, type KindOfText } from "../kinds-of-text.ts";

/** How far the estimate may be from the tokenizer that it was fitted to. */
const KINDS: [kind: KindOfText, lowest: number, highest: number][] = [
  ["prose", 0.9, 1.1],
  ["a meeting", 0.9, 1.15],
  ["a log", 0.85, 1.15],
  ["code", 0.85, 1.2],
  ["JSON", 0.85, 1.15],
  ["Markdown", 0.85, 1.2],
  ["German", 0.8, 1.2],
  ["Russian", 0.8, 1.3],
  ["Chinese", 0.8, 1.3],
  ["Japanese", 0.75, 1.3],
  ["hexadecimal", 0.75, 1.3],
  ["base64", 0.65, 1.3],
  ["emoji", 0.6, 1.4],
];

describe("the token estimate", () => {
  it.each(KINDS)("of %s is near what a real tokenizer counts", (kind, lowest, highest) => {
    const text = KINDS_OF_TEXT[kind];
    const ratio = estimateTokens(text) / countO200k(text);
    expect(ratio).toBeGreaterThanOrEqual(lowest);
    expect(ratio).toBeLessThanOrEqual(highest);
  });

  it("of parts adds up to the estimate of the whole", () => {
    const sentences = KINDS_OF_TEXT.prose.repeat(5).match(/[^.]+\. */g) ?? [];
    const sum = sentences.reduce((total, sentence) => total + measureTokens(sentence), 0);
    expect(sum / measureTokens(sentences.join(""))).toBeCloseTo(1, 1);
  });

  it("of nothing is nothing, and of anything at least one", () => {
    expect(estimateTokens("")).toBe(0);
    for (const text of ["a", "7", "—", "\n", "好", "\ud800"]) expect(estimateTokens(text)).toBeGreaterThanOrEqual(1);
  });
});
