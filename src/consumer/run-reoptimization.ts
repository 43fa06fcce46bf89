import type { StoredDocument } from "../config/document-cache.ts";
import type { SettingsEdit } from "../config/edit-settings.ts";
import { layerSettings, type SettingsLayer } from "../config/settings-layers.ts";
import type { Settings } from "../config/settings.ts";
import type { StoredTiers, TierDocument } from "../config/tiers.ts";
import type { Problem } from "../errors.ts";
import type { LogEvent } from "../log.ts";
import type { EvidenceRow } from "../optimizer/reoptimization/evidence.ts";
import { evidenceSince, isSameThresholds, reoptimize, TIERS, type OptimizationDecision, type RoutingConfig } from "../optimizer/reoptimization/reoptimize.ts";

/** Who signs the settings that the re-optimizer changes. */
const AUTHOR = "reoptimizer";
/** Earlier decisions that count: at one run in a quarter of an hour, those of a day. */
const MAX_HISTORY = 100;

/** What the object that measures a provider's models tells of single calls. */
export interface EvidencePort {
  /** Sums over the calls since then (Unix ms), to within a step of the window. */
  readEvidence(since: number): Promise<EvidenceRow[]>;
}

export interface StoredDecision extends OptimizationDecision {
  id: number;
}

/** A decision with the documents as it changes them. Versions are those that it was made from: where one has changed since, nothing is done (409). */
export interface OptimizationChange {
  decision: OptimizationDecision;
  tiersVersion: number;
  /** JSON. Null: the order stays. */
  tiers: string | null;
  settingsVersion: number;
  settings: SettingsEdit | null;
}

/** What of the operator's object the re-optimizer needs. */
export interface OptimizationPort {
  readTiers(): Promise<{ version: number; json: string } | null>;
  readSettings(): Promise<StoredDocument<SettingsLayer>>;
  /** Newest first. The cursor is the id that the page before ended with. */
  listOptimizations(query: { limit: number; before: number | null }): Promise<StoredDecision[]>;
  /** Stores the decision and what it changes, all or nothing. */
  applyOptimization(change: OptimizationChange): Promise<{ id: number; tiersVersion: number; settings: StoredDocument<SettingsLayer> } | Problem>;
}

export interface ReoptimizationDeps {
  operator: OptimizationPort;
  /** The document that holds where none was put. */
  defaultTiers: TierDocument;
  /** What the operator's settings lie over. */
  baseSettings: Settings;
  evidence: (provider: string) => EvidencePort;
  publishTiers: (stored: StoredTiers) => Promise<void>;
  publishSettings: (stored: StoredDocument<SettingsLayer>) => Promise<void>;
  now: () => number;
  log: (event: LogEvent) => void;
}

/** Measures, decides, and unless it is a dry run stores what it decided. A decision that changes nothing is not stored and has no id. */
export async function runReoptimization(deps: ReoptimizationDeps, { dryRun }: { dryRun: boolean }): Promise<{ id: number | null; decision: OptimizationDecision } | Problem> {
  const { operator, now } = deps;
  const [storedTiers, storedSettings, history] = await Promise.all([operator.readTiers(), operator.readSettings(), operator.listOptimizations({ limit: MAX_HISTORY, before: null })]);
  const document = storedTiers === null ? deps.defaultTiers : (JSON.parse(storedTiers.json) as TierDocument);
  const settings = layerSettings(deps.baseSettings, storedSettings.document).routing;
  const config: RoutingConfig = { tiers: document.tiers, thresholds: { weakMaxScore: settings.weakMaxScore, baseMaxScore: settings.baseMaxScore } };
  const evidence = await collectEvidence(document, evidenceSince(config, history, settings, now()), deps);
  const decision = reoptimize({ config, history, evidence, settings, now: now() });
  if (dryRun || decision.kind === "none") return { id: null, decision };

  const tiers = isSameOrder(decision) ? null : { ...document, tiers: decision.after.tiers };
  const patch = { routing: { ...decision.after.thresholds } };
  const applied = await operator.applyOptimization({
    decision,
    tiersVersion: storedTiers?.version ?? 0,
    tiers: tiers === null ? null : JSON.stringify(tiers),
    settingsVersion: storedSettings.version,
    settings: isSameThresholds(decision.before.thresholds, decision.after.thresholds) ? null : { edit: { kind: "patch", patch }, below: deps.baseSettings, author: AUTHOR, isOperator: true },
  });
  if ("problem" in applied) return applied;
  deps.log({ event: "routing.reoptimized", id: applied.id, kind: decision.kind, reasons: decision.reasons.join(" ") });
  const published = await Promise.allSettled([
    ...(tiers === null ? [] : [deps.publishTiers({ version: applied.tiersVersion, document: tiers })]),
    ...(applied.settings.version === storedSettings.version ? [] : [deps.publishSettings(applied.settings)]),
  ]);
  for (const publication of published) if (publication.status === "rejected") throw publication.reason;
  return { id: applied.id, decision };
}

function isSameOrder({ before, after }: OptimizationDecision): boolean {
  return TIERS.every((tier) => JSON.stringify(before.tiers[tier]) === JSON.stringify(after.tiers[tier]));
}

/** Of all providers; what one that does not answer has seen is missing, so its models keep their places. */
async function collectEvidence(document: TierDocument, since: number, deps: ReoptimizationDeps): Promise<EvidenceRow[]> {
  const read = async (provider: string): Promise<EvidenceRow[]> => {
    try {
      return await deps.evidence(provider).readEvidence(since);
    } catch (error) {
      deps.log({ event: "metrics.failed", message: String(error) });
      return [];
    }
  };
  const rows = await Promise.all(document.providers.map(({ id }) => read(id)));
  // A model that has left its tier is no longer judged in it.
  return rows.flat().filter(({ tier, model }) => document.tiers[tier].includes(model));
}
