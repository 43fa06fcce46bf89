import { expect, test } from "vitest";
import { redactSent } from "../../../src/consumer/agents/redact-sent.ts";

test.each([
  ["whole", "you sent Bearer abc-123", ["Bearer abc-123"], "you sent •••"],
  ["in words", "the key abc-123 is bad", ["Bearer abc-123"], "the key ••• is bad"],
  ["as JSON writes it", '{"k":"say \\"friend\\""}', ['say "friend"'], '{"k":"•••"}'],
  ["of basic authentication, decoded", "password wonderland of alice:wonderland", [`Basic ${btoa("alice:wonderland")}`], "password ••• of •••"],
  ["as a signature, also one that is not known any more", "signed v1,R0FB4Urj/hKK+B/E9yhfQRzWDJiYQRmwg89fSdxPqi4= today", [], "signed ••• today"],
  ["that holds another one", "abcdef-123", ["abcdef", "abcdef-123"], "•••"],
])("what was sent is blotted out %s", (_how, text, sent, expected) => {
  expect(redactSent(text, sent)).toBe(expected);
});

test.each([[["on"]], [[""]], [["Basic !!!"]], [["Basic a"]]])("words that are too short, or no credentials, change nothing: %j", (sent) => {
  expect(redactSent("it is on", sent)).toBe("it is on");
});
