import type { Problem } from "../errors.ts";
import type { LogEvent } from "../log.ts";

/** How long a workflow that is not final may be silent before the sweep looks at it. */
const SILENT_MS = 600_000;
/** How much later than the end of its retention an ended workflow is woken that is still there: its own alarm comes first, and its object may know the settings of a minute ago. */
const RETENTION_LATENESS_MS = 3_600_000;
/** Most workflows woken in one sweep, of all tenants: an invocation may make 1,000 calls, and those below are made in it too. */
export const MAX_WOKEN = 500;
/** Tenants of one sweep beside the operator's own; each is asked three times at most. The others' turn comes with the next sweeps. */
export const MAX_TENANTS = 100;
/** Calls side by side. */
const BATCH = 25;

export interface SweepDeps {
  /** Of the operator's object. */
  directory: {
    /** Tenants whose turn it is, and removals that are under way. */
    takeTenants: (limit: number) => Promise<{ active: string[]; removing: { id: string; since: number }[] }>;
    forgetTenant: (id: string, since: number) => Promise<void>;
  };
  tenant: (id: string) => {
    listStale: (before: number, endedBefore: number, limit: number) => Promise<string[]>;
    /** Frees what vanished workflows held of the tenant's budget. */
    recoverLeases: () => Promise<void>;
    endTenant: (since: number) => Promise<{ isDone: boolean } | Problem>;
  };
  wake: (tenant: string, workflowId: string) => Promise<void>;
  /** How long ended workflows are kept, by the settings as they are now. */
  readRetentionMs: () => Promise<number>;
  now: number;
  log: (event: LogEvent) => void;
}

/**
 * Does what alarms should have done, since one is given up after six failures, and then nobody else would come: wakes workflows that should
 * have been heard of or be gone (their alarms know the retention of their end), frees what vanished ones held of budgets, and goes on with removals of tenants. Waking a workflow that is well does nothing. Never throws.
 */
export async function sweepStale(deps: SweepDeps): Promise<void> {
  try {
    const { active, removing } = await deps.directory.takeTenants(MAX_TENANTS);
    await inBatches(removing, (removal) => continueRemoval(removal, deps));
    const recovered = inBatches(active, (tenant) => recoverLeases(tenant, deps));
    const endedBefore = await findEndedBefore(deps);
    const { woken, behind } = await wakeRound(active, MAX_WOKEN, { ...deps, endedBefore });
    // What others did not need goes to those that have more; whoever is still behind then has its next turn.
    if (behind.length > 0 && woken < MAX_WOKEN) await wakeRound(behind, MAX_WOKEN - woken, { ...deps, endedBefore });
    await recovered;
  } catch (error) {
    deps.log({ event: "sweep.failed", message: String(error) });
  }
}

/** When workflows have ended that should be gone by now (Unix ms); while nobody can say how long they are kept, none have. */
async function findEndedBefore({ readRetentionMs, now, log }: SweepDeps): Promise<number> {
  try {
    return now - (await readRetentionMs()) - RETENTION_LATENESS_MS;
  } catch (error) {
    log({ event: "sweep.failed", message: String(error) });
    return 0;
  }
}

/** Gives each tenant the same share of `places`. `behind`: tenants that have used all of theirs. */
async function wakeRound(tenants: readonly string[], places: number, deps: SweepDeps & { endedBefore: number }): Promise<{ woken: number; behind: string[] }> {
  const served = tenants.slice(0, places);
  const share = Math.floor(places / served.length);
  const stale: { tenant: string; workflowId: string }[] = [];
  const behind: string[] = [];
  await inBatches(served, async (tenant) => {
    try {
      const workflowIds = await deps.tenant(tenant).listStale(deps.now - SILENT_MS, deps.endedBefore, share);
      stale.push(...workflowIds.map((workflowId) => ({ tenant, workflowId })));
      if (workflowIds.length === share) behind.push(tenant);
    } catch (error) {
      deps.log({ event: "sweep.failed", tenant, message: String(error) });
    }
  });
  await inBatches(stale, async ({ tenant, workflowId }) => {
    await deps.wake(tenant, workflowId).catch((error: unknown) => deps.log({ event: "sweep.failed", tenant, workflowId, message: String(error) }));
  });
  return { woken: stale.length, behind };
}

async function recoverLeases(tenant: string, deps: SweepDeps): Promise<void> {
  await deps.tenant(tenant).recoverLeases().catch((error: unknown) => deps.log({ event: "sweep.failed", tenant, message: String(error) }));
}

async function continueRemoval({ id, since }: { id: string; since: number }, deps: SweepDeps): Promise<void> {
  try {
    const ended = await deps.tenant(id).endTenant(since);
    if ("problem" in ended) deps.log({ event: "tenant.removal_failed", tenant: id, message: ended.detail });
    else if (ended.isDone) await deps.directory.forgetTenant(id, since);
  } catch (error) {
    deps.log({ event: "tenant.removal_failed", tenant: id, message: String(error) });
  }
}

async function inBatches<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += BATCH) await Promise.all(items.slice(start, start + BATCH).map(work));
}
