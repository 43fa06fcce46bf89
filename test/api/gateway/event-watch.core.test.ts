import { describe, expect, test } from "vitest";
import { createEventWatch, frame } from "../../../src/api/gateway/event-watch.ts";

const HEAD = { id: "c", object: "chat.completion.chunk", created: 1, model: "m" };
const delta = (fields: object, finishReason: string | null = null): string => frame({ ...HEAD, choices: [{ index: 0, delta: fields, finish_reason: finishReason }] });
const USAGE = { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 };
const usageChunk = frame({ ...HEAD, choices: [], usage: USAGE });
const DONE = "data: [DONE]\n\n";

function watch(isUsageWanted: boolean) {
  const watcher = createEventWatch({ isUsageWanted, costOf: (usage) => (usage === null ? 7 : 5), estimateUsage: () => ({ prompt_tokens: 99 }) });
  const take = (text: string): string | null => {
    const bytes = watcher.take(new TextEncoder().encode(text));
    return bytes === null ? null : new TextDecoder().decode(bytes);
  };
  return { watcher, take };
}

describe("a watched stream", () => {
  test("begins with the first thing that a reader would see", () => {
    for (const nothing of [": keep-alive\n\n", delta({ role: "assistant", content: "" }), delta({ content: " \n" }), delta({ content: null, tool_calls: [] }), delta({ content: "", prefix: false, provider_specific_fields: { refusal: null }, annotations: [] }), delta({}, "stop"), usageChunk]) {
      const { watcher, take } = watch(false);
      take(nothing);
      expect(watcher.hasBegun).toBe(false);
    }
    for (const something of [delta({ content: "a" }), delta({ reasoning_content: "hm" }), delta({ tool_calls: [{ index: 0 }] }), delta({ refusal: "no" }), delta({}, "length"), delta({}, "content_filter")]) {
      const { watcher, take } = watch(false);
      take(something);
      expect(watcher.hasBegun).toBe(true);
    }
  });

  test("of several answers is complete at its very end only", () => {
    const watcher = createEventWatch({ isUsageWanted: false, hasSeveral: true, costOf: () => 0, estimateUsage: () => ({}) });
    watcher.take(new TextEncoder().encode(delta({ content: "a" }) + delta({}, "stop")));
    expect(watcher.isComplete).toBe(false);
    watcher.take(new TextEncoder().encode(DONE));
    expect(watcher.isComplete).toBe(true);
  });

  test("passes events on as the very bytes that came, also where the model speaks of usage and errors", () => {
    const { watcher } = watch(true);
    const events = [delta({ content: "a" }), delta({ content: 'say {"usage":{"prompt_tokens":1}} and "error":"x"' }), frame({ ...HEAD, choices: [], usage: null }), "data:  spaced \r\n\r\n"];
    for (const event of events) {
      const bytes = new TextEncoder().encode(event);
      expect(watcher.take(bytes)).toBe(bytes);
    }
    expect(watcher).toMatchObject({ usage: null, error: null, isComplete: false });
  });

  test("takes the usage chunk out for a client that did not ask for it", () => {
    const { watcher, take } = watch(false);
    expect(take(delta({ content: "a" }) + usageChunk + DONE)).toBe(delta({ content: "a" }) + DONE);
    expect(take(usageChunk)).toBeNull();
    expect(watcher).toMatchObject({ usage: USAGE, isComplete: true });
  });

  test("adds the cost for one that did, wherever the provider puts its usage", () => {
    const { take } = watch(true);
    take(delta({ content: "a" }));
    expect(take(usageChunk)).toBe(frame({ ...HEAD, choices: [], usage: { ...USAGE, cost_usd: 5 } }));
    const last = { ...HEAD, choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage: USAGE };
    expect(take(frame(last))).toBe(frame({ ...last, usage: { ...USAGE, cost_usd: 5 } }));
    expect(watch(false).take(frame(last) + delta({ content: "a" }))).toBe(frame(last) + delta({ content: "a" }));
  });

  test("gives who asked an estimate when the provider counts nothing", () => {
    const { take } = watch(true);
    expect(take(delta({ content: "a" }) + DONE)).toBe(delta({ content: "a" }) + frame({ id: "c", object: HEAD.object, created: 1, model: "m", choices: [], usage: { prompt_tokens: 99, cost_usd: 7 } }) + DONE);
  });

  test("is complete at a finish reason or at [DONE], and not before", () => {
    for (const end of [delta({}, "stop"), DONE]) {
      const { watcher, take } = watch(false);
      take(delta({ content: "a" }));
      expect(watcher.isComplete).toBe(false);
      take(end);
      expect(watcher.isComplete).toBe(true);
    }
  });

  test("adds what a provider leaves out at the end: the mark, and before it the usage that was asked for", () => {
    const endOf = (isUsageWanted: boolean, text: string): string | null => {
      const { watcher, take } = watch(isUsageWanted);
      take(text);
      const bytes = watcher.finish();
      return bytes === null ? null : new TextDecoder().decode(bytes);
    };
    const answer = delta({ content: "a" }) + delta({}, "stop");
    expect(endOf(false, answer)).toBe(DONE);
    expect(endOf(true, answer)).toBe(frame({ id: "c", object: HEAD.object, created: 1, model: "m", choices: [], usage: { prompt_tokens: 99, cost_usd: 7 } }) + DONE);
    expect(endOf(true, answer + usageChunk)).toBe(DONE);
    expect(endOf(true, answer + DONE)).toBeNull();
  });

  test("finds an error, and counts the tokens of texts and arguments as they go by", () => {
    const { watcher, take } = watch(false);
    take(delta({ content: "one two three four" }));
    take(delta({ tool_calls: [{ index: 0, function: { arguments: '{"five": "six"}' } }] }));
    expect(watcher.outputTokens).toBeGreaterThanOrEqual(8);
    expect(watcher.outputTokens).toBeLessThan(20);
    take(frame({ error: { message: "overloaded", type: "server_error" } }));
    expect(watcher.error).toEqual({ message: "overloaded", type: "server_error" });
  });
});
