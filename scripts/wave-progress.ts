import { styleText } from "node:util";
import type { EventView } from "./workflow-client.ts";

type State = "pending" | "queued" | "running" | "retrying" | "waiting" | "completed" | "failed" | "skipped" | "cancelled";

export interface ProgressOutput {
  write(text: string): void;
  /** Width of the terminal to redraw in; null for a plain log, one line for each step. */
  columns: number | null;
}

const stateByEventType: Record<string, State> = {
  "task.queued": "queued",
  "task.started": "running",
  "task.retrying": "retrying",
  "task.waiting": "waiting",
  "task.completed": "completed",
  "task.failed": "failed",
  "task.skipped": "skipped",
  "task.cancelled": "cancelled",
};

const marks: Record<State, { mark: string; color: "green" | "red" | "yellow" | "cyan" | "gray" }> = {
  pending: { mark: "·", color: "gray" },
  queued: { mark: "○", color: "gray" },
  running: { mark: "◐", color: "cyan" },
  retrying: { mark: "↻", color: "yellow" },
  waiting: { mark: "…", color: "yellow" },
  completed: { mark: "●", color: "green" },
  failed: { mark: "✗", color: "red" },
  skipped: { mark: "–", color: "gray" },
  cancelled: { mark: "–", color: "gray" },
};

/** Shows a workflow's events as they come: in a terminal one line for each wave, drawn again in place; else a log. */
export function createWaveProgress(waves: string[][], output: ProgressOutput): { show(event: EventView): void } {
  const stateByTask = new Map<string, State>(waves.flat().map((task) => [task, "pending"]));
  const waveByTask = new Map(waves.flatMap((wave, index) => wave.map((task) => [task, index + 1] as const)));
  let startedAtMs: number | null = null;
  let linesDrawn = 0;

  function show(event: EventView): void {
    startedAtMs ??= Date.parse(event.at);
    const state = stateByEventType[event.type];
    if (event.taskId !== undefined && state !== undefined) stateByTask.set(event.taskId, state);
    if (output.columns === null) log(event);
    else if (state !== undefined) draw(output.columns);
  }

  function log(event: EventView): void {
    const time = `+${(Date.parse(event.at) - (startedAtMs ?? 0)).toString().padStart(5)} ms`;
    const wave = event.taskId === undefined ? "" : `  wave ${waveByTask.get(event.taskId) ?? "?"}  ${event.taskId}`;
    const detail = event.data.model ?? event.data.error?.message;
    output.write(`${time}${wave}  ${event.type}${detail === undefined ? "" : `: ${detail}`}\n`);
  }

  function draw(columns: number): void {
    const lines = waves.map((wave, index) => drawWave(wave, index + 1, columns));
    const rewind = linesDrawn > 0 ? `\u001b[${linesDrawn}A\u001b[J` : "";
    output.write(`${rewind}${lines.join("\n")}\n`);
    linesDrawn = lines.length;
  }

  /** A line that wrapped would break the next redraw, so names are left out where they do not fit. */
  function drawWave(wave: string[], number: number, columns: number): string {
    const done = wave.filter((task) => ["completed", "skipped"].includes(stateByTask.get(task) ?? "")).length;
    let width = `wave ${number}  ${done}/${wave.length}`.length;
    let line = `${styleText("bold", `wave ${number}`)}  ${done}/${wave.length}`;
    for (const task of wave) {
      width += task.length + 4;
      if (width >= columns - 1) return `${line} …`;
      const { mark, color } = marks[stateByTask.get(task) ?? "pending"];
      line += `  ${styleText(color, mark)} ${task}`;
    }
    return line;
  }

  return { show };
}
