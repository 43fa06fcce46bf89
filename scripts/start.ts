/** Runs the example workflow on a local worker with scratch state, shows it live, prints its result, and leaves nothing behind. */
import { describeRepositoryOverview } from "../examples/repository-overview.ts";
import { type LocalWorker, projectRoot, startLocalWorker } from "./local-worker.ts";
import { formatTaskTable } from "./task-table.ts";
import { createWaveProgress } from "./wave-progress.ts";
import { createWorkflowClient, type WorkflowClient, type WorkflowView } from "./workflow-client.ts";

/** The example takes seconds; a run that is stuck ends as a failed workflow instead of hanging in a terminal. */
const WORKFLOW_DEADLINE_MS = 120_000;
const CLIENT_DEADLINE_MS = 150_000;
/** About a page: the result is shown, not delivered. */
const MAX_RESULT_CHARS = 5_000;

// Leaving by `exit` stops the worker and removes its folder, also while it is still starting.
for (const [signal, exitCode] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) process.on(signal, () => process.exit(exitCode));

let worker: LocalWorker | null = null;
try {
  console.log("Starting Weft on this machine …");
  worker = await startLocalWorker();
  const workflow = await runExample(worker);
  if (workflow.status !== "completed") process.exitCode = 1;
} catch (error) {
  console.error(`\nThe example did not complete: ${error instanceof Error ? error.message : String(error)}`);
  if (worker !== null) console.error(worker.logs());
  process.exitCode = 1;
} finally {
  await worker?.stop();
}

async function runExample({ origin, rootKey }: LocalWorker): Promise<WorkflowView> {
  const client = createWorkflowClient({ origin, key: rootKey, signal: AbortSignal.timeout(CLIENT_DEADLINE_MS) });
  const created = await client.createWorkflow({ ...describeRepositoryOverview(projectRoot), deadlineMs: WORKFLOW_DEADLINE_MS });
  console.log(`Workflow ${created.name ?? created.id}: ${created.waves.flat().length} tasks in ${created.waves.length} waves\n`);

  const progress = createWaveProgress(created.waves, { write: (text) => process.stdout.write(text), columns: redrawColumns() });
  for await (const event of client.followEvents(created.id)) progress.show(event);

  const workflow = await client.getWorkflow(created.id);
  if (workflow.status === "completed") console.log(`\n${shorten(await readResult(client, workflow))}`);
  console.log(`\n${formatTaskTable(workflow)}`);
  if (workflow.status === "completed") printNextSteps();
  else printFailures(workflow);
  return workflow;
}

function redrawColumns(): number | null {
  const isPlain = process.env["NO_COLOR"] !== undefined || process.env["CI"] !== undefined || process.env["TERM"] === "dumb";
  return process.stdout.isTTY && !isPlain ? process.stdout.columns : null;
}

/** The outputs of the last wave; a long one is only in the task's own answer. */
async function readResult(client: WorkflowClient, workflow: WorkflowView): Promise<string> {
  const outputs = (workflow.waves.at(-1) ?? []).map(async (taskId) => {
    const task = workflow.tasks[taskId];
    const output = task?.outputBytes === undefined ? task?.output : (await client.getTask(workflow.id, taskId)).output;
    return typeof output === "string" ? output : JSON.stringify(output, null, 2);
  });
  return (await Promise.all(outputs)).join("\n\n");
}

function shorten(text: string): string {
  if (text.length <= MAX_RESULT_CHARS) return text;
  const end = text.lastIndexOf("\n", MAX_RESULT_CHARS);
  return `${text.slice(0, end > 0 ? end : MAX_RESULT_CHARS)}\n… (${text.length.toLocaleString("en")} characters in all)`;
}

function printNextSteps(): void {
  console.log(`
\`offline\` is the engine that Weft carries: it extracts and arranges text, needs no key and costs nothing.
To go on: \`npm run dev\` starts a server that stays up, and uses the models of each provider whose key is in .dev.vars.`);
}

function printFailures(workflow: WorkflowView): void {
  console.error(`\nThe workflow ended as ${workflow.status}${workflow.error === null ? "" : `: ${workflow.error.code}: ${workflow.error.message}`}`);
  for (const [taskId, { error, status }] of Object.entries(workflow.tasks)) {
    if (status === "failed" && error !== null) console.error(`  ${taskId}: ${error.code}: ${error.message}`);
  }
}
