/**
 * Everything that must hold before a change is taken: static checks, and every test project. Three lanes run side by side: the
 * core computes, the other two mostly wait, for alarms, leases and retries. What needs the whole machine comes last, and what compares
 * times after it, alone. The last line is the count; the exit code is 1 if anything failed.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot, quietWranglerEnv, wranglerBin } from "./local-worker.ts";
import { type ProcessGroup, startProcessGroup } from "./process-group.ts";

interface Part {
  name: string;
  /** Arguments for node; the project's tools are plain scripts, so no shell and no PATH is involved. */
  args: string[];
  /** Set for a test project: where its JSON report goes. */
  report?: string;
}

/** A part that says nothing for so long hangs, and is run once more: the runner of the Workers tests has been seen not to end after its last file. */
const SILENCE_MS = 200_000;

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
}

/** For reports, and as TMPDIR of all parts: also what the killed processes of a test leave behind goes with it. */
const scratch = mkdtempSync(join(tmpdir(), "weft-test-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }));
/** For all parts: one folder for what they leave, one build of the worker, and modules that are compiled once. */
const partEnv = { ...quietWranglerEnv, TMPDIR: scratch, WEFT_BUILD_FOLDER: join(scratch, "build"), NODE_COMPILE_CACHE: join(scratch, "compiled") };
const bin = (path: string): string => join(projectRoot, "node_modules", path);

const staticParts: Part[] = [
  { name: "types", args: [bin("typescript/bin/tsc"), "--noEmit", "-p", "."] },
  { name: "binding types", args: [wranglerBin, "types", "--include-runtime=false", "--env-file=.dev.vars.example", "--check"] },
  { name: "lint", args: [bin("oxlint/bin/oxlint"), "--deny-warnings"] },
  { name: "purity", args: ["scripts/check-purity.ts"] },
  { name: "unused code", args: [bin("knip/bin/knip.js")] },
  { name: "bundle", args: ["scripts/bundle.ts"] },
];

const running = new Set<ProcessGroup>();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => void stop());

let passed = 0;
let failed = 0;
const startedAt = performance.now();
await Promise.all([runInOrder([testProject("core")]), runInOrder([...staticParts, testProject("workerd")]), runInOrder([testProject("e2e")])]);
await runInOrder([testProject("late e2e", ["e2e-late", "e2e-alone"])]);

console.log(`\nall parts: ${seconds(startedAt)}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

function testProject(name: string, projects = [name]): Part {
  const report = join(scratch, `${name}.json`);
  return { name: `${name} tests`, args: [bin("vitest/vitest.mjs"), "run", ...projects.map((project) => `--project=${project}`), "--reporter=default", "--reporter=json", `--outputFile.json=${report}`], report };
}

async function runInOrder(parts: Part[]): Promise<void> {
  for (const part of parts) await run(part);
}

async function run(part: Part): Promise<void> {
  const partStartedAt = performance.now();
  const first = await runNode(part.args);
  if (first.isSilent) console.log(`  ${part.name}: nothing was heard for ${SILENCE_MS / 1_000} s, so they run once more; the last that was heard:\n${first.output.slice(-2_000)}`);
  const { exitCode, output } = first.isSilent ? await runNode(part.args) : first;
  const outcome = readOutcome(part, exitCode);
  passed += outcome.passed;
  failed += outcome.failed;

  const counts = part.report === undefined ? "" : `: ${outcome.passed} passed, ${outcome.failed} failed${outcome.skipped > 0 ? `, ${outcome.skipped} skipped` : ""}`;
  console.log(`${outcome.failed > 0 ? "✗" : "✓"} ${part.name} (${seconds(partStartedAt)})${counts}`);
  if (outcome.failed > 0) console.log(output);
  else if (part.name === "bundle") console.log(`  ${output.trim()}`);
}

async function runNode(args: string[]): Promise<{ exitCode: number | null; output: string; isSilent: boolean }> {
  const group = startProcessGroup(process.execPath, args, { cwd: projectRoot, env: { ...process.env, ...partEnv } });
  running.add(group);
  let isSilent = false;
  const silence = setTimeout(() => {
    isSilent = true;
    void group.kill("SIGKILL");
  }, SILENCE_MS);
  for (const stream of [group.child.stdout, group.child.stderr]) stream?.on("data", () => silence.refresh());
  const exitCode = await new Promise<number | null>((resolve) => group.child.once("close", resolve));
  clearTimeout(silence);
  // Whatever it left behind.
  await group.kill("SIGKILL");
  running.delete(group);
  return { exitCode, output: group.logs(), isSilent };
}

/** By Ctrl-C or a kill: ends what runs, and leaves nothing. */
async function stop(): Promise<void> {
  await Promise.all([...running].map((group) => group.stop()));
  process.exit(1);
}

/** A test project that fails without a failed test (a file that does not load, an unhandled rejection, no tests) counts as one failure. */
function readOutcome(part: Part, exitCode: number | null): Outcome {
  if (part.report === undefined) return exitCode === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
  const report = readReport(part.report);
  return {
    passed: report.numPassedTests,
    failed: exitCode === 0 ? report.numFailedTests : Math.max(1, report.numFailedTests),
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function readReport(path: string): Record<"numPassedTests" | "numFailedTests" | "numPendingTests" | "numTodoTests", number> {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ReturnType<typeof readReport>;
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };
  }
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`;
}
