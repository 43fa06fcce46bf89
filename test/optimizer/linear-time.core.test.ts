import { describe, expect, it } from "vitest";
import { reduceContext } from "../../src/optimizer/reduce-context.ts";
import { splitContext } from "../../src/optimizer/split-context.ts";
import { upperBoundTokens } from "../../src/optimizer/tokens/token-bound.ts";
import { estimateTokens } from "../../src/optimizer/tokens/tokens.ts";

/** Inputs that make careless readers quadratic or worse, by their length. */
const HOSTILE: Record<string, (length: number) => string> = {
  "one line of words": (length) => "the lamp burns until the fog has gone ".repeat(length / 38),
  "one line of CJK": (length) => "港口主管每天早上走到码头".repeat(length / 12),
  "one line without a space": (length) => "aGVsbG8gd29ybGQ1".repeat(length / 16),
  "empty lines": (length) => "\n".repeat(length),
  "only spaces": (length) => " ".repeat(length),
  "only emoji": (length) => "😀🎉👩‍🚀".repeat(length / 9),
  "broken UTF-16": (length) => "\ud800a\udc00 ".repeat(length / 4),
  "deep JSON": (length) => "[".repeat(length / 2) + "]".repeat(length / 2),
  "deep objects": (length) => `${'{"a":'.repeat(length / 6)}1${"}".repeat(length / 6)}`,
  "an array of numbers": (length) => `[${Array.from({ length: length / 6 }, (_, n) => n % 100_000).join(",")}]`,
  "an object of tiny members": (length) => `{${Array.from({ length: length / 11 }, (_, n) => `"k${n}":1`).join(",")}}`,
  "an array of empty arrays": (length) => `[${"[],".repeat(length / 3)}0]`,
  "a JSON string of sentences": (length) => JSON.stringify({ text: "The lamp burns. It is \"fog\".\n".repeat(length / 32) }),
  "a JSON string of escapes": (length) => JSON.stringify({ text: "\\".repeat(length / 2) }),
  "a JSON string of fences": (length) => JSON.stringify({ text: "```\n".repeat(length / 5) }),
  "JSON lines": (length) => Array.from({ length: length / 40 }, (_, n) => `{"id":${n % 10_000},"text":"the lamp burns"}`).join("\n"),
  "JSON texts": (length) => JSON.stringify(Array.from({ length: length / 300 }, (_, n) => ({ n, text: "The lamp burns. ".repeat(17) }))),
  "open quotes and escapes": (length) => `{"${'\\"'.repeat(length / 2)}`,
  "unclosed code blocks": (length) => "```\nx\n~~~\n".repeat(length / 10),
  "headings only": (length) => "# a\n".repeat(length / 4),
  "a heading of hashes": (length) => `# ${"#".repeat(length)}x`,
  "sentences in one line": (length) => "The lamp burns. It is fog. ".repeat(length / 27),
  "table rows": (length) => "| a | b |\n".repeat(length / 10),
  "list items": (length) => "- a\n".repeat(length / 4),
  "list items with gaps": (length) => "- a\n\n\n".repeat(length / 6),
  "labels that do not end": (length) => "Document [1] (Title: ".repeat(length / 21),
  "speakers only": (length) => "Ada: b\n".repeat(length / 7),
  "speakers with times": (length) => "[00:01:23] **Ada (00:01:24):** b\n".repeat(length / 34),
  "nearly times": (length) => "[00:01:23 1/2/3, 4:5".repeat(length / 20),
  "roles only": (length) => "user: {\nassistant: [\n".repeat(length / 21),
  "turns with an id each": (length) => Array.from({ length: length / 40 }, (_, n) => `user: order ORD${n}\nassistant: {"id":"QX${n}"}`).join("\n"),
  "rows of values": (length) => `a,b,c\n${"1,2,3\n".repeat(length / 6)}`,
  "a quote that opens rows": (length) => `a,b,c\n"${"1,2,3\n".repeat(length / 6)}`,
  "log lines of one template": (length) => Array.from({ length: length / 40 }, (_, n) => `2026-01-02 10:00:00 INFO accepted id=${n % 10_000}`).join("\n"),
  "files of a line": (length) => Array.from({ length: length / 32 }, (_, n) => `src/f${n % 10_000}.ts\nconst a = 1;\n`).join("\n"),
  "lines that are nearly paths": (length) => `const a = 1;\n${`${"a/.".repeat(70)}\n`.repeat(length / 211)}`,
  "classes in classes": (length) => `class A {\n${"    class A {\n\n".repeat(length / 16)}`,
  "one class of tiny methods": (length) => `class A {\n${"  m() {\n    return 1;\n  }\n\n".repeat(length / 27)}}`,
  "one long array": (length) => `const A = [\n${"  1,\n".repeat(length / 5)}];`,
  "dots and closing brackets": (length) => '.")]}'.repeat(length / 5),
  "one-letter sentences": (length) => "a. B. ".repeat(length / 6),
  "commas and colons": (length) => "A,:".repeat(length / 3),
  "the same long paragraph": (length) => `${"keeper lamp wick fog boat tea wall wind ".repeat(5)}\n\n`.repeat(length / 202),
};

const SMALL = 20_000;
const FACTOR = 8;
/** Linear work grows eightfold, quadratic work sixty-fourfold; between them there is room for a noisy machine. */
const MOST_GROWTH = 32;
/** Added to both times, so that jitter of short runs does not count. */
const FLOOR_MS = 3;

/** The processor's time, not the clock's: other processes do not count. */
function timeOf(work: () => unknown): number {
  const start = process.cpuUsage();
  work();
  return process.cpuUsage(start).user / 1_000 + FLOOR_MS;
}

/** Of the large work to the small one. A pause of the machine in one run does not count: the best of three. */
function growth(large: () => unknown, small: () => unknown): number {
  small();
  const smallMs = Math.min(timeOf(small), timeOf(small), timeOf(small));
  let best = timeOf(large) / smallMs;
  for (let run = 1; run < 3 && best >= MOST_GROWTH; run += 1) best = Math.min(best, timeOf(large) / smallMs);
  return best;
}

describe.each(Object.entries(HOSTILE))("time for %s grows with its length", (_what, make) => {
  const small = make(SMALL);
  const large = make(SMALL * FACTOR);

  it.each([
    ["reducing", (text: string) => reduceContext(text, { query: "Which lamp was lit, and when?", targetReduction: 0.75 })],
    ["splitting", (text: string) => splitContext(text, { maxTokens: 200, overlapTokens: 40 })],
    ["counting", (text: string) => estimateTokens(text) + upperBoundTokens(text)],
  ])("%s", (_work, work) => {
    expect(growth(() => work(large), () => work(small))).toBeLessThan(MOST_GROWTH);
  });
});

it("time for a reduction grows with the query's length", () => {
  const log = HOSTILE["log lines of one template"]?.(SMALL) ?? "";
  const reduceFor = (length: number) => () => reduceContext(log, { query: "a".repeat(length), targetReduction: 0.75 });
  expect(growth(reduceFor(SMALL * FACTOR), reduceFor(SMALL))).toBeLessThan(MOST_GROWTH);
});
