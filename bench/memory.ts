import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { startFakeAgents } from "../test/fixtures/fake-agents.ts";
import { findFreePort } from "../scripts/local-worker.ts";
import type { BenchContext } from "./bench-context.ts";
import { measureMs, mib, printTable } from "./figures.ts";
import { createHttpClient } from "./http-client.ts";
import { openInspector, type Inspector } from "./inspector.ts";
import { specOf } from "./shapes.ts";
import { startHost } from "./start-host.ts";
import { createWeftClient } from "./weft-client.ts";

const TASKS = 5_000;
const OUTPUT_BYTES = 10_240;
const WIDTHS = Array.from({ length: 50 }, () => 100);

/** Memory and state of a workflow of the largest size, whose layers of 100 tasks pass nothing on but their order. */
export async function benchMemory(context: BenchContext): Promise<void> {
  const agents = await startFakeAgents({ recordBodies: false });
  const client = createHttpClient();
  const stateFolder = context.newStateFolder();
  const inspectorPort = await findFreePort();
  const worker = await startHost("Miniflare", { config: "wrangler.toml", stateFolder, inspectorPort });
  const inspector = await openInspector(inspectorPort);
  try {
    const weft = createWeftClient(client.send, worker);
    await weft.registerAgent("echo", `${agents.origin}/echo`);
    await weft.registerAgent("big", `${agents.origin}/big?bytes=${OUTPUT_BYTES}`);
    await weft.runToEnd(specOf([1, 3, 1], "echo"));
    const rows = [await measureRow("after a diamond of 5", worker.pid, stateFolder, inspector)];
    const id = await weft.create(createWideSpec());
    rows.push(await measureRow(`${TASKS} tasks accepted`, worker.pid, stateFolder, inspector));
    const ms = await measureMs(() => weft.waitForEnd(id));
    rows.push(await measureRow("all done", worker.pid, stateFolder, inspector));
    await weft.get(`/v1/workflows/${id}`);
    rows.push(await measureRow("and read with its tasks", worker.pid, stateFolder, inspector));
    printTable(
      `A workflow of ${TASKS} tasks with outputs of ${OUTPUT_BYTES} bytes (${mib(TASKS * OUTPUT_BYTES)} together), Miniflare: ${(ms / 1_000).toFixed(1)} s, ${(ms / TASKS).toFixed(2)} ms a task`,
      ["", "heap in use", "workerd RSS", "peak RSS", "state on disk"],
      rows,
    );
  } finally {
    inspector.close();
    client.close();
    await Promise.all([worker.stop(), agents.close()]);
  }
}

/** Each task waits for one of the layer before: all outputs are kept, none is sent on to a hundred others. */
function createWideSpec(): object {
  const tasks = WIDTHS.flatMap((width, layer) =>
    Array.from({ length: width }, (_, number) => ({ id: `${layer}-${number}`, agent: "big", dependsOn: layer === 0 ? [] : [`${layer - 1}-${number}`] })),
  );
  return { tasks, maxConcurrency: 100 };
}

async function measureRow(name: string, group: number, stateFolder: string, inspector: Inspector): Promise<string[]> {
  const heapBytes = await inspector.readHeapBytes();
  const { residentBytes, peakBytes } = readRuntimeMemory(group);
  return [name, mib(heapBytes), mib(residentBytes), mib(peakBytes), mib(measureFolder(stateFolder))];
}

/** Of the largest process of the runtime in the group. */
function readRuntimeMemory(group: number): { residentBytes: number; peakBytes: number } {
  const members = readdirSync("/proc").flatMap((entry) => (/^\d+$/.test(entry) ? (readMember(entry, group) ?? []) : []));
  return members.reduce((largest, member) => (member.residentBytes > largest.residentBytes ? member : largest), { residentBytes: 0, peakBytes: 0 });
}

function readMember(pid: string, group: number): { residentBytes: number; peakBytes: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    if (!stat.includes("(workerd)") || Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]) !== group) return null;
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const read = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1_024;
    return { residentBytes: read("VmRSS"), peakBytes: read("VmHWM") };
  } catch {
    // It ended while it was read.
    return null;
  }
}

function measureFolder(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
