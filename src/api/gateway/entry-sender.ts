import type { GatewayEntry } from "../ports/stats-port.ts";

/** Least time between two deliveries to one tenant's object. */
const DELIVERY_GAP_MS = 250;
/** Entries of one delivery: far below what one RPC may carry. */
export const MAX_BATCH = 500;
/** Entries that wait while an object cannot be reached; then the oldest are lost. */
export const MAX_WAITING = 10_000;

export interface EntrySenderDeps {
  now: () => number;
  sleep: (ms: number) => Promise<unknown>;
  send: (tenant: string, entries: GatewayEntry[]) => Promise<void>;
  /** Lets the request that caused this work end without it. */
  keepAlive: (work: Promise<void>) => void;
  onFault: (error: unknown) => void;
}

export interface EntrySender {
  enter: (tenant: string, entry: GatewayEntry) => void;
  /** Sends at once what waits or is under way here, for who is about to read it. Never rejects. */
  flush: (tenant: string) => Promise<void>;
}

interface Waiting {
  /** Those on their way too. */
  entries: GatewayEntry[];
  sentAt: number;
  /** The delivery that is under way, or waits for its turn; null when none is. */
  delivery: { begunAt: number } | null;
}

/** Nobody hears of a delivery that dies with its request, so after this the next request takes its place, dead or alive. */
const DEAD_AFTER_MS = 5_000;

/**
 * Collects what requests of this isolate called and sends it on in batches. Timers and calls end with the request that made them, so
 * a delivery is begun by the first who finds none, and by somebody else every few seconds. An entry counts once, however often it is sent.
 */
export function createEntrySender(deps: EntrySenderDeps): EntrySender {
  const tenants = new Map<string, Waiting>();
  /** What is sent waits until it has arrived: nobody hears of a delivery that dies on the way. */
  const send = async (tenant: string, waiting: Waiting): Promise<void> => {
    const batch = waiting.entries.slice(0, MAX_BATCH);
    waiting.sentAt = deps.now();
    await deps.send(tenant, batch);
    const arrived = new Set(batch);
    waiting.entries = waiting.entries.filter((entry) => !arrived.has(entry));
  };
  /** Sends until nothing waits. What could not be sent waits for the tenant's next request. */
  const deliver = async (tenant: string, waiting: Waiting): Promise<void> => {
    const mine = { begunAt: deps.now() };
    waiting.delivery = mine;
    try {
      while (waiting.delivery === mine && waiting.entries.length > 0) {
        const waitMs = waiting.sentAt + DELIVERY_GAP_MS - deps.now();
        if (waitMs > 0) await deps.sleep(waitMs);
        else await send(tenant, waiting);
      }
    } catch (error) {
      deps.onFault(error);
    }
    if (waiting.delivery === mine) waiting.delivery = null;
  };
  return {
    enter: (tenant, entry) => {
      const waiting = tenants.get(tenant) ?? { entries: [], sentAt: deps.now(), delivery: null };
      tenants.set(tenant, waiting);
      if (waiting.entries.length >= MAX_WAITING) waiting.entries.shift();
      waiting.entries.push(entry);
      if (waiting.delivery === null || deps.now() - waiting.delivery.begunAt >= DEAD_AFTER_MS) deps.keepAlive(deliver(tenant, waiting));
    },
    flush: async (tenant) => {
      const waiting = tenants.get(tenant);
      if (waiting === undefined) return;
      try {
        // Another request's call cannot be waited for, but what it carries is sent once more. What comes meanwhile goes with the next.
        for (let due = waiting.entries.length; due > 0 && waiting.entries.length > 0; due -= MAX_BATCH) await send(tenant, waiting);
      } catch (error) {
        deps.onFault(error);
      }
    },
  };
}
