import { isFinalWorkflow, restoreRun, type Run, type RunPlan } from "../../src/workflow/run.ts";
import type { Abilities, AttemptResult } from "../../src/workflow/step.ts";
import { Agenda } from "./agenda.ts";
import { Alarm } from "./alarm.ts";
import { drawCourse } from "./agent-course.ts";
import { checkCalls } from "./check-calls.ts";
import { checkEnd } from "./check-end.ts";
import { realCore, type Core } from "./core.ts";
import { Executor } from "./executor.ts";
import { askForLease, callWorkflow, planLeases } from "./lease-network.ts";
import { CallLost, SimulatedObject } from "./object.ts";
import { Oracle } from "./oracle.ts";
import { Provider } from "./provider.ts";
import { Queue } from "./queue.ts";
import { createRandom } from "./random.ts";
import { epochOf, planOf, type Command, type Faults, type Scenario, type TenantScenario } from "./scenario.ts";
import { Store } from "./store.ts";
import { TenantBudget } from "./tenant-budget.ts";
import { SimulatedTenant } from "./tenant.ts";
import { mustHold, Violation } from "./violation.ts";
import { callObject, persist, type World } from "./world.ts";

/** Twice what the longest of twenty thousand scenarios needs, an object that dies in four of five steps for six minutes: beyond it, the workflow goes round in circles. */
const MAX_HAPPENINGS = 300_000;
const COMMAND_TRIES = 5;
const NO_TENANT_BUDGET: TenantScenario = { maxNanoUsd: null, period: "total", others: [] };

export interface Verdict {
  failure: { rule: string; message: string } | null;
  /** Equal for equal runs: covers every event and the final state. */
  fingerprint: string;
  steps: number;
  events: readonly object[];
}

/** Runs a scenario to its end, checking every step. The same scenario and core always give the same verdict. */
export function simulate(scenario: Scenario, core: Core = realCore): Verdict {
  const plan = planOf(scenario);
  const store = new Store(plan.tasks.length);
  const account = new TenantBudget(scenario.budget?.tenant ?? NO_TENANT_BUDGET);
  const oracle = new Oracle(scenario, plan, account);
  let failure: Verdict["failure"] = null;
  try {
    runToEnd(scenario, plan, store, oracle, account, core);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    failure = error instanceof Violation ? { rule: error.rule, message: error.message } : { rule: "the core does not throw", message: error.stack ?? error.message };
  }
  return { failure, fingerprint: oracle.fingerprint(), steps: oracle.steps, events: store.events };
}

function runToEnd(scenario: Scenario, plan: RunPlan, store: Store, oracle: Oracle, account: TenantBudget, core: Core): void {
  const world = createWorld(scenario, plan, store, oracle, account, core);
  let retriesLeft = scenario.retriesAtEnd;
  for (let happenings = 0; ; ) {
    while (world.agenda.runNext()) {
      happenings += 1;
      if (happenings > MAX_HAPPENINGS) throw new Violation("a workflow ends", `not after ${happenings} happenings`);
    }
    const { status } = store.readState();
    const failed = store.parsed.findIndex((task) => task.status === "failed");
    if (status === "paused") persist(world, Infinity, () => callObject(world, { type: "resume" }));
    else if (!isFinalWorkflow(status)) throw new Violation("a workflow ends", `nothing is left to happen, and it is ${status}`);
    else if (status === "failed" && failed >= 0 && retriesLeft > 0) persist(world, Infinity, () => callObject(world, { type: "retryTask", task: failed }));
    else break;
    if (status === "failed") retriesLeft -= 1;
  }
  const run = restoreRun(plan, store.readState(), store.readTasks(), store.books.read());
  checkEnd(scenario, run);
  checkMoney(world, run);
  oracle.note(JSON.stringify([store.readState(), store.readTasks(), world.agenda.now]));
}

/** Once nothing happens any more. What the workflow still holds of its tenant's budget it gives back. */
function checkMoney({ scenario: { budget }, store, provider, account, object }: World, run: Run): void {
  if (budget === null) return;
  checkCalls(run, store, provider, budget.allowsOverrun);
  mustHold(object.waitingCallers === 0, "no reserve waits for ever", () => `${object.waitingCallers} wait`);
  if (!account.isCapped) return;
  while (!tellTenant(account, object));
  const { nanoUsd } = run.ledger.workflow.spent;
  mustHold(account.heldBySelfInAll === nanoUsd, "at the end the tenant holds for the workflow what it spent", () => `${account.heldBySelfInAll}, not ${nanoUsd}`);
}

function tellTenant(account: TenantBudget, object: SimulatedObject): boolean {
  try {
    account.take(object.trim());
    return true;
  } catch (error) {
    if (error instanceof CallLost) return false;
    throw error;
  }
}

/** Connects all parts, and plans the creation, the user's commands, the kills and the clock's jumps. */
function createWorld(scenario: Scenario, plan: RunPlan, store: Store, oracle: Oracle, account: TenantBudget, core: Core): World {
  const agenda = new Agenda();
  const faultRandom = createRandom(scenario.seed, 3);
  const jitter = createRandom(scenario.seed, 4);
  let skewMs = 0;
  let eagerRetriesLeft = scenario.eagerRetries;
  const epochMs = epochOf(scenario);
  const clock = (): number => epochMs + agenda.now + skewMs;
  const strikes = (fault: keyof Faults): boolean => agenda.now < scenario.faultsUntilMs && faultRandom.chance(scenario.faults[fault]);
  const object: SimulatedObject = new SimulatedObject({
    core,
    plan,
    store,
    oracle,
    clock,
    abilities: createAbilities(scenario, jitter.next),
    dies: () => strikes("killObject"),
    settleAtOnce: ({ task, attempt }) => settleAtOnce(scenario, task, attempt),
    send: ({ channel, ...ref }) => (channel === "queue" ? queue.send(ref) : executor.start(ref, channel)),
    noticeFailure: (task) => {
      eagerRetriesLeft -= 1;
      if (eagerRetriesLeft >= 0) agenda.after(world.random.pick([1, 20, 500]), () => persist(world, COMMAND_TRIES, () => callObject(world, { type: "retryTask", task })));
    },
    isLimited: scenario.limits !== null,
    askForStarts: (question) => tenant!.ask(question),
    seeRun: (run) => tenant?.see(run),
    askForLease: (request) => askForLease(world, request),
    noteCommitted: (input) => provider.noteCommitted(input),
    armAlarm: () => alarm.arm(),
  });
  const provider = new Provider();
  account.recall = () => callWorkflow(world, () => object.trim());
  const world: World = { scenario, agenda, random: createRandom(scenario.seed, 5), object, store, oracle, provider, account, strikes };
  const executor = new Executor(world);
  const queue = new Queue(world, executor);
  const alarm = new Alarm(world, clock);
  const tenant = scenario.limits === null ? null : new SimulatedTenant(world, scenario.limits);

  const reused = scenario.tasks.flatMap((task, id) => (task.isReused ? [{ task: id, outputBytes: 2 }] : []));
  agenda.after(0, () => persist(world, Infinity, () => object.create(reused)));
  for (const atMs of scenario.kills) agenda.after(atMs, () => object.kill());
  for (const { atMs, byMs } of scenario.clockJumps) {
    agenda.after(atMs, () => {
      skewMs += byMs;
      alarm.arm();
    });
  }
  planLeases(world, clock);
  for (const command of scenario.commands) agenda.after(command.atMs, () => persist(world, COMMAND_TRIES, () => runCommand(world, command)));
  return world;
}

function runCommand(world: World, command: Command): void {
  if (!world.store.isCreated) return;
  if (command.type !== "retryTask") return void callObject(world, { type: command.type });
  const { parsed } = world.store;
  const order = parsed.map((_, offset) => (command.task + offset) % parsed.length);
  callObject(world, { type: "retryTask", task: order.find((id) => parsed[id]!.status === "failed") ?? command.task });
}

const EXPRESSION_FAILED = { code: "expression_failed", message: "no such key", retryable: false } as const;

function settleAtOnce(scenario: Scenario, task: number, attempt: number): AttemptResult | null {
  const spec = scenario.tasks[task]!;
  if (spec.isInputBroken) return { status: "failed", failure: EXPRESSION_FAILED, retryAfterMs: null };
  return spec.kind === "transform" ? drawCourse(scenario.seed, spec, attempt).result : null;
}

function createAbilities(scenario: Scenario, random: () => number): Abilities {
  return {
    evaluateWhen: (task) => {
      const { when } = scenario.tasks[task]!;
      return when === "broken" ? EXPRESSION_FAILED : (when ?? true);
    },
    evaluateResult: () => (scenario.isResultBroken ? EXPRESSION_FAILED : null),
    random,
    settings: scenario.settings,
    leaseChunkNanoUsd: scenario.budget?.leaseChunkNanoUsd ?? 0,
  warningThresholds: [50, 80, 95],
  };
}
