import { RecentMap } from "../../recent-map.ts";
import type { StartsAnswer, StartsRequest, StartsTold, LeaseHolderPort } from "../../api/ports/tenant-port.ts";
import { limitsTasks, type TenantLimits } from "../../config/tenant-record.ts";
import { MAX_PATIENCE_MS } from "../../workflow/starts/ask-starts.ts";
import { listLacking, nextStartAt, shareStarts, sumWanted, trimGrant, type WaitingStarts } from "../../workflow/starts/start-permits.ts";
import type { Holder } from "../../workflow/budget/tenant-account.ts";
import type { StoredGrant } from "./stores/start-grant-store.ts";
import type { TenantStore } from "./stores/tenant-store.ts";

/** Workflows that are remembered for their place in the order. Others count as never served. */
const MAX_SERVED = 10_000;
/** Workflows that have places and were silent for so long are asked whether they are still there, when places are what is lacking. */
export const SILENT_MS = 60_000;
const LOOK_GAP_MS = 10_000;
const MAX_LOOKED_AFTER = 50;

export interface TenantStartsDeps {
  now: () => number;
  workflow: (workflowId: string) => LeaseHolderPort;
}

/** What is known of one that waits does not change until it is answered. */
interface Waiting extends WaitingStarts<string> {
  holder: Holder;
  /** As stored. */
  grant: StoredGrant;
  answer: (answer: StartsAnswer) => void;
  timer: ReturnType<typeof setTimeout>;
}

/** Shares the starts that a tenant's limits allow among its workflows. Who waits is in memory only: it asks again if that is lost. */
export class TenantStarts {
  readonly #store: TenantStore;
  readonly #deps: TenantStartsDeps;
  readonly #waiting = new Map<string, Waiting>();
  readonly #servedAt = new RecentMap<string, number>(MAX_SERVED);
  #turns = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lookedAt = -Infinity;

  constructor(store: TenantStore, deps: TenantStartsDeps) {
    this.#store = store;
    this.#deps = deps;
  }

  /** Whether workflows have to ask before they start a task. */
  get isLimited(): boolean {
    return limitsTasks(this.#limits);
  }

  /** Answers at once with what can be given, or when the first start can be, or after a while. A later request of the same workflow takes the place of an earlier one. */
  async lease({ holder, revision, demand, patienceMs }: StartsRequest): Promise<StartsAnswer> {
    if (!this.isLimited) return { kind: "unlimited" };
    const grant = this.#take(holder, { revision, demand });
    if (grant === null) return { kind: "granted", upTo: demand.started };
    const lacking = listLacking(demand, grant);
    if (sumWanted(lacking) === 0) {
      this.share();
      return { kind: "granted", upTo: grant.upTo };
    }
    return new Promise((resolve) => {
      const name = nameOf(holder);
      // Who died is not waited for, and an invocation may not last for ever.
      const timer = setTimeout(() => this.#answer(name), Math.min(patienceMs, MAX_PATIENCE_MS));
      this.#waiting.set(name, { key: name, wanted: lacking, servedAt: this.#servedAt.get(name) ?? 0, holder, grant, answer: resolve, timer });
      this.share();
      // What it has unused it can start now; the rest it asks for again.
      if (grant.upTo > demand.started) this.#answer(name);
    });
  }

  /** What a workflow tells beside its entry in the index. */
  tell(holder: Holder, told: StartsTold): void {
    if (!this.isLimited) return;
    this.#take(holder, told);
    this.share();
  }

  /** The workflow is gone. */
  close(holder: Holder): void {
    if (!this.isLimited) return;
    this.#store.starts.delete(holder);
    this.#answer(nameOf(holder));
    this.share();
  }

  /** Gives what there is to those that wait. To be called after anything that may have changed it: limits, too. */
  share(): void {
    clearTimeout(this.#timer);
    const limits = this.#limits;
    if (!limitsTasks(limits)) {
      this.#store.starts.clear();
      for (const name of [...this.#waiting.keys()]) this.#answer(name);
      return;
    }
    if (this.#waiting.size === 0) return;
    const now = this.#deps.now();
    const { grown, served, nextAt, isFull } = this.#store.transaction(() => this.#grant(limits, now));
    // Only now: one that was not stored would be told of what nobody counts.
    for (const [waiting, grant] of grown) waiting.grant = grant;
    for (const name of served) {
      this.#servedAt.set(name, (this.#turns += 1));
      this.#answer(name);
    }
    if (nextAt !== null) this.#timer = setTimeout(() => this.share(), Math.max(1, nextAt - now));
    if (isFull) void this.#lookAfterSilent(now);
  }

  #grant(limits: TenantLimits, now: number): { grown: [Waiting, StoredGrant][]; served: string[]; nextAt: number | null; isFull: boolean } {
    const { starts } = this.#store;
    const running = starts.countRunning();
    const isFull = limits.concurrentTasks !== null && running >= limits.concurrentTasks;
    const known = starts.readBucket();
    // Mostly a question comes while nothing is free: then there is nothing to share, however many wait.
    if (isFull) return { grown: [], served: [], nextAt: null, isFull };
    const emptyUntil = limits.tasksPerSecond === null ? null : nextStartAt(known, limits.tasksPerSecond, now);
    if (emptyUntil !== null) return { grown: [], served: [], nextAt: emptyUntil, isFull };
    const { granted, served, bucket, nextAt } = shareStarts([...this.#waiting.values()], running, limits, known, now);
    const grown = Array.from(granted, ([name, count]): [Waiting, StoredGrant] => {
      const waiting = this.#waiting.get(name)!;
      return [waiting, { ...waiting.grant, upTo: waiting.grant.upTo + count }];
    });
    for (const [{ holder }, grant] of grown) starts.write(holder, grant, now);
    if (granted.size > 0) starts.writeBucket(bucket);
    return { grown, served, nextAt, isFull };
  }

  /** Takes a demand in. Null for one that is older than what is known. */
  #take(holder: Holder, { revision, demand }: StartsTold): StoredGrant | null {
    const now = this.#deps.now();
    const grant = this.#store.transaction(() => {
      const known = this.#store.starts.read(holder);
      if (known !== null && known.revision > revision) return null;
      const trimmed = { ...trimGrant(known, demand), revision };
      this.#store.starts.write(holder, trimmed, now);
      return trimmed;
    });
    // Whatever it waited for before, this is what it wants now.
    if (grant !== null) this.#answer(nameOf(holder));
    return grant;
  }

  /** Lets a waiting workflow go on, with what it has by now. */
  #answer(name: string): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) return;
    this.#waiting.delete(name);
    clearTimeout(waiting.timer);
    waiting.answer(this.isLimited ? { kind: "granted", upTo: waiting.grant.upTo } : { kind: "unlimited" });
  }

  /** Places are lacking: those of workflows that vanished, or whose last word was lost, are free. */
  async #lookAfterSilent(now: number): Promise<void> {
    if (now - this.#lookedAt < LOOK_GAP_MS) return;
    this.#lookedAt = now;
    const silent = this.#store.transaction(() => this.#store.starts.takeSilent(now - SILENT_MS, MAX_LOOKED_AFTER, now));
    await Promise.all(silent.map((holder) => this.#lookAfter(holder)));
  }

  /** One that cannot be reached keeps its places until the next look. */
  async #lookAfter(holder: Holder): Promise<void> {
    try {
      const told = await this.#deps.workflow(holder.id).readStarts(holder.createdAt);
      if (told === null) this.close(holder);
      else this.tell(holder, told);
    } catch {
      // The next look comes.
    }
  }

  get #limits(): TenantLimits {
    return this.#store.record.read().limits;
  }
}

function nameOf({ id, createdAt }: Holder): string {
  return `${id}@${createdAt}`;
}
