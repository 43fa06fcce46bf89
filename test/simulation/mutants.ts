import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Core } from "./core.ts";

/** A deliberate fault: texts of the core that are replaced. */
export interface Mutant {
  name: string;
  edits: readonly { file: string; from: string; to: string }[];
}

const sourceFolder = fileURLToPath(new URL("../../src", import.meta.url).href);
const CORE = "workflow";

/** Loads a copy of the core with the mutant's edits. Each text must be found exactly once, so that a mutant cannot outlive the code it breaks. */
export async function loadMutant({ name, edits }: Mutant): Promise<Core> {
  const root = mkdtempSync(join(tmpdir(), "weft-mutant-"));
  const folder = join(root, CORE);
  try {
    cpSync(join(sourceFolder, CORE), folder, { recursive: true });
    // What the core imports from beside it.
    for (const other of readdirSync(sourceFolder)) if (other !== CORE) symlinkSync(join(sourceFolder, other), join(root, other));
    for (const { file, from, to } of edits) {
      const path = join(folder, file);
      const parts = readFileSync(path, "utf8").split(from);
      if (parts.length !== 2) throw new Error(`mutant "${name}": ${file} has its text ${parts.length - 1} times: ${from}`);
      writeFileSync(path, parts.join(to));
    }
    const load = async (file: string): Promise<Core> => (await import(pathToFileURL(join(folder, file)).href)) as Core;
    const { transition } = await load("transition.ts");
    const { restoreRun } = await load("run.ts");
    const { nextWakeAt } = await load("timers.ts");
    return { transition, restoreRun, nextWakeAt };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function mutant(name: string, file: string, from: string, to: string): Mutant {
  return { name, edits: [{ file, from, to }] };
}

export const MUTANTS: readonly Mutant[] = [
  mutant("drops the fence", "run.ts", "state.attempt === ref.attempt && ", ""),
  mutant("hears reports of tasks that are over", "run.ts", " && isLiveTask(state.status);", ";"),
  mutant("grants an attempt again and again", "attempts.ts", `if (findLive(step, ref)?.status !== "queued") continue;
    markStarted`, `if (findLive(step, ref) === null) continue;
    markStarted`),
  mutant("forgets the lease of a queued attempt", "schedule.ts", "    wakeAt(step, state.leaseUntil);\n", ""),
  mutant("forgets the lease of a claimed attempt", "schedule.ts", `now + (state.channel === "queue" ? abilities.settings.leaseMs : abilities.settings.checkMs)`, "null"),
  mutant("renews leases for ever", "attempts.ts", "state.leaseUntil = step.now + step.abilities.settings.leaseMs;", "state.leaseUntil = Infinity;"),
  mutant("decrements a dependency twice", "settle-task.ts", "index.waitingOn[dependent]! -= 1;", "index.waitingOn[dependent]! -= 2;"),
  mutant("does not release a slot", "settle-task.ts", "    index.live.delete(task);\n", ""),
  mutant("ignores maxConcurrency", "schedule.ts", "countSlots(step.run) + picked.length < plan.maxConcurrency", "true"),
  mutant("never arms the alarm again", "timers.ts", "  wakeAt(step, nextTimerAt(run, step.abilities.settings.timeoutGraceMs));\n", ""),
  mutant("loses the timer of a retry", "attempts.ts", "  step.run.index.retrying.add(task);\n", ""),
  mutant("forgets after a restart what waits for a retry", "run.ts", "      index.retrying.add(id);\n", ""),
  mutant("forgets after a restart what is live", "run.ts", "      index.live.add(id);\n", ""),
  mutant("spreads a skip to nobody", "settle-task.ts", "  else skipDependents(step, task);\n", ""),
  mutant("spreads a skip one level only", "settle-task.ts", "    stack.push(...plan.graph.dependents[dependent]!);\n", ""),
  mutant("does not save that an attempt began", "schedule.ts", "const state = touch(step, task);\n  state.status = \"running\";", "const state = run.tasks[task]!;\n  state.status = \"running\";"),
  mutant("saves one task of a step only", "step.ts", "step.touched.add(task);", "if (step.touched.size === 0) step.touched.add(task);"),
  {
    name: "starts tasks after a failure that ends the workflow",
    edits: [
      { file: "schedule.ts", from: `state.status === "running" && !state.isFailing && `, to: `state.status === "running" && ` },
      { file: "schedule.ts", from: "if (run.state.isFailing) putBack(step, task);\n    else ", to: "" },
    ],
  },
  mutant("starts before startAt", "timers.ts", "plan.startAt <= now) beginRun", "plan.startAt <= now + 5_000) beginRun"),
  mutant("takes a deadline for over too late", "timers.ts", "state.deadlineAt <= now)", "state.deadlineAt + 5_000 <= now)"),
  mutant("does not arm the alarm for the deadline", "timers.ts", "Math.min(state.deadlineAt ?? Infinity, booksAt", "Math.min(Infinity, booksAt"),
  mutant("does not arm the alarm for startAt", "timers.ts", `  if (state.status === "scheduled" && plan.startAt !== null) at = Math.min(at, plan.startAt);\n`, ""),
  mutant("never gives up an attempt that runs too long", "timers.ts", ": state.timeoutAt + graceMs;", ": Infinity;"),
  mutant("stays in failure after a manual retry", "commands.ts", "  state.isFailing = false;\n", ""),
  mutant("lifts the barrier of a wave early", "run.ts", "plan.graph.wave[task]! <= index.currentWave", "plan.graph.wave[task]! <= index.currentWave + 1"),
  mutant("never lifts the barrier of a wave", "settle-task.ts", `    if (plan.scheduling === "wave") plan.graph.waves[index.currentWave]?.forEach((task) => offerTask(step, task));\n`, ""),
  mutant("starts tasks while paused", "schedule.ts", `state.status === "running" && !state.isFailing && `, "!state.isFailing && "),
  mutant("retries without end", "attempts.ts", "state.failures >= retry.maxAttempts || ", ""),
  mutant("retries what cannot be retried", "attempts.ts", "!failure.retryable || ", ""),
  mutant("retries before the time", "attempts.ts", "if (until <= step.now) {", "if (until <= step.now + 400) {"),
  mutant("takes losses for failures", "attempts.ts", "state.losses += 1;", "state.failures += 1;"),
  mutant("repeats lost attempts without end", "attempts.ts", "if (state.losses > MAX_LOSSES) {", "if (state.losses > 10 * MAX_LOSSES) {"),
  mutant("gives up attempts before their lease is over", "timers.ts", "state.leaseUntil <= now)", "state.leaseUntil - 500 <= now)"),
  mutant("never times out a callback", "timers.ts", `state.status === "waiting" ? state.timeoutAt`, `state.status === "waiting" ? Infinity`),
  mutant("starts tasks whose when is false", "schedule.ts", `else if (verdict === false) skipTask(step, task, "when", null);`, "else if (verdict === false) picked.push(task);"),
  mutant("holds back the dependents of a skip by when", "settle-task.ts", `  if (reason === "when") releaseDependents(step, task);\n`, ""),
  mutant("starts the least urgent first", "schedule.ts", "of step.run.index.ready)", "of step.run.index.ready.toReversed())"),
  mutant("numbers attempts from 1 again after a manual retry", "commands.ts", "...createTaskState(), attempt: state.attempt, manualRetries", "...createTaskState(), manualRetries"),
  mutant("lets what another failure blocks wait for ever after a manual retry", "commands.ts", "  skipBlockedTasks(step);\n}", "}"),
  mutant("leaves tasks open at the end", "finish.ts", "    if (!isFinalTask(task.status)) cancelTask(step, id, reason);", `    if (task.status === "pending") cancelTask(step, id, reason);`),
  mutant("ends the workflow twice", "transition.ts", "if (isFinalWorkflow(step.run.state.status)) return;", `if (input.type === "report" && isFinalWorkflow(step.run.state.status)) return;`),
  mutant("says waiting twice", "attempts.ts", ` || (result.status === "waiting" && state.status === "waiting")`, ""),
  mutant("carries without end", "schedule.ts", "if (!mayCarry(step.run, carried, pickedBytes)) {", "if (carried < 0) {"),
  mutant("forgets what a lost attempt carried", "settle-task.ts", "    putDown(index, task);\n", ""),
  mutant("starts what the tenant did not let start", "schedule.ts", " && picked.length < startsLeft", ""),
  mutant("forgets a question that dies with the object", "starts/ask-starts.ts", "  wakeAt(step, lostAt(starts.asked));\n", ""),
  mutant("waits for ever for a lost answer", "starts/ask-starts.ts", "lostAt(starts.asked) <= now", "lostAt(starts.asked) < 0"),
  mutant("asks a tenant that had nothing no more", "starts/ask-starts.ts", "  return isNews(run, describeDemand(run)) ? starts.askAgainAt : Infinity;", "  return Infinity;"),
];
