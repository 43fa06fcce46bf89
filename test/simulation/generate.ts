import type { AgentKind } from "../../src/workflow/run.ts";
import { NO_BUDGET, withBudget } from "./generate-budget.ts";
import { createRandom, type Random } from "./random.ts";
import type { AgentTemper, Command, Faults, Scenario, SimulatedTask } from "./scenario.ts";

/** The scenario of a seed. Most are small, because small ones fail as well and are read more easily; a few have 200 tasks. */
export function generateScenario(seed: number): Scenario {
  const random = createRandom(seed, 1);
  const size = drawSize(random);
  const spanMs = random.pick([500, 5_000, 60_000, 300_000]);
  const isFaulty = random.chance(0.85);
  const scenario: Scenario = {
    seed,
    tasks: drawTasks(random, size),
    maxConcurrency: random.pick([1, 2, 3, 5, 10, 50]),
    scheduling: random.chance(0.35) ? "wave" : "eager",
    onFailure: random.chance(0.5) ? "fail" : "continue",
    startAtMs: random.chance(0.12) ? random.between(-1_000, 20_000) : null,
    deadlineMs: random.chance(0.12) ? random.between(1, 4 * spanMs) : null,
    isResultBroken: random.chance(0.02),
    limits: drawLimits(createRandom(seed, 7)),
    settings: {
      objectMax: random.pick([0, 1, 4]),
      directMax: random.pick([0, 4, 16]),
      llm: random.chance(0.8) ? "queue" : "direct",
      claimLeaseMs: random.pick([1_000, 5_000, 15_000]),
      leaseMs: random.pick([2_000, 10_000]),
      checkMs: random.pick([1_000, 3_000]),
      timeoutGraceMs: random.pick([500, 5_000]),
    },
    renewEveryMs: random.pick([700, 1_500]),
    faultsUntilMs: isFaulty ? spanMs + random.between(0, spanMs) : 0,
    faults: drawFaults(random),
    kills: drawTimes(random, isFaulty ? random.pick([0, 0, 1, 3, 10]) : 0, spanMs),
    clockJumps: drawTimes(random, isFaulty ? random.pick([0, 0, 0, 1, 3]) : 0, spanMs).map((atMs) => ({ atMs, byMs: random.pick([-2_000, -50, 1, 3_000, 60_000, 3_600_000]) })),
    commands: drawCommands(random, size, spanMs),
    eagerRetries: random.pick([0, 0, 0, 1, 1, 10]),
    retriesAtEnd: random.pick([0, 0, 0, 1, 3]),
    budget: null,
  };
  return random.chance(0.12) ? withFailingCrowd(random, scenario) : withBudget(scenario);
}

/** By random numbers of its own: what a seed was before there were limits it still is. */
function drawLimits(random: Random): Scenario["limits"] {
  if (!random.chance(0.25)) return null;
  const concurrentTasks = random.pick([null, 1, 2, 5, 20]);
  return { concurrentTasks, tasksPerSecond: random.pick([concurrentTasks === null ? 3 : null, null, 1, 10, 100]) };
}

/** Many tasks side by side fail for good, and a user retries some of them before the rest is over. */
function withFailingCrowd(random: Random, scenario: Scenario): Scenario {
  const roots = Math.ceil(scenario.tasks.length / 2);
  const temper = { typicalMs: 50, transient: 0, permanent: 0, hang: 0, slow: 0.3, retryAfter: 0 };
  return {
    ...scenario,
    tasks: scenario.tasks.map((task, id) => ({
      ...task,
      dependsOn: id < roots ? [] : [...new Set([random.between(0, roots - 1), random.between(0, roots - 1)])],
      timeoutMs: 60_000,
      agent: id < roots ? { ...temper, permanent: 0.25 } : temper,
    })),
    onFailure: "fail",
    maxConcurrency: random.between(5, 20),
    eagerRetries: 1,
  };
}

function drawSize(random: Random): number {
  const luck = random.next();
  if (luck < 0.65) return random.between(1, 12);
  if (luck < 0.9) return random.between(13, 40);
  return luck < 0.97 ? random.between(41, 100) : random.between(101, 200);
}

function drawTasks(random: Random, size: number): SimulatedTask[] {
  const kinds = random.pick<readonly AgentKind[]>([["http"], ["llm"], ["http", "llm"], ["transform"], ["http", "llm", "transform"], ["http", "llm", "transform"]]);
  const callbackRate = random.pick([0, 0, 0.3, 1]);
  const whenRate = random.pick([0, 0, 0.2]);
  const brokenWhenRate = random.pick([0, 0, 0, 0.1]);
  const brokenRate = random.pick([0, 0, 0, 0, 0, 0.03]);
  const reuseRate = random.chance(0.12) ? random.pick([0.3, 1]) : 0;
  const hasRanks = random.chance(0.4);
  const temper = drawTemper(random);
  return drawGraph(random, size).map((dependsOn, key) => {
    const kind = random.pick(kinds);
    return {
      key,
      dependsOn,
      kind,
      isCallback: kind === "http" && random.chance(callbackRate),
      rank: hasRanks ? random.between(0, 3) : 2,
      isInputBroken: random.chance(brokenRate),
      when: random.chance(whenRate) ? (random.chance(brokenWhenRate) ? "broken" : random.chance(0.7)) : null,
      timeoutMs: random.pick([temper.typicalMs < 100 ? 300 : 3_000, 5_000, 60_000]),
      retry: { maxAttempts: random.pick([1, 3, 3, 5]), initialMs: random.pick([0, 100, 500]), factor: random.pick([1, 2, 10]), maxMs: random.pick([0, 1_000, 30_000]), jitter: random.chance(0.7) },
      isReused: random.chance(reuseRate),
      agent: random.chance(0.9) ? temper : drawTemper(random),
      ...NO_BUDGET,
    };
  });
}

function drawTemper(random: Random): AgentTemper {
  const isReliable = random.chance(0.4);
  const rate = (rates: readonly number[]): number => (isReliable ? 0 : random.pick(rates));
  return {
    typicalMs: random.pick([1, 50, 1_000]),
    transient: rate([0, 0.05, 0.2, 0.5]),
    permanent: rate([0, 0, 0.01, 0.1]),
    hang: rate([0, 0, 0, 0.1]),
    slow: rate([0, 0, 0.1, 0.5]),
    retryAfter: random.pick([0, 0, 0.5]),
  };
}

/** Dependencies of each task, in one of the shapes that workflows have. Numbers are shuffled: a spec need not list tasks in order. */
function drawGraph(random: Random, size: number): number[][] {
  const shape = random.pick([chain, fan, diamonds, layers, scatter, scatter]);
  const ordered = shape(random, size);
  const place = shuffle(random, ordered.map((_, task) => task));
  const shuffled: number[][] = [];
  ordered.forEach((dependencies, task) => (shuffled[place[task]!] = dependencies.map((dependency) => place[dependency]!)));
  return shuffled;
}

function chain(_random: Random, size: number): number[][] {
  return Array.from({ length: size }, (_, task) => (task === 0 ? [] : [task - 1]));
}

function fan(_random: Random, size: number): number[][] {
  const middle = Array.from({ length: Math.max(0, size - 2) }, (_, task) => task + 1);
  return Array.from({ length: size }, (_, task) => {
    if (task === 0) return [];
    return task === size - 1 && middle.length > 0 ? middle : [0];
  });
}

function diamonds(_random: Random, size: number): number[][] {
  return Array.from({ length: size }, (_, task) => {
    if (task === 0) return [];
    return task % 3 === 0 ? [task - 2, task - 1] : [task - (task % 3)];
  });
}

function layers(random: Random, size: number): number[][] {
  const width = random.between(1, Math.max(1, Math.ceil(Math.sqrt(size)) * 2));
  return Array.from({ length: size }, (_, task) => {
    const layer = Math.floor(task / width);
    if (layer === 0) return [];
    const above = Array.from({ length: width }, (__, offset) => (layer - 1) * width + offset);
    return above.filter((_dependency, offset) => offset === 0 || random.chance(0.4));
  });
}

function scatter(random: Random, size: number): number[][] {
  const mean = random.pick([0, 0.5, 1, 2]);
  return Array.from({ length: size }, (_, task) => {
    const wanted = Math.min(task, Math.round(mean * 2 * random.next()));
    return [...new Set(Array.from({ length: wanted }, () => random.between(0, task - 1)))];
  });
}

function shuffle(random: Random, items: number[]): number[] {
  for (let end = items.length - 1; end > 0; end -= 1) {
    const other = random.between(0, end);
    [items[end], items[other]] = [items[other]!, items[end]!];
  }
  return items;
}

/** Those of budgets are drawn with the budgets. */
function drawFaults(random: Random): Faults {
  if (random.chance(0.03)) return { ...NO_FAULTS, crashRunner: 0.95 };
  const severity = random.pick([0.02, 0.1, 0.1, 0.3, 0.8]);
  const rate = (): number => (random.chance(0.5) ? severity * random.next() * 2 : 0);
  const faults = { ...NO_FAULTS };
  for (const fault of USUAL_FAULTS) faults[fault] = rate();
  return { ...faults, killObject: faults.killObject / 2 };
}

const USUAL_FAULTS = [
  "loseMessage",
  "repeatMessage",
  "delayMessage",
  "crashConsumer",
  "loseRequest",
  "loseAnswer",
  "killObject",
  "crashRunner",
  "lateAlarm",
  "repeatAlarm",
  "earlyCallback",
  "repeatCallback",
] as const satisfies (keyof Faults)[];

const NO_FAULTS: Faults = {
  loseMessage: 0,
  repeatMessage: 0,
  delayMessage: 0,
  crashConsumer: 0,
  loseRequest: 0,
  loseAnswer: 0,
  killObject: 0,
  crashRunner: 0,
  lateAlarm: 0,
  repeatAlarm: 0,
  earlyCallback: 0,
  repeatCallback: 0,
  delayReport: 0,
  repeatReserve: 0,
  loseLease: 0,
  delayLease: 0,
  repeatLease: 0,
};

/** More early than late, because many workflows are done early. */
function drawTimes(random: Random, count: number, spanMs: number): number[] {
  return Array.from({ length: count }, () => Math.floor(spanMs * random.next() ** 3));
}

function drawCommands(random: Random, size: number, spanMs: number): Command[] {
  const count = random.pick([0, 0, 0, 1, 2, 4, 8, 40]);
  const canCancel = random.chance(0.2);
  return drawTimes(random, count, 2 * spanMs).map((atMs): Command => {
    const type = random.pick(["pause", "resume", "retryTask", "retryTask", canCancel ? "cancel" : "resume"] as const);
    return type === "retryTask" ? { atMs, type, task: random.between(0, size - 1) } : { atMs, type };
  });
}
