import { waitUntil } from "cloudflare:workers";
import { createEntrySender, type EntrySender } from "./api/gateway/entry-sender.ts";
import { OPERATOR_TENANT, readStoredTiers } from "./api/stored-tiers.ts";
import type { TenantPort } from "./api/ports/tenant-port.ts";
import type { WorkflowPort } from "./api/ports/workflow-port.ts";
import { createAllowanceCache, type AllowanceCache } from "./api/caches/allowance-cache.ts";
import { DocumentCache, type StoredDocument } from "./config/document-cache.ts";
import { createSettingsCache, type SettingsCache } from "./config/settings-cache.ts";
import type { SettingsLayer } from "./config/settings-layers.ts";
import { readSettings, type Settings } from "./config/settings.ts";
import type { StoredTiers, TierDocument } from "./config/tiers.ts";
import { ReductionCache } from "./consumer/agents/reduction-cache.ts";
import type { AttemptPort } from "./consumer/attempt-port.ts";
import { createFailureMemory, type FailureMemory } from "./consumer/failure-memory.ts";
import { createMetricsClient } from "./consumer/metrics-client.ts";
import type { MetricsPort, ModelHealth } from "./consumer/metrics-port.ts";
import type { EvidencePort } from "./consumer/run-reoptimization.ts";
import { createLog, type Log } from "./log.ts";
import type { MetricsSnapshot } from "./router/metrics/model-metrics.ts";
import type { EngineRegistry } from "./router/registry.ts";
import { TokenMargins } from "./optimizer/tokens/token-margin.ts";

/** KV keys of the replicas of documents, metrics and keys, and how long the edge may keep them. */
const TIERS_KEY = "tiers";
export const SETTINGS_KEY = "settings:";
export const METRICS_KEY = "metrics:";
export const KEY_KEY = "key:";
const DOCUMENT_CACHE_SECONDS = 60;
/** The least that the platform allows. */
const METRICS_CACHE_SECONDS = 30;
/** The least too: with the isolates' own copies, a revoked key stops within 60 s. */
export const KEY_CACHE_SECONDS = 30;

/** Everything read from the environment, once per isolate. */
interface Platform {
  baseSettings: Settings;
  settings: SettingsCache;
  log: Log;
  tiers: DocumentCache<TierDocument>;
  health: ModelHealth;
  failures: FailureMemory;
  registries: WeakMap<TierDocument, EngineRegistry>;
  reductions: ReductionCache;
  margins: TokenMargins;
  /** Enters what the gateway called into a tenant's ledger and stats. */
  entries: EntrySender;
  allowances: AllowanceCache;
}

const platforms = new WeakMap<Env, Platform>();

export function openPlatform(env: Env): Platform {
  const known = platforms.get(env);
  if (known !== undefined) return known;
  const tiers = new DocumentCache<TierDocument>({
    now: Date.now,
    sleep: waitFor,
    readReplica: () => env.CONFIG.get<StoredTiers>(TIERS_KEY, { type: "json", cacheTtl: DOCUMENT_CACHE_SECONDS }),
    readOrigin: () => readStoredTiers(openTenant(env, OPERATOR_TENANT)),
    writeReplica: (stored) => env.CONFIG.put(TIERS_KEY, JSON.stringify(stored)),
  });
  const baseSettings = readSettings(env.SETTINGS);
  const log = createLog(env.LOG_LEVEL);
  const platform: Platform = {
    baseSettings,
    settings: openSettings(env, baseSettings),
    log,
    tiers,
    health: openHealth(env, log),
    failures: createFailureMemory(),
    registries: new WeakMap(),
    reductions: new ReductionCache(),
    margins: new TokenMargins(),
    entries: openEntries(env, log),
    allowances: openAllowances(env, log),
  };
  platforms.set(env, platform);
  return platform;
}

function openSettings(env: Env, base: Settings): SettingsCache {
  return createSettingsCache({
    base,
    operator: OPERATOR_TENANT,
    openLayer: (tenant) =>
      new DocumentCache<SettingsLayer>({
        now: Date.now,
        sleep: waitFor,
        readReplica: () => env.CONFIG.get<StoredDocument<SettingsLayer>>(SETTINGS_KEY + tenant, { type: "json", cacheTtl: DOCUMENT_CACHE_SECONDS }),
        readOrigin: () => openTenant(env, tenant).readSettings(),
        writeReplica: (stored) => env.CONFIG.put(SETTINGS_KEY + tenant, JSON.stringify(stored)),
      }),
  });
}

function openHealth(env: Env, log: Log): ModelHealth {
  return createMetricsClient({
    now: Date.now,
    sleep: waitFor,
    object: (provider) => openMetrics(env, provider),
    readReplicas: async (providers) => {
      const keys = providers.map((provider) => METRICS_KEY + provider);
      const found = await env.CONFIG.get<MetricsSnapshot>(keys, { type: "json", cacheTtl: METRICS_CACHE_SECONDS });
      return keys.map((key) => found.get(key) ?? null);
    },
    keepAlive: waitUntil,
    onFault: (error) => log({ event: "metrics.failed", message: String(error) }),
  });
}

function openEntries(env: Env, log: Log): EntrySender {
  return createEntrySender({
    now: Date.now,
    sleep: waitFor,
    send: (tenant, entries) => openTenant(env, tenant).addGatewayCalls(entries),
    keepAlive: waitUntil,
    onFault: (error) => log({ event: "ledger.failed", message: String(error) }),
  });
}

function openAllowances(env: Env, log: Log): AllowanceCache {
  return createAllowanceCache({
    now: Date.now,
    readOrigin: (tenant) => openTenant(env, tenant).readTenant(),
    keepAlive: waitUntil,
    onFault: (error) => log({ event: "allowance.failed", message: String(error) }),
  });
}

export function openWorkflow(env: Env, tenant: string, workflowId: string): WorkflowPort & AttemptPort {
  return env.WORKFLOW.getByName(nameWorkflow(tenant, workflowId)) as unknown as WorkflowPort & AttemptPort;
}

export function nameWorkflow(tenant: string, workflowId: string): string {
  return `${tenant}:${workflowId}`;
}

export function openTenant(env: Env, tenant: string): TenantPort {
  return env.TENANT.getByName(tenant) as unknown as TenantPort;
}

/** The object that measures one provider's models. */
export function openMetrics(env: Env, provider: string): MetricsPort & EvidencePort {
  return env.METRICS.getByName(provider) as unknown as MetricsPort & EvidencePort;
}

/** False when the signal fired first. */
export async function waitFor(ms: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted === true) return false;
  return new Promise((resolve) => {
    const timer = setTimeout(() => end(true), ms);
    const abort = (): void => end(false);
    const end = (isOver: boolean): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      resolve(isOver);
    };
    signal?.addEventListener("abort", abort, { once: true });
  });
}
