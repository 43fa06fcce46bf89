import type { LoggedEvent } from "../../../workflow/events.ts";
import type { DeltaFrame, StreamState } from "./live-stream.ts";

/** How often an idle stream sends a comment, so that proxies keep it open and a gone client is noticed. */
export const KEEP_ALIVE_MS = 15_000;
/** Comments in a row that found no room before a stream is ended: its client takes nothing, or is gone without a word. It can go on where it was. */
export const MAX_MISSED_COMMENTS = 4;
/** Chunks that wait for a slow client. */
const WAITING_CHUNKS = 16;

/** What a stream asks of the log, and tells it. */
export interface SseFeed {
  /** Settles once the log as it is now is durable. */
  settle: () => Promise<void>;
  /** Durable events after a seq, a page of them. */
  readDurable: (after: number) => LoggedEvent[];
  /** Whether nothing comes after a seq any more. */
  isOver: (after: number) => boolean;
  isInForce: (keyId: string | null) => Promise<boolean>;
  leave: (client: SseClient) => void;
}

/** One stream of server-sent events: what it has not sent yet is read when its client asks for more. */
export class SseClient {
  readonly body: ReadableStream<Uint8Array>;
  readonly #feed: SseFeed;
  readonly #keyId: string | null;
  readonly #encoder = new TextEncoder();
  #cursor: number;
  #isBegun = false;
  #isOpen = true;
  #wake: (() => void) | null = null;
  #missedComments = 0;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #keepAlive: ReturnType<typeof setInterval> | undefined;

  /** `gone` fires when the client has left: its place is free at once, not only when the next write fails. */
  constructor({ after, keyId }: StreamState, gone: AbortSignal, feed: SseFeed) {
    this.#cursor = after;
    this.#keyId = keyId;
    this.#feed = feed;
    this.body = new ReadableStream<Uint8Array>({ start: (controller) => this.#begin(controller, gone), pull: () => this.#pull(), cancel: () => this.#leave() }, { highWaterMark: WAITING_CHUNKS });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** There is more to show, or nothing to come. */
  wake(): void {
    this.#wake?.();
  }

  /** Shows what is not in the log, if there is room. Its key is looked after beside it. */
  push(frame: DeltaFrame): void {
    if (this.#hasRoom()) this.#send(`event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`);
    void this.#feed.isInForce(this.#keyId).then((isInForce) => (isInForce ? undefined : this.end()));
  }

  end(): void {
    if (!this.#isOpen) return;
    this.#leave();
    this.#controller.close();
  }

  #begin(controller: ReadableStreamDefaultController<Uint8Array>, gone: AbortSignal): void {
    this.#controller = controller;
    gone.addEventListener("abort", () => this.end());
    this.#keepAlive = setInterval(() => this.#comment(), KEEP_ALIVE_MS);
    if (gone.aborted) this.end();
  }

  async #pull(): Promise<void> {
    try {
      if (!this.#isBegun) await this.#feed.settle();
      this.#isBegun = true;
      while (this.#isOpen) {
        const events = this.#feed.readDurable(this.#cursor);
        if (events.length > 0) return await this.#show(events);
        if (this.#feed.isOver(this.#cursor)) return this.end();
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = null;
      }
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  async #show(events: readonly LoggedEvent[]): Promise<void> {
    if (this.#keyId !== null && !(await this.#feed.isInForce(this.#keyId))) return this.end();
    if (!this.#isOpen) return;
    this.#cursor = events.at(-1)!.seq;
    this.#send(events.map(formatEvent).join(""));
  }

  #comment(): void {
    this.#missedComments = this.#hasRoom() ? 0 : this.#missedComments + 1;
    if (this.#missedComments === 0) this.#send(": keep-alive\n\n");
    else if (this.#missedComments === MAX_MISSED_COMMENTS) this.end();
  }

  #hasRoom(): boolean {
    return (this.#controller.desiredSize ?? 0) > 0;
  }

  #send(text: string): void {
    this.#controller.enqueue(this.#encoder.encode(text));
  }

  #leave(): void {
    this.#isOpen = false;
    clearInterval(this.#keepAlive);
    this.#feed.leave(this);
    this.#wake?.();
  }
}

function formatEvent(event: LoggedEvent): string {
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
