import type { CircuitReports } from "../router/metrics/metrics-fold.ts";
import type { CallObservation, MetricsSnapshot } from "../router/metrics/model-metrics.ts";
import type { RateLease, RateRequest } from "../router/tenant-lines.ts";

/** What is asked of the object that measures one provider's models. */
export interface MetricsPort {
  /** Takes what was seen since the last time (nothing is fine) and tells the circuits as they are then. */
  observe(batch: CallObservation[]): Promise<CircuitReports>;
  /** Asks to be the one call that tries a model whose circuit is half-open; its observation settles the probe. True also when the circuit is closed by now. */
  acquireProbe(model: string): Promise<boolean>;
  /** A place for a call within its model's limits, or when to ask again for one. */
  leaseRate(request: RateRequest): Promise<RateLease>;
  /** The metrics as they are now, and not as last replicated. */
  readSnapshot(): Promise<MetricsSnapshot>;
}

/** What an attempt and the gateway see of the metrics. One per isolate. Nothing in it throws: what cannot be asked counts as healthy and free. */
export interface ModelHealth {
  /** Advice of up to a minute ago, with the circuits as this isolate heard of them last. Null while nothing is known of any model. */
  snapshot(providers: readonly string[]): Promise<MetricsSnapshot | null>;
  /** Hands in a call that ended. Returns at once; what cannot be delivered is lost. */
  observe(observation: CallObservation): void;
  /** Whether the caller may send the one probe of a half-open model. False when the object cannot be asked. */
  acquireProbe(provider: string, model: string): Promise<boolean>;
  /**
   * Waits until a call fits in its model's limits. True at once for a model without limits, and when the object cannot be asked, since
   * the provider's own refusal is the law. False when it would have to wait longer than `maxWaitMs` (any attempt's time, when left out), or `signal` fired first.
   */
  acquireRate(provider: string, request: Omit<RateRequest, "maxWaitMs" | "isReturning"> & { maxWaitMs?: number }, signal: AbortSignal): Promise<boolean>;
}
