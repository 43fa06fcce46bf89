import type { ApiDeps } from "./api/api-deps.ts";
import { readStoredTiers } from "./api/stored-tiers.ts";
import type { TenantPort } from "./api/tenant-port.ts";
import type { WorkflowPort } from "./api/workflow-port.ts";
import { checkOutboundUrl } from "./config/public-url.ts";
import { readSettings, type Settings } from "./config/settings.ts";
import { createTiersCache, type StoredTiers, type TiersCache } from "./config/tiers-cache.ts";
import { openWeakestModel } from "./consumer/ask-model.ts";
import { ReductionCache } from "./consumer/agents/reduction-cache.ts";
import type { AttemptPort, ExecutorPort, RunnerPort, TaskMessage } from "./consumer/attempt-port.ts";
import type { ConsumerDeps } from "./consumer/consume-batch.ts";
import { createDeltaBuffer } from "./consumer/delta-buffer.ts";
import type { AttemptDeps } from "./consumer/run-attempt.ts";
import type { SweepDeps } from "./consumer/sweep-stale.ts";
import type { SessionDeps } from "./durable-objects/workflow-session.ts";
import type { Identity } from "./durable-objects/workflow-store.ts";
import { createLog, type Log } from "./log.ts";
import { registerDocument } from "./router/engines/load-engine.ts";
import type { EngineRegistry } from "./router/registry.ts";
import { TokenMargins } from "./optimizer/token-margin.ts";
import type { WorkflowEvent } from "./workflow/events.ts";

/** KV key of the tiers document's replica, and how long the edge may keep it. */
const TIERS_KEY = "tiers";
const TIERS_CACHE_SECONDS = 60;
/** Runner objects that hold queued attempts' calls: enough to spread them, few enough to share. */
const RUNNERS = 32;

/** Everything read from the environment, once per isolate. */
interface Platform {
  settings: Settings;
  log: Log;
  tiers: TiersCache;
  registries: WeakMap<StoredTiers["document"], EngineRegistry>;
  reductions: ReductionCache;
  margins: TokenMargins;
}

/** What a workflow's object can do beside computing. */
export interface ObjectDeps extends Omit<SessionDeps, "dispatchSettings"> {
  attempts: AttemptDeps;
  fetch: AttemptDeps["fetch"];
  allowPrivate: boolean;
  secret: AttemptDeps["secret"];
  executor: () => ExecutorPort;
  workflow: (tenant: string, workflowId: string) => Pick<AttemptPort, "readOutputs">;
  tenant: (tenant: string) => Pick<TenantPort, "indexWorkflow" | "readmitWorkflow" | "removeWorkflow">;
  sendTasks: (messages: TaskMessage[], isUrgent: boolean) => Promise<void>;
  logEvents: (identity: Identity, firstSeq: number, events: readonly WorkflowEvent[]) => void;
  log: Log;
}

const platforms = new WeakMap<Env, Platform>();

function openPlatform(env: Env): Platform {
  const known = platforms.get(env);
  if (known !== undefined) return known;
  const tiers = createTiersCache({
    now: Date.now,
    readReplica: () => env.CONFIG.get<StoredTiers>(TIERS_KEY, { type: "json", cacheTtl: TIERS_CACHE_SECONDS }),
    readOrigin: () => readStoredTiers(openTenant(env, "default")),
    writeReplica: (stored) => env.CONFIG.put(TIERS_KEY, JSON.stringify(stored)),
  });
  const platform = { settings: readSettings(env.SETTINGS), log: createLog(env.LOG_LEVEL), tiers, registries: new WeakMap(), reductions: new ReductionCache(), margins: new TokenMargins() };
  platforms.set(env, platform);
  return platform;
}

export function createApiDeps(env: Env): ApiDeps {
  const { tiers, log } = openPlatform(env);
  const allowPrivate = isPrivateAllowed(env);
  return {
    rootKey: env.ROOT_KEY ?? null,
    workflow: (tenant, workflowId) => openWorkflow(env, tenant, workflowId),
    tenant: (tenant) => openTenant(env, tenant),
    now: Date.now,
    randomId: createSecret,
    publicUrl: env.PUBLIC_URL ?? null,
    allowPrivateOrigins: allowPrivate,
    checkUrl: (url) => checkOutboundUrl(url, { allowPrivate }),
    tiers,
    openWeakestModel: async () => openWeakestModel(await createAttemptDeps(env).loadModels()),
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
    settings,
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

/** What an attempt needs, wherever it runs. */
export function createAttemptDeps(env: Env): AttemptDeps {
  const platform = openPlatform(env);
  const deltas = createDeltaBuffer((order, batch) => openWorkflow(env, order.tenant, order.workflowId).publishDeltas(batch));
  const secret = (name: string) => readSecret(env, name);
  return {
    fetch: (url, init) => fetch(url, init),
    allowPrivate: isPrivateAllowed(env),
    secret,
    now: Date.now,
    loadModels: async () => {
      const { document } = await platform.tiers.read();
      const registry = platform.registries.get(document) ?? registerDocument(document, { secrets: secret, fetch: (input, init) => fetch(input, init) });
      platform.registries.set(document, registry);
      return {
        document,
        isConfigured: registry.isConfigured,
        engine: async (provider, model) => {
          const engine = registry.get(provider.id);
          if (engine === null) throw new Error(`the provider ${provider.id} is not configured`);
          return engine(model);
        },
      };
    },
    margins: platform.margins,
    compression: { defaultMaxTokens: platform.settings.compression.defaultMaxTokens, cache: platform.reductions },
    onDelta: deltas.add,
    flushDeltas: deltas.flush,
  };
}

export function createConsumerDeps(env: Env): ConsumerDeps {
  const { log } = openPlatform(env);
  return {
    workflow: (tenant, workflowId) => openWorkflow(env, tenant, workflowId),
    runner: (workflowId) => env.RUNNER.getByName(`runner-${hashName(workflowId) % RUNNERS}`) as unknown as RunnerPort,
    log,
  };
}

export function createSweepDeps(env: Env): SweepDeps {
  return {
    listStale: (before, limit) => openTenant(env, "default").listStale(before, limit),
    wake: (workflowId) => openWorkflow(env, "default", workflowId).wake(),
    now: Date.now(),
    log: openPlatform(env).log,
  };
}

export function openWorkflow(env: Env, tenant: string, workflowId: string): WorkflowPort & AttemptPort {
  return env.WORKFLOW.getByName(`${tenant}:${workflowId}`) as unknown as WorkflowPort & AttemptPort;
}

export function openTenant(env: Env, tenant: string): TenantPort {
  return env.TENANT.getByName(tenant) as unknown as TenantPort;
}

function isPrivateAllowed(env: Env): boolean {
  return env.ALLOW_PRIVATE_ORIGINS === "true";
}

/** A secret or variable by name; bindings are no secrets. */
function readSecret(env: Env, name: string): string | undefined {
  const value: unknown = (env as unknown as Record<string, unknown>)[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** 192 random bits in letters and digits. */
function createSecret(): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const secret: string[] = [];
  while (secret.length < 32) {
    for (const byte of crypto.getRandomValues(new Uint8Array(48))) if (byte < 248 && secret.length < 32) secret.push(alphabet[byte % 62]!);
  }
  return secret.join("");
}

/** FNV-1a, to spread workflows over runners. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}
