export const DAY_MS = 86_400_000;

/** The UTC day that a time (Unix ms) lies in: days since 1970-01-01. */
export function dayOf(time: number): number {
  return Math.floor(time / DAY_MS);
}
