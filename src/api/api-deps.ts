import type { AllowanceCache } from "./caches/allowance-cache.ts";
import type { SettingsCache } from "../config/settings-cache.ts";
import type { Settings } from "../config/settings.ts";
import type { StoredTiers } from "../config/tiers.ts";
import type { LoadModels } from "../consumer/load-models.ts";
import type { MetricsPort } from "../consumer/metrics-port.ts";
import type { EvidencePort } from "../consumer/run-reoptimization.ts";
import type { Log } from "../log.ts";
import type { GatewayDeps } from "./gateway/gateway-deps.ts";
import type { KeyReplica } from "./ports/key-port.ts";
import type { RequestCounter } from "./auth/request-limit.ts";
import type { TenantPort } from "./ports/tenant-port.ts";
import type { WorkflowPort } from "./ports/workflow-port.ts";

/** All that the API can do beside computing. Nothing in it belongs to one request, so one app serves an isolate for its life. */
export interface ApiDeps {
  /** The operator's key; null or empty when none is set, and then nothing that needs a key is served. */
  rootKey: string | null;
  /** The object of one workflow: a fresh stub at every call, since a stub that failed once must not be used again. */
  workflow: (tenant: string, workflowId: string) => WorkflowPort;
  tenant: (tenant: string) => TenantPort;
  /** The replicated copy of what is known of a key, by the key's hash: up to 30 s old. */
  readKeyReplica: (hash: string) => Promise<KeyReplica | null>;
  /** Unix milliseconds. */
  now: () => number;
  /** At least 128 random bits as letters and digits. */
  randomId: () => string;
  /** Where callbacks reach this service; null: at the origin that created the workflow. */
  publicUrl: string | null;
  /** Local work only: http and loopback are allowed. */
  allowPrivateOrigins: boolean;
  /** `CORS_ORIGINS` as set; null when it is not. */
  corsOrigins: string | null;
  /** Why a URL may not be called on a tenant's behalf, or null. */
  checkUrl: (url: string) => string | null;
  tiers: {
    /** The tiers document as this isolate knows it: without a round trip when warm, up to a minute old. */
    read: () => Promise<StoredTiers>;
    /** The document as the operator's object has it, for a model that this isolate does not know. */
    refresh: () => Promise<StoredTiers>;
    /** Takes a document that was just written: for this isolate at once, for the others through their cache. */
    publish: (tiers: StoredTiers) => Promise<void>;
  };
  /** The defaults with the deployment's own over them: what the operator's settings lie over. */
  baseSettings: Settings;
  settings: Pick<SettingsCache, "read" | "publish">;
  /** What the operator allows each tenant, up to 50 s old. */
  allowances: AllowanceCache;
  /** The platform's counters of requests per minute, for powers of ten from one on. */
  requestCounters: readonly RequestCounter[];
  /** The object that measures a provider's models. */
  metrics: (provider: string) => Pick<MetricsPort, "readSnapshot">;
  /** What the same object tells of single calls. */
  evidence: (provider: string) => EvidencePort;
  /** The models that a tenant's calls are routed to. */
  loadModels: LoadModels;
  /** What the gateway calls models with, and where it enters what they cost. */
  gateway: GatewayDeps;
  log: Log;
}
