import type { LogEvent } from "../log.ts";

/** How long a workflow that is not final may be silent before the sweep looks at it. */
const SILENT_MS = 600_000;
/** Most workflows woken in one sweep: an invocation may make 1,000 calls. */
const MAX_WOKEN = 500;
/** Calls side by side. */
const WAKE_BATCH = 25;

export interface SweepDeps {
  listStale: (before: number, limit: number) => Promise<string[]>;
  wake: (workflowId: string) => Promise<void>;
  /** Frees what vanished workflows held of the tenant's budget. */
  recoverLeases: () => Promise<void>;
  now: number;
  log: (event: LogEvent) => void;
}

/** Wakes workflows that should have been heard of: an alarm is given up after six failures, and then nobody else would come. Waking one that is well does nothing. */
export async function sweepStale(deps: SweepDeps): Promise<void> {
  const recovered = deps.recoverLeases().catch((error: unknown) => deps.log({ event: "sweep.failed", message: String(error) }));
  const workflowIds = await deps.listStale(deps.now - SILENT_MS, MAX_WOKEN);
  for (let start = 0; start < workflowIds.length; start += WAKE_BATCH) {
    const batch = workflowIds.slice(start, start + WAKE_BATCH);
    await Promise.all(batch.map((workflowId) => deps.wake(workflowId).catch((error: unknown) => deps.log({ event: "sweep.failed", workflowId, message: String(error) }))));
  }
  await recovered;
}
