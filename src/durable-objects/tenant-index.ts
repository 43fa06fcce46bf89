import type { IndexEntry } from "../api/tenant-port.ts";
import type { TenantStarts } from "./tenant-starts.ts";
import type { TenantStore } from "./tenant-store.ts";

/** How long index entries gather. */
const GATHER_MS = 4;

/** Takes in what workflows tell of themselves. Entries that come within a moment share a transaction: each costs a disk write, whatever it holds. */
export class TenantIndex {
  readonly #store: TenantStore;
  readonly #starts: Pick<TenantStarts, "tell">;
  /** Unix milliseconds. */
  readonly #now: () => number;
  #entries: IndexEntry[] = [];
  #gathering: Promise<void> | null = null;
  #storedAt = 0;

  constructor(store: TenantStore, starts: Pick<TenantStarts, "tell">, now: () => number) {
    this.#store = store;
    this.#starts = starts;
    this.#now = now;
  }

  /** Settles once the entry is stored. One that comes alone is stored at once: somebody may wait for it. */
  async take(entry: IndexEntry): Promise<void> {
    this.#entries.push(entry);
    if (this.#gathering === null && this.#now() - this.#storedAt >= GATHER_MS) this.flush();
    else await (this.#gathering ??= new Promise<void>((resolve) => setTimeout(resolve, GATHER_MS)).then(() => this.flush()));
  }

  /** Stores what has gathered. Reads do it first, so that they see every entry that arrived before them. */
  flush(): void {
    this.#gathering = null;
    this.#storedAt = this.#now();
    const entries = this.#entries;
    this.#entries = [];
    if (entries.length === 0) return;
    this.#store.transaction(() => entries.forEach((entry) => this.#store.putWorkflow(entry, this.#now())));
    for (const { summary, starts } of entries) if (starts !== undefined) this.#starts.tell({ id: summary.id, createdAt: Date.parse(summary.createdAt) }, starts);
  }

  /** Forgets what has gathered: the tenant's data goes. */
  drop(): void {
    this.#entries = [];
  }
}
