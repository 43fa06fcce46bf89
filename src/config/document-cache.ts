/** A configuration document with its version; 0 is the one that nobody stored. */
export interface StoredDocument<Document> {
  version: number;
  document: Document;
}

/** How long an isolate's copy counts as fresh. */
const FRESH_MS = 10_000;
/** A replica is up to a minute old. A copy that was last confirmed longer ago is no newer than it, whatever its version: a tenant's versions begin anew when its id is used again. */
const REPLICA_MAX_AGE_MS = 120_000;

export interface DocumentCacheDeps<Document> {
  now: () => number;
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
  /** Takes a newer document at once, and replicates it. */
  publish(stored: StoredDocument<Document>): Promise<void>;
}

/** An isolate's copy of a document. A source that fails leaves the former copy in place: a stale document is better than none. */
export function createDocumentCache<Document>(deps: DocumentCacheDeps<Document>): DocumentCache<Document> {
  let copy: { stored: StoredDocument<Document>; readAt: number } | null = null;
  const keep = (stored: StoredDocument<Document>, isCopyOld = false): StoredDocument<Document> => {
    if (copy === null || isCopyOld || stored.version >= copy.stored.version) copy = { stored, readAt: deps.now() };
    else copy.readAt = deps.now();
    return copy.stored;
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
        return keep(stored, copy === known && deps.now() - staleSince > REPLICA_MAX_AGE_MS);
      } catch (error) {
        if (known === null) throw error;
        known.readAt = staleSince;
        return known.stored;
      }
    },
    async publish(stored) {
      keep(stored);
      await deps.writeReplica(stored);
    },
  };
}
