import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { TierDocument } from "../../src/config/tiers.ts";
import { type FakeLlm, type LlmAnswer, type LlmCall, type LlmFault, startFakeLlm } from "../fixtures/fake-llm.ts";
import { createRandom } from "../simulation/random.ts";
import { startWorker } from "./start-worker.ts";
import { createWeftClient, eventually, type PostedSpec, type WeftClient } from "./weft-client.ts";
import { highestExposure, markPrompt, matchLedger, nanoUsd, replayBudget, sumBills, sumLedger, taskOf, type Match, type Prices } from "./upstream-books.ts";

const TASKS = 1_000;
const CONCURRENCY = 50;
/** Calls served before each kill of the runtime. */
const KILL_AFTER = [60, 180];
/** Far above what a late report or the grace of a lost attempt needs. */
const SETTLE_MS = 60_000;

/**
 * Leases that end about when they are renewed: attempts are often taken for lost and repeated while their calls go on, so that reports
 * are late and tasks are answered twice.
 */
const SETTINGS = { dispatch: { leaseMs: 500, renewEveryMs: 499, claimLeaseMs: 4_000 }, routing: { circuitFirstTokenMs: 3_000, circuitFailureRate: 1, circuitConsecutiveFailures: 1_000 } };

const PRICES: Prices = {
  meter: { inputPerMillionUsd: 0.3333, cachedInputPerMillionUsd: 0.1111, outputPerMillionUsd: 2.7777, reasoningPerMillionUsd: 3.1313 },
  gauge: { inputPerMillionUsd: 1.2345, cachedInputPerMillionUsd: 0.4321, outputPerMillionUsd: 4.4444 },
};
const WORDS = "the lamp keeper counts every ship that passes the reef before the fog comes in from the north ";

interface Caps {
  maxUsd?: number;
  maxTokens?: number;
}

let llm: FakeLlm;
let stateFolder: string;
let worker: LocalWorker;
let client: WeftClient;

beforeAll(async () => {
  stateFolder = await mkdtemp(join(tmpdir(), "weft-budget-"));
  llm = await startFakeLlm();
  for (const [index, model] of Object.keys(PRICES).entries()) {
    const random = createRandom(7, index);
    llm.answerWith((call) => answerAtRandom(call, random), model);
    llm.faultWhen(model, (call) => (taskOf(call).startsWith("silent_") ? { kind: "hang", afterDeltas: -1 } : chooseFault(random)));
  }
  worker = await startWorker({ vars: { SETTINGS: JSON.stringify(SETTINGS) } });
  client = createWeftClient(worker);
  await prepare(client);
});

afterAll(async () => {
  await worker.stop();
  await llm.close();
  await rm(stateFolder, { recursive: true, force: true });
});

async function prepare(to: WeftClient): Promise<void> {
  const answer = await to.call("PUT", "/v1/tiers", { body: tiersOf(llm.baseUrl) });
  expect(answer.status, answer.text).toBe(200);
  await to.putAgent("metered", { kind: "llm", system: "Answer.", taskType: "file_scan", maxOutputTokens: 300 });
}

function countServed(name: string): number {
  return llm.served.filter(({ call }) => taskOf(call).startsWith(`${name}_`)).length;
}

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
  await pause(random.chance(0.1) ? random.between(500, 1_500) : random.between(1, 60));
  return { text: "counted and written down", inputTokens, cachedTokens: random.between(0, inputTokens), outputTokens, reasoningTokens };
}

function chooseFault(random: ReturnType<typeof createRandom>): LlmFault | undefined {
  const faults: [number, LlmFault][] = [
    [0.02, { kind: "status", status: 429, retryAfter: "0" }],
    [0.02, { kind: "status", status: 500 }],
    [0.01, { kind: "cut", afterDeltas: random.between(0, 1) }],
    [0.01, { kind: "stop", afterDeltas: random.between(0, 1) }],
    [0.01, { kind: "drop" }],
    [0.005, { kind: "hang", afterDeltas: random.between(-1, 1) }],
    [0.01, { kind: "empty" }],
  ];
  return faults.find(([chance]) => random.chance(chance))?.[1];
}

function specOf(name: string, budget: Caps): PostedSpec {
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

/** Everything that must hold of an ended run, by its log, its ledger and the provider's record. Answers a line of figures. */
async function checkBooks(client: WeftClient, id: string, name: string, budget: Caps): Promise<{ match: Match; late: number; figures: string }> {
  await eventually(async () => expect((await client.get(id, "?tasks=none")).budget).toMatchObject({ reservedUsd: 0, reservedTokens: 0 }), SETTLE_MS);
  const [ledger, events, workflow] = await Promise.all([client.ledger(id), client.events(id), client.get(id)]);
  const served = llm.served.filter(({ call }) => taskOf(call).startsWith(`${name}_`));
  const cap = { nanoUsd: budget.maxUsd === undefined ? Infinity : nanoUsd(budget.maxUsd), tokens: budget.maxTokens ?? Infinity };
  const { highest, isWhole, last } = replayBudget(events);
  const exposure = highestExposure(served, PRICES);
  const [sums, bills, match] = [sumLedger(ledger), sumBills(served, PRICES), matchLedger(ledger, served, PRICES)];
  expect(isWhole).toBe(true);
  for (const unit of ["nanoUsd", "tokens"] as const) {
    expect(highest[unit], "by the event log").toBeLessThanOrEqual(cap[unit]);
    expect(exposure[unit], "as the provider saw it").toBeLessThanOrEqual(cap[unit]);
    expect(sums[unit]).toBeGreaterThanOrEqual(bills[unit]);
  }
  expect(match).toMatchObject({ invented: [], missing: [] });
  const { budget: view, usage } = workflow;
  expect([nanoUsd(view.spentUsd), view.spentTokens]).toEqual([sums.nanoUsd, sums.tokens]);
  expect([nanoUsd(usage.costUsd), usage.inputTokens + usage.outputTokens]).toEqual([sums.nanoUsd, sums.tokens]);
  expect(last).toEqual({ spentUsd: view.spentUsd, reservedUsd: 0, spentTokens: sums.tokens, reservedTokens: 0 });

  const codes = Map.groupBy(Object.values(workflow.tasks!), (task): string => task.error?.code ?? task.status);
  for (const code of ["completed", "budget_exhausted"]) expect(codes.get(code)?.length ?? 0, `${code}: the cap lies in the middle of the run`).toBeGreaterThan(TASKS / 20);
  const late = ledger.filter((line) => line.late).length;
  const dollars = (nano: number): string => `$${(nano / 1e9).toFixed(6)}`;
  const ends = [...codes].map(([code, { length }]) => `${length} ${code}`).join(", ");
  const figures = `${ends}; at most ${dollars(highest.nanoUsd)} and ${highest.tokens} tokens spent and held, ${dollars(sums.nanoUsd)} and ${sums.tokens} spent, ${dollars(bills.nanoUsd)} and ${bills.tokens} served; ${match.exact} calls billed, ${match.covered} estimated, ${match.unmade.length} estimated that were never made, ${late} late`;
  return { match, late, figures };
}

/** However long it takes. */
async function finish(client: WeftClient, id: string): Promise<void> {
  while ((await client.finish(id)).finishedAt === null) process.stdout.write(`${id} still runs\n`);
}

describe.concurrent(`${TASKS} tasks of random usage, ${CONCURRENCY} at once, and a cap in the middle of the run`, () => {
  test.each<[string, Caps]>([
    ["dollars", { maxUsd: 0.33 }],
    ["tokens", { maxTokens: 120_000 }],
  ])("never have more spent and held than the cap in %s, and leave the provider's own record in the ledger", async (name, budget) => {
    const { id } = await client.create(specOf(name, budget));
    const startedAt = performance.now();
    await finish(client, id);
    const tookMs = performance.now() - startedAt;
    const { match, late, figures } = await checkBooks(client, id, name, budget);
    expect(match.unmade).toEqual([]);
    expect(late).toBeGreaterThan(0);
    process.stdout.write(`cap in ${name}: over in ${Math.round(tookMs)} ms: ${figures}\n`);
  });

  test("over two kills of the runtime never pass the cap, and leave a ledger that equals every answer that arrived and is never below the provider's record", async () => {
    const [name, budget] = ["killed", { maxUsd: 0.33 }];
    let killed = await startWorker({ persistTo: stateFolder });
    const { port, rootKey } = killed;
    try {
      await prepare(createWeftClient(killed));
      const { id } = await createWeftClient(killed).create(specOf(name, budget));
      for (const servedBefore of KILL_AFTER) {
        await eventually(() => expect(countServed(name)).toBeGreaterThanOrEqual(servedBefore), SETTLE_MS);
        await killed.kill("SIGKILL");
        // Nothing is left to stop, only its scratch folder to remove; the state is not in it.
        await killed.stop();
        killed = await startWorker({ persistTo: stateFolder, port, vars: { ROOT_KEY: rootKey } });
      }
      const client = createWeftClient(killed);
      await finish(client, id);
      const { match, figures } = await checkBooks(client, id, name, budget);
      expect(match.covered).toBeGreaterThan(0);
      process.stdout.write(`killed twice: ${figures}\n`);
    } finally {
      await killed.stop();
    }
  });
});

test.concurrent("a cancelled workflow holds what a call that is never answered may cost until its lease and the grace are over, then counts it in full", async () => {
  const tasks = ["silent_0", "silent_1"].map((id) => ({ id, agent: "metered", model: "gauge", input: markPrompt(id) }));
  const { id } = await client.create({ budget: { maxUsd: 1 }, tasks });
  const servedNow = () => llm.served.filter(({ call }) => taskOf(call).startsWith("silent_"));
  await eventually(() => expect(servedNow().length).toBeGreaterThanOrEqual(2));
  await client.call("POST", `/v1/workflows/${id}/cancel`);
  const { budget } = await client.get(id);
  expect([budget.reservedUsd > 0, budget.spentUsd]).toEqual([true, 0]);
  await eventually(async () => expect((await client.get(id)).budget.reservedUsd).toBe(0), SETTLE_MS);
  const after = await client.get(id);
  expect(nanoUsd(after.budget.spentUsd)).toBe(nanoUsd(budget.reservedUsd));
  expect(matchLedger(await client.ledger(id), servedNow(), PRICES)).toMatchObject({ exact: 0, invented: [], missing: [] });
});
