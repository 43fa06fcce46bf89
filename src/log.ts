/**
 * Everything that is logged, each with the ids that lead from one line to the next. No prompts, inputs, outputs, header values,
 * keys or tokens: routes are logged as patterns, because a callback's token stands in its path.
 */
export type LogEvent =
  | { event: "request.answered"; requestId: string; tenant: string | null; workflowId: string | null; method: string; route: string; status: number; durationMs: number }
  | { event: "request.failed"; requestId: string; tenant: string | null; workflowId: string | null; method: string; route: string; message: string; stack: string | null }
  | { event: "workflow.event"; tenant: string; workflowId: string; requestId: string; seq: number; type: string; taskId: string | null; attempt: number | null; code: string | null }
  | { event: "webhook.sent"; tenant: string; workflowId: string; type: string; result: string; attempts: number; reason: string | null }
  | { event: "routing.reoptimized"; id: number; kind: string; reasons: string }
  | { event: "queue.malformed"; message: string }
  | { event: "queue.failed" | "queue.send_failed" | "executor.failed" | "alarm.failed" | "report.failed" | "renewal.failed" | "index.failed" | "sweep.failed" | "metrics.failed" | "reoptimization.failed" | "plan.failed" | "ledger.failed"; workflowId?: string; message: string };

export type Log = (event: LogEvent) => void;

/** The exit for a level: `warn` leaves only failures, everything else all events. */
export function createLog(level: string | undefined): Log {
  return level === "warn" ? (event) => event.event.endsWith(".failed") && logEvent(event) : logEvent;
}

/** The one exit of telemetry: one JSON line per event. */
export function logEvent(event: LogEvent): void {
  const line = JSON.stringify(event);
  if (event.event.endsWith("failed")) console.error(line);
  else console.log(line);
}
