import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** Prints every table of docs/quality.md, and how well the complexity score orders prompts. `--data`: a folder with `context/dev/*.jsonl`, `intents/dev/intents.jsonl` and `routing/dev/*.jsonl`; the workflow brings its own text. */
const { values } = parseArgs({ options: { data: { type: "string" } } });

const parts: { script: string; data?: string }[] = [
  { script: "eval-context.ts", data: "context/dev" },
  { script: "eval-intents.ts", data: "intents/dev/intents.jsonl" },
  { script: "eval-routing.ts", data: "routing/dev" },
  { script: "eval-tokens.ts" },
  { script: "eval-code.ts" },
  { script: "eval-workflow.ts" },
];
for (const { script, data } of parts) {
  const argumentsOfPart = values.data === undefined || data === undefined ? [] : ["--data", join(values.data, data)];
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, script), ...argumentsOfPart], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
