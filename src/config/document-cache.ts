/** A configuration document with its version; 0 is the one that nobody stored. */
export interface StoredDocument<Document> {
  version: number;
  document: Document;
}

/** How long an isolate's copy counts as fresh. */
const FRESH_MS = 10_000;
/** A replica is up to a minute old. A copy that was last confirmed longer ago is no newer than it, whatever its version: a tenant's versions begin anew when its id is used again. */
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

export interface DocumentCache<Document> {
  read(): Promise<StoredDocument<Document>>;
  /** What `read` would give without reading anything; null when it would have to read. */
  peek(): StoredDocument<Document> | null;
  /** The document as its origin has it, for what the copy does not know; asked for too often, the copy. */
  refresh(): Promise<StoredDocument<Document>>;
  /** Takes a newer document at once, and replicates it: rejects when that fails for seconds. */
  publish(stored: StoredDocument<Document>): Promise<void>;
}

/**
 * An isolate's copy of a document. A source that fails leaves the former copy in place: a stale document is better than none. Requests share the
 * copy and wait for nothing of each other: what one has begun may end with it.
 */
export function createDocumentCache<Document>(deps: DocumentCacheDeps<Document>): DocumentCache<Document> {
  let copy: { stored: StoredDocument<Document>; readAt: number } | null = null;
  let replicatedVersion = -1;
  /** `confirmedAt`: when the copy was last known to be right. */
  const keep = (stored: StoredDocument<Document>, confirmedAt = copy?.readAt ?? 0): StoredDocument<Document> => {
    if (copy !== null && deps.now() - confirmedAt > REPLICA_MAX_AGE_MS) {
      copy = null;
      replicatedVersion = -1;
    }
    if (copy === null || stored.version >= copy.stored.version) copy = { stored, readAt: deps.now() };
    else copy.readAt = deps.now();
    return copy.stored;
  };
  const writeReplica = async (stored: StoredDocument<Document>): Promise<void> => {
    await deps.writeReplica(stored);
    replicatedVersion = Math.max(replicatedVersion, stored.version);
  };
  let refreshes = { second: 0, count: 0 };
  const mayRefresh = (): boolean => {
    const second = Math.floor(deps.now() / 1_000);
    refreshes = { second, count: refreshes.second === second ? refreshes.count + 1 : 1 };
    return refreshes.count <= MAX_REFRESHES_PER_SECOND;
  };
  const peek = (): StoredDocument<Document> | null => (copy !== null && deps.now() - copy.readAt < FRESH_MS ? copy.stored : null);
  return {
    peek,
    async read() {
      const known = copy;
      const fresh = peek();
      if (fresh !== null) return fresh;
      const staleSince = known?.readAt ?? 0;
      // Those who come while it is read again take the former copy instead of reading it too.
      if (known !== null) known.readAt = deps.now();
      try {
        const stored = (await deps.readReplica()) ?? (await deps.readOrigin());
        return keep(stored, copy === known ? staleSince : undefined);
      } catch (error) {
        if (known === null) throw error;
        known.readAt = staleSince;
        return known.stored;
      }
    },
    async refresh() {
      if (copy !== null && !mayRefresh()) return copy.stored;
      const former = copy?.stored.version ?? -1;
      const stored = keep(await deps.readOrigin());
      // Who asks needs the document and not its replica, and no flood of made-up names may become one of writes.
      if (stored.version > former) await writeReplica(stored).catch(() => undefined);
      return stored;
    },
    async publish(stored) {
      keep(stored);
      let newest = stored;
      for (const waitMs of [...REPLICATION_RETRIES_MS, null]) {
        try {
          return await writeReplica(newest);
        } catch (error) {
          if (waitMs === null) throw error;
          await deps.sleep(waitMs);
          // Of several that were refused the first to come again writes for all; and what another isolate wrote meanwhile may be newer than this.
          if (replicatedVersion >= stored.version) return;
          newest = keep(await deps.readOrigin());
        }
      }
    },
  };
}
