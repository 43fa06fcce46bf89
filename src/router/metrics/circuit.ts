import type { RoutingSettings } from "../../config/routing-settings.ts";
import type { CircuitState } from "./model-metrics.ts";

export type CircuitSettings = Pick<
  RoutingSettings,
  "circuitWindowMs" | "circuitMinCalls" | "circuitFailureRate" | "circuitConsecutiveFailures" | "circuitCooldownMs" | "circuitCooldownFactor" | "circuitMaxCooldownMs" | "circuitProbes"
>;

/** A probe that was never heard of again gives its place up after this: its caller may have died. */
export const PROBE_LEASE_MS = 30_000;

/** Calls of a span of time, and how many of them failed. */
interface CallCount {
  calls: number;
  failures: number;
}

/** The breaker of one model, as plain data. All times are Unix ms. Bounded, whatever it has seen. */
export interface Circuit {
  state: "closed" | "open";
  /** Start of `current`; the window before it is `previous`, so that the rate never rests on less than one window. */
  windowStart: number;
  current: CallCount;
  previous: CallCount;
  consecutiveFailures: number;
  /** When it opened last; null when it never did. */
  openedAt: number | null;
  /** End of the cooldown; from then on it is half-open. Null when closed. */
  openUntil: number | null;
  /** Openings without a whole healthy window between them: the exponent of the backoff. */
  openings: number;
  closedAt: number | null;
  /** Until when the one probe has the circuit's place; null when nobody probes. */
  probeUntil: number | null;
  /** Probes that succeeded one after the other. */
  probeSuccesses: number;
}

/** What a circuit learns from a call that ended. */
export interface CircuitCall {
  startedAt: number;
  at: number;
  /** Whether the model's health is to blame; a refused request is no failure. */
  isFailure: boolean;
  /** It proves nothing either way. */
  isInconclusive?: boolean;
  /** A wait that the provider asked for. */
  retryAfterMs: number | null;
}

export function createCircuit(now: number): Circuit {
  return {
    state: "closed",
    windowStart: now,
    current: { calls: 0, failures: 0 },
    previous: { calls: 0, failures: 0 },
    consecutiveFailures: 0,
    openedAt: null,
    openUntil: null,
    openings: 0,
    closedAt: null,
    probeUntil: null,
    probeSuccesses: 0,
  };
}

/** The state as callers see it: an open circuit whose cooldown is over is half-open. */
export function readCircuitState(circuit: Circuit, now: number): { state: CircuitState; openUntil: number | null } {
  if (circuit.state === "closed") return { state: "closed", openUntil: null };
  const isCooling = now < circuit.openUntil!;
  return { state: isCooling ? "open" : "half-open", openUntil: circuit.openUntil };
}

/** Asks for a call: always granted when closed, never when open, to one caller at a time when half-open. */
export function acquireProbe(circuit: Circuit, now: number): { circuit: Circuit; isGranted: boolean } {
  const { state } = readCircuitState(circuit, now);
  if (state === "closed") return { circuit, isGranted: true };
  if (state === "open" || (circuit.probeUntil !== null && now < circuit.probeUntil)) return { circuit, isGranted: false };
  return { circuit: { ...circuit, probeUntil: now + PROBE_LEASE_MS }, isGranted: true };
}

/** The circuit after a call. Calls that began before it opened say nothing about whether the model has recovered. */
export function observeCall(circuit: Circuit, call: CircuitCall, settings: CircuitSettings): Circuit {
  if (call.isInconclusive === true) return releaseProbe(circuit, call);
  return circuit.state === "closed" ? observeClosed(circuit, call, settings) : observeOpen(circuit, call, settings);
}

/** A probe that proved nothing gives its place to the next. */
function releaseProbe(circuit: Circuit, call: CircuitCall): Circuit {
  return circuit.probeUntil === null || call.startedAt < circuit.openUntil! ? circuit : { ...circuit, probeUntil: null };
}

function observeClosed(circuit: Circuit, call: CircuitCall, settings: CircuitSettings): Circuit {
  const next = countCall(slideWindow(circuit, call.at, settings.circuitWindowMs), call.isFailure);
  if (!call.isFailure) return next;
  const calls = next.current.calls + next.previous.calls;
  const failures = next.current.failures + next.previous.failures;
  const isSick = next.consecutiveFailures >= settings.circuitConsecutiveFailures || (calls >= settings.circuitMinCalls && failures / calls >= settings.circuitFailureRate);
  if (isSick) return open(next, call, settings);
  // A provider that names a wait is believed at once, but it is no sign of sickness that backs off further.
  return call.retryAfterMs === null || call.retryAfterMs === 0 ? next : coolDown(next, call.at, call.retryAfterMs);
}

function observeOpen(circuit: Circuit, call: CircuitCall, settings: CircuitSettings): Circuit {
  const isOlder = call.startedAt < circuit.openUntil!;
  if (isOlder) {
    const askedUntil = call.isFailure && call.retryAfterMs !== null ? call.at + call.retryAfterMs : 0;
    return askedUntil > circuit.openUntil! ? { ...circuit, openUntil: askedUntil, probeUntil: null } : circuit;
  }
  if (call.isFailure) return open(circuit, call, settings);
  const probeSuccesses = circuit.probeSuccesses + 1;
  if (probeSuccesses < settings.circuitProbes) return { ...circuit, probeSuccesses, probeUntil: null };
  return { ...createCircuit(call.at), openings: circuit.openings, openedAt: circuit.openedAt, closedAt: call.at };
}

function slideWindow(circuit: Circuit, now: number, windowMs: number): Circuit {
  const elapsed = now - circuit.windowStart;
  if (elapsed < windowMs) return circuit;
  const none = { calls: 0, failures: 0 };
  return elapsed < 2 * windowMs
    ? { ...circuit, windowStart: circuit.windowStart + windowMs, previous: circuit.current, current: none }
    : { ...circuit, windowStart: now, previous: none, current: none };
}

function countCall(circuit: Circuit, isFailure: boolean): Circuit {
  const { calls, failures } = circuit.current;
  return {
    ...circuit,
    current: { calls: calls + 1, failures: failures + (isFailure ? 1 : 0) },
    consecutiveFailures: isFailure ? circuit.consecutiveFailures + 1 : 0,
  };
}

/** Opens for the backed-off cooldown, or for as long as the provider asked if that is longer. */
function open(circuit: Circuit, call: CircuitCall, settings: CircuitSettings): Circuit {
  // A circuit that closed and opens again within a window had not recovered.
  const hasRelapsed = circuit.closedAt !== null && call.at - circuit.closedAt < settings.circuitWindowMs;
  const openings = circuit.state === "open" || hasRelapsed ? circuit.openings + 1 : 1;
  const backedOffMs = Math.min(settings.circuitCooldownMs * settings.circuitCooldownFactor ** (openings - 1), settings.circuitMaxCooldownMs);
  return { ...coolDown(circuit, call.at, Math.max(backedOffMs, call.retryAfterMs ?? 0)), openings };
}

function coolDown(circuit: Circuit, at: number, cooldownMs: number): Circuit {
  return { ...circuit, state: "open", openedAt: at, openUntil: at + cooldownMs, probeUntil: null, probeSuccesses: 0 };
}
