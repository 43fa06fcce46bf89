import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CallsUnderWay } from "../../../../src/durable-objects/workflow/outbox/calls-under-way.ts";

const attemptOf = (task: number) => ({ task, attempt: 1 });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("each call's signal fires at its own deadline, in whatever order they began, and one timer is enough", async () => {
  const calls = new CallsUnderWay(Date.now);
  const start = Date.now();
  const signals = [300, 100, 200, 100].map((ms, index) => calls.begin(attemptOf(index), start + ms));
  expect(vi.getTimerCount()).toBe(1);
  const fired = (): boolean[] => signals.map(({ aborted }) => aborted);
  await vi.advanceTimersByTimeAsync(99);
  expect(fired()).toEqual([false, false, false, false]);
  await vi.advanceTimersByTimeAsync(1);
  expect(fired()).toEqual([false, true, false, true]);
  await vi.advanceTimersByTimeAsync(100);
  expect(fired()).toEqual([false, true, true, true]);
  await vi.advanceTimersByTimeAsync(100);
  expect(fired()).toEqual([true, true, true, true]);
});

test("a call that follows another is watched over by the same timer, and still has all of its time", async () => {
  const calls = new CallsUnderWay(Date.now);
  const first = calls.begin(attemptOf(0), Date.now() + 100);
  await vi.advanceTimersByTimeAsync(60);
  calls.end(first);
  const signal = calls.begin(attemptOf(1), Date.now() + 100);
  calls.rest();
  await vi.advanceTimersByTimeAsync(99);
  expect(signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(signal.aborted).toBe(true);
});

test("no timer is left behind the last call, which would keep the object in memory", () => {
  const calls = new CallsUnderWay(Date.now);
  const [first, second] = [calls.begin(attemptOf(0), Date.now() + 100), calls.begin(attemptOf(1), Date.now() + 50)];
  calls.end(first);
  calls.rest();
  expect(vi.getTimerCount()).toBe(1);
  calls.end(second);
  calls.rest();
  expect(vi.getTimerCount()).toBe(0);
});

test("a call that is given up hears of it at once, the others do not", () => {
  const calls = new CallsUnderWay(Date.now);
  const [first, second] = [calls.begin(attemptOf(0), Date.now() + 100), calls.begin(attemptOf(1), Date.now() + 100)];
  calls.giveUp(({ task }) => task === 1, "enough");
  expect([first.aborted, second.aborted]).toEqual([false, true]);
  expect(second.reason).toEqual(new Error("enough"));
});

test("a call that ends late takes no deadline from one of the same number that began meanwhile", async () => {
  const calls = new CallsUnderWay(Date.now);
  const former = calls.begin(attemptOf(0), Date.now() + 50);
  const later = calls.begin(attemptOf(0), Date.now() + 100);
  calls.end(former);
  calls.rest();
  await vi.advanceTimersByTimeAsync(100);
  expect(later.aborted).toBe(true);
});
