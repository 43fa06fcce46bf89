import { STREAM_KEY_HEADER } from "../api/workflow-port.ts";
import type { LoggedEvent } from "../workflow/events.ts";

/** Streams (SSE and WebSocket together) that one workflow serves at once. */
export const MAX_STREAMS = 100;
/** Events read from the log at once for one stream. */
const PAGE_EVENTS = 500;
/** How often an idle SSE stream sends a comment, so that proxies keep it open and a gone client is noticed. */
export const KEEP_ALIVE_MS = 15_000;
/** Comments in a row that found no room before a stream is ended: its client takes nothing, or is gone without a word. It can go on where it was. */
export const MAX_MISSED_COMMENTS = 4;
/** Chunks that wait for a slow client. */
const WAITING_CHUNKS = 16;

export interface LiveFeedDeps {
  readEvents: (after: number, limit: number) => LoggedEvent[];
  /** The newest event's seq, and whether the workflow is final: a stream ends after that event. */
  readEnd: () => { lastSeq: number; isFinal: boolean };
  /** Settles once all that was written so far is durable. */
  sync: () => Promise<void>;
  sockets: () => WebSocket[];
  /** Accepts a socket that then outlives the object's memory. */
  hibernate: (socket: WebSocket) => void;
  /** Whether the key that opened a stream is still in force. */
  isInForce: (keyId: string) => Promise<boolean>;
}

/** Where a stream stands; of a socket it is kept over hibernation. */
interface StreamState {
  /** The seq of the last event that was sent. */
  after: number;
  /** The key that opened it, itself or by a stream token; null: the root key. */
  keyId: string | null;
}

/** Of a socket that is closed because its key is no longer in force (RFC 6455, 7.4.1: policy). */
const CLOSED_BY_POLICY = 1008;

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
  end: () => void;
}

/**
 * Live cursors on a workflow's event log. A stream holds its position only: what it has not sent yet is read from the log, however slow its
 * client. The log in the object's database is ahead of the disk for a moment, and the runtime holds back answers until then, but not the
 * chunks of an answer that has begun: a stream shows what is known to be durable, and nothing beyond.
 */
export class LiveFeed {
  readonly #deps: LiveFeedDeps;
  readonly #clients = new Set<SseClient>();
  /** The newest event that is known to be durable. */
  #durableSeq = 0;
  /** How many workflows of this id were closed here: the log of the next begins anew. */
  #workflow = 0;

  constructor(deps: LiveFeedDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#clients.size + this.#deps.sockets().length;
  }

  /** Shows every stream by how much the log has grown, once that is durable. */
  async announce(): Promise<void> {
    if (this.size === 0) return;
    await this.#settle();
    for (const client of this.#clients) client.wake();
    for (const socket of this.#deps.sockets()) void this.#show(socket);
  }

  /** Ends all streams: the workflow is gone, and another may take its id. */
  close(reason: string): void {
    this.#durableSeq = 0;
    this.#workflow += 1;
    for (const client of this.#clients) client.end();
    for (const socket of this.#deps.sockets()) socket.close(1000, reason);
  }

  /** Shows a delta to whoever is there now. Keys are looked after beside it: what is shown while their answer is under way is shown in time. */
  publish(frame: DeltaFrame): void {
    for (const client of this.#clients) client.push(frame);
    const text = JSON.stringify(frame);
    for (const socket of this.#deps.sockets()) {
      sendQuietly(socket, text);
      void this.#holds(socket);
    }
  }

  /** Answers a request for a stream (`?after=`): a WebSocket under `…/socket`, else server-sent events. */
  async open(request: Request): Promise<Response> {
    if (this.size >= MAX_STREAMS) return new Response(null, { status: 429, headers: { "retry-after": "5" } });
    const { pathname, searchParams } = new URL(request.url);
    const position = { after: Number(searchParams.get("after") ?? 0), keyId: request.headers.get(STREAM_KEY_HEADER) };
    return pathname.endsWith("/socket") ? this.#openSocket(position) : this.openSse(position, request.signal);
  }

  async #openSocket(state: StreamState): Promise<Response> {
    const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket];
    // A socket that only shows what is over has no reason to hibernate, and the runtime closes an ordinary one at once.
    if (this.#deps.readEnd().isFinal) server.accept();
    else this.#deps.hibernate(server);
    await this.begin(server, state);
    return new Response(null, { status: 101, webSocket: client });
  }

  /** A server-sent event stream from after `after` on; it ends after the final event, or once its key (null: the root key) is no longer in force. `gone` fires when the client has left. */
  openSse({ after, keyId }: StreamState, gone: AbortSignal): Response {
    const encoder = new TextEncoder();
    let cursor = after;
    let wake: (() => void) | null = null;
    let isOpen = true;
    let missed = 0;
    let keepAlive: ReturnType<typeof setInterval>;
    let client: SseClient;
    const leave = (): void => {
      isOpen = false;
      clearInterval(keepAlive);
      this.#clients.delete(client);
      wake?.();
    };
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const hasRoom = (): boolean => (controller.desiredSize ?? 0) > 0;
        const end = (): void => {
          if (!isOpen) return;
          leave();
          controller.close();
        };
        const push = (frame: DeltaFrame): void => {
          if (hasRoom()) controller.enqueue(encoder.encode(`event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`));
          void this.#isInForce(keyId).then((isInForce) => (isInForce ? undefined : end()));
        };
        client = { wake: () => wake?.(), push, end };
        this.#clients.add(client);
        // Its place is free at once, not only when the next write fails.
        gone.addEventListener("abort", end);
        keepAlive = setInterval(() => {
          missed = hasRoom() ? 0 : missed + 1;
          if (missed === 0) controller.enqueue(encoder.encode(": keep-alive\n\n"));
          else if (missed === MAX_MISSED_COMMENTS) end();
        }, KEEP_ALIVE_MS);
        if (gone.aborted) end();
      },
      pull: async (controller) => {
        try {
          if (cursor === after) await this.#settle();
          for (let events = this.#readDurable(cursor); isOpen; events = this.#readDurable(cursor)) {
            if (events.length > 0) {
              if (keyId !== null && !(await this.#isInForce(keyId))) return client.end();
              if (!isOpen) return;
              cursor = events.at(-1)!.seq;
              return controller.enqueue(encoder.encode(events.map(formatSse).join("")));
            }
            if (this.#isOver(cursor)) return client.end();
            await new Promise<void>((resolve) => (wake = resolve));
            wake = null;
          }
        } catch (error) {
          leave();
          throw error;
        }
      },
      cancel: leave,
    }, { highWaterMark: WAITING_CHUNKS });
    return new Response(stream, { headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" } });
  }

  /** Takes a new socket, and sends it all that is there after its position. */
  async begin(socket: WebSocket, state: StreamState): Promise<void> {
    socket.serializeAttachment(state);
    await this.#settle();
    this.#drain(socket);
  }

  /** Sends a socket what is new, if its key is in force. */
  async #show(socket: WebSocket): Promise<void> {
    if (stateOf(socket).keyId === null || (await this.#holds(socket))) this.#drain(socket);
  }

  /** Whether a socket may be shown more; closes it otherwise. */
  async #holds(socket: WebSocket): Promise<boolean> {
    const isInForce = await this.#isInForce(stateOf(socket).keyId);
    if (!isInForce) socket.close(CLOSED_BY_POLICY, "the key was revoked");
    return isInForce;
  }

  async #isInForce(keyId: string | null): Promise<boolean> {
    return keyId === null || this.#deps.isInForce(keyId);
  }

  async #settle(): Promise<void> {
    const { lastSeq } = this.#deps.readEnd();
    const workflow = this.#workflow;
    if (lastSeq <= this.#durableSeq) return;
    await this.#deps.sync();
    if (workflow === this.#workflow) this.#durableSeq = Math.max(this.#durableSeq, lastSeq);
  }

  #readDurable(after: number): LoggedEvent[] {
    const limit = Math.min(PAGE_EVENTS, this.#durableSeq - after);
    return limit <= 0 ? [] : this.#deps.readEvents(after, limit);
  }

  #isOver(cursor: number): boolean {
    const { lastSeq, isFinal } = this.#deps.readEnd();
    return isFinal && cursor >= lastSeq;
  }

  /** Sends a socket what it has not seen, and closes it after the final event. The position lives in the socket's attachment, so it survives hibernation. */
  #drain(socket: WebSocket): void {
    const { after, keyId } = stateOf(socket);
    let cursor = after;
    for (let events = this.#readDurable(cursor); events.length > 0; events = this.#readDurable(cursor)) {
      for (const event of events) if (!sendQuietly(socket, JSON.stringify(event))) return;
      cursor = events.at(-1)!.seq;
      socket.serializeAttachment({ after: cursor, keyId });
    }
    if (this.#isOver(cursor)) socket.close(1000, "the workflow is final");
  }
}

/** As `begin` left it; of a socket that an earlier release opened, the position alone. */
function stateOf(socket: WebSocket): StreamState {
  const { after = 0, keyId = null } = (socket.deserializeAttachment() ?? {}) as Partial<StreamState>;
  return { after, keyId };
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
