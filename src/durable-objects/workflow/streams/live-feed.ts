import { STREAM_KEY_HEADER } from "../../../api/ports/workflow-port.ts";
import type { LoggedEvent } from "../../../workflow/events.ts";
import type { DeltaFrame, StreamState } from "./live-stream.ts";
import { SseClient } from "./sse-client.ts";

/** Streams (SSE and WebSocket together) that one workflow serves at once. */
export const MAX_STREAMS = 100;
/** Events read from the log at once for one stream. */
const PAGE_EVENTS = 500;
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

/** Of a socket that is closed because its key is no longer in force (RFC 6455, 7.4.1: policy). */
const CLOSED_BY_POLICY = 1008;

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

  /** A server-sent event stream from after `after` on; it ends after the final event, or once its key (null: the root key) is no longer in force. */
  openSse(state: StreamState, gone: AbortSignal): Response {
    const client = new SseClient(state, gone, {
      settle: () => this.#settle(),
      readDurable: (after) => this.#readDurable(after),
      isOver: (after) => this.#isOver(after),
      isInForce: (keyId) => this.#isInForce(keyId),
      leave: (left) => this.#clients.delete(left),
    });
    if (client.isOpen) this.#clients.add(client);
    return new Response(client.body, { headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" } });
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

/** A closing or closed socket throws on send; it needs no more events. */
function sendQuietly(socket: WebSocket, text: string): boolean {
  try {
    socket.send(text);
    return true;
  } catch {
    return false;
  }
}
