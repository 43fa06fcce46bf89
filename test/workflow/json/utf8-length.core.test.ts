import fc from "fast-check";
import { expect, test } from "vitest";
import { utf8Length } from "../../../src/workflow/json/utf8-length.ts";

test("counts the bytes of any text as an encoder does", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => utf8Length(text) === Buffer.byteLength(text)));
});

test.each([199, 200, 201])("counts %i characters with and without one of two bytes at the end", (length) => {
  expect(utf8Length("x".repeat(length))).toBe(length);
  expect(utf8Length(`${"x".repeat(length - 1)}é`)).toBe(length + 1);
});
