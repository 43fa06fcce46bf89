import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_FAILURE_MESSAGE_CHARS, MAX_OUTPUT_DEPTH, readAgentAnswer, readCallbackBody } from "../../../src/consumer/agents/agent-answer.ts";

const AGENT = { agentName: "builder", at: 1_000 };

function nest(levels: number): unknown {
  return JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);
}

describe("the body of a callback", () => {
  test.each([{ done: true }, "text", 0, false, null, [], nest(MAX_OUTPUT_DEPTH)])("completes the task with an output", (output) => {
    expect(readCallbackBody({ output }, AGENT)).toEqual({ outcome: { status: "completed", output, calls: [], route: null, context: null } });
  });

  test.each([
    [{ message: "no" }, "agent_rejected", false],
    [{ message: "no", retryable: false }, "agent_rejected", false],
    [{ message: "no", retryable: null }, "agent_rejected", false],
    [{ message: "busy", retryable: true }, "agent_unavailable", true],
  ])("fails the task with the error %j", (error, code, retryable) => {
    const failure = { code, message: error.message, retryable };
    expect(readCallbackBody({ error }, AGENT)).toEqual({ outcome: { status: "failed", failure, retryAfterMs: null, calls: [], route: null } });
    expect(readCallbackBody({ error, output: null }, AGENT)).toMatchObject({ outcome: { failure } });
  });

  test.each([{ output: 1 }, { error: { message: "no" } }])("may report a usage beside %j", (body) => {
    const read = readCallbackBody({ ...body, usage: { inputTokens: 3, costUsd: 0.5 } }, AGENT);
    expect(read).toMatchObject({ outcome: { calls: [{ at: 1_000, provider: "http", model: "builder", inputTokens: 3, outputTokens: 0, costNanoUsd: 500_000_000 }] } });
  });

  test.each<[unknown, string[]]>([
    [{}, [""]],
    [{ usage: {} }, [""]],
    [{ output: 1, error: { message: "no" } }, ["/output"]],
    [{ output: nest(MAX_OUTPUT_DEPTH + 1) }, ["/output"]],
    [{ error: {} }, ["/error/message"]],
    [{ error: { message: 5, retryable: "yes" } }, ["/error/message", "/error/retryable"]],
    [{ output: 1, usage: { inputTokens: -1, costUsd: "1" } }, ["/usage/inputTokens", "/usage/costUsd"]],
    [{ error: "no" }, ["/error"]],
    [null, [""]],
    [[], [""]],
    ["text", [""]],
  ])("is refused with pointers: %j", (body, paths) => {
    const read = readCallbackBody(body, AGENT);
    expect("faults" in read && read.faults.map(({ path }) => path)).toEqual(paths);
  });

  test.each([
    [{ output: 1, extra: 1, "a/b": 1 }, ["/extra", "/a~1b"]],
    [{ error: { message: "no", code: "x" } }, ["/error/code"]],
    [{ output: 1, usage: { tokens: 1 } }, ["/usage/tokens"]],
  ])("is refused with unknown keys, each at its place: %j", (body, paths) => {
    expect(readCallbackBody(body, AGENT)).toEqual({ faults: paths.map((path) => ({ path, message: expect.stringContaining("not known") })) });
  });

  test("has its message cut at the limit", () => {
    const read = (length: number) => readCallbackBody({ error: { message: "x".repeat(length) } }, AGENT);
    const message = "x".repeat(MAX_FAILURE_MESSAGE_CHARS);
    expect(read(MAX_FAILURE_MESSAGE_CHARS)).toMatchObject({ outcome: { failure: { message } } });
    expect(read(MAX_FAILURE_MESSAGE_CHARS + 1)).toMatchObject({ outcome: { failure: { message } } });
  });
});

describe("a reported cost", () => {
  const costOf = (costUsd: number) => readAgentAnswer({ output: null, usage: { costUsd } }, AGENT)?.calls[0]?.costNanoUsd;

  test("of whole nano-dollars is exactly that many", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 10_000_000_000_000 }), (nanoUsd) => costOf(nanoUsd / 1e9) === nanoUsd));
  });

  test.each([
    [0, 0],
    [1e-9, 1],
    [1e-10, 1],
    [1.1e-9, 2],
    [1.9e-9, 2],
    [0.000323, 323_000],
    [0.1 + 0.2, 300_000_000],
    [1.000_000_000_5, 1_000_000_001],
    [10_000, 10_000_000_000_000],
  ])("of %d dollars is rounded up to %i nano-dollars", (usd, nanoUsd) => {
    expect(costOf(usd)).toBe(nanoUsd);
  });
});
