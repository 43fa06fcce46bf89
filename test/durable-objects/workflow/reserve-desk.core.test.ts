import { expect, test } from "vitest";
import type { ReserveCall } from "../../../src/consumer/work-order.ts";
import { ReserveDesk } from "../../../src/durable-objects/workflow/reserve-desk.ts";

function call(task: number): ReserveCall {
  return { task, attempt: 1, call: 0, provider: "p", model: "m", tier: null, taskType: null, inputTokens: 1, outputTokens: 1, costNanoUsd: 1, baselineNanoUsd: 1, calls: [] };
}

const grant = (task: number) => ({ ref: { task, attempt: 1, call: 0 }, answer: { kind: "granted" } as const });

test("requests that come together are taken in one step, and each gets its own answer", async () => {
  const steps: number[][] = [];
  const desk = new ReserveDesk((calls) => {
    steps.push(calls.map(({ task }) => task));
    desk.answer([{ ...grant(2), answer: { kind: "gone" } }, grant(1)]);
  });
  const answers = await Promise.all([desk.ask(call(1), false), desk.ask(call(2), false)]);
  expect(steps).toEqual([[1, 2]]);
  expect(answers).toEqual([{ kind: "granted" }, { kind: "gone" }]);
});

test("one that is alone does not wait for others, and takes with it who waits already", () => {
  const steps: number[][] = [];
  const desk = new ReserveDesk((calls) => steps.push(calls.map(({ task }) => task)));
  void desk.ask(call(1), false);
  void desk.ask(call(2), true);
  expect(steps).toEqual([[1, 2]]);
});

test("who asks twice is answered twice, also where the answer comes later", async () => {
  const desk = new ReserveDesk(() => undefined);
  const answers = [desk.ask(call(1), true), desk.ask(call(1), true)];
  desk.answer([grant(1)]);
  expect(await Promise.all(answers)).toEqual([{ kind: "granted" }, { kind: "granted" }]);
});

test("when the memory is lost all are told, and what was gathered is not asked of the next", async () => {
  const steps: number[] = [];
  const desk = new ReserveDesk((calls) => steps.push(calls.length));
  const answers = [desk.ask(call(1), true), desk.ask(call(2), false)];
  desk.fail(new Error("gone"));
  for (const answer of answers) await expect(answer).rejects.toThrow("gone");
  const next = desk.ask(call(3), false);
  await expect.poll(() => steps).toEqual([1, 1]);
  desk.answer([grant(3)]);
  expect(await next).toEqual({ kind: "granted" });
});
