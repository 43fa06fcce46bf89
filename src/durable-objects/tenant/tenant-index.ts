import type { IndexEntry } from "../../api/ports/tenant-port.ts";
import type { TenantStore } from "./stores/tenant-store.ts";
import type { TenantStarts } from "./tenant-starts.ts";

/** How long index entries gather. */
const GATHER_MS = 4;

interface IndexStore extends Pick<TenantStore, "transaction"> {
  workflows: Pick<TenantStore["workflows"], "put">;
}

/** Entries that are stored together, and what those wait for who told them. */
interface Batch {
  entries: IndexEntry[];
  stored: PromiseWithResolvers<void>;
}

/** Takes in what workflows tell of themselves. Entries that come within a moment share a transaction: each costs a disk write, whatever it holds. */
export class TenantIndex {
  readonly #store: IndexStore;
  readonly #starts: Pick<TenantStarts, "tell">;
  /** Unix milliseconds. */
  readonly #now: () => number;
  #gathering: Batch | null = null;
  #storedAt = 0;

  constructor(store: IndexStore, starts: Pick<TenantStarts, "tell">, now: () => number) {
    this.#store = store;
    this.#starts = starts;
    this.#now = now;
  }

  /** Settles once the entry is stored, and rejects when it could not be. One that comes alone is stored at once: somebody may wait for it. */
  async take(entry: IndexEntry): Promise<void> {
    if (this.#gathering === null && this.#now() - this.#storedAt >= GATHER_MS) return this.#put([entry]);
    const batch = (this.#gathering ??= this.#open());
    batch.entries.push(entry);
    return batch.stored.promise;
  }

  /** Stores what has gathered. Reads do it first, so that they see every entry that arrived before them. */
  flush(): void {
    const batch = this.#gathering;
    if (batch === null) return;
    this.#gathering = null;
    try {
      this.#put(batch.entries);
      batch.stored.resolve();
    } catch (error) {
      batch.stored.reject(error);
      throw error;
    }
  }

  /** Forgets what has gathered: the tenant's data goes. */
  drop(): void {
    this.#gathering?.stored.resolve();
    this.#gathering = null;
  }

  #open(): Batch {
    const batch: Batch = { entries: [], stored: Promise.withResolvers() };
    setTimeout(() => {
      if (this.#gathering !== batch) return;
      try {
        this.flush();
      } catch {
        // Those who told the entries hear of it.
      }
    }, GATHER_MS);
    return batch;
  }

  #put(entries: readonly IndexEntry[]): void {
    this.#storedAt = this.#now();
    this.#store.transaction(() => entries.forEach((entry) => this.#store.workflows.put(entry, this.#now())));
    for (const { summary, starts } of entries) if (starts !== undefined) this.#starts.tell({ id: summary.id, createdAt: Date.parse(summary.createdAt) }, starts);
  }
}
