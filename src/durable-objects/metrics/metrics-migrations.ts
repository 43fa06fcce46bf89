/** Schema of a metrics object. Append-only: change nothing that was deployed, add an entry. */
export const METRICS_MIGRATIONS: readonly string[] = [
  `
  -- What is kept of one model, as JSON: a sketch of all its latencies is a few ten KB at most, so each model has a row of its own.
  CREATE TABLE models (id TEXT PRIMARY KEY, metrics TEXT NOT NULL, buckets TEXT NOT NULL) WITHOUT ROWID;
  -- When the metrics were last replicated, and whose they are: an object that an alarm woke may not know its own name.
  CREATE TABLE published (at INTEGER NOT NULL, provider TEXT);
  INSERT INTO published VALUES (0, NULL);
  `,
  `
  -- Sums over single calls by time, task type, tier and model, as JSON, one row for each step of the window.
  CREATE TABLE evidence (start INTEGER PRIMARY KEY, json TEXT NOT NULL);
  `,
];
