import type { RegisteredAgent } from "../../../api/ports/tenant-port.ts";
import type { AgentDefinition } from "../../../workflow/spec/agent.ts";
import { isoTime } from "../../storage/iso-time.ts";

/** A tenant's agents: the SQL of the table `agents`. Times are Unix milliseconds. */
export class AgentStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Newest first. */
  list(): RegisteredAgent[] {
    const rows = this.#sql.exec("SELECT name, created_at, updated_at, json FROM agents ORDER BY created_at DESC, name").toArray();
    return rows.map((row) => ({
      name: String(row["name"]),
      agent: JSON.parse(String(row["json"])) as AgentDefinition,
      createdAt: isoTime(Number(row["created_at"])),
      updatedAt: isoTime(Number(row["updated_at"])),
    }));
  }

  /** How many other agents there are, and the characters of their definitions. */
  measureOthers(name: string): { count: number; characters: number } {
    const row = this.#sql.exec("SELECT count(*) AS count, coalesce(sum(length(json)), 0) AS characters FROM agents WHERE name <> ?", name).one();
    return { count: Number(row["count"]), characters: Number(row["characters"]) };
  }

  put(name: string, agent: AgentDefinition, now: number): { agent: RegisteredAgent; isNew: boolean } {
    const [known] = this.#sql.exec("SELECT created_at FROM agents WHERE name = ?", name).toArray();
    const createdAt = known === undefined ? now : Number(known["created_at"]);
    this.#sql.exec("INSERT OR REPLACE INTO agents VALUES (?, ?, ?, ?)", name, createdAt, now, JSON.stringify(agent));
    return { agent: { name, agent, createdAt: isoTime(createdAt), updatedAt: isoTime(now) }, isNew: known === undefined };
  }

  delete(name: string): boolean {
    return this.#sql.exec("DELETE FROM agents WHERE name = ?", name).rowsWritten > 0;
  }
}
