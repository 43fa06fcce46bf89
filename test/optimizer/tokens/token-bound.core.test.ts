import fc from "fast-check";
import { countTokens as countCl100k } from "gpt-tokenizer/encoding/cl100k_base";
import { countTokens as countO200k } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, it } from "vitest";
import { boundPromptTokens } from "../../../src/optimizer/tokens/prompt-bound.ts";
import { measureUpperBound, upperBoundTokens } from "../../../src/optimizer/tokens/token-bound.ts";
import { HOSTILE_KINDS, KINDS_OF_TEXT, makeHostileText, type KindOfText } from "../kinds-of-text.ts";

function count(text: string): number {
  return Math.max(countO200k(text), countCl100k(text));
}

const KINDS = Object.keys(KINDS_OF_TEXT) as KindOfText[];
/** What a chat adds to its texts with OpenAI's models: 4 for the message, 3 for the answer's beginning. */
const CHAT_TOKENS = 7;

describe("the upper bound", () => {
  it.each(KINDS)("of %s is at least what two real tokenizers count", (kind) => {
    expect(upperBoundTokens(KINDS_OF_TEXT[kind])).toBeGreaterThanOrEqual(count(KINDS_OF_TEXT[kind]));
  });

  it.each(HOSTILE_KINDS)("of %s is at least what they count", (kind) => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const text = makeHostileText(kind, 2_000, seed);
      expect(upperBoundTokens(text)).toBeGreaterThanOrEqual(count(text));
    }
  });

  it("is no wild guess: for English text and code at most half too high", () => {
    for (const kind of ["prose", "a meeting", "code", "JSON"] as const) expect(upperBoundTokens(KINDS_OF_TEXT[kind])).toBeLessThanOrEqual(1.5 * countO200k(KINDS_OF_TEXT[kind]));
  });

  it("is at least a quarter of the characters", () => {
    for (const kind of KINDS) expect(upperBoundTokens(KINDS_OF_TEXT[kind])).toBeGreaterThanOrEqual(KINDS_OF_TEXT[kind].length / 4);
    expect(upperBoundTokens(" ".repeat(1_000))).toBeGreaterThanOrEqual(250);
  });

  it("of parts is together at least that of the whole, when no word is cut", () => {
    const words = KINDS.flatMap((kind) => KINDS_OF_TEXT[kind].slice(0, 2_000).split(/(?<= )/)).filter((word) => word.endsWith(" "));
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words), { maxLength: 60 }), fc.array(fc.constantFrom(...words), { maxLength: 60 }), (left, right) => {
        const [first, second] = [left.join(""), right.join("")];
        expect(measureUpperBound(first + second)).toBeLessThanOrEqual(measureUpperBound(first) + measureUpperBound(second) + 1e-9);
      }),
    );
  });

  it("of nothing is nothing", () => {
    expect(upperBoundTokens("")).toBe(0);
  });
});

describe("the bound of a prompt", () => {
  it.each(HOSTILE_KINDS)("covers a short text of %s and what a chat adds to it", (kind) => {
    for (let seed = 1; seed <= 40; seed += 1) {
      for (const length of [1, 5, 20, 60, 200]) {
        const text = makeHostileText(kind, length, seed);
        expect(boundPromptTokens({ texts: [text], messages: 1, schemas: [] }, "openai")).toBeGreaterThanOrEqual(count(text) + CHAT_TOKENS);
      }
    }
  });

  it("covers any short text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), fc.string({ maxLength: 100 }), (first, second) => {
        expect(boundPromptTokens({ texts: [first, second], messages: 2, schemas: [] }, "openai")).toBeGreaterThanOrEqual(count(first) + count(second) + 2 * 4 + 3);
      }),
      { numRuns: 2_000 },
    );
  });

  it("counts messages and schemas, and what a provider puts around those", () => {
    const bound = (messages: number, schemas: string[], kind: "openai" | "anthropic" = "openai") => boundPromptTokens({ texts: ["Say hello."], messages, schemas }, kind);
    const schema = JSON.stringify({ type: "object", properties: { name: { type: "string" } } });
    expect(bound(3, [])).toBeGreaterThanOrEqual(bound(1, []) + 8);
    expect(bound(1, [schema])).toBeGreaterThanOrEqual(bound(1, []) + count(schema));
    expect(bound(1, [schema], "anthropic")).toBeGreaterThanOrEqual(bound(1, [], "anthropic") + count(schema) + 530);
  });

  it("allows for families of models that make more tokens of a text", () => {
    const text = KINDS_OF_TEXT.code;
    const bound = (kind: "openai" | "anthropic" | "google") => boundPromptTokens({ texts: [text], messages: 1, schemas: [] }, kind);
    expect(bound("anthropic")).toBeGreaterThanOrEqual(1.3 * countO200k(text));
    expect(bound("google")).toBeGreaterThan(bound("openai"));
  });
});
