import { RecentMap } from "../../recent-map.ts";

/** Names that are limited at once; far more than are asked about within a second. */
export const MAX_NAMES = 1_000;

export interface LookupLimit {
  perSecond: number;
  burst: number;
}

/** Counts lookups by name, and answers whether one more is let through now. */
export function createLookupLimit({ perSecond, burst }: LookupLimit, now: () => number): (name: string) => boolean {
  const buckets = new RecentMap<string, { left: number; at: number }>(MAX_NAMES);
  return (name) => {
    const at = now();
    const { left, at: since } = buckets.get(name) ?? { left: burst, at };
    const refilled = Math.min(burst, left + (Math.max(0, at - since) * perSecond) / 1_000);
    buckets.set(name, { left: refilled >= 1 ? refilled - 1 : refilled, at });
    return refilled >= 1;
  };
}
