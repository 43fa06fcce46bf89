import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChatBody, isPlainChat, MAX_MESSAGES, readChatBody } from "../../../src/api/gateway/chat-body.ts";

describe("the short way of checking a body", () => {
  test("takes nothing that the schema would refuse", () => {
    const odd = fc.oneof(fc.constantFrom(null, undefined, "", "x", 0, 1, 1.5, -1, 200, 2 ** 53, true, false, [], {}, [{}], [{ type: "x" }]), fc.jsonValue({ maxDepth: 1 }));
    const message = fc.oneof({ weight: 3, arbitrary: fc.record({ role: fc.string(), content: fc.string() }) }, { weight: 1, arbitrary: fc.record({ role: odd, content: odd }, { requiredKeys: [] }) }, { weight: 1, arbitrary: odd });
    const optional = { stream: odd, stream_options: odd, max_tokens: odd, max_completion_tokens: odd, n: odd, tools: odd, response_format: odd, other: odd };
    const body = fc.record({ model: fc.oneof(fc.string(), odd), messages: fc.oneof(fc.array(message, { maxLength: 3 }), odd), ...optional }, { requiredKeys: ["model", "messages"] });
    fc.assert(fc.property(fc.oneof(body, odd), (json) => {
      if (isPlainChat(json)) expect(ChatBody.safeParse(json).success).toBe(true);
    }), { numRuns: 5_000 });
  });

  test("is gone by requests of the common form", () => {
    const messages = [{ role: "system", content: "Be brief." }, { role: "user", content: "Hi" }];
    for (const json of [{ model: "auto", messages }, { model: "auto", messages, stream: true, max_tokens: 5, temperature: 0, stop: ["x"], tools: null }]) {
      expect(isPlainChat(json)).toBe(true);
      expect(readChatBody(json)).toEqual({ body: json });
    }
    expect(isPlainChat({ model: "auto", messages: Array.from({ length: MAX_MESSAGES + 1 }, () => messages[0]) })).toBe(false);
  });
});
