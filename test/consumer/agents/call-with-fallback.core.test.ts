import { describe, expect, test } from "vitest";
import { callWithFallback, type CallCandidate, type CallControl, type CallEnd, type FallbackDeps } from "../../../src/consumer/agents/call-with-fallback.ts";
import type { CallObservation } from "../../../src/router/metrics/model-metrics.ts";
import type { ModelEntry } from "../../../src/config/tiers.ts";
import type { CallRecord } from "../../../src/consumer/work-order.ts";

function candidate(id: string, changes: Partial<ModelEntry> & { needsProbe?: boolean } = {}): CallCandidate {
  const { needsProbe = false, ...model } = changes;
  return {
    model: { id, provider: "p", tier: "weak", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 }, contextWindow: 1_000, maxOutputTokens: 100, capabilities: [], ...model },
    provider: { id: "p", kind: "openai-compatible", baseUrl: "https://p.example" },
    tier: "weak",
    needsProbe,
  };
}

const RECORD: CallRecord = { at: 0, provider: "p", model: "m", inputTokens: 10, outputTokens: 5, cachedTokens: 0, costNanoUsd: 15, estimated: false, baselineNanoUsd: 30 };

function answered(answer: string): CallEnd<string> {
  return { answer, fault: null, record: RECORD, isPassedOn: false, quality: null };
}

function failed(changes: { retryable?: boolean; code?: "provider_unavailable" | "provider_rejected" | "output_invalid"; isPassedOn?: boolean; quality?: number | null; retryAfterMs?: number; record?: CallRecord | null } = {}): CallEnd<string> {
  const { retryable = true, code = "provider_unavailable", isPassedOn = false, quality = null, retryAfterMs = null, record = null } = changes;
  return { answer: "", fault: { failure: { code, message: "no", retryable }, retryAfterMs, isHealthFailure: code === "provider_unavailable" }, record, isPassedOn, quality };
}

type Answers = Record<string, CallEnd<string> | ((control: CallControl) => Promise<CallEnd<string>>)>;

async function walk(candidates: CallCandidate[], answers: Answers, changes: Omit<Partial<FallbackDeps>, "health"> & { health?: Partial<FallbackDeps["health"]> } = {}) {
  const called: string[] = [];
  const observed: CallObservation[] = [];
  let now = 0;
  const deps: FallbackDeps = {
    settings: { circuitFirstTokenMs: 60_000 },
    now: () => (now += 10),
    signal: new AbortController().signal,
    ...changes,
    health: { observe: (observation) => observed.push(observation), acquireProbe: async () => true, acquireRate: async () => true, ...changes.health },
  };
  const result = await callWithFallback<string>(
    {
      tenant: "t",
      taskType: "general",
      candidates,
      tokensOf: () => 42,
      call: async ({ model }, control) => {
        called.push(model.id);
        const answer = answers[model.id]!;
        return typeof answer === "function" ? answer(control) : answer;
      },
    },
    deps,
  );
  return { result, called: called.join(" "), observed };
}

/** A call that ends only when it is aborted, as a provider that hangs. */
const hang = (control: CallControl): Promise<CallEnd<string>> =>
  new Promise((resolve) => control.signal.addEventListener("abort", () => resolve(failed({ record: { ...RECORD, estimated: true } }))));

describe("callWithFallback", () => {
  const ABC = [candidate("a"), candidate("b"), candidate("c")];

  test("asks the first, and nobody else when it answers", async () => {
    const { result, called } = await walk(ABC, { a: answered("A") });
    expect(called).toBe("a");
    expect(result).toMatchObject({ answer: "A", fault: null, events: [], failedModels: [], calls: [RECORD] });
    expect([result.first?.model.id, result.last?.model.id]).toEqual(["a", "a"]);
  });

  test("asks the next after a transient failure, and tells of each step", async () => {
    const { result, called } = await walk(ABC, { a: failed(), b: failed({ record: RECORD }), c: answered("C") });
    expect(called).toBe("a b c");
    expect(result).toMatchObject({ answer: "C", fault: null, failedModels: ["a", "b"], calls: [RECORD, RECORD] });
    expect(result.events.map(({ type, data }) => [type, "from" in data ? `${data.from} ${data.to} ${data.error.message}` : ""])).toEqual([["model.fallback", "a b no"], ["model.fallback", "b c no"]]);
    expect(result.first?.model.id).toBe("a");
  });

  test.each<[string, CallEnd<string>]>([
    ["a refusal", failed({ retryable: false, code: "provider_rejected" })],
    ["an answer that missed its schema", failed({ code: "output_invalid", quality: 0 })],
    ["a failure after text was passed on", failed({ isPassedOn: true })],
  ])("asks nobody else after %s", async (_, end) => {
    const { result, called } = await walk(ABC, { a: end });
    expect(called).toBe("a");
    expect(result).toMatchObject({ fault: end.fault, events: [], failedModels: [] });
  });

  test("ends with the last one's failure when all fail, which is not counted as having failed before", async () => {
    const { result } = await walk(ABC, { a: failed(), b: failed(), c: failed({ retryAfterMs: 7 }) });
    expect(result).toMatchObject({ fault: { retryAfterMs: 7 }, failedModels: ["a", "b"] });
    expect(result.events).toHaveLength(2);
  });

  test("every call is observed with what it took, cost and proved", async () => {
    const first = async (control: CallControl) => {
      control.onFirstToken();
      control.onFirstToken();
      return { ...answered("B"), quality: 1 };
    };
    const { observed } = await walk(ABC, { a: failed({ retryAfterMs: 5_000 }), b: first });
    expect(observed).toEqual([
      { at: 20, tenant: "t", model: "a", provider: "p", tier: "weak", taskType: "general", isSuccess: false, isHealthFailure: true, retryAfterMs: 5_000, latencyMs: 10, timeToFirstTokenMs: null, inputTokens: 0, outputTokens: 0, costNanoUsd: 0, baselineNanoUsd: 0, quality: null },
      { at: 50, tenant: "t", model: "b", provider: "p", tier: "weak", taskType: "general", isSuccess: true, isHealthFailure: false, retryAfterMs: null, latencyMs: 20, timeToFirstTokenMs: 10, inputTokens: 10, outputTokens: 5, costNanoUsd: 15, baselineNanoUsd: 30, quality: 1 },
    ]);
  });

  test("an answer that missed its schema is a success of quality 0; a refusal is a failure that says nothing of health", async () => {
    const missed = await walk(ABC, { a: failed({ code: "output_invalid", quality: 0 }) });
    expect(missed.observed[0]).toMatchObject({ isSuccess: true, isHealthFailure: false, quality: 0 });
    const refused = await walk(ABC, { a: failed({ retryable: false, code: "provider_rejected" }) });
    expect(refused.observed[0]).toMatchObject({ isSuccess: false, isHealthFailure: false });
  });
});

describe("a half-open model", () => {
  const AB = [candidate("a", { needsProbe: true }), candidate("b")];

  test("is called when nobody else tries it", async () => {
    const asked: string[] = [];
    const { called } = await walk(AB, { a: answered("A") }, { health: { acquireProbe: async (provider, model) => asked.push(`${provider} ${model}`) > 0 } });
    expect([called, asked]).toEqual(["a", ["p a"]]);
  });

  test("is passed over while another call tries it: no failure, no event", async () => {
    const { result, called } = await walk(AB, { b: answered("B") }, { health: { acquireProbe: async () => false } });
    expect(called).toBe("b");
    expect(result).toMatchObject({ answer: "B", fault: null, events: [], failedModels: [] });
    expect(result.first?.model.id).toBe("b");
  });

  test("alone fails for a moment when another call tries it, without a call", async () => {
    const { result, called, observed } = await walk([AB[0]!], {}, { health: { acquireProbe: async () => false } });
    expect([called, observed]).toEqual(["", []]);
    expect(result).toMatchObject({ first: null, fault: { failure: { retryable: true }, retryAfterMs: 1_000 } });
  });
});

describe("a model with limits", () => {
  const limited = candidate("a", { limits: { requestsPerMinute: 60 } });

  test("waits for its place, with the tokens that the call may use; one without limits does not ask", async () => {
    const asked: unknown[] = [];
    const health = { acquireRate: async (provider: string, request: unknown) => asked.push([provider, request]) > 0 };
    await walk([limited], { a: answered("A") }, { health });
    expect(asked).toEqual([["p", { tenant: "t", model: "a", limits: { requestsPerMinute: 60, tokensPerMinute: null }, tokens: 42 }]]);
    await walk([candidate("b")], { b: answered("B") }, { health });
    expect(asked).toHaveLength(1);
  });

  test("that has no place in time is left to the next one; alone it fails, without a call", async () => {
    const health = { acquireRate: async () => false };
    const { result, called, observed } = await walk([limited, candidate("b")], { b: answered("B") }, { health });
    expect([called, result.answer, result.failedModels]).toEqual(["b", "B", []]);
    expect(observed).toHaveLength(1);
    const alone = await walk([limited], {}, { health });
    expect([alone.called, alone.result.fault]).toMatchObject(["", { failure: { code: "provider_unavailable", retryable: true, message: expect.stringContaining("limits") }, isHealthFailure: false }]);
  });

  test("waits as long as the caller can", async () => {
    const asked: unknown[] = [];
    await walk([limited], { a: answered("A") }, { waitUntil: 5_000, health: { acquireRate: async (_provider: string, { maxWaitMs }: { maxWaitMs?: number }) => asked.push(maxWaitMs) > 0 } });
    expect(asked).toEqual([4_990]);
  });

  test("that is half-open asks for the probe last: one that cannot be made would keep others from it", async () => {
    const asked: string[] = [];
    const health = { acquireProbe: async () => asked.push("probe") > 0, acquireRate: async () => asked.push("rate") > 5 };
    await walk([candidate("a", { limits: { requestsPerMinute: 1 }, needsProbe: true })], {}, { health });
    expect(asked).toEqual(["rate"]);
  });

  test("is not called when the time is over before there is a place", async () => {
    const abort = new AbortController();
    const acquireRate = async () => {
      abort.abort();
      return false;
    };
    const { result, called } = await walk([limited, candidate("b")], {}, { signal: abort.signal, health: { acquireRate } });
    expect(called).toBe("");
    expect(result).toMatchObject({ fault: { failure: { code: "timeout" }, isHealthFailure: false } });
  });
});

describe("time", () => {
  test("a model that does not begin is left for the next one, priced, and counts as sick", async () => {
    const { result, called, observed } = await walk([candidate("a"), candidate("b")], { a: hang, b: answered("B") }, { settings: { circuitFirstTokenMs: 5 } });
    expect(called).toBe("a b");
    expect(result).toMatchObject({ answer: "B", calls: [{ estimated: true }, RECORD] });
    expect(result.events[0]?.data).toMatchObject({ error: { code: "provider_unavailable", message: expect.stringContaining("within 5 ms") } });
    expect(observed[0]).toMatchObject({ isSuccess: false, isHealthFailure: true });
  });

  test("one that has begun, or that is the last, is waited for", async () => {
    const slow = (isBegun: boolean) => async (control: CallControl) => {
      if (isBegun) control.onFirstToken();
      await new Promise((resolve) => setTimeout(resolve, 25));
      return control.signal.aborted ? failed() : answered("slow");
    };
    const settings = { circuitFirstTokenMs: 5 };
    expect((await walk([candidate("a"), candidate("b")], { a: slow(true) }, { settings })).result.answer).toBe("slow");
    expect((await walk([candidate("a")], { a: slow(false) }, { settings })).result.answer).toBe("slow");
  });

  test("the signal ends the call and asks nobody else; who was in a hurry proves nothing about the model", async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 5);
    const { result, called, observed } = await walk([candidate("a"), candidate("b")], { a: hang }, { signal: abort.signal });
    expect(called).toBe("a");
    expect(result.fault).toMatchObject({ failure: { code: "timeout", retryable: true } });
    expect(observed[0]).toMatchObject({ isSuccess: false, isHealthFailure: false, isInconclusive: true });
  });

  test("a signal that fired before makes no call", async () => {
    const { result, called } = await walk([candidate("a")], {}, { signal: AbortSignal.abort() });
    expect([called, result.fault?.failure.code]).toEqual(["", "timeout"]);
  });

  test("an answer that came whole as the time ran out counts", async () => {
    const abort = new AbortController();
    const { result } = await walk([candidate("a")], { a: async () => (abort.abort(), answered("A")) }, { signal: abort.signal });
    expect(result).toMatchObject({ answer: "A", fault: null });
  });
});
