import { describe, expect, test } from "vitest";
import { MAX_BODY_BYTES, MAX_DISCARDED_BYTES } from "../../../src/api/http/read-request.ts";
import { createTestApi, ROOT_KEY } from "../fake-ports.ts";

const AGENT = JSON.stringify({ kind: "transform", expression: "1" });

/** Sends a body in chunks, so that no length is announced, or the one given. */
async function sendChunks(chunks: (string | Uint8Array<ArrayBuffer>)[], contentLength?: string) {
  let sent = 0;
  const { app } = createTestApi();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks[sent];
      if (chunk === undefined) return controller.close();
      sent += 1;
      controller.enqueue(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
    },
  });
  const headers = { authorization: `Bearer ${ROOT_KEY}`, ...(contentLength === undefined ? {} : { "content-length": contentLength }) };
  const init: RequestInit & { duplex: "half" } = { method: "PUT", headers, body, duplex: "half" };
  const response = await app.request("https://weft.test/v1/agents/x", init);
  return { status: response.status, sent };
}

describe("bodies", () => {
  test("are counted as they arrive, whatever length was announced", async () => {
    const filler = " ".repeat(1_048_576 - AGENT.length);
    expect((await sendChunks([AGENT.slice(0, 5), AGENT.slice(5), filler])).status).toBe(201);
    expect((await sendChunks([AGENT, filler, " "])).status).toBe(413);
    expect((await sendChunks([AGENT, filler, " "], "12")).status).toBe(413);
    expect((await sendChunks([AGENT], "99999999")).status).toBe(201);
  });

  test("that never end are given up: what is beyond the limit is thrown away, and then no longer taken", async () => {
    const chunk = new Uint8Array(1_048_576);
    const { status, sent } = await sendChunks(new Array<Uint8Array<ArrayBuffer>>(1_000).fill(chunk));
    expect(status).toBe(413);
    // What is taken, what is thrown away, the piece that is too much, and one on its way.
    expect(sent).toBeGreaterThan(2);
    expect(sent).toBeLessThanOrEqual((MAX_BODY_BYTES + MAX_DISCARDED_BYTES) / chunk.byteLength + 2);
  });

  test.each([
    ["", "The body is empty: send one JSON value."],
    ["{\"kind\": \"transform\",}", expect.stringMatching(/^The body is no JSON: .*position 21.*\.$/)],
    [new Uint8Array([0x22, 0xff, 0x22]), "The body is no UTF-8: send one JSON value in UTF-8."],
  ])("that are no JSON are told where (%j)", async (body, detail) => {
    const response = await createTestApi().app.request("https://weft.test/v1/agents/x", { method: "PUT", headers: { authorization: `Bearer ${ROOT_KEY}` }, body });
    expect([response.status, await response.json()]).toEqual([400, expect.objectContaining({ title: "Not JSON", detail })]);
  });

  test("in another encoding than UTF-8 are 400, with a byte order mark they are read", async () => {
    expect((await sendChunks([new Uint8Array([0x22, 0xff, 0x22])])).status).toBe(400);
    expect((await sendChunks([new Uint8Array([0xef, 0xbb, 0xbf]), AGENT])).status).toBe(201);
  });

  test("may be cut within a character", async () => {
    const bytes = new TextEncoder().encode(`{"kind":"transform","expression":"\\"é\\""}`);
    const cut = bytes.indexOf(0xc3) + 1;
    expect((await sendChunks([bytes.slice(0, cut), bytes.slice(cut)])).status).toBe(201);
  });

  test("may be nested a hundred levels, and brackets inside strings do not count", async () => {
    const { ask } = createTestApi();
    const nested = (levels: number) => `{"tasks":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
    const messageOf = async (body: string) => JSON.stringify(await (await ask("POST", "/v1/workflows", body)).json());
    expect(await messageOf(nested(100))).not.toContain("deeper than 100");
    expect(await messageOf(nested(101))).toContain("deeper than 100");
    // In a string however long, and whatever its quotes and backslashes.
    for (const filling of ["[".repeat(200), '\\"['.repeat(200), "\\\\".repeat(200), `${"x".repeat(63)}\\"${"[".repeat(200)}`, `${"x".repeat(64)}\\\\`]) {
      expect(await messageOf(nested(99).replace('"tasks":', `"tasks":["${filling}",`).replace(/}$/, "]}"))).not.toContain("deeper than 100");
      expect(await messageOf(nested(100).replace('"tasks":', `"tasks":["${filling}",`).replace(/}$/, "]}"))).toContain("deeper than 100");
    }
    expect((await ask("POST", "/v1/workflows", "[".repeat(100_000))).status).toBe(400);
    expect((await sendChunks([JSON.stringify({ kind: "transform", expression: "1", description: `\\"${"[{".repeat(900)}` })])).status).toBe(201);
  });
});
