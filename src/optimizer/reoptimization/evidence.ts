import type { CallObservation } from "../../router/metrics/model-metrics.ts";
import type { TierName } from "../../workflow/spec/agent.ts";

/** Steps of the window: evidence is forgotten in pieces of a sixtieth of it. */
const STEPS_PER_WINDOW = 60;
/** Tasks without a type are kept under this name. */
const UNTYPED = "";
/** Kinds of calls of one step that are told apart: many times what a provider's models and the task types come to. */
export const MAX_KINDS_PER_STEP = 2_000;

/** Sums over calls; squares for their spread. */
export interface EvidenceSums {
  calls: number;
  successes: number;
  /** Answers that were checked, and the sum of their quality (0–1). */
  checks: number;
  quality: number;
  latencyMs: number;
  latencySquares: number;
  costNanoUsd: number;
  costSquares: number;
}

/** What was seen of a model at tasks of one type, as a member of one tier, in one part of the window. */
export interface EvidenceRow extends EvidenceSums {
  taskType: string;
  tier: TierName;
  model: string;
  /** How many parts of the window ago: 0 is the newest. */
  part: number;
}

/** Parts of the window that are told apart: with the defaults each is as long as the time between two runs. */
export const PARTS_PER_WINDOW = 4;

/** By start of the step (Unix ms), then by kind. Plain data; steps that do not change keep their identity. */
export type EvidenceState = Readonly<Record<string, EvidenceStep>>;
export type EvidenceStep = Readonly<Record<string, EvidenceSums>>;

/** Takes observations in and forgets what is older than the window. */
export function foldEvidence(state: EvidenceState, observations: readonly CallObservation[], now: number, windowMs: number): EvidenceState {
  const stepMs = Math.ceil(windowMs / STEPS_PER_WINDOW);
  const next: Record<string, EvidenceStep> = {};
  for (const [start, step] of Object.entries(state)) if (Number(start) > now - windowMs) next[start] = step;
  const changed = new Map<string, Record<string, EvidenceSums>>();
  for (const call of observations) {
    const start = String(Math.floor(Math.min(call.at, now) / stepMs) * stepMs);
    if (Number(start) <= now - windowMs || call.isInconclusive === true) continue;
    const step = changed.get(start) ?? { ...next[start] };
    changed.set(start, step);
    const kind = JSON.stringify([call.taskType ?? UNTYPED, call.tier, call.model]);
    if (step[kind] === undefined && Object.keys(step).length >= MAX_KINDS_PER_STEP) continue;
    step[kind] = addEvidence(step[kind] ?? createEvidence(), observe(call));
  }
  return { ...next, ...Object.fromEntries(changed) };
}

/** The sums of the steps that begin at `since` (Unix ms) or later, the newest part of the window first. */
export function readEvidence(state: EvidenceState, { since, now, windowMs }: { since: number; now: number; windowMs: number }): EvidenceRow[] {
  const byPart = Array.from({ length: PARTS_PER_WINDOW }, () => new Map<string, EvidenceSums>());
  for (const [start, step] of Object.entries(state)) {
    if (Number(start) < since) continue;
    const byKind = byPart[Math.min(PARTS_PER_WINDOW - 1, Math.max(0, Math.floor(((now - Number(start)) * PARTS_PER_WINDOW) / windowMs)))]!;
    for (const [kind, sums] of Object.entries(step)) byKind.set(kind, addEvidence(byKind.get(kind) ?? createEvidence(), sums));
  }
  return byPart.flatMap((byKind, part) =>
    [...byKind].map(([kind, sums]) => {
      const [taskType, tier, model] = JSON.parse(kind) as [string, TierName, string];
      return { taskType, tier, model, part, ...sums };
    }),
  );
}

export function createEvidence(): EvidenceSums {
  return { calls: 0, successes: 0, checks: 0, quality: 0, latencyMs: 0, latencySquares: 0, costNanoUsd: 0, costSquares: 0 };
}

export function addEvidence(left: EvidenceSums, right: EvidenceSums): EvidenceSums {
  return {
    calls: left.calls + right.calls,
    successes: left.successes + right.successes,
    checks: left.checks + right.checks,
    quality: left.quality + right.quality,
    latencyMs: left.latencyMs + right.latencyMs,
    latencySquares: left.latencySquares + right.latencySquares,
    costNanoUsd: left.costNanoUsd + right.costNanoUsd,
    costSquares: left.costSquares + right.costSquares,
  };
}

function observe({ isSuccess, quality, latencyMs, costNanoUsd }: CallObservation): EvidenceSums {
  return {
    calls: 1,
    successes: isSuccess ? 1 : 0,
    checks: quality === null ? 0 : 1,
    quality: quality ?? 0,
    latencyMs,
    latencySquares: latencyMs ** 2,
    costNanoUsd,
    costSquares: costNanoUsd ** 2,
  };
}
