/** One message of an event stream; `data` is not parsed. */
export interface ServerSentEvent {
  id: string | null;
  event: string;
  data: string;
}

/** Reads a `text/event-stream` body to its end. Comments and messages without data (keep-alives) are passed over. */
export async function* readServerSentEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n\r\n|\n\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const message = parseMessage(block);
      if (message !== null) yield message;
    }
  }
}

function parseMessage(block: string): ServerSentEvent | null {
  const message: ServerSentEvent = { id: null, event: "message", data: "" };
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") message.id = value;
    else if (field === "event") message.event = value;
    else if (field === "data") data.push(value);
  }
  return data.length === 0 ? null : { ...message, data: data.join("\n") };
}
