import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLog, type LogEvent } from "../src/log.ts";

const written = { log: [] as string[], error: [] as string[] };

beforeEach(() => {
  vi.spyOn(console, "log").mockImplementation((text: string) => void written.log.push(text));
  vi.spyOn(console, "error").mockImplementation((text: string) => void written.error.push(text));
});

afterEach(() => {
  vi.restoreAllMocks();
  written.log.length = written.error.length = 0;
});

const happened = (seq: number): LogEvent => ({ event: "workflow.event", tenant: "default", workflowId: "wf_1", requestId: "req_1", seq, type: "task.started", taskId: "a".repeat(64), attempt: 1, code: null });
const failed: LogEvent = { event: "alarm.failed", message: "boom" };

test("each event is one line of JSON, failures on the error stream", () => {
  createLog(undefined)(happened(1), failed, happened(2));
  expect(written.log.flatMap((text) => text.split("\n")).map((line) => JSON.parse(line) as LogEvent)).toEqual([happened(1), happened(2)]);
  expect(written.error.map((line) => JSON.parse(line) as LogEvent)).toEqual([failed]);
});

test("the events of a step of 5,000 tasks are few writes, none over the 256 KB that the platform keeps", () => {
  const events = Array.from({ length: 15_000 }, (_, seq) => happened(seq + 1));
  createLog("")(...events);
  expect(written.log.length).toBeLessThan(50);
  expect(Math.max(...written.log.map((text) => text.length))).toBeLessThan(256_000);
  expect(written.log.flatMap((text) => text.split("\n"))).toHaveLength(15_000);
});

test("the level warn leaves failures and warnings only, and writes nothing for none", () => {
  const warned: LogEvent = { event: "configuration.warned", message: "wrong" };
  createLog("warn")(happened(1), failed, warned);
  createLog("warn")(happened(2));
  expect(written).toEqual({ log: [], error: [failed, warned].map((event) => JSON.stringify(event)) });
});
