import type { BudgetScenario, Faults, Scenario, SimulatedTask } from "./scenario.ts";

/** Runs that shrinking may cost: a scenario that still fails is better than the smallest one that does. */
const MAX_TRIES = 1_500;

/** Takes away from a failing scenario, part by part, whatever it fails without. `fails` says whether it still shows the same fault. */
export function shrinkScenario(scenario: Scenario, fails: (candidate: Scenario) => boolean): Scenario {
  let smallest = scenario;
  let tries = 0;
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const candidate of listSmaller(smallest)) {
      tries += 1;
      if (tries > MAX_TRIES) return smallest;
      if (!fails(candidate)) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

/** Scenarios that are a little simpler, the boldest first. */
function* listSmaller(scenario: Scenario): Generator<Scenario> {
  yield* listWithFewerTasks(scenario);
  for (const list of ["kills", "clockJumps", "commands"] as const) {
    if (scenario[list].length > 1) yield { ...scenario, [list]: [] };
    for (let place = 0; place < scenario[list].length; place += 1) yield { ...scenario, [list]: scenario[list].toSpliced(place, 1) };
  }
  const active = (Object.keys(scenario.faults) as (keyof Faults)[]).filter((fault) => scenario.faults[fault] > 0);
  if (active.length > 0 && scenario.faultsUntilMs > 0) yield { ...scenario, faultsUntilMs: 0 };
  for (const fault of active) yield { ...scenario, faults: { ...scenario.faults, [fault]: 0 } };
  const plainer: Partial<Scenario> = { eagerRetries: 0, limits: null, retriesAtEnd: 0, deadlineMs: null, startAtMs: null, isResultBroken: false, scheduling: "eager", maxConcurrency: 50, budget: null };
  for (const [name, value] of Object.entries(plainer)) if (scenario[name as keyof Scenario] !== value) yield { ...scenario, [name]: value };
  if (scenario.budget !== null) for (const budget of listPlainerBudgets(scenario.budget)) yield { ...scenario, budget };
  yield* listWithPlainerTasks(scenario);
}

function* listPlainerBudgets(budget: BudgetScenario): Generator<BudgetScenario> {
  const { tenant, cap, tells } = budget;
  for (const unit of ["nanoUsd", "tokens"] as const) if (cap[unit] !== null) yield { ...budget, cap: { ...cap, [unit]: null } };
  if (tenant.maxNanoUsd !== null) yield { ...budget, tenant: { ...tenant, maxNanoUsd: null, others: [] } };
  for (let place = 0; place < tenant.others.length; place += 1) yield { ...budget, tenant: { ...tenant, others: tenant.others.toSpliced(place, 1) } };
  if (tells.length > 0) yield { ...budget, tells: [] };
  if (budget.midnightMs > 0) yield { ...budget, midnightMs: 0 };
  if (budget.leaseChunkNanoUsd > 0) yield { ...budget, leaseChunkNanoUsd: 0 };
}

function* listWithFewerTasks(scenario: Scenario): Generator<Scenario> {
  const size = scenario.tasks.length;
  for (let width = Math.floor(size / 2); width >= 1; width = Math.floor(width / 2)) {
    for (let start = 0; start < size; start += width) {
      const kept = scenario.tasks.map((_, id) => id).filter((id) => id < start || id >= start + width);
      if (kept.length > 0) yield keepTasks(scenario, kept);
    }
  }
}

function keepTasks(scenario: Scenario, kept: readonly number[]): Scenario {
  const place = new Map(kept.map((id, newId) => [id, newId]));
  return {
    ...scenario,
    tasks: kept.map((id) => ({ ...scenario.tasks[id]!, dependsOn: scenario.tasks[id]!.dependsOn.flatMap((dependency) => place.get(dependency) ?? []) })),
    commands: scenario.commands.map((command) => (command.type === "retryTask" ? { ...command, task: place.get(command.task) ?? 0 } : command)),
  };
}

function* listWithPlainerTasks(scenario: Scenario): Generator<Scenario> {
  const plain = {
    isCallback: false,
    isInputBroken: false,
    isReused: false,
    when: null,
    rank: 2,
    timeoutMs: 60_000,
    retry: { maxAttempts: 3, initialMs: 500, factor: 2, maxMs: 30_000, jitter: false },
    agent: { typicalMs: 1, transient: 0, permanent: 0, hang: 0, slow: 0, retryAfter: 0 },
    dependsOn: [],
    cap: null,
    model: { calls: 1, nanoUsd: 10, tokens: 10, rungs: 1, isExact: true, unbilled: 0, overrun: 0 },
  } satisfies Partial<SimulatedTask>;
  for (const [name, value] of Object.entries(plain)) {
    const isPlain = scenario.tasks.map((task) => JSON.stringify(task[name as keyof SimulatedTask]) === JSON.stringify(value));
    if (isPlain.every(Boolean)) continue;
    yield { ...scenario, tasks: scenario.tasks.map((task) => ({ ...task, [name]: value })) };
    for (let id = 0; id < isPlain.length; id += 1) {
      if (!isPlain[id]) yield { ...scenario, tasks: scenario.tasks.with(id, { ...scenario.tasks[id]!, [name]: value }) };
    }
  }
}
