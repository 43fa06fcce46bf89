import { leaseModelRate, msOfCall, type BucketsByModel, type RateLimits } from "./token-bucket.ts";

/** How much of what flows into a model's limits one tenant may have taken ahead: by no more does its flood keep another waiting. */
export const WINDOW_MS = 2_000;
/** Calls that a tenant may have ahead however little flows in: with one alone, a place would stay empty whenever it asks again a little late. */
const LEAST_AHEAD = 2;
/** How soon one whose turn came, and whose place was taken, asks again at the least. */
const RETURN_MS = 500;

/** A call that wants to be sent. */
export interface RateRequest {
  tenant: string;
  model: string;
  limits: RateLimits;
  /** What the call may use: its input and its output cap. */
  tokens: number;
  /** Nothing is kept for a call that would have to wait longer. */
  maxWaitMs: number;
  /** It was told to ask again, and does. */
  isReturning: boolean;
}

/** `waitMs`: after how long the call may be sent; its place is kept. `askAgainMs`: it has a turn after so long, and no place yet. Neither: it cannot wait so long. */
export interface RateLease {
  waitMs: number | null;
  askAgainMs: number | null;
}

/** A call that has its place and was not sent yet. */
interface Ahead {
  at: number;
  tokens: number;
}

interface Line {
  ahead: Ahead[];
  /** When the last that was told to ask again has its turn (Unix ms). */
  lastTurnAt: number;
}

/**
 * Shares the limits of one provider's models among tenants. A place that is kept cannot be taken back, so a tenant has but few of them: the
 * rest of its calls stand in a line of its own. Tenants that all have lines thus get alike, and who had none waits for the places of the
 * others only. In memory: without it, places are kept in the order in which they are asked for.
 */
export class TenantLines {
  readonly #models = new Map<string, Map<string, Line>>();

  lease(byModel: BucketsByModel, call: RateRequest, context: { now: number; burstShare: number }): { byModel: BucketsByModel; lease: RateLease } {
    const { now } = context;
    const lines = this.#openModel(call.model, now);
    const line = lines.get(call.tenant) ?? { ahead: [], lastTurnAt: now };
    const taken = leaseModelRate(byModel, call, context);
    if (taken.waitMs === null) return { byModel, lease: { waitMs: null, askAgainMs: null } };
    const isTurn = call.isReturning || line.lastTurnAt <= now;
    if (taken.waitMs === 0 || (isTurn && hasRoom(line, call))) {
      if (taken.waitMs > 0) line.ahead.push({ at: now + taken.waitMs, tokens: call.tokens });
      lines.set(call.tenant, line);
      return { byModel: taken.byModel, lease: { waitMs: taken.waitMs, askAgainMs: null } };
    }
    const firstAt = line.ahead[0]?.at ?? now;
    const turnAt = call.isReturning ? Math.max(firstAt, now + RETURN_MS) : Math.max(line.lastTurnAt, firstAt) + msOfCall(call.limits, call.tokens, context.burstShare) * Math.max(1, lines.size);
    if (turnAt - now > call.maxWaitMs) return { byModel, lease: { waitMs: null, askAgainMs: null } };
    line.lastTurnAt = Math.max(line.lastTurnAt, turnAt);
    lines.set(call.tenant, line);
    return { byModel, lease: { waitMs: null, askAgainMs: Math.ceil(turnAt - now) } };
  }

  /** The tenants that have calls ahead or in line. */
  #openModel(model: string, now: number): Map<string, Line> {
    const lines = this.#models.get(model) ?? new Map<string, Line>();
    for (const [tenant, line] of lines) {
      line.ahead = line.ahead.filter(({ at }) => at > now);
      if (line.ahead.length === 0 && line.lastTurnAt <= now) lines.delete(tenant);
    }
    this.#models.set(model, lines);
    return lines;
  }
}

function hasRoom({ ahead }: Line, { tokens, limits }: RateRequest): boolean {
  if (ahead.length < LEAST_AHEAD) return true;
  const tokensAhead = ahead.reduce((sum, one) => sum + one.tokens, tokens);
  return ahead.length + 1 <= inWindow(limits.requestsPerMinute) && tokensAhead <= inWindow(limits.tokensPerMinute);
}

function inWindow(perMinute: number | null): number {
  return perMinute === null ? Infinity : (perMinute * WINDOW_MS) / 60_000;
}
