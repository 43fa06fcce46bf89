import { describe, expect, test } from "vitest";
import { MAX_CHUNKS, MAX_CONTEXT_BODY_BYTES } from "../../src/api/context.ts";
import { MAX_STEPS } from "../../src/api/intents.ts";
import { upperBoundTokens } from "../../src/optimizer/tokens/token-bound.ts";
import { createTestApi } from "./fake-ports.ts";

const TEXT = Array.from({ length: 60 }, (_, index) => `Paragraph ${index} tells of the harbour, its ships and their freight. ${index === 37 ? "The lighthouse keeper is Ada Quill, badge QX-4711." : ""}`).join("\n\n");

describe("POST /v1/context/reduce", () => {
  test("keeps what the query asks for, and reports each step", async () => {
    const { ask } = createTestApi();
    const response = await ask("POST", "/v1/context/reduce", { text: TEXT, query: "Who keeps the lighthouse?", targetReduction: 0.75 });
    expect(response.status).toBe(200);
    const reduction = (await response.json()) as { text: string; achieved: boolean; originalTokens: number; reducedTokens: number; steps: unknown[] };
    expect(reduction.text).toContain("Ada Quill, badge QX-4711");
    expect(reduction.achieved).toBe(true);
    expect(reduction.reducedTokens).toBeLessThanOrEqual(reduction.originalTokens * 0.25);
    expect(reduction.steps.length).toBeGreaterThan(0);
  });

  test("says so when what must be kept is more than the target", async () => {
    const { ask } = createTestApi();
    const response = await ask("POST", "/v1/context/reduce", { text: TEXT, maxTokens: 10, keep: [TEXT.slice(0, 2_000)] });
    expect(await response.json()).toMatchObject({ achieved: false, text: expect.stringContaining(TEXT.slice(0, 2_000)) });
  });

  test.each([
    ["neither target", { text: "a" }],
    ["both targets", { text: "a", targetReduction: 0.5, maxTokens: 5 }],
    ["a target of everything", { text: "a", targetReduction: 1 }],
    ["an unknown key", { text: "a", maxTokens: 5, ratio: 2 }],
  ])("refuses %s", async (_name, body) => {
    const { ask } = createTestApi();
    expect((await ask("POST", "/v1/context/reduce", body)).status).toBe(422);
  });

  test("takes bodies up to 8 MiB and no more", async () => {
    const { ask } = createTestApi();
    const frame = JSON.stringify({ text: "", maxTokens: 1 }).length;
    expect((await ask("POST", "/v1/context/reduce", { text: " ".repeat(MAX_CONTEXT_BODY_BYTES - frame), maxTokens: 1 })).status).toBe(200);
    expect((await ask("POST", "/v1/context/reduce", { text: " ".repeat(MAX_CONTEXT_BODY_BYTES - frame + 1), maxTokens: 1 })).status).toBe(413);
  });
});

describe("POST /v1/context/split", () => {
  test("answers chunks that join to the text, none over the limit", async () => {
    const { ask } = createTestApi();
    const response = await ask("POST", "/v1/context/split", { text: TEXT, maxTokens: 100, overlapTokens: 20 });
    const { chunks } = (await response.json()) as { chunks: { text: string; tokens: number }[] };
    expect(chunks.map(({ text }) => text).join("")).toBe(TEXT);
    expect(Math.max(...chunks.map(({ tokens }) => tokens))).toBeLessThanOrEqual(100);
  });

  test.each([
    ["halves of surrogate pairs", "\ud83d a \ude00\ud83d ".repeat(200)],
    ["line ends of three kinds", "one\r\ntwo\rthree\n\n\r\n".repeat(100)],
    ["marks, zeros and separators that nobody sees", "\ufeffa\u0000b\u2028c\u200d\u00ad ".repeat(100)],
  ])("loses nothing of %s on the way", async (_what, text) => {
    const { ask } = createTestApi();
    const response = await ask("POST", "/v1/context/split", { text, maxTokens: 50, overlapTokens: 10 });
    const { chunks } = (await response.json()) as { chunks: { text: string }[] };
    expect(chunks.length).toBeGreaterThan(5);
    expect(chunks.map((chunk) => chunk.text).join("")).toBe(text);
  });

  test("refuses an overlap of more than half a chunk", async () => {
    const { ask } = createTestApi();
    const response = await ask("POST", "/v1/context/split", { text: TEXT, maxTokens: 100, overlapTokens: 51 });
    expect(await response.json()).toMatchObject({ status: 422, errors: [{ path: "/overlapTokens" }] });
  });
});

test("a text is split into as many chunks as an answer holds, and no more", async () => {
  const { ask } = createTestApi();
  const text = "a ".repeat(MAX_CHUNKS * 4);
  const least = Math.ceil(upperBoundTokens(text) / MAX_CHUNKS);
  expect((await ask("POST", "/v1/context/split", { text, maxTokens: least })).status).toBe(200);
  expect(await (await ask("POST", "/v1/context/split", { text, maxTokens: least - 1 })).json()).toMatchObject({ status: 422, errors: [{ path: "/maxTokens" }] });
});

describe("POST /v1/intents", () => {
  const steps = [{ id: "one", text: "Send a message to Slack" }, { id: "two", text: "Quux" }];

  test("answers by patterns where they are sure, and by a fallback without a model", async () => {
    const { ask } = createTestApi();
    const response = await ask("POST", "/v1/intents", { steps });
    expect(await response.json()).toMatchObject({ items: [{ id: "one", intent: "send", method: "pattern" }, { id: "two", intent: "generate", method: "fallback" }] });
  });

  test(`takes ${MAX_STEPS} steps and no more`, async () => {
    const { ask } = createTestApi();
    const many = Array.from({ length: MAX_STEPS + 1 }, (_, index) => ({ id: String(index), text: "Filter rows" }));
    expect((await ask("POST", "/v1/intents", { steps: many.slice(1) })).status).toBe(200);
    expect((await ask("POST", "/v1/intents", { steps: many })).status).toBe(422);
  });
});
