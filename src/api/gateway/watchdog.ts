import type { FirstTokenLimit } from "../../consumer/agents/call-with-fallback.ts";

/** Ends a request whose client left, or whose provider fell silent, and calls that are late to begin their answers. */
export interface Watchdog {
  /** Of the call that is made now. Fires for either; after a call that was late the next has another one. */
  readonly signal: AbortSignal;
  /** Fires when the client left. */
  left: AbortSignal;
  /** Something arrived. */
  touch: () => void;
  /** Gives the call that is made now up after so long, unless it has begun its answer. */
  limitFirstToken: (limitMs: number) => FirstTokenLimit;
  stop: () => void;
}

export interface WatchdogOptions {
  silenceMs: number;
  /** The first look at the clock: the least of all limits, so that the timer seldom has to be set anew. */
  firstLookMs: number;
  client: AbortSignal;
  now: () => number;
}

/**
 * One timer for a request, set anew when it fires too early, and one controller until a call is late: both are dear, more than what they
 * watch over, and one of each for every chunk or every call would cost more still.
 */
export function createWatchdog({ silenceMs, firstLookMs, client, now }: WatchdogOptions): Watchdog {
  let controller = new AbortController();
  let touchedAt = now();
  /** When the call that is made now must have begun its answer. */
  let firstTokenBy = Infinity;
  const leave = (): void => controller.abort(client.reason);
  const check = (): void => {
    if (controller.signal.aborted) return;
    const at = now();
    if (touchedAt + silenceMs <= at) return controller.abort(new Error(`there was nothing to be heard for ${silenceMs} ms`));
    if (firstTokenBy <= at) {
      firstTokenBy = Infinity;
      controller.abort();
      controller = new AbortController();
    }
    look();
  };
  const look = (): void => {
    looksAt = Math.min(touchedAt + silenceMs, firstTokenBy);
    timer = setTimeout(check, looksAt - now());
  };
  let looksAt = touchedAt + Math.min(silenceMs, firstLookMs);
  let timer = setTimeout(check, looksAt - touchedAt);
  if (client.aborted) leave();
  else client.addEventListener("abort", leave, { once: true });
  const lift = (): void => {
    firstTokenBy = Infinity;
  };
  return {
    get signal() {
      return controller.signal;
    },
    left: client,
    touch: () => {
      touchedAt = now();
    },
    limitFirstToken: (limitMs) => {
      firstTokenBy = now() + limitMs;
      if (firstTokenBy < looksAt) {
        clearTimeout(timer);
        look();
      }
      return { signal: controller.signal, lift, stop: lift };
    },
    stop: () => {
      clearTimeout(timer);
      client.removeEventListener("abort", leave);
    },
  };
}
