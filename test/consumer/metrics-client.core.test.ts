import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CIRCUITS_FRESH_MS, COURIER_TERM_MS, createMetricsClient, DELIVERY_GAP_MS, MAX_WAITING_OBSERVATIONS, type MetricsClientDeps } from "../../src/consumer/metrics-client.ts";
import type { MetricsPort } from "../../src/consumer/metrics-port.ts";
import type { CircuitReports } from "../../src/router/metrics/metrics-fold.ts";
import type { CallObservation, MetricsSnapshot, ModelMetrics } from "../../src/router/metrics/model-metrics.ts";
import type { RateLease, RateRequest } from "../../src/router/tenant-lines.ts";

const START = 1_800_000_000_000;
const OPEN: CircuitReports = { m: { state: "open", openUntil: START + 60_000 } };

beforeEach(() => void vi.useFakeTimers({ now: START }));
afterEach(() => void vi.useRealTimers());

function seen(changes: Partial<CallObservation> = {}): CallObservation {
  return {
    at: START, tenant: "default", model: "m", provider: "p", tier: "weak", taskType: null, isSuccess: true, isHealthFailure: false, retryAfterMs: null,
    latencyMs: 1_000, timeToFirstTokenMs: 200, inputTokens: 600, outputTokens: 400, costNanoUsd: 2_000_000, baselineNanoUsd: 0, quality: null,
    ...changes,
  };
}

function createReplica(at: number): MetricsSnapshot {
  const metrics: ModelMetrics = { calls: 1, successRate: 1, latencyMs: null, timeToFirstTokenMs: null, tokensPerSecond: 10, costPer1kTokensUsd: null, quality: null, circuit: { state: "closed", openUntil: null }, updatedAt: at };
  return { at, models: { m: metrics } };
}

function createClient(changes: Partial<MetricsPort> = {}, keepAlive: MetricsClientDeps["keepAlive"] = () => undefined) {
  const deliveries: { at: number; provider: string; batch: CallObservation[] }[] = [];
  const faults: unknown[] = [];
  const readReplicas = vi.fn<MetricsClientDeps["readReplicas"]>(async (providers) => providers.map(() => createReplica(START - 1)));
  const client = createMetricsClient({
    now: Date.now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(true), ms);
        signal?.addEventListener("abort", () => (clearTimeout(timer), resolve(false)));
      }),
    object: (provider) => ({
      async observe(batch) {
        deliveries.push({ at: Date.now() - START, provider, batch });
        return {};
      },
      acquireProbe: async () => true,
      leaseRate: async () => ({ waitMs: 0, askAgainMs: null }),
      readSnapshot: async () => createReplica(Date.now()),
      ...changes,
    }),
    readReplicas,
    keepAlive,
    onFault: (error) => faults.push(error),
  });
  return { client, deliveries, faults, readReplicas };
}

describe("observations", () => {
  test("are delivered at once when nothing was lately, and then at most once per gap and provider, all of them", async () => {
    const { client, deliveries } = createClient();
    for (let index = 0; index < 100; index += 1) {
      client.observe(seen({ latencyMs: index }));
      client.observe(seen({ latencyMs: index, provider: "q" }));
      await vi.advanceTimersByTimeAsync(10);
    }
    await vi.advanceTimersByTimeAsync(1_000);
    for (const provider of ["p", "q"]) {
      const own = deliveries.filter((delivery) => delivery.provider === provider);
      expect(own[0]).toMatchObject({ at: 0, batch: [{ latencyMs: 0 }] });
      expect(own.flatMap(({ batch }) => batch.map(({ latencyMs }) => latencyMs))).toEqual(Array.from({ length: 100 }, (_, index) => index));
      for (const [index, { at }] of own.entries()) if (index > 0) expect(at - own[index - 1]!.at).toBeGreaterThanOrEqual(DELIVERY_GAP_MS);
    }
  });

  test("are delivered by one request for all", async () => {
    const couriers: Promise<void>[] = [];
    const { client, deliveries } = createClient({}, (work) => couriers.push(work));
    for (let index = 0; index < 1_000; index += 1) client.observe(seen());
    await vi.advanceTimersByTimeAsync(COURIER_TERM_MS);
    expect(couriers).toHaveLength(1);
    expect(deliveries.flatMap(({ batch }) => batch)).toHaveLength(1_000);
  });

  test("are delivered by the next request after the term of the one that died over it", async () => {
    const { client, deliveries } = createClient();
    client.observe(seen({ latencyMs: 1 }));
    client.observe(seen({ latencyMs: 2 }));
    await vi.advanceTimersByTimeAsync(0);
    vi.clearAllTimers();
    await vi.advanceTimersByTimeAsync(COURIER_TERM_MS - 1);
    client.observe(seen({ latencyMs: 3 }));
    await vi.advanceTimersByTimeAsync(0);
    expect(deliveries).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    client.observe(seen({ latencyMs: 4 }));
    await vi.advanceTimersByTimeAsync(0);
    expect(deliveries.flatMap(({ batch }) => batch.map(({ latencyMs }) => latencyMs))).toEqual([1, 2, 3, 4]);
  });

  test("of requests that ended before their turn go with the next", async () => {
    const { client, deliveries } = createClient();
    client.observe(seen());
    client.observe(seen({ latencyMs: 2 }));
    await vi.advanceTimersByTimeAsync(0);
    vi.clearAllTimers();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(deliveries.flatMap(({ batch }) => batch)).toHaveLength(1);
    client.observe(seen({ latencyMs: 3 }));
    await vi.advanceTimersByTimeAsync(0);
    expect(deliveries.at(-1)!.batch.map(({ latencyMs }) => latencyMs)).toEqual([2, 3]);
  });

  test("are bounded while they cannot be delivered, and a delivery that fails harms nobody", async () => {
    const { client, deliveries, faults } = createClient({ observe: () => Promise.reject(new Error("overloaded")) });
    client.observe(seen());
    await vi.advanceTimersByTimeAsync(0);
    expect(faults).toHaveLength(1);
    const other = createClient();
    for (let index = 0; index < MAX_WAITING_OBSERVATIONS + 10; index += 1) other.client.observe(seen());
    vi.clearAllTimers();
    vi.setSystemTime(START + COURIER_TERM_MS);
    other.client.observe(seen());
    await vi.advanceTimersByTimeAsync(0);
    expect(Math.max(...other.deliveries.map(({ batch }) => batch.length))).toBe(MAX_WAITING_OBSERVATIONS);
    expect(deliveries).toEqual([]);
  });
});

describe("a snapshot", () => {
  test("is read once for all providers together, waited for the first time only, and again when it is no longer fresh", async () => {
    const { client, readReplicas } = createClient();
    expect((await client.snapshot(["p", "q"]))!.models["m"]!.tokensPerSecond).toBe(10);
    await Promise.all([client.snapshot(["p", "q"]), client.snapshot(["p", "q"])]);
    expect(readReplicas.mock.calls).toEqual([[["p", "q"]]]);
    await vi.advanceTimersByTimeAsync(10_000);
    readReplicas.mockReturnValue(new Promise(() => undefined));
    expect(await client.snapshot(["p", "q"])).not.toBeNull();
    expect(readReplicas).toHaveBeenCalledTimes(2);
  });

  test("is null while nothing is known, also when nothing can be read", async () => {
    const { client, readReplicas, faults } = createClient();
    readReplicas.mockRejectedValueOnce(new Error("KV is away"));
    expect(await client.snapshot(["p"])).toBeNull();
    expect(faults).toHaveLength(1);
  });

  test("has the circuits that the object told with the last delivery, before the replica has them", async () => {
    const { client } = createClient({ observe: async () => OPEN });
    await client.snapshot(["p"]);
    await vi.advanceTimersByTimeAsync(DELIVERY_GAP_MS);
    client.observe(seen({ isSuccess: false, isHealthFailure: true }));
    await vi.advanceTimersByTimeAsync(DELIVERY_GAP_MS);
    expect((await client.snapshot(["p"]))!.models["m"]!.circuit).toEqual(OPEN["m"]);
  });

  test("asks for the circuits in the background, so that an isolate without calls of its own knows of them within seconds", async () => {
    const observe = vi.fn(async (): Promise<CircuitReports> => ({}));
    const { client } = createClient({ observe });
    await client.snapshot(["p"]);
    await vi.advanceTimersByTimeAsync(CIRCUITS_FRESH_MS - 1);
    await client.snapshot(["p"]);
    expect(observe).toHaveBeenCalledTimes(1);
    observe.mockResolvedValue(OPEN);
    await vi.advanceTimersByTimeAsync(1);
    await client.snapshot(["p"]);
    await vi.advanceTimersByTimeAsync(0);
    expect((await client.snapshot(["p"]))!.models["m"]!.circuit.state).toBe("open");
  });

  test("keeps the later of two answers that overtake each other", async () => {
    const answers: ((reports: CircuitReports) => void)[] = [];
    const { client } = createClient({ observe: () => new Promise((resolve) => answers.push(resolve)) });
    client.observe(seen());
    await vi.advanceTimersByTimeAsync(COURIER_TERM_MS);
    client.observe(seen());
    await vi.advanceTimersByTimeAsync(0);
    answers[1]!(OPEN);
    await vi.advanceTimersByTimeAsync(0);
    answers[0]!({});
    await vi.advanceTimersByTimeAsync(0);
    expect((await client.snapshot(["p"]))!.models["m"]!.circuit.state).toBe("open");
  });

  test("of the same knowledge is the same object", async () => {
    const { client } = createClient();
    await client.snapshot(["p"]);
    await vi.advanceTimersByTimeAsync(0);
    expect(await client.snapshot(["p"])).toBe(await client.snapshot(["p"]));
  });
});

describe("a call within limits", () => {
  const limits = { requestsPerMinute: 10, tokensPerMinute: null };
  const ask = (lease: () => Promise<RateLease>, signal = new AbortController().signal) => createClient({ leaseRate: lease }).client.acquireRate("p", { tenant: "t", model: "m", limits, tokens: 5 }, signal);

  test("waits as long as the object says", async () => {
    const answers: boolean[] = [];
    void ask(async () => ({ waitMs: 700, askAgainMs: null })).then((answer) => answers.push(answer));
    await vi.advanceTimersByTimeAsync(699);
    expect(answers).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(answers).toEqual([true]);
  });

  test("asks again when it is told to, as one whose turn it is, for as long as it can wait", async () => {
    const asked: RateRequest[] = [];
    const leases: RateLease[] = [{ waitMs: null, askAgainMs: 4_000 }, { waitMs: null, askAgainMs: 500 }, { waitMs: 0, askAgainMs: null }];
    const { client } = createClient({ leaseRate: async (request) => (asked.push(request), leases.shift()!) });
    const answered = client.acquireRate("p", { tenant: "t", model: "m", limits, tokens: 5, maxWaitMs: 10_000 }, new AbortController().signal);
    await vi.advanceTimersByTimeAsync(4_500);
    expect(await answered).toBe(true);
    expect(asked.map(({ tenant, maxWaitMs, isReturning }) => [tenant, maxWaitMs, isReturning])).toEqual([["t", 10_000, false], ["t", 6_000, true], ["t", 5_500, true]]);
  });

  test("is given up when it cannot wait so long, or its time is over before", async () => {
    expect(await ask(async () => ({ waitMs: null, askAgainMs: null }))).toBe(false);
    const controller = new AbortController();
    const waiting = ask(async () => ({ waitMs: 700, askAgainMs: null }), controller.signal);
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    expect(await waiting).toBe(false);
  });

  test("goes when there is no limit, without asking, and when the object cannot be asked", async () => {
    const leaseRate = vi.fn<MetricsPort["leaseRate"]>(() => Promise.reject(new Error("overloaded")));
    const { client } = createClient({ leaseRate });
    expect(await client.acquireRate("p", { tenant: "t", model: "m", limits: { requestsPerMinute: null, tokensPerMinute: null }, tokens: 5 }, new AbortController().signal)).toBe(true);
    expect(leaseRate).not.toHaveBeenCalled();
    expect(await client.acquireRate("p", { tenant: "t", model: "m", limits, tokens: 5 }, new AbortController().signal)).toBe(true);
  });

  test("does not probe when the object cannot be asked", async () => {
    expect(await createClient({ acquireProbe: () => Promise.reject(new Error("overloaded")) }).client.acquireProbe("p", "m")).toBe(false);
    expect(await createClient().client.acquireProbe("p", "m")).toBe(true);
  });
});
