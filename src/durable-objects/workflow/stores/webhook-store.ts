import type { WorkflowEvent } from "../../../workflow/events.ts";
import type { WorkflowStatus } from "../../../workflow/run.ts";
import type { SideTables } from "../../storage/side-tables.ts";

const DEFAULT_EVENTS: readonly string[] = ["workflow.completed", "workflow.failed", "workflow.cancelled"];

export interface WebhookRow {
  id: number;
  type: string;
  at: number;
  status: string;
  attempts: number;
  nextAt: number;
}

/** Webhooks that are not delivered yet: the SQL of a workflow object's table of them. Times are Unix ms. */
export class WebhookStore {
  readonly #tables: SideTables;

  constructor(tables: SideTables) {
    this.#tables = tables;
  }

  /** Adds a webhook for each of a transaction's events that is wanted, with the workflow's status at it; without a list the ends of workflows are. */
  addWanted(wanted: readonly string[] | undefined, { firstSeq, events }: { firstSeq: number; events: readonly WorkflowEvent[] }, statuses: readonly WorkflowStatus[]): void {
    const types = wanted ?? DEFAULT_EVENTS;
    events.forEach((event, index) => {
      if (types.includes(event.type)) this.#add(firstSeq + index, event.type, Date.parse(event.at), statuses[index]!);
    });
  }

  /** `seq`: of the event, which makes the webhook's id. A number of the table's own would come again once its row is gone, and receivers would drop the event as a repeat. */
  #add(seq: number, type: string, at: number, status: WorkflowStatus): void {
    this.#tables.add("INSERT INTO webhooks (id, type, at, status, attempts, next_at) VALUES (?, ?, ?, ?, 0, ?)", seq, type, at, status, at);
  }

  readDue(now: number, limit: number): WebhookRow[] {
    const rows = this.#tables.run("SELECT id, type, at, status, attempts, next_at FROM webhooks WHERE next_at <= ? ORDER BY id LIMIT ?", now, limit);
    return rows.map((row) => ({ id: Number(row["id"]), type: String(row["type"]), at: Number(row["at"]), status: String(row["status"]), attempts: Number(row["attempts"]), nextAt: Number(row["next_at"]) }));
  }

  /** When the next webhook is due; Infinity without any. */
  readNextAt(): number {
    const [row] = this.#tables.run("SELECT min(next_at) AS at FROM webhooks");
    return row === undefined || row["at"] === null ? Infinity : Number(row["at"]);
  }

  postpone(id: number, attempts: number, nextAt: number): void {
    this.#tables.run("UPDATE webhooks SET attempts = ?, next_at = ? WHERE id = ?", attempts, nextAt, id);
  }

  remove(id: number): void {
    this.#tables.run("DELETE FROM webhooks WHERE id = ?", id);
  }
}
