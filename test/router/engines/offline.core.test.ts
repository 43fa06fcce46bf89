import { Validator } from "@cfworker/json-schema";
import type { JSONSchema7 } from "@ai-sdk/provider";
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BUILT_IN_AGENTS } from "../../../src/config/built-in-agents.ts";
import { estimateTokens } from "../../../src/optimizer/tokens/tokens.ts";
import { findIntent } from "../../../src/router/engines/offline-intent.ts";
import { buildOfflineModel, DEFAULT_MAX_OUTPUT_TOKENS } from "../../../src/router/engines/offline.ts";
import type { CallOptions, StreamPart } from "../../../src/router/language-model.ts";

const model = buildOfflineModel("offline");

async function ask(prompt: string | string[], options: Partial<CallOptions> & { agent?: string } = {}) {
  const { agent, ...rest } = options;
  const definition = agent === undefined ? undefined : BUILT_IN_AGENTS[agent];
  const system = definition?.kind === "llm" ? [{ role: "system" as const, content: definition.system }] : [];
  const content = [prompt].flat().map((text) => ({ type: "text" as const, text }));
  const result = await model.doGenerate({ prompt: [...system, { role: "user", content }], ...rest });
  const [part] = result.content;
  return { text: part?.type === "text" ? part.text : "", result };
}

const fileOf = (path: string) => `=== ${path} ===\n${readFileSync(join(import.meta.dirname, "../../..", path), "utf8")}`;

describe("intents", () => {
  test.each([
    ["Summarize this in two sentences.", "summarize"],
    ["List the changes in: x", "extract"],
    ["Group these: x", "plan"],
    ["Write release notes with a short summary", "build"],
    ["Review the document", "review"],
    ["Classify the ticket as bug or feature", "classify"],
    ["You are a builder. Carry out the plan", "build"],
    ["Do your part with the results above.", null],
  ])("%s → %s", (text, intent) => {
    expect(findIntent(text)).toBe(intent);
  });
});

describe("a scout → plan → build run over this repository's files", () => {
  test("carries names and figures of the sources into a finished document", async () => {
    const files = ["src/errors.ts", "src/workflow/spec/spec.ts"].map(fileOf).join("\n\n");
    const scout = await ask(`List what matters in these files:\n\n${files}`, { agent: "scout", maxOutputTokens: 1_024 });
    expect(scout.text).toContain("### src/errors.ts");
    expect(scout.text).toContain("`FailureCode`");
    expect(scout.text).toContain("MAX_TASKS = 5_000");

    const plan = await ask([`<result task="scout_1">\n${scout.text}\n</result>`, "Group these findings."], { agent: "planner", maxOutputTokens: 1_536 });
    expect(plan.text).toMatch(/^# Plan\n/);
    expect(plan.text).toContain("## 1. src/errors.ts");
    expect(plan.text).toContain("## 2. src/workflow/spec/spec.ts");

    const build = await ask([`<result task="plan_1">\n${plan.text}\n</result>`, "Write an overview of the data model from the plan."], { agent: "builder", maxOutputTokens: 4_096 });
    expect(build.text).toMatch(/^# Overview of the data model\n\n\S/);
    expect(build.text).toContain("## src/workflow/spec/spec.ts");
    expect(build.text).toContain("MAX_TASKS = 5_000");
    expect(build.text).toContain("## Sources\n\n- plan_1");

    const review = await ask([`<result task="build_1">\n${build.text}\n</result>`, "Check it."], { agent: "reviewer" });
    expect(review.text).toMatch(/Verdict: (accept|change)$/);
  });
});

describe("text work", () => {
  const report = "The harbour opened in 1911. It was rebuilt after the storm of 1953 and handles grain. Cats sleep there. The harbour's grain terminal handles most grain of the region.";

  test("a summary is made of sentences of the text, as many as asked", async () => {
    const { text } = await ask(`Summarize in two sentences:\n\n${report}`);
    const sentences = text.split(/(?<=\.) (?=[A-Z])/);
    expect(sentences).toHaveLength(2);
    for (const sentence of sentences) expect(report).toContain(sentence);
  });

  test("what is asked for by kind is listed, each once", async () => {
    const { text } = await ask("Extract all e-mail addresses and URLs.\n\nWrite to ann@example.org or ann@example.org, see https://example.org/a.");
    expect(text).toBe("- ann@example.org\n- https://example.org/a");
  });

  test.each([
    ["Classify into bug, feature or question:\n\nThe app crashes with an error on login.", "bug"],
    ["Classify the sentiment as positive, negative or neutral:\n\nI love it, works great.", "positive"],
    ["Classify the sentiment as positive, negative or neutral:\n\nThe box is grey.", "neutral"],
  ])("%j → %s", async (prompt, label) => {
    expect((await ask(prompt)).text).toBe(label);
  });

  test("entries of a change log stay entries", async () => {
    const { text } = await ask("List the changes in: fix: leak in parser\nfeat: dark mode", { agent: "scout" });
    expect(text.split("\n")).toEqual(["- fix: leak in parser", "- feat: dark mode"]);
  });

  test("headings of an example in fenced code are no sections of the document", async () => {
    const { text } = await ask("List what matters:\n\n=== a.md ===\n# Guide\n\nHow the guide is to be read by everybody.\n\n## Use\n\n```\n# Output\n```\n", { agent: "scout" });
    expect(text).toContain("- Sections: Use");
    expect(text).not.toContain("Output");
  });

  test("a source that is given as JSON is read file by file", async () => {
    const files = { "a.md": "# Alpha\n\nAlpha holds the ledger of all calls.\n", "b.md": "# Beta\n\nBeta routes tasks to models.\n" };
    const { text } = await ask(`List what matters in: ${JSON.stringify(files)}`);
    expect(text).toContain("### a.md\n\n- Title: Alpha");
    expect(text).toContain("### b.md\n\n- Title: Beta");
  });

  test("a builder without anything to build from says so", async () => {
    expect((await ask("Write a report.")).text).toContain("Nothing was given to work from");
  });
});

describe("JSON answers", () => {
  const text = "Fill in the fields.\n\nName: weft\nVersion: 3\nStatus: done\nDate: 2026-03-04\n- first point\n- second point";

  test("fields take the values that the text names", async () => {
    const schema: JSONSchema7 = {
      type: "object",
      required: ["name", "version"],
      properties: { name: { type: "string" }, version: { type: "integer" }, status: { enum: ["open", "done"] }, date: { type: "string", format: "date" }, points: { type: "array", items: { type: "string" } } },
    };
    const { text: answer } = await ask(text, { responseFormat: { type: "json", schema } });
    expect(JSON.parse(answer)).toEqual({ name: "weft", version: 3, status: "done", date: "2026-03-04", points: ["first point", "second point"] });
  });

  test.each<JSONSchema7>([
    { type: "array", minItems: 3, items: { type: "object", required: ["title"], properties: { title: { type: "string", maxLength: 5 } } } },
    { type: "object", required: ["n"], properties: { n: { type: "number", minimum: 10, maximum: 20, multipleOf: 5 } }, additionalProperties: false },
    { $defs: { node: { type: "object", required: ["child"], properties: { child: { anyOf: [{ type: "null" }, { $ref: "#/$defs/node" }] } } } }, type: "object", properties: { kind: { const: "x" } }, required: ["kind"] },
    { allOf: [{ type: "object", required: ["a"], properties: { a: { type: "boolean" } } }, { required: ["b"], properties: { b: { type: ["null", "string"] } } }] },
    { type: "string", minLength: 400 },
    { type: "object", required: ["when", "mail", "link"], properties: { when: { type: "string", format: "date-time" }, mail: { type: "string", format: "email" }, link: { type: "string", format: "uri" } } },
  ])("the answer satisfies %j", async (schema) => {
    const { text: answer } = await ask(text, { responseFormat: { type: "json", schema } });
    expect(new Validator(schema as object).validate(JSON.parse(answer)).errors).toEqual([]);
  });

  test("a schema that refers to itself ends", async () => {
    const schema: JSONSchema7 = { type: "object", required: ["child"], properties: { child: { $ref: "#" } } };
    expect(JSON.parse((await ask(text, { responseFormat: { type: "json", schema } })).text)).toHaveProperty("child");
  });

  test("without a schema it is still JSON", async () => {
    expect(JSON.parse((await ask("Summarize: a b c", { responseFormat: { type: "json" } })).text)).toHaveProperty("answer");
  });
});

describe("as a language model", () => {
  const prompt = `List what matters in:\n\n${fileOf("src/workflow/spec/spec.ts")}`;

  test("the same prompt has the same answer", async () => {
    expect((await ask(prompt)).text).toBe((await ask(prompt)).text);
  });

  test("the stream's deltas join to the generated answer, with the same usage", async () => {
    const options: CallOptions = { prompt: [{ role: "user", content: [{ type: "text", text: prompt }] }], maxOutputTokens: 400 };
    const { stream } = await model.doStream(options);
    const parts: StreamPart[] = [];
    for await (const part of stream) parts.push(part);
    const deltas = parts.flatMap((part) => (part.type === "text-delta" ? [part.delta] : []));
    const { text, result } = await ask(prompt, { maxOutputTokens: 400 });
    expect(deltas.join("")).toBe(text);
    expect(deltas.length).toBeGreaterThan(3);
    expect(parts.at(-1)).toEqual({ type: "finish", finishReason: result.finishReason, usage: result.usage });
  });

  test("counts every text of the prompt and of the answer", async () => {
    const { text, result } = await ask(prompt);
    expect(result.usage.inputTokens.total).toBe(estimateTokens(prompt));
    expect(result.usage.outputTokens.total).toBe(estimateTokens(text));
    expect(estimateTokens(text)).toBeLessThanOrEqual(DEFAULT_MAX_OUTPUT_TOKENS);
  });

  test("an aborted call ends with the signal's reason", async () => {
    const abort = new AbortController();
    const { stream } = await model.doStream({ prompt: [{ role: "user", content: [{ type: "text", text: prompt }] }], abortSignal: abort.signal });
    abort.abort(new Error("over"));
    const readAll = async () => {
      for await (const part of stream) expect(part.type).not.toBe("finish");
    };
    await expect(readAll()).rejects.toThrow("over");
    await expect(ask(prompt, { abortSignal: abort.signal })).rejects.toThrow("over");
  });

  const orders = ["Summarize:", "List what matters:", "Group into a plan:", "Write a report:", "Review:", "Classify as a or b:", ""];

  test("never exceeds the output limit, whatever it is given", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...orders), fc.string({ unit: "grapheme", maxLength: 3_000 }), fc.integer({ min: 1, max: 300 }), async (order, text, maxOutputTokens) => {
        const answer = await ask(`${order}\n\n${text}`, { maxOutputTokens });
        expect(estimateTokens(answer.text)).toBeLessThanOrEqual(maxOutputTokens);
        expect(answer.text.isWellFormed() || !text.isWellFormed()).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ["one line", "a".repeat(1_000_000)],
    ["blank lines", "\n".repeat(1_000_000)],
    ["bullets", "- x.\n".repeat(200_000)],
    ["headings", "# h\n".repeat(250_000)],
    ["short sentences", "Ab cd. ".repeat(140_000)],
    ["brackets", "[".repeat(1_000_000)],
    ["emoji", "😀".repeat(500_000)],
    ["spaces", " ".repeat(1_000_000)],
    ["result tags", '<result task="x">'.repeat(60_000)],
    ["comments", "/**\n".repeat(250_000)],
    ["exports", "// x\nexport const a = 1;\n".repeat(40_000)],
  ])("1 MB of %s is answered under every order", async (_, text) => {
    for (const order of orders) {
      const answer = await ask(`${order}\n\n${text}`, { maxOutputTokens: 200 });
      expect(answer.result.usage.outputTokens.total).toBeLessThanOrEqual(200);
    }
  }, 20_000);
});
