import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import { type FakeLlm, startFakeLlm } from "../fixtures/fake-llm.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, type PostedSpec, type WeftClient } from "./weft-client.ts";

const OPENAI_KEY = "sk-compatible-0123456789abcdef";
const ANTHROPIC_KEY = "sk-ant-0123456789abcdef";

let llm: FakeLlm;
let worker: LocalWorker;
let client: WeftClient;

beforeAll(async () => {
  llm = await startFakeLlm();
  worker = await startWorker({ vars: { COMPATIBLE_KEY: OPENAI_KEY, CLAUDE_KEY: ANTHROPIC_KEY } });
  client = createWeftClient(worker);
  const answer = await client.call<{ version: number }>("PUT", "/v1/tiers", { body: tiersOf(llm.baseUrl) });
  expect(answer.status, answer.text).toBe(200);
});

afterAll(async () => {
  await worker.stop();
  await llm.close();
});

/** One model for each story, so that answers and faults of one test do not reach another. */
const MODELS = ["exact", "schema", "never-json", "limited", "denied", "streaming", "dripping", "chained"];

function tiersOf(baseUrl: string): TierDocument {
  const common = { contextWindow: 100_000, maxOutputTokens: 4_096, capabilities: ["json" as const] };
  const odd = { inputPerMillionUsd: 0.0333, outputPerMillionUsd: 0.7, cachedInputPerMillionUsd: 0.0111 };
  return {
    providers: [
      { id: "compatible", kind: "openai-compatible", baseUrl, secretName: "COMPATIBLE_KEY" },
      { id: "claude", kind: "anthropic", baseUrl, secretName: "CLAUDE_KEY" },
    ],
    models: [
      ...MODELS.map((id) => ({ ...common, id, provider: "compatible", tier: "weak" as const, price: odd })),
      { ...common, id: "sonnet", provider: "claude", upstreamModel: "claude-of-upstream", tier: "base", price: { inputPerMillionUsd: 3, outputPerMillionUsd: 15, cachedInputPerMillionUsd: 0.3 } },
      { ...common, id: "opus", provider: "claude", tier: "strong", price: { inputPerMillionUsd: 10, outputPerMillionUsd: 50 } },
    ],
    tiers: { weak: MODELS, base: ["sonnet"], strong: ["opus"] },
  };
}

const prompt = (text: string) => ({ prompt: text });
const quickRetry = { initialMs: 20, jitter: false };
const callsOf = (model: string) => llm.calls.filter((call) => call.model === model);
const nanoUsd = (usd: number) => Math.round(usd * 1e9);

describe.concurrent("a task of a language model", () => {
  test("is called with its key and cap, and costs exactly what the provider counted, to the nano-dollar", async () => {
    llm.answerWith({ text: "counted", inputTokens: 1_234, cachedTokens: 1_000, outputTokens: 77 }, "exact");
    const workflow = await client.run({ tasks: [{ id: "a", agent: "scout", model: "exact", maxOutputTokens: 200, input: prompt("What matters?") }] });
    // 234 at 0.0333, 1,000 at 0.0111 and 77 at 0.7 dollars per million: 72,792.2 nano-dollars, rounded up.
    const costNanoUsd = 72_793;
    // The same at the first strong model's prices: 1,234 at 10 and 77 at 50.
    const baselineNanoUsd = 16_190_000;
    expect(workflow).toMatchObject({ status: "completed", tasks: { a: { output: "counted", route: { model: "exact", provider: "compatible", tier: "weak", fallbacks: [] }, usage: { inputTokens: 1_234, outputTokens: 77 } } } });
    expect(workflow.usage).toMatchObject({ inputTokens: 1_234, outputTokens: 77 });
    expect([workflow.usage.costUsd, workflow.usage.baselineUsd, workflow.tasks!["a"]!.usage!.costUsd].map(nanoUsd)).toEqual([costNanoUsd, baselineNanoUsd, costNanoUsd]);
    const ledger = await client.ledger(workflow.id);
    expect(ledger).toMatchObject([{ workflowId: workflow.id, taskId: "a", attempt: 1, provider: "compatible", model: "exact", inputTokens: 1_234, outputTokens: 77, cachedTokens: 1_000, estimated: false, late: false }]);
    expect(nanoUsd(ledger[0]!.costUsd)).toBe(costNanoUsd);

    const [call] = callsOf("exact");
    expect(call).toMatchObject({ format: "openai", stream: true, maxTokens: 200, headers: { authorization: `Bearer ${OPENAI_KEY}` } });
    expect(call!.prompt).toContain("What matters?");
    const selected = (await client.events(workflow.id)).find((event) => event.type === "model.selected")!;
    expect(selected).toMatchObject({ taskId: "a", data: { attempt: 1, model: "exact", provider: "compatible", tier: "weak" } });
  });

  test("speaks Anthropic's format to such a provider, under the model's name there", async () => {
    llm.answerWith({ text: "from claude", inputTokens: 500, cachedTokens: 400, outputTokens: 33 }, "claude-of-upstream");
    const workflow = await client.run({ tasks: [{ id: "a", agent: "planner", model: "sonnet", input: prompt("Plan.") }] });
    expect(workflow).toMatchObject({ status: "completed", result: { a: "from claude" }, usage: { inputTokens: 500, outputTokens: 33 } });
    // 100 at 3, 400 at 0.3 and 33 at 15 dollars per million.
    expect(nanoUsd(workflow.usage.costUsd)).toBe(915_000);
    expect(await client.ledger(workflow.id)).toMatchObject([{ provider: "claude", model: "sonnet", inputTokens: 500, cachedTokens: 400, outputTokens: 33 }]);
    expect(callsOf("claude-of-upstream")).toMatchObject([{ format: "anthropic", headers: { "x-api-key": ANTHROPIC_KEY } }]);
  });

  test("sees the outputs of its dependencies, unless it asks not to", async () => {
    llm.answerWith((call) => (call.prompt.includes("first question") ? "the first answer" : "later"), "chained");
    const tasks: PostedSpec["tasks"] = [
      { id: "first", agent: "scout", model: "chained", input: prompt("first question") },
      { id: "full", agent: "scout", model: "chained", dependsOn: ["first"], context: { mode: "full" }, input: prompt("with context") },
      { id: "none", agent: "scout", model: "chained", dependsOn: ["first"], context: { mode: "none" }, input: prompt("without context") },
    ];
    expect((await client.run({ tasks })).status).toBe("completed");
    const promptWith = (text: string) => callsOf("chained").find((call) => call.prompt.includes(text))!.prompt;
    expect(promptWith("with context")).toContain("the first answer");
    expect(promptWith("without context")).not.toContain("the first answer");
  });

  test("gives parsed output that satisfies its schema; an answer that does not is paid and tried again", async () => {
    const answers = ["no JSON at all", '{"count": "many"}', '{"count": 3}'];
    llm.answerWith(() => ({ text: answers.shift() ?? "", inputTokens: 100, outputTokens: 10 }), "schema");
    const schema = { type: "object", properties: { count: { type: "integer" } }, required: ["count"] };
    const workflow = await client.run({ tasks: [{ id: "a", agent: "scout", model: "schema", output: { schema }, retry: quickRetry, input: prompt("Count.") }, { id: "b", agent: "scout", model: "schema", dependsOn: ["a"], when: "tasks.a.output.count > 5" }] });
    expect(workflow).toMatchObject({ status: "completed", tasks: { a: { attempt: 3, output: { count: 3 } }, b: { status: "skipped" } }, usage: { inputTokens: 300, outputTokens: 30 } });
    expect((await client.ledger(workflow.id)).map((call) => call.attempt)).toEqual([3, 2, 1]);
  });

  test("fails with output_invalid when no answer satisfies its schema", async () => {
    llm.answerWith("never JSON", "never-json");
    const workflow = await client.run({ tasks: [{ id: "a", agent: "scout", model: "never-json", output: { schema: { type: "object" } }, retry: { ...quickRetry, maxAttempts: 2 }, input: prompt("Count.") }] });
    expect(workflow).toMatchObject({ status: "failed", error: { code: "output_invalid", taskId: "a" }, tasks: { a: { attempt: 2 } } });
    expect(callsOf("never-json")).toHaveLength(2);
  });

  test("waits as long as a provider's 429 asks for, then completes, and pays nothing for the refusal", async () => {
    llm.injectFault("limited", { kind: "status", status: 429, retryAfter: "1" });
    const workflow = await client.run({ tasks: [{ id: "a", agent: "scout", model: "limited", retry: { initialMs: 1 }, input: prompt("Now?") }] });
    expect(workflow).toMatchObject({ status: "completed", tasks: { a: { attempt: 2 } } });
    const retrying = (await client.events(workflow.id)).find((event) => event.type === "task.retrying")!;
    expect(retrying).toMatchObject({ data: { attempt: 1, error: { code: "provider_unavailable", retryable: true } } });
    expect(Date.parse(String((retrying.data as { nextAt: string }).nextAt)) - Date.parse(retrying.at)).toBeGreaterThanOrEqual(1_000);
    expect((await client.ledger(workflow.id)).map((call) => call.attempt)).toEqual([2]);
  });

  test("that its provider refuses with 401 fails at once, and tells nobody the key", async () => {
    llm.injectFault("denied", { kind: "status", status: 401, message: `Incorrect API key provided: ${OPENAI_KEY}` });
    const workflow = await client.run({ tasks: [{ id: "a", agent: "scout", model: "denied", input: prompt("Please?") }] });
    expect(workflow).toMatchObject({ status: "failed", tasks: { a: { attempt: 1, error: { code: "provider_rejected", retryable: false } } } });
    expect(callsOf("denied")).toHaveLength(1);
    expect(JSON.stringify([workflow, await client.events(workflow.id)])).not.toContain(OPENAI_KEY);
    expect(worker.logs()).not.toContain(OPENAI_KEY);
  });

  test("without a pinned model takes the first of its type's tier", async () => {
    const workflow = await client.run({ tasks: [{ id: "a", agent: "builder", type: "security_review", input: prompt("Check it.") }] });
    expect(workflow.tasks!["a"]!.route).toMatchObject({ tier: "strong", model: "opus", provider: "claude" });
  });

  test.each(["streaming", "dripping"])("with stream shows every piece of its text once, in order (%s)", async (model) => {
    const text = Array.from({ length: 40 }, (_, index) => `piece ${index}`).join(", ");
    llm.answerWith(async () => {
      if (model === "dripping") await pause(200);
      return text;
    }, model);
    const { id } = await client.create({ tasks: [{ id: "a", agent: "scout", model, stream: true, input: prompt("Write.") }, { id: "b", agent: "scout", model, dependsOn: ["a"], input: prompt("Quietly.") }] });
    const messages = await client.stream(id);
    const deltas = messages.filter((message) => message.event === "task.delta").map((message) => JSON.parse(message.data) as { taskId: string; data: { text: string } });
    expect(new Set(deltas.map((delta) => delta.taskId))).toEqual(new Set(["a"]));
    expect(deltas.map((delta) => delta.data.text).join("")).toBe(text);
    const order = messages.map((message) => (message.event === "task.delta" ? "delta" : `${message.event} ${(JSON.parse(message.data) as { taskId?: string }).taskId ?? ""}`));
    expect(order.lastIndexOf("delta")).toBeLessThan(order.indexOf("task.completed a"));
  });
});

test("tiers that are wrong in any part are refused as a whole", async () => {
  const before = await client.call("GET", "/v1/tiers");
  const body = { ...tiersOf(llm.baseUrl), tiers: { weak: ["exact", "nobody"], base: ["sonnet"], strong: [] } };
  const answer = await client.call("PUT", "/v1/tiers", { body });
  expect(answer.status).toBe(422);
  expect(answer.body.errors!.map((fault) => fault.path).sort()).toEqual(["/tiers/strong", "/tiers/weak/1"]);
  expect((await client.call("GET", "/v1/tiers")).text).toBe(before.text);
});
