/** Schema of a tenant object. Append-only: change nothing that was deployed, add an entry. */
export const TENANT_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE agents (name TEXT PRIMARY KEY, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, json TEXT NOT NULL) WITHOUT ROWID;
  -- Versions count on when old ones are removed.
  CREATE TABLE tiers (version INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, json TEXT NOT NULL);
  -- The index of the tenant's workflows. heard_at: when its object last reported.
  CREATE TABLE workflows (
    id TEXT PRIMARY KEY, created_at INTEGER NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL, name TEXT,
    is_final INTEGER NOT NULL, heard_at INTEGER NOT NULL, summary TEXT NOT NULL
  );
  CREATE INDEX workflows_by_time ON workflows (created_at, id);
  CREATE INDEX workflows_by_status ON workflows (status, created_at, id);
  CREATE INDEX workflows_by_name ON workflows (name, created_at, id) WHERE name IS NOT NULL;
  CREATE INDEX workflows_open ON workflows (heard_at) WHERE is_final = 0;
  -- Metadata never changes after the creation, so a row is written once and leads to its workflow in the list's order.
  CREATE TABLE workflow_metadata (key TEXT NOT NULL, value TEXT NOT NULL, created_at INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (key, value, created_at, id)) WITHOUT ROWID;
  -- Removed workflows, for as long as a late report could bring one back.
  CREATE TABLE removed_workflows (id TEXT PRIMARY KEY, created_at INTEGER NOT NULL, removed_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX removed_by_time ON removed_workflows (removed_at);
  `,
  `
  -- json: all that this tenant set as of the version; changes: what it changed, as it took effect.
  CREATE TABLE settings (version INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, author TEXT NOT NULL, changes TEXT NOT NULL, json TEXT NOT NULL);
  `,
  `
  -- Sums of calls by the hour, and what each workflow had told of its own when they were last brought up to date.
  CREATE TABLE call_stats (hour INTEGER NOT NULL, tier TEXT NOT NULL, task_type TEXT NOT NULL, sums TEXT NOT NULL, PRIMARY KEY (hour, tier, task_type)) WITHOUT ROWID;
  CREATE TABLE workflow_stats (
    id TEXT NOT NULL, created_at INTEGER NOT NULL, hour INTEGER NOT NULL, tier TEXT NOT NULL, task_type TEXT NOT NULL, revision INTEGER NOT NULL, sums TEXT NOT NULL,
    PRIMARY KEY (id, created_at, hour, tier, task_type)
  ) WITHOUT ROWID;
  -- Calls that the gateway made, one row for each request to it.
  CREATE TABLE gateway_calls (id TEXT PRIMARY KEY, at INTEGER NOT NULL, json TEXT NOT NULL) WITHOUT ROWID;
  CREATE INDEX gateway_calls_by_time ON gateway_calls (at);
  -- What the re-optimizer decided, newest last.
  CREATE TABLE optimizations (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, json TEXT NOT NULL);
  `,
  `
  -- What the operator set of this tenant: one row; none in an object of which nothing was set.
  CREATE TABLE tenant (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), id TEXT NOT NULL, created_at INTEGER, state TEXT NOT NULL, changed_at INTEGER NOT NULL, allowance TEXT NOT NULL);
  `,
  `
  -- The budget account. Amounts in nano-dollars, days in UTC days. created_at 0: a request to the gateway.
  CREATE TABLE budget_entries (
    holder TEXT NOT NULL, created_at INTEGER NOT NULL, day INTEGER NOT NULL, leased INTEGER NOT NULL, spent INTEGER NOT NULL,
    told_revision INTEGER NOT NULL, asked_revision INTEGER NOT NULL, expires_at INTEGER, touched_at INTEGER NOT NULL, PRIMARY KEY (holder, created_at, day)
  ) WITHOUT ROWID;
  CREATE INDEX budget_entries_unspent ON budget_entries (touched_at) WHERE leased > spent;
  CREATE INDEX budget_entries_expiring ON budget_entries (expires_at) WHERE expires_at IS NOT NULL;
  -- held: the larger of leased and spent, of each entry.
  CREATE TABLE budget_days (day INTEGER PRIMARY KEY, held INTEGER NOT NULL, spent INTEGER NOT NULL);
  `,
  `
  -- Of a key its hash alone. A revoked one stays until its replica is gone.
  CREATE TABLE keys (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT, scopes TEXT NOT NULL, created_at INTEGER NOT NULL, last_used_at INTEGER, is_revoked INTEGER NOT NULL);
  CREATE INDEX keys_by_time ON keys (created_at, id);
  -- The directory, in the operator's object: all tenants but the operator's own. swept_at: when the sweep last came to it.
  CREATE TABLE tenants (id TEXT PRIMARY KEY, created_at INTEGER NOT NULL, state TEXT NOT NULL, removing_at INTEGER, swept_at INTEGER NOT NULL);
  CREATE INDEX tenants_by_time ON tenants (created_at, id);
  CREATE INDEX tenants_by_sweep ON tenants (state, swept_at, id);
  -- What the first request with an Idempotency-Key that made a tenant was answered.
  CREATE TABLE tenant_answers (key TEXT PRIMARY KEY, body_hash TEXT NOT NULL, at INTEGER NOT NULL, answer TEXT NOT NULL) WITHOUT ROWID;
  CREATE INDEX tenant_answers_by_time ON tenant_answers (at);
  `,
  `
  CREATE INDEX workflow_stats_by_time ON workflow_stats (created_at, id);
  `,
  `
  -- What workflows were granted of the starts that the tenant's limits allow: totals, of those that have something running or to start.
  CREATE TABLE start_grants (
    holder TEXT NOT NULL, created_at INTEGER NOT NULL, up_to INTEGER NOT NULL, ended INTEGER NOT NULL, revision INTEGER NOT NULL, touched_at INTEGER NOT NULL,
    PRIMARY KEY (holder, created_at)
  ) WITHOUT ROWID;
  CREATE INDEX start_grants_by_time ON start_grants (touched_at);
  CREATE TABLE start_bucket (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), left_over REAL NOT NULL, at INTEGER NOT NULL);
  `,
  `
  -- What runs of an agent with a type of task have come to, and how right forecasts were, by the hour in which the workflows ended.
  CREATE TABLE agent_history (agent TEXT NOT NULL, task_type TEXT NOT NULL, learnt_at INTEGER NOT NULL, sums TEXT NOT NULL, PRIMARY KEY (agent, task_type)) WITHOUT ROWID;
  CREATE INDEX agent_history_by_time ON agent_history (learnt_at);
  CREATE TABLE forecast_accuracy (hour INTEGER PRIMARY KEY, workflows INTEGER NOT NULL, cost_error REAL NOT NULL, tokens_error REAL NOT NULL);
  -- What each workflow told last of its end.
  CREATE TABLE workflow_endings (id TEXT NOT NULL, created_at INTEGER NOT NULL, revision INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (id, created_at)) WITHOUT ROWID;
  `,
];
