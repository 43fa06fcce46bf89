/** A model's limits per minute, from the tiers document; null where there is none. */
export interface RateLimits {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
}

/** What is left of a limit. Negative when places are kept for calls that wait. */
interface Bucket {
  level: number;
  /** Unix ms. */
  at: number;
}

/** The buckets of one model, as plain data; null where nothing was ever taken. */
export interface RateBuckets {
  requests: Bucket | null;
  tokens: Bucket | null;
}

/** The buckets of a provider's models, by model id. */
export type BucketsByModel = Readonly<Record<string, RateBuckets>>;

/** Models of one provider with limits: as many as a tiers document has. The one asked for longest ago goes first. */
export const MAX_LIMITED_MODELS = 500;

interface BucketRule {
  capacity: number;
  perMs: number;
}

/** A minute, and the millisecond that rounding up may bring two calls closer together. */
const MINUTE_MS = 60_001;

/** As `leaseRate`, for one of a provider's models. */
export function leaseModelRate(
  byModel: BucketsByModel,
  call: { model: string; limits: RateLimits; tokens: number; maxWaitMs: number },
  context: { now: number; burstShare: number },
): { byModel: BucketsByModel; waitMs: number | null } {
  const { [call.model]: known = { requests: null, tokens: null }, ...others } = byModel;
  const { buckets, waitMs } = leaseRate(known, call, context);
  if (waitMs === null) return { byModel, waitMs };
  const entries = Object.entries(others);
  // Written last, each time it is asked for.
  return { byModel: { ...Object.fromEntries(entries.slice(Math.max(0, entries.length + 1 - MAX_LIMITED_MODELS))), [call.model]: buckets }, waitMs };
}

/**
 * Keeps a place for one call and says after how long it may be sent; null, and nothing is kept, when that is later than `maxWaitMs`.
 * Calls are sent in the order in which they ask. In no minute are more than the limit sent, however they ask: what may go at one moment
 * (`burstShare` of the limit) is taken off what flows in. Only a single call that is itself larger than that moment's share exceeds it, by the difference.
 */
export function leaseRate(
  buckets: RateBuckets,
  call: { limits: RateLimits; tokens: number; maxWaitMs: number },
  { now, burstShare }: { now: number; burstShare: number },
): { buckets: RateBuckets; waitMs: number | null } {
  const { requestsPerMinute, tokensPerMinute } = call.limits;
  const requests = requestsPerMinute === null ? null : take(buckets.requests, 1, requestRule(requestsPerMinute, burstShare), now);
  const tokens = tokensPerMinute === null ? null : take(buckets.tokens, call.tokens, tokenRule(tokensPerMinute, burstShare), now);
  const waitMs = Math.ceil(Math.max(requests?.waitMs ?? 0, tokens?.waitMs ?? 0));
  if (waitMs > call.maxWaitMs) return { buckets, waitMs: null };
  return { buckets: { requests: requests?.bucket ?? null, tokens: tokens?.bucket ?? null }, waitMs };
}

/** For how long (ms) all that flows into the limits goes to one call. */
export function msOfCall(limits: RateLimits, tokens: number, burstShare: number): number {
  const { requestsPerMinute, tokensPerMinute } = limits;
  const ofRequest = requestsPerMinute === null ? 0 : 1 / requestRule(requestsPerMinute, burstShare).perMs;
  return Math.max(ofRequest, tokensPerMinute === null ? 0 : tokens / tokenRule(tokensPerMinute, burstShare).perMs);
}

/** Requests are whole: of two that are a minute apart, one belongs to the next minute. */
function requestRule(perMinute: number, burstShare: number): BucketRule {
  const capacity = Math.max(1, Math.floor(perMinute * burstShare));
  return { capacity, perMs: (perMinute - capacity + 1) / MINUTE_MS };
}

function tokenRule(perMinute: number, burstShare: number): BucketRule {
  // At a share of 1 nothing would flow in.
  const capacity = perMinute * Math.min(burstShare, MAX_TOKEN_BURST);
  return { capacity, perMs: (perMinute - capacity) / MINUTE_MS };
}

/** Half of a minute's tokens at once leaves the other half to flow in. */
const MAX_TOKEN_BURST = 0.5;

function take(bucket: Bucket | null, amount: number, { capacity, perMs }: BucketRule, now: number): { bucket: Bucket; waitMs: number } {
  const refilled = bucket === null ? capacity : Math.min(capacity, bucket.level + Math.max(0, now - bucket.at) * perMs);
  const level = refilled - amount;
  return { bucket: { level, at: Math.max(now, bucket?.at ?? now) }, waitMs: Math.max(0, -level) / perMs };
}
