import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reduceContext } from "../../../src/optimizer/reduce-context.ts";
import { splitEscaped } from "../../../src/optimizer/reduce/escaped-text.ts";
import { readContent } from "../../../src/optimizer/reduce/json-content.ts";

const FILLER = Array.from({ length: 60 }, (_, at) => `On day ${at} the keeper wrote of wind from the ${["north", "south", "east", "west"][at % 4]}, and of nothing else.`);
const FACT = "The spare lens is kept in the chapel at Gull Point.";
const LETTER = [...FILLER.slice(0, 30), FACT, ...FILLER.slice(30)].join(" ");
const QUERY = "Where is the spare lens kept?";

describe("a long text in JSON", () => {
  it("loses sentences, is marked where it did, and the JSON stays JSON", () => {
    const { text, achieved } = reduceContext(JSON.stringify({ id: 7, letter: LETTER }), { query: `${QUERY} And what was on day 11 and day 47?`, targetReduction: 0.8 });
    const { id, letter } = JSON.parse(text) as { id: number; letter: string };
    expect(achieved).toBe(true);
    expect(id).toBe(7);
    expect(letter).toContain(FACT);
    const runs = letter.split("[…]").map((run) => run.trim()).filter(Boolean);
    expect(runs.length).toBeGreaterThan(1);
    for (const run of runs) expect(LETTER).toContain(run);
  });

  it("is not reduced to nothing when the budget has room for half of it", () => {
    const { reducedTokens, originalTokens } = reduceContext(JSON.stringify({ letter: LETTER }), { query: QUERY, targetReduction: 0.5 });
    expect(reducedTokens).toBeGreaterThan(originalTokens * 0.4);
  });

  it("without a question keeps its beginning", () => {
    const { letter } = JSON.parse(reduceContext(JSON.stringify({ letter: LETTER }), { targetReduction: 0.8 }).text) as { letter: string };
    expect(letter.startsWith("On day 0 the keeper")).toBe(true);
  });

  it("keeps what its object is called beside every sentence", () => {
    const letters = ["Anna", "Bert", "Carl"].map((from, at) => ({ from, no: at, letter: at === 1 ? LETTER : FILLER.join(" ") }));
    const kept = JSON.parse(reduceContext(JSON.stringify(letters), { query: QUERY, targetReduction: 0.9 }).text) as { from?: string; letter?: string }[];
    expect(kept.find(({ letter }) => letter?.includes(FACT))?.from).toBe("Bert");
  });

  it("has its code between fences whole or not at all, and its escapes whole", () => {
    const code = '```\nif (a < "b") {\n  light("é");\n}\n```';
    const json = JSON.stringify({ page: `${FILLER.slice(0, 9).join("\n")}\n${code}\n${FILLER.slice(9).join("\n")}` });
    for (const query of ["light", "wind from the west"]) {
      const { page } = JSON.parse(reduceContext(json, { query, targetReduction: 0.7 }).text) as { page: string };
      expect(page.includes("if (a <")).toBe(page.includes(code));
    }
  });

  it("stays JSON with every string of `keep`, whatever it is made of", () => {
    const piece = fc.constantFrom("The lamp burns. ", "é", '"', "\\", "\n", "\n\n", "\t", "```", "\\n", "C:\\new ", "x".repeat(90), "Is it fog? ", "好。", "\u0001", "😀");
    const long = fc.array(piece, { minLength: 20, maxLength: 80 }).map((pieces) => pieces.join(""));
    const value = fc.array(fc.record({ title: fc.string({ maxLength: 30 }), n: fc.nat(), text: long }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(value, fc.nat(), fc.integer({ min: 2, max: 60 }), fc.double({ min: 0.1, max: 0.95, noNaN: true }), (of, at, length, targetReduction) => {
        const json = JSON.stringify(of);
        const keep = json.slice(at % json.length).slice(0, length);
        const { text } = reduceContext(json, { query: "lamp", targetReduction, keep: [keep] });
        expect(() => JSON.parse(text) as unknown).not.toThrow();
        if (keep.trim() !== "") expect(text).toContain(keep);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the parts of an escaped text", () => {
  it.each([
    ["One. Two.", ["One.", "Two."]],
    ["One\nTwo", ["One", "Two"]],
    ["Look in C:\\new\\notes. Then go.", ["Look in C:\\\\new\\\\notes.", "Then go."]],
    ["```\na. B.\n\nc\n```\nEnd. Really.", ["```\\na. B.\\n\\nc\\n```", "End.", "Really."]],
    ["```\nnever closed. Yes.", ["```\\nnever closed. Yes."]],
    ["", []],
  ])("%j", (text, parts) => {
    const json = JSON.stringify(text);
    expect(splitEscaped(json, 1, json.length - 1).map(({ start, end }) => json.slice(start, end))).toEqual(parts);
  });

  it("are cut within no escape where there is neither a line nor a sentence", () => {
    const json = JSON.stringify("é\"\\".repeat(3_000)).replaceAll("é", "\\u00e9");
    const parts = splitEscaped(json, 1, json.length - 1);
    for (const { start, end } of parts) expect(() => JSON.parse(`"${json.slice(start, end)}"`) as unknown).not.toThrow();
  });
});

describe("what the texts in JSON are", () => {
  const turns = (member: (name: string, said: string) => object, names: readonly string[]): string => JSON.stringify(Array.from({ length: 12 }, (_, at) => member(names[at % names.length] as string, `Round ${at} is done.`)));
  it.each([
    ["an agent's messages", turns((role, content) => ({ role, content }), ["user", "assistant", "tool"]), "trajectory"],
    ["messages from a human", turns((from, value) => ({ from, value }), ["human", "gpt"]), "trajectory"],
    ["segments of a recording", turns((speaker, text) => ({ start: 1.5, speaker, text }), ["SPEAKER_00", "SPEAKER_01"]), "transcript"],
    ["people with names and notes", JSON.stringify(Array.from({ length: 12 }, (_, at) => ({ name: `keeper ${at}`, text: "Writes the log." }))), "json"],
    ["entries of a log", JSON.stringify(Array.from({ length: 12 }, (_, at) => ({ ts: at, level: "info", msg: `lit ${at}` }))), "log"],
    ["pages with titles", JSON.stringify(FILLER.slice(0, 5).map((title) => ({ title, text: LETTER }))), "documents"],
    ["numbers", JSON.stringify(Array.from({ length: 99 }, (_, at) => ({ at, weight: at * 2 }))), "json"],
  ])("%s", (_what, json, content) => {
    expect(readContent(json)).toBe(content);
  });
});

describe("JSON lines that are no log", () => {
  const lines = FILLER.slice(0, 20).map((title, id) => JSON.stringify({ id, title, text: id === 13 ? LETTER : FILLER.join(" ") }));

  it("are opened line by line, and each stays JSON", () => {
    const { text } = reduceContext(lines.join("\n"), { query: QUERY, targetReduction: 0.99 });
    expect(text).toContain(FACT);
    const read = text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as { id: number });
    expect(read.map(({ id }) => id)).toContain(13);
    expect(text).toMatch(/\[… \d+ lines? omitted\]/);
  });
});

describe("an agent's run as JSON messages", () => {
  const lookUp = (booking: string, at: number): string => JSON.stringify({ booking, remarks: FILLER.slice(0, 8), payment: `card_99172${at}` });
  const messages = Array.from({ length: 12 }, (_, at) => [
    { role: "user", content: `Please look at booking QX7PL${at}, and tell me what it says about the weather of the day.` },
    { role: "assistant", content: null, tool_calls: [{ id: `call_${at}00${at}`, type: "function", function: { name: "find", arguments: JSON.stringify({ booking: `QX7PL${at}` }) } }] },
    { role: "tool", content: lookUp(`QX7PL${at}`, at) },
    { role: "assistant", content: FILLER.slice(0, 6).join(" ") },
  ]).flat();

  it.each([["a list", JSON.stringify(messages)], ["a list within a request", JSON.stringify({ model: "m", messages }, null, 2)], ["lines", messages.map((message) => JSON.stringify(message)).join("\n")]])("%s: ids that a later step must repeat survive", (_how, text) => {
    const reduced = reduceContext(text, { query: "cancel the last booking", targetReduction: 0.75 });
    expect(reduced.achieved).toBe(true);
    for (let at = 0; at < 12; at += 1) for (const id of [`QX7PL${at}`, `card_99172${at}`]) expect(reduced.text).toContain(id);
  });
});
