import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { countTokens as countCl100k } from "gpt-tokenizer/encoding/cl100k_base";
import { countTokens as countO200k } from "gpt-tokenizer/encoding/o200k_base";
import { z } from "zod";
import { reduceContext } from "../src/optimizer/reduce-context.ts";
import { splitContext } from "../src/optimizer/split-context.ts";

import { upperBoundTokens } from "../src/optimizer/tokens/token-bound.ts";
import { estimateTokens } from "../src/optimizer/tokens/tokens.ts";

/** Prints how often the strings that an answer needs survive a reduction, and how fast reducing and splitting are. */
const Sample = z.object({
  id: z.string(),
  source: z.string(),
  query: z.string(),
  context: z.string().optional(),
  documents: z.array(z.object({ title: z.string(), text: z.string() })).optional(),
  must_keep: z.array(z.string()),
  alts: z.array(z.array(z.string())).nullish(),
});
type Sample = z.infer<typeof Sample>;

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    budgets: { type: "string", default: "0.25,0.5,0.6" },
    /** Folder for the reduced texts, one file a budget, `{"id", "context"}` a line. */
    write: { type: "string" },
  },
});

/** Three tenths by a hash of the id, not looked at while the weights were chosen. */
function isHeldOut(sample: Sample): boolean {
  return BigInt(`0x${createHash("sha1").update(sample.id).digest("hex")}`) % 10n >= 7n;
}

function contextOf(sample: Sample): string {
  return sample.context ?? (sample.documents ?? []).map(({ title, text }, at) => `Document [${at + 1}] (Title: ${title}) ${text}`).join("\n");
}

function fold(text: string): string {
  return text.toLowerCase().split(/\s+/).filter(Boolean).join(" ");
}

interface Score {
  charsKept: number;
  every: number;
  share: number;
}

function scoreSample(sample: Sample, reduced: string): Score {
  const text = fold(reduced);
  const wanted = sample.alts ?? sample.must_keep.map((string) => [string]);
  const hits = wanted.filter((names) => names.some((name) => text.includes(fold(name)))).length;
  return { charsKept: reduced.length / Math.max(1, contextOf(sample).length), every: hits === wanted.length ? 1 : 0, share: hits / wanted.length };
}

function mean(scores: readonly Score[], of: keyof Score): string {
  return scores.length === 0 ? "-" : (scores.reduce((sum, score) => sum + score[of], 0) / scores.length).toFixed(3);
}

function printBudget(samples: readonly Sample[], budget: number): void {
  const scores = new Map<Sample, Score>();
  const lines: string[] = [];
  for (const sample of samples) {
    const { text } = reduceContext(contextOf(sample), { query: sample.query, targetReduction: 1 - budget });
    scores.set(sample, scoreSample(sample, text));
    lines.push(JSON.stringify({ id: sample.id, context: text }));
  }
  if (values.write !== undefined) {
    mkdirSync(values.write, { recursive: true });
    writeFileSync(join(values.write, `reduced-${budget}.jsonl`), `${lines.join("\n")}\n`);
  }
  console.log(`\n${budget * 100} % kept           n   every  share  chars   held out: n  every`);
  const row = (name: string, of: readonly Sample[]): void => {
    const all = of.map((sample) => scores.get(sample) as Score);
    const heldOut = of.filter(isHeldOut).map((sample) => scores.get(sample) as Score);
    console.log(`${name.padEnd(20)} ${String(of.length).padStart(4)}   ${mean(all, "every")}  ${mean(all, "share")}  ${mean(all, "charsKept")}  ${String(heldOut.length).padStart(12)}  ${mean(heldOut, "every")}`);
  };
  for (const source of sourcesOf(samples)) row(source, samples.filter((sample) => sample.source === source));
  row("all", samples);
}

function printTokens(samples: readonly Sample[]): void {
  console.log(`\nestimate / real tokens   o200k  cl100k   upper bound / real tokens   o200k  cl100k  lowest`);
  for (const source of sourcesOf(samples)) {
    const texts = samples.filter((sample) => sample.source === source).map(contextOf);
    const sum = (count: (text: string) => number): number => texts.reduce((total, text) => total + count(text), 0);
    const [o200k, cl100k] = [sum(countO200k), sum(countCl100k)];
    const lowest = Math.min(...texts.map((text) => upperBoundTokens(text) / Math.max(countO200k(text), countCl100k(text))));
    const ratio = (of: number, by: number): string => (of / by).toFixed(2).padStart(7);
    const [estimated, bound] = [sum(estimateTokens), sum(upperBoundTokens)];
    console.log(`${source.padEnd(22)} ${ratio(estimated, o200k)} ${ratio(estimated, cl100k)} ${" ".repeat(27)} ${ratio(bound, o200k)} ${ratio(bound, cl100k)} ${ratio(lowest, 1)}`);
  }
}

function sourcesOf(samples: readonly Sample[]): string[] {
  return [...new Set(samples.map((sample) => sample.source))].sort();
}

const SPEED_CHARS = 100_000;
const SPEED_RUNS = 40;

function printSpeed(samples: readonly Sample[]): void {
  console.log(`\nprocessor milliseconds for ${SPEED_CHARS} characters (p50 of ${SPEED_RUNS}, after warm-up)   reduce  split`);
  for (const source of sourcesOf(samples)) {
    const of = samples.filter((sample) => sample.source === source);
    const text = of.map(contextOf).join("\n").slice(0, SPEED_CHARS);
    const query = of[0]?.query ?? "";
    const reduce = medianMs(() => reduceContext(text, { query, targetReduction: 0.75 }));
    const split = medianMs(() => splitContext(text, { maxTokens: 1_000, overlapTokens: 50 }));
    console.log(`${source.padEnd(55)} ${reduce.toFixed(1).padStart(12)} ${split.toFixed(1).padStart(6)}`);
  }
}

/** Of the processor's time, which other programs of the machine do not add to. */
function medianMs(work: () => unknown): number {
  for (let run = 0; run < SPEED_RUNS / 2; run += 1) work();
  const times = Array.from({ length: SPEED_RUNS }, () => {
    const start = process.cpuUsage();
    work();
    return process.cpuUsage(start).user / 1_000;
  });
  return times.sort((a, b) => a - b)[SPEED_RUNS / 2] ?? 0;
}

function main(): void {
  if (values.data === undefined || !existsSync(values.data)) {
    console.log(`context: skipped, no data at ${values.data ?? "(--data not given)"}`);
    return;
  }
  const folder = values.data;
  const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl")).sort();
  const lines = files.flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n")).filter((line) => line.trim() !== "");
  if (lines.length === 0) {
    console.log(`context: skipped, no *.jsonl in ${folder}`);
    return;
  }
  const samples = lines.map((line) => Sample.parse(JSON.parse(line)));
  for (const budget of values.budgets.split(",").map(Number)) printBudget(samples, budget);
  printTokens(samples);
  printSpeed(samples);
}

main();
