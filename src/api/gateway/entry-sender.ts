import type { GatewayEntry } from "../stats-port.ts";

/** Least time between two deliveries to one tenant's object. */
const DELIVERY_GAP_MS = 250;
/** Entries of one delivery: far below what one RPC may carry. */
const MAX_BATCH = 500;
/** Entries that wait while an object cannot be reached; then the oldest are lost. */
const MAX_WAITING = 10_000;

export interface EntrySenderDeps {
  now: () => number;
  sleep: (ms: number) => Promise<unknown>;
  send: (tenant: string, entries: GatewayEntry[]) => Promise<void>;
  /** Lets the request that caused this work end without it. */
  keepAlive: (work: Promise<void>) => void;
  onFault: (error: unknown) => void;
}

interface Waiting {
  entries: GatewayEntry[];
  sentAt: number;
}

/**
 * Collects what requests of this isolate called and sends it on in batches. Timers and calls end with the request that made them, so
 * every request sees to it that its entry is sent, and the first whose turn comes sends for all. An entry counts once, however often it is sent.
 */
export function createEntrySender(deps: EntrySenderDeps): (tenant: string, entry: GatewayEntry) => void {
  const tenants = new Map<string, Waiting>();
  const send = async (tenant: string, waiting: Waiting): Promise<void> => {
    const batch = waiting.entries.splice(0, MAX_BATCH);
    waiting.sentAt = deps.now();
    try {
      await deps.send(tenant, batch);
    } catch (error) {
      // The next request of this tenant tries again.
      waiting.entries.unshift(...batch.slice(0, Math.max(0, MAX_WAITING - waiting.entries.length)));
      deps.onFault(error);
    }
  };
  const sendInTurn = async (tenant: string, waiting: Waiting, entry: GatewayEntry): Promise<void> => {
    while (waiting.entries.includes(entry)) {
      const waitMs = waiting.sentAt + DELIVERY_GAP_MS - deps.now();
      if (waitMs <= 0) return send(tenant, waiting);
      await deps.sleep(waitMs);
    }
  };
  return (tenant, entry) => {
    const waiting = tenants.get(tenant) ?? { entries: [], sentAt: -Infinity };
    tenants.set(tenant, waiting);
    if (waiting.entries.length >= MAX_WAITING) waiting.entries.shift();
    waiting.entries.push(entry);
    deps.keepAlive(sendInTurn(tenant, waiting, entry));
  };
}
