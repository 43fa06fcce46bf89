import type { LoggedEvent } from "../workflow/events.ts";

/** Streams (SSE and WebSocket together) that one workflow serves at once. */
export const MAX_STREAMS = 100;
/** Events read from the log at once for one stream. */
const PAGE_EVENTS = 500;
/** How often an idle SSE stream sends a comment, so that proxies keep it open and a gone client is noticed. */
const KEEP_ALIVE_MS = 15_000;

export interface LiveFeedDeps {
  readEvents: (after: number, limit: number) => LoggedEvent[];
  /** The newest event's seq, and whether the workflow is final: a stream ends after that event. */
  readEnd: () => { lastSeq: number; isFinal: boolean };
  sockets: () => WebSocket[];
}

/** A token delta as live streams show it: no seq, never stored. */
export interface DeltaFrame {
  type: "task.delta";
  taskId: string;
  at: string;
  data: { text: string; attempt: number };
}

interface SseClient {
  wake: () => void;
  push: (frame: DeltaFrame) => void;
}

/** Live cursors on a workflow's event log. A stream holds its position only: what it has not sent yet is read from the log, however slow its client. */
export class LiveFeed {
  readonly #deps: LiveFeedDeps;
  readonly #clients = new Set<SseClient>();

  constructor(deps: LiveFeedDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#clients.size + this.#deps.sockets().length;
  }

  /** Tells every stream that the log has grown. Call it once the events are durable. */
  notify(): void {
    for (const client of this.#clients) client.wake();
    for (const socket of this.#deps.sockets()) this.drainSocket(socket);
  }

  /** Shows a delta to whoever is there now. */
  publish(frame: DeltaFrame): void {
    for (const client of this.#clients) client.push(frame);
    const text = JSON.stringify(frame);
    for (const socket of this.#deps.sockets()) sendQuietly(socket, text);
  }

  /** A server-sent event stream from after `after` on; it ends after the final event. */
  openSse(after: number, gone: AbortSignal): Response {
    const encoder = new TextEncoder();
    let cursor = after;
    let wake: (() => void) | null = null;
    let keepAlive: ReturnType<typeof setInterval>;
    let client: SseClient;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const push = (frame: DeltaFrame) => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(`event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`));
        };
        client = { wake: () => wake?.(), push };
        this.#clients.add(client);
        // Its place is free at once, not only when the next write fails.
        gone.addEventListener("abort", () => this.#close(client, keepAlive));
        keepAlive = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(": keep-alive\n\n"));
        }, KEEP_ALIVE_MS);
      },
      pull: async (controller) => {
        for (;;) {
          const events = this.#deps.readEvents(cursor, PAGE_EVENTS);
          if (events.length > 0) {
            cursor = events.at(-1)!.seq;
            controller.enqueue(encoder.encode(events.map(formatSse).join("")));
            return;
          }
          const end = this.#deps.readEnd();
          if (end.isFinal && cursor >= end.lastSeq) {
            this.#close(client, keepAlive);
            controller.close();
            return;
          }
          await new Promise<void>((resolve) => (wake = resolve));
          wake = null;
        }
      },
      cancel: () => this.#close(client, keepAlive),
    }, { highWaterMark: 16 });
    return new Response(stream, { headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" } });
  }

  /** Sends a socket what it has not seen, and closes it after the final event. The position lives in the socket's attachment, so it survives hibernation. */
  drainSocket(socket: WebSocket): void {
    let cursor = Number((socket.deserializeAttachment() as { after?: number } | null)?.after ?? 0);
    for (let events = this.#deps.readEvents(cursor, PAGE_EVENTS); events.length > 0; events = this.#deps.readEvents(cursor, PAGE_EVENTS)) {
      for (const event of events) if (!sendQuietly(socket, JSON.stringify(event))) return;
      cursor = events.at(-1)!.seq;
      socket.serializeAttachment({ after: cursor });
    }
    const end = this.#deps.readEnd();
    if (end.isFinal && cursor >= end.lastSeq) socket.close(1000, "the workflow is final");
  }

  #close(client: SseClient, keepAlive: ReturnType<typeof setInterval>): void {
    clearInterval(keepAlive);
    this.#clients.delete(client);
  }
}

function formatSse(event: LoggedEvent): string {
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** A closing or closed socket throws on send; it needs no more events. */
function sendQuietly(socket: WebSocket, text: string): boolean {
  try {
    socket.send(text);
    return true;
  } catch {
    return false;
  }
}
