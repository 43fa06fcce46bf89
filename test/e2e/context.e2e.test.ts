import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { TaskView } from "../../src/api/ports/workflow-port.ts";
import type { Chunk } from "../../src/optimizer/split-context.ts";
import type { Reduction } from "../../src/optimizer/reduce-context.ts";
import { type FakeLlm, type LlmCall, startFakeLlm } from "../fixtures/fake-llm.ts";
import { HANDBOOK_FACTS, writeHandbook } from "../fixtures/handbook.ts";
import { putSourceAgents, runSourceWorkflow, type SourceRun, tiersOf } from "../fixtures/source-workflow.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, type PostedSpec, typesOf, type WeftClient } from "./weft-client.ts";

const handbook = writeHandbook();
const ALL_FACTS = Object.values(HANDBOOK_FACTS).flat();
const MAX_BODY_BYTES = 8_388_608;

let llm: FakeLlm;
let worker: LocalWorker;
let client: WeftClient;

beforeAll(async () => {
  llm = await startFakeLlm();
  worker = await startWorker();
  client = createWeftClient(worker);
  await putSourceAgents(client);
});

afterAll(async () => {
  await worker.stop();
  await llm.close();
});

async function useProvider(kind: "openai-compatible" | "anthropic"): Promise<void> {
  const answer = await client.call("PUT", "/v1/tiers", { body: tiersOf(kind, llm.baseUrl) });
  expect(answer.status, answer.text).toBe(200);
}

describe.each(["openai-compatible", "anthropic"] as const)("scout, plan and build on 200,000 characters with a provider of kind %s", (kind) => {
  let full: SourceRun;
  let reduced: SourceRun;

  beforeAll(async () => {
    await useProvider(kind);
    full = await runSourceWorkflow(client, llm, { text: handbook, facts: HANDBOOK_FACTS }, { mode: "full" });
    reduced = await runSourceWorkflow(client, llm, { text: handbook, facts: HANDBOOK_FACTS }, { mode: "reduce", maxTokens: 8_000 });
  });

  test("send a quarter of the tokens at most when reduced to 8,000, and cost less", () => {
    expect([full.workflow.status, reduced.workflow.status]).toEqual(["completed", "completed"]);
    expect(reduced.tokensSent).toBeLessThan(full.tokensSent / 4);
    expect(reduced.workflow.usage.costUsd).toBeLessThan(full.workflow.usage.costUsd / 4);
  });

  test("send every fact that a step asks for, whole or reduced", () => {
    expect([full.factsSent, reduced.factsSent]).toEqual([ALL_FACTS.length, ALL_FACTS.length]);
    for (const { answer } of HANDBOOK_FACTS.build) expect(reduced.workflow.tasks!["build"]!.output).toContain(answer);
  });

  test("are charged what the provider counted", () => {
    for (const run of [full, reduced]) {
      expect(run.workflow.usage.inputTokens).toBe(run.tokensSent);
      expect(run.ledger.map((line) => line.inputTokens).reduce((a, b) => a + b)).toBe(run.tokensSent);
    }
  });

  test("say in each task and in the event log what was reduced", () => {
    const { context } = reduced.workflow.tasks!["scout"]!;
    expect(context!.originalTokens).toBeGreaterThan(40_000);
    expect(context!.reducedTokens).toBeLessThanOrEqual(8_000);
    const events = reduced.events.filter((event) => event.type === "context.reduced");
    expect(events.map((event) => event.taskId)).toEqual(["scout", "plan", "build"]);
    expect(events[0]!.data).toEqual({ attempt: 1, ...context });
    expect(typesOf(full.events)).not.toContain("context.reduced");
  });

  test("keep the originals", async () => {
    const source = await client.call<TaskView>("GET", `/v1/workflows/${reduced.workflow.id}/tasks/source`);
    expect(source.body.output).toBe(handbook);
  });

  test("mark where text was left out", () => {
    expect(reduced.calls[0]!.prompt).toMatch(/\[… \d+ lines? omitted/);
    expect(full.calls[0]!.prompt).not.toMatch(/omitted/);
  });
});

describe("what a task sees of its dependencies", () => {
  beforeAll(() => useProvider("openai-compatible"));
  beforeEach(() => llm.reset());

  const fact = ALL_FACTS[0]!;
  const specOf = (context: PostedSpec["tasks"][number]["context"]): PostedSpec => ({
    input: { source: handbook },
    tasks: [{ id: "source", agent: "source" }, { id: "ask", agent: "source-scout", dependsOn: ["source"], input: { prompt: fact.question }, context }],
  });

  test("is reduced by default", async () => {
    const workflow = await client.run(specOf(undefined));
    expect(workflow.tasks!["ask"]!.context!.reducedTokens).toBeLessThan(workflow.tasks!["ask"]!.context!.originalTokens);
    expect(llm.calls[0]!.prompt).toContain(fact.answer);
  });

  test("is nothing with mode none", async () => {
    const workflow = await client.run(specOf({ mode: "none" }));
    expect(workflow.tasks!["ask"]!.context).toBeNull();
    expect(llm.calls[0]!.prompt.length).toBeLessThan(1_000);
    expect(llm.calls[0]!.prompt).not.toContain(fact.answer);
  });

  test("may be a share of it", async () => {
    const { context } = (await client.run(specOf({ mode: "reduce", targetReduction: 0.9 }))).tasks!["ask"]!;
    expect(context!.reducedTokens).toBeLessThanOrEqual(context!.originalTokens * 0.1);
  });

  test("may come in the prompt itself, of which the instructions at both ends stay", async () => {
    const prompt = `Answer in one word.\n\n${handbook}\n\n${fact.question}`;
    const workflow = await client.run({ tasks: [{ id: "ask", agent: "source-scout", input: { prompt }, context: { mode: "reduce", maxTokens: 4_000 } }] });
    expect(workflow.tasks!["ask"]!.context!.reducedTokens).toBeLessThanOrEqual(4_000);
    const sent = llm.calls[0]!.prompt;
    expect(sent).toContain("Answer in one word.");
    expect(sent.endsWith(fact.question)).toBe(true);
    expect(sent).toContain(fact.sentence);
    expect(sent.length).toBeLessThan(prompt.length / 5);
  });
});

describe("the prefix that tasks share", () => {
  beforeEach(() => llm.reset());

  const specOf = (mode: "full" | "reduce"): PostedSpec => ({
    input: { source: handbook },
    maxConcurrency: 1,
    tasks: [
      { id: "source", agent: "source" },
      { id: "first", agent: "source-scout", dependsOn: ["source"], input: { prompt: "Which code opens the sluice gate at Harrow Mole?" }, context: { mode } },
      { id: "second", agent: "source-scout", dependsOn: ["source"], input: { prompt: "How deep is Larkspur Bar at low water?" }, context: { mode } },
    ],
  });
  /** Everything up to the task's own text. */
  const prefixOf = (call: LlmCall, task: string) => JSON.stringify(call.body).slice(0, JSON.stringify(call.body).indexOf(task));

  test.each(["openai-compatible", "anthropic"] as const)("is the same byte for byte when the context is whole (%s)", async (kind) => {
    await useProvider(kind);
    await client.run(specOf("full"));
    const [first, second] = [prefixOf(llm.calls[0]!, "Which code"), prefixOf(llm.calls[1]!, "How deep")];
    expect(first).toContain("Rounds at");
    expect(first).toBe(second);
  });

  test("differs when the context is reduced: each task keeps what answers its own prompt", async () => {
    await useProvider("openai-compatible");
    await client.run(specOf("reduce"));
    expect(prefixOf(llm.calls[0]!, "Which code")).not.toBe(prefixOf(llm.calls[1]!, "How deep"));
  });

  test("is marked for Anthropic where it ends, and after the system text", async () => {
    await useProvider("anthropic");
    await client.run(specOf("full"));
    const body = llm.calls[0]!.body as unknown as { system: object[]; messages: { content: { text: string }[] }[] };
    expect(body.system.at(-1)).toMatchObject({ text: expect.stringContaining("You look things up"), cache_control: { type: "ephemeral" } });
    const blocks = body.messages.flatMap(({ content }) => content);
    expect(blocks[0]).toMatchObject({ text: expect.stringContaining("Rounds at"), cache_control: { type: "ephemeral" } });
    expect(blocks.at(-1)!.text).toBe("Which code opens the sluice gate at Harrow Mole?");
    expect(blocks.at(-1)).not.toHaveProperty("cache_control");
  });

  test.each(["openai-compatible", "anthropic"] as const)("costs the cached price for the tokens that the provider had cached (%s)", async (kind) => {
    await useProvider(kind);
    llm.answerWith({ text: "Code KX-4471-B.", inputTokens: 50_000, cachedTokens: 40_000, outputTokens: 100 });
    const workflow = await client.run({ tasks: [{ id: "ask", agent: "source-scout", input: { prompt: "Which code?" } }] });
    const [line] = await client.ledger(workflow.id);
    expect(line).toMatchObject({ inputTokens: 50_000, cachedTokens: 40_000, outputTokens: 100, estimated: false });
    // 10,000 at 1 USD, 40,000 at 0.1 and 100 at 5 a million.
    expect(line!.costUsd).toBeCloseTo(0.0145, 9);
    expect(workflow.tasks!["ask"]!.usage).toMatchObject({ inputTokens: 50_000, outputTokens: 100, costUsd: line!.costUsd });
  });
});

describe("POST /v1/context/reduce", () => {
  const reduce = (body: object) => client.call<Reduction>("POST", "/v1/context/reduce", { body });

  test("keeps what the query asks for and what the caller names", async () => {
    const fact = ALL_FACTS[5]!;
    const other = ALL_FACTS[9]!;
    const { status, body } = await reduce({ text: handbook, query: fact.question, targetReduction: 0.95, keep: [other.sentence] });
    expect(status).toBe(200);
    expect(body).toMatchObject({ achieved: true, steps: expect.arrayContaining([expect.objectContaining({ method: "relevance" })]) });
    expect(body.reductionPercent).toBeGreaterThanOrEqual(95);
    expect(body.text).toContain(fact.answer);
    expect(body.text).toContain(other.sentence);
  });

  test("says when the target cannot be met", async () => {
    expect((await reduce({ text: handbook, maxTokens: 10, keep: ALL_FACTS.map(({ sentence }) => sentence) })).body.achieved).toBe(false);
  });

  test.each([
    ["no target", { text: "a" }],
    ["two targets", { text: "a", maxTokens: 1, targetReduction: 0.5 }],
    ["a share of 1", { text: "a", targetReduction: 1 }],
    ["an unknown key", { text: "a", maxTokens: 1, language: "en" }],
  ])("refuses %s with 422", async (_what, body) => {
    expect((await reduce(body)).status).toBe(422);
  });
});

describe("bodies of the context routes", () => {
  /** JSON of exactly so many bytes. */
  const bodyOf = (bytes: number, rest: string): string => {
    const frame = `{"text":"",${rest}}`;
    const filler = `${handbook.replaceAll("\n", " ")} `;
    return `{"text":"${filler.repeat(Math.ceil(bytes / filler.length)).slice(0, bytes - frame.length)}",${rest}}`;
  };

  test.each([
    ["/v1/context/reduce", '"query":"On which channel do tugs call?","targetReduction":0.9'],
    ["/v1/context/split", '"maxTokens":8000,"overlapTokens":100'],
  ])("%s takes 8 MiB, and answers 413 for a byte more", async (path, rest) => {
    const largest = bodyOf(MAX_BODY_BYTES, rest);
    expect(Buffer.byteLength(largest)).toBe(MAX_BODY_BYTES);
    expect((await client.call("POST", path, { body: largest })).status).toBe(200);
    expect((await client.call("POST", path, { body: `${largest} ` })).status).toBe(413);
  });
});

describe("POST /v1/context/split", () => {
  test("loses no byte, stays within the limit and tells where each chunk stands", async () => {
    const { status, body } = await client.call<{ chunks: Chunk[] }>("POST", "/v1/context/split", { body: { text: handbook, maxTokens: 2_000, overlapTokens: 50 } });
    expect(status).toBe(200);
    expect(body.chunks.map(({ text }) => text).join("")).toBe(handbook);
    expect(Math.max(...body.chunks.map(({ tokens }) => tokens))).toBeLessThanOrEqual(2_000);
    expect(body.chunks.at(-1)).toMatchObject({ heading: expect.stringContaining("Rounds at"), concepts: expect.arrayContaining([expect.any(String)]) });
  });
});

describe("a split into very many chunks", () => {
  test("is refused with the limit that would do", async () => {
    const answer = await client.call("POST", "/v1/context/split", { body: { text: handbook.repeat(5), maxTokens: 4 } });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toEqual([{ path: "/maxTokens", message: expect.stringMatching(/take at least \d+/) }]);
  });
});

describe("POST /v1/intents", () => {
  beforeEach(() => llm.reset());
  const classify = async (...texts: string[]) => {
    const answer = await client.call<{ items: { id: string; intent: string; method: string }[] }>("POST", "/v1/intents", { body: { steps: texts.map((text, index) => ({ id: String(index), text })) } });
    expect(answer.status, answer.text).toBe(200);
    return answer.body.items;
  };

  test("names the intents by patterns without asking a model", async () => {
    await useProvider("openai-compatible");
    const items = await classify("Summarize the meeting notes", "Send the report by e-mail", "Validate the invoice fields");
    expect(items.map(({ intent, method }) => [intent, method])).toEqual([["summarize", "pattern"], ["send", "pattern"], ["validate", "pattern"]]);
    expect(llm.calls).toEqual([]);
  });

  test("asks the weakest configured model where patterns are unsure, and falls back when it has no answer", async () => {
    await useProvider("openai-compatible");
    llm.answerWith("no JSON at all");
    expect(await classify("Zephyr quorum eleven")).toMatchObject([{ intent: "generate", method: "fallback" }]);
    expect(llm.calls.map(({ model }) => model)).toEqual(["openai-compatible-weak"]);
  });
});
