import { describe, expect, it } from "vitest";
import { classifyIntents, type IntentStep, MAX_BATCH_STEPS, MAX_CONCURRENT_BATCHES } from "../../src/optimizer/classify-intent.ts";
import { createIntentCache } from "../../src/optimizer/intents/intent-cache.ts";
import type { Intent } from "../../src/optimizer/intents/intent.ts";
import { type IntentQuestion, UNSTATED_CONFIDENCE } from "../../src/optimizer/intents/intent-question.ts";

const SURE = "Send parcel notice to customer";
const UNSURE = "Append customer data";

function unknownSteps(count: number): IntentStep[] {
  return Array.from({ length: count }, (_, index) => ({ id: `s${index}`, text: `qwrt zpl${index}x` }));
}

/** Answers every step of a question alike and keeps the questions. */
function answering(intent: Intent, confidence?: number) {
  const questions: IntentQuestion[] = [];
  const ask = async (question: IntentQuestion) => {
    questions.push(question);
    return JSON.stringify({ items: question.steps.map(({ number }) => ({ number, intent, confidence })) });
  };
  return { ask, questions };
}

describe("steps that the patterns are sure of", () => {
  it("are not asked of the model, at the threshold neither", async () => {
    const model = answering("filter");
    const alone = (await classifyIntents([{ id: "a", text: SURE }], { threshold: 0 })).items[0]!;
    expect(alone).toMatchObject({ id: "a", intent: "send", method: "pattern" });
    expect((await classifyIntents([{ id: "a", text: SURE }], { threshold: alone.confidence, ask: model.ask })).items[0]!.method).toBe("pattern");
    expect(model.questions).toHaveLength(0);
    expect((await classifyIntents([{ id: "a", text: SURE }], { threshold: alone.confidence + 0.001, ask: model.ask })).items[0]!.method).toBe("model");
  });
});

describe("unsure steps", () => {
  it("get the model's answer, with the patterns' readings as alternatives, in the order and with the ids given", async () => {
    const model = answering("enrich", 0.8);
    const { items } = await classifyIntents([{ id: "x", text: UNSURE }, { id: "y", text: SURE }, { id: "x", text: "qwrt" }], { threshold: 0.9, ask: model.ask });
    expect(items.map((item) => item.id)).toEqual(["x", "y", "x"]);
    expect(items[0]).toMatchObject({ intent: "enrich", confidence: 0.8, method: "model" });
    expect(items[0]!.alternatives[0]!.intent).toBe("aggregate");
    expect(items[0]!.alternatives.reduce((sum, guess) => sum + guess.confidence, 0)).toBeLessThanOrEqual(0.2);
    expect(items[2]).toEqual({ id: "x", intent: "enrich", confidence: 0.8, alternatives: [], method: "model" });
  });

  it("keep the patterns' guess where there is no model, and fall back to `generate` where no word is known", async () => {
    const { items } = await classifyIntents([{ id: "a", text: UNSURE }, { id: "b", text: "qwrt" }], { threshold: 1 });
    expect(items[0]).toMatchObject({ intent: "aggregate", method: "pattern" });
    expect(items[1]).toEqual({ id: "b", intent: "generate", confidence: 0.1, alternatives: [], method: "fallback" });
  });

  it.each([[MAX_BATCH_STEPS, 1], [MAX_BATCH_STEPS + 1, 2]])("%i of them make %i questions", async (count, questions) => {
    const model = answering("send");
    const { items } = await classifyIntents(unknownSteps(count), { threshold: 0.5, ask: model.ask });
    expect(model.questions).toHaveLength(questions);
    expect(items.every((item) => item.method === "model" && item.confidence === UNSTATED_CONFIDENCE)).toBe(true);
  });

  it("are asked in five batches at once and never in more", async () => {
    const model = answering("send");
    let open = 0;
    let most = 0;
    const ask = async (question: IntentQuestion) => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((resolve) => setTimeout(resolve, 1));
      open -= 1;
      return model.ask(question);
    };
    await classifyIntents(unknownSteps(MAX_BATCH_STEPS * (MAX_CONCURRENT_BATCHES + 2)), { threshold: 0.5, ask });
    expect(most).toBe(MAX_CONCURRENT_BATCHES);
    expect(model.questions).toHaveLength(MAX_CONCURRENT_BATCHES + 2);
  });

  it("of equal text are asked once, and not again while the cache holds them", async () => {
    const model = answering("filter", 0.7);
    const cache = createIntentCache();
    const steps = [{ id: "a", text: "qwrt" }, { id: "b", text: "qwrt" }];
    await classifyIntents(steps, { threshold: 0.5, ask: model.ask, cache });
    const { items } = await classifyIntents(steps, { threshold: 0.5, ask: model.ask, cache });
    expect(model.questions.map((question) => question.steps.length)).toEqual([1]);
    expect(items.map((item) => item.method)).toEqual(["model", "model"]);
  });
});

describe("a model that fails", () => {
  const steps = [{ id: "a", text: "qwrt" }, { id: "b", text: UNSURE }];
  async function classifyWith(ask: (question: IntentQuestion) => Promise<string>) {
    const faults: unknown[] = [];
    const cache = createIntentCache();
    const { items } = await classifyIntents(steps, { threshold: 0.99, ask, cache, onFault: (fault) => faults.push(fault) });
    return { methods: items.map((item) => item.method), intents: items.map((item) => item.intent), faults, cached: steps.filter(({ text }) => cache.get(text) !== undefined).length };
  }

  it.each<[string, string]>([
    ["no JSON", "I would say both are filters."],
    ["an empty answer", ""],
    ["JSON of another shape", '{"answers": []}'],
    ["cut JSON", '{"items": [{"number": 1, "intent": "send"}'],
    ["an unknown intent", '{"items": [{"number": 1, "intent": "dance"}, {"number": 2, "intent": "SEND"}]}'],
    ["numbers nobody asked about", '{"items": [{"number": 0, "intent": "send"}, {"number": 3, "intent": "send"}, {"number": -1, "intent": "send"}, {"number": 1.5, "intent": "send"}]}'],
    ["a confidence out of range", '{"items": [{"number": 1, "intent": "send", "confidence": 90}, {"number": 2, "intent": "send", "confidence": -1}]}'],
    ["no list", '{"items": "send"}'],
  ])("with %s leaves the steps to the patterns and is reported", async (_, answer) => {
    expect(await classifyWith(async () => answer)).toMatchObject({ methods: ["fallback", "pattern"], intents: ["generate", "aggregate"], cached: 0, faults: [expect.any(String)] });
  });

  it("by throwing leaves the steps to the patterns and is reported with what was thrown", async () => {
    const outage = new Error("503");
    const rejected = await classifyWith(async () => Promise.reject(outage));
    expect(rejected).toMatchObject({ methods: ["fallback", "pattern"], faults: [outage] });
    const thrown = await classifyWith(() => {
      throw outage;
    });
    expect(thrown.faults).toEqual([outage]);
  });

  it("for one step only costs that step alone", async () => {
    const answered = await classifyWith(async () => '{"items": [{"number": 1, "intent": "send"}]}');
    expect(answered).toMatchObject({ methods: ["model", "pattern"], cached: 1, faults: ["1 of 2 steps without a valid item"] });
  });

  it("for one batch only costs that batch alone", async () => {
    const model = answering("send");
    const ask = (question: IntentQuestion) => (question.steps.length === MAX_BATCH_STEPS ? Promise.reject(new Error("timeout")) : model.ask(question));
    const { items } = await classifyIntents(unknownSteps(MAX_BATCH_STEPS + 3), { threshold: 0.5, ask });
    expect(items.filter((item) => item.method === "model")).toHaveLength(3);
    expect(items.filter((item) => item.method === "fallback")).toHaveLength(MAX_BATCH_STEPS);
  });
});

describe("the model's answer", () => {
  it("may be wrapped in text or a code fence, have numbers as strings, and its first item for a step counts", async () => {
    const ask = async () => 'Sure:\n```json\n{"items": [{"number": "1", "intent": "send"}, {"number": 1, "intent": "filter"}]}\n```';
    expect((await classifyIntents([{ id: "a", text: "qwrt" }], { threshold: 0.5, ask })).items[0]).toMatchObject({ intent: "send", method: "model" });
  });
});

describe("the cache", () => {
  it("holds no more than its limit and drops what was used longest ago", () => {
    const cache = createIntentCache(2);
    cache.set("a", { intent: "send", confidence: 1 });
    cache.set("b", { intent: "send", confidence: 1 });
    cache.get("a");
    cache.set("c", { intent: "send", confidence: 1 });
    expect(["a", "b", "c"].map((text) => cache.get(text) !== undefined)).toEqual([true, false, true]);
  });
});
