import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import { type FakeLlm, type LlmFault, startFakeLlm } from "../fixtures/fake-llm.ts";
import { createRandom } from "../simulation/random.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, eventually, type PostedSpec, type WeftClient } from "./weft-client.ts";
import { billOf, highestExposure, markPrompt, matchLedger, nanoUsd, sumBills, sumLedger, taskOf, type Prices } from "./upstream-books.ts";

const WORKFLOWS = 5;
const TASKS = 60;
const GATEWAY_CALLS = 80;
const OUTPUT_TOKENS = 400;
const INPUT_TOKENS = 5;
const SETTLE_MS = 30_000;
const PRICES: Prices = { metered: { inputPerMillionUsd: 1.3333, outputPerMillionUsd: 7.7777 }, even: { inputPerMillionUsd: 0, outputPerMillionUsd: 10 }, broken: { inputPerMillionUsd: 1, outputPerMillionUsd: 5 } };

let llm: FakeLlm;
let worker: LocalWorker;
let operator: WeftClient;

beforeAll(async () => {
  llm = await startFakeLlm();
  const random = createRandom(3);
  llm.answerWith(async (call) => {
    await pause(random.between(1, 40));
    return { text: "counted", inputTokens: INPUT_TOKENS, outputTokens: random.between(1, call.maxTokens ?? 1) };
  }, "metered");
  llm.answerWith(async (call) => {
    if (call.prompt.includes("slowly")) await pause(3_000);
    return { text: "even", inputTokens: INPUT_TOKENS, outputTokens: call.maxTokens ?? 0 };
  }, "even");
  llm.answerWith((call) => ({ text: "broken off in the middle ".repeat(20), inputTokens: INPUT_TOKENS, outputTokens: call.maxTokens ?? 0 }), "broken");
  worker = await startWorker();
  operator = createWeftClient(worker);
  const answer = await operator.call("PUT", "/v1/tiers", { body: tiersOf(llm.baseUrl) });
  expect(answer.status, answer.text).toBe(200);
});

afterAll(async () => {
  await worker.stop();
  await llm.close();
});

function tiersOf(baseUrl: string): TierDocument {
  const model = (id: string) => ({ id, provider: "compatible", tier: "weak" as const, price: PRICES[id]!, contextWindow: 100_000, maxOutputTokens: 4_096, capabilities: [] });
  return {
    providers: [{ id: "compatible", kind: "openai-compatible", baseUrl }, { id: "offline", kind: "offline" }],
    models: [model("metered"), model("even"), model("broken"), { ...model("even"), id: "offline", provider: "offline", price: { inputPerMillionUsd: 0, outputPerMillionUsd: 0 } }],
    tiers: { weak: ["metered", "even", "broken"], base: ["offline"], strong: ["offline"] },
  };
}

interface Spend {
  spend: { usd: number; reservedUsd: number };
}

interface Tenant {
  key: string;
  client: WeftClient;
  /** What the operator sees it spend. */
  spend: () => Promise<Spend["spend"]>;
}

async function makeTenant(id: string, maxUsd: number): Promise<Tenant> {
  expect((await operator.call("POST", "/v1/tenants", { body: { id, budget: { maxUsd, period: "day" } } })).status).toBe(201);
  const { body } = await operator.call<{ key: string }>("POST", `/v1/tenants/${id}/keys`, { body: {} });
  const client = createWeftClient({ origin: worker.origin, rootKey: body.key });
  await client.putAgent("writer", { kind: "llm", system: "Write.", maxOutputTokens: OUTPUT_TOKENS });
  return { key: body.key, client, spend: async () => (await operator.call<Spend>("GET", `/v1/tenants/${id}`)).body.spend };
}

function specOf(name: string, count: number, fields: Partial<PostedSpec["tasks"][number]>, rest = ""): PostedSpec {
  return { name, onFailure: "continue", maxConcurrency: 10, tasks: Array.from({ length: count }, (_, number) => ({ id: `${name}_${number}`, agent: "writer", retry: { maxAttempts: 1 }, input: markPrompt(`${name}_${number}`, rest), ...fields })) };
}

const servedOf = (story: string) => llm.served.filter(({ call }) => taskOf(call).startsWith(`${story}_`));
const evenBill = (outputTokens = OUTPUT_TOKENS) => billOf({ model: "even", inputTokens: INPUT_TOKENS, cachedTokens: 0, outputTokens, reasoningTokens: 0 }, PRICES);

/** Calls of the gateway, four at a time. What was paid for those that were answered, and how often the budget refused one. */
async function callGateway(client: WeftClient, story: string): Promise<{ paidNanoUsd: number; answered: number; refused: number }> {
  const sums = { paidNanoUsd: 0, answered: 0, refused: 0 };
  let next = 0;
  const callOnAndOn = async (): Promise<void> => {
    for (let number = next++; number < GATEWAY_CALLS; number = next++) {
      const body = { model: "metered", max_tokens: OUTPUT_TOKENS, messages: [{ role: "user", content: markPrompt(`${story}_gate_${number}`).prompt }] };
      const answer = await client.call<{ error?: { code?: string; type?: string } }>("POST", "/v1/chat/completions", { body });
      if (answer.status === 200) {
        sums.answered += 1;
        sums.paidNanoUsd += nanoUsd(Number(answer.headers.get("x-cost-usd")));
      } else {
        expect([answer.status, answer.body.error?.code ?? answer.body.error?.type]).toEqual([429, "insufficient_quota"]);
        sums.refused += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: 4 }, callOnAndOn));
  return sums;
}

/** Looks at what a tenant spends and holds until told to stop. The most that was ever seen. */
function watchSpend(tenant: Tenant): () => Promise<number> {
  let isOver = false;
  const watching = (async () => {
    let highest = 0;
    while (!isOver) {
      const { usd, reservedUsd } = await tenant.spend();
      highest = Math.max(highest, nanoUsd(usd) + nanoUsd(reservedUsd));
      await pause(50);
    }
    return highest;
  })();
  return () => {
    isOver = true;
    return watching;
  };
}

describe.concurrent("a tenant's budget", () => {
  test("holds over its workflows and its calls of the gateway together, and ends with what the provider billed", async () => {
    const maxUsd = 0.4;
    const tenant = await makeTenant("shared", maxUsd);
    const stop = watchSpend(tenant);
    const names = Array.from({ length: WORKFLOWS }, (_, number) => `shared_${number}`);
    const [gateway, ...workflows] = await Promise.all([callGateway(tenant.client, "shared"), ...names.map((name) => tenant.client.run(specOf(name, TASKS, { model: "metered" })))]);
    await eventually(async () => expect((await tenant.spend()).reservedUsd).toBe(0), SETTLE_MS);
    const { usd } = await tenant.spend();
    const highest = await stop();
    const served = servedOf("shared");
    const ledger = (await Promise.all(workflows.map(({ id }) => tenant.client.ledger(id)))).flat();
    const codes = Map.groupBy(workflows.flatMap(({ tasks }) => Object.values(tasks!)), (task): string => task.error?.code ?? task.status);
    process.stdout.write(`a tenant's $${maxUsd}: ${[...codes].map(([code, { length }]) => `${length} ${code}`).join(", ")}; ${gateway.answered} calls of the gateway, ${gateway.refused} refused; at most $${highest / 1e9} spent and held, $${usd} spent\n`);

    expect(highest).toBeLessThanOrEqual(nanoUsd(maxUsd));
    expect(highestExposure(served, PRICES).nanoUsd).toBeLessThanOrEqual(nanoUsd(maxUsd));
    expect(matchLedger(ledger, served.filter(({ call }) => !taskOf(call).includes("_gate_")), PRICES)).toMatchObject({ invented: [], missing: [], unmade: [], covered: 0 });
    expect(nanoUsd(usd)).toBe(sumBills(served, PRICES).nanoUsd);
    expect(nanoUsd(usd)).toBe(sumLedger(ledger).nanoUsd + gateway.paidNanoUsd);
    expect(nanoUsd(usd)).toBe(sumLedger(await tenant.client.tenantLedger()).nanoUsd);
    expect([...codes.keys()].sort()).toEqual(["budget_exhausted", "completed"]);
    expect(gateway.refused).toBeGreaterThan(0);
    // Hardly anything is left that could have bought an answer: of the last ones, each took what remained.
    expect(nanoUsd(maxUsd) - nanoUsd(usd)).toBeLessThan(nanoUsd(maxUsd) / 20);
  });

  test("is never below what the provider served of calls of the gateway that broke, were lost, or were left", async () => {
    const tenant = await makeTenant("faulty", 1);
    const faults: [string, LlmFault | undefined, boolean][] = [
      ["dropped", { kind: "drop" }, false],
      ["dropped-stream", { kind: "drop" }, true],
      ["cut", { kind: "cut", afterDeltas: 1 }, false],
      ["cut-stream", { kind: "cut", afterDeltas: 1 }, true],
      ["stopped", { kind: "stop", afterDeltas: 1 }, true],
      ["left", undefined, true],
      ["whole", undefined, true],
    ];
    llm.faultWhen("broken", (call) => faults.find(([name]) => taskOf(call) === `faulty_${name}`)?.[1]);
    await Promise.all(faults.map(async ([name, , stream]) => {
      const leaving = new AbortController();
      const body = JSON.stringify({ model: "broken", stream, max_tokens: OUTPUT_TOKENS, messages: [{ role: "user", content: markPrompt(`faulty_${name}`).prompt }] });
      const answer = await fetch(`${worker.origin}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${tenant.key}` }, body, signal: leaving.signal });
      if (name !== "left") return answer.text().catch(() => "");
      await answer.body!.getReader().read();
      leaving.abort();
    }));
    await eventually(async () => {
      expect(servedOf("faulty")).toHaveLength(faults.length);
      expect((await tenant.spend()).reservedUsd).toBe(0);
      expect(await tenant.client.tenantLedger()).toHaveLength(faults.length);
    }, SETTLE_MS);
    const ledger = await tenant.client.tenantLedger();
    expect(ledger.filter(({ estimated }) => !estimated)).toHaveLength(1);
    const costs = ledger.map(({ costUsd }) => nanoUsd(costUsd)).toSorted((left, right) => left - right);
    const bills = servedOf("faulty").map((call) => billOf(call, PRICES)).toSorted((left, right) => left - right);
    costs.forEach((cost, index) => expect(cost).toBeGreaterThanOrEqual(bills[index]!));
    expect(nanoUsd((await tenant.spend()).usd)).toBe(costs.reduce((sum, cost) => sum + cost, 0));
  });

  test("that one workflow has leased and does not need goes to the next, while it runs and after", async () => {
    const tenant = await makeTenant("flowing", (6 * evenBill()) / 1e9);
    // Its lease is half of the budget and more than it needs; it holds that for three seconds.
    const slow = await tenant.client.create(specOf("slow", 1, { model: "even", maxOutputTokens: OUTPUT_TOKENS }, "slowly"));
    await eventually(() => expect(llm.calls.some((call) => taskOf(call) === "slow_0")).toBe(true));
    expect(await tenant.spend()).toMatchObject({ usd: 0 });
    const beside = await tenant.client.run(specOf("beside", 5, { model: "even", maxOutputTokens: OUTPUT_TOKENS }));
    expect(beside).toMatchObject({ status: "completed", progress: { completed: 5 } });
    expect((await tenant.client.get(slow.id)).status).toBe("running");
    const refused = await tenant.client.run(specOf("refused", 1, { model: "even", maxOutputTokens: OUTPUT_TOKENS }));
    expect(refused).toMatchObject({ status: "failed", error: { code: "budget_exhausted" } });
    expect((await tenant.client.finish(slow.id)).status).toBe("completed");
    await eventually(async () => expect(await tenant.spend()).toMatchObject({ usd: (6 * evenBill()) / 1e9, reservedUsd: 0 }), SETTLE_MS);
  });

  test("that was used up lets calls through again once it is raised, for workflows and the gateway", async () => {
    const tenant = await makeTenant("raised", (2.5 * evenBill()) / 1e9);
    const ask = () => tenant.client.call("POST", "/v1/chat/completions", { body: { model: "even", max_tokens: OUTPUT_TOKENS, messages: [{ role: "user", content: "<<raised_gate>>" }] } });
    const run = (name: string) => tenant.client.run(specOf(name, 2, { model: "even", maxOutputTokens: OUTPUT_TOKENS }));
    expect((await run("raised_1")).status).toBe("completed");
    const [second, refused] = await Promise.all([run("raised_2"), ask()]);
    expect([second.error?.code, refused.status]).toEqual(["budget_exhausted", 429]);
    expect((await operator.call("PATCH", "/v1/tenants/raised", { body: { budget: { maxUsd: 1 } } })).status).toBe(200);
    expect([(await run("raised_3")).status, (await ask()).status]).toEqual(["completed", 200]);
  });

  test("binds nobody else", async () => {
    await makeTenant("poor", 0);
    const other = await makeTenant("rich", 1);
    expect((await other.client.run(specOf("rich", 3, { model: "even", maxOutputTokens: OUTPUT_TOKENS }))).status).toBe("completed");
    await operator.putAgent("writer", { kind: "llm", maxOutputTokens: OUTPUT_TOKENS });
    expect((await operator.run(specOf("free", 3, { model: "even", maxOutputTokens: OUTPUT_TOKENS }))).status).toBe("completed");
  });
});
