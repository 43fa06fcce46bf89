import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findString } from "../../../src/optimizer/reduce/find-string.ts";

describe("finding a string", () => {
  it("finds what `indexOf` finds, wherever it begins to look", () => {
    const part = fc.constantFrom("a", "b", "ab", "aab", "a".repeat(20), "ab".repeat(12), "\ud83d", "😀");
    const repetitive = fc.array(part, { maxLength: 60 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(repetitive, repetitive, fc.nat(), fc.nat(), fc.nat({ max: 50 }), (text, other, at, length, from) => {
        const own = text.slice(at % (text.length + 1)).slice(0, length % 200);
        for (const needle of [own, other]) {
          expect(findString(text, needle, from)).toBe(text.indexOf(needle, from));
          expect(findString(text, needle)).toBe(text.indexOf(needle));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ["a mismatch in the middle", (size: number) => `${"a".repeat(size)}b${"a".repeat(size)}`],
    ["a mismatch at the end", (size: number) => `${"a".repeat(2 * size)}b`],
    ["a mismatch in front", (size: number) => `c${"a".repeat(2 * size)}`],
    ["repeated words", (size: number) => `${"ab".repeat(size)}c${"ab".repeat(size)}`],
  ])("takes no longer than the lengths together, with %s of what repeats itself", (_where, makeNeedle) => {
    const timeOf = (size: number): number => {
      const text = "ab".repeat(16 * size) + "a".repeat(32 * size);
      const needle = makeNeedle(size);
      const start = process.cpuUsage();
      expect(findString(text, needle)).toBe(-1);
      return process.cpuUsage(start).user / 1_000 + 3;
    };
    timeOf(1_000);
    // Sixteenfold lengths: the product would take 256 times as long.
    expect(timeOf(48_000) / timeOf(3_000)).toBeLessThan(64);
  });
});
