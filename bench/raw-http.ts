import { createServer, connect, type AddressInfo, type Socket } from "node:net";

/** When a response's body began and ended, in ms since it was asked for. */
export interface RawTimes {
  firstMs: number;
  endMs: number;
}

/**
 * HTTP/1.1 on bare sockets, just enough to measure with: on two cores an HTTP library on either side would take more time than what
 * is measured. Asks `requests` times over `connections` kept connections, one after the other on each.
 */
export async function askRaw(origin: string, head: Record<string, string>, body: string, load: { connections: number; requests: number }): Promise<RawTimes[]> {
  const { hostname, port } = new URL(origin);
  const headers = Object.entries({ host: `${hostname}:${port}`, "content-type": "application/json", "content-length": String(Buffer.byteLength(body)), ...head });
  const request = Buffer.from(`POST /v1/chat/completions HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`);
  const times: RawTimes[] = [];
  let asked = 0;
  const work = async (): Promise<void> => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    while (asked < load.requests) {
      asked += 1;
      times.push(await exchange(socket, request));
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: load.connections }, work));
  return times;
}

function exchange(socket: Socket, request: Buffer): Promise<RawTimes> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    let received = "";
    let bodyAt = -1;
    let length = -1;
    let firstMs = 0;
    const stop = (error: Error | null): void => {
      socket.off("data", take).off("close", broken);
      if (error === null) resolve({ firstMs, endMs: performance.now() - startedAt });
      else reject(error);
    };
    const broken = (): void => stop(new Error("the connection was closed"));
    const take = (chunk: Buffer): void => {
      received += chunk.toString("latin1");
      if (bodyAt < 0) {
        const end = received.indexOf("\r\n\r\n");
        if (end < 0) return;
        bodyAt = end + 4;
        const status = received.slice(9, 12);
        if (status !== "200") return stop(new Error(`status ${status}: ${received.slice(bodyAt)}`));
        length = Number(/^content-length: *(\d+)/im.exec(received.slice(0, bodyAt))?.[1] ?? -1);
      }
      if (firstMs === 0 && received.length > bodyAt) firstMs = performance.now() - startedAt;
      if (length >= 0 ? received.length >= bodyAt + length : received.endsWith("0\r\n\r\n")) stop(null);
    };
    socket.on("data", take).on("close", broken);
    socket.write(request);
  });
}

export interface RawUpstream {
  origin: string;
  close: () => Promise<void>;
}

/** Answers every request at once; a body with `"stream":true` by events, one to a turn of the event loop. */
export async function startRawUpstream(whole: string, events: readonly string[]): Promise<RawUpstream> {
  const sockets = new Set<Socket>();
  const wholeAnswer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(whole)}\r\n\r\n${whole}`;
  const streamHead = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
  const chunks = events.map((event) => `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`);
  const sendEvents = (socket: Socket, at: number): void => {
    if (socket.destroyed) return;
    const chunk = chunks[at];
    socket.write(chunk === undefined ? "0\r\n\r\n" : (at === 0 ? streamHead : "") + chunk);
    if (chunk !== undefined) setImmediate(sendEvents, socket, at + 1);
  };
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      const end = received.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = received.slice(0, end);
      const declared = /^content-length: *(\d+)/im.exec(head)?.[1];
      const isComplete = declared === undefined ? received.endsWith("0\r\n\r\n") : received.length >= end + 4 + Number(declared);
      if (!isComplete) return;
      const isStream = received.includes('"stream":true');
      received = "";
      if (isStream) sendEvents(socket, 0);
      else socket.write(wholeAnswer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
