import { expect, test } from "vitest";
import { chooseChannel, type DispatchSettings } from "../../src/workflow/dispatch.ts";

const settings: DispatchSettings = { objectMax: 4, directMax: 64, llm: "queue", claimLeaseMs: 15_000, leaseMs: 10_000, checkMs: 3_000, timeoutGraceMs: 5_000 };

test.each([
  { kind: "transform", readySize: 1_000, inObject: 4, channel: "inline" },
  { kind: "http", readySize: 4, inObject: 0, channel: "object" },
  { kind: "http", readySize: 5, inObject: 0, channel: "direct" },
  { kind: "http", readySize: 1, inObject: 3, channel: "object" },
  { kind: "http", readySize: 1, inObject: 4, channel: "direct" },
  { kind: "http", readySize: 64, inObject: 0, channel: "direct" },
  { kind: "http", readySize: 65, inObject: 0, channel: "queue" },
  { kind: "llm", readySize: 1, inObject: 0, channel: "queue" },
  { kind: "llm", readySize: 1_000, inObject: 0, channel: "queue" },
] as const)("$kind in a ready set of $readySize with $inObject calls of the object goes by $channel", ({ kind, readySize, inObject, channel }) => {
  expect(chooseChannel(kind, readySize, inObject, settings)).toBe(channel);
});

test("llm tasks may go the way of http tasks where a reset of the object is no matter", () => {
  expect(chooseChannel("llm", 1, 0, { ...settings, llm: "direct" })).toBe("object");
  expect(chooseChannel("llm", 64, 0, { ...settings, llm: "direct" })).toBe("direct");
  expect(chooseChannel("llm", 65, 0, { ...settings, llm: "direct" })).toBe("queue");
});
