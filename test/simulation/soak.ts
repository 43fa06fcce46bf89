/**
 * Runs many simulated workflows: `npm run soak -- --seeds 100000 --from 1`, or one: `--seed 7`. Prints each rule that is broken
 * with its seeds, the first of them shrunk; exit code 1 if there is one.
 */
import { parseArgs } from "node:util";
import { explainFailure } from "./explain.ts";
import { generateScenario } from "./generate.ts";
import { simulate } from "./simulate.ts";

const PROGRESS_EVERY_MS = 5_000;

const { values } = parseArgs({ options: { seeds: { type: "string", default: "10000" }, from: { type: "string", default: "1" }, seed: { type: "string" } } });
const from = Number(values.seed ?? values.from);
const end = from + (values.seed === undefined ? Number(values.seeds) : 1);
const seedsByRule = new Map<string, number[]>();
const startedAt = performance.now();
let shownAt = startedAt;
let steps = 0;
for (let seed = from; seed < end; seed += 1) {
  const verdict = simulate(generateScenario(seed));
  steps += verdict.steps;
  if (verdict.failure !== null) noteFailure(seed, verdict.failure.rule);
  if (performance.now() - shownAt < PROGRESS_EVERY_MS) continue;
  shownAt = performance.now();
  console.log(`${seed - from + 1} of ${end - from} seeds, ${steps} steps`);
}
for (const [rule, seeds] of seedsByRule) console.log(`broken by ${seeds.length}: ${rule}: seeds ${seeds.slice(0, 20).join(" ")}`);
const failed = [...seedsByRule.values()].reduce((count, seeds) => count + seeds.length, 0);
console.log(`${end - from} seeds, ${steps} steps, ${((performance.now() - startedAt) / 1_000).toFixed(1)} s: ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

function noteFailure(seed: number, rule: string): void {
  const seeds = seedsByRule.get(rule);
  if (seeds !== undefined) return void seeds.push(seed);
  seedsByRule.set(rule, [seed]);
  console.log(`${explainFailure(seed)}\n`);
}
