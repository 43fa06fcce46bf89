import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readServerSentEvents, type ServerSentEvent } from "../../scripts/server-sent-events.ts";

async function read(...chunks: (string | Uint8Array)[]): Promise<ServerSentEvent[]> {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : chunk);
      controller.close();
    },
  });
  const messages: ServerSentEvent[] = [];
  for await (const message of readServerSentEvents(body)) messages.push(message);
  return messages;
}

describe("readServerSentEvents", () => {
  test.each([
    ["all fields", "id: 7\nevent: task.started\ndata: {}\n\n", [{ id: "7", event: "task.started", data: "{}" }]],
    ["no name", "data: x\n\n", [{ id: null, event: "message", data: "x" }]],
    ["several lines of data", "data: a\ndata: b\n\n", [{ id: null, event: "message", data: "a\nb" }]],
    ["Windows line ends", "id: 1\r\ndata: a\r\n\r\n", [{ id: "1", event: "message", data: "a" }]],
    ["only the first space is dropped", "data:  a: b\n\n", [{ id: null, event: "message", data: " a: b" }]],
    ["comments and keep-alives are passed over", ": ping\n\nevent: x\n\ndata: 1\n\n", [{ id: null, event: "message", data: "1" }]],
    ["an unfinished message is dropped", "data: 1\n\ndata: 2\n", [{ id: null, event: "message", data: "1" }]],
  ])("%s", async (_, stream, messages) => {
    expect(await read(stream)).toEqual(messages);
  });

  test("messages do not depend on where the stream is cut, inside characters too", async () => {
    const stream = new TextEncoder().encode("id: 1\nevent: a\ndata: größe ✓\n\nid: 2\r\ndata: b\r\n\r\n");
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(stream.length), { maxLength: 6 }), async (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const chunks = at.slice(1).map((end, index) => stream.slice(at[index], end));
        expect(await read(...chunks)).toEqual([
          { id: "1", event: "a", data: "größe ✓" },
          { id: "2", event: "message", data: "b" },
        ]);
      }),
    );
  });
});
