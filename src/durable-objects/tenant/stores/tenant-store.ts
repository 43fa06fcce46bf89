import { migrate } from "../../storage/migrate.ts";
import { AgentStore } from "./agent-store.ts";
import { ConfigurationStore } from "./configuration-store.ts";
import { DirectoryStore } from "./directory-store.ts";
import { KeyStore } from "./key-store.ts";
import { OptimizationStore } from "./optimization-store.ts";
import { StartGrantStore } from "./start-grant-store.ts";
import { TenantAccountStore } from "./tenant-account-store.ts";
import { TenantHistoryStore } from "./tenant-history-store.ts";
import { TENANT_MIGRATIONS } from "./tenant-migrations.ts";
import { TenantRecordStore } from "./tenant-record-store.ts";
import { TenantStatsStore } from "./tenant-stats-store.ts";
import { WorkflowIndexStore } from "./workflow-index-store.ts";

/** All that a tenant's object stores, part by part. Every method of a part is synchronous; `transaction` makes several one. */
export class TenantStore {
  readonly #storage: DurableObjectStorage;
  /** The object's name. */
  readonly tenant: string;
  readonly record: TenantRecordStore;
  readonly keys: KeyStore;
  readonly directory: DirectoryStore;
  readonly agents: AgentStore;
  readonly configuration: ConfigurationStore;
  readonly optimizations: OptimizationStore;
  readonly account: TenantAccountStore;
  readonly starts: StartGrantStore;
  readonly stats: TenantStatsStore;
  readonly history: TenantHistoryStore;
  readonly workflows: WorkflowIndexStore;

  constructor(storage: DurableObjectStorage, tenant: string) {
    this.#storage = storage;
    this.tenant = tenant;
    const { sql } = storage;
    this.record = new TenantRecordStore(sql, tenant);
    this.keys = new KeyStore(sql);
    this.directory = new DirectoryStore(sql);
    this.agents = new AgentStore(sql);
    this.configuration = new ConfigurationStore(sql);
    this.optimizations = new OptimizationStore(sql);
    this.account = new TenantAccountStore(sql, () => this.record.read().budget);
    this.starts = new StartGrantStore(sql);
    this.stats = new TenantStatsStore(sql);
    this.history = new TenantHistoryStore(sql);
    this.workflows = new WorkflowIndexStore(sql, this);
    this.migrate();
  }

  migrate(): void {
    this.record.forget();
    this.transaction(() => migrate(this.#storage.sql, TENANT_MIGRATIONS));
  }

  transaction<Result>(work: () => Result): Result {
    try {
      return this.#storage.transactionSync(work);
    } catch (error) {
      this.record.forget();
      throw error;
    }
  }
}
