import { startFakeAgents } from "../test/fixtures/fake-agents.ts";
import type { LocalWorker } from "../scripts/local-worker.ts";
import type { BenchContext } from "./bench-context.ts";
import { measureMs, median, printTable, show } from "./figures.ts";
import { createHttpClient } from "./http-client.ts";
import { DIAMOND, specOf } from "./shapes.ts";
import { startHost } from "./start-host.ts";
import { createWeftClient, type WeftClient } from "./weft-client.ts";

const READY_SIZES = [1, 4, 16, 100, 150];
const ROUNDS = 9;
const CROWD = 100;
const CROWD_ROUNDS = 5;

/** Each way alone, so that the widths at which one passes the other can be read off. By the platform, calls of the object itself end at four and direct ones at 150. */
const ways = [
  { name: "object", settings: { objectMax: 4, directMax: 150 }, widest: 4 },
  { name: "direct", settings: { objectMax: 0, directMax: 150 }, widest: 150 },
  { name: "queue", settings: { objectMax: 0, directMax: 0 }, widest: Infinity },
];

/** Time of a ready set by width and way, on Miniflare: what the limits `objectMax` and `directMax` should be. */
export async function benchDispatch(context: BenchContext): Promise<void> {
  const agents = await startFakeAgents({ recordBodies: false });
  const client = createHttpClient();
  const workers: LocalWorker[] = [];
  try {
    const contestants: { name: string; widest: number; weft: WeftClient }[] = [];
    for (const { name, settings, widest } of ways) {
      const worker = await startHost("Miniflare", { config: "wrangler.toml", stateFolder: context.newStateFolder(), vars: { SETTINGS: JSON.stringify({ dispatch: settings }) } });
      workers.push(worker);
      const weft = createWeftClient(client.send, worker);
      await weft.registerAgent("echo", `${agents.origin}/echo`);
      await Promise.all(Array.from({ length: 20 }, () => weft.runToEnd(specOf(DIAMOND.widths, "echo"))));
      await weft.runToEnd(specOf([100], "echo"));
      contestants.push({ name, widest, weft });
    }
    const rows: string[][] = [];
    for (const size of READY_SIZES) rows.push([`ready set of ${size}, ms`, ...(await compare(contestants.map(({ widest, weft }) => (size > widest ? null : () => runSet(weft, size))), ROUNDS))]);
    rows.push(["chain of 20, ms/step", ...(await compare(contestants.map(({ weft }) => () => weft.runToEnd(specOf(Array.from({ length: 20 }, () => 1), "echo"))), ROUNDS, 20))]);
    rows.push([`${CROWD} diamonds at once, ms`, ...(await compare(contestants.map(({ weft }) => () => Promise.all(Array.from({ length: CROWD }, () => weft.runToEnd(specOf(DIAMOND.widths, "echo"))))), CROWD_ROUNDS))]);
    printTable(`Ways of dispatch, Miniflare: median (best) of ${ROUNDS} rounds in turns; a whole workflow with one ready set, as its client sees it`, ["", ...contestants.map(({ name }) => name)], rows);
  } finally {
    client.close();
    await Promise.all([...workers.map((worker) => worker.stop()), agents.close()]);
  }
}

function runSet(weft: WeftClient, size: number): Promise<void> {
  return weft.runToEnd(specOf([size], "echo", 1_000));
}

async function compare(runs: readonly ((() => Promise<unknown>) | null)[], rounds: number, divisor = 1): Promise<string[]> {
  const timesMs = runs.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, run] of runs.entries()) if (run !== null) timesMs[index]!.push((await measureMs(run)) / divisor);
  }
  return timesMs.map((times) => (times.length === 0 ? "–" : `${show(median(times))} (${show(Math.min(...times))})`));
}
