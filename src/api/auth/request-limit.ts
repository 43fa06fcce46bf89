import { RecentMap } from "../../recent-map.ts";

/** The platform's window, and ours: a minute by the clock. */
const WINDOW_MS = 60_000;
/** After the platform refused, the isolate refuses by itself for so long: a flood must not be passed on to be counted. */
const HOLD_MS = 5_000;
/** Tenants that are counted at once; a count that is displaced begins anew. */
const MAX_TENANTS = 10_000;

/** A counter of the platform with a limit of its own, which is fixed when the Worker is deployed: so many requests a minute for each key. */
export interface RequestCounter {
  limit: number;
  take: (key: string) => Promise<boolean>;
}

interface Window {
  minute: number;
  count: number;
  /** Index of the first key that may have room. */
  firstKey: number;
  refusedUntil: number;
}

export interface RequestLimit {
  /** Counts one request of a tenant. Null, or when it may be tried again. */
  take(tenant: string, requestsPerMinute: number): Promise<{ retryAfterMs: number } | null>;
}

/**
 * Limits a tenant's requests to any number a minute with counters whose limits are fixed. A counter of ten thousand under one key of the
 * tenant's lets ten thousand through, under two keys twenty: the digits of the limit say how many keys of each counter there are, and a
 * request that finds no room under one key goes on to the next. `counters`: powers of ten from one on, ascending; none where there is no
 * platform to count, and then the isolate counts alone.
 */
export function createRequestLimit(counters: readonly RequestCounter[], deps: { now: () => number; onFault: (error: unknown) => void }): RequestLimit {
  const windows = new RecentMap<string, Window>(MAX_TENANTS);
  const open = (tenant: string, minute: number): Window => {
    const known = windows.get(tenant);
    if (known?.minute === minute) return known;
    const window = { minute, count: 0, firstKey: 0, refusedUntil: known?.refusedUntil ?? 0 };
    windows.set(tenant, window);
    return window;
  };
  return {
    async take(tenant, requestsPerMinute) {
      const now = deps.now();
      const minute = Math.floor(now / WINDOW_MS);
      const window = open(tenant, minute);
      const endsInMs = (minute + 1) * WINDOW_MS - now;
      // What one isolate has counted is exact, and costs nothing.
      if (window.count >= requestsPerMinute) return { retryAfterMs: endsInMs };
      if (now < window.refusedUntil) return { retryAfterMs: window.refusedUntil - now };
      window.count += 1;
      try {
        if (counters.length === 0 || (await takeKey(tenant, requestsPerMinute, window, counters))) return null;
      } catch (error) {
        // Without the platform's count there is still our own.
        deps.onFault(error);
        return null;
      }
      window.count -= 1;
      window.refusedUntil = now + Math.min(HOLD_MS, endsInMs);
      return { retryAfterMs: window.refusedUntil - now };
    },
  };
}

async function takeKey(tenant: string, requestsPerMinute: number, window: Window, counters: readonly RequestCounter[]): Promise<boolean> {
  const keys = listKeys(requestsPerMinute, counters);
  for (let index = window.firstKey; index < keys.length; index += 1) {
    const { counter, number } = keys[index]!;
    if (await counter.take(`${tenant}:${number}`)) return true;
    window.firstKey = Math.max(window.firstKey, index + 1);
  }
  // The platform's minute may begin elsewhere than ours.
  window.firstKey = 0;
  return false;
}

/** The largest counter first: most requests find room under the first key. */
function listKeys(requestsPerMinute: number, counters: readonly RequestCounter[]): { counter: RequestCounter; number: number }[] {
  let left = requestsPerMinute;
  return counters.toReversed().flatMap((counter) => {
    const copies = Math.floor(left / counter.limit);
    left -= copies * counter.limit;
    return Array.from({ length: copies }, (_, number) => ({ counter, number }));
  });
}
