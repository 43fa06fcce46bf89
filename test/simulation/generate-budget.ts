import { createRandom, type Random } from "./random.ts";
import type { BudgetScenario, Faults, ModelTemper, Scenario, SimulatedTask, TenantScenario } from "./scenario.ts";

/** What a task of a scenario without budgets has. */
export const NO_BUDGET: Pick<SimulatedTask, "cap" | "model"> = { cap: null, model: { calls: 1, nanoUsd: 0, tokens: 0, rungs: 1, isExact: true, unbilled: 0, overrun: 0 } };
/** Of the scenarios, and of those with budgets. */
const BUDGET_RATE = 0.5;
const CROWD_RATE = 0.25;

/** Gives some scenarios budgets, drawn from randomness of its own. */
export function withBudget(scenario: Scenario): Scenario {
  const random = createRandom(scenario.seed, 8);
  const isUncosted = scenario.tasks.every(({ kind }) => kind === "transform");
  if (isUncosted || !random.chance(BUDGET_RATE)) return scenario;
  const allowsOverrun = random.chance(0.2);
  const temper = drawModel(random, allowsOverrun);
  const capRate = random.pick([0, 0.5, 1]);
  const modelRate = random.pick([0, 0, 0, 0.5, 1]);
  const isQueued = random.chance(0.3);
  const costed: Scenario = {
    ...scenario,
    tasks: scenario.tasks.map((task): SimulatedTask => {
      const kind = task.kind === "http" && random.chance(modelRate) ? "llm" : task.kind;
      const model = random.chance(0.8) ? temper : drawModel(random, allowsOverrun);
      return { ...task, kind, isCallback: task.isCallback && kind === "http", model, cap: random.chance(capRate) ? drawTaskCap(random, model) : null };
    }),
    settings: isQueued ? { ...scenario.settings, objectMax: 0, directMax: 0 } : scenario.settings,
    faults: drawBudgetFaults(random, scenario.faults),
  };
  const crowded = random.chance(CROWD_RATE) ? withModelCrowd(random, costed) : costed;
  return { ...crowded, budget: drawBudget(random, crowded, temper, allowsOverrun) };
}

/** Many long attempts of several calls side by side, on a bad network: many are lost, and reported late. */
function withModelCrowd(random: Random, scenario: Scenario): Scenario {
  const { settings, faults } = scenario;
  const agent = { typicalMs: random.pick([1_000, 20_000]), transient: 0.1, permanent: 0, hang: 0.05, slow: 0, retryAfter: 0 };
  return {
    ...scenario,
    tasks: scenario.tasks.slice(0, 20).map((task, id) => ({ ...task, kind: task.kind === "http" ? "http" : "llm", dependsOn: task.dependsOn.filter((dependency) => dependency < id && random.chance(0.2)), when: null, isInputBroken: false, isReused: false, timeoutMs: 60_000, model: { ...task.model, calls: 4 }, agent })),
    commands: scenario.commands.filter(({ type }) => type !== "retryTask"),
    maxConcurrency: random.between(3, 20),
    onFailure: "continue",
    deadlineMs: null,
    settings: { ...settings, leaseMs: 2_000, llm: random.pick(["queue", "direct"]) },
    faultsUntilMs: 120_000,
    faults: { ...faults, loseRequest: 0.3, loseAnswer: 0.1, killObject: 0.02, crashRunner: 0.1, delayReport: 0.4, repeatReserve: 0.5, loseLease: random.pick([0, 0.5]) },
  };
}

/** Caps are of the size of what all tasks would cost together. */
function drawBudget(random: Random, { tasks, faultsUntilMs }: Scenario, temper: ModelTemper, allowsOverrun: boolean): BudgetScenario {
  const total = { nanoUsd: 0, tokens: 0 };
  for (const { kind, cap, model } of tasks) {
    const calls = kind === "llm" ? (model.calls + 1) / 2 : 0;
    for (const unit of ["nanoUsd", "tokens"] as const) total[unit] += kind === "http" ? (cap?.[unit] ?? 0) : calls * model[unit];
  }
  const share = random.pick([0.1, 0.4, 0.6, 0.8, 1.2, 4]);
  const spanMs = Math.max(1_000, faultsUntilMs);
  return {
    // In some, two calls never fit side by side.
    cap: { nanoUsd: random.chance(0.25) ? Math.ceil(1.5 * temper.nanoUsd) : random.chance(0.8) ? Math.ceil(total.nanoUsd * share) : null, tokens: random.chance(0.5) ? Math.ceil(total.tokens * share * random.pick([1, 1, 2])) : null },
    allowsOverrun,
    midnightMs: random.chance(0.5) ? Math.floor(spanMs * random.next()) : 0,
    tenant: drawTenant(random, total.nanoUsd, spanMs),
    leaseChunkNanoUsd: random.pick([0, 0, 0, 3, 10]) * temper.nanoUsd,
    tells: Array.from({ length: random.pick([0, 3, 20]) }, () => Math.floor(spanMs * random.next() ** 3)),
  };
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
