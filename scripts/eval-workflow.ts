import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createWeftClient } from "../test/e2e/weft-client.ts";
import { startFakeLlm } from "../test/fixtures/fake-llm.ts";
import { HANDBOOK_FACTS, writeHandbook } from "../test/fixtures/handbook.ts";
import { putSourceAgents, runSourceWorkflow, tiersOf, type Source, type TaskContext } from "../test/fixtures/source-workflow.ts";
import { projectRoot, startLocalWorker } from "./local-worker.ts";

/** Prints what a scout → plan → build workflow sends and costs with its context whole and reduced, on a local worker and a provider that only counts. */
const CONTEXTS: [name: string, context: TaskContext][] = [
  ["full", { mode: "full" }],
  ["reduce (default)", { mode: "reduce" }],
  ["reduce to 8,000", { mode: "reduce", maxTokens: 8_000 }],
  ["reduce to 4,000", { mode: "reduce", maxTokens: 4_000 }],
  ["reduce to 2,000", { mode: "reduce", maxTokens: 2_000 }],
  ["none", { mode: "none" }],
];

/** Asked as somebody would who does not know the names in the program. */
const PROGRAM_FACTS: Source["facts"] = {
  scout: [
    { question: "How long is a stream token good for?", answer: "STREAM_TOKEN_LIFE_MS = 300_000" },
    { question: "How large may the body of a request for a new workflow be?", answer: "MAX_WORKFLOW_BODY_BYTES = 4_194_304" },
    { question: "How deep may the output of an agent be nested?", answer: "MAX_OUTPUT_DEPTH = 200" },
    { question: "For how long at most is a provider believed that asks us to retry later?", answer: "MAX_RETRY_AFTER_MS = 3_600_000" },
  ],
  plan: [
    { question: "How many models may the tiers document list?", answer: "MAX_MODELS = 500" },
    { question: "How many bytes of an HTTP agent's answer are read?", answer: "MAX_ANSWER_BYTES = 1_048_576" },
    { question: "How many orders does an executor take?", answer: "at most five orders" },
    { question: "Up to what time does the lease of an unclaimed attempt grow?", answer: "up to five minutes" },
  ],
  build: [
    { question: "How many steps may the evaluation of an expression take?", answer: "2,000,000 steps" },
    { question: "How long may a request wait for a workflow to end?", answer: "MAX_WAIT_MS = 60_000" },
    { question: "After how many days is a finished workflow removed by default?", answer: ".default(30)" },
    { question: "How much text of reductions does one isolate keep?", answer: "MAX_CACHED_CHARS = 4_000_000" },
  ],
};

/** The program's own pages and a part of its source: prose and code in one text. */
function readProgram(): string {
  const folders = ["docs/decisions.md", "docs/scale.md", "src/config", "src/consumer", "src/api"];
  const paths = execFileSync("git", ["ls-files", ...folders], { cwd: projectRoot, encoding: "utf8" }).split("\n").filter(Boolean);
  return paths.map((path) => `${path}\n\n${readFileSync(join(projectRoot, path), "utf8")}`).join("\n");
}

const sources: [name: string, source: Source][] = [
  ["a written handbook", { text: writeHandbook(), facts: HANDBOOK_FACTS }],
  ["pages and source of this program", { text: readProgram(), facts: PROGRAM_FACTS }],
];
const llm = await startFakeLlm();
const worker = await startLocalWorker();
try {
  const client = createWeftClient(worker);
  await putSourceAgents(client);
  const put = await client.call("PUT", "/v1/tiers", { body: tiersOf("openai-compatible", llm.baseUrl) });
  if (put.status !== 200) throw new Error(`the tiers were refused: ${put.text}`);
  for (const [name, source] of sources) await printSource(name, source);
} finally {
  await worker.stop();
  await llm.close();
}

async function printSource(name: string, source: Source): Promise<void> {
  const client = createWeftClient(worker);
  const all = Object.values(source.facts).flat();
  console.log(`\nworkflow on ${name} (${source.text.length.toLocaleString("en")} characters)`.padEnd(76) + "tokens sent   cost USD   facts sent   missing");
  for (const [mode, context] of CONTEXTS) {
    const { workflow, calls, tokensSent, factsSent } = await runSourceWorkflow(client, llm, source, context);
    if (workflow.status !== "completed") throw new Error(`the workflow ended as ${workflow.status}: ${JSON.stringify(workflow.error)}`);
    const missing = Object.values(source.facts).flatMap((facts, step) => facts.filter(({ answer }) => !calls[step]?.prompt.includes(answer)));
    const told = missing.length === all.length ? "all" : missing.map(({ answer }) => answer).join(", ");
    console.log(`${mode.padEnd(73)} ${tokensSent.toLocaleString("en").padStart(12)} ${workflow.usage.costUsd.toFixed(4).padStart(10)} ${`${factsSent} of ${all.length}`.padStart(12)}   ${told}`);
  }
}
