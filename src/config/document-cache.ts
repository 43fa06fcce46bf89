/** A configuration document with its version; 0 is the one that nobody stored. */
export interface StoredDocument<Document> {
  version: number;
  document: Document;
}

/** How long an isolate's copy counts as fresh. */
const FRESH_MS = 10_000;
/** Replicas are up to a minute old, mostly. Where one is still older than a copy that was last confirmed longer ago, the copy may be wrong: a tenant's versions begin anew when its id is used again. */
const REPLICA_MAX_AGE_MS = 120_000;

/** Waits between tries to replicate: a key of the store takes one write a second, and refuses more. */
const REPLICATION_RETRIES_MS = [1_100, 1_100, 2_200, 4_400];
/** How often in a second at most the origin is asked for what the copy does not know: it is one object for all isolates, and names can be made up. */
export const MAX_REFRESHES_PER_SECOND = 20;

export interface DocumentCacheDeps<Document> {
  now: () => number;
  sleep: (ms: number) => Promise<unknown>;
  /** The replicated copy (KV), up to a minute old; null when there is none. */
  readReplica: () => Promise<StoredDocument<Document> | null>;
  /** The document's object. */
  readOrigin: () => Promise<StoredDocument<Document>>;
  writeReplica: (stored: StoredDocument<Document>) => Promise<void>;
}

interface Copy<Document> {
  stored: StoredDocument<Document>;
  /** When it was last read again. */
  readAt: number;
  /** When it was last known to be right: a replica that is older says nothing of that. */
  confirmedAt: number;
}

/**
 * An isolate's copy of a document. A source that fails leaves the former copy in place: a stale document is better than none. Requests share the
 * copy and wait for nothing of each other: what one has begun may end with it.
 */
export class DocumentCache<Document> {
  readonly #deps: DocumentCacheDeps<Document>;
  #copy: Copy<Document> | null = null;
  #writes = 0;
  /** The newest document that was replicated here, and by the how many-th write that was begun. */
  #replicated = { version: -1, write: 0 };
  #refreshes = { second: 0, count: 0 };

  constructor(deps: DocumentCacheDeps<Document>) {
    this.#deps = deps;
  }

  /** What `read` would give without reading anything; null when it would have to read. */
  peek(): StoredDocument<Document> | null {
    return this.#copy !== null && this.#deps.now() - this.#copy.readAt < FRESH_MS ? this.#copy.stored : null;
  }

  async read(): Promise<StoredDocument<Document>> {
    const fresh = this.peek();
    if (fresh !== null) return fresh;
    const known = this.#copy;
    if (known === null) return this.#readFirst();
    const staleSince = known.readAt;
    // Those who come while it is read again take the former copy instead of reading it too.
    known.readAt = this.#deps.now();
    try {
      const replica = await this.#deps.readReplica();
      const isDoubtful = replica !== null && replica.version < known.stored.version && this.#isUnconfirmed(known);
      return this.#keep(replica === null || isDoubtful ? await this.#deps.readOrigin() : replica);
    } catch {
      known.readAt = staleSince;
      return known.stored;
    }
  }

  /** The document as its origin has it, for what the copy does not know; asked for too often, the copy. */
  async refresh(): Promise<StoredDocument<Document>> {
    if (this.#copy !== null && !this.#mayRefresh()) return this.#copy.stored;
    const formerVersion = this.#copy?.stored.version ?? -1;
    const stored = this.#keep(await this.#deps.readOrigin());
    // Who asks needs the document and not its replica, and no flood of made-up names may become one of writes.
    if (stored.version > formerVersion) await this.#write(stored).then(() => this.#lookAgain(stored)).catch(() => undefined);
    return stored;
  }

  /** Takes a newer document at once, and replicates it: rejects when that fails for seconds. */
  async publish(stored: StoredDocument<Document>): Promise<void> {
    const earlierWrites = this.#writes;
    let newest = this.#keep(stored) === stored ? stored : await this.#deps.readOrigin();
    for (const waitMs of [...REPLICATION_RETRIES_MS, null]) {
      try {
        await this.#write(newest);
        break;
      } catch (error) {
        if (waitMs === null) throw error;
        await this.#deps.sleep(waitMs);
        newest = this.#keep(await this.#deps.readOrigin());
        // Of several that were refused the first to come again writes for all. An earlier write may be what an older one went over.
        if (this.#replicated.version >= newest.version && this.#replicated.write > earlierWrites) return;
      }
    }
    await this.#lookAgain(newest);
  }

  /** Where there is no copy, a replica that cannot be read is as good as none. */
  async #readFirst(): Promise<StoredDocument<Document>> {
    return this.#keep((await this.#deps.readReplica().catch(() => null)) ?? (await this.#deps.readOrigin()));
  }

  /** The newer of a document and the copy, which is the copy from then on. */
  #keep(stored: StoredDocument<Document>): StoredDocument<Document> {
    const now = this.#deps.now();
    const known = this.#copy;
    const isUnconfirmed = known !== null && this.#isUnconfirmed(known);
    if (isUnconfirmed) this.#replicated = { version: -1, write: 0 };
    const isNewer = known === null || isUnconfirmed || stored.version >= known.stored.version;
    this.#copy = isNewer ? { stored, readAt: now, confirmedAt: now } : { ...known, readAt: now };
    return this.#copy.stored;
  }

  #isUnconfirmed({ confirmedAt }: Copy<Document>): boolean {
    return this.#deps.now() - confirmedAt > REPLICA_MAX_AGE_MS;
  }

  async #write(stored: StoredDocument<Document>): Promise<void> {
    this.#writes += 1;
    const write = this.#writes;
    await this.#deps.writeReplica(stored);
    if (stored.version >= this.#replicated.version) this.#replicated = { version: stored.version, write };
  }

  /** Of several who write at once the last may be the one with the oldest document; but it is the last to look, too. */
  async #lookAgain(written: StoredDocument<Document>): Promise<void> {
    const newest = await this.#deps.readOrigin().catch(() => written);
    if (newest.version > written.version) await this.publish(newest);
  }

  #mayRefresh(): boolean {
    const second = Math.floor(this.#deps.now() / 1_000);
    this.#refreshes = { second, count: this.#refreshes.second === second ? this.#refreshes.count + 1 : 1 };
    return this.#refreshes.count <= MAX_REFRESHES_PER_SECOND;
  }
}
