import { afterAll, beforeAll, expect, test } from "vitest";
import type { LocalWorker } from "../../scripts/local-worker.ts";
import type { ModelEntry, TierDocument } from "../../src/config/tiers.ts";
import { type MoodyProvider, startMoodyProvider } from "../fixtures/moody-provider.ts";
import { startWorker } from "./start-worker.ts";

const CLIENTS = 1_000;
/** Calls after both circuits have opened, of which next to none may reach the sick providers. */
const CALLS_AFTERWARDS = 1_500;
/** A provider that hangs is known after this. A healthy one must begin its answer earlier, also with a thousand calls in one queue before it. */
const FIRST_TOKEN_MS = 6_000;

let worker: LocalWorker;
let limited: MoodyProvider;
let hanging: MoodyProvider;
let healthy: MoodyProvider;

beforeAll(async () => {
  [limited, hanging, healthy] = await Promise.all([startMoodyProvider("limited"), startMoodyProvider("hanging"), startMoodyProvider("healthy")]);
  worker = await startWorker({ vars: { LOG_LEVEL: "warn", SETTINGS: JSON.stringify({ routing: { circuitFirstTokenMs: FIRST_TOKEN_MS, circuitMaxCooldownMs: 4_000 } }) } });
  const answer = await ask("PUT", "/v1/tiers", tiersOf());
  expect(answer.status, answer.text).toBe(200);
});

afterAll(async () => {
  await worker.stop();
  await Promise.all([limited, hanging, healthy].map((provider) => provider.close()));
});

/** The sick ones stand first in the tier, and cost no more: only their circuits keep calls away from them. */
function tiersOf(): TierDocument {
  const price = { inputPerMillionUsd: 1, outputPerMillionUsd: 2 };
  const model = (id: string, tier: ModelEntry["tier"] = "weak"): ModelEntry => ({ id, provider: id, tier, price, contextWindow: 100_000, maxOutputTokens: 4_096, capabilities: [] });
  return {
    providers: [
      { id: "limited", kind: "openai-compatible", baseUrl: limited.baseUrl },
      { id: "hanging", kind: "openai-compatible", baseUrl: hanging.baseUrl },
      { id: "healthy", kind: "openai-compatible", baseUrl: healthy.baseUrl },
    ],
    models: [model("limited"), model("hanging"), model("healthy"), { ...model("spare-base", "base"), provider: "healthy" }, { ...model("spare-strong", "strong"), provider: "healthy" }],
    tiers: { weak: ["limited", "hanging", "healthy"], base: ["spare-base"], strong: ["spare-strong"] },
  };
}

async function ask(method: string, path: string, body?: object): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(`${worker.origin}${path}`, { method, headers: { authorization: `Bearer ${worker.rootKey}` }, body: body === undefined ? null : JSON.stringify(body) });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const QUESTION = { max_tokens: 5, messages: [{ role: "user", content: "Where is it?" }] };

async function readCircuits(): Promise<Record<string, string>> {
  const { items } = JSON.parse((await ask("GET", "/v1/metrics/models")).text) as { items: { model: string; circuit: string | { state: string } }[] };
  return Object.fromEntries(items.map(({ model, circuit }) => [model, typeof circuit === "string" ? circuit : circuit.state]));
}

test("a thousand calls at once over three providers, one that refuses every second call and one that hangs: every call is answered, circuits open and close", async () => {
  const statuses = new Map<number, number>();
  let asked = 0;
  const call = async (model: string): Promise<number> => {
    asked += 1;
    return (await ask("POST", "/v1/chat/completions", { model, ...QUESTION })).status;
  };
  const recover = async (id: string, model: string): Promise<boolean> => {
    await Promise.all(Array.from({ length: 20 }, () => call(model)));
    return (await readCircuits())[id] === "closed";
  };
  const hasOpened = async (): Promise<boolean> => {
    const circuits = await readCircuits();
    return [circuits["limited"], circuits["hanging"]].every((state) => state === "open" || state === "half-open");
  };

  const startedAt = Date.now();
  let openedAt = Infinity;
  let left = CALLS_AFTERWARDS;
  const load = Array.from({ length: CLIENTS }, async () => {
    while (left > 0) {
      if (openedAt < Infinity) left -= 1;
      const status = await call("tier:weak");
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  });
  await expect.poll(hasOpened, { timeout: 60_000, interval: 100 }).toBe(true).finally(() => (openedAt = Date.now()));
  await Promise.all(load);
  expect(Object.fromEntries(statuses)).toEqual({ 200: asked });

  const late = (provider: MoodyProvider): number => provider.calls.filter((at) => at > openedAt).length;
  const total = late(limited) + late(hanging) + late(healthy);
  const shares = { limited: late(limited) / total, hanging: late(hanging) / total };
  console.log(`${asked} calls in ${Date.now() - startedAt} ms; reached the provider that refuses: ${limited.calls.length}, that hangs: ${hanging.calls.length}, that is healthy: ${healthy.calls.length}; shares once their circuits had opened, after ${openedAt - startedAt} ms: ${JSON.stringify(shares)}`);
  expect(shares.limited).toBeLessThan(0.05);
  expect(shares.hanging).toBeLessThan(0.05);
  expect(await readCircuits()).toMatchObject({ limited: expect.stringMatching(/open/), hanging: expect.stringMatching(/open/), healthy: "closed" });

  limited.setMood("healthy");
  hanging.setMood("healthy");
  // The first of the tier is tried again by the calls of the tier. Then it takes them all, so the second is asked by its name.
  await expect.poll(() => recover("limited", "tier:weak"), { timeout: 60_000, interval: 200 }).toBe(true);
  await expect.poll(() => recover("hanging", "hanging"), { timeout: 60_000, interval: 200 }).toBe(true);
  // Every request is in the tenant's sums, once, whoever answered it.
  await expect.poll(async () => (JSON.parse((await ask("GET", "/v1/stats")).text) as { routes: number }).routes, { timeout: 60_000 }).toBe(asked);
});
