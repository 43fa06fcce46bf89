import type { CircuitSettings } from "./circuit.ts";
import { acquireProbe, createCircuit, observeCall, readCircuitState, type Circuit } from "./circuit.ts";
import type { CallObservation, CircuitState, MetricsSnapshot, ModelMetrics } from "./model-metrics.ts";
import { addValues, createSketch, decay, readQuantile, type Sketch } from "./sketch.ts";

/** Models of one provider that are measured: as many as a tiers document has. The one heard of longest ago goes first. */
export const MAX_MEASURED_MODELS = 500;
/** What is left of measurements (in calls) below which they are forgotten: a model that nobody calls any more gets the chance of an unknown one. */
const FORGOTTEN_CALLS = 0.01;

/** A circuit that is not closed. */
export interface CircuitReport {
  state: CircuitState;
  /** End of its cooldown (Unix ms). */
  openUntil: number | null;
}

/** The circuits of a provider's models that are not closed, by model id. A model that is absent is closed. */
export type CircuitReports = Record<string, CircuitReport>;

/** Decayed sums, as of `at`. */
interface Tally {
  at: number;
  calls: number;
  successes: number;
  /** Input and output of all calls. */
  tokens: number;
  costNanoUsd: number;
  quality: number;
  qualityChecks: number;
}

/** What is kept of one model, as plain data. */
export interface ModelState {
  /** All there ever were: they do not decay. */
  calls: number;
  tally: Tally;
  latency: Sketch;
  firstToken: Sketch;
  /** Tokens per second of single answers. A median, since a mean by tokens or by time would be that of the slowest answers long after they ended. Absent in what was stored before it was kept. */
  speed?: Sketch;
  circuit: Circuit;
  updatedAt: number;
}

/** What is kept of a provider's models, by model id. */
export type MetricsState = Readonly<Record<string, ModelState>>;

export interface FoldSettings extends CircuitSettings {
  metricsHalfLifeMs: number;
}

/** Takes observations in. Times ahead of `now`, of machines whose clock runs fast, count as now. Models without observations keep their identity. */
export function foldObservations(state: MetricsState, observations: readonly CallObservation[], now: number, settings: FoldSettings): MetricsState {
  const byModel = Map.groupBy(observations, ({ model }) => model);
  const next: Record<string, ModelState> = { ...state };
  for (const [model, seen] of byModel) {
    const inOrder = seen.map((call) => ({ ...call, at: Math.min(call.at, now) })).sort((left, right) => left.at - right.at);
    next[model] = foldModel(state[model] ?? createModelState(inOrder[0]?.at ?? now), inOrder, now, settings);
  }
  return boundModels(next);
}

/** Gives the probe of a half-open model to this caller, if nobody has it. */
export function takeProbe(state: MetricsState, model: string, now: number): { state: MetricsState; isGranted: boolean } {
  const known = state[model];
  if (known === undefined) return { state, isGranted: true };
  const { circuit, isGranted } = acquireProbe(known.circuit, now);
  return { state: circuit === known.circuit ? state : { ...state, [model]: { ...known, circuit } }, isGranted };
}

export function readCircuits(state: MetricsState, now: number): CircuitReports {
  const reports = Object.entries(state).map(([model, { circuit }]): [string, CircuitReport] => [model, readCircuitState(circuit, now)]);
  return Object.fromEntries(reports.filter(([, report]) => report.state !== "closed"));
}

export function snapshotMetrics(state: MetricsState, now: number, settings: Pick<FoldSettings, "metricsHalfLifeMs">): MetricsSnapshot {
  return { at: now, models: Object.fromEntries(Object.entries(state).map(([model, known]) => [model, describeModel(known, now, settings.metricsHalfLifeMs)])) };
}

function createModelState(at: number): ModelState {
  const tally: Tally = { at, calls: 0, successes: 0, tokens: 0, costNanoUsd: 0, quality: 0, qualityChecks: 0 };
  return { calls: 0, tally, latency: createSketch(at), firstToken: createSketch(at), speed: createSketch(at), circuit: createCircuit(at), updatedAt: at };
}

function foldModel(state: ModelState, calls: readonly CallObservation[], now: number, settings: FoldSettings): ModelState {
  const halfLifeMs = settings.metricsHalfLifeMs;
  // How long a refusal or a failure took says nothing about how fast the model answers.
  const answers = calls.filter(({ isSuccess }) => isSuccess);
  return {
    calls: state.calls + calls.length,
    tally: addToTally(state.tally, calls, halfLifeMs),
    latency: addValues(state.latency, answers.map(({ latencyMs, at }) => ({ value: latencyMs, at })), halfLifeMs),
    firstToken: addValues(state.firstToken, answers.flatMap(({ timeToFirstTokenMs, at }) => (timeToFirstTokenMs === null ? [] : [{ value: timeToFirstTokenMs, at }])), halfLifeMs),
    speed: addValues(state.speed ?? createSketch(state.tally.at), answers.flatMap(readSpeed), halfLifeMs),
    circuit: calls.reduce((circuit, { at, latencyMs, isHealthFailure: isFailure, isInconclusive, retryAfterMs }) => observeCall(circuit, { startedAt: at - latencyMs, at, isFailure, ...(isInconclusive === undefined ? {} : { isInconclusive }), retryAfterMs }, settings), state.circuit),
    updatedAt: now,
  };
}

/** Tokens come after the first one; an answer that came at once in whole has no speed of its own. */
function readSpeed({ at, latencyMs, timeToFirstTokenMs, outputTokens }: CallObservation): { value: number; at: number }[] {
  const outputMs = latencyMs - (timeToFirstTokenMs ?? 0);
  return outputTokens === 0 || outputMs <= 0 ? [] : [{ value: (1_000 * outputTokens) / outputMs, at }];
}

function addToTally(tally: Tally, calls: readonly CallObservation[], halfLifeMs: number): Tally {
  const at = calls.reduce((latest, call) => Math.max(latest, call.at), tally.at);
  const sum = scaleTally(tally, at, halfLifeMs);
  for (const call of calls) {
    const weight = decay(at - call.at, halfLifeMs);
    if (call.isInconclusive !== true) sum.calls += weight;
    sum.tokens += weight * (call.inputTokens + call.outputTokens);
    sum.costNanoUsd += weight * call.costNanoUsd;
    if (call.quality !== null) {
      sum.quality += weight * call.quality;
      sum.qualityChecks += weight;
    }
    if (call.isSuccess) sum.successes += weight;
  }
  return sum;
}

function scaleTally(tally: Tally, at: number, halfLifeMs: number): Tally {
  const factor = decay(at - tally.at, halfLifeMs);
  return {
    at,
    calls: tally.calls * factor,
    successes: tally.successes * factor,
    tokens: tally.tokens * factor,
    costNanoUsd: tally.costNanoUsd * factor,
    quality: tally.quality * factor,
    qualityChecks: tally.qualityChecks * factor,
  };
}

function describeModel({ calls, tally, latency, firstToken, speed, circuit, updatedAt }: ModelState, now: number, halfLifeMs: number): ModelMetrics {
  const { state, openUntil } = readCircuitState(circuit, now);
  const common = { calls, circuit: { state, openUntil }, updatedAt };
  if (tally.calls * decay(now - tally.at, halfLifeMs) < FORGOTTEN_CALLS) {
    return { ...common, successRate: null, latencyMs: null, timeToFirstTokenMs: null, tokensPerSecond: null, costPer1kTokensUsd: null, quality: null };
  }
  const p50 = readQuantile(latency, 0.5);
  const p99 = readQuantile(latency, 0.99);
  const firstTokenP50 = readQuantile(firstToken, 0.5);
  return {
    ...common,
    successRate: tally.successes / tally.calls,
    latencyMs: p50 === null || p99 === null ? null : { p50, p99 },
    timeToFirstTokenMs: firstTokenP50 === null ? null : { p50: firstTokenP50 },
    tokensPerSecond: speed === undefined ? null : readQuantile(speed, 0.5),
    costPer1kTokensUsd: tally.tokens === 0 ? null : tally.costNanoUsd / tally.tokens / 1e6,
    quality: tally.qualityChecks === 0 ? null : tally.quality / tally.qualityChecks,
  };
}

function boundModels(state: Record<string, ModelState>): MetricsState {
  const entries = Object.entries(state);
  if (entries.length <= MAX_MEASURED_MODELS) return state;
  return Object.fromEntries(entries.sort(([, left], [, right]) => right.updatedAt - left.updatedAt).slice(0, MAX_MEASURED_MODELS));
}
