import { joinMetrics, type ProviderHealth } from "../router/metrics/join-metrics.ts";
import type { CallObservation, MetricsSnapshot } from "../router/metrics/model-metrics.ts";
import { MAX_ATTEMPT_TIMEOUT_MS } from "../workflow/spec/spec.ts";
import type { MetricsPort, ModelHealth } from "./metrics-port.ts";

/** Least time between two deliveries to one provider's object. */
export const DELIVERY_GAP_MS = 250;
/** Observations that wait for a delivery; more than a busy isolate makes in its gap, and a bound while the object cannot be reached. */
export const MAX_WAITING_OBSERVATIONS = 5_000;
/**
 * How long one request delivers for all. The platform ends it some time after its answer, and nobody hears of one that died: after this the
 * next request takes its place, dead or alive.
 */
export const COURIER_TERM_MS = 2_000;
/** How long an isolate's copy of the replicated metrics counts as fresh. */
const SNAPSHOT_FRESH_MS = 10_000;
/** How old news of a provider's circuits may be while models are being chosen: by this all isolates know of an opened circuit within seconds. */
export const CIRCUITS_FRESH_MS = 2_000;

export interface MetricsClientDeps {
  now: () => number;
  /** False when the signal fired first. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<boolean>;
  /** The object of a provider: a fresh stub at every call. */
  object: (provider: string) => MetricsPort;
  /** The replicated metrics of several providers, in their order, up to a minute old; null for one that was never published. */
  readReplicas: (providers: readonly string[]) => Promise<(MetricsSnapshot | null)[]>;
  /** Lets the request that caused this work end without it. */
  keepAlive: (work: Promise<void>) => void;
  onFault: (error: unknown) => void;
}

/** What this isolate knows of one provider, and has not told yet. */
interface Known extends ProviderHealth {
  replicaReadAt: number;
  /** When the last delivery began. */
  deliveredAt: number;
  waiting: CallObservation[];
  /** Who delivers, and since when; null when nobody does. */
  courier: { since: number } | null;
}

/** What all parts of one client share. */
interface Shared extends MetricsClientDeps {
  open: (provider: string) => Known;
  /** To be called when anything is known anew. */
  changed: () => void;
}

/**
 * An isolate's view of all models' health. Requests of one isolate share its data but not its timers and calls, which end with their
 * request. A timer for each, and the request that it keeps alive, would cost more than the call that it is about, so one delivers for all.
 */
export function createMetricsClient(deps: MetricsClientDeps): ModelHealth {
  const providers = new Map<string, Known>();
  let joined: { names: readonly string[]; snapshot: MetricsSnapshot | null } | null = null;
  const open = (provider: string): Known => {
    const known = providers.get(provider) ?? { replica: null, replicaReadAt: -Infinity, circuits: {}, heardAt: -Infinity, deliveredAt: -Infinity, waiting: [], courier: null };
    providers.set(provider, known);
    return known;
  };
  const shared: Shared = { ...deps, open, changed: () => void (joined = null) };

  return {
    async snapshot(names) {
      refreshCircuits(names, shared);
      await refreshReplicas(names, shared);
      if (joined === null || !isSameList(joined.names, names)) joined = { names: [...names], snapshot: joinMetrics(names.map(open)) };
      return joined.snapshot;
    },
    observe(observation) {
      const known = open(observation.provider);
      // Of too many the last are dropped.
      if (known.waiting.length < MAX_WAITING_OBSERVATIONS) known.waiting.push(observation);
      if (known.courier === null || deps.now() - known.courier.since >= COURIER_TERM_MS) deps.keepAlive(deliverInTurn(observation.provider, shared));
    },
    async acquireProbe(provider, model) {
      try {
        return await deps.object(provider).acquireProbe(model);
      } catch (error) {
        deps.onFault(error);
        return false;
      }
    },
    async acquireRate(provider, { maxWaitMs = MAX_ATTEMPT_TIMEOUT_MS, ...call }, signal) {
      if (call.limits.requestsPerMinute === null && call.limits.tokensPerMinute === null) return true;
      const until = deps.now() + maxWaitMs;
      try {
        for (let isReturning = false; ; isReturning = true) {
          const { waitMs, askAgainMs } = await deps.object(provider).leaseRate({ ...call, maxWaitMs: Math.max(0, until - deps.now()), isReturning });
          if (signal.aborted) return false;
          if (waitMs !== null) return waitMs === 0 || (await deps.sleep(waitMs, signal));
          if (askAgainMs === null || !(await deps.sleep(askAgainMs, signal))) return false;
        }
      } catch (error) {
        deps.onFault(error);
        return !signal.aborted;
      }
    },
  };
}

/** Delivers what waits, at the provider's turns, until nothing does or somebody else has taken over. */
async function deliverInTurn(provider: string, shared: Shared): Promise<void> {
  const known = shared.open(provider);
  const courier = { since: shared.now() };
  known.courier = courier;
  while (known.courier === courier && known.waiting.length > 0) {
    const waitMs = known.deliveredAt + DELIVERY_GAP_MS - shared.now();
    if (waitMs > 0) await shared.sleep(waitMs);
    else await deliver(provider, shared);
  }
  if (known.courier === courier) known.courier = null;
}

/** Delivers what waits, be it nothing, and takes the circuits that are told in return. */
async function deliver(provider: string, { open, now, object, changed, onFault }: Shared): Promise<void> {
  const known = open(provider);
  const batch = known.waiting;
  const begunAt = now();
  known.waiting = [];
  known.deliveredAt = begunAt;
  try {
    const circuits = await object(provider).observe(batch);
    // Of two answers that overtake each other the one that was asked for later is right.
    if (begunAt < known.heardAt) return;
    known.circuits = circuits;
    known.heardAt = begunAt;
    changed();
  } catch (error) {
    onFault(error);
  }
}

function refreshCircuits(names: readonly string[], shared: Shared): void {
  const now = shared.now();
  for (const name of names) {
    const { heardAt, deliveredAt } = shared.open(name);
    if (now - Math.max(heardAt, deliveredAt) >= CIRCUITS_FRESH_MS) shared.keepAlive(deliver(name, shared));
  }
}

async function refreshReplicas(names: readonly string[], shared: Shared): Promise<void> {
  const now = shared.now();
  const stale = names.filter((name) => now - shared.open(name).replicaReadAt >= SNAPSHOT_FRESH_MS);
  if (stale.length === 0) return;
  // Only the first reading is waited for: afterwards there is something to go by.
  const isFirst = stale.some((name) => shared.open(name).replicaReadAt === -Infinity);
  const reading = readReplicas(stale, shared);
  if (isFirst) await reading;
  else shared.keepAlive(reading);
}

async function readReplicas(names: readonly string[], shared: Shared): Promise<void> {
  // Marked first, so that those who come meanwhile do not read too.
  for (const name of names) shared.open(name).replicaReadAt = shared.now();
  try {
    const replicas = await shared.readReplicas(names);
    for (const [index, name] of names.entries()) {
      const replica = replicas[index] ?? null;
      const known = shared.open(name);
      if (replica !== null && replica.at >= (known.replica?.at ?? 0)) known.replica = replica;
    }
    shared.changed();
  } catch (error) {
    shared.onFault(error);
  }
}

function isSameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((name, index) => name === right[index]);
}
