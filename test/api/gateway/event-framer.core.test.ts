import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEventFramer } from "../../../src/api/gateway/event-framer.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | null): string | null => (bytes === null ? null : new TextDecoder().decode(bytes));

describe("events cut from a stream of bytes", () => {
  test("come whole, however the bytes are cut, and are the bytes that went in", () => {
    const event = fc.tuple(fc.stringMatching(/^[a-zé"{}:]{1,30}$/), fc.constantFrom("\n\n", "\r\n\r\n")).map(([text, end]) => `data: ${text}${end}`);
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 12 }), fc.constantFrom("", "data: half"), (events, cuts, rest) => {
        const bytes = encode(events.join("") + rest);
        const edges = [0, ...cuts.map((cut) => cut % (bytes.byteLength + 1)).toSorted((left, right) => left - right), bytes.byteLength];
        const framer = createEventFramer();
        const pieces = edges.slice(1).flatMap((end, at) => decode(framer.push(bytes.subarray(edges[at], end))) ?? []);
        for (const piece of pieces) expect(piece).toMatch(/^(data: .*\r?\n\r?\n)+$/);
        expect(pieces.join("") + (decode(framer.flush(new Uint8Array())) ?? "")).toBe(events.join("") + rest);
      }),
    );
  });

  test("go on in pieces when they are longer than the limit, so that nothing grows without bound", () => {
    const framer = createEventFramer(10);
    expect(framer.push(encode("data: 1234"))).toBeNull();
    expect(decode(framer.push(encode("5")))).toBe("data: 12345");
    expect(decode(framer.push(encode("6\n\n")))).toBe("6\n\n");
    expect(framer.flush(new Uint8Array())).toBeNull();
  });
});
