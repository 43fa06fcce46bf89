import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reduceContext } from "../../src/optimizer/reduce-context.ts";
import { estimateTokens } from "../../src/optimizer/tokens/tokens.ts";
import { ALL_KINDS, anyText, CODE, GUIDE, LOG, MEETING, ORDERS, PASSAGES, TRAJECTORY } from "./sample-texts.ts";

describe("reducing a text", () => {
  it.each(Object.entries(ALL_KINDS))("%s meets the target, in tokens and in characters, and says so", (_kind, text) => {
    for (const targetReduction of [0.3, 0.5, 0.7]) {
      const reduction = reduceContext(text, { query: "who designed it?", targetReduction });
      expect(reduction.achieved).toBe(true);
      expect(reduction.originalTokens).toBe(estimateTokens(text));
      expect(reduction.reducedTokens).toBe(estimateTokens(reduction.text));
      expect(reduction.reducedTokens).toBeLessThanOrEqual(reduction.originalTokens * (1 - targetReduction));
      expect(reduction.text.length).toBeLessThanOrEqual(text.length * (1 - targetReduction));
    }
  });

  it("leaves a text alone that is within the budget", () => {
    for (const options of [{ maxTokens: 100_000 }, { targetReduction: 0 }, {}]) {
      expect(reduceContext(GUIDE, options)).toMatchObject({ text: GUIDE, achieved: true, reductionPercent: 0, steps: [] });
    }
    expect(reduceContext("", { targetReduction: 0.5 })).toMatchObject({ text: "", achieved: true, originalTokens: 0 });
  });

  it("reports each method with tokens before and after, one taking up where the other ended", () => {
    for (const text of Object.values(ALL_KINDS)) {
      const { steps, originalTokens, reducedTokens } = reduceContext(text, { query: "lamp", targetReduction: 0.6 });
      expect(steps[0]?.tokensBefore).toBe(originalTokens);
      expect(steps.at(-1)?.tokensAfter).toBe(reducedTokens);
      steps.slice(1).forEach((step, at) => expect(step.tokensBefore).toBe(steps[at]?.tokensAfter));
    }
  });

  it.each([
    ["log lines by their templates", LOG, "why did the database fail", "log-templates"],
    ["JSON by sampling when nothing is asked", ORDERS, "", "json-sample"],
    ["JSON by relevance when something is asked", ORDERS, "price of article 17", "relevance"],
    ["prose by summary when nothing is asked", GUIDE, "", "summary"],
    ["passages by relevance", PASSAGES, "who designed the bridge", "relevance"],
  ])("reduces %s", (_what, text, query, method) => {
    expect(reduceContext(text, { query, targetReduction: 0.7 }).steps.map((step) => step.method)).toContain(method);
  });

  it("stops at the harmless methods when they are enough", () => {
    const indented = JSON.stringify(JSON.parse(ORDERS), null, 8);
    const { text, steps } = reduceContext(indented, { targetReduction: 0.2 });
    expect(steps.map((step) => step.method)).toEqual(["json-minify"]);
    expect(JSON.parse(text)).toEqual(JSON.parse(ORDERS));
  });
});

describe("what matters survives", () => {
  it.each([
    ["the passage that is asked for", PASSAGES, "Who designed Calder Bridge?", "Ilse Brandt"],
    ["the passage that only the first hop's answer leads to", PASSAGES, "Where was the designer of Calder Bridge born?", "born in Lindau"],
    ["a topic's stretch of a meeting", MEETING, "What was said about the battery problem?", "week nineteen"],
    ["the rare line of a log", LOG, "what is wrong?", "10.0.0.5:5432"],
    ["the record that is asked for", ORDERS, "note of article 17", '"it-17"'],
    ["the function that is asked for", CODE, "how much can I refuel", "return LIMIT - litres;"],
    ["ids that a later step must repeat", TRAJECTORY, "book the flight", "card_9917203"],
  ])("%s", (_what, text, query, fact) => {
    expect(reduceContext(text, { query, targetReduction: 0.4 }).text).toContain(fact);
  });

  it("every string of `keep`, wherever it stands", () => {
    for (const [kind, text] of Object.entries(ALL_KINDS)) {
      for (let at = 0; at < text.length - 30; at += 37) {
        const keep = text.slice(at, at + 23);
        if (keep.trim() === "") continue;
        expect(reduceContext(text, { query: "weather", targetReduction: 0.8, keep: [keep] }).text, kind).toContain(keep);
      }
    }
  });

  it("every string of `keep` in any text", () => {
    fc.assert(
      fc.property(anyText, fc.nat(), fc.integer({ min: 1, max: 20 }), fc.double({ min: 0, max: 0.99, noNaN: true }), (text, at, length, targetReduction) => {
        const keep = text.slice(at % (text.length + 1)).slice(0, length);
        fc.pre(keep.trim() !== "");
        expect(reduceContext(text, { targetReduction, keep: [keep] }).text).toContain(keep);
      }),
      { numRuns: 500 },
    );
  });

  it("a target that `keep` forbids is not met, and that is said", () => {
    const reduction = reduceContext(GUIDE, { targetReduction: 0.9, keep: [GUIDE.slice(0, GUIDE.length / 2)] });
    expect(reduction.achieved).toBe(false);
    expect(reduction.text).toContain(GUIDE.slice(0, GUIDE.length / 2));
  });
});

describe("structure", () => {
  it("code blocks, tables and short lists are there whole or not at all", () => {
    const blocks = [/```sh[^`]*```/, /\| name[\s\S]*Gull Point \|/, /- trim[\s\S]*write the log/].map((pattern) => pattern.exec(GUIDE)?.[0] ?? "");
    for (const query of ["pump pressure", "keeper of Gull Point", "wick clockwork", "visitors tea"]) {
      for (const targetReduction of [0.3, 0.5, 0.7, 0.85]) {
        const { text } = reduceContext(GUIDE, { query, targetReduction });
        for (const block of blocks) {
          const firstLine = block.split("\n")[0] ?? "";
          expect(text.includes(firstLine)).toBe(text.includes(block));
        }
      }
    }
  });

  it.each([
    ["talk", (at: number, block: string) => `Ada: Point ${at} of the list is done, as far as I can see.\nBob: Then we go on with ${at + 1}.${block}`],
    ["an agent's run", (at: number, block: string) => `user: Do ${at} please, with care and soon.\nassistant: Done with ${at}.${block}`],
    ["tagged documents", (at: number, block: string) => `<doc id=${at}>\nText ${at} is of the sea. It was blue and wide.\n${block}\n</doc>`],
  ])("so are they in %s, whatever stands in them", (_what, write) => {
    const fence = "```\nconst a = 1;\nuser: nobody\nAda: nobody said this here\n<doc id=99>\nconst b = 2;\n```";
    const table = "| k | v |\n|---|---|\n| Ada: x | 10:00:01 |\n| y | z |";
    const text = Array.from({ length: 40 }, (_, at) => write(at, at % 9 === 4 ? `\n${fence}\n\n${table}\n` : "")).join("\n");
    const count = (of: string, part: string): number => of.split(part).length - 1;
    for (const targetReduction of [0.2, 0.5, 0.8]) {
      for (const query of ["Ada point", "const", "blue", ""]) {
        const { text: reduced } = reduceContext(text, { query, targetReduction });
        expect(count(reduced, "const a")).toBe(count(reduced, fence));
        expect(count(reduced, "| k |")).toBe(count(reduced, table));
      }
    }
  });

  it("a text that is one code block cannot be reduced: it comes back whole", () => {
    const block = `\`\`\`js\n${"const lamp = 1;\n".repeat(40)}\`\`\``;
    expect(reduceContext(block, { targetReduction: 0.5 })).toMatchObject({ text: block, achieved: false, steps: [] });
  });

  it("a kept sentence brings the heading above it", () => {
    expect(reduceContext(GUIDE, { query: "potatoes", targetReduction: 0.75 }).text).toMatch(/## Keepers[\s\S]*potatoes/);
  });

  it("JSON stays JSON: members are whole, and the marks are members", () => {
    for (const targetReduction of [0.4, 0.6, 0.8]) {
      const { text } = reduceContext(ORDERS, { query: "article 9", targetReduction });
      const items = (JSON.parse(text) as { items: unknown[] }).items;
      const originals = (JSON.parse(ORDERS) as { items: unknown[] }).items.map((item) => JSON.stringify(item));
      for (const item of items) if (typeof item === "object") expect(originals).toContain(JSON.stringify(item));
      expect(items.some((item) => typeof item === "string" && item.includes("omitted"))).toBe(true);
    }
  });

  it("numbers of JSON keep their digits", () => {
    const json = `{ "big": 12345678901234567890,   "exact": 1.50, "items": [ ${Array.from({ length: 90 }, (_, n) => `{"n": ${n}.0, "text": "some words about the number ${n}"}`).join(", ")} ] }`;
    const { text } = reduceContext(json, { targetReduction: 0.5 });
    expect(text).toContain('"big":12345678901234567890,"exact":1.50');
    expect(text).toMatch(/\d+\.0/);
  });

  it("order is kept, and every gap is marked", () => {
    const { text } = reduceContext(PASSAGES, { query: "Ilse Brandt bridge Ouze potato", targetReduction: 0.5 });
    const numbers = [...text.matchAll(/Document \[(\d+)\]/g)].map((match) => Number(match[1]));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    numbers.slice(1).forEach((number, at) => {
      if (number !== (numbers[at] as number) + 1) expect(text.slice(text.indexOf(`[${numbers[at]}]`), text.indexOf(`[${number}]`))).toMatch(/\[… \d+ lines? omitted\]/);
    });
  });

  it("marks in an agent's run name the ids that were dropped, under the members they were the values of", () => {
    const { text } = reduceContext(TRAJECTORY, { query: "book the flight", targetReduction: 0.75 });
    expect(text).toMatch(/omitted: [^\]]*date 2026-05-1\d(?:, 2026-05-1\d)+/);
    expect(text).toMatch(/flight KR3\d\d(?:, KR3\d\d)+/);
  });

  it("collapsed log lines tell how many they were and when the last came", () => {
    expect(reduceContext(LOG, { targetReduction: 0.5 }).text).toContain("2026-01-02 10:00:00 INFO worker-0 heartbeat ok seq=0 [× 60, last 2026-01-02 10:00:59]");
  });

  it("a log line with a number that the query names is not collapsed", () => {
    expect(reduceContext(LOG, { query: "what happened at seq=37?", targetReduction: 0.5 }).text).toContain("seq=37");
  });

  it("text said twice is kept once, but not if a number differs", () => {
    const sentence = "The inspector of the northern lighthouses reported in the spring that the lamp of Gull Point had burned without a break";
    const text = `${sentence}.\n\n${sentence}.\n\n${sentence} since 1931.\n\n${sentence} since 1932.\n\nSomething else was also said about the potatoes.`;
    const { text: reduced, steps } = reduceContext(text, { maxTokens: estimateTokens(text) - 5 });
    expect(steps.map((step) => step.method)).toEqual(["duplicates"]);
    expect(reduced.match(/without a break\./g)).toHaveLength(1);
    expect(reduced).toContain("since 1931");
    expect(reduced).toContain("since 1932");
  });
});

describe("any text and any options", () => {
  it("never cost more tokens than before, say truly whether the target was met, and give the same again", () => {
    fc.assert(
      fc.property(anyText, fc.string({ maxLength: 20 }), fc.double({ min: 0, max: 0.99, noNaN: true }), (text, query, targetReduction) => {
        const reduction = reduceContext(text, { query, targetReduction });
        expect(reduction.reducedTokens).toBeLessThanOrEqual(reduction.originalTokens);
        expect(reduction.reducedTokens).toBe(estimateTokens(reduction.text));
        expect(reduction.achieved).toBe(reduction.reducedTokens <= Math.floor(reduction.originalTokens * (1 - targetReduction + 1e-9)));
        expect(reduceContext(text, { query, targetReduction })).toEqual(reduction);
      }),
      { numRuns: 500 },
    );
  });

  it("JSON of any shape stays JSON", () => {
    fc.assert(
      fc.property(fc.oneof(fc.array(fc.jsonValue({ maxDepth: 4 }), { minLength: 1, maxLength: 40 }), fc.dictionary(fc.string(), fc.jsonValue())), fc.double({ min: 0.1, max: 0.9, noNaN: true }), (value, targetReduction) => {
        const { text } = reduceContext(JSON.stringify(value, null, 2), { targetReduction });
        expect(() => JSON.parse(text) as unknown).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });
});

describe("a prompt that asks several things", () => {
  const FACTS = ["The relay of bay 9 is called R-17.", "A tug uses number 71.", "D-209 goes with a dive.", "Osterlund makes our gaskets."];
  const QUESTIONS = ["What is the relay of bay 9 called?", "Which number does a tug use in fog at night?", "Which form goes with a dive at night?", "Who makes the gaskets?"];
  // Words of all the questions together, and an answer to none.
  const words = ["number", "form", "night", "fog", "bay", "called", "use", "goes", "makes"];
  const noise = (n: number): string => `Round ${n}: ${[0, 1, 2, 3, 4].map((k) => `the ${words[(n * (k + 2) + k * k) % words.length]} of page ${n * 7 + k}`).join(", ")} and all was well.`;
  const filler = (n: number): string => `Page ${n} tells of paint, rope and weather, and of ${n} gulls on the mole.`;
  const text = Array.from({ length: 400 }, (_, n) => (n % 100 === 25 ? FACTS[(n - 25) / 100] : n % 4 === 0 ? noise(n) : filler(n))).join("\n\n");

  it("gets an answer to each", () => {
    const { text: reduced } = reduceContext(text, { query: `Answer from the log:\n${QUESTIONS.map((question) => `- ${question}`).join("\n")}`, maxTokens: 120 });
    for (const fact of FACTS) expect(reduced).toContain(fact);
  });
});
