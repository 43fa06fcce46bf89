import { describe, expect, test } from "vitest";
import { guardFetch, MAX_UPSTREAM_BYTES, MAX_UPSTREAM_ERROR_BYTES } from "../../../src/router/engines/upstream-fetch.ts";

const KEY = "sk-0123456789";
const URL_OF_PROVIDER = "https://models.example/v1";

/** A body of `chunks` times one mebibyte, and whether it was hung up on. */
function largeBody(chunks: number, last: number) {
  const state = { sent: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (state.sent > chunks) return controller.close();
      controller.enqueue(new Uint8Array(state.sent === chunks ? last : 1_048_576));
      state.sent += 1;
    },
    cancel: () => void (state.cancelled = true),
  });
  return { body, state };
}

describe("the answer of a provider", () => {
  test("loses the key that was sent, in a stream cut anywhere and in an error", async () => {
    for (const status of [200, 400]) {
      const pieces = [`data: {"error":"your key sk-01`, `23456789 is bad"}\n\n`];
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          const piece = pieces.shift();
          if (piece === undefined) controller.close();
          else controller.enqueue(new TextEncoder().encode(piece));
        },
      });
      const response = await guardFetch(async () => new Response(body, { status }), KEY)(URL_OF_PROVIDER);
      expect(response.status).toBe(status);
      expect(await response.text()).toBe(`data: {"error":"your key ••• is bad"}\n\n`);
    }
  });

  test("says no more how long and how packed it came", async () => {
    const response = await guardFetch(async () => new Response("hi", { headers: { "content-length": "2", "content-encoding": "gzip", "content-type": "text/plain", "retry-after": "3" } }), KEY)(URL_OF_PROVIDER);
    expect(Object.fromEntries(response.headers)).toEqual({ "content-type": "text/plain", "retry-after": "3" });
  });

  test("without a body stays without one", async () => {
    for (const status of [204, 304, 500]) expect((await guardFetch(async () => new Response(null, { status }), KEY)(URL_OF_PROVIDER)).body).toBeNull();
  });

  test(`may have ${MAX_UPSTREAM_BYTES} bytes`, async () => {
    const { body } = largeBody(MAX_UPSTREAM_BYTES / 1_048_576, 0);
    const response = await guardFetch(async () => new Response(body), KEY)(URL_OF_PROVIDER);
    expect((await response.arrayBuffer()).byteLength).toBe(MAX_UPSTREAM_BYTES);
  });

  test("with one more breaks, and one that never ends is hung up on", async () => {
    const over = guardFetch(async () => new Response(largeBody(MAX_UPSTREAM_BYTES / 1_048_576, 1).body), KEY);
    await expect((await over(URL_OF_PROVIDER)).arrayBuffer()).rejects.toThrow(`over ${MAX_UPSTREAM_BYTES} bytes`);
    const { body, state } = largeBody(1_000_000, 0);
    await expect((await guardFetch(async () => new Response(body), KEY)(URL_OF_PROVIDER)).arrayBuffer()).rejects.toThrow("bytes");
    expect(state.cancelled).toBe(true);
  });

  test("that is an error is read to a limit, and no further", async () => {
    const { body, state } = largeBody(1_000_000, 0);
    const response = await guardFetch(async () => new Response(body, { status: 500 }), KEY)(URL_OF_PROVIDER);
    expect((await response.text()).length).toBe(MAX_UPSTREAM_ERROR_BYTES);
    expect(state.cancelled).toBe(true);
    expect(state.sent).toBeLessThan(5);
  });
});
