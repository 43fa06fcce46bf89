/** Longest wait a server may ask for: one hour (contract). */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/** The wait in ms that a `Retry-After` header asks for (seconds or an HTTP date), null when there is none or it makes no sense. */
export function readRetryAfterMs(header: string | null, nowMs: number): number | null {
  const value = header?.trim() ?? "";
  const waitMs = /^\d+(\.\d+)?$/.test(value) ? Math.ceil(Number(value) * 1_000) : value.endsWith("GMT") ? Date.parse(value) - nowMs : Number.NaN;
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS);
}
