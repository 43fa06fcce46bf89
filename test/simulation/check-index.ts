import { deriveIndex, isFinalWorkflow, type Run, type RunIndex } from "../../src/workflow/run.ts";
import { mustHold } from "./violation.ts";

const RULE = "the kept index is the one that follows from the stored state";

/**
 * Compares the index that the steps kept with the one derived anew. A final workflow schedules nothing any more: its waves and
 * ready tasks are not looked at again.
 */
export function checkIndex(run: Run): void {
  const derived = deriveIndex(run.plan, run.tasks);
  const { index } = run;
  mustBeEqual("live", sorted(index.live), sorted(derived.live));
  mustBeEqual("carried", carriedBy(index), carriedBy(derived));
  mustHold(index.carriedBytes === derived.carriedBytes, RULE, () => `carriedBytes: ${index.carriedBytes}, not ${derived.carriedBytes}`);
  mustBeEqual("retrying", sorted(index.retrying), sorted(derived.retrying));
  mustBeEqual("waitingOn", index.waitingOn, derived.waitingOn);
  mustBeEqual("openInWave", index.openInWave, derived.openInWave);
  const { counts } = index;
  const isCounted = (Object.keys(derived.counts) as (keyof RunIndex["counts"])[]).every((name) => counts[name] === derived.counts[name]);
  mustHold(isCounted, RULE, () => `counts: ${JSON.stringify(counts)}, not ${JSON.stringify(derived.counts)}`);
  if (isFinalWorkflow(run.state.status)) return;
  const waits = new Set(run.waiting.tasks.keys());
  mustHold(index.currentWave === derived.currentWave, RULE, () => `currentWave: ${index.currentWave}, not ${derived.currentWave}`);
  derived.ready.forEach((fifo, rank) => mustBeEqual(`ready of rank ${rank}`, listReady(run, rank).sort(ascending), fifo.items.filter((id) => !waits.has(id))));
}

/** Entries that became stale while they waited are passed over; a missing or a doubled one is a fault. */
function listReady(run: Run, rank: number): number[] {
  const fifo = run.index.ready[rank]!;
  return fifo.items.slice(fifo.head).filter((id) => run.tasks[id]!.status === "pending" && run.tasks[id]!.retryAt === null);
}

function mustBeEqual(name: string, kept: readonly number[], derived: readonly number[]): void {
  const isEqual = kept.length === derived.length && kept.every((value, place) => value === derived[place]);
  mustHold(isEqual, RULE, () => `${name}: [${kept}], not [${derived}]`);
}

function carriedBy({ carried }: RunIndex): number[] {
  return [...carried].sort(([one], [other]) => one - other).flat();
}

function sorted(numbers: ReadonlySet<number>): number[] {
  return [...numbers].sort(ascending);
}

function ascending(one: number, other: number): number {
  return one - other;
}
