import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { spliceBody } from "../../../src/api/gateway/splice-body.ts";

describe("a body with some members replaced", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['{"model":"a","seed":12345678901234567890,"t":1.0,"e":1E2}', { model: "b" }, '{"model":"b","seed":12345678901234567890,"t":1.0,"e":1E2}'],
    [' { "x" : [ 1 , {"model":"inner"} ] , "model" : "a" } ', { model: "b" }, ' { "x" : [ 1 , {"model":"inner"} ] , "model" : "b" } '],
    ['{"mod\\u0065l":"a","s":"\\ud800 \\"model\\": \\\\"}', { model: "b" }, '{"mod\\u0065l":"b","s":"\\ud800 \\"model\\": \\\\"}'],
    ['{"model":"a","x":1}', { model: "b", stream_options: { include_usage: true } }, '{"model":"b","x":1,"stream_options":{"include_usage":true}}'],
    ['{"max_tokens":5000}', { max_tokens: 10 }, '{"max_tokens":10}'],
    ['{"max_tokens":5000 ,"model":null}', { max_tokens: 10, model: "m" }, '{"max_tokens":10 ,"model":"m"}'],
    ["{}", { model: "b" }, '{"model":"b"}'],
    ['{"a":1}', {}, '{"a":1}'],
    ['{"model":"a","model":"c"}', { model: "b" }, '{"model":"b","model":"b"}'],
    ['{"a":{},"b":[],"c":true}', { c: false }, '{"a":{},"b":[],"c":false}'],
  ])("%s with %j", (text, members, expected) => {
    expect(spliceBody(text, members)).toBe(expected);
  });

  test("is what replacing them in the parsed body gives, for any body however it is written", () => {
    const json = fc.dictionary(fc.oneof(fc.constantFrom("model", "max_tokens", "stream_options", "messages", "__proto__", 'a"b', "a\\"), fc.string()), fc.jsonValue({ maxDepth: 3 }));
    const members = fc.record({ model: fc.string(), max_tokens: fc.nat(), stream_options: fc.constant({ include_usage: true }) }, { requiredKeys: ["model"] });
    fc.assert(fc.property(json, members, fc.constantFrom(0, 1, 2, "\t"), (body, replaced, indent) => {
      const text = JSON.stringify(body, null, indent);
      const spliced = spliceBody(text, replaced);
      // Not `toEqual`: it finds objects of the same values different at times, by what their keys are called.
      expect(isDeepStrictEqual(JSON.parse(spliced), { ...(JSON.parse(text) as object), ...replaced })).toBe(true);
      expect(spliceBody(spliced, {})).toBe(spliced);
    }), { numRuns: 2_000 });
  });

  test("takes time in proportion to its length, also for texts of backslashes and quotes", () => {
    const measure = (length: number): number => {
      const text = JSON.stringify({ messages: ['\\"'.repeat(length / 2)], model: "a" });
      const startedAt = performance.now();
      for (let run = 0; run < 3; run += 1) spliceBody(text, { model: "b" });
      return performance.now() - startedAt;
    };
    measure(10_000);
    expect(measure(1_000_000)).toBeLessThan(100 * Math.max(1, measure(100_000)));
  });
});
