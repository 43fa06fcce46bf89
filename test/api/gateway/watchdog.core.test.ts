import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { FirstTokenLimit } from "../../../src/consumer/agents/call-with-fallback.ts";
import { createWatchdog, type WatchdogOptions } from "../../../src/api/gateway/watchdog.ts";

function watch(changes: Partial<WatchdogOptions> = {}) {
  const client = new AbortController();
  return { client, watchdog: createWatchdog({ silenceMs: 1_000, firstLookMs: 1_000, client: client.signal, now: Date.now, ...changes }) };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("silence", () => {
  test("ends the request after its time, and not before", () => {
    const { watchdog } = watch();
    vi.advanceTimersByTime(999);
    expect(watchdog.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(watchdog.signal.reason).toEqual(new Error("there was nothing to be heard for 1000 ms"));
  });

  test("counts from what arrived last", () => {
    const { watchdog } = watch();
    vi.advanceTimersByTime(600);
    watchdog.touch();
    vi.advanceTimersByTime(999);
    expect(watchdog.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(watchdog.signal.aborted).toBe(true);
  });

  test("is not heard any more once the request is over", () => {
    const { watchdog, client } = watch();
    watchdog.stop();
    vi.advanceTimersByTime(5_000);
    client.abort();
    expect(watchdog.signal.aborted).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a call that is late to begin its answer", () => {
  test.each([{ firstLookMs: 200 }, { firstLookMs: 1_000 }])("is given up, and the next has its own signal ($firstLookMs ms to the first look)", ({ firstLookMs }) => {
    const { watchdog } = watch({ firstLookMs });
    vi.advanceTimersByTime(10);
    const first = watchdog.limitFirstToken(200);
    vi.advanceTimersByTime(199);
    expect(first.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(first.signal.aborted).toBe(true);
    first.stop();
    const second = watchdog.limitFirstToken(200);
    expect(second.signal.aborted).toBe(false);
    vi.advanceTimersByTime(200);
    expect(second.signal.aborted).toBe(true);
    expect(watchdog.signal.aborted).toBe(false);
  });

  test.each(["lift", "stop"] as const)("is not given up after %s", (event) => {
    const { watchdog } = watch({ firstLookMs: 200 });
    const limit = watchdog.limitFirstToken(200);
    limit[event]();
    vi.advanceTimersByTime(900);
    expect(limit.signal.aborted).toBe(false);
    vi.advanceTimersByTime(100);
    expect(limit.signal.aborted).toBe(true);
  });
});

describe("a client that leaves", () => {
  test("ends the call that is made then", () => {
    const { watchdog, client } = watch();
    watchdog.limitFirstToken(100);
    vi.advanceTimersByTime(100);
    const second = watchdog.limitFirstToken(100);
    client.abort(new Error("gone"));
    expect(second.signal.reason).toEqual(new Error("gone"));
    vi.advanceTimersByTime(100);
    expect(watchdog.signal.aborted).toBe(true);
  });

  test("before the request began ends it at once", () => {
    expect(watch({ client: AbortSignal.abort() }).watchdog.signal.aborted).toBe(true);
  });
});

test("one timer fires as if the clock were looked at every millisecond", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 60 }) }),
    fc.record({ kind: fc.constant("call" as const), limitMs: fc.integer({ min: 1, max: 150 }) }),
    fc.record({ kind: fc.constantFrom("touch" as const, "lift" as const, "leave" as const) }),
  );
  const limitMs = fc.integer({ min: 1, max: 200 });
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), limitMs, limitMs, (steps, silenceMs, firstLookMs) => {
    vi.clearAllTimers();
    const { watchdog, client } = watch({ silenceMs, firstLookMs });
    let [touchedAt, firstTokenBy, isOver, isLate] = [Date.now(), Infinity, false, false];
    let call: FirstTokenLimit | null = null;
    const tick = (): void => {
      vi.advanceTimersByTime(1);
      if (isOver) return;
      if (touchedAt + silenceMs <= Date.now()) isOver = true;
      else if (firstTokenBy <= Date.now()) [firstTokenBy, isLate] = [Infinity, true];
    };
    for (const next of steps) {
      if (next.kind === "pass") for (let passed = 0; passed < next.ms; passed += 1) tick();
      if (next.kind === "touch") watchdog.touch();
      if (next.kind === "touch") touchedAt = Date.now();
      if (next.kind === "leave") client.abort();
      isOver ||= next.kind === "leave";
      if (next.kind === "lift") call?.lift();
      if (next.kind === "lift") firstTokenBy = Infinity;
      if (next.kind === "call" && !isOver) {
        call?.stop();
        call = watchdog.limitFirstToken(next.limitMs);
        [firstTokenBy, isLate] = [Date.now() + next.limitMs, false];
      }
      expect([watchdog.signal.aborted, call?.signal.aborted ?? false]).toEqual([isOver, call !== null && (isOver || isLate)]);
    }
    watchdog.stop();
    expect(vi.getTimerCount()).toBe(0);
  }), { numRuns: 1_000 });
});
