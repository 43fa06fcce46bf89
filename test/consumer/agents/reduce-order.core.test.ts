import { describe, expect, test } from "vitest";
import { reduceFurther, reduceOrder } from "../../../src/consumer/agents/reduce-order.ts";
import { ReductionCache } from "../../../src/consumer/agents/reduction-cache.ts";
import type { LlmRequest, WorkOrder } from "../../../src/consumer/work-order.ts";
import { estimateTokens } from "../../../src/optimizer/tokens/tokens.ts";
import { createOrder } from "../work-order-fixture.ts";

const FACT = "The reserve pump of hall 9 is rated for 412 litres a minute.";
const REPORT = Array.from({ length: 200 }, (_, index) => (index === 120 ? FACT : `Entry ${index}: the crew cleaned the filters and wrote down nothing else of note.`)).join("\n\n");

function order(context: Partial<LlmRequest["context"]>, changes: Partial<WorkOrder> = {}): WorkOrder {
  const llm: LlmRequest = { taskType: null, tier: null, model: null, strategy: null, maxOutputTokens: null, outputSchema: null, stream: false, context: { mode: "reduce", maxTokens: null, targetReduction: null, ...context } };
  return createOrder(0, { llm, input: { prompt: "How much does the reserve pump of hall 9 move?" }, dependencies: { report: REPORT, size: 3 }, ...changes });
}

const reduce = (of: WorkOrder, defaultMaxTokens = 500) => reduceOrder(of, { defaultMaxTokens, cache: new ReductionCache() });

describe("an order whose context is to be reduced", () => {
  test("comes down to the default where its task says nothing, and keeps what the prompt asks for", () => {
    const { order: reduced, context } = reduce(order({}));
    expect(reduced.dependencies["report"]).toContain(FACT);
    expect(estimateTokens(String(reduced.dependencies["report"]))).toBeLessThanOrEqual(500);
    expect(context).toEqual({ originalTokens: expect.any(Number), reducedTokens: expect.any(Number) });
    expect(context!.reducedTokens).toBeLessThanOrEqual(500);
    expect(context!.originalTokens).toBeGreaterThan(2_000);
  });

  test("comes down to the task's own tokens or share", () => {
    expect(reduce(order({ maxTokens: 200 }), 100_000).context!.reducedTokens).toBeLessThanOrEqual(200);
    const { originalTokens, reducedTokens } = reduce(order({ targetReduction: 0.8 }), 100_000).context!;
    expect(reducedTokens).toBeLessThanOrEqual(originalTokens * 0.2);
  });

  test("is left alone when it fits, or when the whole or nothing was asked for", () => {
    expect(reduce(order({}), 100_000).order.dependencies).toEqual({ report: REPORT, size: 3 });
    expect(reduce(order({ mode: "full" }))).toMatchObject({ order: { dependencies: { report: REPORT } }, context: null });
    expect(reduce(order({ mode: "none" })).context).toBeNull();
  });

  test("values that are no text keep their type when nothing of them is dropped", () => {
    expect(reduce(order({})).order.dependencies["size"]).toBe(3);
  });

  test("the ends of a long prompt, where the instructions stand, are never reduced", () => {
    const prompt = `Answer in one word.\n\n${REPORT}\n\nHow much does the reserve pump of hall 9 move?`;
    const { order: reduced } = reduce(order({}, { input: { prompt }, dependencies: {} }));
    const text = (reduced.input as { prompt: string }).prompt;
    expect(text.startsWith("Answer in one word.")).toBe(true);
    expect(text.endsWith("How much does the reserve pump of hall 9 move?")).toBe(true);
    expect(text).toContain(FACT);
    expect(text.length).toBeLessThan(prompt.length / 2);
  });

  describe("of a conversation of many short messages", () => {
    const asks = (at: number): string => (at === 70 ? "What is the reserve pump of hall 9 rated for?" : `And how did round ${at} of the filters go?`);
    const says = (at: number): string => (at === 70 ? FACT : `Round ${at} went as the others did, and nothing else of note was written down.`);
    const past = Array.from({ length: 150 }, (_, at) => [{ role: "user", content: asks(at) }, { role: "assistant", content: [{ type: "text", text: says(at) }] }]).flat();
    const question = { role: "user", content: "So how much does the reserve pump of hall 9 move?" };
    const messages = [{ role: "system", content: "Be brief." }, ...past, question];
    type Message = { role: string; content: string | { text: string }[] };
    const send = (changes: Partial<WorkOrder>, maxTokens: number | null): { sent: Message[]; context: { originalTokens: number; reducedTokens: number } } => {
      const { order: reduced, context } = reduce(order({ maxTokens }, { input: { messages }, ...changes }), 100_000);
      return { sent: (reduced.input as { messages: Message[] }).messages, context: context! };
    };
    const textOf = ({ content }: Message): string => (typeof content === "string" ? content : content.map(({ text }) => text).join(""));

    test("only those before the last are left out, and those that say what is asked and came last stay", () => {
      const { sent, context } = send({ dependencies: {} }, 600);
      expect(context.originalTokens).toBeGreaterThan(4_000);
      expect(context.reducedTokens).toBeLessThanOrEqual(600);
      expect(context.reducedTokens).toBeGreaterThan(300);
      expect(sent.map(textOf).join("\n")).toContain(FACT);
      expect(sent.map(textOf).join("\n")).toContain("Round 149 went");
      expect(sent[0]).toEqual(messages[0]);
      expect(textOf(sent.at(-1)!).endsWith(question.content)).toBe(true);
    });

    test("no answer loses its question, and each gap is counted", () => {
      const { sent } = send({ dependencies: {} }, 600);
      sent.slice(1).forEach(({ role }, at) => expect(role).toBe(at % 2 === 0 ? "user" : "assistant"));
      const omitted = sent.flatMap((message) => [...textOf(message).matchAll(/^\[… (\d+) messages omitted\]$/gm)]).reduce((sum, [, count]) => sum + Number(count), 0);
      expect(omitted + sent.length).toBe(messages.length);
    });

    test("they share the target with the dependencies' outputs", () => {
      const { sent, context } = send({}, 800);
      expect(context.reducedTokens).toBeLessThanOrEqual(800);
      expect(sent.length).toBeGreaterThan(2);
      expect(sent.length).toBeLessThan(80);
    });

    test("none is touched when all fit", () => {
      expect(send({ dependencies: {} }, null).sent).toEqual(messages);
    });

    test.each([[{ rated: 40 }], [7], [null]])("a message whose content came to no text (%j) stays as it is, so that the attempt says so", (content) => {
      const asked = { role: "user", content };
      const { order: reduced } = reduce(order({ maxTokens: 10 }, { input: { messages: [...past, asked] }, dependencies: {} }), 100_000);
      expect((reduced.input as { messages: Message[] }).messages).toEqual([asked]);
    });

    test("all of them go where not even one fits", () => {
      const { sent, context } = send({ dependencies: {} }, 10);
      expect(context.reducedTokens).toBe(0);
      expect(sent).toEqual([messages[0], { role: "user", content: `[… 300 messages omitted]\n${question.content}` }]);
    });
  });

  test("a long prompt is not cut inside a character", () => {
    const emoji = "😀".repeat(770);
    for (const shift of ["", "x"]) {
      const prompt = `${shift}${emoji}. ${REPORT.replaceAll("\n\n", " ")} ${emoji}${shift}`;
      const { order: reduced } = reduce(order({}, { input: { prompt }, dependencies: {} }), 200);
      const text = (reduced.input as { prompt: string }).prompt;
      expect(text.isWellFormed()).toBe(true);
      expect(text.length).toBeLessThan(prompt.length / 2);
    }
  });

  test("of a conversation, the last words of the user are what is asked, and what is long in the middle of a message is reduced", () => {
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: [{ type: "text", text: `Read this.\n\n${REPORT}\n\nSay when you are done.` }] },
      { role: "assistant", content: "Done." },
      { role: "user", content: "How much does the reserve pump of hall 9 move?" },
    ];
    const { order: reduced, context } = reduce(order({}, { input: { messages }, dependencies: { report: REPORT } }), 1_000);
    expect(reduced.dependencies["report"]).toContain(FACT);
    const sent = (reduced.input as { messages: typeof messages }).messages;
    expect([sent[0], sent[2], sent[3]]).toEqual([messages[0], messages[2], messages[3]]);
    const text = (sent[1]!.content as { text: string }[])[0]!.text;
    expect(text.startsWith("Read this.")).toBe(true);
    expect(text.endsWith("Say when you are done.")).toBe(true);
    expect(text).toContain(FACT);
    expect(text.length).toBeLessThan(REPORT.length / 2);
    expect(context!.reducedTokens).toBeLessThanOrEqual(1_000);
  });

  test("of a thousand outputs those stay that the prompt asks for, and the others are counted", () => {
    const dependencies = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`hall_${index}`, index === 700 ? FACT : `Hall ${index}: the crew cleaned the filters\nand wrote down "nothing" else of note.`]));
    for (const target of [600, 2_000]) {
      const { order: reduced, context } = reduce(order({}, { dependencies }), target);
      const { "…": left, ...kept } = reduced.dependencies;
      expect(kept["hall_700"]).toBe(FACT);
      for (const [taskId, text] of Object.entries(kept)) expect(text).toBe(dependencies[taskId]);
      expect(left).toBe(`[… ${1_000 - Object.keys(kept).length} results omitted]`);
      expect(Object.keys(kept).length).toBeGreaterThan(10);
      expect(context!.reducedTokens).toBeLessThanOrEqual(target + 16);
    }
  });

  test("an input of another shape stays as it is, and its context is reduced all the same", () => {
    for (const input of [{ messages: "none" }, { messages: [{ role: "user" }] }, { messages: [] }, null, 3, ["a"]]) {
      const { order: reduced, context } = reduce(order({}, { input }));
      expect(reduced.input).toEqual(input);
      expect(context!.reducedTokens).toBeLessThanOrEqual(500);
    }
  });

  test("the same text is reduced once for the same question", () => {
    const cache = new ReductionCache();
    let reductions = 0;
    const count = (text: string) => {
      reductions += 1;
      return { text: text.slice(0, 3), originalTokens: 9, reducedTokens: 1, reductionPercent: 88.9, achieved: true, steps: [] };
    };
    for (const query of ["a", "a", "b"]) cache.reduce("some text", query, 5, count);
    expect(reductions).toBe(2);
  });
});

describe("an order whose budget leaves less than was planned", () => {
  const cache = new ReductionCache();

  test("comes down to that, whatever its task says, and keeps what the prompt asks for", () => {
    const further = reduceFurther(order({ maxTokens: 2_000 }), 150, cache)!;
    expect(further.context.reducedTokens).toBeLessThanOrEqual(150);
    expect(further.order.dependencies["report"]).toContain(FACT);
  });

  test.each(["full", "none"] as const)("is left alone where the context is to be sent %s", (mode) => {
    expect(reduceFurther(order({ mode }), 150, cache)).toBeNull();
  });

  test("is left alone where nothing of it can go", () => {
    expect(reduceFurther(order({}), 100_000, cache)).toBeNull();
    expect(reduceFurther(order({}, { dependencies: {} }), 64, cache)).toBeNull();
  });
});
