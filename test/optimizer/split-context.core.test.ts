import fc from "fast-check";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, it } from "vitest";
import { MIN_CHUNK_TOKENS, splitContext, type Chunk } from "../../src/optimizer/split-context.ts";
import { ALL_KINDS, anyText, GUIDE } from "./sample-texts.ts";

function joined(chunks: readonly Chunk[]): string {
  return chunks.map((chunk) => chunk.text).join("");
}

describe("splitting a text", () => {
  it("loses no byte, keeps to the limit and repeats only the end of the chunk before, whatever the text", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: MIN_CHUNK_TOKENS, max: 120 }), fc.nat({ max: 60 }), (text, maxTokens, overlapTokens) => {
        const { chunks } = splitContext(text, { maxTokens, overlapTokens });
        expect(joined(chunks)).toBe(text);
        chunks.forEach((chunk, at) => {
          expect(chunk.index).toBe(at);
          expect(chunk.text).not.toBe("");
          expect(chunk.tokens).toBeLessThanOrEqual(maxTokens);
          expect((chunks[at - 1]?.text ?? "").endsWith(chunk.overlap)).toBe(true);
        });
      }),
      { numRuns: 500 },
    );
  });

  it("parts no surrogate pair", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("😀", "👩‍🚀", "a", " ", "好"), { maxLength: 200 }), fc.integer({ min: MIN_CHUNK_TOKENS, max: 30 }), (parts, maxTokens) => {
        for (const { text, overlap } of splitContext(parts.join(""), { maxTokens, overlapTokens: 6 }).chunks) {
          expect(text.isWellFormed()).toBe(true);
          expect(overlap.isWellFormed()).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("parts no surrogate pair of a heading that is cut", () => {
    for (const shift of ["", "x"]) {
      const { chunks } = splitContext(`# ${shift}${"😀".repeat(300)}\n\nwords`, { maxTokens: 2_000 });
      expect(chunks[0]?.heading?.isWellFormed()).toBe(true);
    }
  });

  it.each(Object.entries(ALL_KINDS))("%s: no chunk is over the limit for a real tokenizer, and chunks are at least half full on average", (_kind, text) => {
    const { chunks } = splitContext(text, { maxTokens: 120, overlapTokens: 12 });
    for (const chunk of chunks) expect(countTokens(chunk.overlap + chunk.text)).toBeLessThanOrEqual(120);
    expect(chunks.reduce((sum, chunk) => sum + chunk.tokens, 0) / chunks.length).toBeGreaterThan(60);
  });

  it("cuts a code block or a table only if it alone is over the limit", () => {
    const block = `\`\`\`ts\n${"const wick = trim(lamp);\n".repeat(8)}\`\`\`\n`;
    const text = `${"Some words before it. ".repeat(20)}\n\n${block}\n${"Some words after it. ".repeat(20)}\n`;
    const holds = (maxTokens: number): boolean => splitContext(text, { maxTokens, overlapTokens: 20 }).chunks.some((chunk) => chunk.text.includes(block));
    expect(splitContext(block, { maxTokens: 90 }).chunks).toHaveLength(1);
    for (const maxTokens of [90, 100, 130, 170]) expect(holds(maxTokens)).toBe(true);
    expect(holds(40)).toBe(false);
  });

  it("cuts at a heading rather than inside a section when that leaves the chunk full enough", () => {
    const section = (name: string): string => `## ${name}\n\n${"Words on this and that. ".repeat(12)}\n\n`;
    const { chunks } = splitContext(section("One") + section("Two") + section("Three"), { maxTokens: 150 });
    expect(chunks.map((chunk) => chunk.text.split("\n")[0])).toEqual(["## One", "## Two", "## Three"]);
  });

  it("tells the heading path at a chunk's start, not taking a comment in code for a heading", () => {
    const text = `intro\n\n# Lamp\n\n${"Words. ".repeat(30)}\n\n## Fuel ##\n\n\`\`\`sh\n# no heading\n\`\`\`\n\n${"More words. ".repeat(40)}\n`;
    const headings = splitContext(text, { maxTokens: 50 }).chunks.map((chunk) => chunk.heading);
    expect(headings[0]).toBeNull();
    expect(headings).toContain("Lamp");
    expect(headings.at(-1)).toBe("Lamp > Fuel");
  });

  it("names for each chunk the words that set it apart", () => {
    const { chunks } = splitContext(GUIDE, { maxTokens: 110 });
    const fuel = chunks.find((chunk) => chunk.text.includes("Paraffin"));
    expect(fuel?.concepts.some((concept) => ["paraffin", "drum", "drums", "pump", "litres", "fuel"].includes(concept))).toBe(true);
    for (const { concepts } of chunks) expect(new Set(concepts).size).toBe(concepts.length);
  });

  it("gives up overlap rather than the limit", () => {
    const text = `${"word ".repeat(40)}\n\n\`\`\`\n${"x = y + z\n".repeat(9)}\`\`\`\n`;
    for (const maxTokens of [60, 70, 80]) {
      for (const chunk of splitContext(text, { maxTokens, overlapTokens: 1_000 }).chunks) expect(chunk.tokens).toBeLessThanOrEqual(maxTokens);
    }
  });

  it("of nothing is nothing", () => {
    expect(splitContext("", { maxTokens: 10 }).chunks).toEqual([]);
  });

  it("refuses a limit that a single character may be over", () => {
    expect(() => splitContext("x", { maxTokens: MIN_CHUNK_TOKENS - 1 })).toThrow(RangeError);
    expect(splitContext("👩‍🚀".repeat(20), { maxTokens: MIN_CHUNK_TOKENS }).chunks.every((chunk) => chunk.tokens <= MIN_CHUNK_TOKENS)).toBe(true);
  });
});
