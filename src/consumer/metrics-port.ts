import type { CallObservation, CircuitState, MetricsSnapshot } from "../router/model-metrics.ts";

/** A circuit that is not simply closed. Times are Unix ms. */
export interface CircuitReport {
  state: CircuitState;
  /** Until when nothing is sent; null unless open. */
  openUntil: number | null;
}

/** The circuits of a provider's models that are not closed, by model id. A model that is absent is closed. */
export type CircuitReports = Record<string, CircuitReport>;

/** A model's limits per minute, from the tiers document; null where there is none. */
export interface RateLimits {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
}

/** Calls of one model that wait to be sent, oldest first, by the tokens that each may use. */
export interface RateRequest {
  model: string;
  limits: RateLimits;
  tokens: number[];
}

export interface RateLease {
  /** How many of the calls, from the first on, may be sent now. */
  granted: number;
  /** When the next may be asked for; 0 when all were granted. */
  waitMs: number;
}

/** What is asked of the object that measures one provider's models. */
export interface MetricsPort {
  /** Takes what was seen since the last time (nothing is fine) and tells the circuits as they are then. */
  observe(batch: CallObservation[]): Promise<CircuitReports>;
  /** Asks to be the one call that tries a model whose circuit is half-open. True at most once per probe; the probe's observation settles it. */
  acquireProbe(model: string): Promise<boolean>;
  leaseRate(request: RateRequest): Promise<RateLease>;
  /** The metrics as they are now, and not as last replicated. */
  readSnapshot(): Promise<MetricsSnapshot>;
}

/** What an attempt and the gateway see of the metrics. One per isolate. */
export interface ModelHealth {
  /** Advice of up to a minute ago, with the circuits as this isolate heard of them last. Null while nothing is known of any model. Never throws. */
  snapshot(providers: readonly string[]): Promise<MetricsSnapshot | null>;
  /** Hands in a call that ended. Returns at once; what cannot be delivered is lost. */
  observe(observation: CallObservation): void;
  /** Whether the caller may send the one probe of a half-open model. False when the object cannot be asked. */
  acquireProbe(provider: string, model: string): Promise<boolean>;
  /**
   * Waits until a call with this many tokens (input and output cap) fits in the model's limits. True at once for a model without limits,
   * and when the object cannot be asked: limits are advice, the provider's own refusal is the law. False when `signal` fired first.
   */
  acquireRate(provider: string, request: { model: string; limits: RateLimits; tokens: number }, signal: AbortSignal): Promise<boolean>;
}
