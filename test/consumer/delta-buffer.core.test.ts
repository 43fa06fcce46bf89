import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TaskDelta } from "../../src/consumer/attempt-port.ts";
import { createDeltaBuffer } from "../../src/consumer/delta-buffer.ts";
import { createOrder } from "./work-order-fixture.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function createRecorder(publish: () => Promise<void> = async () => undefined) {
  const sent: [string, TaskDelta[]][] = [];
  const buffer = createDeltaBuffer((order, deltas) => {
    sent.push([`${order.tenant}:${order.workflowId}`, deltas]);
    return publish();
  });
  return { buffer, sent };
}

test("texts of one attempt become one delta, and a workflow's deltas one call within 100 ms", async () => {
  const { buffer, sent } = createRecorder();
  const [first, second] = [createOrder(0), createOrder(1, { attempt: 3 })];
  for (const text of ["a", "b", "c"]) buffer.add(first, text);
  buffer.add(second, "x");
  buffer.add(createOrder(0, { tenant: "acme" }), "y");
  expect(sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(sent).toEqual([
    ["default:wf_1", [{ task: 0, attempt: 1, text: "abc" }, { task: 1, attempt: 3, text: "x" }]],
    ["acme:wf_1", [{ task: 0, attempt: 1, text: "y" }]],
  ]);
});

test("texts of attempts in turns keep their order", async () => {
  const { buffer, sent } = createRecorder();
  const [first, second] = [createOrder(0), createOrder(0, { attempt: 2 })];
  for (const [order, text] of [[first, "a"], [second, "b"], [first, "c"], [first, "d"]] as const) buffer.add(order, text);
  await vi.advanceTimersByTimeAsync(100);
  expect(sent[0]![1]).toEqual([{ task: 0, attempt: 1, text: "a" }, { task: 0, attempt: 2, text: "b" }, { task: 0, attempt: 1, text: "cd" }]);
});

test("a call that fails loses its deltas only; later ones are sent, and nothing is left behind", async () => {
  let calls = 0;
  const { buffer, sent } = createRecorder(() => ((calls += 1) === 1 ? Promise.reject(new Error("reset")) : Promise.resolve()));
  buffer.add(createOrder(0), "lost");
  await vi.advanceTimersByTimeAsync(100);
  buffer.add(createOrder(0), "kept");
  await vi.advanceTimersByTimeAsync(100);
  expect(sent.map(([, deltas]) => deltas[0]!.text)).toEqual(["lost", "kept"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a flush sends at once what has gathered, behind what is under way, and is over when all has arrived", async () => {
  const arrivals: (() => void)[] = [];
  const { buffer, sent } = createRecorder(() => new Promise((resolve) => arrivals.push(resolve)));
  buffer.add(createOrder(0), "a");
  await vi.advanceTimersByTimeAsync(100);
  buffer.add(createOrder(0), "b");
  let isFlushed = false;
  const flushed = buffer.flush(createOrder(0)).then(() => (isFlushed = true));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent.map(([, deltas]) => deltas[0]!.text)).toEqual(["a"]);
  arrivals.shift()!();
  await vi.advanceTimersByTimeAsync(1);
  expect(sent.map(([, deltas]) => deltas[0]!.text)).toEqual(["a", "b"]);
  expect(isFlushed).toBe(false);
  arrivals.shift()!();
  await flushed;
  await buffer.flush(createOrder(0));
  expect(sent).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});
