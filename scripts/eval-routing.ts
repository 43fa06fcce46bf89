import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { RoutingSettings } from "../src/config/routing-settings.ts";
import { estimateTokens } from "../src/optimizer/tokens/tokens.ts";
import { scoreComplexity, tierOfComplexity } from "../src/router/complexity.ts";
import { countFiles } from "../src/router/count-files.ts";
import { inferTaskType } from "../src/router/infer-task-type.ts";

/**
 * Prints how well the complexity score tells which prompts a strong model answers better than a weak one. APGR: the mean share of the
 * strong model's gain that is had when the prompts with the highest scores go to it, over all shares of prompts; 0.5 is chance.
 */
const Outcome = z.object({ prompt: z.string(), strong_correct: z.number().optional(), weak_correct: z.number().optional(), strong_score: z.number().optional(), weak_score: z.number().optional() });

const { values } = parseArgs({ options: { data: { type: "string" } } });
const SETTINGS = RoutingSettings.parse({});

interface Scored {
  gain: number;
  score: number;
  length: number;
  tier: string;
}

function scorePrompt(line: string): Scored {
  const outcome = Outcome.parse(JSON.parse(line));
  const { prompt } = outcome;
  const complexity = scoreComplexity({ taskType: inferTaskType(prompt) ?? "general", contextTokens: estimateTokens(prompt), files: countFiles(prompt), failureRate: 0 }, SETTINGS);
  const gain = (outcome.strong_correct ?? outcome.strong_score ?? 0) - (outcome.weak_correct ?? outcome.weak_score ?? 0);
  return { gain, score: complexity.score, length: prompt.length, tier: tierOfComplexity(complexity, SETTINGS) };
}

/** Prompts of one score share their mean gain, as they would in random order. */
function meanGainRecovered(prompts: readonly Scored[], by: (prompt: Scored) => number): number {
  const total = prompts.reduce((sum, { gain }) => sum + gain, 0);
  let recovered = 0;
  let area = 0;
  for (const [, tied] of [...Map.groupBy(prompts, by)].sort(([left], [right]) => right - left)) {
    const gain = tied.reduce((sum, prompt) => sum + prompt.gain, 0);
    area += tied.length * (recovered + gain / 2);
    recovered += gain;
  }
  return area / total / prompts.length;
}

function printFile(folder: string, name: string): void {
  const prompts = readFileSync(join(folder, name), "utf8").split("\n").filter((line) => line.trim() !== "").map(scorePrompt);
  const share = (tier: string): string => `${((100 * prompts.filter((prompt) => prompt.tier === tier).length) / prompts.length).toFixed(1)} %`;
  const columns = [meanGainRecovered(prompts, ({ score }) => score), meanGainRecovered(prompts, ({ length }) => length)].map((apgr) => apgr.toFixed(3).padStart(10));
  console.log(`${name.padEnd(16)} ${String(prompts.length).padStart(6)} ${columns.join("")}   ${["weak", "base", "strong"].map((tier) => share(tier).padStart(8)).join("")}`);
}

function main(): void {
  const folder = values.data;
  if (folder === undefined || !existsSync(folder)) {
    console.log(`routing: skipped, no data at ${folder ?? "(--data not given)"}`);
    return;
  }
  console.log(`APGR                  n     score    length       weak    base  strong`);
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".jsonl")).sort()) printFile(folder, name);
}

main();
