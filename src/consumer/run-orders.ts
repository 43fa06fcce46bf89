import type { Outcome, Report, WorkOrder } from "./work-order.ts";

/**
 * Orders that one executor invocation takes: it has six connections that wait for a first header, so with five nobody waits for
 * a hanging call of another, and one stays free.
 */
export const ORDERS_PER_EXECUTOR = 5;
/** How long a finished outcome waits for company before it is passed on while other orders still run. */
const GATHER_MS = 2;

/** Runs orders side by side. Outcomes that are early are passed to `onReports` in batches; those left when the last order ends come back. */
export async function runOrders(orders: readonly WorkOrder[], runAttempt: (order: WorkOrder) => Promise<Outcome>, onReports: (reports: Report[]) => Promise<void>): Promise<Report[]> {
  let finished: Report[] = [];
  let running = orders.length;
  let passing: Promise<void> = Promise.resolve();
  let isGathering = false;
  let stopGathering = (): void => undefined;
  const gather = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, GATHER_MS);
      stopGathering = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const passOn = async (): Promise<void> => {
    if (running > 0) await gather();
    isGathering = false;
    if (running === 0) return;
    const batch = finished;
    finished = [];
    await onReports(batch).catch(() => finished.push(...batch));
  };
  await Promise.all(orders.map(async (order) => {
    const outcome = await runAttempt(order);
    finished.push({ task: order.task, attempt: order.attempt, outcome });
    running -= 1;
    if (running === 0) stopGathering();
    if (running === 0 || isGathering) return;
    isGathering = true;
    passing = passing.then(passOn);
  }));
  await passing;
  return finished;
}

/** Cuts orders into what one executor invocation takes. */
export function splitOrders(orders: readonly WorkOrder[]): WorkOrder[][] {
  const parts: WorkOrder[][] = [];
  for (let start = 0; start < orders.length; start += ORDERS_PER_EXECUTOR) parts.push(orders.slice(start, start + ORDERS_PER_EXECUTOR));
  return parts;
}
