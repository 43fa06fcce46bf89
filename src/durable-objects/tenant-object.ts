import { DurableObject } from "cloudflare:workers";
import { decodeBase64UrlText, encodeBase64Url } from "../api/base64url.ts";
import type { CallsToReserve, IndexEntry, RegisteredAgent, SettingsVersion, TenantPort, TenantSpend, TenantStatus } from "../api/tenant-port.ts";
import type { GatewayEntry, PeriodSums } from "../api/stats-port.ts";
import type { Page, WorkflowSummary } from "../api/workflow-port.ts";
import type { StoredDocument } from "../config/document-cache.ts";
import { editLayer, type SettingsEdit } from "../config/edit-settings.ts";
import type { SettingsLayer } from "../config/settings-layers.ts";
import type { OptimizationChange, StoredDecision } from "../consumer/run-reoptimization.ts";
import { patchAllowance, periodStart, type TenantBudget } from "../config/tenant-record.ts";
import type { Json, Problem } from "../errors.ts";
import { createTenantDeps } from "../deps.ts";
import type { AgentDefinition } from "../workflow/agent.ts";
import type { ShareAnswer } from "../workflow/tenant-account.ts";
import { TenantLeases } from "./tenant-leases.ts";
import { TenantStore, type WorkflowPosition } from "./tenant-store.ts";

/** Agents of one tenant: they are read together, into every isolate that serves the tenant. */
export const MAX_AGENTS = 1_000;
/** Characters of all of their definitions: well under the 32 MiB of one RPC answer. */
export const MAX_AGENT_CHARACTERS = 8_388_608;

const DAY_MS = 86_400_000;
/** How long index entries gather. */
const GATHER_MS = 4;

/** One tenant: its agents, its configuration documents and the index of its workflows. */
export class TenantObject extends DurableObject<Env> implements TenantPort {
  readonly #store: TenantStore;
  readonly #leases: TenantLeases;
  #entries: IndexEntry[] = [];
  #gathering: Promise<void> | null = null;
  #storedAt = 0;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#store = new TenantStore(state.storage);
    this.#leases = new TenantLeases(this.#store, createTenantDeps(env, () => state.id.name ?? this.#store.record.read().id));
  }

  async readTenant(): Promise<TenantStatus> {
    const record = this.#store.record.read();
    return { ...record, spend: this.#readSpend(record.budget) };
  }

  async patchTenant(patch: Json): Promise<TenantStatus | Problem> {
    const record = this.#store.record.read();
    const patched = patchAllowance(record, patch);
    if ("faults" in patched) return { problem: "invalid", detail: `${patched.faults.length} problems, listed in errors.`, errors: patched.faults };
    this.#store.record.write({ ...record, ...patched });
    return this.readTenant();
  }

  async leaseBudget(request: Parameters<TenantPort["leaseBudget"]>[0]): Promise<ShareAnswer> {
    return this.#leases.lease(request);
  }

  async reserveCalls(request: CallsToReserve): Promise<ShareAnswer> {
    return this.#leases.reserveCalls(request);
  }

  async recoverLeases(): Promise<void> {
    await this.#leases.recover();
  }

  async putAgent(name: string, agent: AgentDefinition): Promise<{ agent: RegisteredAgent; isNew: boolean } | Problem> {
    const others = this.#store.measureOtherAgents(name);
    if (others.count >= MAX_AGENTS) return { problem: "conflict", detail: `There are ${MAX_AGENTS} agents already: remove one first.` };
    if (others.characters + JSON.stringify(agent).length > MAX_AGENT_CHARACTERS) {
      return { problem: "conflict", detail: `All agents together may have ${MAX_AGENT_CHARACTERS} characters: shorten or remove some first.` };
    }
    return this.#store.transaction(() => this.#store.writeAgent(name, agent, Date.now()));
  }

  async listAgents(): Promise<RegisteredAgent[]> {
    return this.#store.readAgents();
  }

  async deleteAgent(name: string): Promise<boolean> {
    return this.#store.deleteAgent(name);
  }

  async listWorkflows(query: { status: string | null; name: string | null; metadata: Record<string, string>; limit: number; cursor: string | null }): Promise<Page<WorkflowSummary> | Problem> {
    const after = query.cursor === null ? null : readCursor(query.cursor);
    if (after === undefined) return { problem: "invalid", detail: "?cursor: is no cursor of this list", errors: [{ path: "?cursor", message: "is no cursor of this list" }] };
    this.#storeEntries();
    const { status, name, metadata, limit } = query;
    const found = this.#store.readWorkflows({ status, name, metadata, limit: limit + 1, after });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return { items, nextCursor: found.length > limit && last !== undefined ? writeCursor({ createdAt: Date.parse(last.createdAt), id: last.id }) : null };
  }

  /** Entries that come within a moment share a transaction: each costs a disk write, whatever it holds. Settles once the entry is stored. */
  async indexWorkflow(entry: IndexEntry): Promise<void> {
    this.#entries.push(entry);
    // One that comes alone is stored at once: somebody may wait for it.
    if (this.#gathering === null && Date.now() - this.#storedAt >= GATHER_MS) return this.#storeEntries();
    this.#gathering ??= new Promise<void>((resolve) => setTimeout(resolve, GATHER_MS)).then(() => this.#storeEntries());
    await this.#gathering;
  }

  async removeWorkflow(workflowId: string): Promise<void> {
    this.#storeEntries();
    this.#store.transaction(() => this.#store.removeWorkflow(workflowId, Date.now()));
  }

  async readmitWorkflow(workflowId: string): Promise<void> {
    this.#store.readmitWorkflow(workflowId);
  }

  async listStale(before: number, limit: number): Promise<string[]> {
    this.#storeEntries();
    return this.#store.transaction(() => this.#store.takeStale(before, limit, Date.now()));
  }

  /** Stores what has gathered. Reads do it first, so that they see every entry that arrived before them. */
  #storeEntries(): void {
    this.#gathering = null;
    this.#storedAt = Date.now();
    const entries = this.#entries;
    this.#entries = [];
    if (entries.length === 0) return;
    this.#store.transaction(() => entries.forEach((entry) => this.#store.putWorkflow(entry, Date.now())));
  }

  async readTiers(): Promise<{ version: number; json: string } | null> {
    return this.#store.readTiers();
  }

  async writeTiers(json: string): Promise<{ version: number }> {
    return { version: this.#store.transaction(() => this.#store.addTiers(json, Date.now())) };
  }

  async addGatewayCalls(entries: GatewayEntry[]): Promise<void> {
    const now = Date.now();
    this.#store.transaction(() => {
      const fresh = this.#store.stats.takeGatewayCalls(entries, now);
      this.#store.account.settleCalls(fresh.map(({ id, at, calls }) => ({ id, day: Math.floor(at / DAY_MS), costNanoUsd: calls.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0) })), now);
    });
  }

  async readStats(since: number): Promise<PeriodSums[]> {
    return this.#store.stats.readPeriod(since);
  }

  async readSettings(): Promise<StoredDocument<SettingsLayer>> {
    return this.#store.readSettings();
  }

  async editSettings(request: SettingsEdit): Promise<StoredDocument<SettingsLayer> | Problem> {
    return this.#store.transaction(() => this.#editSettings(request));
  }

  async listSettingsVersions({ limit, before }: { limit: number; before: number | null }): Promise<SettingsVersion[]> {
    return this.#store.listSettingsVersions(limit, before);
  }

  async listOptimizations({ limit, before }: { limit: number; before: number | null }): Promise<StoredDecision[]> {
    return this.#store.optimizations.list(limit, before);
  }

  async applyOptimization(change: OptimizationChange): Promise<{ id: number; tiersVersion: number; settings: StoredDocument<SettingsLayer> } | Problem> {
    return this.#store.transaction(() => {
      const tiersVersion = this.#store.readTiers()?.version ?? 0;
      const settings = this.#store.readSettings();
      if (tiersVersion !== change.tiersVersion || settings.version !== change.settingsVersion) {
        return { problem: "conflict", detail: "The tiers or the settings were changed while the decision was made: run it again." } as const;
      }
      // The only step that may refuse comes first.
      const edited = change.settings === null ? settings : this.#editSettings(change.settings);
      if ("problem" in edited) return edited;
      return {
        id: this.#store.optimizations.add(change.decision),
        tiersVersion: change.tiers === null ? tiersVersion : this.#store.addTiers(change.tiers, Date.now()),
        settings: edited,
      };
    });
  }

  /** Periods begin with an hour, so the sums by the hour tell exactly. */
  #readSpend(budget: TenantBudget | null): TenantSpend {
    const start = periodStart(budget, Date.now());
    const sums = this.#store.stats.readPeriod(start ?? 0);
    return { spentNanoUsd: sums.reduce((total, { sums: { costNanoUsd } }) => total + costNanoUsd, 0), reservedNanoUsd: this.#leases.readSpend().reservedNanoUsd, periodStart: start };
  }

  #editSettings(request: SettingsEdit): StoredDocument<SettingsLayer> | Problem {
    const stored = this.#store.readSettings();
    const edited = editLayer(stored.document, request, (version) => this.#store.readSettingsVersion(version));
    if (edited === null) return stored;
    if ("problem" in edited) return edited;
    const { layer, changes } = edited;
    return { version: this.#store.addSettings(layer, { author: request.author, changes }, Date.now()), document: layer };
  }
}

function writeCursor({ createdAt, id }: WorkflowPosition): string {
  return encodeBase64Url(new TextEncoder().encode(`${createdAt}:${id}`));
}

function readCursor(cursor: string): WorkflowPosition | undefined {
  const match = /^(\d{1,15}):([A-Za-z0-9_-]{1,64})$/.exec(decodeBase64UrlText(cursor) ?? "");
  return match === null ? undefined : { createdAt: Number(match[1]), id: match[2]! };
}
