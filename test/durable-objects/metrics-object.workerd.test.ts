import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { MetricsPort } from "../../src/consumer/metrics-port.ts";
import type { CallObservation, MetricsSnapshot } from "../../src/router/metrics/model-metrics.ts";

let providers = 0;
afterEach(() => vi.restoreAllMocks());

type Metrics = DurableObjectStub & MetricsPort;

function openMetrics(provider = `provider-${(providers += 1)}`): { metrics: Metrics; provider: string } {
  return { metrics: env.METRICS.getByName(provider) as unknown as Metrics, provider };
}

function seen(changes: Partial<CallObservation> = {}): CallObservation {
  return {
    at: Date.now(), tenant: "default", model: "m", provider: "p", tier: "weak", taskType: null, isSuccess: true, isHealthFailure: false, retryAfterMs: null,
    latencyMs: 1_000, timeToFirstTokenMs: 200, inputTokens: 600, outputTokens: 400, costNanoUsd: 2_000_000, baselineNanoUsd: 0, quality: null,
    ...changes,
  };
}

const failures = (count: number) => Array.from({ length: count }, () => seen({ isSuccess: false, isHealthFailure: true }));
const readReplica = (provider: string) => env.CONFIG.get<MetricsSnapshot>(`metrics:${provider}`, "json");

/** Waits for what alarms do by themselves. */
async function waitUntilTrue(isTrue: () => Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => expect(await isTrue()).toBe(true), { timeout: 30_000, interval: 100 });
}

describe("measurements", () => {
  test("of calls are answered at once and replicated by the alarm", async () => {
    const { metrics, provider } = openMetrics();
    expect(await metrics.observe([seen(), seen()])).toEqual({});
    expect((await metrics.readSnapshot()).models["m"]).toMatchObject({ calls: 2, successRate: 1 });
    expect(await readReplica(provider)).toBeNull();
    await waitUntilTrue(async () => (await readReplica(provider)) !== null);
    expect((await readReplica(provider))!.models["m"]).toMatchObject({ calls: 2, successRate: 1 });
  });

  test("survive an eviction, with the limits that were taken", async () => {
    const { metrics } = openMetrics();
    const call = { tenant: "t", isReturning: false, model: "m", limits: { requestsPerMinute: 1, tokensPerMinute: null }, tokens: 1, maxWaitMs: 0 };
    await metrics.observe([seen(), seen({ model: "n", latencyMs: 3_000 })]);
    expect(await metrics.leaseRate(call)).toEqual({ waitMs: 0, askAgainMs: null });
    expect(await runDurableObjectAlarm(metrics)).toBe(true);
    const before = await metrics.readSnapshot();
    await evictDurableObject(metrics);
    const after = await metrics.readSnapshot();
    expect({ ...after, at: 0 }).toEqual({ ...before, at: 0 });
    expect(await metrics.leaseRate(call)).toEqual({ waitMs: null, askAgainMs: null });
  });

  test("are written once each, and only of models that were called", async () => {
    const { metrics } = openMetrics();
    await metrics.observe([seen(), seen({ model: "n" })]);
    await runDurableObjectAlarm(metrics);
    await runInDurableObject(metrics, (_object, state) => void state.storage.sql.exec("UPDATE models SET metrics = 'null' WHERE id = 'n'"));
    await metrics.observe([seen()]);
    await runDurableObjectAlarm(metrics);
    const untouched = await runInDurableObject(metrics, (_object, state) => state.storage.sql.exec("SELECT metrics FROM models WHERE id = 'n'").one()["metrics"]);
    expect(untouched).toBe("null");
  });
});

describe("the replica", () => {
  test("is written at most once a second, whatever is observed, and ends up with everything", async () => {
    const { metrics, provider } = openMetrics();
    const writes: number[] = [];
    const put = env.CONFIG.put.bind(env.CONFIG);
    vi.spyOn(env.CONFIG, "put").mockImplementation(async (...args: Parameters<typeof put>) => {
      if (args[0] === `metrics:${provider}`) writes.push(Date.now());
      return put(...args);
    });
    const endAt = Date.now() + 4_500;
    let calls = 0;
    while (Date.now() < endAt) {
      await metrics.observe([seen()]);
      calls += 1;
      // An alarm that comes too early, or twice, writes no more than one in time.
      if (calls % 10 === 0) await runDurableObjectAlarm(metrics);
      if (calls % 40 === 0) await evictDurableObject(metrics);
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    await waitUntilTrue(async () => ((await readReplica(provider))?.models["m"]?.calls ?? 0) >= 1 && writes.length >= 2);
    for (const [index, at] of writes.entries()) if (index > 0) expect(at - writes[index - 1]!).toBeGreaterThanOrEqual(1_000);
    const known = (await metrics.readSnapshot()).models["m"]!.calls;
    await waitUntilTrue(async () => (await readReplica(provider))!.models["m"]!.calls === known);
  });

  test("is written by an alarm that woke the object", async () => {
    const { metrics, provider } = openMetrics();
    // A circuit that opens is saved at once; everything else is left to the alarm.
    await metrics.observe(failures(20));
    await evictDurableObject(metrics);
    await waitUntilTrue(async () => (await readReplica(provider))?.models["m"]?.circuit.state === "open");
  });

  test("that cannot be written is written again later", async () => {
    const { metrics, provider } = openMetrics();
    const put = env.CONFIG.put.bind(env.CONFIG);
    let refusals = 0;
    vi.spyOn(env.CONFIG, "put").mockImplementation(async (...args: Parameters<typeof put>) => {
      if (args[0] === `metrics:${provider}` && (refusals += 1) === 1) throw new Error("429");
      return put(...args);
    });
    await metrics.observe([seen()]);
    await waitUntilTrue(async () => (await readReplica(provider)) !== null);
    expect(refusals).toBe(2);
  });
});

describe("circuits", () => {
  test("that open are told to whoever observes next, or asks without an observation, and survive an eviction at once", async () => {
    const { metrics } = openMetrics();
    expect(await metrics.observe([])).toEqual({});
    expect(await metrics.observe(failures(20))).toMatchObject({ m: { state: "open" } });
    await evictDurableObject(metrics);
    expect(await metrics.observe([])).toMatchObject({ m: { state: "open", openUntil: expect.any(Number) } });
    expect(await metrics.observe([seen({ model: "n" })])).toMatchObject({ m: { state: "open" } });
  });

  test("half-open let one caller through of many that ask together", async () => {
    const { metrics } = openMetrics();
    const { m } = await metrics.observe(failures(20));
    expect(await metrics.acquireProbe("m")).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, m!.openUntil! - Date.now() + 20));
    const granted = await Promise.all(Array.from({ length: 10 }, () => metrics.acquireProbe("m")));
    expect(granted.filter(Boolean)).toHaveLength(1);
  });

  test("of unknown models let everybody through", async () => {
    expect(await openMetrics().metrics.acquireProbe("never-seen")).toBe(true);
  });
});

describe("limits per minute", () => {
  test("are kept over callers that ask together", async () => {
    const { metrics } = openMetrics();
    const leases = await Promise.all(Array.from({ length: 20 }, (_, index) => metrics.leaseRate({ tenant: `t${index}`, isReturning: false, model: "m", limits: { requestsPerMinute: 60, tokensPerMinute: null }, tokens: 1, maxWaitMs: 60_000 })));
    const waits = leases.map(({ waitMs }) => waitMs!).sort((left, right) => left - right);
    expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(6);
    for (const [index, waitMs] of waits.entries()) if (index > 6) expect(waitMs - waits[index - 1]!).toBeGreaterThan(1_000);
  });
});
