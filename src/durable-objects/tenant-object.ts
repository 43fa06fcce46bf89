import { DurableObject } from "cloudflare:workers";
import type { CreateTenant, CreateTenantAnswer, TenantStatus } from "../api/ports/directory-port.ts";
import type { KeyGrant, ListedKey } from "../api/ports/key-port.ts";
import type { CallsToReserve, IndexEntry, StartsAnswer, StartsRequest, RegisteredAgent, SettingsVersion, TenantPort } from "../api/ports/tenant-port.ts";
import type { Scope } from "../api/auth/scopes.ts";
import type { GatewayEntry, LedgerPosition, LedgerQuery, PeriodSums } from "../api/ports/stats-port.ts";
import type { Page, WorkflowSummary } from "../api/ports/workflow-port.ts";
import type { StoredDocument } from "../config/document-cache.ts";
import type { SettingsEdit } from "../config/edit-settings.ts";
import type { SettingsLayer } from "../config/settings-layers.ts";
import { createTenantDeps, type TenantDeps } from "../deps.ts";
import type { OptimizationChange, StoredDecision } from "../consumer/run-reoptimization.ts";
import { patchAllowance, type Allowance } from "../config/tenant-record.ts";
import type { Json, Problem } from "../errors.ts";
import type { HistoryCell, HistoryKey } from "../optimizer/agent-history.ts";
import type { ForecastAccuracy } from "../optimizer/forecast.ts";
import type { AgentDefinition } from "../workflow/spec/agent.ts";
import { dayOf } from "../workflow/budget/utc-day.ts";
import { refuseFaulty } from "../workflow/faults/fault-list.ts";
import type { ShareAnswer } from "../workflow/budget/tenant-account.ts";
import { cutPage, NO_CURSOR, readCursor } from "../api/http/list-position.ts";
import { TenantConfiguration } from "./tenant/tenant-configuration.ts";
import { TenantDirectory } from "./tenant/tenant-directory.ts";
import { TenantIndex } from "./tenant/tenant-index.ts";
import { TenantKeys } from "./tenant/tenant-keys.ts";
import { TenantLeases } from "./tenant/tenant-leases.ts";
import { TenantStarts } from "./tenant/tenant-starts.ts";
import { TenantRemoval } from "./tenant/tenant-removal.ts";
import { TenantStore } from "./tenant/stores/tenant-store.ts";

/** Agents of one tenant: they are read together, into every isolate that serves the tenant. */
export const MAX_AGENTS = 1_000;
/** Characters of all of their definitions: well under the 32 MiB of one RPC answer. */
export const MAX_AGENT_CHARACTERS = 8_388_608;

/** When the alarm comes again after it failed, and when what it could not do at once is tried again. */
const RETRY_MS = 10_000;

/** One tenant: its agents, its keys, its configuration documents and the index of its workflows. The operator's is the directory of all tenants as well. */
export class TenantObject extends DurableObject<Env> implements TenantPort {
  readonly #store: TenantStore;
  readonly #deps: TenantDeps;
  readonly #keys: TenantKeys;
  readonly #leases: TenantLeases;
  readonly #starts: TenantStarts;
  readonly #directory: TenantDirectory;
  readonly #removal: TenantRemoval;
  readonly #index: TenantIndex;
  readonly #configuration: TenantConfiguration;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { name } = ctx.id;
    if (name === undefined) throw new Error("a tenant's object is reached by its name only");
    this.#store = new TenantStore(ctx.storage, name);
    this.#deps = createTenantDeps(env, name);
    this.#leases = new TenantLeases(this.#store, this.#deps);
    this.#starts = new TenantStarts(this.#store, this.#deps);
    this.#index = new TenantIndex(this.#store, this.#starts, this.#deps.now);
    this.#configuration = new TenantConfiguration(this.#store, this.#deps.now);
    this.#keys = new TenantKeys(this.#store, { ...this.#deps, tryLater: () => void this.#armBy(this.#deps.now() + RETRY_MS) });
    this.#directory = new TenantDirectory(this.#store, this.#deps);
    this.#removal = new TenantRemoval(this.#store, this.#deps, () => this.#empty());
  }

  async createTenant(request: CreateTenant): Promise<CreateTenantAnswer> {
    return this.#directory.createTenant(request);
  }

  async hasTenant(id: string): Promise<boolean> {
    return this.#directory.hasTenant(id);
  }

  async listTenants(query: { limit: number; cursor: string | null }): Promise<Page<string> | Problem> {
    return this.#directory.listTenants(query);
  }

  async removeTenant(id: string): Promise<{ removed: true } | Problem> {
    return this.#directory.removeTenant(id);
  }

  async forgetTenant(id: string, removingAt: number): Promise<void> {
    return this.#directory.forgetTenant(id, removingAt);
  }

  async takeTenants(limit: number): Promise<{ active: string[]; removing: { id: string; since: number }[] }> {
    return this.#directory.takeTenants(limit);
  }

  async startTenant({ id, createdAt, allowance }: { id: string; createdAt: number; allowance: Allowance }): Promise<TenantStatus> {
    if (this.#store.record.read().state === "removing") throw new Error(`the data of the former tenant ${id} is still being removed`);
    this.#store.record.write({ id, createdAt, state: "active", changedAt: createdAt, ...allowance });
    return this.readTenant();
  }

  async endTenant(since: number): Promise<{ isDone: boolean } | Problem> {
    if (this.#removal.begin(since)) return { isDone: true };
    await this.#armBy(this.#deps.now());
    return (await this.#keys.finishRevocations()) ?? { isDone: false };
  }

  async addKey(key: { id: string; hash: string; name: string | null; scopes: readonly Scope[] }): Promise<{ added: true } | Problem> {
    return this.#keys.addKey(key);
  }

  async listKeys(query: { limit: number; cursor: string | null }): Promise<Page<ListedKey> | Problem> {
    return this.#keys.listKeys(query);
  }

  async revokeKey(id: string): Promise<{ revoked: true } | Problem> {
    return this.#keys.revokeKey(id);
  }

  async findKey(hash: string): Promise<KeyGrant | null> {
    return this.#keys.findKey(hash);
  }

  async noteKeyUse(id: string, at: number): Promise<boolean> {
    return this.#keys.noteKeyUse(id, at);
  }

  /** Never throws: the platform gives an alarm up after six failures. */
  override async alarm(): Promise<void> {
    try {
      await this.#keys.finishRevocations();
      this.#index.flush();
      const nextAt = await this.#removal.step();
      if (nextAt !== null) await this.#armBy(nextAt);
    } catch (error) {
      this.#deps.log({ event: "alarm.failed", message: String(error) });
      await this.#armBy(this.#deps.now() + RETRY_MS);
    }
  }

  async #armBy(time: number): Promise<void> {
    const armedAt = await this.ctx.storage.getAlarm();
    if (armedAt === null || time < armedAt) await this.ctx.storage.setAlarm(time);
  }

  async #empty(): Promise<void> {
    this.#index.drop();
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    this.#store.migrate();
  }

  async readTenant(): Promise<TenantStatus> {
    const record = this.#store.record.read();
    return { ...record, spend: this.#leases.readSpend() };
  }

  async patchTenant(patch: Json): Promise<TenantStatus | Problem> {
    const record = this.#store.record.read();
    if (record.state !== "active") return { problem: "not_found", detail: "There is no such tenant." };
    const patched = patchAllowance(record, patch);
    if ("faults" in patched) return refuseFaulty(patched.faults);
    this.#store.record.write({ ...record, ...patched });
    this.#starts.share();
    return this.readTenant();
  }

  async leaseBudget(request: Parameters<TenantPort["leaseBudget"]>[0]): Promise<ShareAnswer> {
    return this.#leases.lease(request);
  }

  async reserveCalls(request: CallsToReserve): Promise<ShareAnswer> {
    return this.#leases.reserveCalls(request);
  }

  async leaseStarts(request: StartsRequest): Promise<StartsAnswer> {
    return this.#starts.lease(request);
  }

  async recoverLeases(): Promise<void> {
    await this.#leases.recover();
  }

  async putAgent(name: string, agent: AgentDefinition): Promise<{ agent: RegisteredAgent; isNew: boolean } | Problem> {
    const others = this.#store.agents.measureOthers(name);
    if (others.count >= MAX_AGENTS) return { problem: "conflict", detail: `There are ${MAX_AGENTS} agents already: remove one first.` };
    if (others.characters + JSON.stringify(agent).length > MAX_AGENT_CHARACTERS) {
      return { problem: "conflict", detail: `All agents together may have ${MAX_AGENT_CHARACTERS} characters: shorten or remove some first.` };
    }
    return this.#store.transaction(() => this.#store.agents.put(name, agent, this.#deps.now()));
  }

  async listAgents(): Promise<RegisteredAgent[]> {
    return this.#store.agents.list();
  }

  async deleteAgent(name: string): Promise<boolean> {
    return this.#store.agents.delete(name);
  }

  async listWorkflows(query: { status: string | null; name: string | null; metadata: Record<string, string>; limit: number; cursor: string | null }): Promise<Page<WorkflowSummary> | Problem> {
    const after = readCursor(query.cursor);
    if (after === undefined) return NO_CURSOR;
    this.#index.flush();
    const { status, name, metadata, limit } = query;
    const found = this.#store.workflows.list({ status, name, metadata, limit: limit + 1, after });
    const { rows, nextCursor } = cutPage(found.map((summary) => ({ summary, id: summary.id, createdAt: Date.parse(summary.createdAt) })), limit);
    return { items: rows.map(({ summary }) => summary), nextCursor };
  }

  async indexWorkflow(entry: IndexEntry): Promise<{ isLimited: boolean }> {
    if (this.#removal.isForeign(entry)) {
      await this.#deps.purgeWorkflow(this.#store.tenant, entry.summary.id);
      return { isLimited: false };
    }
    await this.#index.take(entry);
    return { isLimited: this.#starts.isLimited };
  }

  async removeWorkflow(workflowId: string): Promise<void> {
    this.#index.flush();
    this.#store.transaction(() => this.#store.workflows.remove(workflowId, this.#deps.now()));
  }

  async readmitWorkflow(workflowId: string): Promise<void> {
    this.#store.workflows.readmit(workflowId);
  }

  async listStale(before: number, endedBefore: number, limit: number): Promise<string[]> {
    this.#index.flush();
    return this.#store.transaction(() => this.#store.workflows.takeStale({ before, endedBefore, limit }, this.#deps.now()));
  }

  async readTiers(): Promise<{ version: number; json: string } | null> {
    return this.#store.configuration.readTiers();
  }

  async writeTiers(json: string): Promise<{ version: number }> {
    return this.#configuration.writeTiers(json);
  }

  async addGatewayCalls(entries: GatewayEntry[]): Promise<void> {
    if (this.#store.record.read().state === "removed") return;
    const now = this.#deps.now();
    this.#store.transaction(() => {
      const fresh = this.#store.stats.takeGatewayCalls(entries, now);
      this.#store.account.settleCalls(fresh.map(({ id, at, calls }) => ({ id, day: dayOf(at), costNanoUsd: calls.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0) })), now);
    });
  }

  async listGatewayCalls(query: LedgerQuery): Promise<GatewayEntry[]> {
    return this.#store.stats.listGatewayCalls(query);
  }

  async listWorkflowsWithCalls(query: LedgerQuery): Promise<LedgerPosition[]> {
    return this.#store.stats.listWorkflowsWithCalls(query);
  }

  async readHistory(keys: HistoryKey[]): Promise<HistoryCell[]> {
    this.#index.flush();
    return this.#store.history.readHistory(keys);
  }

  async readForecastAccuracy(since: number): Promise<ForecastAccuracy> {
    this.#index.flush();
    return this.#store.history.readAccuracy(since);
  }

  async readStats(since: number): Promise<PeriodSums[]> {
    return this.#store.stats.readPeriod(since);
  }

  async readSettings(): Promise<StoredDocument<SettingsLayer>> {
    return this.#store.configuration.readSettings();
  }

  async editSettings(request: SettingsEdit): Promise<StoredDocument<SettingsLayer> | Problem> {
    return this.#configuration.editSettings(request);
  }

  async listSettingsVersions({ limit, before }: { limit: number; before: number | null }): Promise<SettingsVersion[]> {
    return this.#store.configuration.listSettingsVersions(limit, before);
  }

  async listOptimizations({ limit, before }: { limit: number; before: number | null }): Promise<StoredDecision[]> {
    return this.#store.optimizations.list(limit, before);
  }

  async applyOptimization(change: OptimizationChange): ReturnType<TenantPort["applyOptimization"]> {
    return this.#configuration.applyOptimization(change);
  }
}
