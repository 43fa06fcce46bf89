import type { RetryPolicy } from "./spec/spec.ts";

/** Longest `Retry-After` that is honoured (contract): 1 hour. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * How long to wait before the attempt after the `failures`-th failure:
 * min(maxMs, initialMs · factor^(failures − 1)) × (0.5…1 with jitter), at least what the server asked for.
 * `random` is in [0, 1).
 */
export function computeRetryDelayMs(policy: RetryPolicy, failures: number, random: number, retryAfterMs: number | null): number {
  const exponential = Math.min(policy.maxMs, policy.initialMs * policy.factor ** (failures - 1));
  const delayMs = policy.jitter ? exponential * (0.5 + random / 2) : exponential;
  return Math.ceil(Math.max(delayMs, Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)));
}
