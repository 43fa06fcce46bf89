import { env, exports } from "cloudflare:workers";
import { createScheduledController, evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { expect, test } from "vitest";
import type { MetricsPort } from "../../src/consumer/metrics-port.ts";
import type { EvidencePort } from "../../src/consumer/run-reoptimization.ts";
import worker from "../../src/worker.ts";
import type { CallObservation } from "../../src/router/metrics/model-metrics.ts";

type Metrics = DurableObjectStub & MetricsPort & EvidencePort;

const metrics = env.METRICS.getByName("anthropic") as unknown as Metrics;

const ask = async (method: string, path: string, body?: unknown) => {
  const response = await exports.default.fetch(`https://weft.test${path}`, { method, headers: { authorization: "Bearer root-key-of-tests" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as { items: { kind: string; id: number; reasons: string[] }[]; tiers: Record<string, string[]>; kind: string; version: number };
};

const runCron = () => worker.scheduled(createScheduledController(), env);

function callOf(model: string, changes: Partial<CallObservation>): CallObservation {
  return {
    at: Date.now(), tenant: "default", model, provider: "anthropic", tier: "base", taskType: "general", isSuccess: true, isHealthFailure: false, retryAfterMs: null,
    latencyMs: 1_000, timeToFirstTokenMs: 100, inputTokens: 10, outputTokens: 10, costNanoUsd: 1_000, baselineNanoUsd: 1_000, quality: 1, ...changes,
  };
}

const observe = (changes: Record<string, Partial<CallObservation>>) => metrics.observe(Object.entries(changes).flatMap(([model, change]) => Array.from({ length: 60 }, () => callOf(model, change))));

test("the clock reorders a tier by what was measured, and undoes it when the answers get worse", async () => {
  // A window of a minute has steps of a second: what is seen after a decision counts from the next second on.
  await ask("PATCH", "/v1/config", { routing: { reoptimizeWindowMs: 60_000 } });
  await runCron();
  expect((await ask("GET", "/v1/optimizations")).items).toEqual([]);

  await observe({ "claude-sonnet-4": { latencyMs: 20_000, costNanoUsd: 20_000 }, "claude-sonnet-4.5": {} });
  // What was seen outlives the object.
  await runDurableObjectAlarm(metrics);
  await evictDurableObject(metrics);
  expect((await metrics.readEvidence(0)).map(({ model, calls }) => [model, calls])).toEqual([["claude-sonnet-4", 60], ["claude-sonnet-4.5", 60]]);
  await runCron();
  const changed = await ask("GET", "/v1/tiers");
  expect(changed.tiers["base"]).toEqual(["claude-sonnet-4.5", "claude-sonnet-4", "claude-sonnet-5.5", "gemini-2.5-pro", "offline"]);
  expect((await ask("GET", "/v1/optimizations")).items).toMatchObject([{ kind: "change", id: 1 }]);

  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await observe({ "claude-sonnet-4.5": { quality: 0.1 } });
  expect((await ask("POST", "/v1/optimizations/run", { dryRun: true })).kind).toBe("rollback");
  expect((await ask("GET", "/v1/tiers")).version).toBe(changed.version);
  await runCron();
  expect((await ask("GET", "/v1/tiers")).tiers["base"]![0]).toBe("claude-sonnet-4");
  expect((await ask("GET", "/v1/optimizations")).items.map(({ kind }) => kind)).toEqual(["rollback", "change"]);
});

test("the clock changes nothing when it is told not to", async () => {
  await ask("PATCH", "/v1/config", { routing: { reoptimizeEnabled: false } });
  const { version } = await ask("GET", "/v1/tiers");
  await observe({ "claude-sonnet-4": { latencyMs: 90_000, costNanoUsd: 90_000 }, "claude-sonnet-4.5": {} });
  await runCron();
  expect((await ask("GET", "/v1/tiers")).version).toBe(version);
});
