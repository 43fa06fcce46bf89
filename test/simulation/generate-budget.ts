import { createRandom, type Random } from "./random.ts";
import type { BudgetScenario, Faults, ModelTemper, Scenario, SimulatedTask, TenantScenario } from "./scenario.ts";

/** What a task of a scenario without budgets has. */
export const NO_BUDGET: Pick<SimulatedTask, "cap" | "model"> = { cap: null, model: { calls: 1, nanoUsd: 0, tokens: 0, rungs: 1, isExact: true, unbilled: 0, overrun: 0 } };
/** Of the scenarios. */
const BUDGET_RATE = 0.5;

/** Gives some scenarios budgets, drawn from randomness of its own. Caps are of the size of what all tasks would cost together. */
export function withBudget(scenario: Scenario): Scenario {
  const random = createRandom(scenario.seed, 8);
  const isUncosted = scenario.tasks.every(({ kind }) => kind === "transform");
  if (isUncosted || !random.chance(BUDGET_RATE)) return scenario;
  const allowsOverrun = random.chance(0.2);
  const temper = drawModel(random, allowsOverrun);
  const capRate = random.pick([0, 0.5, 1]);
  const modelRate = random.pick([0, 0, 0.5, 1]);
  const tasks = scenario.tasks.map((scheduled): SimulatedTask => {
    const task = scheduled.kind === "http" && random.chance(modelRate) ? { ...scheduled, kind: "llm" as const, isCallback: false } : scheduled;
    const model = random.chance(0.8) ? temper : drawModel(random, allowsOverrun);
    return { ...task, model, cap: random.chance(capRate) ? drawTaskCap(random, model) : null };
  });
  const total = tasks.reduce((sum, { kind, cap, model }) => {
    const isCapped = kind === "http" && cap !== null;
    const calls = kind === "llm" ? (model.calls + 1) / 2 : 0;
    return { nanoUsd: sum.nanoUsd + (isCapped ? (cap.nanoUsd ?? 0) : calls * model.nanoUsd), tokens: sum.tokens + (isCapped ? (cap.tokens ?? 0) : calls * model.tokens) };
  }, { nanoUsd: 0, tokens: 0 });
  const share = random.pick([0.1, 0.4, 0.6, 0.8, 1.2, 4]);
  const spanMs = Math.max(1_000, scenario.faultsUntilMs);
  const budget: BudgetScenario = {
    // In some, two calls never fit side by side.
    cap: { nanoUsd: random.chance(0.2) ? Math.ceil(1.5 * temper.nanoUsd) : random.chance(0.8) ? Math.ceil(total.nanoUsd * share) : null, tokens: random.chance(0.5) ? Math.ceil(total.tokens * share * random.pick([1, 1, 2])) : null },
    allowsOverrun,
    midnightMs: random.chance(0.4) ? Math.floor(spanMs * random.next() ** 2) : 0,
    tenant: drawTenant(random, total.nanoUsd, spanMs),
    leaseChunkNanoUsd: random.pick([0, 0, 0, 3, 10]) * temper.nanoUsd,
    tells: Array.from({ length: random.pick([0, 3, 20]) }, () => Math.floor(spanMs * random.next() ** 3)),
  };
  const settings = random.chance(0.3) ? { ...scenario.settings, objectMax: 0, directMax: 0 } : scenario.settings;
  return { ...scenario, tasks, budget, settings, faults: drawBudgetFaults(random, scenario.faults) };
}

function drawModel(random: Random, allowsOverrun: boolean): ModelTemper {
  return {
    calls: random.pick([1, 2, 3, 4]),
    nanoUsd: random.chance(0.1) ? 0 : random.between(10, 100),
    tokens: random.between(10, 100),
    rungs: random.pick([1, 1, 2, 3]),
    isExact: random.chance(0.3),
    unbilled: random.pick([0, 0.2, 0.5]),
    overrun: allowsOverrun ? random.pick([0.05, 0.3]) : 0,
  };
}

function drawTaskCap(random: Random, model: ModelTemper): SimulatedTask["cap"] {
  const share = random.pick([0.4, 1, 1, 2, 4]);
  const units = random.pick(["nanoUsd", "tokens", "both"] as const);
  return { nanoUsd: units === "tokens" ? null : Math.ceil(model.nanoUsd * share), tokens: units === "nanoUsd" ? null : Math.ceil(model.tokens * share) };
}

function drawTenant(random: Random, totalNanoUsd: number, spanMs: number): TenantScenario {
  const period = random.pick(["day", "month", "total"] as const);
  if (random.chance(0.3)) return { maxNanoUsd: null, period, others: [] };
  const maxNanoUsd = Math.ceil(totalNanoUsd * random.pick([0.2, 0.7, 1.5, 3, 3]));
  const others = Array.from({ length: random.pick([0, 1, 3, 6]) }, () => ({
    atMs: Math.floor(spanMs * random.next() ** 3),
    forMs: random.between(1, 60_000),
    wantedNanoUsd: Math.ceil(maxNanoUsd * random.next()),
    usedShare: random.pick([0, 0.5, 1, 1]),
    spentShare: random.pick([0, 0.5, 1]),
  }));
  return { maxNanoUsd, period, others };
}

function drawBudgetFaults(random: Random, faults: Faults): Faults {
  const severity = random.pick([0, 0.1, 0.3, 0.6]);
  const rate = (): number => (random.chance(0.6) ? severity * random.next() * 2 : 0);
  const loseMessage = random.chance(0.3) ? 0.3 : faults.loseMessage;
  return { ...faults, loseMessage, delayReport: rate(), repeatReserve: rate(), loseLease: random.pick([0, 0.3, 0.9]), delayLease: random.pick([0, 0.2, 0.5]), repeatLease: rate() };
}
