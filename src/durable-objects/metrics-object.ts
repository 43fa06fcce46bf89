import { DurableObject } from "cloudflare:workers";
import type { MetricsPort } from "../consumer/metrics-port.ts";
import type { EvidencePort } from "../consumer/run-reoptimization.ts";
import { createMetricsDeps, type MetricsDeps } from "../deps.ts";
import { foldEvidence, readEvidence, type EvidenceRow } from "../optimizer/reoptimization/evidence.ts";
import { foldObservations, readCircuits, snapshotMetrics, takeProbe, type CircuitReports } from "../router/metrics/metrics-fold.ts";
import type { CallObservation, MetricsSnapshot } from "../router/metrics/model-metrics.ts";
import { TenantLines, type RateLease, type RateRequest } from "../router/tenant-lines.ts";
import { MetricsStore, type Measured } from "./metrics/metrics-store.ts";

/** How long what was measured may be in memory only. A circuit that changes is saved at once. */
const SAVE_AFTER_MS = 1_000;

/** Measures the models of one provider, holds their circuits and their limits per minute. Its alarm saves and replicates what is new. */
export class MetricsObject extends DurableObject<Env> implements MetricsPort, EvidencePort {
  readonly #store: MetricsStore;
  readonly #deps: MetricsDeps;
  #measured: Measured;
  #saved: Measured;
  /** The models as last replicated. */
  #published: Measured["metrics"] | null = null;
  readonly #lines = new TenantLines();
  #isArmed = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#deps = createMetricsDeps(env);
    this.#store = new MetricsStore(ctx.storage);
    this.#saved = this.#store.read();
    this.#measured = { ...this.#saved, provider: this.#saved.provider ?? ctx.id.name ?? null };
  }

  async observe(batch: CallObservation[]): Promise<CircuitReports> {
    if (batch.length === 0) return readCircuits(this.#measured.metrics, Date.now());
    const { routing } = await this.#deps.settings();
    const now = Date.now();
    const before = readCircuits(this.#measured.metrics, now);
    this.#change({
      metrics: foldObservations(this.#measured.metrics, batch, now, routing),
      evidence: foldEvidence(this.#measured.evidence, batch, now, routing.reoptimizeWindowMs),
    });
    const after = readCircuits(this.#measured.metrics, now);
    if (JSON.stringify(before) !== JSON.stringify(after)) this.#save();
    return after;
  }

  async acquireProbe(model: string): Promise<boolean> {
    const { state, isGranted } = takeProbe(this.#measured.metrics, model, Date.now());
    if (state !== this.#measured.metrics) this.#change({ metrics: state });
    return isGranted;
  }

  async leaseRate(request: RateRequest): Promise<RateLease> {
    const { routing } = await this.#deps.settings();
    const { byModel, lease } = this.#lines.lease(this.#measured.buckets, request, { now: Date.now(), burstShare: routing.rateBurstShare });
    if (lease.waitMs !== null) this.#change({ buckets: byModel });
    return lease;
  }

  async readEvidence(since: number): Promise<EvidenceRow[]> {
    const { routing } = await this.#deps.settings();
    return readEvidence(this.#measured.evidence, { since, now: Date.now(), windowMs: routing.reoptimizeWindowMs });
  }

  async readSnapshot(): Promise<MetricsSnapshot> {
    const { routing } = await this.#deps.settings();
    return snapshotMetrics(this.#measured.metrics, Date.now(), routing);
  }

  /** Never throws: an alarm that fails too often would not come again. */
  override async alarm(): Promise<void> {
    this.#isArmed = false;
    try {
      this.#save();
      await this.#publish();
    } catch (error) {
      this.#deps.log({ event: "metrics.failed", message: String(error) });
    }
    if (this.#saved !== this.#measured || this.#published !== this.#measured.metrics) this.#arm();
  }

  #change(change: Partial<Measured>): void {
    this.#measured = { ...this.#measured, ...change };
    this.#arm();
  }

  #save(): void {
    this.#store.save(this.#measured, this.#saved);
    this.#saved = this.#measured;
  }

  /** The store takes one write per key and second, so the time of each is kept over restarts, and counted from its end. */
  async #publish(): Promise<void> {
    const { routing } = await this.#deps.settings();
    const now = Date.now();
    const { metrics, publishedAt, provider } = this.#measured;
    if (metrics === this.#published || now < publishedAt + routing.metricsPublishMs) return;
    this.#measured = { ...this.#measured, publishedAt: now };
    this.#save();
    if (provider !== null) await this.#deps.publish(provider, snapshotMetrics(metrics, now, routing));
    this.#published = metrics;
    this.#measured = { ...this.#measured, publishedAt: Date.now() };
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    void this.ctx.storage.setAlarm(Date.now() + SAVE_AFTER_MS);
  }
}
