import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createWaveProgress } from "../../scripts/wave-progress.ts";
import type { EventView } from "../../scripts/workflow-client.ts";

const WAVES = [["scout_documents", "scout_core"], ["plan"]];

function eventOf(type: string, taskId?: string, afterMs = 0): EventView {
  return { seq: 1, at: new Date(1_800_000_000_000 + afterMs).toISOString(), type, ...(taskId === undefined ? {} : { taskId }), data: {} };
}

function show(columns: number | null, events: readonly EventView[]): string[] {
  const written: string[] = [];
  const progress = createWaveProgress(WAVES, { columns, write: (text) => written.push(text) });
  for (const event of events) progress.show(event);
  return written;
}

describe("progress of a workflow", () => {
  test("as a log is one plain line for each event, with its time, wave and task", () => {
    const written = show(null, [eventOf("workflow.started"), eventOf("task.queued", "plan", 7), { ...eventOf("model.selected", "plan", 12), data: { model: "offline" } }]);
    expect(written).toEqual(["+    0 ms  workflow.started\n", "+    7 ms  wave 2  plan  task.queued\n", "+   12 ms  wave 2  plan  model.selected: offline\n"]);
  });

  test("in a terminal is drawn again only when a task's state changed, over the lines drawn before", () => {
    const written = show(100, [eventOf("workflow.started"), eventOf("task.started", "plan"), eventOf("budget.reserved", "plan"), eventOf("task.completed", "plan")]);
    expect(written).toHaveLength(2);
    expect(written[1]!.startsWith(`\u001b[${WAVES.length}A\u001b[J`)).toBe(true);
    expect(stripVTControlCharacters(written[1]!)).toContain("wave 2  1/1  ● plan");
  });

  test("never wraps a line, however narrow the terminal is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 14, max: 120 }), (columns) => {
        const lines = show(columns, [eventOf("task.queued", "plan")]).flatMap((text) => stripVTControlCharacters(text).split("\n"));
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      }),
    );
  });
});
