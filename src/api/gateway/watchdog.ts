/** Ends a request whose client left, or whose provider fell silent. */
export interface Watchdog {
  /** Fires for either. */
  signal: AbortSignal;
  /** Fires when the client left. */
  left: AbortSignal;
  /** Something arrived. */
  touch: () => void;
  stop: () => void;
}

/** One timer for a request, set anew when it fires too early: a timer for every chunk would cost more than the chunk. */
export function createWatchdog(silenceMs: number, client: AbortSignal, now: () => number): Watchdog {
  const controller = new AbortController();
  const leave = (): void => controller.abort(client.reason);
  if (client.aborted) leave();
  else client.addEventListener("abort", leave, { once: true });
  let touchedAt = now();
  const check = (): void => {
    const leftMs = touchedAt + silenceMs - now();
    if (leftMs > 0) timer = setTimeout(check, leftMs);
    else controller.abort(new Error(`there was nothing to be heard for ${silenceMs} ms`));
  };
  let timer = setTimeout(check, silenceMs);
  return {
    signal: controller.signal,
    left: client,
    touch: () => {
      touchedAt = now();
    },
    stop: () => {
      clearTimeout(timer);
      client.removeEventListener("abort", leave);
    },
  };
}
