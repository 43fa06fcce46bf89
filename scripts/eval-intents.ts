import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { z } from "zod";
import { INTENTS, type Intent } from "../src/optimizer/intents/intent.ts";
import { LAST_NAMES } from "../test/optimizer/intents/last-names.ts";
import { LAST_STEPS } from "../test/optimizer/intents/last-steps.ts";
import { LATER_NAMES } from "../test/optimizer/intents/later-names.ts";
import { TRADE_STEPS } from "../test/optimizer/intents/steps-of-many-trades.ts";
import { VARIED_STEPS, type VariedStep } from "../test/optimizer/intents/varied-steps.ts";
import { classifyByPatterns } from "../src/optimizer/intents/classify-by-patterns.ts";

/** Prints how often the patterns alone name the right intent. Data: one JSON object a line, as `Sample` says. */
const Sample = z.object({ id: z.string(), text: z.string(), intent: z.enum(INTENTS), also_ok: z.array(z.string()).default([]), hard: z.boolean().default(false) });
type Sample = z.infer<typeof Sample>;

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    part: { type: "string", default: "all" },
    errors: { type: "boolean", default: false },
  },
});

/** A fifth by a hash of the text: steps of the same name fall into the same part. */
function isHeldOut(sample: Sample): boolean {
  return Number.parseInt(createHash("sha256").update(sample.text.trim().toLowerCase()).digest("hex").slice(0, 8), 16) % 5 === 0;
}

function share(count: number, of: number): string {
  return of === 0 ? "-" : `${(count / of).toFixed(3)} (${count}/${of})`;
}

function accuracy(samples: Sample[], guesses: Map<Sample, Intent>): string {
  const hard = samples.filter((sample) => sample.hard);
  const strict = samples.filter((sample) => guesses.get(sample) === sample.intent).length;
  const lenient = (of: Sample[]) => of.filter((sample) => [sample.intent, ...sample.also_ok].includes(guesses.get(sample) ?? "")).length;
  const hardStrict = hard.filter((sample) => guesses.get(sample) === sample.intent).length;
  return `strict ${share(strict, samples.length)}  lenient ${share(lenient(samples), samples.length)}  hard lenient ${share(lenient(hard), hard.length)}  hard strict ${share(hardStrict, hard.length)}`;
}

function printClasses(samples: Sample[], guesses: Map<Sample, Intent>): void {
  for (const intent of INTENTS) {
    const labelled = samples.filter((sample) => sample.intent === intent);
    const guessed = samples.filter((sample) => guesses.get(sample) === intent);
    const right = labelled.filter((sample) => guesses.get(sample) === intent).length;
    console.log(`  ${intent.padEnd(12)} precision ${share(right, guessed.length)}  recall ${share(right, labelled.length)}`);
  }
}

function printCalibration(samples: readonly { text: string; intent: Intent }[]): void {
  const edges = [0, 0.4, 0.6, 0.8, 0.9, 1.01];
  for (let bin = 0; bin + 1 < edges.length; bin += 1) {
    const inside = samples.map((sample) => ({ sample, ranking: classifyByPatterns(sample.text) })).filter(({ ranking }) => ranking.confidence >= edges[bin]! && ranking.confidence < edges[bin + 1]!);
    const right = inside.filter(({ sample, ranking }) => ranking.intent === sample.intent).length;
    const mean = inside.reduce((sum, { ranking }) => sum + ranking.confidence, 0) / Math.max(1, inside.length);
    console.log(`  confidence ${edges[bin]!.toFixed(2)}+  mean ${mean.toFixed(3)}  right ${share(right, inside.length)}`);
  }
}

function printSpeed(samples: Sample[]): void {
  for (const sample of samples) classifyByPatterns(sample.text);
  const rounds = Math.ceil(20_000 / samples.length);
  const start = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) for (const sample of samples) classifyByPatterns(sample.text);
  console.log(`speed: ${(process.cpuUsage(start).user / (rounds * samples.length)).toFixed(1)} µs of the processor a step`);
  const long = "Read the attached report and then send every open question to the team, please. ".repeat(12_500);
  for (let round = 0; round < 500; round += 1) classifyByPatterns(long);
  const longStart = process.cpuUsage();
  for (let round = 0; round < 500; round += 1) classifyByPatterns(long);
  console.log(`speed: ${(process.cpuUsage(longStart).user / 500).toFixed(1)} µs for a text of ${long.length} characters`);
}

/** The steps that were written for this project: the half in view, the other, and the template-like names, by kind. */
function printVariedSteps(): void {
  const parts: [string, (step: VariedStep) => boolean][] = [
    ["varied, all", () => true],
    ["half in view", (step) => !step.unseen],
    ["half unseen", (step) => step.unseen && step.kind !== "name"],
    ...[...new Set(VARIED_STEPS.map((step) => step.kind))].map((kind): [string, (step: VariedStep) => boolean] => [`  ${kind}`, (step) => step.kind === kind]),
  ];
  for (const [title, belongs] of parts) {
    const steps = VARIED_STEPS.filter(belongs).map((step) => ({ step, guess: classifyByPatterns(step.text).intent }));
    const strict = steps.filter(({ step, guess }) => step.intent === guess).length;
    const lenient = steps.filter(({ step, guess }) => [step.intent, ...step.alsoOk].includes(guess)).length;
    console.log(`${title.padEnd(13)} strict ${share(strict, steps.length)}  lenient ${share(lenient, steps.length)}`);
  }
  for (const [title, lot] of [["later names", LATER_NAMES], ["last names", LAST_NAMES]] as const) {
    const names = INTENTS.flatMap((intent) => lot[intent].split("|").map((text) => ({ intent, text })));
    console.log(`${title.padEnd(13)} strict ${share(names.filter(({ intent, text }) => classifyByPatterns(text).intent === intent).length, names.length)}`);
  }
  printTradeSteps();
  if (!values.errors) return;
  for (const step of VARIED_STEPS) {
    const ranking = classifyByPatterns(step.text);
    if (!step.unseen && ![step.intent, ...step.alsoOk].includes(ranking.intent)) console.log(`${step.kind.padEnd(9)} ${step.intent.padEnd(11)} not ${ranking.intent.padEnd(11)} ${ranking.confidence.toFixed(2)}  ${step.text}`);
  }
}

/** How often a step of which confidence is right, on those whose mistakes nobody looked at. */
function printTradeSteps(): void {
  for (const second of [false, true]) {
    for (const kind of ["name", "sentence"] as const) {
      const steps = TRADE_STEPS.filter((step) => step.second === second && step.kind === kind).map((step) => ({ step, guess: classifyByPatterns(step.text).intent }));
      const strict = steps.filter(({ step, guess }) => step.intent === guess).length;
      const lenient = steps.filter(({ step, guess }) => [step.intent, ...step.alsoOk].includes(guess)).length;
      console.log(`many trades, ${second ? "second" : "first"} half, ${`${kind}s`.padEnd(9)} strict ${share(strict, steps.length)}  lenient ${share(lenient, steps.length)}`);
    }
  }
  const last = LAST_STEPS.filter((step) => [step.intent, ...step.alsoOk].includes(classifyByPatterns(step.text).intent)).length;
  console.log(`written when the rules were done    lenient ${share(last, LAST_STEPS.length)}`);
  printCalibration(TRADE_STEPS.filter((step) => step.second));
}

function main(): void {
  printVariedSteps();
  if (values.data === undefined || !existsSync(values.data)) {
    console.log(`intents: skipped, no data at ${values.data ?? "(--data not given)"}`);
    return;
  }
  const all = readFileSync(values.data, "utf8").split("\n").filter((line) => line.trim() !== "").map((line) => Sample.parse(JSON.parse(line)));
  const heldOut = all.filter(isHeldOut);
  const seen = all.filter((sample) => !isHeldOut(sample));
  const guesses = new Map(all.map((sample) => [sample, classifyByPatterns(sample.text).intent]));
  if (values.part === "seen") {
    console.log(`four fifths  ${accuracy(seen, guesses)}`);
    printClasses(seen, guesses);
    if (values.errors) printErrors(seen, guesses);
    return;
  }
  console.log(`all          ${accuracy(all, guesses)}`);
  console.log(`four fifths  ${accuracy(seen, guesses)}`);
  console.log(`held-out     ${accuracy(heldOut, guesses)}`);
  // Of the held-out part no more than its totals: what is known by intent would be tuned for.
  printClasses(seen, guesses);
  printSpeed(all);
}

function printErrors(samples: Sample[], guesses: Map<Sample, Intent>): void {
  for (const sample of samples) {
    if (guesses.get(sample) === sample.intent) continue;
    const ranking = classifyByPatterns(sample.text);
    console.log(`${sample.hard ? "H" : " "} ${sample.intent.padEnd(11)} not ${ranking.intent.padEnd(11)} ${ranking.confidence.toFixed(2)}  ${sample.text}  ${JSON.stringify(sample.also_ok)}`);
  }
}

main();
