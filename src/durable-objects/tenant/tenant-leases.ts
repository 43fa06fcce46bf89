import type { TenantSpend } from "../../api/ports/directory-port.ts";
import type { CallsToReserve, LeaseHolderPort, TenantPort } from "../../api/ports/tenant-port.ts";
import { periodStart } from "../../config/tenant-record.ts";
import { DAY_MS, dayOf } from "../../workflow/budget/utc-day.ts";
import { assumeSpent, daysOfPeriod, leaseShare, type ShareAnswer, type ShareRequest } from "../../workflow/budget/tenant-account.ts";
import type { OpenShare } from "./stores/tenant-account-store.ts";
import type { TenantStore } from "./stores/tenant-store.ts";

/** Workflows that are asked to give back what they do not need before a lease is refused: one round of calls side by side. */
export const MAX_RECALLED = 50;
/** Least time between two rounds. A tenant at its cap is asked for leases all the time, and what came back must first reach somebody. */
const RECALL_GAP_MS = 1_000;
/** How long a round waits for those that do not answer. */
const RECALL_PATIENCE_MS = 2_000;
/** How long a workflow that holds what it has not spent may be silent before it is looked after. */
export const SILENT_MS = 1_800_000;
/** Most of them in one look, a round after the other. */
const MAX_RECOVERED = 500;
/** Reservations that are settled for want of news at a time: they come one by one, so more are a backlog that the next look takes on. */
const MAX_EXPIRED = 1_000;
/** How long a call that was never settled is remembered: as long as the gateway's entries are. */
const CALL_MEMORY_MS = 30 * DAY_MS;

const NOTHING: ShareAnswer = { kind: "leased", leasedNanoUsd: 0, mayGrow: false, mostNanoUsd: 0 };

export interface TenantLeasesDeps {
  now: () => number;
  sleep: (ms: number, signal: AbortSignal) => Promise<unknown>;
  workflow: (workflowId: string) => LeaseHolderPort;
}

/** The budget account of a tenant's object: leases, settlements, and asking back what is not needed. */
export class TenantLeases {
  readonly #store: TenantStore;
  readonly #deps: TenantLeasesDeps;
  #recalling: Promise<void> | null = null;
  #recalledAt = -Infinity;

  constructor(store: TenantStore, deps: TenantLeasesDeps) {
    this.#store = store;
    this.#deps = deps;
  }

  async lease(request: Parameters<TenantPort["leaseBudget"]>[0]): Promise<ShareAnswer> {
    return this.#leaseOrRecall({ ...request, expiresAt: null });
  }

  async reserveCalls({ id, ...request }: CallsToReserve): Promise<ShareAnswer> {
    // The request is over: nothing more will be called for it.
    if (this.#store.stats.isGatewayEntryKnown(id)) return NOTHING;
    return this.#leaseOrRecall({ ...request, holder: { id, createdAt: 0 }, revision: 0 });
  }

  /** Of the budget's current period; without a budget, of all time. */
  readSpend(): TenantSpend {
    const now = this.#deps.now();
    return this.#store.transaction(() => {
      this.#expire(now);
      const { budget } = this.#store.record.read();
      const { firstDay, lastDay } = daysOfPeriod(budget?.period ?? "total", dayOf(now));
      const { heldNanoUsd, spentNanoUsd } = this.#store.account.open(now).sumDays(firstDay, lastDay);
      return { spentNanoUsd, reservedNanoUsd: heldNanoUsd - spentNanoUsd, periodStart: periodStart(budget, now) };
    });
  }

  /** Asks workflows that hold something and were not heard of for long. */
  async recover(): Promise<void> {
    const now = this.#deps.now();
    const silent = this.#store.transaction(() => {
      this.#expire(now);
      const shares = this.#store.account.listSilentShares(now - SILENT_MS, MAX_RECOVERED);
      for (const { holder } of shares) this.#store.account.touch(holder, now);
      return shares;
    });
    for (let start = 0; start < silent.length; start += MAX_RECALLED) await this.#askBack(silent.slice(start, start + MAX_RECALLED));
  }

  async #leaseOrRecall(request: ShareRequest): Promise<ShareAnswer> {
    // Of a tenant that was removed nothing is kept, so nothing may be spent.
    if (this.#store.record.read().state !== "active") return NOTHING;
    const answer = this.#lease(request);
    if (answer.kind === "unlimited" || !answer.mayGrow || !(await this.#recall(request))) return answer;
    return this.#lease(request);
  }

  #lease(request: ShareRequest): ShareAnswer {
    const now = this.#deps.now();
    return this.#store.transaction(() => {
      this.#expire(now);
      return leaseShare(this.#store.account.open(now), request);
    });
  }

  /** One round for all who come while it runs. False when the last one was just now. */
  async #recall({ holder, day }: ShareRequest): Promise<boolean> {
    if (this.#recalling === null) {
      const now = this.#deps.now();
      if (now - this.#recalledAt < RECALL_GAP_MS) return false;
      const { budget } = this.#store.record.read();
      if (budget === null) return true;
      this.#recalledAt = now;
      const shares = this.#store.account.listLargestShares(daysOfPeriod(budget.period, day), holder, day, MAX_RECALLED);
      this.#recalling = this.#askBack(shares).finally(() => (this.#recalling = null));
    }
    await this.#recalling;
    return true;
  }

  async #askBack(shares: readonly OpenShare[]): Promise<void> {
    const isAnswered = new AbortController();
    const answers = Promise.all(shares.map((share) => this.#askHolder(share))).then(() => isAnswered.abort());
    await Promise.race([answers, this.#deps.sleep(RECALL_PATIENCE_MS, isAnswered.signal)]);
  }

  /** What comes too late for the round counts all the same. A holder that cannot be reached keeps what it has. */
  async #askHolder({ holder, day }: OpenShare): Promise<void> {
    try {
      const told = await this.#deps.workflow(holder.id).trimLease(holder.createdAt, day);
      this.#store.transaction(() => (told === null ? this.#store.account.close(holder, this.#deps.now()) : this.#store.account.takeSpend(holder, told, this.#deps.now())));
    } catch {
      // It is asked again by the next round.
    }
  }

  #expire(now: number): void {
    const expired = this.#store.account.listExpired(now, MAX_EXPIRED);
    if (expired.length === 0) return;
    const account = this.#store.account.open(now);
    for (const { holder, day } of expired) assumeSpent(account, holder, day);
    this.#store.account.forgetCalls(now - CALL_MEMORY_MS);
  }
}
