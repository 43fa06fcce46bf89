import { randomUUID } from "node:crypto";
import { type IncomingMessage } from "node:http";
import { startFakeAgents } from "../test/fixtures/fake-agents.ts";
import { readRequestText, startLoopbackServer } from "../test/fixtures/loopback-server.ts";
import type { BenchContext } from "./bench-context.ts";
import { measureMs, median, printTable, show } from "./figures.ts";
import { createHttpClient, type Send } from "./http-client.ts";
import { CHAIN, DIAMOND, FAN_OUT, type Shape, specOf } from "./shapes.ts";
import { HOST_KINDS, type HostKind, startHost } from "./start-host.ts";
import { createWeftClient } from "./weft-client.ts";

const ROUNDS = 7;
const DIAMONDS = 200;
/** A round of diamonds takes seconds, with Cloudflare Workflows ten times as long: fewer of them, there every second one. */
const DIAMOND_ROUNDS = 5;

/** One way to run a shape to its end, as its client sees it. */
interface Contestant {
  name: string;
  run: (shape: Shape) => Promise<void>;
}

interface Measured {
  fanOutMs: number[];
  chainMs: number[];
  diamondsMs: number[];
}

/** Fan-out, chain and many diamonds in turns: on our engine, on Cloudflare Workflows, on the least object that stores anything, and with no engine at all. */
export async function benchEngine(context: BenchContext): Promise<void> {
  for (const kind of HOST_KINDS) await benchHost(kind, context);
}

async function benchHost(kind: HostKind, context: BenchContext): Promise<void> {
  const agents = await startFakeAgents({ recordBodies: false });
  const client = createHttpClient();
  const done = await startDoneServer();
  const bare = await startHost(kind, { config: "bench/bare-worker.toml", stateFolder: context.newStateFolder() });
  const workflows = await startHost(kind, { config: "bench/workflows-worker.toml", stateFolder: context.newStateFolder() });
  const object = await startHost(kind, { config: "bench/object-worker.toml", stateFolder: context.newStateFolder() });
  const weft = await startHost(kind, { config: "wrangler.toml", stateFolder: context.newStateFolder() });
  try {
    const agentUrl = `${agents.origin}/echo`;
    const weftClient = createWeftClient(client.send, weft);
    await weftClient.registerAgent("echo", agentUrl);
    const contestants = [
      { name: "no engine", run: (shape: Shape) => postLayers(client.send, bare.origin, { id: randomUUID(), widths: shape.widths, agentUrl, doneUrl: null }) },
      { name: "bare object", run: (shape: Shape) => postLayers(client.send, object.origin, { id: randomUUID(), widths: shape.widths, agentUrl, doneUrl: null }) },
      {
        name: "Cloudflare Workflows",
        run: async (shape: Shape) => {
          const id = randomUUID();
          const ended = done.whenDone(id);
          await postLayers(client.send, workflows.origin, { id, widths: shape.widths, agentUrl, doneUrl: done.origin });
          await ended;
        },
      },
      { name: "Weft", run: (shape: Shape) => weftClient.runToEnd(specOf(shape.widths, "echo")) },
    ];
    printResults(kind, contestants, await measureInTurns(contestants, agents.reset));
  } finally {
    await Promise.all([bare.stop(), object.stop(), workflows.stop(), weft.stop(), agents.close(), done.close()]);
    client.close();
  }
}

async function measureInTurns(contestants: readonly Contestant[], reset: () => void): Promise<Map<string, Measured>> {
  const measured = new Map(contestants.map(({ name }) => [name, { fanOutMs: [], chainMs: [], diamondsMs: [] } as Measured]));
  for (const { run } of contestants) {
    for (const shape of [FAN_OUT, CHAIN]) await run(shape);
    await Promise.all(Array.from({ length: 20 }, () => run(DIAMOND)));
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name, run } of contestants) measured.get(name)!.fanOutMs.push(await measureMs(() => run(FAN_OUT)));
    for (const { name, run } of contestants) measured.get(name)!.chainMs.push(await measureMs(() => run(CHAIN)));
    reset();
  }
  for (let round = 0; round < DIAMOND_ROUNDS; round += 1) {
    for (const { name, run } of contestants) {
      if (name === "Cloudflare Workflows" && round % 2 === 1) continue;
      measured.get(name)!.diamondsMs.push(await measureMs(() => Promise.all(Array.from({ length: DIAMONDS }, () => run(DIAMOND)))));
      reset();
    }
  }
  return measured;
}

function printResults(kind: HostKind, contestants: readonly Contestant[], measured: Map<string, Measured>): void {
  const figures = contestants.map(({ name }) => {
    const { fanOutMs, chainMs, diamondsMs } = measured.get(name)!;
    return { name, fanOutMs, stepMs: chainMs.map((ms) => ms / CHAIN.widths.length), diamondMs: diamondsMs.map((ms) => ms / DIAMONDS) };
  });
  const floor = figures.find(({ name }) => name === "no engine")!;
  const workflows = figures.find(({ name }) => name === "Cloudflare Workflows")!;
  const perSecond = (ms: number): number => 1_000 / ms;
  const rows = figures.map(({ name, fanOutMs, stepMs, diamondMs }) => [
    name,
    `${show(median(fanOutMs))} (${show(Math.min(...fanOutMs))})`,
    show(median(fanOutMs) / median(floor.fanOutMs)),
    `${show(median(stepMs))} (${show(Math.min(...stepMs))})`,
    show(median(stepMs) / median(floor.stepMs)),
    `${show(perSecond(median(diamondMs)))} (${show(perSecond(Math.min(...diamondMs)))})`,
    show(median(diamondMs) / median(floor.diamondMs)),
  ]);
  printTable(
    `${kind}: median (best) of ${ROUNDS} rounds in turns, of ${DIAMOND_ROUNDS} for the diamonds; × is the time as a multiple of "no engine"`,
    ["", `${FAN_OUT.name}, ms`, "×", `${CHAIN.name}, ms/step`, "×", `${DIAMONDS} diamonds, workflows/s`, "×"],
    rows,
  );
  const lead = (theirs: number[], ours: number[]): string => `${show(median(theirs) / median(ours))}×`;
  console.log("");
  for (const { name, fanOutMs, stepMs, diamondMs } of figures.filter((figure) => figure.name === "bare object" || figure.name === "Weft")) {
    console.log(`${name} ahead of Cloudflare Workflows: fan-out ${lead(workflows.fanOutMs, fanOutMs)}, chain ${lead(workflows.stepMs, stepMs)}, diamonds ${lead(workflows.diamondMs, diamondMs)}`);
  }
}

async function postLayers(send: Send, origin: string, body: object): Promise<void> {
  const answer = await send("POST", `${origin}/`, { body });
  if (answer.status >= 300) throw new Error(`a worker to compare with answered ${answer.status}: ${answer.text}`);
}

/** Where a Cloudflare Workflow says that it is at its end, so that waiting for it costs no polling. */
async function startDoneServer(): Promise<{ origin: string; whenDone: (id: string) => Promise<void>; close: () => Promise<void> }> {
  const waiting = new Map<string, () => void>();
  const receive = async (request: IncomingMessage): Promise<void> => {
    const id = await readRequestText(request);
    waiting.get(id)?.();
    waiting.delete(id);
  };
  const server = await startLoopbackServer((request, response) => {
    void receive(request).then(() => response.end("{}"));
  });
  return { ...server, whenDone: (id) => new Promise((resolve) => waiting.set(id, resolve)) };
}
