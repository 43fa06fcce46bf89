import type { HistoryCell } from "../../src/optimizer/agent-history.ts";
import type { ForecastAccuracy } from "../../src/optimizer/forecast.ts";
import { createApi } from "../../src/api/create-api.ts";
import type { ApiDeps } from "../../src/api/api-deps.ts";
import { readStoredTiers } from "../../src/api/stored-tiers.ts";
import { DEFAULT_TIERS } from "../../src/config/default-tiers.ts";
import type { StoredDocument } from "../../src/config/document-cache.ts";
import { editLayer } from "../../src/config/edit-settings.ts";
import { NO_ALLOWANCE } from "../../src/config/tenant-record.ts";
import { layerSettings, type SettingsLayer } from "../../src/config/settings-layers.ts";
import { Settings } from "../../src/config/settings.ts";
import type { StoredTiers } from "../../src/config/tiers.ts";
import type { StoredDecision } from "../../src/consumer/run-reoptimization.ts";
import type { EvidenceRow } from "../../src/optimizer/reoptimization/evidence.ts";
import type { GatewayEntry, LedgerPosition, LedgerQuery, PeriodSums } from "../../src/api/ports/stats-port.ts";
import type { RegisteredAgent, SettingsVersion, TenantPort } from "../../src/api/ports/tenant-port.ts";
import type { LedgerLine, CreateAnswer, CreateRequest, KeyClaimAnswer, TaskView, WorkflowPort, WorkflowView } from "../../src/api/ports/workflow-port.ts";
import { checkOutboundUrl } from "../../src/config/public-url.ts";
import type { Json, Problem } from "../../src/errors.ts";
import type { LogEvent } from "../../src/log.ts";
import { TokenMargins } from "../../src/optimizer/tokens/token-margin.ts";
import type { MetricsSnapshot } from "../../src/router/metrics/model-metrics.ts";

import { createFakeDirectory, createFakeTenantLife, type FakeDirectory } from "./fake-tenants.ts";

export const ROOT_KEY = "root-key-of-tests";
const DAY_MS = 86_400_000;

/** What a fake object holds of a workflow. */
interface FakeWorkflow {
  request: CreateRequest;
  view: WorkflowView;
  createdAt: number;
  isRemoved: boolean;
}

export interface FakeWorld {
  now: number;
  workflows: Map<string, FakeWorkflow>;
  /** Of keys that came with ids of the client's own, by the id that the key leads to. */
  keyClaims: Map<string, { bodyHash: string; workflowId: string; createdAt: number }>;
  agents: Map<string, RegisteredAgent>;
  tiers: string[];
  published: StoredTiers | null;
  /** Versions of the settings, each with what was set as of it. */
  settings: (SettingsVersion & { layer: SettingsLayer })[];
  publishedSettings: StoredDocument<SettingsLayer> | null;
  /** What a provider's object measured. */
  metrics: Map<string, MetricsSnapshot>;
  /** What each provider's object has seen. */
  evidence: Map<string, EvidenceRow[]>;
  optimizations: StoredDecision[];
  directory: FakeDirectory;
  /** What the objects of other tenants than the operator's own hold. */
  others: Map<string, FakeWorld>;
  log: LogEvent[];
  /** Calls of objects in order: `workflow.create`, `tenant.listAgents`, … */
  calls: string[];
  callbacks: { secret: string; body: Json }[];
  /** What the tenant's calls come to. */
  stats: PeriodSums[];
  history: HistoryCell[];
  accuracy: ForecastAccuracy;
  /** What the gateway called, and workflows with their creation and calls. */
  gatewayCalls: GatewayEntry[];
  ledgers: Map<string, { at: number; lines: LedgerLine[] }>;
  /** What a stream was asked of the object with. */
  streams: Request[];
  list: Parameters<TenantPort["listWorkflows"]>[0] | null;
  /** Replaces one method of every workflow object. */
  override: Partial<WorkflowPort>;
}

function pageNewestFirst<Item extends LedgerPosition>(items: readonly Item[], { since, from, limit }: LedgerQuery): Item[] {
  const isBefore = (one: LedgerPosition, other: LedgerPosition): boolean => one.at < other.at || (one.at === other.at && one.id <= other.id);
  const sorted = [...items].sort((one, other) => (isBefore(one, other) ? 1 : -1));
  return sorted.filter((item) => item.at >= since && (from === null || isBefore(item, from))).slice(0, limit);
}

const NOT_FOUND: Problem = { problem: "not_found", detail: "there is no such workflow" };

export function createWorld(): FakeWorld {
  return {
    now: Date.UTC(2026, 10, 1), workflows: new Map(), keyClaims: new Map(), agents: new Map(), tiers: [], published: null, settings: [], publishedSettings: null, metrics: new Map(), evidence: new Map(), optimizations: [], directory: createFakeDirectory(), others: new Map(), log: [], calls: [], callbacks: [], stats: [], history: [], accuracy: { workflows: 0, costError: 0, tokensError: 0 }, gatewayCalls: [], ledgers: new Map(), streams: [], list: null, override: {},
  };
}

function worldOf(world: FakeWorld, tenant: string): FakeWorld {
  const known = world.others.get(tenant) ?? { ...createWorld(), directory: world.directory };
  world.others.set(tenant, known);
  return known;
}

/** The n-th id that a test's API makes: as long as a real one. */
export function fakeId(n: number): string {
  return `random${String(n).padStart(26, "0")}`;
}

/** The real API over objects in memory, and a way to ask it as the root. */
export function createTestApi(changes: Partial<ApiDeps> = {}, world: FakeWorld = createWorld()) {
  let ids = 0;
  const record = <Port extends object>(prefix: string, port: Port): Port =>
    new Proxy(port, {
      get: (target, name: string) => {
        const method = (target as Record<string, unknown>)[name];
        return typeof method !== "function" ? method : (...args: unknown[]) => {
          world.calls.push(`${prefix}.${name}`);
          return method.apply(target, args) as unknown;
        };
      },
    });
  const tenant = (id: string) => record("tenant", createFakeTenant(id === "default" ? world : worldOf(world, id), id));
  const app = createApi({
    rootKey: ROOT_KEY,
    workflow: (tenantId, workflowId) => record("workflow", { ...createFakeWorkflow(world, `${tenantId}:${workflowId}`), ...world.override }),
    tenant,
    readKeyReplica: async (hash) => world.directory.replicas.get(hash) ?? null,
    now: () => world.now,
    randomId: () => fakeId((ids += 1)),
    publicUrl: null,
    allowPrivateOrigins: false,
    corsOrigins: null,
    checkUrl: (url) => checkOutboundUrl(url, { allowPrivate: false }),
    tiers: {
      read: async () => world.published ?? { version: 0, document: (await readStoredTiers({ readTiers: async () => null })).document },
      refresh: async () => (world.published = await readStoredTiers(tenant("default"))),
      publish: async (tiers) => void (world.published = tiers),
    },
    baseSettings: Settings.parse({}),
    settings: {
      read: async () => layerSettings(Settings.parse({}), world.publishedSettings?.document ?? {}),
      publish: async (_tenant, stored) => void (world.publishedSettings = stored),
    },
    requestCounters: [],
    allowances: { read: async () => NO_ALLOWANCE, forget: () => undefined },
    metrics: (provider) => ({ readSnapshot: async () => world.metrics.get(provider) ?? { at: world.now, models: {} } }),
    evidence: (provider) => ({ readEvidence: async () => world.evidence.get(provider) ?? [] }),
    loadModels: async () => ({
      document: DEFAULT_TIERS,
      isConfigured: (providerId) => providerId === "offline",
      engine: () => Promise.reject(new Error("no engine here")),
      settings: Settings.parse({}),
      metrics: null,
      health: { observe: () => undefined, acquireProbe: async () => true, acquireRate: async () => true },
      failureRate: () => 0,
      margins: new TokenMargins(),
    }),
    gateway: { fetch: () => Promise.reject(new Error("no provider here")), secret: () => undefined, keepAlive: () => undefined, enter: () => undefined, flush: async (name) => void world.calls.push(`flush ${name}`) },
    log: (event) => world.log.push(event),
    ...changes,
  });
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.request(`https://weft.test${path}`, {
      method,
      headers: { authorization: `Bearer ${ROOT_KEY}`, ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  return { app, ask, world };
}

export function createFakeTask(id: string): TaskView {
  return { id, status: "pending", attempt: 0, wave: 0, agent: "scout", output: null, startedAt: null, finishedAt: null, route: null, usage: null, context: null, error: null };
}

function createView({ workflowId, spec }: CreateRequest, now: number): WorkflowView {
  return {
    id: workflowId, name: spec.name, status: "running", createdAt: new Date(now).toISOString(), startedAt: null, finishedAt: null, metadata: spec.metadata,
    progress: { total: spec.tasks.length, completed: 0, failed: 0, skipped: 0, running: 0, percent: 0 },
    usage: { inputTokens: 0, outputTokens: 0, costUsd: 0, baselineUsd: 0, savedPercent: 0 },
    error: null, result: null,
    budget: { maxUsd: null, spentUsd: 0, reservedUsd: 0, remainingUsd: null, maxTokens: null, spentTokens: 0, reservedTokens: 0, remainingTokens: null, forecastUsd: null, forecastTokens: null },
  };
}

function createFakeWorkflow(world: FakeWorld, name: string): WorkflowPort {
  const find = () => {
    const workflow = world.workflows.get(name);
    return workflow === undefined || workflow.isRemoved ? null : workflow;
  };
  return {
    async create(request): Promise<CreateAnswer> {
      const known = world.workflows.get(name);
      const claim = world.keyClaims.get(name);
      if (claim !== undefined) return world.now - claim.createdAt > DAY_MS ? { kind: "expired" } : { problem: "conflict", detail: "the key was used with another body" };
      if (known === undefined) {
        const view = createView(request, world.now);
        world.workflows.set(name, { request, view, createdAt: world.now, isRemoved: false });
        return { kind: "created", workflow: view };
      }
      const { key, bodyHash } = known.request.idempotency ?? {};
      if (request.idempotency === null || request.idempotency.key !== key) return { problem: "conflict", detail: "the id is taken" };
      if (world.now - known.createdAt > DAY_MS) return { kind: "expired" };
      if (request.idempotency.bodyHash !== bodyHash) return { problem: "conflict", detail: "the key was used with another body" };
      return { kind: "replayed", body: JSON.stringify(known.view) };
    },
    async findAnswer(idempotency) {
      const known = world.workflows.get(name);
      if (known?.request.idempotency?.key !== idempotency.key) return { kind: "unknown" };
      if (world.now - known.createdAt > DAY_MS) return { kind: "expired" };
      return known.request.idempotency.bodyHash === idempotency.bodyHash ? { kind: "replayed", body: JSON.stringify(known.view) } : { kind: "unknown" };
    },
    async claimKey({ bodyHash, workflowId, instead }): Promise<KeyClaimAnswer> {
      const known = world.workflows.get(name);
      const claim = world.keyClaims.get(name);
      const createdAt = known?.createdAt ?? claim?.createdAt ?? world.now;
      if (world.now - createdAt > DAY_MS) return { kind: "expired" };
      if (known !== undefined) return { problem: "conflict", detail: "the key was used with another body" };
      if (claim !== undefined && claim.bodyHash !== bodyHash && claim.bodyHash !== instead) return { kind: "held", workflowId: claim.workflowId, bodyHash: claim.bodyHash, forMs: world.now - createdAt };
      world.keyClaims.set(name, { bodyHash, workflowId, createdAt });
      return { kind: "claimed" };
    },
    releaseKey: async () => void world.keyClaims.delete(name),
    exists: async () => find() !== null,
    read: async () => find()?.view ?? NOT_FOUND,
    readTask: async (taskId) => (find()?.request.spec.tasks.some(({ id }) => id === taskId) === true ? createFakeTask(taskId) : NOT_FOUND),
    listTasks: async () => (find() === null ? NOT_FOUND : { items: [], nextCursor: null }),
    command: async (command) => (find() === null ? NOT_FOUND : { status: command === "cancel" ? "cancelled" : command === "pause" ? "paused" : "running" }),
    retryTask: async () => (find() === null ? NOT_FOUND : { status: "running" }),
    async readCheckpoint() {
      const workflow = find();
      return workflow === null ? NOT_FOUND : { spec: workflow.request.spec, agents: workflow.request.agents, reusable: ["a"] };
    },
    readEvents: async () => (find() === null ? NOT_FOUND : { items: [], nextCursor: null }),
    async readLedger({ limit, cursor }) {
      const ledger = world.ledgers.get(name.slice(name.indexOf(":") + 1));
      if (ledger === undefined) return find() === null ? NOT_FOUND : { items: [], nextCursor: null };
      const start = Number(cursor ?? 0);
      return { items: ledger.lines.slice(start, start + limit), nextCursor: start + limit < ledger.lines.length ? String(start + limit) : null };
    },
    awaitsCallback: async (secret) => find() !== null && secret !== "used",
    async acceptCallback(secret, body) {
      if (find() === null) return NOT_FOUND;
      world.callbacks.push({ secret, body });
      return { accepted: true };
    },
    async purge() {
      world.workflows.delete(name);
    },
    async remove() {
      const workflow = find();
      if (workflow === null) return NOT_FOUND;
      workflow.isRemoved = true;
      return { removed: true };
    },
    async fetch(request) {
      world.streams.push(request);
      return find() === null ? new Response(null, { status: 404 }) : new Response("id: 1\n\n", { headers: { "content-type": "text/event-stream" } });
    },
  };
}

function createFakeTenant(world: FakeWorld, tenant: string): TenantPort {
  return {
    ...createFakeTenantLife(world.directory, tenant, () => world.now),
    async putAgent(name, agent) {
      const known = world.agents.get(name);
      const at = new Date(world.now).toISOString();
      const registered = { name, agent, createdAt: known?.createdAt ?? at, updatedAt: at };
      world.agents.set(name, registered);
      return { agent: registered, isNew: known === undefined };
    },
    listAgents: async () => [...world.agents.values()],
    deleteAgent: async (name) => world.agents.delete(name),
    async listWorkflows(query) {
      world.list = query;
      return { items: [], nextCursor: null };
    },
    leaseBudget: async () => ({ kind: "unlimited" }),
    reserveCalls: async () => ({ kind: "unlimited" }),
    recoverLeases: async () => undefined,
    addGatewayCalls: async () => undefined,
    readStats: async () => world.stats,
    readHistory: async () => world.history,
    readForecastAccuracy: async () => world.accuracy,
    listGatewayCalls: async (query) => pageNewestFirst(world.gatewayCalls, query),
    listWorkflowsWithCalls: async (query) => pageNewestFirst([...world.ledgers].map(([id, { at }]) => ({ id, at })), { ...query, since: 0 }),
    leaseStarts: async () => ({ kind: "unlimited" }),
    indexWorkflow: async () => ({ isLimited: false }),
    removeWorkflow: async () => undefined,
    readmitWorkflow: async () => undefined,
    listStale: async () => [],
    readTiers: async () => (world.tiers.length === 0 ? null : { version: world.tiers.length, json: world.tiers.at(-1)! }),
    writeTiers: async (json) => ({ version: world.tiers.push(json) }),
    readSettings: async () => ({ version: world.settings.length, document: world.settings.at(-1)?.layer ?? {} }),
    async editSettings(request) {
      const stored = { version: world.settings.length, document: world.settings.at(-1)?.layer ?? {} };
      const edited = editLayer(stored.document, request, (version) => (version === 0 ? {} : (world.settings[version - 1]?.layer ?? null)));
      if (edited === null) return stored;
      if ("problem" in edited) return edited;
      const version = world.settings.length + 1;
      world.settings.push({ version, at: new Date(world.now).toISOString(), author: request.author, ...edited });
      return { version, document: edited.layer };
    },
    listOptimizations: async ({ limit, before }) => world.optimizations.filter(({ id }) => id < (before ?? Infinity)).toReversed().slice(0, limit),
    async applyOptimization({ decision, tiers, settings, ...versions }) {
      const stored = { version: world.settings.length, document: world.settings.at(-1)?.layer ?? {} };
      if (versions.tiersVersion !== world.tiers.length || versions.settingsVersion !== stored.version) return { problem: "conflict", detail: "changed meanwhile" };
      if (tiers !== null) world.tiers.push(tiers);
      const id = world.optimizations.length + 1;
      world.optimizations.push({ ...decision, id });
      const edited = settings === null ? stored : await this.editSettings(settings);
      return "problem" in edited ? edited : { id, tiersVersion: world.tiers.length, settings: edited };
    },
    listSettingsVersions: async ({ limit, before }) =>
      world.settings
        .filter(({ version }) => version < (before ?? Infinity))
        .toReversed()
        .slice(0, limit)
        .map(({ version, at, author, changes }) => ({ version, at, author, changes })),
  };
}
