import { parentPort, workerData } from "node:worker_threads";
import { reduceContext } from "../../src/optimizer/reduce-context.ts";

/** Run as a thread: reduces what it is given to a quarter. */
const { text, query } = workerData as { text: string; query: string };
parentPort?.postMessage(reduceContext(text, { query, targetReduction: 0.75 }).reductionPercent);
