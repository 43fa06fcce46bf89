import type { EvidenceState, EvidenceStep } from "../../optimizer/reoptimization/evidence.ts";
import type { MetricsState, ModelState } from "../../router/metrics/metrics-fold.ts";
import type { BucketsByModel, RateBuckets } from "../../router/token-bucket.ts";
import { migrate } from "../storage/migrate.ts";
import { METRICS_MIGRATIONS } from "./metrics-migrations.ts";

/** What a metrics object holds of its provider's models. */
export interface Measured {
  metrics: MetricsState;
  buckets: BucketsByModel;
  evidence: EvidenceState;
  /** Unix ms; 0 when never. */
  publishedAt: number;
  /** Null until it is known. */
  provider: string | null;
}

/** The SQL of a metrics object, and the only place of it. */
export class MetricsStore {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
    storage.transactionSync(() => migrate(this.#sql, METRICS_MIGRATIONS));
  }

  read(): Measured {
    const rows = this.#sql.exec("SELECT id, metrics, buckets FROM models").toArray();
    const parse = (column: "metrics" | "buckets") => rows.map((row): [string, unknown] => [String(row["id"]), JSON.parse(String(row[column]))]).filter(([, value]) => value !== null);
    const published = this.#sql.exec("SELECT at, provider FROM published").one();
    return {
      metrics: Object.fromEntries(parse("metrics")) as MetricsState,
      buckets: Object.fromEntries(parse("buckets")) as Record<string, RateBuckets>,
      evidence: Object.fromEntries(this.#sql.exec("SELECT start, json FROM evidence").toArray().map((row) => [String(row["start"]), JSON.parse(String(row["json"])) as EvidenceStep])),
      publishedAt: Number(published["at"]),
      provider: published["provider"] === null ? null : String(published["provider"]),
    };
  }

  /** Writes the models and steps of which anything is another object than in `saved`. */
  save(measured: Measured, saved: Measured): void {
    this.#storage.transactionSync(() => {
      for (const id of new Set([...Object.keys(measured.metrics), ...Object.keys(measured.buckets)])) {
        const metrics: ModelState | undefined = measured.metrics[id];
        const buckets: RateBuckets | undefined = measured.buckets[id];
        if (metrics === saved.metrics[id] && buckets === saved.buckets[id]) continue;
        this.#sql.exec("INSERT OR REPLACE INTO models VALUES (?, ?, ?)", id, JSON.stringify(metrics ?? null), JSON.stringify(buckets ?? null));
      }
      for (const id of [...Object.keys(saved.metrics), ...Object.keys(saved.buckets)]) {
        if (measured.metrics[id] === undefined && measured.buckets[id] === undefined) this.#sql.exec("DELETE FROM models WHERE id = ?", id);
      }
      for (const [start, step] of Object.entries(measured.evidence)) {
        if (step !== saved.evidence[start]) this.#sql.exec("INSERT OR REPLACE INTO evidence VALUES (?, ?)", Number(start), JSON.stringify(step));
      }
      for (const start of Object.keys(saved.evidence)) if (measured.evidence[start] === undefined) this.#sql.exec("DELETE FROM evidence WHERE start = ?", Number(start));
      if (measured.publishedAt !== saved.publishedAt || measured.provider !== saved.provider) this.#sql.exec("UPDATE published SET at = ?, provider = ?", measured.publishedAt, measured.provider);
    });
  }
}
