import { waitUntil } from "cloudflare:workers";
import type { ApiDeps } from "./api/api-deps.ts";
import type { RequestCounter } from "./api/auth/request-limit.ts";
import type { TenantLifePort } from "./api/ports/directory-port.ts";
import type { KeyReplica } from "./api/ports/key-port.ts";
import type { LeaseHolderPort, TenantPort } from "./api/ports/tenant-port.ts";
import { OPERATOR_TENANT } from "./api/stored-tiers.ts";
import { checkOutboundUrl } from "./config/public-url.ts";
import type { SettingsCache } from "./config/settings-cache.ts";
import type { Settings } from "./config/settings.ts";
import type { AttemptPort, ExecutorPort, RunnerPort, TaskMessage } from "./consumer/attempt-port.ts";
import type { ConsumerDeps } from "./consumer/consume-batch.ts";
import { createDeltaBuffer } from "./consumer/delta-buffer.ts";
import { SUMS_SPAN_MS } from "./consumer/failure-memory.ts";
import type { LoadModels } from "./consumer/load-models.ts";
import { checkEachUrl } from "./consumer/outbound/outbound-fetch.ts";
import type { AttemptDeps } from "./consumer/run-attempt.ts";
import type { SweepDeps } from "./consumer/sweep-stale.ts";
import { createSecret } from "./create-secret.ts";
import type { TenantKeysDeps } from "./durable-objects/tenant/tenant-keys.ts";
import type { TenantLeasesDeps } from "./durable-objects/tenant/tenant-leases.ts";
import type { TenantRemovalDeps } from "./durable-objects/tenant/tenant-removal.ts";
import type { Identity } from "./durable-objects/workflow/stores/workflow-store.ts";
import type { SessionDeps } from "./durable-objects/workflow/workflow-session.ts";
import type { Log } from "./log.ts";
import { KEY_CACHE_SECONDS, KEY_KEY, METRICS_KEY, nameWorkflow, openMetrics, openPlatform, openTenant, openWorkflow, SETTINGS_KEY, waitFor } from "./platform.ts";
import { registerDocument } from "./router/engines/load-engine.ts";
import type { Fetch } from "./router/language-model.ts";
import type { MetricsSnapshot } from "./router/metrics/model-metrics.ts";
import { DAY_MS } from "./workflow/budget/utc-day.ts";
import type { WorkflowEvent } from "./workflow/events.ts";

/** How long an object waits for settings before it goes on with those that it knows. */
const MAX_SETTINGS_WAIT_MS = 1_000;
/** Runner objects that hold the calls of a tenant's queued attempts: enough to spread them, few enough to share. */
const RUNNERS = 32;

/** What a workflow's object can do beside computing. */
export interface ObjectDeps extends Omit<SessionDeps, "dispatchSettings"> {
  /** Reads the operator's settings again where they are no longer fresh; `settings` gives them as read last. */
  refreshSettings: () => Promise<void>;
  areSettingsFresh: () => boolean;
  attempts: AttemptDeps;
  fetch: AttemptDeps["fetch"];
  allowPrivate: boolean;
  secret: AttemptDeps["secret"];
  executor: () => ExecutorPort;
  workflow: (tenant: string, workflowId: string) => Pick<AttemptPort, "readOutputs">;
  tenant: (tenant: string) => Pick<TenantPort, "indexWorkflow" | "readmitWorkflow" | "removeWorkflow" | "leaseBudget" | "leaseStarts" | "noteKeyUse">;
  sendTasks: (messages: TaskMessage[], isUrgent: boolean) => Promise<void>;
  logEvents: (identity: Identity, firstSeq: number, events: readonly WorkflowEvent[]) => void;
  log: Log;
}

/** What a tenant's object can do beside computing. */
export interface TenantDeps extends Omit<TenantKeysDeps, "tryLater">, TenantRemovalDeps, TenantLeasesDeps {
  tenant: (id: string) => TenantLifePort;
}

/** What a metrics object can do beside computing. */
export interface MetricsDeps {
  /** The operator's. */
  settings: () => Promise<Settings>;
  publish: (provider: string, snapshot: MetricsSnapshot) => Promise<void>;
  log: Log;
}

/** Powers of ten, ascending. */
function openRequestCounters(env: Env): RequestCounter[] {
  const bindings = [env.REQUESTS_1, env.REQUESTS_10, env.REQUESTS_100, env.REQUESTS_1000, env.REQUESTS_10000, env.REQUESTS_100000, env.REQUESTS_1000000];
  return bindings.map((binding, power) => ({ limit: 10 ** power, take: async (key) => (await binding.limit({ key })).success }));
}

export function createApiDeps(env: Env): ApiDeps {
  const { tiers, log, baseSettings, settings, entries, allowances } = openPlatform(env);
  const allowPrivate = isPrivateAllowed(env);
  return {
    rootKey: env.ROOT_KEY ?? null,
    workflow: (tenant, workflowId) => openWorkflow(env, tenant, workflowId),
    tenant: (tenant) => openTenant(env, tenant),
    readKeyReplica: (hash) => env.CONFIG.get<KeyReplica>(KEY_KEY + hash, { type: "json", cacheTtl: KEY_CACHE_SECONDS }),
    now: Date.now,
    randomId: createSecret,
    publicUrl: env.PUBLIC_URL ?? null,
    allowPrivateOrigins: allowPrivate,
    corsOrigins: env.CORS_ORIGINS ?? null,
    checkUrl: (url) => checkOutboundUrl(url, { allowPrivate }),
    tiers,
    baseSettings,
    settings,
    allowances,
    requestCounters: openRequestCounters(env),
    metrics: (provider) => openMetrics(env, provider),
    evidence: (provider) => openMetrics(env, provider),
    loadModels: createLoadModels(env),
    gateway: {
      fetch: createProviderFetch(env),
      secret: (name) => readSecret(env, name),
      keepAlive: waitUntil,
      ...entries,
    },
    log,
  };
}

/** Of the object of this name. */
export function createTenantDeps(env: Env, name: string): TenantDeps {
  return {
    now: Date.now,
    sleep: waitFor,
    workflow: (workflowId) => env.WORKFLOW.getByName(nameWorkflow(name, workflowId)) as unknown as LeaseHolderPort,
    putKeyReplica: (hash, replica) => env.CONFIG.put(KEY_KEY + hash, JSON.stringify(replica)),
    deleteKeyReplica: (hash) => env.CONFIG.delete(KEY_KEY + hash),
    deleteSettingsReplica: (tenant) => env.CONFIG.delete(SETTINGS_KEY + tenant),
    tenant: (id) => openTenant(env, id),
    forgetTenant: (tenant, since) => openTenant(env, OPERATOR_TENANT).forgetTenant(tenant, since),
    purgeWorkflow: (tenant, workflowId) => openWorkflow(env, tenant, workflowId).purge(),
    log: openPlatform(env).log,
  };
}

export function createMetricsDeps(env: Env): MetricsDeps {
  const { settings, log } = openPlatform(env);
  return {
    settings: () => settings.read(OPERATOR_TENANT),
    publish: (provider, snapshot) => env.CONFIG.put(METRICS_KEY + provider, JSON.stringify(snapshot)),
    log,
  };
}

/** `exports` is the loopback binding of this worker's own entrypoints. */
export function createObjectDeps(env: Env, exports: unknown): ObjectDeps {
  const { settings, log } = openPlatform(env);
  const attempts = createAttemptDeps(env);
  return {
    attempts,
    fetch: attempts.fetch,
    allowPrivate: attempts.allowPrivate,
    secret: attempts.secret,
    now: Date.now,
    random: Math.random,
    newSecret: createSecret,
    get settings() {
      return settings.peek();
    },
    refreshSettings: () => readInTime(settings),
    areSettingsFresh: settings.isFresh,
    executor: () => (exports as { Executor: ExecutorPort }).Executor,
    workflow: (tenant, workflowId) => openWorkflow(env, tenant, workflowId),
    tenant: (tenant) => openTenant(env, tenant),
    sendTasks: async (messages, isUrgent) => {
      await (isUrgent ? env.TASKS_HIGH : env.TASKS_NORMAL).sendBatch(messages.map((body) => ({ body })));
    },
    logEvents: ({ tenant, workflowId, requestId }, firstSeq, events) => {
      log(
        ...events.map((event, index) => {
          const attempt = "attempt" in event.data ? event.data.attempt : null;
          const code = "error" in event.data ? (event.data.error?.code ?? null) : null;
          return { event: "workflow.event" as const, tenant, workflowId, requestId, seq: firstSeq + index, type: event.type, taskId: event.taskId ?? null, attempt, code };
        }),
      );
    },
    log,
  };
}

async function readInTime(settings: SettingsCache): Promise<void> {
  if (settings.isFresh()) return;
  const isRead = new AbortController();
  const reading = settings.read(OPERATOR_TENANT).finally(() => isRead.abort());
  await Promise.race([reading, waitFor(MAX_SETTINGS_WAIT_MS, isRead.signal)]);
}

/** What an attempt needs, wherever it runs. */
export function createAttemptDeps(env: Env): AttemptDeps {
  const deltas = createDeltaBuffer((order, batch) => openWorkflow(env, order.tenant, order.workflowId).publishDeltas(batch));
  return {
    fetch: (url, init) => fetch(url, init),
    allowPrivate: isPrivateAllowed(env),
    secret: (name) => readSecret(env, name),
    now: Date.now,
    loadModels: createLoadModels(env),
    reserve: (order, call) => openWorkflow(env, order.tenant, order.workflowId).reserve(call),
    reductions: openPlatform(env).reductions,
    onDelta: deltas.add,
    flushDeltas: deltas.flush,
  };
}

function createLoadModels(env: Env): LoadModels {
  const { tiers, registries, settings, health, failures, margins } = openPlatform(env);
  const secrets = (name: string) => readSecret(env, name);
  return async (tenant) => {
    const [{ document }, tenantSettings] = await Promise.all([tiers.read(), settings.read(tenant)]);
    const registry = registries.get(document) ?? registerDocument(document, { secrets, fetch: createProviderFetch(env) });
    registries.set(document, registry);
    if (failures.wantsSums(tenant, Date.now())) waitUntil(learnFailures(env, tenant));
    const callable = document.providers.map(({ id }) => id).filter(registry.isConfigured);
    return {
      document,
      isConfigured: registry.isConfigured,
      engine: async (provider, model) => {
        const engine = registry.get(provider.id);
        if (engine === null) throw new Error(`the provider ${provider.id} is not configured`);
        return engine(model);
      },
      settings: tenantSettings,
      margins,
      metrics: await health.snapshot(callable),
      health: {
        ...health,
        observe: (observation) => {
          failures.observe(observation, tenantSettings.routing.metricsHalfLifeMs);
          health.observe(observation);
        },
      },
      random: Math.random,
      failureRate: (taskType) => failures.rate(tenant, taskType, Date.now(), tenantSettings.routing.metricsHalfLifeMs),
    };
  };
}

/** Advice: nobody waits for it, and without it the sums that are known hold. */
async function learnFailures(env: Env, tenant: string): Promise<void> {
  const { failures, log } = openPlatform(env);
  try {
    failures.learn(tenant, await openTenant(env, tenant).readStats(Date.now() - SUMS_SPAN_MS));
  } catch (error) {
    log({ event: "metrics.failed", tenant, message: String(error) });
  }
}

export function createConsumerDeps(env: Env): ConsumerDeps {
  const { log } = openPlatform(env);
  return {
    workflow: (tenant, workflowId) => openWorkflow(env, tenant, workflowId),
    runner: (tenant, workflowId) => env.RUNNER.getByName(`${tenant}:runner-${hashName(workflowId) % RUNNERS}`) as unknown as RunnerPort,
    log,
  };
}

export function createSweepDeps(env: Env): SweepDeps {
  const { settings, log } = openPlatform(env);
  return {
    directory: openTenant(env, OPERATOR_TENANT),
    tenant: (id) => openTenant(env, id),
    wake: (tenant, workflowId) => openWorkflow(env, tenant, workflowId).wake(),
    readRetentionMs: async () => (await settings.read(OPERATOR_TENANT)).retention.days * DAY_MS,
    now: Date.now(),
    log,
  };
}

function createProviderFetch(env: Env): Fetch {
  return checkEachUrl((input, init) => fetch(input, init), { allowPrivate: isPrivateAllowed(env) });
}

function isPrivateAllowed(env: Env): boolean {
  return env.ALLOW_PRIVATE_ORIGINS === "true";
}

/** A secret or variable by name; bindings are no secrets. */
function readSecret(env: Env, name: string): string | undefined {
  const value: unknown = (env as unknown as Record<string, unknown>)[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** FNV-1a, to spread workflows over runners. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}
