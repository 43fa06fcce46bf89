/**
 * Everything that is logged, each with the ids that lead from one line to the next. No prompts, inputs, outputs, header values,
 * keys or tokens: routes are logged as patterns, because a callback's token stands in its path.
 */
export type LogEvent =
  | { event: "request.answered"; requestId: string; tenant: string | null; workflowId: string | null; method: string; route: string; status: number; durationMs: number }
  | { event: "request.failed"; requestId: string; tenant: string | null; workflowId: string | null; method: string; route: string; message: string; stack: string | null }
  | { event: "workflow.event"; tenant: string; workflowId: string; requestId: string; seq: number; type: string; taskId: string | null; attempt: number | null; code: string | null }
  | { event: "webhook.sent"; tenant: string; workflowId: string; type: string; result: string; attempts: number; reason: string | null }
  | { event: "gateway.overrun"; tenant: string; id: string; models: string[]; reservedNanoUsd: number; costNanoUsd: number }
  | { event: "intents.failed"; requestId: string; message: string }
  | { event: "routing.reoptimized"; id: number; kind: string; reasons: string }
  | { event: "configuration.warned"; message: string }
  | { event: "queue.malformed"; message: string }
  | { event: "queue.failed" | "queue.send_failed" | "send.failed" | "executor.failed" | "alarm.failed" | "report.failed" | "renewal.failed" | "index.failed" | "sweep.failed" | "metrics.failed" | "reoptimization.failed" | "plan.failed" | "ledger.failed" | "lease.failed" | "webhook.failed" | "allowance.failed" | "limits.failed" | "key.note_failed" | "key.read_failed" | "key.replication_failed" | "replication.failed" | "tenant.removal_failed"; tenant?: string; workflowId?: string; message: string };

/** Several events at once are one write: a call of the console costs the runtime far more than a line does. */
export type Log = (...events: LogEvent[]) => void;

/** Lines of one write: a record of the platform's logs is cut at 256 KB. */
const LINES_PER_WRITE = 400;

/** The exit for a level: `warn` leaves only failures, everything else all events. */
export function createLog(level: string | undefined): Log {
  return level === "warn" ? (...events) => writeLines(events.filter(isLoud)) : (...events) => writeLines(events);
}

/** The one exit of telemetry: one JSON line per event. */
function writeLines(events: readonly LogEvent[]): void {
  for (const event of events) if (isLoud(event)) console.error(JSON.stringify(event));
  const lines = events.filter((event) => !isLoud(event)).map((event) => JSON.stringify(event));
  // A burst of thousands of writes exhausts the file descriptors of the local runtime, which then hangs for good.
  for (let start = 0; start < lines.length; start += LINES_PER_WRITE) console.log(lines.slice(start, start + LINES_PER_WRITE).join("\n"));
}

/** What an operator must see: failures, and settings that are wrong. */
function isLoud(event: LogEvent): boolean {
  return event.event.endsWith("failed") || event.event === "configuration.warned";
}
