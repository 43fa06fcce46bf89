import { createWeftClient } from "../test/e2e/weft-client.ts";
import { startFakeLlm } from "../test/fixtures/fake-llm.ts";
import { putHandbookAgents, runHandbookWorkflow, tiersOf, type TaskContext } from "../test/fixtures/handbook-workflow.ts";
import { HANDBOOK_FACTS, writeHandbook } from "../test/fixtures/handbook.ts";
import { startLocalWorker } from "./local-worker.ts";

/** Prints what a scout → plan → build workflow sends and costs with its context whole and reduced, on a local worker and a provider that only counts. */
const CONTEXTS: [name: string, context: TaskContext][] = [
  ["full", { mode: "full" }],
  ["reduce (default)", { mode: "reduce" }],
  ["reduce to 8,000", { mode: "reduce", maxTokens: 8_000 }],
  ["reduce to 4,000", { mode: "reduce", maxTokens: 4_000 }],
  ["reduce to 2,000", { mode: "reduce", maxTokens: 2_000 }],
  ["none", { mode: "none" }],
];

const llm = await startFakeLlm();
const worker = await startLocalWorker();
try {
  const client = createWeftClient(worker);
  await putHandbookAgents(client);
  const put = await client.call("PUT", "/v1/tiers", { body: tiersOf("openai-compatible", llm.baseUrl) });
  if (put.status !== 200) throw new Error(`the tiers were refused: ${put.text}`);
  const handbook = writeHandbook();
  const all = Object.values(HANDBOOK_FACTS).flat().length;
  console.log(`\nscout → plan → build on ${handbook.length.toLocaleString("en")} characters   tokens sent   cost USD   facts sent`);
  for (const [name, context] of CONTEXTS) {
    const { workflow, tokensSent, factsSent } = await runHandbookWorkflow(client, llm, handbook, context);
    if (workflow.status !== "completed") throw new Error(`the workflow ended as ${workflow.status}: ${JSON.stringify(workflow.error)}`);
    console.log(`${name.padEnd(48)} ${tokensSent.toLocaleString("en").padStart(12)} ${workflow.usage.costUsd.toFixed(4).padStart(10)} ${`${factsSent} of ${all}`.padStart(12)}`);
  }
} finally {
  await worker.stop();
  await llm.close();
}
