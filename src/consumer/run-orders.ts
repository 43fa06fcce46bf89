import type { AttemptRef, Outcome, Report, WorkOrder } from "./work-order.ts";

/**
 * Orders that one executor invocation takes: it has six connections that wait for a first header, so with five nobody waits for
 * a hanging call of another, and one stays free.
 */
export const ORDERS_PER_EXECUTOR = 5;
/** How long a finished outcome waits for company before it is passed on while other orders still run. */
const GATHER_MS = 2;

/** The attempt that an order is for, as its workflow is told of it. */
export function refOfOrder({ task, attempt, workflowCreatedAt }: WorkOrder): AttemptRef {
  return { task, attempt, ...(workflowCreatedAt === undefined ? {} : { workflowCreatedAt }) };
}

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
    finished.push({ ...refOfOrder(order), outcome });
    running -= 1;
    if (running === 0) stopGathering();
    if (running === 0 || isGathering) return;
    isGathering = true;
    passing = passing.then(passOn);
  }));
  await passing;
  return finished;
}

/** Characters of the orders in one message: at three bytes each at most they stay under the 32 MiB of an RPC message. */
export const MAX_MESSAGE_CHARACTERS = 10_000_000;

/** Cuts orders into what one executor invocation takes, by number and by size. */
export function splitOrders(orders: readonly WorkOrder[]): WorkOrder[][] {
  const parts: WorkOrder[][] = [];
  let room = 0;
  for (const order of orders) {
    const characters = measureOrder(order);
    const part = parts.at(-1);
    if (part !== undefined && part.length < ORDERS_PER_EXECUTOR && characters <= room) {
      part.push(order);
      room -= characters;
    } else {
      parts.push([order]);
      room = MAX_MESSAGE_CHARACTERS - characters;
    }
  }
  return parts;
}

/** Characters of JSON that an order carries, about. */
export function measureOrder({ input, dependencies }: WorkOrder): number {
  return [input, ...Object.values(dependencies)].reduce<number>((sum, value) => sum + (typeof value === "string" ? value.length : JSON.stringify(value).length), 0);
}
