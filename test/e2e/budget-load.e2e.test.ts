import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LocalWorker, startLocalWorker } from "../../scripts/local-worker.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import { type FakeLlm, type LlmAnswer, type LlmCall, type LlmFault, startFakeLlm } from "../fixtures/fake-llm.ts";
import { createRandom } from "../simulation/random.ts";
import { createWeftClient, eventually, type PostedSpec, type WeftClient } from "./weft-client.ts";
import { highestExposure, markPrompt, matchLedger, nanoUsd, replayBudget, sumBills, sumLedger, taskOf, type Prices } from "./upstream-books.ts";

const TASKS = 1_000;
const CONCURRENCY = 50;
/** Far above what a late report or the grace of a lost attempt needs. */
const SETTLE_MS = 60_000;

/**
 * Leases that end about when they are renewed: attempts are often taken for lost and repeated while their calls go on, so that reports
 * are late and tasks are answered twice.
 */
const SETTINGS = { dispatch: { leaseMs: 250, renewEveryMs: 249, claimLeaseMs: 4_000 }, routing: { circuitFirstTokenMs: 3_000, circuitFailureRate: 1, circuitConsecutiveFailures: 1_000 } };

const PRICES: Prices = {
  meter: { inputPerMillionUsd: 0.3333, cachedInputPerMillionUsd: 0.1111, outputPerMillionUsd: 2.7777, reasoningPerMillionUsd: 3.1313 },
  gauge: { inputPerMillionUsd: 1.2345, cachedInputPerMillionUsd: 0.4321, outputPerMillionUsd: 4.4444 },
};
const WORDS = "the lamp keeper counts every ship that passes the reef before the fog comes in from the north ";

let llm: FakeLlm;
let worker: LocalWorker;
let client: WeftClient;

beforeAll(async () => {
  llm = await startFakeLlm();
  for (const [index, model] of Object.keys(PRICES).entries()) {
    const random = createRandom(7, index);
    llm.answerWith((call) => answerAtRandom(call, random), model);
    llm.faultWhen(model, () => chooseFault(random));
  }
  worker = await startLocalWorker({ vars: { SETTINGS: JSON.stringify(SETTINGS) } });
  client = createWeftClient(worker);
  const answer = await client.call("PUT", "/v1/tiers", { body: tiersOf(llm.baseUrl) });
  expect(answer.status, answer.text).toBe(200);
  await client.putAgent("metered", { kind: "llm", system: "Answer.", taskType: "file_scan", maxOutputTokens: 300 });
});

afterAll(async () => {
  await worker.stop();
  await llm.close();
});

function tiersOf(baseUrl: string): TierDocument {
  const common = { contextWindow: 100_000, maxOutputTokens: 4_096, capabilities: [] };
  return {
    providers: [{ id: "compatible", kind: "openai-compatible", baseUrl }, { id: "claude", kind: "anthropic", baseUrl }, { id: "offline", kind: "offline" }],
    models: [
      { ...common, id: "meter", provider: "compatible", tier: "weak", price: PRICES["meter"]! },
      { ...common, id: "gauge", provider: "claude", tier: "weak", price: PRICES["gauge"]! },
      { ...common, id: "offline", provider: "offline", tier: "base", price: { inputPerMillionUsd: 0, outputPerMillionUsd: 0 } },
    ],
    tiers: { weak: ["meter", "gauge"], base: ["offline"], strong: ["offline"] },
  };
}

/** Whatever a provider may count: up to its estimate of the input, some of it cached, and up to the cap. */
async function answerAtRandom(call: LlmCall, random: ReturnType<typeof createRandom>): Promise<LlmAnswer> {
  const inputTokens = random.between(1, Math.floor(call.prompt.length / 4));
  const outputTokens = random.between(1, call.maxTokens ?? 1);
  const reasoningTokens = call.format === "openai" ? random.between(0, Math.floor(outputTokens / 2)) : 0;
  await pause(random.chance(0.1) ? random.between(250, 1_000) : random.between(1, 60));
  return { text: "counted and written down", inputTokens, cachedTokens: random.between(0, inputTokens), outputTokens, reasoningTokens };
}

function chooseFault(random: ReturnType<typeof createRandom>): LlmFault | undefined {
  const faults: [number, LlmFault][] = [
    [0.02, { kind: "status", status: 429, retryAfter: "0" }],
    [0.02, { kind: "status", status: 500 }],
    [0.01, { kind: "cut", afterDeltas: random.between(0, 1) }],
    [0.01, { kind: "stop", afterDeltas: random.between(0, 1) }],
    [0.005, { kind: "hang", afterDeltas: random.between(-1, 1) }],
    [0.01, { kind: "empty" }],
  ];
  return faults.find(([chance]) => random.chance(chance))?.[1];
}

function specOf(name: string, budget: PostedSpec["budget"]): PostedSpec {
  const random = createRandom(11, name.length);
  const taskOfNumber = (number: number): PostedSpec["tasks"][number] => ({
    id: `${name}_${number}`,
    agent: "metered",
    timeoutMs: 5_000,
    retry: { initialMs: 20, maxMs: 200 },
    ...(random.chance(0.3) ? { model: random.pick(["meter", "gauge"]) } : {}),
    input: markPrompt(`${name}_${number}`, WORDS.repeat(random.between(1, 5))),
  });
  return { name, maxConcurrency: CONCURRENCY, onFailure: "continue", budget, tasks: Array.from({ length: TASKS }, (_, number) => taskOfNumber(number)) };
}

describe.concurrent.each<[string, { maxUsd?: number; maxTokens?: number }]>([
  ["dollars", { maxUsd: 0.33 }],
  ["tokens", { maxTokens: 120_000 }],
])(`${TASKS} tasks of random usage, ${CONCURRENCY} at once, with a cap of %s in the middle of the run`, (name, budget) => {
  test("never have more spent and held than the cap, and end with the provider's own record in the ledger", async () => {
    const { id } = await client.create(specOf(name, budget));
    const startedAt = performance.now();
    let workflow = await client.finish(id);
    for (let waits = 0; workflow.finishedAt === null && waits < 3; waits += 1) workflow = await client.finish(id);
    const tookMs = performance.now() - startedAt;
    const tasks = Object.values(workflow.tasks!);
    const codes = Map.groupBy(tasks, (task) => task.error?.code ?? task.status);
    expect(workflow).toMatchObject({ status: "failed", progress: { total: TASKS, running: 0 } });
    await eventually(async () => expect((await client.get(id, "?tasks=none")).budget).toMatchObject({ reservedUsd: 0, reservedTokens: 0 }), SETTLE_MS);
    const served = llm.served.filter(({ call }) => taskOf(call).startsWith(`${name}_`));
    const [ledger, events, ended] = await Promise.all([client.ledger(id), client.events(id), client.get(id, "?tasks=none")]);
    const cap = { nanoUsd: budget.maxUsd === undefined ? Infinity : nanoUsd(budget.maxUsd), tokens: budget.maxTokens ?? Infinity };

    const { highest, isWhole, last } = replayBudget(events);
    const exposure = highestExposure(served, PRICES);
    const match = matchLedger(ledger, served, PRICES);
    const late = ledger.filter((line) => line.late).length;
    const sums = sumLedger(ledger);
    const dollars = (nano: number): string => `$${(nano / 1e9).toFixed(6)}`;
    process.stdout.write(`cap in ${name}: ${TASKS} tasks over in ${Math.round(tookMs)} ms: ${[...codes].map(([code, { length }]) => `${length} ${code}`).join(", ")}; at most ${dollars(highest.nanoUsd)} and ${highest.tokens} tokens spent and held, ${dollars(sums.nanoUsd)} and ${sums.tokens} spent; ${match.exact} calls billed, ${match.covered} estimated, ${late} late\n`);
    expect(isWhole).toBe(true);
    for (const unit of ["nanoUsd", "tokens"] as const) {
      expect(highest[unit]).toBeLessThanOrEqual(cap[unit]);
      expect(exposure[unit]).toBeLessThanOrEqual(cap[unit]);
    }
    expect(match).toMatchObject({ invented: [], missing: [], unmade: [] });
    expect([nanoUsd(ended.budget.spentUsd), ended.budget.spentTokens]).toEqual([sums.nanoUsd, sums.tokens]);
    expect([nanoUsd(ended.usage.costUsd), ended.usage.inputTokens + ended.usage.outputTokens]).toEqual([sums.nanoUsd, sums.tokens]);
    expect(last).toEqual({ spentUsd: ended.budget.spentUsd, reservedUsd: 0, spentTokens: sums.tokens, reservedTokens: 0 });
    expect(late).toBeGreaterThan(0);
    expect(codes.get("completed")!.length).toBeGreaterThan(TASKS / 10);
    expect(codes.get("budget_exhausted")!.length).toBeGreaterThan(TASKS / 10);
  });
});
