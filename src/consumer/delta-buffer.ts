import type { TaskDelta } from "./attempt-port.ts";
import type { WorkOrder } from "./work-order.ts";

/** How long deltas gather before they are sent: short enough to read along, long enough to save most calls. */
const FLUSH_MS = 75;

export interface DeltaBuffer {
  add(order: WorkOrder, text: string): void;
}

/** Gathers token deltas and passes them on in batches, one call per workflow. Deltas are shown live and never stored, so a failed call only loses them. */
export function createDeltaBuffer(publish: (order: WorkOrder, deltas: TaskDelta[]) => Promise<void>): DeltaBuffer {
  const pending = new Map<string, { order: WorkOrder; deltas: TaskDelta[] }>();
  const flush = () => {
    const batches = [...pending.values()];
    pending.clear();
    for (const { order, deltas } of batches) void publish(order, deltas).catch(() => undefined);
  };
  return {
    add(order, text) {
      if (pending.size === 0) setTimeout(flush, FLUSH_MS);
      const name = `${order.tenant}:${order.workflowId}`;
      const batch = pending.get(name) ?? { order, deltas: [] };
      pending.set(name, batch);
      const last = batch.deltas.at(-1);
      if (last?.task === order.task && last.attempt === order.attempt) last.text += text;
      else batch.deltas.push({ task: order.task, attempt: order.attempt, text });
    },
  };
}
