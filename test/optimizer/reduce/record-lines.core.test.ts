import { describe, expect, it } from "vitest";
import { reduceContext } from "../../../src/optimizer/reduce-context.ts";
import { splitLines } from "../../../src/optimizer/reduce/lines.ts";
import { findRecords } from "../../../src/optimizer/reduce/record-lines.ts";

const numbers = Array.from({ length: 200 }, (_, n) => n);
const PRICES = `id,name,price\n${numbers.map((n) => `${n},lantern ${n},${n * 3}`).join("\n")}\n`;
const TABBED = `berth\tship\tdraught\n${numbers.map((n) => `b${n}\tship${n}\t${n * 7}`).join("\n")}\n`;
const NOTES = `${numbers.map((n) => `Berth ${n}: free since day ${n * 5}`).join("\n")}\n`;
const MARKUP = `${numbers.map((n) => `<li>Berth ${n} has a crane of ${n * 5} tons</li>`).join("\n")}\n`;
const WRAPPED = "the lamp burns until the fog has gone, and\nnobody on the island, not even the keeper,\nwould say how long that may be. In spring\nit takes a night, in autumn a week, and in\nwinter, as the log has it, no ship would\ncall anyway. So the keeper trims the wick\nand waits, reads a little, and sleeps.\n";

function recordsOf(text: string): { hasHeader: boolean } | undefined {
  const lines = splitLines(text);
  return findRecords(text, lines, 0, lines.length - 1);
}

describe("lines that each stand for themselves", () => {
  it.each([
    ["rows of values", PRICES, { hasHeader: true }],
    ["rows with tabs", TABBED, { hasHeader: true }],
    ["rows without a header", PRICES.slice(PRICES.indexOf("\n") + 1), { hasHeader: false }],
    ["rows with quoted separators", `name,place,day\n${'"Ash, Ann",pier,1\n'.repeat(8)}`, { hasHeader: true }],
    ["entries", NOTES, { hasHeader: false }],
    ["lines of markup", MARKUP, { hasHeader: false }],
  ])("are told: %s", (_what, text, found) => expect(recordsOf(text)).toEqual(found));

  it.each([
    ["a wrapped paragraph", WRAPPED],
    ["wrapped lines of another script", "港口主管每天早上走到码头\n".repeat(10)],
    ["a few lines", "A: 1\nB: 2\nC: 3\n"],
  ])("are not taken for that: %s", (_what, text) => expect(recordsOf(text)).toBeUndefined());

  it.each([
    ["a row, with the names of its columns", PRICES, "What is the price of lantern 77?", ["id,name,price\n", "\n77,lantern 77,231\n"]],
    ["a row with tabs", TABBED, "draught of ship77", ["berth\tship\tdraught\n", "\nb77\tship77\t539\n"]],
    ["an entry", NOTES, "Since when is berth 77 free?", ["\nBerth 77: free since day 385\n"]],
    ["a line of markup", MARKUP, "Which crane has berth 77?", ["\n<li>Berth 77 has a crane of 385 tons</li>\n"]],
  ])("are kept or dropped whole: %s", (_what, text, query, facts) => {
    const reduction = reduceContext(text, { query, targetReduction: 0.8 });
    expect(reduction.achieved).toBe(true);
    for (const fact of facts) expect(`\n${reduction.text}`).toContain(fact);
    const lines = new Set(text.split("\n"));
    for (const line of reduction.text.split("\n")) expect(lines.has(line) || /^\[… \d+ lines? omitted\]$/.test(line), line).toBe(true);
  });

  it("keep the names of their columns also where there are so many that several go together", () => {
    const rows = Array.from({ length: 120_000 }, (_, n) => `${n},lantern ${n},${n * 3}`);
    const { text } = reduceContext(`id,name,price\n${rows.join("\n")}\n`, { query: "What is the price of lantern 77123?", maxTokens: 2_000 });
    expect(text.startsWith("id,name,price\n")).toBe(true);
    expect(text).toContain("\n77123,lantern 77123,231369\n");
  });
});
