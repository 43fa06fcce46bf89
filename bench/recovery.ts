import { setTimeout as delay } from "node:timers/promises";
import type { LocalWorker } from "../scripts/local-worker.ts";
import { findFreePort } from "../scripts/local-worker.ts";
import { type FakeAgents, startFakeAgents } from "../test/fixtures/fake-agents.ts";
import type { BenchContext } from "./bench-context.ts";
import { printTable } from "./figures.ts";
import { createHttpClient } from "./http-client.ts";
import { listTasks, specOf } from "./shapes.ts";
import { HOST_KINDS, type HostKind, startHost } from "./start-host.ts";
import { createWeftClient, type WeftClient } from "./weft-client.ts";

const WORKFLOWS = 50;
const AGENT_MS = 100;
const KILL_AFTER_MS = 1_000;
const POLL_MS = 10;
const GIVE_UP_MS = 60_000;
/** Twenty tasks each: half of the workflows are chains, half are diamonds in a row. */
const CHAIN_WIDTHS = Array.from({ length: 20 }, () => 1);
const DIAMONDS_WIDTHS = [1, 3, 1, 1, 3, 1, 1, 3, 1, 1, 3, 1];
const TASKS = 20 * WORKFLOWS;

interface Recovery {
  kind: HostKind;
  doneAtKill: number;
  /** From the start of the new process, and from its first answer, to the end of the last workflow's last call. */
  sinceStartMs: number;
  sinceReadyMs: number;
  repeatedCalls: number;
  completed: number;
  brokenLogs: number;
}

/** Kills the runtime in the middle of running workflows, starts it again on the same state and lets it be: nothing asks for the workflows until all have ended. */
export async function benchRecovery(context: BenchContext): Promise<void> {
  const rows: string[][] = [];
  for (const kind of HOST_KINDS) {
    const recovery = await killAndRecover(kind, context);
    rows.push([
      kind,
      `${recovery.doneAtKill} of ${TASKS}`,
      (recovery.sinceStartMs / 1_000).toFixed(1),
      (recovery.sinceReadyMs / 1_000).toFixed(1),
      `${recovery.repeatedCalls} of ${TASKS}`,
      `${recovery.completed} of ${WORKFLOWS}`,
      String(recovery.brokenLogs),
    ]);
  }
  const title = `kill -9 ${KILL_AFTER_MS} ms into ${WORKFLOWS} workflows of 20 tasks with agents of ${AGENT_MS} ms; without a kill the longest takes at least ${(20 * AGENT_MS) / 1_000} s`;
  printTable(title, ["", "calls at the kill", "all done after the restart, s", "… after its first answer, s", "repeated calls", "completed", "event logs with gaps or repeats"], rows);
}

async function killAndRecover(kind: HostKind, context: BenchContext): Promise<Recovery> {
  const agents = await startFakeAgents({ recordBodies: false });
  const client = createHttpClient();
  const host = { config: "wrangler.toml", stateFolder: context.newStateFolder(), port: await findFreePort(), vars: { ROOT_KEY: "root_bench" } };
  let worker: LocalWorker = await startHost(kind, host);
  try {
    const weft = createWeftClient(client.send, worker);
    await weft.registerAgent("slow", `${agents.origin}/slow?ms=${AGENT_MS}`);
    const shapes = Array.from({ length: WORKFLOWS }, (_, number) => (number % 2 === 0 ? CHAIN_WIDTHS : DIAMONDS_WIDTHS));
    const ids = await Promise.all(shapes.map((widths) => weft.create(specOf(widths, "slow"))));
    await delay(KILL_AFTER_MS);
    await worker.kill("SIGKILL");
    await worker.stop();
    const doneAtKill = agents.calls.length;

    const restartedAt = Date.now();
    worker = await startHost(kind, host);
    const readyAt = Date.now();
    const lastCalls = ids.map((id, number) => `${id}.${listTasks(shapes[number]!).at(-1)!.id}`);
    const endedAt = await whenAllCalled(agents, lastCalls);
    const statuses = await Promise.all(ids.map((id) => weft.waitForEnd(id).then(() => 1, () => 0)));
    const logs = await Promise.all(ids.map((id) => hasWholeLog(weft, id)));
    return {
      kind,
      doneAtKill,
      sinceStartMs: endedAt - restartedAt,
      sinceReadyMs: endedAt - readyAt,
      repeatedCalls: agents.calls.length - TASKS,
      completed: statuses.filter((status) => status === 1).length,
      brokenLogs: logs.filter((isWhole) => !isWhole).length,
    };
  } finally {
    client.close();
    await Promise.all([worker.stop(), agents.close()]);
  }
}

/** When the last of these tasks' calls was answered, told by the agents alone. */
async function whenAllCalled(agents: FakeAgents, tasks: readonly string[]): Promise<number> {
  const giveUpAt = Date.now() + GIVE_UP_MS;
  while (Date.now() < giveUpAt && !tasks.every((task) => agents.countByTask.has(task))) await delay(POLL_MS);
  return Date.now() + AGENT_MS;
}

async function hasWholeLog(weft: WeftClient, id: string): Promise<boolean> {
  const seqs: number[] = [];
  for (;;) {
    const page = JSON.parse(await weft.get(`/v1/workflows/${id}/events?after=${seqs.length}&limit=200`)) as { items: { seq: number }[] };
    if (page.items.length === 0) return seqs.every((seq, index) => seq === index + 1);
    seqs.push(...page.items.map((event) => event.seq));
  }
}
