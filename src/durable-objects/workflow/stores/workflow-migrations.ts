/** Schema of a workflow object. Append-only: change nothing that was deployed, add an entry. */
export const WORKFLOW_MIGRATIONS: readonly string[] = [
  `
  -- Single documents: identity, input, state, totals, result, idempotency.
  CREATE TABLE documents (name TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE agents (name TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
  -- What was posted, written once; apart from the state, so that a step rewrites small rows only.
  CREATE TABLE tasks (task INTEGER PRIMARY KEY, json TEXT NOT NULL);
  -- A row appears with a task's first change. state: the core's TaskState; detail: route and context of the last attempt.
  CREATE TABLE task_states (task INTEGER PRIMARY KEY, status TEXT NOT NULL, state TEXT NOT NULL, detail TEXT);
  CREATE TABLE outputs (task INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, json TEXT NOT NULL);
  -- One row per step, not per event: seq of the first, and a JSON array.
  CREATE TABLE events (first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, items TEXT NOT NULL);
  -- Every call that was made. The key makes a repeated report cost nothing twice.
  CREATE TABLE calls (id INTEGER PRIMARY KEY, task INTEGER NOT NULL, attempt INTEGER NOT NULL, call INTEGER NOT NULL, late INTEGER NOT NULL, json TEXT NOT NULL, UNIQUE (task, attempt, call));
  CREATE TABLE callbacks (hash TEXT PRIMARY KEY, task INTEGER NOT NULL, attempt INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE webhooks (id INTEGER PRIMARY KEY, type TEXT NOT NULL, at INTEGER NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL, next_at INTEGER NOT NULL);
  `,
  `
  -- Sums of the calls, for the tenant's statistics. sent_revision: what the tenant knows.
  CREATE TABLE call_stats (hour INTEGER NOT NULL, tier TEXT NOT NULL, task_type TEXT NOT NULL, revision INTEGER NOT NULL, sent_revision INTEGER NOT NULL, sums TEXT NOT NULL, PRIMARY KEY (hour, tier, task_type)) WITHOUT ROWID;
  `,
  `
  -- What is held for calls under way. expires_at: when one without a living attempt is settled in full; is_assumed: it was, and a late
  -- report may still correct it. json: the ledger's line for that case.
  CREATE TABLE reservations (
    task INTEGER NOT NULL, attempt INTEGER NOT NULL, call INTEGER NOT NULL, day INTEGER NOT NULL, nano_usd INTEGER NOT NULL, tokens INTEGER NOT NULL,
    expires_at INTEGER, is_assumed INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (task, attempt, call)
  ) WITHOUT ROWID;
  `,
  `
  -- A small step is one row: its events, and what it did to tasks as [task, state, output], the state without what is as at first. Larger
  -- ones write task_states and outputs. as_of: the newest event when a state was written there; only changes of later rows go over it.
  ALTER TABLE events ADD COLUMN changes TEXT;
  ALTER TABLE task_states ADD COLUMN as_of INTEGER NOT NULL DEFAULT 0;
  `,
];

/**
 * What a new object begins with: the schema of version `version`, made at once instead of step by step, and of it first only what every workflow
 * needs. Make a new one of a later version when there are migrations beyond it: an object has all tables before a migration is run on it.
 */
export const NEW_WORKFLOW_SCHEMA = {
  version: 4,
  main: `
  CREATE TABLE schema_version (version INTEGER NOT NULL);
  INSERT INTO schema_version VALUES (4);
  CREATE TABLE documents (name TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE events (first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, items TEXT NOT NULL, changes TEXT);
  `,
  side: {
    name: "task_states",
    schema: `
    CREATE TABLE agents (name TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE tasks (task INTEGER PRIMARY KEY, json TEXT NOT NULL);
    CREATE TABLE task_states (task INTEGER PRIMARY KEY, status TEXT NOT NULL, state TEXT NOT NULL, detail TEXT, as_of INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE outputs (task INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, json TEXT NOT NULL);
    CREATE TABLE calls (id INTEGER PRIMARY KEY, task INTEGER NOT NULL, attempt INTEGER NOT NULL, call INTEGER NOT NULL, late INTEGER NOT NULL, json TEXT NOT NULL, UNIQUE (task, attempt, call));
    CREATE TABLE callbacks (hash TEXT PRIMARY KEY, task INTEGER NOT NULL, attempt INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE webhooks (id INTEGER PRIMARY KEY, type TEXT NOT NULL, at INTEGER NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL, next_at INTEGER NOT NULL);
    CREATE TABLE call_stats (hour INTEGER NOT NULL, tier TEXT NOT NULL, task_type TEXT NOT NULL, revision INTEGER NOT NULL, sent_revision INTEGER NOT NULL, sums TEXT NOT NULL, PRIMARY KEY (hour, tier, task_type)) WITHOUT ROWID;
    CREATE TABLE reservations (
      task INTEGER NOT NULL, attempt INTEGER NOT NULL, call INTEGER NOT NULL, day INTEGER NOT NULL, nano_usd INTEGER NOT NULL, tokens INTEGER NOT NULL,
      expires_at INTEGER, is_assumed INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (task, attempt, call)
    ) WITHOUT ROWID;
    `,
  },
} as const;
