import type { TaskDelta } from "./attempt-port.ts";
import { refOfOrder } from "./run-orders.ts";
import type { WorkOrder } from "./work-order.ts";

/** How long deltas gather before they are sent: short enough to read along, long enough to save most calls. */
const FLUSH_MS = 75;

export interface DeltaBuffer {
  add(order: WorkOrder, text: string): void;
  /** Sends what has gathered for the order's workflow now; settles when all of it has arrived or was given up. Never rejects. */
  flush(order: WorkOrder): Promise<void>;
}

/** Gathers token deltas and passes them on in batches, one call per workflow at a time. Deltas are shown live and never stored, so a failed call only loses them. */
export function createDeltaBuffer(publish: (order: WorkOrder, deltas: TaskDelta[]) => Promise<void>): DeltaBuffer {
  const pending = new Map<string, { order: WorkOrder; deltas: TaskDelta[] }>();
  /** The last call of each workflow that is under way: calls must arrive in order. */
  const sending = new Map<string, Promise<void>>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const send = (name: string): Promise<void> => {
    const earlier = sending.get(name) ?? Promise.resolve();
    const batch = pending.get(name);
    if (batch === undefined) return earlier;
    pending.delete(name);
    if (pending.size === 0) clearTimeout(timer);
    const isFirst = !sending.has(name);
    const call = (isFirst ? publish(batch.order, batch.deltas) : earlier.then(() => publish(batch.order, batch.deltas))).catch(() => undefined);
    const sent: Promise<void> = call.then(() => {
      if (sending.get(name) === sent) sending.delete(name);
    });
    sending.set(name, sent);
    return sent;
  };

  return {
    add(order, text) {
      if (pending.size === 0) timer = setTimeout(() => [...pending.keys()].forEach((name) => void send(name)), FLUSH_MS);
      const name = nameOf(order);
      const batch = pending.get(name) ?? { order, deltas: [] };
      pending.set(name, batch);
      const last = batch.deltas.at(-1);
      if (last?.task === order.task && last.attempt === order.attempt) last.text += text;
      else batch.deltas.push({ ...refOfOrder(order), text });
    },
    flush: (order) => send(nameOf(order)),
  };
}

function nameOf(order: WorkOrder): string {
  return `${order.tenant}:${order.workflowId}`;
}
