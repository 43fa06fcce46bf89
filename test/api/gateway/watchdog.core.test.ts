import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
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
