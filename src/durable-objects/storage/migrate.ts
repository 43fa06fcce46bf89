/**
 * Brings an object's SQLite schema up to date. Migrations are append-only: the n-th entry is version n and never changes once
 * deployed. Must run inside a transaction.
 */
export function migrate(sql: SqlStorage, migrations: readonly string[], current = readVersion(sql)): void {
  if (current === migrations.length) return;
  const isNew = current === 0;
  // In one call: a new object makes all of its tables before it can do anything else.
  const parts = [
    ...(isNew ? ["CREATE TABLE schema_version (version INTEGER NOT NULL)"] : []),
    ...migrations.slice(current).map((statements) => statements.replace(/[;\s]+$/, "")),
    isNew ? `INSERT INTO schema_version VALUES (${migrations.length})` : `UPDATE schema_version SET version = ${migrations.length}`,
  ];
  sql.exec(parts.join(";\n"));
}

/** The schema's version; 0 for an object that never stored anything. Reading it writes nothing, so that asking for unknown ids leaves no trace. */
export function readVersion(sql: SqlStorage): number {
  const [table] = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").toArray();
  return table === undefined ? 0 : Number(sql.exec("SELECT version FROM schema_version").one()["version"]);
}
