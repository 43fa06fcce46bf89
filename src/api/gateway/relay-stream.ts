import { createEventFramer } from "./event-framer.ts";
import type { KeyFilter } from "../../router/redact-key.ts";
import type { EventWatch } from "./event-watch.ts";

/** How a streamed answer ended. */
export type StreamEnd =
  /** Whole, or its reader left: nothing is wrong with the provider. */
  | { kind: "passed_on" | "left" }
  /** `hasBegun`: the reader has been told in-band, since it had seen something already. `error`: what broke, null when it ended too early. */
  | { kind: "failed"; hasBegun: boolean; error: unknown };

export interface RelayOptions {
  watch: EventWatch;
  /** Blots the provider's key out of what comes. */
  filter: KeyFilter;
  /** Fires when the client has gone. */
  left: AbortSignal;
  /** Called once, as soon as there is something of an answer: gives the stream for the client. */
  onBegin: (body: ReadableStream<Uint8Array>) => void;
  /** Called for every piece that arrives. */
  onChunk: () => void;
  /** The event that tells the client what broke. */
  describe: (error: unknown) => Uint8Array;
}

/**
 * Passes a provider's stream on, event by event, as fast as the client reads. What comes before the answer is held back, so that
 * until then another model can take over. Settles when the stream is over on either side; never rejects.
 */
export async function relayStream(source: ReadableStream<Uint8Array>, options: RelayOptions): Promise<StreamEnd> {
  const { watch, filter } = options;
  const reader = source.getReader();
  const framer = createEventFramer();
  const held: Uint8Array[] = [];
  let isOver = false;
  /** What can be passed on of a piece. Sets `isOver` at the end. */
  const take = ({ done, value }: ReadableStreamReadResult<Uint8Array>): Uint8Array | null => {
    options.onChunk();
    isOver = done;
    const events = done ? framer.flush(filter.flush()) : framer.push(filter.push(value));
    return events === null ? null : watch.take(events);
  };
  try {
    while (!watch.hasBegun) {
      const events = take(await reader.read());
      if (events !== null) held.push(events);
      if (watch.hasBegun) break;
      if (isOver || watch.error !== null) {
        hangUp(reader);
        return { kind: "failed", hasBegun: false, error: watch.error };
      }
    }
  } catch (error) {
    return { kind: "failed", hasBegun: false, error };
  }
  return passOn({ reader, held, take, isOver: () => isOver }, options);
}

interface Begun {
  reader: ReadableStreamDefaultReader<Uint8Array>;
  held: Uint8Array[];
  take: (read: ReadableStreamReadResult<Uint8Array>) => Uint8Array | null;
  isOver: () => boolean;
}

function passOn({ reader, held, take, isOver }: Begun, { watch, left, onBegin, describe }: RelayOptions): Promise<StreamEnd> {
  return new Promise((resolve) => {
    const settle = (end: StreamEnd): void => {
      left.removeEventListener("abort", leave);
      resolve(end);
    };
    const leave = (): void => {
      hangUp(reader);
      settle({ kind: "left" });
    };
    const fail = (controller: ReadableStreamDefaultController<Uint8Array>, error: unknown): void => {
      controller.enqueue(describe(error));
      controller.close();
      settle({ kind: "failed", hasBegun: true, error });
    };
    const close = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
      if (watch.error === null && !watch.isComplete) return fail(controller, null);
      const missing = watch.error === null ? watch.finish() : null;
      if (missing !== null) controller.enqueue(missing);
      controller.close();
      settle(watch.error === null ? { kind: "passed_on" } : { kind: "failed", hasBegun: true, error: watch.error });
    };
    if (left.aborted) return leave();
    left.addEventListener("abort", leave, { once: true });
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            let events = held.shift() ?? null;
            while (events === null && !isOver()) events = take(await reader.read());
            if (events !== null) controller.enqueue(events);
            if (held.length > 0) return;
            // After an error that the provider itself reported there is nothing more to come.
            if (watch.error !== null) hangUp(reader);
            if (isOver() || watch.error !== null) close(controller);
          } catch (error) {
            if (!left.aborted) fail(controller, error);
          }
        },
        cancel: leave,
      },
      { highWaterMark: 0 },
    );
    onBegin(body);
  });
}

/** The provider stops; a failure to hang up changes nothing. */
function hangUp(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  void reader.cancel().catch(() => undefined);
}
