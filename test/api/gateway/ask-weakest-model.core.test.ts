import { describe, expect, test } from "vitest";
import { boundInputTokens, measureChat } from "../../../src/api/gateway/bound-tokens.ts";
import type { ChatBody } from "../../../src/api/gateway/chat-body.ts";
import type { CallsToReserve, TenantPort } from "../../../src/api/ports/tenant-port.ts";
import { NO_LIMITS } from "../../../src/config/tenant-record.ts";
import { Settings } from "../../../src/config/settings.ts";
import type { TierDocument } from "../../../src/config/tiers.ts";
import type { LoadModels } from "../../../src/consumer/load-models.ts";
import { TokenMargins } from "../../../src/optimizer/tokens/token-margin.ts";
import { ROOT_KEY } from "../fake-ports.ts";
import { completion, createChatWorld, DOCUMENT, hang, refusal, type Upstream } from "./chat-world.ts";

const UNSURE = { id: "two", text: "Quux" };
const STEPS = [{ id: "one", text: "Send a message to Slack" }, UNSURE];
/** Steps whose words no pattern knows, each of its own. */
const many = (count: number) => Array.from({ length: count }, (_, index) => ({ id: String(index), text: `Quux ${"x".repeat(index + 1)}` }));
const filterAll: Upstream = ({ body }) => {
  const { messages } = body as ChatBody;
  const { steps } = JSON.parse(String(messages.at(-1)!.content)) as { steps: { number: number }[] };
  return completion(JSON.stringify({ items: steps.map(({ number }) => ({ number, intent: "filter", confidence: 0.9 })) }));
};

function createLoadModels(tiers: TierDocument["tiers"]): LoadModels {
  return async () => ({
    document: { ...DOCUMENT, tiers },
    isConfigured: (provider) => provider !== "unset",
    engine: () => Promise.reject(new Error("no engine here")),
    settings: Settings.parse({}),
    metrics: null,
    health: { observe: () => undefined, acquireProbe: async () => true, acquireRate: async () => true },
    failureRate: () => 0,
    margins: new TokenMargins(),
  });
}

/** The gateway's world, a way to classify, and the tenants that it was asked on behalf of. */
function createIntentWorld(upstream: Upstream, answer?: () => Awaited<ReturnType<TenantPort["reserveCalls"]>>) {
  const reserved: CallsToReserve[] = [];
  const tenants: string[] = [];
  const world = createChatWorld(upstream, {}, answer === undefined ? {} : {
    allowances: { read: async (tenant) => (tenants.push(tenant), { budget: { maxNanoUsd: 1e9, period: "month" }, limits: NO_LIMITS }), forget: () => undefined },
    tenant: (tenant) => ({ reserveCalls: async (request: CallsToReserve) => (tenants.push(tenant), reserved.push(request), answer()) }) as unknown as TenantPort,
  });
  const classify = async (steps: { id: string; text: string }[]) => {
    const response = await world.ask("POST", "/v1/intents", { steps });
    expect(response.status).toBe(200);
    return ((await response.json()) as { items: { id: string; intent: string; method: string }[] }).items;
  };
  return { ...world, classify, reserved, tenants };
}

describe("a step that patterns are unsure of", () => {
  test("is asked of the weakest tier's model, and its answer is kept", async () => {
    const { classify, calls } = createIntentWorld(filterAll);
    for (let round = 0; round < 2; round += 1) expect(await classify(STEPS)).toMatchObject([{ method: "pattern" }, { intent: "filter", method: "model" }]);
    expect(calls.map(({ body }) => [body["model"], body["max_tokens"]])).toEqual([["upstream-one", 1_000]]);
  });

  test("is entered into the tenant's ledger with what it cost", async () => {
    const { classify, entered, settled } = createIntentWorld(filterAll);
    await classify(many(21));
    await settled();
    // Two batches, of twenty steps and of one.
    expect(entered.map(({ taskType, failureCode }) => [taskType, failureCode])).toEqual([["simple_query", null], ["simple_query", null]]);
    expect(new Set(entered.map(({ id }) => id)).size).toBe(2);
    expect(entered.flatMap(({ calls }) => calls)).toMatchObject([{ model: "one", inputTokens: 100, outputTokens: 20, costNanoUsd: 140_000 }, { model: "one" }]);
  });

  test("is held from the tenant's budget at its worst before it is asked", async () => {
    const { classify, calls, entered, reserved, tenants, settled } = createIntentWorld(filterAll, () => ({ kind: "leased", leasedNanoUsd: 1e9, mostNanoUsd: 1e9, mayGrow: false }) as never);
    expect(await classify([UNSURE])).toMatchObject([{ method: "model" }]);
    await settled();
    const sent = { ...(calls[0]!.body as ChatBody), model: "one" };
    expect(reserved).toMatchObject([{ id: entered[0]!.id, neededNanoUsd: boundInputTokens(measureChat(sent), "openai-compatible") * 1_000 + 1_000 * 2_000 }]);
    expect(new Set(tenants)).toEqual(new Set(["default"]));
  });

  test("keeps its patterns' guess where the budget does not allow the question, which is asked once for all batches", async () => {
    const { classify, calls, entered, reserved, world, settled } = createIntentWorld(filterAll, () => ({ kind: "leased", leasedNanoUsd: 0, mostNanoUsd: 0, mayGrow: false }) as never);
    const items = await classify(many(400));
    await settled();
    expect(items.filter(({ method }) => method === "model")).toEqual([]);
    // As many as are under way at once; the other fifteen batches are not asked.
    expect([calls.length, entered.length, reserved.length]).toEqual([0, 0, 5]);
    expect(world.log).toContainEqual(expect.objectContaining({ event: "intents.failed", message: expect.stringContaining("used up") }));
  });

  test("keeps its patterns' guess where the budget cannot be read", async () => {
    const { classify, calls } = createIntentWorld(filterAll, () => {
      throw new Error("away");
    });
    expect(await classify([UNSURE])).toMatchObject([{ method: "fallback" }]);
    expect(calls).toEqual([]);
  });

  test("keeps its patterns' guess where the model is down, and the fault is logged", async () => {
    const { classify, calls, world } = createIntentWorld(() => refusal(500, "down"));
    expect(await classify(many(400))).toHaveLength(400);
    expect(calls).toHaveLength(5);
    expect(world.log).toContainEqual(expect.objectContaining({ event: "intents.failed" }));
  });

  test("is asked of the next tier's model where only the embedded engine is configured in the weak one", async () => {
    const loadModels = createLoadModels({ weak: ["offline"], base: ["gpt", "llama"], strong: ["claude"] });
    const { ask, calls } = createChatWorld(filterAll, {}, { loadModels });
    expect(await (await ask("POST", "/v1/intents", { steps: [UNSURE] })).json()).toMatchObject({ items: [{ method: "model" }] });
    expect(calls.map(({ body }) => [body["model"], body["max_completion_tokens"]])).toEqual([["gpt", 1_000]]);
  });

  test("is left to the patterns where nothing but the embedded engine is configured", async () => {
    const { ask, calls, entered } = createChatWorld(filterAll, {}, { loadModels: createLoadModels({ weak: ["offline"], base: [], strong: [] }) });
    expect(await (await ask("POST", "/v1/intents", { steps: [UNSURE] })).json()).toMatchObject({ items: [{ method: "fallback" }] });
    expect([calls, entered]).toEqual([[], []]);
  });
});

test("the question is hung up on when its client leaves", async () => {
  const { app, calls } = createIntentWorld(hang);
  const client = new AbortController();
  const asked = app.request("https://weft.test/v1/intents", { method: "POST", headers: { authorization: `Bearer ${ROOT_KEY}` }, body: JSON.stringify({ steps: [UNSURE] }), signal: client.signal });
  await expect.poll(() => calls.length).toBe(1);
  client.abort();
  await asked;
  expect(calls[0]!.signal!.aborted).toBe(true);
});

test("what one tenant asked is neither shown to another nor paid for by the first", async () => {
  const { ask, calls } = createIntentWorld(filterAll);
  await ask("POST", "/v1/tenants", { id: "acme" });
  for (const tenant of ["default", "acme", "default"]) {
    const response = await ask("POST", "/v1/intents", { steps: [UNSURE] }, { "x-tenant": tenant });
    expect(await response.json()).toMatchObject({ items: [{ method: "model" }] });
  }
  expect(calls).toHaveLength(2);
});
