import type { WorkflowView } from "./workflow-client.ts";

const header = ["task", "wave", "status", "model", "tokens in", "tokens out", "cost", "time"];
const rightAligned = new Set(["wave", "tokens in", "tokens out", "cost", "time"]);

/** The tasks of a finished workflow, one line each in order of their waves, and a line of totals. */
export function formatTaskTable(workflow: WorkflowView): string {
  const rows = workflow.waves.flat().map((id) => {
    const task = workflow.tasks[id];
    if (task === undefined) return [id, "", "", "", "", "", "", ""];
    const usage = task.usage ?? { inputTokens: 0, outputTokens: 0, costUsd: 0 };
    return [
      id,
      String(task.wave + 1),
      task.status,
      task.route?.model ?? "–",
      usage.inputTokens.toLocaleString("en"),
      usage.outputTokens.toLocaleString("en"),
      formatUsd(usage.costUsd),
      formatElapsed(task),
    ];
  });
  const { inputTokens, outputTokens, costUsd } = workflow.usage;
  const total = ["total", "", workflow.status, "", inputTokens.toLocaleString("en"), outputTokens.toLocaleString("en"), formatUsd(costUsd), formatElapsed(workflow)];
  return alignColumns([header, ...rows, total]);
}

function alignColumns(rows: string[][]): string {
  const widths = header.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (rightAligned.has(header[column] ?? "") ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  lines.splice(1, 0, rule);
  lines.splice(-1, 0, rule);
  return lines.join("\n");
}

function formatUsd(usd: number): string {
  return usd === 0 ? "$0" : `$${usd.toFixed(6)}`;
}

function formatElapsed(span: { startedAt: string | null; finishedAt: string | null }): string {
  if (span.startedAt === null || span.finishedAt === null) return "–";
  const elapsedMs = Date.parse(span.finishedAt) - Date.parse(span.startedAt);
  return elapsedMs < 10_000 ? `${elapsedMs} ms` : `${(elapsedMs / 1_000).toFixed(1)} s`;
}
