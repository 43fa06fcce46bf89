import { countTokens as countCl100k } from "gpt-tokenizer/encoding/cl100k_base";
import { countTokens as countO200k } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, it } from "vitest";
import { estimateTokens, measureTokens, upperBoundTokens } from "../../src/optimizer/tokens.ts";

const PROSE = `The harbour master walked down to the quay every morning before the ferries came in. In 1987 the council had voted,
by nineteen to four, to keep the old crane; since then nobody had dared to move it. "It's ours," said Margaret O'Connell, who ran the
café opposite, "and it will outlive the lot of you." Visitors from Rotterdam, Gdańsk and Valparaíso photographed it regardless of weather. `;
const MEETING = `Chair: Right, shall we start? I think everybody has had the paper.
Dana Whitfield: Yeah, um, so the thing I'd say about the budget is, we're basically fine until March, and then, you know, it depends.
Chair: Okay. And the vendor?
Luis Ortega: They said they'd come back to us on Thursday. I don't really believe that, to be honest.
`;
const LOG = Array.from({ length: 20 }, (_, n) => `2026-03-04T11:22:${10 + n}.${100 + n}Z INFO [http-nio-8080-exec-${n}] c.e.orders.OrderService - accepted order id=ord_${7_391_000 + n * 37} total=${n * 3}.49 in ${n + 4}ms`).join("\n");
const CODE = `export function mergeRanges(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last !== undefined && range.start <= last.end) {
      last.end = Math.max(last.end, range.end);
    } else {
      merged.push({ ...range });
    }
  }
  return merged;
}
`;
const JSON_TEXT = JSON.stringify(Array.from({ length: 12 }, (_, n) => ({ id: `user_${n * 971}`, email: `person${n}@example.org`, active: n % 2 === 0, balance: n * 10.25, tags: ["new", "trial"], address: { city: "Springfield", zip: `${10_000 + n * 7}` } })));
const MARKDOWN = `## Limits\n\n- **Body**: 1 MiB, or \`413\`\n- **Tasks**: up to 5,000 per workflow\n\n| field | meaning | default |\n|---|---|---|\n| \`id\` | client's own | made |\n| \`priority\` | who goes first | \`normal\` |\n`;
const GERMAN = `Der Hafenmeister ging jeden Morgen zum Kai, bevor die Fähren einliefen. Seit der Gemeinderatssitzung im Frühjahr durfte niemand mehr den alten Kran verschieben, obwohl die Straßenbauverwaltung darauf bestand. `;
const RUSSIAN = `Каждое утро начальник порта спускался к причалу до прихода паромов. С тех пор как совет проголосовал, никто не решался передвинуть старый кран. `;
const CHINESE = `港口主管每天早上在渡轮到来之前走到码头。自从议会投票决定保留那台旧起重机以后，没有人敢移动它。来自鹿特丹的游客不管天气如何都会拍照。`;
const JAPANESE = `港長は毎朝フェリーが着く前に岸壁まで歩いていった。議会が古いクレーンを残すと決めてから、誰もそれを動かそうとしなかった。`;
const HEX = Array.from({ length: 60 }, (_, n) => ((n * 2_654_435_761) >>> 0).toString(16).padStart(8, "0")).join("");
const BASE64 = btoa(Array.from({ length: 600 }, (_, n) => String.fromCharCode((n * 7_919 + ((n * n) >> 3)) & 255)).join(""));
const EMOJI = "🚀🔥🎉👩‍🚀✅🧪😀".repeat(12);

/** How far the estimate may be from the tokenizer that it was fitted to, and that the upper bound holds for both. */
const KINDS: [kind: string, text: string, lowest: number, highest: number][] = [
  ["prose", PROSE, 0.9, 1.1],
  ["a meeting", MEETING, 0.9, 1.15],
  ["a log", LOG, 0.85, 1.15],
  ["code", CODE, 0.85, 1.2],
  ["JSON", JSON_TEXT, 0.85, 1.15],
  ["Markdown", MARKDOWN, 0.85, 1.2],
  ["German", GERMAN, 0.8, 1.2],
  ["Russian", RUSSIAN, 0.8, 1.3],
  ["Chinese", CHINESE, 0.8, 1.3],
  ["Japanese", JAPANESE, 0.75, 1.3],
  ["hexadecimal", HEX, 0.75, 1.3],
  ["base64", BASE64, 0.65, 1.3],
  ["emoji", EMOJI, 0.6, 1.4],
];

describe("the token estimate", () => {
  it.each(KINDS)("of %s is near what a real tokenizer counts", (_kind, text, lowest, highest) => {
    const ratio = estimateTokens(text) / countO200k(text);
    expect(ratio).toBeGreaterThanOrEqual(lowest);
    expect(ratio).toBeLessThanOrEqual(highest);
  });

  it("of parts adds up to the estimate of the whole", () => {
    const sentences = PROSE.repeat(5).match(/[^.]+\. */g) ?? [];
    const sum = sentences.reduce((total, sentence) => total + measureTokens(sentence), 0);
    expect(sum / measureTokens(sentences.join(""))).toBeCloseTo(1, 1);
  });

  it("of nothing is nothing, and of anything at least one", () => {
    expect(estimateTokens("")).toBe(0);
    for (const text of ["a", "7", "—", "\n", "好", "\ud800"]) expect(estimateTokens(text)).toBeGreaterThanOrEqual(1);
  });
});

describe("the upper bound", () => {
  it.each(KINDS)("of %s is at least what two real tokenizers count", (_kind, text) => {
    expect(upperBoundTokens(text)).toBeGreaterThanOrEqual(countO200k(text));
    expect(upperBoundTokens(text)).toBeGreaterThanOrEqual(countCl100k(text));
  });

  it("is no wild guess: for English text at most two fifths too high", () => {
    for (const text of [PROSE, MEETING, CODE, JSON_TEXT]) expect(upperBoundTokens(text)).toBeLessThanOrEqual(1.4 * countO200k(text));
  });

  it("is at least a quarter of the characters", () => {
    for (const [, text] of KINDS) expect(upperBoundTokens(text)).toBeGreaterThanOrEqual(text.length / 4);
    expect(upperBoundTokens(" ".repeat(1_000))).toBeGreaterThanOrEqual(250);
  });
});
